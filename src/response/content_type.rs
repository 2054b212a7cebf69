use http::HeaderValue;

use crate::object::ObjectKey;

/// The treatment of an object that was stored without a useful `Content-Type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ContentTypeFix {
    /// If S3 has none, or its own `binary/octet-stream`, the proxy guesses the type from the key's extension.
    #[default]
    ByExtension,
    /// The type is passed on as stored.
    AsStored,
}

// === impl ContentTypeFix ===

impl ContentTypeFix {
    /// The type to send, given the stored one.
    pub(crate) fn apply(self, key: &ObjectKey, stored: Option<HeaderValue>) -> Option<HeaderValue> {
        let is_missing = stored.as_ref().is_none_or(|value| value.is_empty() || value == S3_DEFAULT);
        match self {
            Self::ByExtension if is_missing => by_extension(key).or(stored),
            Self::ByExtension | Self::AsStored => stored,
        }
    }
}

/// The type that S3 stores if the uploader names none.
const S3_DEFAULT: &str = "binary/octet-stream";

fn by_extension(key: &ObjectKey) -> Option<HeaderValue> {
    let guess = mime_guess::from_path(key.as_str()).first_raw()?;
    Some(HeaderValue::from_static(guess))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_missing_type_is_guessed() {
        for (fix, key, stored, sent) in [
            (ContentTypeFix::ByExtension, "a/b.webp", None, Some("image/webp")),
            (ContentTypeFix::ByExtension, "a/b.JPG", Some("binary/octet-stream"), Some("image/jpeg")),
            (ContentTypeFix::ByExtension, "a.jpg", Some("text/plain"), Some("text/plain")),
            (
                ContentTypeFix::ByExtension,
                "a.jpg",
                Some("application/octet-stream"),
                Some("application/octet-stream"),
            ),
            (ContentTypeFix::ByExtension, "a.unknown-x", None, None),
            (ContentTypeFix::ByExtension, "jpg", Some("binary/octet-stream"), Some("binary/octet-stream")),
            (ContentTypeFix::AsStored, "a.jpg", Some("binary/octet-stream"), Some("binary/octet-stream")),
            (ContentTypeFix::AsStored, "a.jpg", None, None),
        ] {
            let value = fix.apply(&ObjectKey::new(key).unwrap(), stored.map(HeaderValue::from_static));
            assert_eq!(value.as_ref().map(|v| v.to_str().unwrap()), sent, "{fix:?} {key} {stored:?}");
        }
    }
}
