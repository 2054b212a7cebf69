//! Requests to a mount with a guard, which decides on them before anything else does.

use std::{future::Future, ops::ControlFlow, pin::Pin};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Request, Response,
    header::{CONTENT_LENGTH, SET_COOKIE},
};

use super::{Admission, Stage, claimed::Claimed};
use crate::{
    access::{Passed, Verdict, VerdictFuture},
    body::ObjectBody,
    config::Mount,
    error::{Failure, ProxyError, ProxyErrorKind},
    fetch::Finish,
    request::ReadMethod,
    response::keep_private,
};

/// A request whose guard is asked.
pub(crate) struct Guarded {
    asking: VerdictFuture,
    mount: Mount,
    method: ReadMethod,
    finish: Finish,
}

/// The pass, or the response in its place.
pub(crate) type GuardFuture = Pin<Box<dyn Future<Output = Result<Passed, Box<Response<ObjectBody>>>> + Send>>;

// === impl Claimed ===

impl Claimed<'_, '_> {
    /// Asks the guard of the mount, unless it was asked.
    pub(super) fn guard<B>(
        &self,
        request: &Request<B>,
        stage: Stage,
        finish: Finish,
    ) -> ControlFlow<Admission, Finish> {
        let (Some(guard), Stage::Unasked) = (&self.mount.0.access.guard, stage) else {
            return ControlFlow::Continue(finish);
        };
        // A service that decides by paths must see that of the object which a link is wanted to.
        let linked = match self.mount.0.links.is_endpoint(self.rest) {
            true => self.mount.linked(request),
            false => None,
        };
        let asking = match &linked {
            Some(linked) => guard.ask(linked),
            None => guard.ask(request),
        };
        let method = ReadMethod::try_from(request.method()).unwrap_or(ReadMethod::Get);
        let mount = self.mount.clone();
        ControlFlow::Break(Admission::Guarded(Box::new(Guarded { asking, mount, method, finish })))
    }
}

// === impl Guarded ===

impl Guarded {
    pub(crate) fn run(self: Box<Self>) -> GuardFuture {
        Box::pin(self.verdict())
    }

    async fn verdict(self: Box<Self>) -> Result<Passed, Box<Response<ObjectBody>>> {
        let Self { asking, mount, method, finish } = *self;
        let response = match asking.await {
            Verdict::Pass(passed) => return Ok(passed),
            Verdict::Deny(denial) => mount.refuse(Failure::denied(denial), method, None),
            Verdict::Answer(response) => answered(response, method),
            Verdict::Failed(why) => {
                let error = ProxyError::from_source(ProxyErrorKind::Authorizer, why);
                mount.error_response(error, method, None)
            }
        };
        Err(Box::new(finish.apply(response)))
    }
}

/// Whoever turned the client away has its words, and this its kind for logs and layers.
fn answered(response: Response<Bytes>, method: ReadMethod) -> Response<ObjectBody> {
    let error = ProxyError::denied(response.status());
    tracing::debug!(
        id = error.id(),
        status = response.status().as_u16(),
        "a log-in service turned a client away"
    );
    let length = response.body().len();
    let mut response = response.map(|body| match method {
        ReadMethod::Get => ObjectBody::from(body),
        ReadMethod::Head => ObjectBody::Untold,
    });
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    response.extensions_mut().insert(error);
    response
}

// === impl Passed ===

impl Passed {
    /// Tells the layers and functions behind who the client is.
    #[cfg_attr(
        not(feature = "users"),
        expect(clippy::unused_self, clippy::needless_pass_by_ref_mut, reason = "with users")
    )]
    pub(crate) fn introduce<B>(&mut self, request: &mut Request<B>) {
        #[cfg(feature = "users")]
        if let Some(user) = self.user.take() {
            request.extensions_mut().insert(user);
        }
        #[cfg(not(feature = "users"))]
        let _ = request;
    }

    /// Whether it changes the response.
    pub(crate) fn has_cookies(&self) -> bool {
        !self.cookies.is_empty()
    }

    /// Adds the cookies to a response, which no shared cache may keep then.
    pub(crate) fn dress(self, headers: &mut HeaderMap) {
        for cookie in self.cookies {
            headers.append(SET_COOKIE, cookie);
        }
        keep_private(headers);
    }
}
