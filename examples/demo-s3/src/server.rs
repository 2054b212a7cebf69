//! The server: a socket, an accept loop, and `s3s` behind a log.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::header::SERVER;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use s3s::Body;
use s3s::service::{S3Service, S3ServiceBuilder};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};

use crate::access::{Access, Credential, DEMO_ACCESS_KEY, DEMO_SECRET_KEY, Gate};
use crate::host::Domains;
use crate::log::{Log, SeenRequest};
use crate::read::Reads;
use crate::store::Store;
use crate::write::Operations;

/// A running server. Dropping it stops it and closes its connections.
#[derive(Debug)]
pub struct DemoS3 {
    addr: SocketAddr,
    store: Store,
    access: Arc<Access>,
    shared: Arc<Shared>,
    accepting: AbortHandle,
}

/// The options of a server, see [`DemoS3::builder`].
#[derive(Debug)]
#[must_use = "nothing runs before `start`"]
pub struct Builder {
    buckets: Vec<String>,
    folders: Vec<(String, PathBuf)>,
    access: Access,
    domains: Domains,
    log_limit: usize,
    address: SocketAddr,
}

/// The state that the connections of a server share.
#[derive(Debug)]
struct Shared {
    service: S3Service,
    log: Log,
    requests: AtomicU64,
    connections: AtomicU64,
}

const LOG_LIMIT: usize = 10_000;
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amz-request-id");
const EXTENDED_REQUEST_ID: HeaderName = HeaderName::from_static("x-amz-id-2");

// === impl DemoS3 ===

impl DemoS3 {
    /// A server on a free port, without buckets, that accepts [`DEMO_ACCESS_KEY`] with [`DEMO_SECRET_KEY`].
    pub fn builder() -> Builder {
        Builder {
            buckets: Vec::new(),
            folders: Vec::new(),
            access: Access::default(),
            domains: Domains::default(),
            log_limit: LOG_LIMIT,
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        }
    }

    /// Where it listens: `http://127.0.0.1:PORT`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What it holds, past the protocol.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The last requests (10 000, unless set otherwise), oldest first, as received: a request with a wrong
    /// signature is among them.
    pub fn log(&self) -> Vec<SeenRequest> {
        self.shared.log.snapshot()
    }

    /// Forgets the requests.
    pub fn clear_log(&self) {
        self.shared.log.clear();
    }

    /// How many connections it has accepted.
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// Accepts these keys from now on, beside the others.
    pub fn add_credential(&self, credential: Credential) {
        self.access.add(credential);
    }

    /// Answers requests signed with this key with `ExpiredToken` from now on.
    pub fn expire_credential(&self, access_key: &str) {
        self.access.expire(access_key);
    }
}

impl Drop for DemoS3 {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

// === impl Builder ===

impl Builder {
    /// A bucket that is there from the start.
    pub fn bucket(mut self, name: impl Into<String>) -> Self {
        self.buckets.push(name.into());
        self
    }

    /// Accepts these keys (and no longer the default ones).
    pub fn credentials(self, access_key: impl Into<String>, secret_key: impl Into<String>) -> Self {
        self.credential(Credential::new(access_key, secret_key))
    }

    /// Accepts these keys (and no longer the default ones), perhaps with a session token.
    pub fn credential(self, credential: Credential) -> Self {
        self.access.add(credential);
        self
    }

    /// Lets anybody read the objects of this bucket, but not list it: a missing key is then 403.
    pub fn anonymous_read(mut self, bucket: impl Into<String>) -> Self {
        let bucket = bucket.into();
        self.access.public_buckets.insert(bucket.clone());
        self.bucket(bucket)
    }

    /// The account that owns the buckets. A request that expects another owner is denied; without this, every request
    /// that expects one is.
    pub fn owner(mut self, account: impl Into<String>) -> Self {
        self.access.owner = Some(account.into());
        self
    }

    /// A bucket whose requesters must say that they pay.
    pub fn requester_pays(mut self, bucket: impl Into<String>) -> Self {
        let bucket = bucket.into();
        self.access.requester_pays.insert(bucket.clone());
        self.bucket(bucket)
    }

    /// Also takes the bucket from the host: `bucket.DOMAIN`, with any port.
    pub fn virtual_host(mut self, domain: impl Into<String>) -> Self {
        self.domains.push(domain.into());
        self
    }

    /// Imports every file of a folder as an object: the key is the path below the folder with `/`, the type is
    /// guessed from it, and the body is read from the file with each read.
    pub fn folder(mut self, bucket: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        self.folders.push((bucket.into(), path.into()));
        self
    }

    /// Refuses requests that are signed for another region (`AuthorizationHeaderMalformed`). Otherwise any region is
    /// accepted.
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.access.region = Some(region.into());
        self
    }

    /// Listens on this address instead of a free port of 127.0.0.1.
    pub fn address(mut self, address: SocketAddr) -> Self {
        self.address = address;
        self
    }

    /// How many requests the log keeps; with 0 nothing is recorded, as benches need.
    pub fn log_limit(mut self, requests: usize) -> Self {
        self.log_limit = requests;
        self
    }

    /// Starts the server on the current Tokio runtime.
    ///
    /// # Errors
    ///
    /// If the address is taken, or a folder cannot be read.
    pub async fn start(self) -> io::Result<DemoS3> {
        let store = Store::default();
        for bucket in &self.buckets {
            store.create_bucket(bucket);
        }
        for (bucket, folder) in &self.folders {
            store.import(bucket, folder)?;
        }
        if self.access.is_empty() {
            self.access.add(Credential::new(DEMO_ACCESS_KEY, DEMO_SECRET_KEY));
        }

        let listener = TcpListener::bind(self.address).await?;
        let addr = listener.local_addr()?;
        let access = Arc::new(self.access);
        let shared = Arc::new(Shared {
            service: service(&store, &access, self.domains),
            log: Log::new(self.log_limit),
            requests: AtomicU64::new(0),
            connections: AtomicU64::new(0),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared))).abort_handle();
        Ok(DemoS3 { addr, store, access, shared, accepting })
    }
}

fn service(store: &Store, access: &Arc<Access>, domains: Domains) -> S3Service {
    let mut builder =
        S3ServiceBuilder::new(Operations { store: store.clone(), region: access.region.clone() });
    builder.set_auth(Gate(Arc::clone(access)));
    builder.set_access(Gate(Arc::clone(access)));
    builder.set_host(domains.clone());
    builder.set_route(Reads { store: store.clone(), access: Arc::clone(access), domains });
    builder.build()
}

/// Owns the connections: when it is aborted, they are too.
async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        // An error concerns the one connection that could not be accepted.
        if let Ok((stream, _)) = listener.accept().await {
            shared.connections.fetch_add(1, Ordering::Relaxed);
            connections.spawn(serve(stream, Arc::clone(&shared)));
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| answer(Arc::clone(&shared), request));
    // The client notices a connection that breaks.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    shared.log.record(&request);
    let number = shared.requests.fetch_add(1, Ordering::Relaxed);
    let mut response = match shared.service.call(request.map(Body::from)).await {
        Ok(response) => response,
        Err(_) => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            response
        }
    };
    let headers = response.headers_mut();
    headers.insert(SERVER, HeaderValue::from_static("AmazonS3"));
    if let Ok(id) = HeaderValue::try_from(format!("{number:016X}")) {
        headers.insert(REQUEST_ID, id.clone());
        headers.insert(EXTENDED_REQUEST_ID, id);
    }
    Ok(response)
}
