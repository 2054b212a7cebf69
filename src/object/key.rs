use std::{borrow::Cow, fmt};

use percent_encoding::percent_decode_str;

/// The longest key that S3 stores, in bytes of UTF-8
/// ([S3 user guide, "Naming Amazon S3 objects"](https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html)).
pub(crate) const MAX_KEY_BYTES: usize = 1024;

/// The key of an object: 1 to 1024 bytes of UTF-8, without NUL and without a `.` or `..` segment.
///
/// Keys are compared byte by byte: nothing is normalised, `a//b`, `a/` and `a` are three keys.
///
/// S3 itself would accept a dot segment, but clients, proxies and many S3-compatible servers resolve it, so such a key
/// could name another object than the requested one.
///
/// ```
/// use tower_s3_proxy::bucket::ObjectKey;
///
/// let key = ObjectKey::new("images//ünïcödé + 100%.jpg")?;
/// assert_eq!(key.as_str(), "images//ünïcödé + 100%.jpg");
/// assert!(ObjectKey::new("images/../secret").is_err());
/// # Ok::<(), tower_s3_proxy::bucket::InvalidKey>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectKey(String);

/// Why a text is not an [`ObjectKey`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidKey {
    /// Nothing is left after the mount: the request names the mount itself.
    Empty,
    /// More than 1024 bytes.
    TooLong,
    /// The decoded bytes are not UTF-8.
    NotUtf8,
    /// A `%` without two hexadecimal digits after it.
    BadEscape,
    /// A segment is `.` or `..`, between slashes or backslashes.
    DotSegment,
    /// A NUL byte.
    Nul,
}

// === impl ObjectKey ===

impl ObjectKey {
    /// Takes the key as S3 knows it (not percent-encoded).
    ///
    /// # Errors
    ///
    /// [`InvalidKey`] says which rule the text breaks.
    pub fn new(key: impl Into<String>) -> Result<Self, InvalidKey> {
        let key = key.into();
        match key.len() {
            0 => return Err(InvalidKey::Empty),
            1..=MAX_KEY_BYTES => {}
            _ => return Err(InvalidKey::TooLong),
        }
        if key.as_bytes().contains(&0) {
            return Err(InvalidKey::Nul);
        }
        if has_dot_segment(&key) {
            return Err(InvalidKey::DotSegment);
        }
        Ok(Self(key))
    }

    /// The key, byte for byte as S3 knows it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a segment is `.` or `..`. Backslashes also count as separators: servers on Windows resolve them.
pub(crate) fn has_dot_segment(path: &str) -> bool {
    path.split(['/', '\\']).any(|segment| matches!(segment, "." | ".."))
}

/// Percent-decodes exactly once; `+` is a plus sign in a path (RFC 3986 §3.3).
///
/// A broken escape is refused: taken literally, it would name the same key as its encoded form.
pub(crate) fn decode_once(text: &str) -> Result<Cow<'_, str>, InvalidKey> {
    let mut bytes = text.bytes();
    while let Some(b) = bytes.next() {
        if b == b'%' && !(is_hex(bytes.next()) && is_hex(bytes.next())) {
            return Err(InvalidKey::BadEscape);
        }
    }
    percent_decode_str(text).decode_utf8().map_err(|_| InvalidKey::NotUtf8)
}

fn is_hex(b: Option<u8>) -> bool {
    b.is_some_and(|b| b.is_ascii_hexdigit())
}

impl AsRef<str> for ObjectKey {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

// === impl InvalidKey ===

impl fmt::Display for InvalidKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "the path names no object",
            Self::TooLong => "the key is longer than 1024 bytes",
            Self::NotUtf8 => "the key is not UTF-8",
            Self::BadEscape => "a percent sign is not followed by two hexadecimal digits",
            Self::DotSegment => "the key has a dot segment",
            Self::Nul => "the key has a NUL byte",
        })
    }
}

impl std::error::Error for InvalidKey {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_stay_byte_exact() {
        for key in
            ["a", "a//b", "/a", "a/", "a b+c%d", "=@'()!*:&$", "ünï/cödé", "..a", "a..", "...", "a/.b/c"]
        {
            let taken = ObjectKey::new(key).unwrap();
            assert_eq!((taken.as_str(), taken.as_ref()), (key, key));
            assert_eq!(taken.to_string(), key);
        }
    }

    #[test]
    fn what_is_no_key_says_why() {
        let long = "k".repeat(MAX_KEY_BYTES + 1);
        for (key, why) in [
            ("", InvalidKey::Empty),
            (long.as_str(), InvalidKey::TooLong),
            ("a\0b", InvalidKey::Nul),
            ("..", InvalidKey::DotSegment),
            ("./a", InvalidKey::DotSegment),
            ("a/../b", InvalidKey::DotSegment),
            ("a/..", InvalidKey::DotSegment),
            ("a\\..\\b", InvalidKey::DotSegment),
        ] {
            assert_eq!(ObjectKey::new(key), Err(why), "{key:?}");
        }
        assert!(ObjectKey::new("k".repeat(MAX_KEY_BYTES)).is_ok());
    }
}
