//! Requests that somebody signed for S3, on mounts that pass them on.

use std::ops::ControlFlow;

use http::Request;

use super::{Admission, Claimed, head_of};
use crate::{
    config::UnsignedRequests,
    error::{ProxyError, ProxyErrorKind},
    fetch::Finish,
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
            Ok(Some(link)) => self.relay(request, link, finish),
            Ok(None) if policy.unsigned == UnsignedRequests::Served => return ControlFlow::Continue(finish),
            Ok(None) if self.falls_back() => Admission::NotOurs,
            Ok(None) => self.refuse(request, ProxyError::new(ProxyErrorKind::LinkRequired), finish),
            Err(why) => self.refuse(request, ProxyError::from_source(why.kind(), why), finish),
        })
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
