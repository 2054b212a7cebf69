use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tower::Service;

use super::s3_proxy::respond;
use crate::{
    access::Passed,
    body::{ObjectBody, ResponseBody},
    cache::Invalidation,
    error::BoxError,
    fetch::FetchFuture,
    meter::{Begun, BodyMeter},
    proxy::{GuardFuture, Proxy, Stage, is_missing},
};

pin_project! {
    /// The future of an [`S3Proxy`](crate::S3Proxy). Nothing is boxed for a request that is not ours.
    pub struct ResponseFuture<S, ReqBody>
    where
        S: Service<Request<ReqBody>>,
    {
        #[pin]
        kind: Kind<S, ReqBody>,
    }
}

/// A request whose guard is asked, and what answers it then.
pub(crate) struct Held<S, ReqBody> {
    proxy: Arc<Proxy>,
    /// Polled ready.
    inner: S,
    request: Request<ReqBody>,
}

pin_project! {
    #[project = KindProjection]
    enum Kind<S, ReqBody>
    where
        S: Service<Request<ReqBody>>,
    {
        Inner { #[pin] future: S::Future, invalidation: Option<Box<Invalidation>> },
        Guarded { asking: GuardFuture, held: Option<Box<Held<S, ReqBody>>>, begun: Begun },
        // Boxed: it holds such a future.
        Dressed { inner: Pin<Box<ResponseFuture<S, ReqBody>>>, passed: Option<Box<Passed>> },
        Ready { response: Option<Response<ObjectBody>>, meter: BodyMeter },
        Fetch { fetch: FetchFuture, or_inner: Option<Box<(S, Request<ReqBody>)>>, begun: Begun },
    }
}

// === impl ResponseFuture ===

impl<S, ReqBody> ResponseFuture<S, ReqBody>
where
    S: Service<Request<ReqBody>>,
{
    pub(crate) fn inner(future: S::Future) -> Self {
        Self { kind: Kind::Inner { future, invalidation: None } }
    }

    pub(crate) fn changing(future: S::Future, invalidation: Box<Invalidation>) -> Self {
        Self { kind: Kind::Inner { future, invalidation: Some(invalidation) } }
    }

    pub(crate) fn ready(response: Response<ObjectBody>, begun: Begun) -> Self {
        Self { kind: Kind::ready(response, begun) }
    }

    pub(crate) fn fetch(fetch: FetchFuture, begun: Begun) -> Self {
        Self { kind: Kind::Fetch { fetch, or_inner: None, begun } }
    }

    pub(crate) fn guarded(asking: GuardFuture, held: Box<Held<S, ReqBody>>, begun: Begun) -> Self {
        Self { kind: Kind::Guarded { asking, held: Some(held), begun } }
    }

    /// `inner` was polled ready.
    pub(crate) fn fetch_or_inner(
        fetch: FetchFuture,
        begun: Begun,
        inner: S,
        request: Request<ReqBody>,
    ) -> Self {
        Self { kind: Kind::Fetch { fetch, or_inner: Some(Box::new((inner, request))), begun } }
    }
}

// === impl Kind ===

impl<S, ReqBody> Kind<S, ReqBody>
where
    S: Service<Request<ReqBody>>,
{
    fn ready(response: Response<ObjectBody>, begun: Begun) -> Self {
        let meter = begun.answered(response.status(), response.headers());
        Self::Ready { response: Some(response), meter }
    }
}

impl<S, ReqBody, ResBody> Future for ResponseFuture<S, ReqBody>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone,
    ReqBody: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type Output = Result<Response<ResponseBody<ResBody>>, S::Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let next = match self.as_mut().project().kind.project() {
                KindProjection::Inner { future, invalidation } => {
                    let answer = ready!(future.poll(cx));
                    if let (Some(invalidation), Ok(response)) = (invalidation, &answer) {
                        invalidation.answered(response.status());
                    }
                    return Poll::Ready(answer.map(|r| r.map(ResponseBody::inner)));
                }
                KindProjection::Ready { response, meter } => {
                    let response = response.take().expect("a future is not polled after it was ready");
                    let meter = std::mem::take(meter);
                    return Poll::Ready(Ok(response.map(|body| ResponseBody::measured(body, meter))));
                }
                KindProjection::Fetch { fetch, or_inner, begun } => {
                    let response = ready!(fetch.as_mut().poll(cx));
                    match or_inner.take() {
                        Some(inner) if is_missing(&response) => {
                            let (mut service, request) = *inner;
                            Kind::Inner { future: service.call(request), invalidation: None }
                        }
                        _ => Kind::ready(response, std::mem::take(begun)),
                    }
                }
                KindProjection::Guarded { asking, held, begun } => match ready!(asking.as_mut().poll(cx)) {
                    Err(response) => Kind::ready(*response, std::mem::take(begun)),
                    Ok(passed) => {
                        let held = held.take().expect("a future is not polled after it was ready");
                        held.respond(passed)
                    }
                },
                KindProjection::Dressed { inner, passed } => {
                    let mut answer = ready!(inner.as_mut().poll(cx));
                    if let (Some(passed), Ok(response)) = (passed.take(), &mut answer) {
                        passed.dress(response.headers_mut());
                    }
                    return Poll::Ready(answer);
                }
            };
            self.as_mut().project().kind.set(next);
        }
    }
}

impl<S, ReqBody> fmt::Debug for ResponseFuture<S, ReqBody>
where
    S: Service<Request<ReqBody>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            Kind::Inner { .. } => "ResponseFuture::Inner",
            Kind::Ready { .. } => "ResponseFuture::Ready",
            Kind::Fetch { .. } => "ResponseFuture::Fetch",
            Kind::Guarded { .. } => "ResponseFuture::Guarded",
            Kind::Dressed { .. } => "ResponseFuture::Dressed",
        })
    }
}

// === impl Held ===

impl<S, ReqBody> Held<S, ReqBody> {
    /// `inner` was polled ready.
    pub(super) fn new(proxy: Arc<Proxy>, inner: S, request: Request<ReqBody>) -> Box<Self> {
        Box::new(Self { proxy, inner, request })
    }

    fn respond<ResBody>(self, mut passed: Passed) -> Kind<S, ReqBody>
    where
        S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone,
        ReqBody: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let Self { proxy, mut inner, mut request } = self;
        passed.introduce(&mut request);
        let future = respond(&proxy, &mut inner, request, Stage::Passed);
        match passed.has_cookies() {
            true => Kind::Dressed { inner: Box::pin(future), passed: Some(Box::new(passed)) },
            false => future.kind,
        }
    }
}
