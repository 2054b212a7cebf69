use std::{convert::Infallible, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{
    HeaderValue, Method, Request, Response, StatusCode,
    header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE},
};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{net::TcpListener, sync::Semaphore, time};
use tower_s3_proxy::S3ProxyLayer;

use super::Metrics;

/// Connections at a time. A Prometheus needs one.
const CONNECTIONS: usize = 32;

/// For the head of a request, and between two.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);

/// For all of a connection, so that none is held for ever.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(3600);

// === impl Metrics ===

impl Metrics {
    /// Answers until the process ends.
    pub(crate) fn serve(self, listener: TcpListener, layer: S3ProxyLayer) {
        tokio::spawn(accept(listener, Arc::new((self, layer))));
    }
}

async fn accept(listener: TcpListener, served: Arc<(Metrics, S3ProxyLayer)>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let Ok((tcp, _)) = listener.accept().await else {
            // Out of file descriptors: accepting again at once would only spin.
            time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let served = Arc::clone(&served);
        tokio::spawn(async move {
            let service = service_fn(move |request| std::future::ready(answer(&served, &request)));
            let mut http1 = http1::Builder::new();
            http1.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
            let connection = http1.serve_connection(TokioIo::new(tcp), service);
            // How it ends is its client's business.
            let _ = time::timeout(CONNECTION_TIMEOUT, connection).await;
            drop(place);
        });
    }
}

fn answer(
    served: &(Metrics, S3ProxyLayer),
    request: &Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (metrics, layer) = served;
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    Ok(match request.uri().path() {
        "/metrics" | "/ping" if !is_read => {
            let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "GET and HEAD only\n".to_owned());
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            response
        }
        "/metrics" => text(StatusCode::OK, metrics.render(layer)),
        "/ping" => text(StatusCode::OK, "pong\n".to_owned()),
        _ => text(StatusCode::NOT_FOUND, "here are /metrics and /ping\n".to_owned()),
    })
}

/// The type is that of Prometheus's text format, version 0.0.4, which is plain text.
fn text(status: StatusCode, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
