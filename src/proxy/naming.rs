//! Which object a request names.

use http::{HeaderMap, Request, request};

use super::claimed::Claimed;
use crate::{
    config::Mount,
    error::ProxyErrorKind,
    fetch::Bucket,
    object::{CacheBust, Edition, InvalidKey, ObjectKey},
    request::{Disposition, Query},
    route::{BucketSource, split_bucket},
    terms::CUSTOMER_KEY,
};

/// The object that a request names.
pub(super) struct Named {
    pub(super) bucket: Bucket,
    pub(super) key: ObjectKey,
    pub(super) edition: Edition,
    pub(super) disposition: Option<Disposition>,
}

// === impl Claimed ===

impl Claimed<'_, '_> {
    /// The object that the request names, or the kind of error to respond with.
    pub(super) fn name<B>(&self, request: &Request<B>) -> Result<Named, ProxyErrorKind> {
        let (bucket, key, bust) = self.mount.name(self.rest, || head_of(request))?;
        let query = Query::parse(request.uri().query(), self.mount.0.query)?;
        refuse_customer_key(request.headers())?;
        let Query { version, disposition } = query;
        Ok(Named { bucket, key, edition: Edition { version, bust }, disposition })
    }
}

// === impl Mount ===

impl Mount {
    /// The object that the rest of a path names, or the kind of error to respond with; `head` is the request's.
    pub(super) fn name(
        &self,
        rest: &str,
        head: impl FnOnce() -> request::Parts,
    ) -> Result<(Bucket, ObjectKey, Option<CacheBust>), ProxyErrorKind> {
        let (bucket, rest) = self.bucket_of(rest, head).ok_or(ProxyErrorKind::NotFound)?;
        let name = self.0.keys.name(rest);
        if name.as_ref().is_ok_and(|(key, _)| key.as_str() == SOAP) && self.0.origin.is_aws() {
            return Err(ProxyErrorKind::NotFound);
        }
        let (key, bust) = name.map_err(|why| match why {
            InvalidKey::Empty => ProxyErrorKind::NotFound,
            InvalidKey::TooLong
            | InvalidKey::NotUtf8
            | InvalidKey::BadEscape
            | InvalidKey::DotSegment
            | InvalidKey::Nul => self.0.answers.bad_path.kind(),
        })?;
        Ok((bucket, key, bust))
    }

    /// The bucket of the rest of a path, and what is behind its name there; `None` if the path names none.
    pub(super) fn bucket_of<'r>(
        &self,
        rest: &'r str,
        head: impl FnOnce() -> request::Parts,
    ) -> Option<(Bucket, &'r str)> {
        Some(match &self.0.bucket {
            BucketSource::Fixed(name) => (Bucket::Named(name.clone()), rest),
            BucketSource::FromPath(allowed) => {
                let (name, rest) = split_bucket(allowed, rest)?;
                (Bucket::Named(name), rest)
            }
            BucketSource::Resolver(resolver) => (Bucket::Asked(resolver.clone(), Box::new(head())), rest),
        })
    }
}

/// On AWS this path is not an object but the endpoint of the old SOAP interface.
const SOAP: &str = "soap";

/// A client that sends a key means an object that only this key decrypts. If the field were ignored, the client would
/// be answered from memory, or get an error of S3 for lack of the very key that it sent.
pub(super) fn refuse_customer_key(headers: &HeaderMap) -> Result<(), ProxyErrorKind> {
    if headers.contains_key(CUSTOMER_KEY) { Err(ProxyErrorKind::CustomerKey) } else { Ok(()) }
}

/// The head of a request, for a resolver: the request itself must stay whole for the inner service.
pub(super) fn head_of<B>(request: &Request<B>) -> request::Parts {
    let mut head = Request::new(());
    *head.method_mut() = request.method().clone();
    *head.uri_mut() = request.uri().clone();
    *head.version_mut() = request.version();
    *head.headers_mut() = request.headers().clone();
    *head.extensions_mut() = request.extensions().clone();
    head.into_parts().0
}
