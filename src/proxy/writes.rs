//! Requests that write, on mounts where clients may.

use std::ops::ControlFlow;

use http::{
    HeaderValue, Method, Request, Version,
    header::{CONTENT_LENGTH, TRANSFER_ENCODING},
};

use super::{
    Admission,
    claimed::Claimed,
    naming::{head_of, refuse_customer_key},
};
use crate::{
    config::WritePolicy,
    error::{ProxyError, ProxyErrorKind},
    fetch::{Bucket, Finish},
    object::ObjectKey,
    request::{Methods, ReadMethod},
    write::{Asked, Write, WriteRefusal},
};

// === impl Claimed ===

impl Claimed<'_, '_> {
    /// The outcome of a PUT or DELETE that clients may do here. Other requests are treated as ever.
    pub(super) fn write<B>(&self, request: &Request<B>, finish: Finish) -> ControlFlow<Admission, Finish> {
        let Some(policy) = &self.mount.0.writes else { return ControlFlow::Continue(finish) };
        let method = request.method();
        if !([Method::PUT, Method::DELETE].contains(method) && policy.methods.contain(method)) {
            return ControlFlow::Continue(finish);
        }
        let (bucket, key) = match self.target(request, policy) {
            Ok(target) => target,
            Err(_) if self.falls_back() => return ControlFlow::Continue(finish),
            Err(kind) => {
                let response = match kind {
                    ProxyErrorKind::MethodNotAllowed => self.mount.method_not_allowed(Methods::READS),
                    kind => self.mount.error_response(ProxyError::new(kind), ReadMethod::Get, None),
                };
                return ControlFlow::Break(Admission::Answered(finish.apply(response)));
            }
        };
        let signer = match self.mount.select(request) {
            Ok(signer) => signer.clone(),
            Err(failure) => {
                let response = self.mount.refuse(failure, ReadMethod::Get, &key);
                return ControlFlow::Break(Admission::Answered(finish.apply(response)));
            }
        };
        let asked = match self.ask(request, policy, &key) {
            Ok(asked) => asked,
            Err(error) => {
                let response = self.mount.error_response(error, ReadMethod::Get, Some(&key));
                return ControlFlow::Break(Admission::Answered(finish.apply(response)));
            }
        };
        let (mount, method) = (self.mount.clone(), method.clone());
        let gate = self.mount.gate(|| head_of(request));
        let location = self.location();
        let headers = request.headers();
        // Over HTTP/2 the end of the stream says it.
        let is_announced = request.version() >= Version::HTTP_2
            || headers.contains_key(CONTENT_LENGTH)
            || headers.contains_key(TRANSFER_ENCODING);
        let write = Write { mount, signer, bucket, key, method, asked, gate, finish, is_announced, location };
        ControlFlow::Break(Admission::Write(Box::new(write)))
    }

    /// The object, if it may be written.
    fn target<B>(
        &self,
        request: &Request<B>,
        policy: &WritePolicy,
    ) -> Result<(Bucket, ObjectKey), ProxyErrorKind> {
        // A path that names nothing is not a missing object to who writes.
        let named = self.mount.name(self.rest, || head_of(request));
        let (bucket, key, bust) = named.map_err(|_| ProxyErrorKind::BadRequest)?;
        match bust {
            // Another name for an object that is written under its own.
            Some(_) => Err(ProxyErrorKind::MethodNotAllowed),
            None if !key.as_str().starts_with(&policy.prefix) => Err(ProxyErrorKind::MethodNotAllowed),
            None => Ok((bucket, key)),
        }
    }

    fn ask<B>(
        &self,
        request: &Request<B>,
        policy: &WritePolicy,
        key: &ObjectKey,
    ) -> Result<Asked, ProxyError> {
        refuse_customer_key(request.headers()).map_err(ProxyError::new)?;
        let refused = |why: WriteRefusal| ProxyError::from_source(why.kind(), why);
        if request.uri().query().is_some_and(|query| !query.is_empty()) {
            return Err(refused(WriteRefusal::Query));
        }
        let parts = &self.mount.0;
        Asked::new(policy, &parts.content_types, request.method(), key, request.headers()).map_err(refused)
    }

    /// The last segment of the path, which holds wherever the service is nested.
    fn location(&self) -> Option<HeaderValue> {
        let name = self.rest.rsplit('/').next().unwrap_or_default();
        HeaderValue::try_from(format!("./{name}")).ok()
    }
}
