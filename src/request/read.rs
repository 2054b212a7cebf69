use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method,
    header::{IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE},
};

/// A method that reads an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum ReadMethod {
    Get,
    Head,
}

/// What is asked of one object: the method, and those fields of the request that S3 understands.
///
/// Nothing else of the client's request reaches S3: no cookie, no authorization, no `Accept-Encoding`.
#[derive(Debug, Clone)]
pub(crate) struct ReadRequest {
    pub(crate) method: ReadMethod,
    fields: [Option<HeaderValue>; FIELD_COUNT],
}

/// The fields that are carried to S3, in the order in which SigV4 wants them: by name.
const FIELDS: [HeaderName; FIELD_COUNT] =
    [IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_UNMODIFIED_SINCE, RANGE];

const FIELD_COUNT: usize = 5;

// === impl ReadRequest ===

impl ReadRequest {
    pub(crate) fn new(method: ReadMethod, headers: &HeaderMap) -> Self {
        // Range is defined for GET only (RFC 9110 §14.2). With If-Range the whole object is always a right answer
        // (§13.1.5), and the part of another version never is.
        let has_range = method == ReadMethod::Get && !headers.contains_key(IF_RANGE);
        let fields = FIELDS.map(|name| {
            if name == RANGE && !has_range {
                return None;
            }
            carried(headers, &name)
        });
        Self { method, fields }
    }

    /// A read of the first byte, for what S3 says of it rather than for the byte.
    pub(crate) fn first_byte() -> Self {
        let fields = FIELDS.map(|name| (name == RANGE).then_some(FIRST_BYTE));
        Self { method: ReadMethod::Get, fields }
    }

    /// The head of the object, if it still has this entity tag.
    pub(crate) fn head_of(tag: Option<&HeaderValue>) -> Self {
        let fields = FIELDS.map(|name| tag.filter(|tag| name == IF_MATCH && is_signable(tag)).cloned());
        Self { method: ReadMethod::Head, fields }
    }

    /// The fields for S3, sorted by name.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (HeaderName, &HeaderValue)> {
        FIELDS.into_iter().zip(&self.fields).filter_map(|(name, value)| Some((name, value.as_ref()?)))
    }
}

/// The value to carry: lines of a list are one list (RFC 9110 §5.3); of any other field the first counts.
fn carried(headers: &HeaderMap, name: &HeaderName) -> Option<HeaderValue> {
    let mut lines = headers.get_all(name).iter();
    let first = lines.next()?;
    let mut rest = lines.peekable();
    if rest.peek().is_none() || !(name == IF_MATCH || name == IF_NONE_MATCH) {
        return is_signable(first).then(|| first.clone());
    }
    let mut list = first.as_bytes().to_vec();
    for line in rest {
        list.extend_from_slice(b", ");
        list.extend_from_slice(line.as_bytes());
    }
    HeaderValue::from_maybe_shared(Bytes::from(list)).ok().filter(is_signable)
}

const FIRST_BYTE: HeaderValue = HeaderValue::from_static("bytes=0-0");

/// Whether a value means the same to S3's signature check as to us: ASCII without tabs, which some servers fold
/// into spaces. S3 would refuse the request's signature otherwise, which no client may bring about.
fn is_signable(value: &HeaderValue) -> bool {
    value.as_bytes().iter().all(|b| matches!(b, b' '..=b'~'))
}

// === impl ReadMethod ===

impl ReadMethod {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
        }
    }
}

impl From<ReadMethod> for Method {
    fn from(method: ReadMethod) -> Self {
        match method {
            ReadMethod::Get => Self::GET,
            ReadMethod::Head => Self::HEAD,
        }
    }
}

#[cfg(test)]
mod tests {
    use http::header::{AUTHORIZATION, COOKIE};

    use super::*;

    #[test]
    fn only_what_s3_understands_is_carried() {
        let mut headers = HeaderMap::new();
        headers.insert(RANGE, HeaderValue::from_static("bytes=0-9"));
        headers.insert(IF_NONE_MATCH, HeaderValue::from_static("\"a\""));
        headers.insert(IF_MATCH, HeaderValue::from_bytes(b"\"\xfc\"").unwrap());
        headers.insert(COOKIE, HeaderValue::from_static("a=b"));
        headers.insert(AUTHORIZATION, HeaderValue::from_static("Basic xyz"));
        let names = |method, headers: &HeaderMap| {
            let read = ReadRequest::new(method, headers);
            read.fields().map(|(name, _)| name).collect::<Vec<_>>()
        };
        assert_eq!(names(ReadMethod::Get, &headers), [IF_NONE_MATCH, RANGE]);
        assert_eq!(names(ReadMethod::Head, &headers), [IF_NONE_MATCH]);
        headers.append(IF_NONE_MATCH, HeaderValue::from_static("\"b\""));
        let read = ReadRequest::new(ReadMethod::Head, &headers);
        assert_eq!(read.fields().next().unwrap().1, "\"a\", \"b\"", "lines of a list are one list");
        headers.insert(IF_RANGE, HeaderValue::from_static("\"a\""));
        assert_eq!(names(ReadMethod::Get, &headers), [IF_NONE_MATCH], "If-Range asks for the whole object");
    }
}
