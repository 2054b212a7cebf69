use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::InvalidKey;

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
