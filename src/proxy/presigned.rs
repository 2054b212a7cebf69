//! Requests that somebody signed for S3, on mounts that pass them on.

use std::ops::ControlFlow;

use http::{Method, Request};

use super::{
    Admission,
    claimed::Claimed,
    naming::{Named, head_of},
};
use crate::{
    config::{PresignedPolicy, UnsignedRequests},
    error::{ProxyError, ProxyErrorKind},
    fetch::{Bucket, Finish},
    object::Edition,
    relay::{Relay, RelayedLink},
    request::{AskedMethod, ReadMethod},
};

// === impl Claimed ===

impl Claimed<'_, '_> {
    /// The outcome of a request with a signature, or of one without where that is not served. Others are read as ever.
    pub(super) fn signed<B>(
        &self,
        request: &Request<B>,
        asked: AskedMethod,
        finish: Finish,
    ) -> ControlFlow<Admission, Finish> {
        let Some(policy) = &self.mount.0.presigned else { return ControlFlow::Continue(finish) };
        if asked == AskedMethod::Options {
            return ControlFlow::Continue(finish);
        }
        let (method, query) = (request.method(), request.uri().query());
        ControlFlow::Break(match RelayedLink::find(self.mount, policy, method, self.rest, query) {
            Ok(Some(link)) => match ReadMethod::try_from(method) {
                Ok(read) if self.is_accepted(policy, method, &link) => {
                    let RelayedLink { bucket, key, .. } = link;
                    let edition = Edition { version: None, bust: None };
                    let named = Named { bucket: Bucket::Named(bucket), key, edition, disposition: None };
                    self.read_named(request, read, named, finish)
                }
                _ => self.relay(request, link, finish),
            },
            Ok(None) if policy.unsigned == UnsignedRequests::Served => return ControlFlow::Continue(finish),
            Ok(None) if self.falls_back() => Admission::NotOurs,
            Ok(None) => self.refuse(request, ProxyError::new(ProxyErrorKind::LinkRequired), finish),
            Err(why) => self.refuse(request, ProxyError::from_source(why.kind(), why), finish),
        })
    }

    fn is_accepted(&self, policy: &PresignedPolicy, method: &Method, link: &RelayedLink) -> bool {
        policy.has_accepted(method, &link.url, &link.path_and_query, self.mount.0.origin.now())
    }

    fn relay<B>(&self, request: &Request<B>, link: RelayedLink, finish: Finish) -> Admission {
        if let Err(failure) = self.mount.select(request) {
            return Admission::Answered(finish.apply(self.mount.refuse(failure, told(request), &link.key)));
        }
        let gate = self.mount.gate(|| head_of(request));
        let (mount, method, headers) =
            (self.mount.clone(), request.method().clone(), request.headers().clone());
        Admission::Relay(Box::new(Relay { mount, link, method, headers, gate, finish }))
    }

    fn refuse<B>(&self, request: &Request<B>, error: ProxyError, finish: Finish) -> Admission {
        let response = match error.kind() {
            ProxyErrorKind::MethodNotAllowed => self.mount.method_not_allowed(self.mount.methods()),
            _ => self.mount.error_response(error, told(request), None),
        };
        Admission::Answered(finish.apply(response))
    }
}

/// As which method the client is told of an error: one that writes gets the text of it, too.
fn told<B>(request: &Request<B>) -> ReadMethod {
    ReadMethod::try_from(request.method()).unwrap_or(ReadMethod::Get)
}
