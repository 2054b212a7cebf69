use std::ops::ControlFlow;

use http::{HeaderMap, Request, Response, StatusCode, header::ALLOW};

use super::{
    Admission, Stage, is_missing,
    naming::{Named, head_of},
};
use crate::{
    body::{ObjectBody, SendBuffer},
    cache::Invalidation,
    config::Mount,
    error::{ProxyError, ProxyErrorKind},
    fetch::{Asks, Bucket, Fetch, Finish, Sources, Wanted},
    request::{AskedMethod, Methods, ReadMethod, ReadRequest},
    response::Fallback,
};

/// A request that a mount claims, and the rest of its path after the mount.
pub(super) struct Claimed<'m, 'r> {
    pub(super) mount: &'m Mount,
    pub(super) rest: &'r str,
}

// === impl Claimed ===

impl<'m, 'r> Claimed<'m, 'r> {
    /// The same for the mount as those see it who have a link, if the path has a token.
    pub(super) fn by_link(self, linked: &'m Mount, path: &'r str) -> Self {
        match linked.0.path.strip(path) {
            Some(rest) => Self { mount: linked, rest },
            None => self,
        }
    }
}

impl Claimed<'_, '_> {
    pub(super) fn admit<B>(
        self,
        request: &Request<B>,
        stage: Stage,
        send_buffer: Option<&SendBuffer>,
    ) -> Admission {
        let asked = AskedMethod::from(request.method());
        let cors = self.mount.0.cors.as_ref();
        if asked == AskedMethod::Options
            && let Some(fields) = cors.and_then(|cors| cors.preflight(request.headers()))
        {
            return Admission::Answered(preflight(self.mount, fields));
        }
        let cors = cors.map(|cors| cors.grant(request.headers()));
        let downstream = self.mount.0.access.downstream();
        let finish = Finish {
            cors,
            downstream,
            sources: if self.mount.0.hotlinks.is_some() { Sources::Some } else { Sources::Any },
            rate: self.mount.0.rate.clone(),
            send_buffer: send_buffer.cloned(),
            #[cfg(feature = "s3-clients")]
            hides: self.mount.0.headers.has_more_for_s3_clients().then(|| self.mount.clone()),
        };
        let finish = match self.guard(request, stage, finish) {
            ControlFlow::Break(admission) => return admission,
            ControlFlow::Continue(finish) => finish,
        };
        if let (AskedMethod::Read(method), Some(rule)) = (asked, &self.mount.0.hotlinks)
            && !rule.allows(request.uri(), request.headers())
        {
            let error = ProxyError::new(ProxyErrorKind::Hotlinked);
            return Admission::Answered(finish.apply(self.mount.error_response(error, method, None)));
        }
        if self.mount.0.links.is_endpoint(self.rest) {
            return self.link(request, asked, finish);
        }
        let finish = match self.signed(request, asked, finish) {
            ControlFlow::Break(admission) => return admission,
            ControlFlow::Continue(finish) => finish,
        };
        let finish = match self.write(request, finish) {
            ControlFlow::Break(admission) => return admission,
            ControlFlow::Continue(finish) => finish,
        };
        match asked {
            AskedMethod::Read(method) => self.read(request, method, finish),
            AskedMethod::Options | AskedMethod::NotAllowed if self.falls_back() => {
                self.invalidation(request).map_or(Admission::NotOurs, Admission::Changing)
            }
            AskedMethod::Options => Admission::Answered(finish.apply(options(self.mount))),
            AskedMethod::NotAllowed => {
                Admission::Answered(finish.apply(self.mount.method_not_allowed(self.mount.methods())))
            }
        }
    }

    /// A request to the endpoint of links.
    fn link<B>(&self, request: &Request<B>, asked: AskedMethod, finish: Finish) -> Admission {
        match asked {
            AskedMethod::Read(method) => self.mount.link(request, method, finish),
            AskedMethod::Options => Admission::Answered(finish.apply(options(self.mount))),
            AskedMethod::NotAllowed => {
                Admission::Answered(finish.apply(self.mount.method_not_allowed(self.mount.methods())))
            }
        }
    }

    fn read<B>(&self, request: &Request<B>, method: ReadMethod, finish: Finish) -> Admission {
        #[cfg(feature = "listing")]
        if self.mount.0.listing.is_some() {
            return self.browse(request, method, finish);
        }
        self.read_object(request, method, finish)
    }

    pub(super) fn read_object<B>(
        &self,
        request: &Request<B>,
        method: ReadMethod,
        finish: Finish,
    ) -> Admission {
        if let Some(site) = &self.mount.0.website {
            return self.visit(request, method, site, finish);
        }
        let named = match self.name(request) {
            Ok(named) => named,
            // The parameter, or the key, may be for the inner service.
            Err(ProxyErrorKind::NotFound | ProxyErrorKind::BadQuery | ProxyErrorKind::CustomerKey)
                if self.falls_back() =>
            {
                return Admission::NotOurs;
            }
            Err(kind) => {
                let response = self.mount.error_response(ProxyError::new(kind), method, None);
                return Admission::Answered(finish.apply(response));
            }
        };
        self.read_named(request, method, named, finish)
    }

    pub(super) fn read_named<B>(
        &self,
        request: &Request<B>,
        method: ReadMethod,
        named: Named,
        finish: Finish,
    ) -> Admission {
        let Named { bucket, key, edition, disposition } = named;
        let gate = self.mount.gate(|| head_of(request));
        let mount = match self.mount.select(request) {
            Ok(mount) => mount.clone(),
            Err(failure) => return self.answer(finish, self.mount.refuse(failure, method, &key)),
        };
        let read = ReadRequest::new(method, request.headers());
        let asks = Asks::new(&mount, request.headers());
        let wanted = Wanted { read, disposition, asks };
        let fetch = Fetch { mount, bucket, key, edition, wanted, gate, finish };
        if let Some(response) = fetch.recall_at_once() {
            return self.answer(fetch.finish, response);
        }
        match self.mount.0.answers.fallback {
            Fallback::None => Admission::Fetch(fetch),
            Fallback::Inner => Admission::FetchOrInner(fetch),
        }
    }

    /// A response about an object, unless the inner service gives it.
    pub(super) fn answer(&self, finish: Finish, response: Response<ObjectBody>) -> Admission {
        if self.falls_back() && is_missing(&response) {
            return Admission::NotOurs;
        }
        Admission::Answered(finish.apply(response))
    }

    pub(super) fn falls_back(&self) -> bool {
        self.mount.0.answers.fallback == Fallback::Inner
    }

    /// The invalidation that a request to the inner service can cause; `None` if it changes nothing.
    pub(super) fn invalidation<B>(&self, request: &Request<B>) -> Option<Box<Invalidation>> {
        let memory = self.mount.0.memory()?;
        let (bucket, key, _) = self.mount.name(self.rest, || head_of(request)).ok()?;
        let bucket = match bucket {
            Bucket::Named(name) => Some(name),
            Bucket::Asked(..) => None,
        };
        Invalidation::of(request.method(), memory, bucket, key).map(Box::new)
    }
}

// === impl Mount ===

impl Mount {
    pub(super) fn method_not_allowed(&self, allowed: Methods) -> Response<ObjectBody> {
        let error = ProxyError::new(ProxyErrorKind::MethodNotAllowed);
        let mut response = self.error_response(error, ReadMethod::Get, None);
        response.headers_mut().insert(ALLOW, allowed.allow());
        response
    }
}

fn options(mount: &Mount) -> Response<ObjectBody> {
    let mut response = Response::new(ObjectBody::Empty);
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().insert(ALLOW, mount.methods().allow());
    response
}

fn preflight(mount: &Mount, fields: HeaderMap) -> Response<ObjectBody> {
    let mut response = options(mount);
    response.headers_mut().extend(fields);
    response
}
