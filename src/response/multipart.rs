use std::fmt;

use bytes::{BufMut, Bytes, BytesMut};
use http::HeaderValue;

use crate::request::{ByteRange, Span, spans};

/// The plan of a `multipart/byteranges` body (RFC 9110 §14.6): the heads that go between the parts of an object.
///
/// ```text
/// --B␍␊
/// Content-Type: image/png␍␊
/// Content-Range: bytes 0-9/100␍␊
/// ␍␊
/// [10 bytes]␍␊
/// --B␍␊
/// …
/// [10 bytes]␍␊
/// --B--␍␊
/// ```
#[derive(Debug, Clone)]
pub(crate) struct Multipart {
    boundary: Boundary,
    parts: Vec<Part>,
}

#[derive(Debug, Clone)]
struct Part {
    head: Bytes,
    range: ByteRange,
}

/// The boundary between the parts, which occurs in none of them: 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Boundary(u128);

// === impl Multipart ===

impl Multipart {
    /// `content_type` is that of the object, which every part repeats (RFC 9110 §15.3.7.2).
    pub(crate) fn new(
        ranges: impl IntoIterator<Item = ByteRange>,
        total: u64,
        content_type: Option<&HeaderValue>,
        boundary: Boundary,
    ) -> Self {
        let mut parts: Vec<Part> = Vec::new();
        for range in ranges {
            let head = head(boundary, parts.is_empty(), range, total, content_type);
            parts.push(Part { head, range });
        }
        Self { boundary, parts }
    }

    /// The largest overhead of a part of an object of `total` bytes, in bytes: ranges that are no further apart are
    /// better joined (RFC 9110 §15.3.7.2).
    pub(crate) fn overhead(total: u64, content_type: Option<&HeaderValue>) -> u64 {
        let last = total.saturating_sub(1);
        let widest = ByteRange::new(last, last);
        widest.map_or(0, |range| head(Boundary(0), false, range, total, content_type).len() as u64)
    }

    /// The spans to read from S3, of an object of `total` bytes; `None` if the whole object is less work.
    pub(crate) fn spans(&self, total: u64) -> Option<Vec<Span>> {
        spans(&self.parts.iter().map(|part| part.range), total)
    }

    /// The parts in their order, each after its [`part_head`](Self::part_head).
    pub(crate) fn ranges(&self) -> impl ExactSizeIterator<Item = ByteRange> {
        self.parts.iter().map(|part| part.range)
    }

    /// The bytes before the `n`th part, counted from 0; `None` after the last, where [`end`](Self::end) follows.
    pub(crate) fn part_head(&self, n: usize) -> Option<Bytes> {
        self.parts.get(n).map(|part| part.head.clone())
    }

    /// The bytes after the last part.
    pub(crate) fn end(&self) -> Bytes {
        Bytes::from(format!("\r\n--{}--\r\n", self.boundary))
    }

    /// The length of the whole body.
    pub(crate) fn content_length(&self) -> u64 {
        let len = |bytes: &Bytes| u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let parts = self.parts.iter().map(|part| len(&part.head).saturating_add(part.range.len()));
        parts.fold(len(&self.end()), u64::saturating_add)
    }

    pub(crate) fn content_type(&self) -> HeaderValue {
        let value = format!("multipart/byteranges; boundary={}", self.boundary);
        HeaderValue::try_from(value).expect("hexadecimal digits are ASCII")
    }
}

/// The bytes before a part.
fn head(
    boundary: Boundary,
    is_first: bool,
    range: ByteRange,
    total: u64,
    content_type: Option<&HeaderValue>,
) -> Bytes {
    let mut head = BytesMut::new();
    if !is_first {
        head.put_slice(CRLF);
    }
    head.put_slice(format!("--{boundary}").as_bytes());
    head.put_slice(CRLF);
    if let Some(value) = content_type {
        put_field(&mut head, "Content-Type", value);
    }
    put_field(&mut head, "Content-Range", &range.content_range(total));
    head.put_slice(CRLF);
    head.freeze()
}

const CRLF: &[u8] = b"\r\n";

fn put_field(head: &mut BytesMut, name: &str, value: &HeaderValue) {
    head.put_slice(name.as_bytes());
    head.put_slice(b": ");
    head.put_slice(value.as_bytes());
    head.put_slice(CRLF);
}

// === impl Boundary ===

impl Boundary {
    /// A boundary that no object contains by chance.
    pub(crate) fn random() -> Self {
        Self(fastrand::u128(..))
    }
}

impl fmt::Display for Boundary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

#[cfg(test)]
mod tests;
