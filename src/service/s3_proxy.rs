use std::{
    convert::Infallible,
    future::{Ready, ready},
    sync::Arc,
    task::{Context, Poll},
};

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::Body;
use http_body_util::Empty;
use tower::Service;

use super::{ResponseFuture, future::Held};
use crate::{
    body::ResponseBody,
    config::S3ProxyConfig,
    error::BoxError,
    proxy::{Admission, Admitted, Proxy, Stage},
};

/// The service that [`S3ProxyLayer`](crate::S3ProxyLayer) makes: it answers the requests that its mounts claim, and
/// passes on the rest.
#[derive(Debug, Clone)]
pub struct S3Proxy<S = NotFound> {
    /// Of the layer, which can reload it.
    proxy: Arc<ArcSwap<Proxy>>,
    inner: S,
}

/// A service that answers everything with an empty 404: the inner service of a stand-alone [`S3Proxy`].
#[derive(Debug, Clone, Copy, Default)]
pub struct NotFound;

// === impl S3Proxy ===

impl S3Proxy<NotFound> {
    /// A stand-alone service, for example for `axum::Router::nest_service`. That strips the path under which the
    /// service is nested, so the mount belongs at `/`.
    pub fn new(config: impl Into<S3ProxyConfig>) -> Self {
        Self::over(Arc::new(ArcSwap::from_pointee(Proxy::new(config.into()))), NotFound)
    }
}

impl<S> S3Proxy<S> {
    pub(crate) fn over(proxy: Arc<ArcSwap<Proxy>>, inner: S) -> Self {
        Self { proxy, inner }
    }

    /// The service behind the mounts.
    pub fn inner(&self) -> &S {
        &self.inner
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for S3Proxy<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone,
    ReqBody: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type Response = Response<ResponseBody<ResBody>>;
    type Error = S::Error;
    type Future = ResponseFuture<S, ReqBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        #[cfg(feature = "explain")]
        if let Some(asked) = crate::explain::Asked::of(&request) {
            return ResponseFuture::fetch(
                super::explaining::explain(&self.proxy.load(), asked, request),
                crate::meter::Begun::default(),
            );
        }
        respond(&self.proxy.load(), &mut self.inner, request, Stage::Unasked)
    }
}

/// The response to a request. `inner` was polled ready.
pub(super) fn respond<S, ReqBody, ResBody>(
    proxy: &Arc<Proxy>,
    inner: &mut S,
    request: Request<ReqBody>,
    stage: Stage,
) -> ResponseFuture<S, ReqBody>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone,
    ReqBody: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    // The service that was polled ready must be the one that is called; the clone takes its place.
    let take = |inner: &mut S| {
        let clone = inner.clone();
        std::mem::replace(inner, clone)
    };
    let Admitted { admission, begun } = proxy.admit(&request, stage);
    match admission {
        Admission::NotOurs => ResponseFuture::inner(inner.call(request)),
        Admission::Changing(invalidation) => ResponseFuture::changing(inner.call(request), invalidation),
        Admission::Answered(response) => ResponseFuture::ready(response, begun),
        Admission::Guarded(guarded) => {
            ResponseFuture::guarded(guarded.run(), Held::new(Arc::clone(proxy), take(inner), request), begun)
        }
        Admission::PassThrough(pass) => ResponseFuture::fetch(pass.run(request), begun),
        Admission::Relay(relay) => ResponseFuture::fetch(relay.run(request.into_body()), begun),
        Admission::Write(write) => ResponseFuture::fetch(write.run(request.into_body()), begun),
        Admission::Fetch(fetch) => ResponseFuture::fetch(fetch.run(), begun),
        Admission::Link(fetch) => ResponseFuture::fetch(fetch.run(), begun),
        Admission::Visit(visit) => ResponseFuture::fetch(visit.run(), begun),
        Admission::VisitOrInner(visit) => {
            ResponseFuture::fetch_or_inner(visit.run(), begun, take(inner), request)
        }
        #[cfg(feature = "listing")]
        Admission::Browse(browse) => ResponseFuture::fetch(browse.run(), begun),
        #[cfg(feature = "listing")]
        Admission::BrowseOrInner(browse) => {
            ResponseFuture::fetch_or_inner(browse.run(), begun, take(inner), request)
        }
        #[cfg(feature = "s3-clients")]
        Admission::S3Client(call) => ResponseFuture::fetch(call.run(request), begun),
        Admission::FetchOrInner(fetch) => {
            ResponseFuture::fetch_or_inner(fetch.run(), begun, take(inner), request)
        }
    }
}

// === impl NotFound ===

impl<ReqBody> Service<Request<ReqBody>> for NotFound {
    type Response = Response<Empty<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<ReqBody>) -> Self::Future {
        let mut response = Response::new(Empty::new());
        *response.status_mut() = StatusCode::NOT_FOUND;
        ready(Ok(response))
    }
}
