use std::fmt;

use globset::{GlobBuilder, GlobMatcher};
use http::HeaderValue;

use super::ObjectKey;

/// The objects that a rule is for, as configured: by key, by content type, by both, or all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ObjectGlobs {
    pub(crate) key: Option<String>,
    pub(crate) content_type: Option<String>,
}

/// The same, compiled.
#[derive(Debug, Clone, Default)]
pub(crate) struct ObjectMatcher {
    key: Option<GlobMatcher>,
    content_type: Option<GlobMatcher>,
}

/// A glob that does not parse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InvalidGlobs {
    /// The option: `key` or `content_type`.
    option: &'static str,
    /// As it is written.
    glob: String,
    why: globset::Error,
}

// === impl ObjectGlobs ===

impl ObjectGlobs {
    pub(crate) fn compile(&self) -> Result<ObjectMatcher, InvalidGlobs> {
        let key = self.key.as_deref().map(|glob| match glob.contains('/') {
            true => compile("key", glob, glob),
            // Without a slash it matches the last segment.
            false => compile("key", glob, &format!("**/{glob}")),
        });
        let content_type = self.content_type.as_deref().map(|glob| compile("content_type", glob, glob));
        Ok(ObjectMatcher { key: key.transpose()?, content_type: content_type.transpose()? })
    }
}

fn compile(option: &'static str, written: &str, glob: &str) -> Result<GlobMatcher, InvalidGlobs> {
    match GlobBuilder::new(glob).literal_separator(true).backslash_escape(true).build() {
        Ok(glob) => Ok(glob.compile_matcher()),
        Err(why) => Err(InvalidGlobs { option, glob: written.to_owned(), why }),
    }
}

// === impl ObjectMatcher ===

impl ObjectMatcher {
    pub(crate) fn fits(&self, key: &ObjectKey, content_type: Option<&HeaderValue>) -> bool {
        self.fits_key(key) && self.fits_type(content_type)
    }

    pub(crate) fn fits_key(&self, key: &ObjectKey) -> bool {
        self.key.as_ref().is_none_or(|glob| glob.is_match(key.as_str()))
    }

    /// Compares type and subtype, without parameters; an object without a type matches no glob.
    pub(crate) fn fits_type(&self, content_type: Option<&HeaderValue>) -> bool {
        self.content_type.as_ref().is_none_or(|glob| {
            let essence = content_type.and_then(|value| value.to_str().ok()).map(essence);
            essence.is_some_and(|essence| glob.is_match(essence.to_ascii_lowercase()))
        })
    }

    pub(crate) fn is_for_all_keys(&self) -> bool {
        self.key.is_none()
    }

    pub(crate) fn asks_for_type(&self) -> bool {
        self.content_type.is_some()
    }
}

fn essence(content_type: &str) -> &str {
    content_type.split_once(';').map_or(content_type, |(essence, _)| essence).trim()
}

// === impl InvalidGlobs ===

impl fmt::Display for InvalidGlobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}: {}", self.option, self.glob, self.why.kind())
    }
}

impl std::error::Error for InvalidGlobs {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_whole_keys_last_segments_and_types_without_parameters() {
        for (key_glob, type_glob, key, content_type, fits) in [
            (None, None, "a", None, true),
            (Some("assets/**"), None, "assets/x/a.js", None, true),
            (Some("assets/**"), None, "x/assets/a.js", None, false),
            (Some("assets/*"), None, "assets/x/a.js", None, false),
            (Some("*.js"), None, "a.js", None, true),
            (Some("*.js"), None, "x/y/a.js", None, true),
            (Some("*.{js,css}"), None, "x/a.css", None, true),
            (Some("*.[j]s"), None, "x/a.css", None, false),
            (None, Some("image/*"), "a", Some("image/png"), true),
            (None, Some("text/css"), "a", Some("Text/CSS; charset=utf-8"), true),
            (None, Some("text/css"), "a", Some("text/plain"), false),
            (None, Some("**"), "a", None, false),
            (Some("*.png"), Some("image/*"), "a.png", Some("text/plain"), false),
            (Some("*.png"), Some("image/*"), "a.jpg", Some("image/png"), false),
            (Some("*.png"), Some("image/*"), "a.png", Some("image/png"), true),
        ] {
            let globs =
                ObjectGlobs { key: key_glob.map(str::to_owned), content_type: type_glob.map(str::to_owned) };
            let content_type = content_type.map(HeaderValue::from_static);
            let matcher = globs.compile().unwrap();
            let key = ObjectKey::new(key).unwrap();
            assert_eq!(matcher.fits(&key, content_type.as_ref()), fits, "{globs:?} {key} {content_type:?}");
        }
    }

    #[test]
    fn a_glob_that_does_not_parse_is_named() {
        for (globs, message) in [
            (ObjectGlobs { key: Some("a[".to_owned()), content_type: None }, "key \"a[\": "),
            (ObjectGlobs { key: None, content_type: Some("a[".to_owned()) }, "content_type \"a[\": "),
        ] {
            let refusal = globs.compile().unwrap_err().to_string();
            assert!(refusal.starts_with(message) && !refusal.contains("**"), "{globs:?}: {refusal}");
        }
    }
}
