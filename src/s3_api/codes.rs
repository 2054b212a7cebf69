use http::StatusCode;
use s3s::S3ErrorCode;

use crate::error::ProxyErrorKind;

/// S3's code and status for an error of the proxy ([S3 API, "Error
/// responses"](https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html)). SDKs decide by them whether to try again.
pub(super) fn code(kind: ProxyErrorKind) -> (S3ErrorCode, StatusCode) {
    match kind {
        ProxyErrorKind::NotFound => (S3ErrorCode::NoSuchKey, StatusCode::NOT_FOUND),
        ProxyErrorKind::Forbidden
        | ProxyErrorKind::Denied
        | ProxyErrorKind::Hotlinked
        | ProxyErrorKind::ForeignLink
        | ProxyErrorKind::ExpiredLink
        | ProxyErrorKind::LinkRequired => (S3ErrorCode::AccessDenied, StatusCode::FORBIDDEN),
        ProxyErrorKind::Archived => (S3ErrorCode::InvalidObjectState, StatusCode::FORBIDDEN),
        ProxyErrorKind::BadRequest => (S3ErrorCode::InvalidURI, StatusCode::BAD_REQUEST),
        ProxyErrorKind::BadQuery
        | ProxyErrorKind::BadField
        | ProxyErrorKind::MalformedLink
        | ProxyErrorKind::UnsupportedType => (S3ErrorCode::InvalidArgument, StatusCode::BAD_REQUEST),
        ProxyErrorKind::BadDigest => (S3ErrorCode::BadDigest, StatusCode::BAD_REQUEST),
        ProxyErrorKind::LengthRequired => (S3ErrorCode::MissingContentLength, StatusCode::LENGTH_REQUIRED),
        ProxyErrorKind::TooLarge => (S3ErrorCode::EntityTooLarge, StatusCode::BAD_REQUEST),
        ProxyErrorKind::Conflict => (S3ErrorCode::OperationAborted, StatusCode::CONFLICT),
        ProxyErrorKind::CustomerKey => (S3ErrorCode::NotImplemented, StatusCode::NOT_IMPLEMENTED),
        ProxyErrorKind::UnfinishedRequest => (S3ErrorCode::RequestTimeout, StatusCode::BAD_REQUEST),
        ProxyErrorKind::MethodNotAllowed => (S3ErrorCode::MethodNotAllowed, StatusCode::METHOD_NOT_ALLOWED),
        ProxyErrorKind::PreconditionFailed | ProxyErrorKind::Exists => {
            (S3ErrorCode::PreconditionFailed, StatusCode::PRECONDITION_FAILED)
        }
        ProxyErrorKind::RangeNotSatisfiable => (S3ErrorCode::InvalidRange, StatusCode::RANGE_NOT_SATISFIABLE),
        ProxyErrorKind::OriginBusy | ProxyErrorKind::Overloaded | ProxyErrorKind::BudgetUsedUp => {
            (S3ErrorCode::SlowDown, StatusCode::SERVICE_UNAVAILABLE)
        }
        ProxyErrorKind::Credentials
        | ProxyErrorKind::OriginUnavailable
        | ProxyErrorKind::OriginTimeout
        | ProxyErrorKind::Resolver
        | ProxyErrorKind::Authorizer
        | ProxyErrorKind::NotCached => (S3ErrorCode::ServiceUnavailable, StatusCode::SERVICE_UNAVAILABLE),
        ProxyErrorKind::OriginRefused
        | ProxyErrorKind::OriginMisconfigured
        | ProxyErrorKind::OriginBroken => (S3ErrorCode::InternalError, StatusCode::INTERNAL_SERVER_ERROR),
    }
}

/// What a code says that has no words of its own.
pub(super) fn message(code: &str) -> &'static str {
    match code {
        "SignatureDoesNotMatch" => "the signature is not that of the key for this request",
        "InvalidAccessKeyId" => "the access key is not known here",
        "NotImplemented" => "this is not served here",
        "InvalidURI" => "the path names no object",
        "IncompleteBody" => "the body is shorter than the request says",
        "MalformedXML" => "the document of the request is malformed",
        _ => "the request is refused",
    }
}

/// The kind of a refusal that has a code already.
pub(super) fn kind(status: StatusCode) -> ProxyErrorKind {
    match status {
        StatusCode::FORBIDDEN => ProxyErrorKind::Denied,
        StatusCode::NOT_FOUND => ProxyErrorKind::NotFound,
        StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => ProxyErrorKind::MethodNotAllowed,
        StatusCode::PRECONDITION_FAILED => ProxyErrorKind::PreconditionFailed,
        StatusCode::RANGE_NOT_SATISFIABLE => ProxyErrorKind::RangeNotSatisfiable,
        StatusCode::REQUEST_TIMEOUT => ProxyErrorKind::UnfinishedRequest,
        status if status.is_server_error() => ProxyErrorKind::OriginBroken,
        _ => ProxyErrorKind::BadRequest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_is_that_of_the_code() {
        for kind in [
            ProxyErrorKind::NotFound,
            ProxyErrorKind::Forbidden,
            ProxyErrorKind::Archived,
            ProxyErrorKind::BadQuery,
            ProxyErrorKind::CustomerKey,
            ProxyErrorKind::UnfinishedRequest,
            ProxyErrorKind::MethodNotAllowed,
            ProxyErrorKind::PreconditionFailed,
            ProxyErrorKind::RangeNotSatisfiable,
            ProxyErrorKind::OriginBusy,
            ProxyErrorKind::Credentials,
            ProxyErrorKind::OriginBroken,
        ] {
            let (code, status) = code(kind);
            assert_eq!(code.status_code(), Some(status), "{code:?}");
        }
    }
}
