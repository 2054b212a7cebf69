use super::ErrorFormat;
use crate::error::ProxyErrorKind;

/// The responses that a mount can choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Answers {
    pub(crate) denied: DeniedAnswer,
    pub(crate) bad_path: BadPathAnswer,
    pub(crate) fallback: Fallback,
    pub(crate) errors: ErrorFormat,
}

/// The response for an object that S3 denies.
///
/// S3 also says `AccessDenied` for a missing key, to credentials that may not list the bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum DeniedAnswer {
    /// 404: nobody learns whether the object exists.
    #[default]
    NotFound,
    /// 403.
    Forbidden,
    /// 403 if the bucket tells missing keys from denied ones, else 404. The proxy finds that out by requesting a key
    /// that does not exist, when S3 first denies an object, and again every five minutes.
    Auto,
}

/// The response for a path that cannot name a key: a dot segment, more than 1024 bytes, no UTF-8, or what the server
/// behind the mount refuses as a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum BadPathAnswer {
    /// 404: there is no such object.
    #[default]
    NotFound,
    /// 400.
    BadRequest,
}

// === impl BadPathAnswer ===

impl BadPathAnswer {
    pub(crate) fn kind(self) -> ProxyErrorKind {
        match self {
            Self::NotFound => ProxyErrorKind::NotFound,
            Self::BadRequest => ProxyErrorKind::BadRequest,
        }
    }
}

/// The service that answers requests that the bucket cannot serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Fallback {
    /// None: the proxy answers 404 for a missing object and 405 for a method that does not read.
    #[default]
    None,
    /// The inner service. It gets the request as it came, for a GET or HEAD of a missing object, for a query that the
    /// mount refuses, and for every other method. When it answers an unsafe method without an error, the mount's cache
    /// evicts the object (RFC 9111 §4.4).
    Inner,
}
