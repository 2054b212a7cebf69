use std::sync::Arc;

use bytes::Bytes;
use http::{
    HeaderValue, Request, Response, StatusCode, Uri,
    header::{CACHE_CONTROL, CONNECTION, RETRY_AFTER},
};
use http_body_util::{Either, Empty, Full};
use hyper::body::Incoming;
use tower::Service;
use tower_s3_proxy::{S3Proxy, service::ResponseBody};

use super::{
    activity::Activity,
    admission::{Seat, SeatKind},
    host, http2,
    request::{OpenBody, OpenRequest},
    run::Shared,
};

/// The client at the other end of a connection, and what its requests share.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) server: Arc<Shared>,
    pub(crate) proxy: S3Proxy,
    pub(crate) activity: Arc<Activity>,
    pub(crate) seat: Seat,
}

pub(crate) type Body = OpenBody<Either<ResponseBody<Empty<Bytes>>, Full<Bytes>>>;

// === impl Client ===

impl Client {
    pub(crate) async fn answer(&self, request: Request<Incoming>, mut open: OpenRequest) -> Response<Body> {
        let mut response = self.response(request, &mut open).await;
        self.server.fields.apply(&mut response);
        response.map(|body| OpenBody::new(body, open, http2::progress()))
    }

    async fn response(&self, mut request: Request<Incoming>, open: &mut OpenRequest) -> Answer {
        if let Some(fault) = host::fault(request.version(), request.headers()) {
            tracing::debug!(fault, "bad request");
            return bad_request(fault);
        }
        let path = request.uri().path();
        if path == self.server.ping_path {
            return text(StatusCode::OK, "pong\n".to_owned());
        }
        if path == self.server.ready_path {
            // Boxed, so that the future of every other request stays small.
            return Box::pin(self.readiness()).await;
        }
        if let SeatKind::Reserved(_) = self.seat.kind {
            return unavailable("too many connections\n");
        }
        if !open.take_seat(&self.seat) {
            self.server
                .refusals
                .request
                .tell("requests refused: as many are in flight as the address can have, or the limit of open files bears");
            return unavailable("too many requests in flight\n");
        }
        if let Some((path, admin)) = &self.server.admin
            && let Some(uri) = below(request.uri(), path)
        {
            *request.uri_mut() = uri;
            let Ok(answer) = Box::pin(admin.clone().call(request)).await;
            return answer.map(Either::Right);
        }
        // Always ready: nothing stands behind it.
        let Ok(answer) = self.proxy.clone().call(request).await;
        answer.map(Either::Left)
    }

    async fn readiness(&self) -> Answer {
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

type Answer = Response<Either<ResponseBody<Empty<Bytes>>, Full<Bytes>>>;

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

fn text(status: StatusCode, text: String) -> Answer {
    let mut response = Response::new(Either::Right(Full::from(text)));
    *response.status_mut() = status;
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
