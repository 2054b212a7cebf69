//! Links, all of them relative: they hold wherever the service is nested, and lead to no other host.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};

/// All but the unreserved characters (RFC 3986 §2.3). Slashes and backslashes, colons and question marks mean nothing this way,
/// and `%` stays itself.
const NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A name as a segment of a path, or as a value of a query.
pub(super) fn encoded(name: &str) -> PercentEncode<'_> {
    utf8_percent_encode(name, NAME)
}

/// A path, segment by segment.
pub(super) fn encoded_path(path: &str) -> String {
    path.split('/').map(|name| encoded(name).to_string()).collect::<Vec<_>>().join("/")
}

/// The link to an object in the folder. With `./` in front, no name is a scheme or a host (RFC 3986 §4.2).
pub(super) fn to_object(name: &str) -> String {
    format!("./{}", encoded(name))
}

/// The link to a folder in the folder.
pub(super) fn to_folder(name: &str) -> String {
    format!("./{}/", encoded(name))
}

/// The link to a folder so many levels above.
pub(super) fn up(levels: usize) -> String {
    match levels {
        0 => "./".to_owned(),
        levels => "../".repeat(levels),
    }
}

/// The link to the same folder with a query.
#[derive(Debug, Default)]
pub(super) struct ToSelf(String);

// === impl ToSelf ===

impl ToSelf {
    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        let mark = if self.0.is_empty() { '?' } else { '&' };
        self.0 = format!("{}{mark}{name}={}", self.0, encoded(value));
        self
    }

    pub(super) fn with_some(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }
}

impl fmt::Display for ToSelf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "./{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use percent_encoding::percent_decode_str;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_is_one_segment_whatever_is_in_it() {
        for (name, href) in [
            ("a.txt", "./a.txt"),
            ("a b+c", "./a%20b%2Bc"),
            ("100%", "./100%25"),
            ("javascript:alert(1)", "./javascript%3Aalert%281%29"),
            ("a\"b<c>'d'", "./a%22b%3Cc%3E%27d%27"),
            ("a\\b", "./a%5Cb"),
            ("?a#b", "./%3Fa%23b"),
            ("%2e%2e", "./%252e%252e"),
            ("", "./"),
        ] {
            assert_eq!(to_object(name), href);
        }
        assert_eq!((to_folder(""), to_folder("a:b")), (".//".to_owned(), "./a%3Ab/".to_owned()));
        assert_eq!(encoded_path("a b//c"), "a%20b//c");
    }

    #[test]
    fn queries_are_added() {
        let link = ToSelf::default().with("cursor", "a&b").with_some("sort", None).with("order", "desc");
        assert_eq!(link.to_string(), "./?cursor=a%26b&order=desc");
    }

    proptest! {
        #[test]
        fn a_link_is_plain_and_decodes_to_its_name(name in any::<String>()) {
            let href = to_object(&name);
            let segment = href.strip_prefix("./").unwrap();
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte);
            prop_assert!(segment.bytes().all(is_plain));
            prop_assert_eq!(percent_decode_str(segment).decode_utf8().unwrap(), name);
        }
    }
}
