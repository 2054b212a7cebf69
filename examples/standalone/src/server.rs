use std::{convert::Infallible, future::Future, io, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, Uri, header::CACHE_CONTROL};
use http_body_util::{Either, Empty, Full};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
};
use tokio::{net::TcpListener, time};
use tower::{Layer, Service};
use tower_s3_proxy::{
    S3Proxy, S3ProxyLayer,
    cache::CacheAdmin,
    service::{NotFound, ResponseBody},
};

/// The state that serves connections.
pub(crate) struct Server {
    pub(crate) layer: S3ProxyLayer,
    pub(crate) ping_path: String,
    pub(crate) ready_path: String,
    /// The service that purges the cache, and its path.
    pub(crate) admin: Option<(String, CacheAdmin)>,
    pub(crate) drain_timeout: Duration,
}

type Body = Either<ResponseBody<Empty<Bytes>>, Full<Bytes>>;

/// The most that one system call writes of a response, and the largest head of a request; in bytes. Two calls
/// for an object of 1 MiB from memory took a tenth more time than one.
const BUFFER: usize = 1024 * 1024;

impl Server {
    /// Serves until `stop` is ready, then finishes the requests in flight.
    pub(crate) async fn run(self, listener: TcpListener, stop: impl Future<Output = ()>) {
        let drain_timeout = self.drain_timeout;
        let server = Arc::new(self);
        let proxy = server.layer.layer(NotFound);
        let mut http = auto::Builder::new(TokioExecutor::new());
        http.http1()
            .timer(TokioTimer::new())
            .header_read_timeout(Duration::from_secs(30))
            .max_buf_size(BUFFER);
        http.http2().timer(TokioTimer::new()).max_concurrent_streams(250);
        let graceful = GracefulShutdown::new();
        let mut stop = std::pin::pin!(stop);
        loop {
            let stream = tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => stream,
                    Err(error) => {
                        pause_after(&error).await;
                        continue;
                    }
                },
                () = &mut stop => break,
            };
            let _ = stream.set_nodelay(true);
            let (server, proxy) = (Arc::clone(&server), proxy.clone());
            let service = service_fn(move |request| Arc::clone(&server).answer(proxy.clone(), request));
            let connection = http.serve_connection(TokioIo::new(stream), service).into_owned();
            let connection = graceful.watch(connection);
            tokio::spawn(async move {
                if let Err(error) = connection.await {
                    tracing::debug!(error, "connection ended");
                }
            });
        }
        drop(listener);
        if time::timeout(drain_timeout, graceful.shutdown()).await.is_err() {
            tracing::warn!(?drain_timeout, "requests in flight were cut off");
        }
    }

    async fn answer(
        self: Arc<Self>,
        mut proxy: S3Proxy,
        mut request: Request<Incoming>,
    ) -> Result<Response<Body>, Infallible> {
        let path = request.uri().path();
        if path == self.ping_path {
            return Ok(text(StatusCode::OK, "pong\n".to_owned()));
        }
        if path == self.ready_path {
            // Boxed, so that the future of every other request stays small.
            return Ok(match Box::pin(self.layer.ready()).await {
                Ok(()) => text(StatusCode::OK, "ready\n".to_owned()),
                Err(error) => {
                    tracing::error!(
                        id = error.id(),
                        code = error.origin_code(),
                        ?error,
                        "not ready: `check`, with the same flags, explains why"
                    );
                    let why = format!("not ready: {} (id {})\n", error.kind().code(), error.id());
                    text(StatusCode::SERVICE_UNAVAILABLE, why)
                }
            });
        }
        if let Some((path, admin)) = &self.admin
            && let Some(uri) = below(request.uri(), path)
        {
            *request.uri_mut() = uri;
            return Ok(Box::pin(admin.clone().call(request)).await?.map(Either::Right));
        }
        // Always ready: it has no inner service.
        Ok(proxy.call(request).await?.map(Either::Left))
    }
}

/// The URI as a service at this path sees it, if it lies below the path.
fn below(uri: &Uri, path: &str) -> Option<Uri> {
    let rest = uri.path_and_query()?.as_str().strip_prefix(path)?;
    rest.starts_with('/').then(|| rest.parse().ok())?
}

fn text(status: StatusCode, text: String) -> Response<Body> {
    let mut response = Response::new(Either::Right(Full::from(text)));
    *response.status_mut() = status;
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Out of file descriptors: accepting again at once would only spin.
async fn pause_after(error: &io::Error) {
    tracing::error!(%error, "accept failed");
    time::sleep(Duration::from_millis(100)).await;
}
