use std::{fmt, sync::Arc};

use http::{Extensions, HeaderMap, Method, Request, Uri};

use super::Access;

/// A function of yours that says, without waiting, with whose credentials the proxy serves a request.
///
/// The proxy calls it for each GET and HEAD of an object, before it consults the cache. A decision that must wait for
/// something needs an [`Authorizer`](crate::access::Authorizer).
///
/// ```
/// use tower_s3_proxy::access::{Access, CredentialSelector, CredentialSetName, Denial};
///
/// let by_host = CredentialSelector::new(|request| {
///     let host = request.headers.get("host").and_then(|host| host.to_str().ok());
///     match host.and_then(|host| host.strip_suffix(".media.example.com")).map(CredentialSetName::parse) {
///         Some(Ok(tenant)) => Access::AllowAs(tenant),
///         _ => Access::Deny(Denial::not_found()),
///     }
/// });
/// # let _ = by_host;
/// ```
#[derive(Clone)]
pub struct CredentialSelector(Arc<SelectFn>);

type SelectFn = dyn Fn(&RequestHead<'_>) -> Access + Send + Sync;

/// The head of a request as it came.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct RequestHead<'r> {
    /// GET or HEAD; for a link its own, which can be PUT, POST or DELETE.
    pub method: &'r Method,
    /// With the mount's path.
    pub uri: &'r Uri,
    /// The client's.
    pub headers: &'r HeaderMap,
    /// Set by layers in front: a user's identity, say.
    pub extensions: &'r Extensions,
}

// === impl CredentialSelector ===

impl CredentialSelector {
    /// Wraps a function from a request's head to a decision.
    pub fn new(select: impl Fn(&RequestHead<'_>) -> Access + Send + Sync + 'static) -> Self {
        Self(Arc::new(select))
    }

    pub(crate) fn select<B>(&self, request: &Request<B>) -> Access {
        (self.0)(&RequestHead {
            method: request.method(),
            uri: request.uri(),
            headers: request.headers(),
            extensions: request.extensions(),
        })
    }
}

impl fmt::Debug for CredentialSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CredentialSelector")
    }
}
