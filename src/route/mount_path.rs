use std::fmt;

use crate::object::has_dot_segment;

/// The path under which a bucket is mounted: `/`, or one or more segments without a trailing slash.
///
/// Compared with the raw path of the request, as routers do: `/m%65dia` is not `/media`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct MountPath {
    path: String,
    /// The segment behind it that a token follows, which is no part of the rest.
    before_token: Option<String>,
}

/// The text is not a mount path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InvalidMountPath(());

// === impl MountPath ===

impl MountPath {
    pub(crate) fn parse(path: &str) -> Result<Self, InvalidMountPath> {
        let trimmed = path.strip_suffix('/').unwrap_or(path);
        let proper = path.starts_with('/')
            && !trimmed.contains("//")
            && !trimmed.ends_with('/')
            && !has_dot_segment(trimmed)
            && trimmed.bytes().all(is_path_byte);
        let path = Self { path: trimmed.to_owned(), before_token: None };
        if proper { Ok(path) } else { Err(InvalidMountPath(())) }
    }

    /// The rest of the path after the mount and its slash; `None` if the path lies elsewhere.
    pub(crate) fn strip<'p>(&self, path: &'p str) -> Option<&'p str> {
        let rest = path.strip_prefix(self.path.as_str())?;
        let rest = if rest.is_empty() { rest } else { rest.strip_prefix('/')? };
        match &self.before_token {
            None => Some(rest),
            Some(segment) => split_token(segment, rest).map(|(_, rest)| rest),
        }
    }

    /// The same path with a token behind it, and behind this segment.
    pub(crate) fn before_token(&self, segment: &str) -> Self {
        Self { before_token: Some(segment.to_owned()), ..self.clone() }
    }

    /// The token in a path.
    pub(crate) fn token<'p>(&self, path: &'p str) -> Option<&'p str> {
        let rest = path.strip_prefix(self.path.as_str())?.strip_prefix('/')?;
        split_token(self.before_token.as_ref()?, rest).map(|(token, _)| token)
    }

    /// The path to something below the mount, with this token.
    pub(crate) fn with_token(&self, token: &str, rest: &str) -> String {
        let segment = self.before_token.as_deref().unwrap_or_default();
        format!("{}/{segment}/{token}/{rest}", self.path)
    }

    pub(crate) fn as_str(&self) -> &str {
        if self.path.is_empty() { "/" } else { &self.path }
    }

    /// The number of segments, for ordering: the longest matching mount wins.
    pub(crate) fn depth(&self) -> usize {
        self.path.matches('/').count()
    }
}

/// `SEGMENT/TOKEN/REST`. What is behind the token can be missing, with its slash.
fn split_token<'p>(segment: &str, rest: &'p str) -> Option<(&'p str, &'p str)> {
    let rest = rest.strip_prefix(segment)?.strip_prefix('/')?;
    let (token, rest) = rest.split_once('/').unwrap_or((rest, ""));
    (!token.is_empty()).then_some((token, rest))
}

/// `pchar` and `/` of RFC 3986 §3.3, without `%`, since an escape has several spellings.
fn is_path_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=:@".contains(&b)
}

impl fmt::Display for MountPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for MountPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

// === impl InvalidMountPath ===

impl fmt::Display for InvalidMountPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "must be \"/\" or begin with \"/\", without empty or dot segments, percent signs and spaces",
        )
    }
}

impl std::error::Error for InvalidMountPath {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_claims_its_own_segments_only() {
        for (mount, path, rest) in [
            ("/media", "/media/a", Some("a")),
            ("/media/", "/media/a", Some("a")),
            ("/media", "/media/", Some("")),
            ("/media", "/media", Some("")),
            ("/media", "/media//a", Some("/a")),
            ("/media", "/mediax/a", None),
            ("/media", "/", None),
            ("/media", "*", None),
            ("/a/b", "/a/b/c/d", Some("c/d")),
            ("/a/b", "/a/bc", None),
            ("/", "/", Some("")),
            ("/", "/a//b", Some("a//b")),
            ("/", "//a", Some("/a")),
            ("/", "*", None),
        ] {
            assert_eq!(MountPath::parse(mount).unwrap().strip(path), rest, "{mount} {path}");
        }
    }

    #[test]
    fn improper_paths_are_refused() {
        for path in ["", "media", "//", "/a//b", "/a/../b", "/a b", "/a%20b", "/a?b", "/ü"] {
            assert!(MountPath::parse(path).is_err(), "{path:?}");
        }
    }

    #[test]
    fn a_token_is_behind_its_segment_and_no_part_of_the_rest() {
        for (mount, path, expected) in [
            ("/media", "/media/t/abc/films/a", Some(("abc", "films/a"))),
            ("/media", "/media/t/abc/", Some(("abc", ""))),
            ("/media", "/media/t/abc", Some(("abc", ""))),
            ("/", "/t/abc/a", Some(("abc", "a"))),
            ("/media", "/media/t/", None),
            ("/media", "/media/t//a", None),
            ("/media", "/media/t", None),
            ("/media", "/media/tt/abc/a", None),
            ("/media", "/media/%74/abc/a", None),
            ("/media", "/media/x/t/abc/a", None),
            ("/media", "/mediat/abc/a", None),
        ] {
            let mount = MountPath::parse(mount).unwrap().before_token("t");
            assert_eq!(mount.token(path).zip(mount.strip(path)), expected, "{path}");
        }
        let mount = MountPath::parse("/media").unwrap().before_token("t");
        assert_eq!(mount.with_token("abc", "films/"), "/media/t/abc/films/");
    }
}
