//! The response to a request for an object whose head is known. Pure.

use http::{
    HeaderMap, HeaderValue, Response, StatusCode,
    header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, LAST_MODIFIED},
};

use crate::{
    body::ObjectBody,
    error::{Failure, ProxyError, ProxyErrorKind},
    explained,
    object::Validators,
    request::{ByteRange, ReadMethod, ReadRequest, Resolved, Verdict},
    response::{Boundary, HeaderPolicy, Multipart},
};

/// A response with the object, with parts of it, or with its head alone.
#[derive(Debug)]
pub(super) enum Plan {
    /// 304.
    NotModified,
    /// 200 to HEAD.
    Head,
    Whole,
    Part(ByteRange),
    Parts(Multipart),
}

impl Plan {
    /// The plan for a request. `fields` are those of its 200; `total` is the object's length, if it is known.
    ///
    /// # Errors
    ///
    /// 412 (RFC 9110 §13.2.2) and 416 (RFC 9110 §14.2).
    pub(super) fn of(
        read: &ReadRequest,
        fields: &HeaderMap,
        total: Option<u64>,
        boundary: impl FnOnce() -> Boundary,
    ) -> Result<Self, Failure> {
        if let Decided::NotModified = decide(read, fields)? {
            return Ok(Self::NotModified);
        }
        if read.method == ReadMethod::Head {
            return Ok(Self::Head);
        }
        let is_for_it = read.if_range.as_ref().is_none_or(|if_range| if_range.fits(fields));
        let (Some(ranges), Some(total), true) = (&read.ranges, total, is_for_it) else {
            // Always a correct response (RFC 9110 §14.2).
            return Ok(Self::Whole);
        };
        let content_type = fields.get(CONTENT_TYPE);
        match ranges.resolve(total, || Multipart::overhead(total, content_type)) {
            Resolved::Whole => Ok(Self::Whole),
            Resolved::One(range) => Ok(Self::Part(range)),
            Resolved::Unsatisfiable => Err(Failure::unsatisfiable(total)),
            Resolved::Several(ranges) => {
                let plan = Multipart::new(ranges, total, content_type, boundary());
                // Without a strong tag, parts of different states can't be told apart.
                let is_pinned =
                    Validators::of(fields).tag.is_some_and(|tag| !tag.is_weak() && tag.to_s3().is_some());
                // A decoder would take the parts' heads for encoded content.
                let is_plain = !fields.contains_key(CONTENT_ENCODING);
                let is_shorter = plan.content_length() < total;
                Ok(if is_pinned && is_plain && is_shorter { Self::Parts(plan) } else { Self::Whole })
            }
        }
    }

    /// The status and the fields of the response, from those of a 200.
    pub(super) fn head(&self, fields: &HeaderMap, total: u64) -> (StatusCode, HeaderMap) {
        let with = |name, value: HeaderValue, length: u64| {
            let mut headers = fields.clone();
            headers.insert(name, value);
            headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
            headers
        };
        match self {
            Self::NotModified => (StatusCode::NOT_MODIFIED, HeaderPolicy::without_content(fields)),
            Self::Head | Self::Whole => (StatusCode::OK, fields.clone()),
            Self::Part(range) => {
                (StatusCode::PARTIAL_CONTENT, with(CONTENT_RANGE, range.content_range(total), range.len()))
            }
            Self::Parts(plan) => {
                (StatusCode::PARTIAL_CONTENT, with(CONTENT_TYPE, plan.content_type(), plan.content_length()))
            }
        }
    }
}

/// The outcome of the conditions, short of an error.
pub(super) enum Decided {
    Proceed,
    /// 304.
    NotModified,
}

/// Evaluates the conditions for an object with these fields.
///
/// # Errors
///
/// 412 (RFC 9110 §13.2.2).
pub(super) fn decide(read: &ReadRequest, fields: &HeaderMap) -> Result<Decided, Failure> {
    if read.conditions.is_empty() {
        return Ok(Decided::Proceed);
    }
    match read.conditions.evaluate(Validators::of(fields)) {
        Verdict::Proceed => Ok(Decided::Proceed),
        Verdict::NotModified => Ok(Decided::NotModified),
        Verdict::Failed => {
            explained::note(|facts| {
                facts.tag = fields.get(ETAG).cloned();
                facts.last_modified = fields.get(LAST_MODIFIED).cloned();
            });
            Err(ProxyError::new(ProxyErrorKind::PreconditionFailed).into())
        }
    }
}

pub(super) fn respond(status: StatusCode, headers: HeaderMap, body: ObjectBody) -> Response<ObjectBody> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;

    fn fields(rows: &[(&'static str, &'static str)]) -> HeaderMap {
        let field = |&(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value));
        rows.iter().map(field).collect()
    }

    fn boundary() -> Boundary {
        Boundary::random()
    }

    /// The status, `Content-Range` or the kind of the content, and the length.
    fn told(
        method: ReadMethod,
        request: &[(&'static str, &'static str)],
        state: &HeaderMap,
        total: Option<u64>,
    ) -> (u16, String, Option<u64>) {
        let read = ReadRequest::new(method, &fields(request));
        match Plan::of(&read, state, total, boundary) {
            Ok(plan) => {
                let (status, headers) = plan.head(state, total.unwrap_or_default());
                let text =
                    |name| headers.get(name).map(|value: &HeaderValue| value.to_str().unwrap().to_owned());
                let range = text(CONTENT_RANGE);
                let what = match plan {
                    Plan::NotModified => "304".to_owned(),
                    Plan::Head => "head".to_owned(),
                    Plan::Whole => "whole".to_owned(),
                    Plan::Part(_) => range.unwrap(),
                    Plan::Parts(plan) => format!("{} parts", plan.ranges().len()),
                };
                let length = text(CONTENT_LENGTH).map(|length| length.parse().unwrap());
                (status.as_u16(), what, length)
            }
            Err(failure) => {
                let total = failure.total.map(|total| format!("*/{total}")).unwrap_or_default();
                (failure.error.status().as_u16(), total, None)
            }
        }
    }

    #[test]
    fn the_head_of_an_object_decides_what_a_request_gets() {
        use ReadMethod::{Get, Head};
        let date = "Tue, 14 Nov 2023 00:00:00 GMT";
        let state =
            [("content-type", "a/b"), ("content-length", "1000"), ("etag", "\"1\""), ("last-modified", date)];
        let plain = fields(&state);
        let weak = fields(&[("content-type", "a/b"), ("content-length", "1000"), ("etag", "W/\"1\"")]);
        let encoded = fields(&[("content-encoding", "gzip"), ("content-length", "1000"), ("etag", "\"1\"")]);
        let untold = fields(&[("etag", "\"1\"")]);
        let (whole, long) = ((200, "whole", Some(1000)), (200, "whole", Some(1000)));
        for (method, request, state, total, expected) in [
            (Get, &[][..], &plain, Some(1000), whole),
            (Head, &[], &plain, Some(1000), (200, "head", Some(1000))),
            // RFC 9110 §14.2: for GET only.
            (Head, &[("range", "bytes=0-9")], &plain, Some(1000), (200, "head", Some(1000))),
            (Get, &[("range", "bytes=0-9")], &plain, Some(1000), (206, "bytes 0-9/1000", Some(10))),
            (Get, &[("range", "bytes=-9999")], &plain, Some(1000), (206, "bytes 0-999/1000", Some(1000))),
            (Get, &[("range", "bytes=1000-")], &plain, Some(1000), (416, "*/1000", None)),
            (Get, &[("range", "bytes=0-9")], &plain, Some(0), (200, "whole", Some(1000))),
            (Get, &[("range", "bytes=0-9")], &untold, None, (200, "whole", None)),
            // §13.1.5.
            (
                Get,
                &[("range", "bytes=0-9"), ("if-range", "\"1\"")],
                &plain,
                Some(1000),
                (206, "bytes 0-9/1000", Some(10)),
            ),
            (Get, &[("range", "bytes=0-9"), ("if-range", "\"2\"")], &plain, Some(1000), whole),
            (Get, &[("range", "bytes=0-9"), ("if-range", "W/\"1\"")], &weak, Some(1000), whole),
            // §13.2.2: conditions before ranges.
            (
                Get,
                &[("range", "bytes=1000-"), ("if-none-match", "\"1\"")],
                &plain,
                Some(1000),
                (304, "304", None),
            ),
            (Get, &[("range", "bytes=0-9"), ("if-match", "\"2\"")], &plain, Some(1000), (412, "", None)),
            (Head, &[("if-none-match", "W/\"1\"")], &plain, Some(1000), (304, "304", None)),
            (Head, &[("if-match", "\"2\"")], &plain, Some(1000), (412, "", None)),
            (Get, &[("if-modified-since", date)], &plain, Some(1000), (304, "304", None)),
            (
                Get,
                &[("if-modified-since", "Fri, 01 Jan 2100 00:00:00 GMT")],
                &plain,
                Some(1000),
                (304, "304", None),
            ),
            // §15.3.7.2.
            (Get, &[("range", "bytes=0-9,90000-90009")], &plain, Some(100_000), (206, "2 parts", Some(250))),
            (Get, &[("range", "bytes=0-9,-10")], &plain, Some(1000), (206, "2 parts", Some(242))),
            // A gap no larger than the overhead of a part is included.
            (Get, &[("range", "bytes=0-9,94-99")], &plain, Some(1000), (206, "bytes 0-99/1000", Some(100))),
            (Get, &[("range", "bytes=0-399,500-999")], &plain, Some(1000), whole),
            (Get, &[("range", "bytes=0-9,90000-90009")], &weak, Some(100_000), long),
            (Get, &[("range", "bytes=0-9,90000-90009")], &encoded, Some(100_000), long),
            (Get, &[("range", "bytes=2000-2009,3000-3009")], &plain, Some(1000), (416, "*/1000", None)),
        ] {
            let (status, what, length) = told(method, request, state, total);
            assert_eq!((status, &*what, length), expected, "{method:?} {request:?} {state:?}");
        }
    }

    #[test]
    fn a_304_has_the_fields_of_the_200_but_those_of_its_content() {
        let state = fields(&[
            ("content-type", "a/b"),
            ("content-length", "1000"),
            ("accept-ranges", "bytes"),
            ("etag", "\"1\""),
            ("cache-control", "max-age=1"),
            ("x-amz-meta-a", "b"),
        ]);
        let (_, headers) = Plan::NotModified.head(&state, 1000);
        assert_eq!(
            headers,
            fields(&[("etag", "\"1\""), ("cache-control", "max-age=1"), ("x-amz-meta-a", "b")])
        );
    }
}
