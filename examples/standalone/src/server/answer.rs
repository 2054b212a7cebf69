use std::{
    convert::Infallible,
    net::IpAddr,
    pin::Pin,
    sync::{Arc, atomic::Ordering::Relaxed},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Request, Response, StatusCode, Uri,
    header::{CACHE_CONTROL, CONNECTION, HOST, LOCATION, RETRY_AFTER},
    uri::{Authority, PathAndQuery, Scheme},
};
use http_body_util::{Either, Empty, Full};
use hyper::body::{Body as _, Incoming};
use pin_project_lite::pin_project;
use tower::Service;
use tower_s3_proxy::{
    S3Proxy,
    access::ClientAddress,
    cache::AdminBody,
    service::{ByteRate, NotFound, PacedBody, ResponseBody, ResponseFuture},
};

use super::{
    activity::Activity,
    admission::{Seat, SeatKind},
    client_address::Origin,
    host, http2,
    peer::Peer,
    request::{OpenBody, OpenRequest},
    role::Role,
    run::Shared,
};
use crate::{
    access_log::{Ending, Entry},
    explain,
};

/// The client at the other end of a connection, and what its requests share.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) server: Arc<Shared>,
    pub(crate) proxy: S3Proxy,
    pub(crate) origin: Origin,
    pub(crate) role: Role,
    pub(crate) activity: Arc<Activity>,
    pub(crate) seat: Arc<Seat>,
    /// Of all responses of the connection together.
    pub(crate) rate: Option<ByteRate>,
}

pub(crate) type Body = OpenBody<PacedBody<Either<ResponseBody<Empty<Bytes>>, Aside>>>;

type Answer = Response<Either<ResponseBody<Empty<Bytes>>, Aside>>;

/// What does not come from a bucket: a text, or an answer of the cache's admin.
type Aside = Either<Full<Bytes>, AdminBody>;

pin_project! {
    /// A request until its answer.
    ///
    /// Each step takes the place of the one before. The future of an `async fn` would have room for all of them side by side,
    /// and is moved as a whole with each request.
    pub(crate) struct Answering {
        client: Arc<Client>,
        // Until the body of the answer has it.
        open: Option<OpenRequest>,
        #[pin]
        step: Step,
    }
}

pin_project! {
    #[project = StepProjection]
    enum Step {
        Asked { request: Option<Request<Incoming>> },
        Proxied { #[pin] future: ResponseFuture<NotFound, Incoming> },
        // Boxed, so that the future of every other request stays small.
        Aside { future: Pin<Box<dyn Future<Output = Answer> + Send>> },
    }
}

// === impl Client ===

impl Client {
    pub(crate) fn answer(self: &Arc<Self>, request: Request<Incoming>) -> Answering {
        let log = self
            .server
            .access_log
            .as_ref()
            .map(|log| Entry::begin(log, self.address(request.headers()), &request));
        let open = Some(OpenRequest::begin(Arc::clone(&self.activity), log));
        self.activity.set_body(!request.body().is_end_stream());
        Answering { client: Arc::clone(self), open, step: Step::Asked { request: Some(request) } }
    }

    fn step(self: &Arc<Self>, mut request: Request<Incoming>, open: &mut OpenRequest) -> Step {
        if let Some(fault) = host::fault(request.version(), request.headers()) {
            tracing::debug!(fault, "bad request");
            return bad_request(fault).into();
        }
        let path = request.uri().path();
        if path == self.server.ping_path {
            return text(StatusCode::OK, "pong\n".to_owned()).into();
        }
        if path == self.server.ready_path {
            let client = Arc::clone(self);
            return Step::Aside { future: Box::pin(async move { client.readiness().await }) };
        }
        if let SeatKind::Reserved(_) = self.seat.kind {
            return unavailable("too many connections\n").into();
        }
        if let Role::Redirect { port } = self.role {
            return to_https(&request, port).into();
        }
        let behind = if self.origin.is_trusted { self.address(request.headers()) } else { None };
        if let Some(rate) = &self.server.requests
            && let Some(address) = behind.or(self.origin.peer)
            && let Err(wait) = rate.admit(Peer::of(address))
        {
            self.server
                .refusals
                .rate
                .tell("requests refused: an address has more than --max-requests-per-second");
            return too_many_requests(wait).into();
        }
        if !open.take_seat(&self.seat, behind) {
            self.server
                .refusals
                .request
                .tell("requests refused: as many are in flight as the address can have, or the limit of open files bears");
            return unavailable("too many requests in flight\n").into();
        }
        if let Some(admin) = &self.server.admin
            && let Some(uri) = below(request.uri(), &admin.path)
        {
            *request.uri_mut() = uri;
            let answered = admin.service().call(request);
            let answer = async move {
                let Ok(answer) = answered.await;
                answer.map(|body| Either::Right(Either::Right(body)))
            };
            return Step::Aside { future: Box::pin(answer) };
        }
        if let Some(token) = &self.server.explain {
            explain::mark(token, &mut request);
        }
        if self.server.layer.wants_client_address() {
            self.introduce(&mut request);
        }
        // Always ready: nothing stands behind it.
        Step::Proxied { future: self.proxy.clone().call(request) }
    }

    /// The address that a request comes from.
    pub(crate) fn address(&self, headers: &HeaderMap) -> Option<IpAddr> {
        match self.origin {
            Origin { peer, is_trusted: true } => self.server.trusted.client(peer, headers),
            Origin { peer, is_trusted: false } => peer,
        }
    }

    /// Says whose request it is, and how it came.
    fn introduce<B>(&self, request: &mut Request<B>) {
        if let Some(address) = self.address(request.headers()) {
            request.extensions_mut().insert(ClientAddress(address));
        }
        request.extensions_mut().insert(match self.role {
            Role::Https(_) => Scheme::HTTPS,
            Role::Http | Role::Redirect { .. } => Scheme::HTTP,
        });
    }

    async fn readiness(&self) -> Answer {
        if self.server.is_stopping.load(Relaxed) {
            return text(StatusCode::SERVICE_UNAVAILABLE, "not ready: stopping\n".to_owned());
        }
        match self.server.layer.ready().await {
            Ok(()) => text(StatusCode::OK, "ready\n".to_owned()),
            Err(error) => {
                self.server.refusals.not_ready(&error);
                let why = format!("not ready: {} (id {})\n", error.kind().code(), error.id());
                text(StatusCode::SERVICE_UNAVAILABLE, why)
            }
        }
    }
}

// === impl Answering ===

impl Future for Answering {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut me = self.project();
        let mut answer = loop {
            let next = match me.step.as_mut().project() {
                StepProjection::Asked { request } => {
                    let asked = request.take().zip(me.open.as_mut());
                    let (request, open) = asked.expect("the next step takes the place of this one");
                    me.client.step(request, open)
                }
                StepProjection::Proxied { future } => {
                    let Ok(answer) = ready!(future.poll(cx));
                    break answer.map(Either::Left);
                }
                StepProjection::Aside { future } => break ready!(future.as_mut().poll(cx)),
            };
            me.step.set(next);
        };
        me.client.server.fields.apply(&mut answer);
        let mut open = me.open.take().expect("a future is not polled after it was ready");
        if let Some(log) = &mut open.log {
            let mount = match answer.body() {
                Either::Left(body) => body.mount(),
                Either::Right(_) => None,
            };
            log.answered(&answer, mount);
            if answer.body().is_end_stream() {
                log.ended(Ending::Complete);
            }
        }
        let rate = me.client.rate.as_ref();
        let paced = |body| PacedBody::new(body, rate);
        Poll::Ready(Ok(answer.map(|body| OpenBody::new(paced(body), open, http2::progress()))))
    }
}

// === impl Step ===

impl From<Answer> for Step {
    fn from(answer: Answer) -> Self {
        Self::Aside { future: Box::pin(std::future::ready(answer)) }
    }
}

/// What an address is to a service at this path, if it is below it.
fn below(uri: &Uri, path: &str) -> Option<Uri> {
    let rest = uri.path_and_query()?.as_str().strip_prefix(path)?;
    rest.starts_with('/').then(|| rest.parse().ok())?
}

/// What is to be read behind such a head is not for sure a request.
fn bad_request(fault: &str) -> Answer {
    let mut response = text(StatusCode::BAD_REQUEST, format!("bad request: {fault}\n"));
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

fn unavailable(why: &str) -> Answer {
    let mut response = text(StatusCode::SERVICE_UNAVAILABLE, why.to_owned());
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

/// RFC 6585 §4.
fn too_many_requests(wait: Duration) -> Answer {
    let mut response = text(StatusCode::TOO_MANY_REQUESTS, "too many requests\n".to_owned());
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(wait.as_secs().saturating_add(1)));
    response
}

/// The same address over HTTPS.
fn to_https<B>(request: &Request<B>, port: u16) -> Answer {
    let authority = match request.uri().authority() {
        Some(authority) => Some(authority.clone()),
        None => request.headers().get(HOST).and_then(|host| Authority::try_from(host.as_bytes()).ok()),
    };
    let Some(host) = authority.as_ref().map(Authority::host).filter(|host| !host.is_empty()) else {
        return bad_request("no Host, so that there is no address to redirect to");
    };
    let port = if port == HTTPS_PORT { String::new() } else { format!(":{port}") };
    let rest = request.uri().path_and_query().map_or("/", PathAndQuery::as_str);
    let Ok(location) = HeaderValue::try_from(format!("https://{host}{port}{rest}")) else {
        return bad_request("malformed target");
    };
    let mut response = text(StatusCode::PERMANENT_REDIRECT, "this server speaks HTTPS\n".to_owned());
    response.headers_mut().insert(LOCATION, location);
    response
}

const HTTPS_PORT: u16 = 443;

fn text(status: StatusCode, text: String) -> Answer {
    let mut response = Response::new(Either::Right(Either::Left(Full::from(text))));
    *response.status_mut() = status;
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
