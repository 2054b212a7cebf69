use std::fmt;

use crate::object::has_dot_segment;

/// The path under which a bucket is mounted: `/`, or one or more segments without a trailing slash.
///
/// Compared with the raw path of the request, as routers do: `/m%65dia` is not `/media`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct MountPath(String);

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
        if proper { Ok(Self(trimmed.to_owned())) } else { Err(InvalidMountPath(())) }
    }

    /// The rest of the path after the mount and its slash; `None` if the path lies elsewhere.
    pub(crate) fn strip<'p>(&self, path: &'p str) -> Option<&'p str> {
        let rest = path.strip_prefix(self.0.as_str())?;
        if rest.is_empty() {
            return Some(rest);
        }
        rest.strip_prefix('/')
    }

    pub(crate) fn as_str(&self) -> &str {
        if self.0.is_empty() { "/" } else { &self.0 }
    }

    /// The number of segments, for ordering: the longest matching mount wins.
    pub(crate) fn depth(&self) -> usize {
        self.0.matches('/').count()
    }
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
}
