//! The foundation of the tests: an S3 server, a mount over it, servers and clients on the loopback interface.

use std::{convert::Infallible, fmt, net::SocketAddr};

use aws_sdk_s3::config::{BehaviorVersion, Region, RequestChecksumCalculation};
use aws_smithy_runtime_api::client::{
    http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
    orchestrator::{HttpRequest, HttpResponse},
    runtime_components::RuntimeComponents,
};
use bytes::Bytes;
use demo_s3::{DEMO_ACCESS_KEY, DEMO_SECRET_KEY, DemoS3};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, Empty};
use hyper::{
    body::Incoming,
    client::conn::{http1, http2},
    server,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    service::TowerToHyperService,
};
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    task::{AbortHandle, JoinSet},
};
use tower::{Service, ServiceExt};
use tower_s3_proxy::{
    BucketName, Cache, Mount, MountBuilder, ProxyError, ProxyErrorKind, RetryPolicy, S3Proxy,
    credentials::Credentials, error::BoxError, resilience::CircuitBreaker,
};

pub(crate) const BUCKET: &str = "media";
pub(crate) const REGION: &str = "us-west-2";

/// A server with one empty bucket.
pub(crate) async fn s3() -> DemoS3 {
    DemoS3::builder().bucket(BUCKET).region(REGION).start().await.unwrap()
}

pub(crate) fn keys() -> Credentials {
    Credentials::new(DEMO_ACCESS_KEY, DEMO_SECRET_KEY, None, None, "test")
}

pub(crate) fn bucket(name: &str) -> BucketName {
    BucketName::parse(name).unwrap()
}

/// A mount of the bucket at `/`.
pub(crate) fn mount(s3: &DemoS3) -> MountBuilder {
    over(s3, Mount::builder(bucket(BUCKET)))
}

/// Points a mount at the server.
pub(crate) fn over(s3: &DemoS3, builder: MountBuilder) -> MountBuilder {
    let builder = builder.endpoint_url(s3.endpoint()).path_style(true).region(REGION).credentials(keys());
    perhaps_cached(builder)
}

/// Whether the suite runs with a cache in every mount: `TEST_CACHE=1`. What clients get is the same then, and S3 is asked
/// less often, or for other things: tests of that look here.
pub(crate) fn is_cached() -> bool {
    std::env::var_os("TEST_CACHE").is_some()
}

fn perhaps_cached(builder: MountBuilder) -> MountBuilder {
    match is_cached() {
        true => builder.cache(&Cache::builder(64 * 1024 * 1024).build().unwrap()),
        false => builder,
    }
}

/// A service of its own over a mount.
pub(crate) fn proxy(builder: MountBuilder) -> S3Proxy {
    S3Proxy::new(builder.build().unwrap())
}

/// The plain client of the SDK, for the server itself.
pub(crate) fn sdk(s3: &DemoS3) -> aws_sdk_s3::Client {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(s3.endpoint())
        .force_path_style(true)
        .region(Region::new(REGION))
        .credentials_provider(keys())
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    aws_sdk_s3::Client::from_conf(config)
}

// --- requests and answers ---

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) error: Option<ProxyError>,
}

pub(crate) fn request(method: &str, path: &str, headers: &[(&str, &str)]) -> Request<Empty<Bytes>> {
    let mut request = Request::builder().method(Method::from_bytes(method.as_bytes()).unwrap()).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Empty::new()).unwrap()
}

pub(crate) fn get(path: &str) -> Request<Empty<Bytes>> {
    request("GET", path, &[])
}

/// Sends a request into a service, without a socket, and reads the answer whole.
pub(crate) async fn ask<S, B>(service: &S, request: Request<Empty<Bytes>>) -> Answer
where
    S: Service<Request<Empty<Bytes>>, Response = Response<B>, Error: fmt::Debug> + Clone,
    B: Body<Data = Bytes, Error: fmt::Debug>,
{
    Answer::read(service.clone().oneshot(request).await.unwrap()).await
}

// === impl Answer ===

impl Answer {
    pub(crate) async fn read<B: Body<Data = Bytes, Error: fmt::Debug>>(response: Response<B>) -> Self {
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let error = head.extensions.get::<ProxyError>().cloned();
        Self { status: head.status, headers: head.headers, body, error }
    }

    /// A header's value; empty if it is absent.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn kind(&self) -> Option<ProxyErrorKind> {
        self.error.as_ref().map(ProxyError::kind)
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

// --- servers ---

/// The protocol that both ends know beforehand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

/// A server on a free port. Dropping it stops it and closes its connections.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) addr: SocketAddr,
    accepting: AbortHandle,
}

/// Serves a tower service by hyper alone.
pub(crate) async fn serve<S, B>(protocol: Protocol, service: S) -> Server
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible, Future: Send>
        + Clone
        + Send
        + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let accepting = tokio::spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            stream.set_nodelay(true).unwrap();
            let (io, service) = (TokioIo::new(stream), TowerToHyperService::new(service.clone()));
            // A connection that breaks is the client's to notice.
            connections.spawn(async move {
                match protocol {
                    Protocol::Http1 => {
                        let _ = server::conn::http1::Builder::new().serve_connection(io, service).await;
                    }
                    Protocol::Http2 => {
                        let builder = server::conn::http2::Builder::new(TokioExecutor::new());
                        let _ = builder.serve_connection(io, service).await;
                    }
                }
            });
        }
    });
    Server { addr, accepting: accepting.abort_handle() }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

// --- clients ---

/// One connection to a server.
#[derive(Debug)]
pub(crate) enum Client {
    Http1(http1::SendRequest<Empty<Bytes>>),
    Http2(http2::SendRequest<Empty<Bytes>>),
}

// === impl Client ===

impl Client {
    pub(crate) async fn connect(protocol: Protocol, addr: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        // Small, so that little can pile up on the way to a client that does not read.
        socket.set_recv_buffer_size(64 * 1024).unwrap();
        let io = TokioIo::new(socket.connect(addr).await.unwrap());
        match protocol {
            Protocol::Http1 => {
                let (sender, connection) = http1::handshake(io).await.unwrap();
                tokio::spawn(connection);
                Self::Http1(sender)
            }
            Protocol::Http2 => {
                let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
                tokio::spawn(connection);
                Self::Http2(sender)
            }
        }
    }

    /// Sends a request and waits for the head of the answer.
    pub(crate) async fn send(
        &mut self,
        mut request: Request<Empty<Bytes>>,
    ) -> hyper::Result<Response<Incoming>> {
        match self {
            Self::Http1(sender) => {
                request.headers_mut().entry("host").or_insert("proxy.test".parse().unwrap());
                sender.ready().await?;
                sender.send_request(request).await
            }
            Self::Http2(sender) => {
                let uri = format!("http://proxy.test{}", request.uri());
                *request.uri_mut() = uri.parse().unwrap();
                sender.ready().await?;
                sender.send_request(request).await
            }
        }
    }

    pub(crate) async fn ask(&mut self, request: Request<Empty<Bytes>>) -> Answer {
        Answer::read(self.send(request).await.unwrap()).await
    }
}

/// Sends bytes and returns all that comes until the server closes the connection.
pub(crate) async fn raw(addr: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

// --- origins that follow a script ---

/// An origin that does with each connection what the script says; the connections are numbered from 0.
pub(crate) async fn origin<F, Fut>(script: F) -> SocketAddr
where
    F: Fn(usize, TcpStream) -> Fut + Send + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        for number in 0.. {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(script(number, stream));
        }
    });
    addr
}

/// A mount of a public bucket at an origin.
pub(crate) fn mount_at(origin: SocketAddr) -> MountBuilder {
    let builder = Mount::builder(bucket(BUCKET)).path_style(true).region(REGION).anonymous();
    perhaps_cached(builder.endpoint_url(format!("http://{origin}")))
}

/// Reads the head of a request; `None` if the connection was closed instead.
/// A mount that asks S3 once for each request, whatever comes of it: for tests that look at each answer.
pub(crate) fn once(builder: MountBuilder) -> MountBuilder {
    builder.retry(RetryPolicy::never()).circuit_breaker(CircuitBreaker::never())
}

pub(crate) async fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return None,
        }
    }
    Some(String::from_utf8(head).unwrap())
}

// --- keys ---

/// Keys that servers, proxies and clients are known to trip over.
pub(crate) const NASTY_KEYS: [&str; 53] = [
    "a",
    "a//b",
    "/a",
    "//a",
    "a/",
    "a//",
    "/",
    "//",
    "a/b/c/d",
    " a ",
    "a b",
    "a  b",
    "a+b",
    "a%20b",
    "%",
    "100%",
    "%2F",
    "%2e%2e/x",
    "%252e",
    "%00",
    "a=b",
    "a&b=c",
    "a?b",
    "?",
    "a#b",
    "#",
    "a;b",
    "a:b",
    "a@b",
    "a,b",
    "a!b",
    "a$b",
    "a'b",
    "a(b)",
    "a*b",
    "a[b]",
    "a{b}|c",
    "a^b`c",
    "a\\b",
    "a\"b<c>",
    "~-_.",
    "...",
    "..a/b..",
    ".hidden/.b",
    "-",
    "--1/a",
    "ünïcödé/naïve",
    "u\u{308}",
    "日本語/ファイル.txt",
    "😀/👩‍👩‍👧",
    "\u{7f}\u{1}\t\r\n",
    "\u{feff}\u{202e}\u{fffd}\u{10ffff}",
    "soap/versionId=1&x-id=GetObject",
];

/// A key of random UTF-8, up to the longest that S3 takes, without what the proxy refuses by design, and without
/// keys that are blank, which the SDK refuses to send.
pub(crate) fn random_key(rng: &mut fastrand::Rng) -> String {
    loop {
        let most = if rng.u8(..16) == 0 { 1024 } else { 40 };
        let bytes = rng.usize(1..=most);
        let mut key = String::new();
        while key.len() < bytes {
            key.push(match rng.u8(..8) {
                0 => rng.char('a'..='z'),
                1 => rng.char(' '..='~'),
                2 => *rng.choice(&['/', '/', '.', '%', '+', '-', '\\', ' ']).unwrap(),
                3 => rng.char('\u{1}'..='\u{ff}'),
                4 => rng.char('\u{100}'..='\u{7ff}'),
                5 => rng.char('\u{4e00}'..='\u{9fff}'),
                6 => rng.char('\u{1f300}'..='\u{1faff}'),
                _ => rng.char('\u{1}'..),
            });
        }
        if !key.trim().is_empty() && tower_s3_proxy::bucket::ObjectKey::new(key.as_str()).is_ok() {
            return key;
        }
    }
}

/// How clients may spell a key in a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spelling {
    /// Everything that may be encoded is.
    Strict,
    /// Only what no URI can hold is encoded, in the way of browsers.
    Browser,
}

/// What a path of a URI can't hold, or not with that meaning.
const NOT_IN_PATHS: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'`')
    .add(b'{')
    .add(b'}');

pub(crate) fn path_of(key: &str, spelling: Spelling) -> String {
    let set = match spelling {
        Spelling::Strict => NON_ALPHANUMERIC,
        Spelling::Browser => NOT_IN_PATHS,
    };
    format!("/{}", utf8_percent_encode(key, set))
}

// --- the SDK's seam for HTTP clients ---

/// An HTTP client of the SDK that is a function.
#[derive(Clone)]
pub(crate) struct FnClient<F>(pub(crate) F);

impl<F> HttpClient for FnClient<F>
where
    F: Fn(HttpRequest) -> HttpResponse + Clone + Send + Sync + 'static,
{
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl<F> HttpConnector for FnClient<F>
where
    F: Fn(HttpRequest) -> HttpResponse + Clone + Send + Sync + 'static,
{
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::ready(Ok((self.0)(request)))
    }
}

impl<F> fmt::Debug for FnClient<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FnClient")
    }
}
