use std::fmt;

use http::{
    HeaderMap, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_RANGE, TRANSFER_ENCODING},
    response,
};
use http_body::Body;

use super::WireBody;
use crate::request::{ByteRange, ContentRange, RangeSpec};

/// The bytes of an object that were requested.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked {
    pub(crate) range: Option<RangeSpec>,
    /// The object's length, if it is known already.
    pub(crate) total: Option<u64>,
}

/// What the head says about the body's length (RFC 9112 §6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyLength {
    Told(u64),
    /// Its end differs from a broken connection.
    Framed,
    /// It ends where the connection ends, for whatever reason.
    Unframed,
}

/// The extent of a response's body, once it matches the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// The object, whose length S3 may not have given.
    Whole { length: Option<u64>, end: End },
    /// A part, after `skip` bytes that were not requested. The body's length may be unknown.
    Part { range: ByteRange, total: u64, skip: u64, end: End },
    /// S3 sent the object instead of saying that it has no such part.
    Unsatisfiable { total: u64 },
}

/// How we know that the bytes are the promised ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// S3 gave its body's length in advance. Anything after the bytes is dropped.
    Told,
    /// By the end of S3's body: if more came, the bytes would be another part of the object.
    Awaited,
}

/// A response that does not match the request, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mismatch(&'static str);

/// At most this many bytes are read and dropped to cut a part out of a longer response. Beyond that, the client gets
/// more than it asked for, which it must expect (RFC 9110 §14.2).
const PASSED_WHOLE: u64 = 1024 * 1024;

/// The content of a response's body, by its fields.
enum Content {
    Whole(Option<u64>),
    Part(ByteRange, u64),
}

// === impl Extent ===

impl Extent {
    /// Compares a response with the request.
    ///
    /// Some servers send 200 with the fields of a 206, or the other way round. So the bytes that the fields announce
    /// count, and the body must have that length.
    pub(crate) fn of(
        asked: Asked,
        status: StatusCode,
        headers: &HeaderMap,
        body: BodyLength,
    ) -> Result<Self, Mismatch> {
        let holds = Content::of(asked.total, status, headers, body)?;
        let end = match body {
            BodyLength::Told(_) => End::Told,
            BodyLength::Framed | BodyLength::Unframed => End::Awaited,
        };
        let Some(range) = asked.range else {
            return match holds {
                Content::Whole(length) => Ok(Self::Whole { length, end }),
                Content::Part(range, total) if range.len() == total => {
                    Ok(Self::Whole { length: Some(total), end })
                }
                // RFC 9110 §15.3.7: never in response to a request without Range.
                Content::Part(..) => Err(Mismatch("a part instead of the object")),
            };
        };
        let (held, total) = match holds {
            Content::Whole(length @ (None | Some(0))) => return Ok(Self::Whole { length, end }),
            // The range was computed from another length.
            Content::Whole(Some(total)) if asked.total.is_some_and(|known| known != total) => {
                return Err(Mismatch::CHANGED);
            }
            Content::Whole(Some(total)) => (ByteRange::new(0, total - 1), total),
            Content::Part(range, total) => (Some(range), total),
        };
        let held = held.ok_or(Mismatch("an impossible length"))?;
        let Some(wanted) = range.resolve(total) else { return Ok(Self::Unsatisfiable { total }) };
        if wanted.first() < held.first() || held.last() < wanted.last() {
            return Err(Mismatch("another part than the requested one"));
        }
        // After a slice there is more in any case.
        let end = if held == wanted { end } else { End::Told };
        match wanted.first() - held.first() {
            skip @ ..=PASSED_WHOLE => Ok(Self::Part { range: wanted, total, skip, end }),
            _ if held.len() == total => Ok(Self::Whole { length: Some(total), end }),
            _ => Err(Mismatch("much more than the requested part")),
        }
    }
}

// === impl Content ===

impl Content {
    fn of(
        known_total: Option<u64>,
        status: StatusCode,
        headers: &HeaderMap,
        body: BodyLength,
    ) -> Result<Self, Mismatch> {
        if !matches!(status, StatusCode::OK | StatusCode::PARTIAL_CONTENT) {
            return Err(Mismatch("a status that a read cannot have"));
        }
        let Some(field) = headers.get(CONTENT_RANGE) else {
            return match status {
                StatusCode::OK => match (body, known_total) {
                    (BodyLength::Told(length), _) => Ok(Self::Whole(Some(length))),
                    (BodyLength::Framed, known) => Ok(Self::Whole(known)),
                    (BodyLength::Unframed, Some(total)) => Ok(Self::Whole(Some(total))),
                    (BodyLength::Unframed, None) => Err(Mismatch::UNFRAMED),
                },
                _ => Err(Mismatch("a part without Content-Range")),
            };
        };
        match ContentRange::parse(field) {
            Some(ContentRange::Range { range, total }) => match (total.or(known_total), known_total) {
                (Some(total), Some(known)) if total != known => Err(Mismatch::CHANGED),
                _ if !body.may_be(range.len()) => Err(Mismatch("a body with another length than its part")),
                (Some(total), _) if range.is_within(total) => Ok(Self::Part(range, total)),
                (Some(_), _) => Err(Mismatch("a part outside the object")),
                (None, _) => Err(Mismatch("a part of an object of unknown length")),
            },
            Some(ContentRange::Unsatisfied { .. }) | None => Err(Mismatch("a malformed Content-Range")),
        }
    }
}

// === impl BodyLength ===

impl BodyLength {
    /// The length of a response's body.
    pub(crate) fn of(head: &response::Parts, body: &WireBody) -> Self {
        // The field's length is checked against the received bytes.
        if let Some(length) = content_length(&head.headers).or_else(|| body.size_hint().exact()) {
            return Self::Told(length);
        }
        // RFC 9112 §6.3: a body with another last coding ends with the connection.
        let codings = head.headers.get_all(TRANSFER_ENCODING).iter().next_back();
        let last = codings.and_then(|value| value.as_bytes().rsplit(|byte| *byte == b',').next());
        match last {
            Some(last) if last.trim_ascii().eq_ignore_ascii_case(b"chunked") => Self::Framed,
            Some(_) | None => Self::Unframed,
        }
    }

    fn may_be(self, length: u64) -> bool {
        match self {
            Self::Told(told) => told == length,
            Self::Framed | Self::Unframed => true,
        }
    }
}

/// The length that the fields of a response give.
pub(crate) fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

// === impl Mismatch ===

impl Mismatch {
    /// Between two requests, or in spite of a condition.
    pub(crate) const CHANGED: Self = Self("another state of the object each time");
    pub(crate) const UNASKED: Self = Self("a response that was not asked for");
    /// Its end would look the same if it broke off.
    pub(crate) const UNFRAMED: Self = Self("an object that ends with the connection");
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the origin sent {}", self.0)
    }
}

impl std::error::Error for Mismatch {}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const MIB: u64 = 1024 * 1024;

    #[test]
    fn answers_are_held_against_the_question() {
        use RangeSpec::{From, FromTo, Suffix};
        let whole = |length| Some(Extent::Whole { length: Some(length), end: End::Told });
        let ended = |first, last, total, skip, end| {
            Some(Extent::Part { range: ByteRange::new(first, last).unwrap(), total, skip, end })
        };
        let part = |first, last, total, skip| ended(first, last, total, skip, End::Told);
        let awaited = |length| Some(Extent::Whole { length, end: End::Awaited });
        let rows = [
            // Range asked, total known; status, Content-Range, length of the body; extent.
            (None, None, 200, None, Some(1000), whole(1000)),
            (None, None, 200, None, None, awaited(None)),
            (None, Some(1000), 200, None, None, awaited(Some(1000))),
            (None, None, 206, Some("bytes 0-9/1000"), Some(10), None),
            (None, None, 200, Some("bytes 0-9/1000"), Some(10), None),
            (None, None, 206, Some("bytes 0-999/1000"), Some(1000), whole(1000)),
            (None, None, 206, None, Some(1000), None),
            (None, None, 204, None, Some(0), None),
            (Some(FromTo(0, 9)), None, 206, Some("bytes 0-9/1000"), Some(10), part(0, 9, 1000, 0)),
            (Some(FromTo(0, 9)), None, 200, Some("bytes 0-9/1000"), Some(10), part(0, 9, 1000, 0)),
            (Some(FromTo(0, 9)), None, 200, Some("bytes 0-9/1000"), Some(1000), None),
            (Some(FromTo(0, 9)), None, 206, Some("bytes 0-9/1000"), None, ended(0, 9, 1000, 0, End::Awaited)),
            (Some(FromTo(0, 9)), None, 206, Some("bytes 1-10/1000"), Some(10), None),
            (Some(FromTo(0, 9)), None, 206, Some("bytes 0-8/1000"), Some(9), None),
            (Some(FromTo(0, 9)), None, 206, Some("bytes 0-8/9"), Some(9), part(0, 8, 9, 0)),
            (Some(FromTo(0, 9)), None, 206, Some("bytes 0-9/*"), Some(10), None),
            (Some(FromTo(0, 9)), Some(1000), 206, Some("bytes 0-9/*"), Some(10), part(0, 9, 1000, 0)),
            (Some(FromTo(0, 9)), Some(1000), 206, Some("bytes 0-9/1001"), Some(10), None),
            (Some(FromTo(0, 9)), Some(5), 206, Some("bytes 0-9/*"), Some(10), None),
            (Some(FromTo(0, 9)), None, 206, None, Some(10), None),
            (Some(FromTo(0, 9)), None, 206, Some("bytes */1000"), Some(10), None),
            (Some(FromTo(0, 9)), None, 206, Some("junk"), Some(10), None),
            (Some(FromTo(5, 9)), None, 200, None, Some(1000), part(5, 9, 1000, 5)),
            (Some(FromTo(5, 9)), None, 206, Some("bytes 0-999/1000"), Some(1000), part(5, 9, 1000, 5)),
            (Some(FromTo(5, 9)), None, 200, None, None, awaited(None)),
            (Some(FromTo(5, 9)), Some(1000), 200, None, None, part(5, 9, 1000, 5)),
            (Some(FromTo(5, 9)), None, 200, None, Some(0), whole(0)),
            (
                Some(FromTo(1000, 1001)),
                None,
                200,
                None,
                Some(1000),
                Some(Extent::Unsatisfiable { total: 1000 }),
            ),
            (Some(From(MIB)), None, 200, None, Some(9 * MIB), part(MIB, 9 * MIB - 1, 9 * MIB, MIB)),
            (Some(From(MIB + 1)), None, 200, None, Some(9 * MIB), whole(9 * MIB)),
            (Some(Suffix(10)), None, 206, Some("bytes 0-9/1000"), Some(10), None),
            (Some(Suffix(10)), None, 206, Some("bytes 990-999/1000"), Some(10), part(990, 999, 1000, 0)),
            (Some(Suffix(2000)), None, 206, Some("bytes 0-999/1000"), Some(1000), part(0, 999, 1000, 0)),
        ];
        for row in rows {
            let (range, total, status, field, length, extent) = row;
            let mut headers = HeaderMap::new();
            headers.extend(field.map(|field| (CONTENT_RANGE, HeaderValue::from_static(field))));
            let status = StatusCode::from_u16(status).unwrap();
            let body = length.map_or(BodyLength::Framed, BodyLength::Told);
            assert_eq!(Extent::of(Asked { range, total }, status, &headers, body).ok(), extent, "{row:?}");
        }
        let unframed = |range, total, status, field: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            headers.extend(field.map(|field| (CONTENT_RANGE, HeaderValue::from_static(field))));
            Extent::of(Asked { range, total }, status, &headers, BodyLength::Unframed).ok()
        };
        assert_eq!(unframed(None, None, StatusCode::OK, None), None);
        assert_eq!(unframed(None, Some(9), StatusCode::OK, None), awaited(Some(9)));
        let range = Some(FromTo(0, 9));
        let part = unframed(range, None, StatusCode::PARTIAL_CONTENT, Some("bytes 0-9/1000"));
        assert_eq!(
            part,
            ended(0, 9, 1000, 0, End::Awaited),
            "the part's own length shows whether it is whole"
        );
    }
}
