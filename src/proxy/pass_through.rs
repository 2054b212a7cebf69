//! Requests that are a log-in service's own: its sign-in, its callback, its sign-out.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, Uri, header::HOST};
use http_body::Body;

use super::Proxy;
use crate::{
    access::{Asker, Guard, client_fields},
    body::{Broken, ObjectBody, PartFuture, Reopen, Rest, UntoldBody},
    config::Mount,
    error::{BoxError, ProxyError, ProxyErrorKind},
    fetch::FetchFuture,
    origin::{Upload, WireBody, is_nominated, is_of_connection},
    request::ReadMethod,
};

/// A request that goes to the log-in service of a mount as it is.
pub(crate) struct PassThrough {
    mount: Mount,
    asker: Asker,
}

/// What a body that breaks off is told to.
struct LogIn;

/// The mounts whose services have paths of their own.
pub(super) fn of(mounts: &[Mount]) -> Vec<Mount> {
    mounts.iter().filter(|mount| asker(mount).is_some_and(Asker::has_pass_through)).cloned().collect()
}

fn asker(mount: &Mount) -> Option<&Asker> {
    mount.0.access.guard.as_ref().and_then(Guard::forward_auth)
}

// === impl Proxy ===

impl Proxy {
    pub(super) fn pass_through<B>(&self, request: &Request<B>) -> Option<Box<PassThrough>> {
        let path = request.uri().path();
        self.pass_throughs.iter().find_map(|mount| {
            let asker = asker(mount).filter(|asker| asker.is_passed_through(path))?;
            let is_for_host =
                mount.0.host.as_ref().is_none_or(|host| host.is_target_of(request.uri(), request.headers()));
            is_for_host.then(|| Box::new(PassThrough { mount: mount.clone(), asker: asker.clone() }))
        })
    }
}

// === impl PassThrough ===

impl PassThrough {
    pub(crate) fn run<B>(self: Box<Self>, request: Request<B>) -> FetchFuture
    where
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let method = ReadMethod::try_from(request.method()).unwrap_or(ReadMethod::Get);
        let request = to_service(&request, &self.asker).map(|()| Upload::new(request.into_body()));
        Box::pin(async move {
            match self.asker.client().forward(request).await {
                Ok(answer) => from_service(answer, method),
                Err(why) => {
                    let error = ProxyError::from_source(ProxyErrorKind::Authorizer, why);
                    self.mount.error_response(error, method, None)
                }
            }
        })
    }
}

/// The head of the request to the service. What it trusts in its fields is the proxy's alone.
fn to_service<B>(request: &Request<B>, asker: &Asker) -> Request<()> {
    let mut head = Request::new(());
    *head.method_mut() = request.method().clone();
    *head.uri_mut() = request.uri().path_and_query().cloned().map(Uri::from).unwrap_or_default();
    let client = request.headers();
    let headers = head.headers_mut();
    for (name, value) in client {
        if !Asker::is_of_proxy(name) && !is_nominated(name, client) {
            headers.append(name, value.clone());
        }
    }
    headers.extend(client_fields(request, asker.scheme()));
    // A virtual host of the service, if it has any.
    let authority = request.uri().authority().and_then(|authority| authority.as_str().parse().ok());
    if let Some(host) = authority.or_else(|| client.get(HOST).cloned()) {
        headers.insert(HOST, host);
    }
    head
}

fn from_service(answer: Response<WireBody>, method: ReadMethod) -> Response<ObjectBody> {
    let (head, body) = answer.into_parts();
    let mut response = Response::new(match method {
        ReadMethod::Get => ObjectBody::Unmeasured(Box::new(UntoldBody::new(body, Arc::new(LogIn)))),
        ReadMethod::Head => ObjectBody::Untold,
    });
    *response.status_mut() = head.status;
    for (name, value) in &head.headers {
        if !is_of_connection(name) && !is_nominated(name, &head.headers) {
            response.headers_mut().append(name, value.clone());
        }
    }
    response
}

// === impl LogIn ===

impl Reopen for LogIn {
    fn reopen(self: Arc<Self>, rest: Rest) -> PartFuture {
        Box::pin(async move { Err(rest.why) })
    }

    fn broke_off(&self, broken: Broken) -> BoxError {
        tracing::debug!(at = broken.at, why = broken.why, "an answer of the log-in service broke off");
        broken.why
    }
}
