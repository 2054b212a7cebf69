use std::{borrow::Cow, fmt};

use crate::object::{CacheBust, InvalidKey, MAX_KEY_BYTES, ObjectKey, decode_once, has_dot_segment};

/// Maps the rest of a path, after the mount, to a key: decodes it once, and puts the prefix in front.
#[derive(Debug, Clone, Default)]
pub(crate) struct KeyMapping {
    /// Empty, or ending with a slash.
    prefix: String,
    cache_bust_segment: bool,
    dot_segments: DotSegments,
}

/// What becomes of segments `.` in paths. One of `..` is refused in any case: it could leave the mount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum DotSegments {
    #[default]
    Refused,
    /// `a/./b` is `a/b` (RFC 3986 §5.2.4).
    Dropped,
}

/// The text is not a key prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InvalidPrefix(());

// === impl KeyMapping ===

impl KeyMapping {
    pub(crate) fn new(
        prefix: &str,
        cache_bust_segment: bool,
        dot_segments: DotSegments,
    ) -> Result<Self, InvalidPrefix> {
        let proper = !prefix.starts_with('/')
            && !prefix.contains('\0')
            && !has_dot_segment(prefix)
            && prefix.len() < MAX_KEY_BYTES;
        if !proper {
            return Err(InvalidPrefix(()));
        }
        let slash = if prefix.is_empty() || prefix.ends_with('/') { "" } else { "/" };
        Ok(Self { prefix: format!("{prefix}{slash}"), cache_bust_segment, dot_segments })
    }

    /// The key that `rest` (raw, as in the URI, without the mount's slash) names, and the cache-bust segment before it.
    pub(crate) fn name(&self, rest: &str) -> Result<(ObjectKey, Option<CacheBust>), InvalidKey> {
        let (bust, rest) = if self.cache_bust_segment { CacheBust::split(rest) } else { (None, rest) };
        Ok((self.key(rest)?, bust))
    }

    /// The prefix of every key: empty, or ending with a slash.
    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// A key below the prefix that does not exist, made of a random number; `None` if the prefix leaves no room for it.
    pub(crate) fn absent_key(&self, random: u64) -> Option<ObjectKey> {
        self.key(&format!("tower-s3-proxy-canary-{random:016x}")).ok()
    }

    /// The key that `rest` names, without regard to cache-bust segments.
    pub(crate) fn key(&self, rest: &str) -> Result<ObjectKey, InvalidKey> {
        let mut name = decode_once(rest)?;
        if self.dot_segments == DotSegments::Dropped && has_dot_segment(&name) {
            name = without_dots(&name).into();
        }
        self.below(name)
    }

    /// The key of a name that is decoded already, taken as it is.
    #[cfg(feature = "s3-clients")]
    pub(crate) fn literal(&self, name: &str) -> Result<ObjectKey, InvalidKey> {
        self.below(name.into())
    }

    fn below(&self, name: Cow<'_, str>) -> Result<ObjectKey, InvalidKey> {
        if name.is_empty() {
            return Err(InvalidKey::Empty);
        }
        if self.prefix.is_empty() {
            return ObjectKey::new(name);
        }
        let mut key = String::with_capacity(self.prefix.len() + name.len());
        key.push_str(&self.prefix);
        key.push_str(&name);
        ObjectKey::new(key)
    }
}

/// A path without its segments `.`, each with the slash behind it.
fn without_dots(path: &str) -> String {
    let mut kept = String::with_capacity(path.len());
    for segment in path.split_inclusive('/').filter(|segment| !matches!(*segment, "." | "./")) {
        kept.push_str(segment);
    }
    kept
}

// === impl InvalidPrefix ===

impl fmt::Display for InvalidPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "must be shorter than 1024 bytes, not begin with \"/\", and have no dot segment and no NUL",
        )
    }
}

impl std::error::Error for InvalidPrefix {}

#[cfg(test)]
mod tests {
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    use proptest::prelude::*;

    use super::*;

    fn key(mapping: &KeyMapping, rest: &str) -> Result<String, InvalidKey> {
        mapping.key(rest).map(|key| key.as_str().to_owned())
    }

    #[test]
    fn paths_become_keys_byte_for_byte() {
        let plain = KeyMapping::default();
        for (rest, expected) in [
            ("images/a.jpg", "images/a.jpg"),
            ("a//b", "a//b"),
            ("/a", "/a"),
            ("a/", "a/"),
            ("a+b", "a+b"),
            ("a%20b%2Bc", "a b+c"),
            ("100%25.txt", "100%.txt"),
            ("a%2Fb", "a/b"),
            ("a%252Fb", "a%2Fb"),
            ("=@'()!*:&$", "=@'()!*:&$"),
            ("%C3%BC%E2%82%AC", "ü€"),
            ("..;/a", "..;/a"),
            ("--1/a", "--1/a"),
        ] {
            assert_eq!(key(&plain, rest).as_deref(), Ok(expected), "{rest}");
        }
    }

    /// As apt's flat repositories ask: `deb URL ./` is `URL/./Packages`.
    #[test]
    fn a_segment_of_one_dot_is_dropped_if_it_may_be() {
        let apt = KeyMapping::new("apt", false, DotSegments::Dropped).unwrap();
        for (rest, expected) in [
            ("./Packages", Ok("apt/Packages")),
            ("a/./b/././c", Ok("apt/a/b/c")),
            ("a/.", Ok("apt/a/")),
            ("%2E/a", Ok("apt/a")),
            ("a%2f.%2Fb", Ok("apt/a/b")),
            (".//a", Ok("apt//a")),
            (".a/b./c", Ok("apt/.a/b./c")),
            ("a/.../b", Ok("apt/a/.../b")),
            ("a//b", Ok("apt/a//b")),
            (".", Err(InvalidKey::Empty)),
            ("./", Err(InvalidKey::Empty)),
            ("..", Err(InvalidKey::DotSegment)),
            ("./../a", Err(InvalidKey::DotSegment)),
            ("a/..", Err(InvalidKey::DotSegment)),
            ("a/./..%2fb", Err(InvalidKey::DotSegment)),
            (".\\a", Err(InvalidKey::DotSegment)),
            ("a\\.\\b", Err(InvalidKey::DotSegment)),
        ] {
            assert_eq!(key(&apt, rest).as_deref(), expected.as_ref().copied(), "{rest}");
        }
    }

    proptest! {
        #[test]
        fn what_is_left_of_a_path_is_that_path_without_dots(path in "[a./]{0,24}") {
            let naive: Vec<_> = path.split('/').collect();
            let last = naive.len() - 1;
            let naive = naive.iter().enumerate().filter(|(n, segment)| *n == last || **segment != ".");
            let naive: Vec<_> = naive.map(|(n, s)| if n == last && *s == "." { "" } else { *s }).collect();
            prop_assert_eq!(without_dots(&path), naive.join("/"));
        }
    }

    #[test]
    fn what_names_no_key_is_refused() {
        let plain = KeyMapping::default();
        for (rest, why) in [
            ("", InvalidKey::Empty),
            ("..", InvalidKey::DotSegment),
            ("a/../b", InvalidKey::DotSegment),
            ("%2e%2E/b", InvalidKey::DotSegment),
            ("a%2F..%2Fb", InvalidKey::DotSegment),
            ("a%5c..%5Cb", InvalidKey::DotSegment),
            ("a/./b", InvalidKey::DotSegment),
            ("a%00", InvalidKey::Nul),
            ("%ff", InvalidKey::NotUtf8),
            ("%", InvalidKey::BadEscape),
            ("%2", InvalidKey::BadEscape),
            ("%zz", InvalidKey::BadEscape),
        ] {
            assert_eq!(key(&plain, rest), Err(why), "{rest}");
        }
    }

    #[test]
    fn a_prefix_stands_before_every_key_and_counts_for_its_length() {
        for prefix in ["web/site", "web/site/"] {
            let mapping = KeyMapping::new(prefix, false, DotSegments::Refused).unwrap();
            assert_eq!(mapping.prefix(), "web/site/");
            assert_eq!(key(&mapping, "a.jpg").as_deref(), Ok("web/site/a.jpg"));
            assert_eq!(key(&mapping, "/a.jpg").as_deref(), Ok("web/site//a.jpg"));
            assert_eq!(key(&mapping, ""), Err(InvalidKey::Empty), "the prefix itself is not served");
            assert_eq!(key(&mapping, &"k".repeat(1016)), Err(InvalidKey::TooLong));
            assert!(key(&mapping, &"k".repeat(1015)).is_ok());
        }
        for prefix in ["/web", "web/../x", "..", "a\0"] {
            assert!(KeyMapping::new(prefix, false, DotSegments::Refused).is_err(), "{prefix:?}");
        }
    }

    #[test]
    fn only_a_leading_cache_bust_segment_is_dropped() {
        let mapping = KeyMapping::new("", true, DotSegments::Refused).unwrap();
        for (rest, expected) in [
            ("--1/a.jpg", "a.jpg"),
            ("--v1.2_b-c/a/b", "a/b"),
            ("--1/--2/a", "--2/a"),
            ("a/--1/b", "a/--1/b"),
            ("--/a", "--/a"),
            ("--1", "--1"),
            ("-1/a", "-1/a"),
            ("--a b/c", "--a b/c"),
        ] {
            let (key, bust) = mapping.name(rest).unwrap();
            assert_eq!((key.as_str(), bust.is_some()), (expected, rest != expected), "{rest}");
        }
        assert_eq!(mapping.name("--1/"), Err(InvalidKey::Empty));
        assert_eq!(mapping.name("--1/../a"), Err(InvalidKey::DotSegment));
    }

    /// Texts made of the pieces of traversal attacks.
    fn nasty_path() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            Just("..".to_owned()),
            Just(".".to_owned()),
            Just("/".to_owned()),
            Just("\\".to_owned()),
            Just("%2e".to_owned()),
            Just("%2E%2e".to_owned()),
            Just("%2f".to_owned()),
            Just("%5c".to_owned()),
            Just("%252e".to_owned()),
            Just("%00".to_owned()),
            Just("--1/".to_owned()),
            Just(";".to_owned()),
            "[a-z%]{0,3}",
            any::<char>().prop_map(String::from),
        ];
        prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn no_path_escapes_the_prefix(rest in nasty_path(), bust in any::<bool>()) {
            let mapping = KeyMapping::new("tenant/a", bust, DotSegments::Refused).unwrap();
            if let Ok(key) = mapping.key(&rest) {
                let inside = key.as_str().strip_prefix("tenant/a/").expect("the prefix stands first");
                // A naive model: resolving the key as a path must never climb.
                prop_assert!(!inside.split(['/', '\\']).any(|s| s == ".." || s == "."));
                prop_assert!(!key.as_str().contains('\0'));
                prop_assert!(key.as_str().len() <= 1024);
            }
        }

        #[test]
        fn every_key_is_reached_by_its_encoding(name in "\\PC{1,200}", full in any::<bool>()) {
            let encoded = if full {
                utf8_percent_encode(&name, NON_ALPHANUMERIC).to_string()
            } else {
                name.replace('%', "%25")
            };
            let mapped = KeyMapping::default().key(&encoded);
            match ObjectKey::new(name) {
                Ok(key) => prop_assert_eq!(mapped, Ok(key)),
                Err(why) => prop_assert_eq!(mapped, Err(why)),
            }
        }
    }
}
