use bytes::Bytes;
use http::{
    HeaderValue, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER},
};

use crate::{
    error::{ProxyError, ProxyErrorKind},
    request::ReadMethod,
};

/// The form of an error's body. Neither form reveals anything about the bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ErrorFormat {
    /// A line of text: the status, a phrase, and the id that is also in the log.
    #[default]
    Plain,
    /// `application/problem+json` (RFC 9457), with the members `code` and `id`.
    ProblemJson,
}

/// The response to a request that failed; the error itself goes into the extensions.
pub(crate) fn error_response(
    error: ProxyError,
    format: ErrorFormat,
    method: ReadMethod,
    cache_control: HeaderValue,
) -> Response<Bytes> {
    let kind = error.kind();
    let (content_type, body) = format.body(&error);
    let length = body.len();
    let mut response = Response::new(match method {
        ReadMethod::Get => body,
        ReadMethod::Head => Bytes::new(),
    });
    *response.status_mut() = error.status();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, content_type);
    // Explicit, since a framework would take the length of a HEAD's empty body (RFC 9110 §8.6).
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    headers.insert(CACHE_CONTROL, cache_control);
    if kind == ProxyErrorKind::Overloaded {
        headers.insert(RETRY_AFTER, const { HeaderValue::from_static("1") });
    } else if matches!(
        kind,
        ProxyErrorKind::Credentials
            | ProxyErrorKind::OriginBusy
            | ProxyErrorKind::OriginUnavailable
            | ProxyErrorKind::Resolver
            | ProxyErrorKind::Authorizer
    ) {
        // Random, so that clients that were turned away together do not come back together.
        headers.insert(RETRY_AFTER, HeaderValue::from(fastrand::u16(1..=5)));
    }
    response.extensions_mut().insert(error);
    response
}

// === impl ErrorFormat ===

impl ErrorFormat {
    /// The type, and the words.
    pub(crate) fn body(self, error: &ProxyError) -> (HeaderValue, Bytes) {
        let (id, status) = (error.id(), error.status());
        let kind = match (error.kind(), status) {
            // Reported as a missing object, as the denial intends.
            (ProxyErrorKind::Denied, StatusCode::NOT_FOUND) => ProxyErrorKind::NotFound,
            (kind, _) => kind,
        };
        match self {
            Self::Plain => (
                const { HeaderValue::from_static("text/plain; charset=utf-8") },
                format!("{status}: {} (id {id})\n", kind.phrase()).into(),
            ),
            // Nothing in it needs escaping: the texts are ours and the id is hexadecimal.
            Self::ProblemJson => (
                const { HeaderValue::from_static("application/problem+json") },
                format!(
                    r#"{{"title":"{}","status":{},"detail":"{}","code":"{}","id":"{id}"}}"#,
                    status.canonical_reason().unwrap_or_default(),
                    status.as_u16(),
                    kind.phrase(),
                    kind.code(),
                )
                .into(),
            ),
        }
    }
}
