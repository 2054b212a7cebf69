use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Response, StatusCode,
    header::{CONTENT_RANGE, DATE, RETRY_AFTER},
};
use http_body_util::{BodyExt, Limited};

use super::{S3ErrorBody, S3ErrorCode, WireBody};
use crate::{object::parse_date, request::ContentRange};

/// A response of S3 that is neither an object nor a 304, read whole.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) code: S3ErrorCode,
    pub(crate) body: S3ErrorBody,
    pub(crate) retry_after: Option<HeaderValue>,
    /// The id that AWS support asks for.
    pub(crate) request_id: Option<HeaderValue>,
    /// The object's length, if S3 gave it with a 416.
    pub(crate) object_length: Option<u64>,
    /// S3's clock.
    pub(super) date: Option<SystemTime>,
    pub(crate) region: Option<String>,
}

// === impl Refusal ===

impl Refusal {
    /// Reads the error document, if there is one of a reasonable size.
    pub(super) async fn read(answer: Response<WireBody>) -> Self {
        let (head, body) = answer.into_parts();
        let read = tokio::time::timeout(TIMEOUT, Limited::new(body, LIMIT).collect());
        let document: Bytes = match read.await {
            Ok(Ok(body)) => body.to_bytes(),
            Ok(Err(_)) | Err(_) => Bytes::new(),
        };
        Self::new(head.status, &head.headers, &document)
    }

    /// Whether this is a 404 that does not say what is missing, as in responses to HEAD.
    pub(crate) fn is_unexplained_404(&self) -> bool {
        self.status == StatusCode::NOT_FOUND && self.body.code.is_empty() && self.code == S3ErrorCode::Other
    }

    pub(super) fn new(status: StatusCode, headers: &HeaderMap, document: &[u8]) -> Self {
        let body = S3ErrorBody::parse(document);
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let code = match S3ErrorCode::parse(&body.code) {
            // The code beside it is NoSuchKey or MethodNotAllowed (S3 User Guide, "Working with delete markers").
            _ if text("x-amz-delete-marker") == Some("true") => S3ErrorCode::DeleteMarker,
            S3ErrorCode::Other if body.code.is_empty() => by_status(status),
            code => code,
        };
        let told = headers.get(CONTENT_RANGE).and_then(ContentRange::parse);
        let object_length = match told {
            Some(ContentRange::Unsatisfied { total }) => Some(total),
            Some(ContentRange::Range { .. }) | None => body.actual_object_size.parse().ok(),
        };
        let region = text("x-amz-bucket-region").or((!body.region.is_empty()).then_some(&body.region));
        Self {
            status,
            code,
            region: region.filter(|name| is_region(name)).map(str::to_owned),
            object_length,
            date: headers.get(DATE).and_then(parse_date),
            retry_after: headers.get(RETRY_AFTER).cloned(),
            request_id: headers.get("x-amz-request-id").cloned(),
            body,
        }
    }

    /// The region to which S3 redirects. Many responses name the bucket's region; only these redirect.
    pub(super) fn elsewhere(&self) -> Option<&str> {
        let is_about_place = self.code == S3ErrorCode::WrongRegion
            || self.status.is_redirection()
            || (self.status == StatusCode::BAD_REQUEST && self.is_mute());
        self.region.as_deref().filter(|_| is_about_place)
    }

    /// Whether S3 gave no reason, as always for HEAD.
    pub(super) fn is_mute(&self) -> bool {
        self.body.code.is_empty()
    }
}

/// The meaning of a status without a code, where it is unambiguous.
fn by_status(status: StatusCode) -> S3ErrorCode {
    match status {
        StatusCode::PRECONDITION_FAILED => S3ErrorCode::PreconditionFailed,
        StatusCode::RANGE_NOT_SATISFIABLE => S3ErrorCode::InvalidRange,
        StatusCode::MOVED_PERMANENTLY | StatusCode::TEMPORARY_REDIRECT => S3ErrorCode::WrongRegion,
        _ => S3ErrorCode::Other,
    }
}

/// The name becomes part of a host name, so no other characters are allowed.
fn is_region(name: &str) -> bool {
    (1..=32).contains(&name.len())
        && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
        && !name.starts_with('-')
        && !name.ends_with('-')
}

/// In bytes; S3's own documents have less than one KiB.
const LIMIT: usize = 64 * 1024;
const TIMEOUT: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(status: u16, fields: &[(&'static str, &'static str)], document: &str) -> Refusal {
        let mut headers = HeaderMap::new();
        headers.extend(
            fields
                .iter()
                .map(|(name, value)| (http::HeaderName::from_static(name), HeaderValue::from_static(value))),
        );
        Refusal::new(StatusCode::from_u16(status).unwrap(), &headers, document.as_bytes())
    }

    #[test]
    fn a_region_is_taken_from_what_is_about_regions_only() {
        let header = ("x-amz-bucket-region", "eu-west-1");
        let malformed = "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-1</Region></Error>";
        let denied = "<Error><Code>AccessDenied</Code></Error>";
        for (status, fields, document, region) in [
            (301, &[header][..], "", Some("eu-west-1")),
            (307, &[header], "<Error><Code>TemporaryRedirect</Code></Error>", Some("eu-west-1")),
            (400, &[], malformed, Some("eu-west-1")),
            (400, &[header], "", Some("eu-west-1")),
            (403, &[header], denied, None),
            (301, &[("x-amz-bucket-region", "evil.example/")], "", None),
            (301, &[("x-amz-bucket-region", "-")], "", None),
            (301, &[], "", None),
        ] {
            assert_eq!(
                refusal(status, fields, document).elsewhere(),
                region,
                "{status} {fields:?} {document}"
            );
        }
    }

    #[test]
    fn the_code_comes_from_the_document_the_marker_or_the_status() {
        let marker = ("x-amz-delete-marker", "true");
        for (status, fields, document, code) in [
            (404, &[][..], "<Error><Code>NoSuchKey</Code></Error>", S3ErrorCode::NoSuchKey),
            (404, &[marker], "<Error><Code>NoSuchKey</Code></Error>", S3ErrorCode::DeleteMarker),
            (405, &[marker], "<Error><Code>MethodNotAllowed</Code></Error>", S3ErrorCode::DeleteMarker),
            (405, &[], "<Error><Code>MethodNotAllowed</Code></Error>", S3ErrorCode::Unknown),
            (412, &[], "", S3ErrorCode::PreconditionFailed),
            (416, &[], "<html>", S3ErrorCode::InvalidRange),
            (403, &[], "<html>", S3ErrorCode::Other),
            (400, &[], "<Error><Code>KMS.DisabledException</Code></Error>", S3ErrorCode::Encryption),
        ] {
            assert_eq!(refusal(status, fields, document).code, code, "{status} {fields:?} {document}");
        }
    }

    #[test]
    fn the_length_comes_from_the_field_or_the_document() {
        let document = "<Error><Code>InvalidRange</Code><ActualObjectSize>9</ActualObjectSize></Error>";
        assert_eq!(refusal(416, &[("content-range", "bytes */16")], document).object_length, Some(16));
        assert_eq!(refusal(416, &[], document).object_length, Some(9));
        assert_eq!(refusal(416, &[("content-range", "bytes 0-1/16")], "").object_length, None);
    }
}
