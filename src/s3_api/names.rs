//! The names of objects between S3, where they have the mount's prefix, and the proxy's clients.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use s3s::dto::EncodingType;

/// How the names of one list are told.
pub(super) struct Names<'m> {
    /// The mount's.
    prefix: &'m str,
    /// Whether the client wants them encoded.
    encoding: Option<EncodingType>,
}

// === impl Names ===

impl<'m> Names<'m> {
    pub(super) fn new(prefix: &'m str, encoding: Option<EncodingType>) -> Self {
        Self { prefix, encoding }
    }

    pub(super) fn encoding(&self) -> Option<EncodingType> {
        self.encoding.clone()
    }

    /// As S3 knows it.
    pub(super) fn to_s3(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// A name of S3's list as the client knows it; `None` for one that it has none for, like the prefix itself.
    pub(super) fn to_client(&self, name: &str, is_encoded: bool) -> Option<String> {
        let name = if is_encoded { decoded(name) } else { name.into() };
        let name = name.strip_prefix(self.prefix).filter(|name| !name.is_empty())?;
        Some(self.told(name))
    }

    /// What the client itself said, as it wants to hear it.
    pub(super) fn told(&self, name: &str) -> String {
        match &self.encoding {
            Some(encoding) if encoding.as_str() == EncodingType::URL => {
                utf8_percent_encode(name, ENCODED).to_string()
            }
            Some(_) | None => name.to_owned(),
        }
    }
}

/// As in a form, a plus sign is a space; so is `%20`, whatever reads it.
fn decoded(name: &str) -> Cow<'_, str> {
    let spaced = name.replace('+', " ");
    match percent_decode_str(&spaced).decode_utf8() {
        Ok(decoded) => decoded.into_owned().into(),
        Err(_) => name.into(),
    }
}

/// As S3 encodes the names of a list.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'*').remove(b'/');

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lose_the_prefix_and_are_encoded_as_asked() {
        let url = || Some(EncodingType::from_static(EncodingType::URL));
        for (encoding, s3, is_encoded, expected) in [
            (None, "files/a b+c", false, Some("a b+c")),
            (None, "files/a+b%2Bc", true, Some("a b+c")),
            (None, "files/a%20b%2Bc", true, Some("a b+c")),
            (url(), "files/a+b%2Bc", true, Some("a%20b%2Bc")),
            (url(), "files/%C3%BC%01/%25", true, Some("%C3%BC%01/%25")),
            (url(), "files/a*b-_.c", false, Some("a*b-_.c")),
            (None, "files/", false, None),
            (None, "other/a", false, None),
        ] {
            let names = Names::new("files/", encoding);
            assert_eq!(names.to_client(s3, is_encoded).as_deref(), expected, "{s3}");
        }
        assert_eq!(Names::new("files/", None).to_s3("a"), "files/a");
    }
}
