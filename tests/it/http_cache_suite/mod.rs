//! An independent test suite for HTTP caches, with the proxy as the cache. `scripts/http-cache-suite` runs it; without
//! its installation the test skips it.
//!
//! ```text
//! suite's client ──▶ note ──▶ proxy with a cache ──▶ adapter ──▶ suite's origin
//!                      └─ /config, /state ─────────────────────────▲
//! ```
//!
//! The suite writes the number of a request into a field, which its origin reads, and also looks for `Authorization`
//! there. The proxy passes no such fields to S3, so `note` keeps both from the last request of each test, and the
//! adapter adds them to the proxy's requests. That origin answers HEAD without the `Content-Length` that S3 gives: the
//! adapter adds it.

use std::{
    collections::HashMap,
    env,
    net::SocketAddr,
    path::Path,
    process::Stdio,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::{self, Body},
    extract::{Request, State},
    middleware::{self, Next},
};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode,
    header::{AUTHORIZATION, CONTENT_LENGTH},
};
use hyper::{body::Incoming, client, server, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::{TcpListener, TcpStream},
    process::Command,
};
use tower_s3_proxy::{Cache, Mount, S3ProxyLayer, response::Fallback};

use crate::support::{Protocol, REGION, bucket, once, serve};

const MIB: u64 = 1024 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn an_independent_suite_finds_what_is_expected_and_nothing_else() {
    let Ok(packages) = env::var("HTTP_CACHE_SUITE") else {
        eprintln!("passed over: HTTP_CACHE_SUITE is not set (see scripts/http-cache-suite)");
        return;
    };
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/http_cache_suite");
    let node = |script: &str| {
        let mut command = Command::new("node");
        command.arg(here.join(script)).arg(&packages).kill_on_drop(true);
        command
    };
    let mut origin = node("origin.mjs").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(origin.stdout.take().unwrap()).lines();
    let port = lines.next_line().await.unwrap().expect("the origin runs").parse().unwrap();

    let suite = Suite { origin: SocketAddr::from(([127, 0, 0, 1], port)), tests: Arc::default() };
    let adapter = suite.clone().adapt().await;
    // Tests count the requests that the origin gets, some of which it fails.
    let media = once(Mount::builder(bucket("test")))
        .at("/test")
        .endpoint_url(format!("http://{adapter}"))
        .path_style(true)
        .region(REGION)
        .anonymous()
        .forward_response_header("*")
        // Methods that write are the origin's.
        .fallback(Fallback::Inner)
        .cache(&Cache::builder(64 * MIB).build().unwrap())
        .cache_heuristic(10, Duration::from_secs(86_400))
        .build()
        .unwrap();
    let app = Router::new()
        .fallback(pass)
        .layer(S3ProxyLayer::new(media))
        .layer(middleware::from_fn_with_state(suite.clone(), note))
        .with_state(suite);
    let server = serve(Protocol::Http1, app).await;

    let base = format!("http://{}", server.addr);
    let status = node("run.mjs").arg(base).arg(here.join("differences.txt")).status().await.unwrap();
    assert!(status.success(), "{status}: see above");
}

/// What stands around the proxy.
#[derive(Debug, Clone)]
struct Suite {
    origin: SocketAddr,
    tests: Arc<Mutex<HashMap<String, Test>>>,
}

/// What is known of a test that runs.
#[derive(Debug, Default)]
struct Test {
    /// Of the request that came last.
    fields: HeaderMap,
    /// Of the objects that the origin gives, by number of the request.
    lengths: Vec<usize>,
}

async fn note(State(suite): State<Suite>, request: Request, next: Next) -> axum::response::Response {
    if let Some(test) = test_of(request.uri().path(), "/test/") {
        let noted = [REQ_NUM, AUTHORIZATION].into_iter();
        let noted = noted.filter_map(|name| Some((name.clone(), request.headers().get(name)?.clone())));
        suite.tests.lock().unwrap().entry(test.to_owned()).or_default().fields = noted.collect();
    }
    next.run(request).await
}

/// What the proxy does not answer goes to the origin as it is.
async fn pass(State(suite): State<Suite>, request: Request) -> Result<Response<Incoming>, StatusCode> {
    let (head, body) = request.into_parts();
    let body = body::to_bytes(body, usize::MAX).await.map_err(|_| StatusCode::BAD_REQUEST)?;
    if let Some(test) = test_of(head.uri.path(), "/config/") {
        let requests: Vec<serde_json::Value> = serde_json::from_slice(&body).unwrap();
        let length = |request: &serde_json::Value| request["response_body"].as_str().unwrap_or(test).len();
        let lengths = requests.iter().map(length).collect();
        suite.tests.lock().unwrap().entry(test.to_owned()).or_default().lengths = lengths;
    }
    suite.ask(Request::from_parts(head, body.into())).await.map_err(|_| StatusCode::BAD_GATEWAY)
}

fn test_of<'p>(path: &'p str, folder: &str) -> Option<&'p str> {
    path.strip_prefix(folder)?.split('/').next()
}

const REQ_NUM: HeaderName = HeaderName::from_static("req-num");

// === impl Suite ===

impl Suite {
    /// A server that makes a bucket of the suite's origin. It ends with the runtime.
    async fn adapt(self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let suite = self.clone();
                // An origin that breaks off is an error here, which closes the connection: the proxy sees that.
                let service = service_fn(move |request| suite.clone().answer(request));
                let connection =
                    server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                tokio::spawn(connection);
            }
        });
        addr
    }

    async fn answer(self, mut request: Request<Incoming>) -> hyper::Result<Response<Incoming>> {
        let mut length = None;
        if let Some(name) = test_of(request.uri().path(), "/test/")
            && let Some(test) = self.tests.lock().unwrap().get(name)
        {
            let number = test.fields.get(REQ_NUM).and_then(|number| number.to_str().ok()?.parse().ok());
            length = number.and_then(|number: usize| test.lengths.get(number.checked_sub(1)?).copied());
            request.headers_mut().extend(test.fields.clone());
        }
        let is_head = request.method() == Method::HEAD;
        let mut response = self.ask(request.map(Body::new)).await?;
        if let Some(length) = length
            && is_head
        {
            response.headers_mut().entry(CONTENT_LENGTH).or_insert(HeaderValue::from(length));
        }
        Ok(response)
    }

    async fn ask(&self, request: Request) -> hyper::Result<Response<Incoming>> {
        let stream = TcpStream::connect(self.origin).await.unwrap();
        let (mut sender, connection) = client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        sender.send_request(request).await
    }
}
