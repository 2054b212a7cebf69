use http::{HeaderMap, HeaderValue};

use super::{ProxyError, ProxyErrorKind};

/// An error on its way to the client, with the fields that belong to it.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) error: ProxyError,
    /// The object's length, of a 416 (RFC 9110 §15.5.17).
    pub(crate) total: Option<u64>,
    /// S3's own value, which takes precedence over ours.
    pub(crate) retry_after: Option<HeaderValue>,
    /// The fields of a denial.
    pub(crate) headers: Option<Box<HeaderMap>>,
}

// === impl Failure ===

impl Failure {
    /// 416 for an object of `total` bytes.
    pub(crate) fn unsatisfiable(total: u64) -> Self {
        let error = ProxyError::new(ProxyErrorKind::RangeNotSatisfiable);
        Self { total: Some(total), ..error.into() }
    }

    /// S3 has not responded yet.
    pub(crate) fn late() -> Self {
        ProxyError::new(ProxyErrorKind::OriginTimeout).into()
    }

    /// Whether a stale object may stand in for it. A statement of S3 about the object is a response, not an outage (RFC
    /// 5861 §4).
    pub(crate) fn is_outage(&self) -> bool {
        self.error.kind().status().is_server_error()
    }

    /// Whether S3 was not asked: at most the cache was.
    pub(crate) fn is_unasked(&self) -> bool {
        matches!(
            self.error.kind(),
            ProxyErrorKind::NotCached
                | ProxyErrorKind::Denied
                | ProxyErrorKind::Authorizer
                | ProxyErrorKind::Resolver
        )
    }

    pub(crate) fn is_late(&self) -> bool {
        self.error.kind() == ProxyErrorKind::OriginTimeout
    }
}

impl From<ProxyError> for Failure {
    fn from(error: ProxyError) -> Self {
        Self { error, total: None, retry_after: None, headers: None }
    }
}
