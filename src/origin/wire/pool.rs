//! A pool of HTTP/1.1 connections to one host, which costs little compared with the signing.
//!
//! The user of a connection drives it: the future that waits for the head, then the body that is read. There is no task
//! per connection, so nothing is woken twice, nothing is read unasked, and dropping the future or the body closes the
//! connection.

mod body;
mod budget;
mod conn;
mod idle;
mod reaper;
#[cfg(feature = "diagnosis")]
mod steps;
mod upload;

use std::{
    collections::HashMap,
    fmt,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use aws_smithy_types::body::SdkBody;
use http::{
    HeaderMap, HeaderValue, Request, Response, StatusCode,
    header::{CONTENT_LENGTH, HOST, PROXY_AUTHORIZATION, TRANSFER_ENCODING},
    uri::Scheme,
};
use http_body::Body;
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::{
    runtime::{self, Handle},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout, timeout_at},
};
use tokio_rustls::TlsConnector;

pub(super) use self::body::PooledBody;
pub(crate) use self::budget::Budget;
#[cfg(feature = "diagnosis")]
pub(crate) use self::steps::TlsFault;
use self::{
    conn::Conn,
    idle::{Idle, IdleConn, Left, Rest},
    reaper::Reaper,
};
use super::{
    ConnectTo, WireError, WireErrorKind,
    dial::{Avoided, DialSettings, Dialer, Line, Manner, Via},
    proxy::{Proxies, absolute},
    silence::Silence,
    stream::{Stream, bare, server_name},
};
use crate::error::BoxError;

/// Pools by host, which the mounts of one transport share, and the settings that belong to one mount.
#[derive(Clone)]
pub(crate) struct Pools {
    shared: Arc<PoolsShared>,
    connect_to: Option<ConnectTo>,
    read_buffer: ReadBuffer,
    peer: Peer,
    tls: Option<TlsConnector>,
    proxies: Arc<Proxies>,
}

struct PoolsShared {
    settings: PoolSettings,
    budget: Arc<Budget>,
    /// A pool lives as long as a mount refers to it.
    by_host: Mutex<HashMap<Host, Weak<PoolShared>>>,
    /// All buckets of a region have the same addresses.
    avoided: Arc<Avoided>,
}

/// Connections to one host. Clones share them.
#[derive(Clone)]
pub(crate) struct Pool(Arc<PoolShared>);

struct PoolShared {
    host: Host,
    settings: PoolSettings,
    tls: Option<TlsConnector>,
    dialer: Dialer,
    forward: Option<Forward>,
    /// A permit for each connection that is not idle. One that is idle keeps its own unless somebody may wait for it: then
    /// requests take and return none.
    free: Arc<Semaphore>,
    /// Which its connections have a place of.
    budget: Arc<Budget>,
    idle: Mutex<Idle>,
}

/// For requests that a proxy forwards.
struct Forward {
    authorization: Option<HeaderValue>,
}

/// The destination of connections, and how they are read: connections that differ in any of these are not
/// interchangeable.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Host {
    scheme: Scheme,
    name: String,
    port: u16,
    connect_to: Option<ConnectTo>,
    read_buffer: ReadBuffer,
    peer: Peer,
}

#[derive(Debug, Clone)]
pub(crate) struct PoolSettings {
    pub(crate) dial: DialSettings,
    /// From TCP's connection to the end of TLS's handshake.
    pub(crate) tls_timeout: Duration,
    /// From sending the request to the first byte of the response's body.
    pub(crate) response_timeout: Duration,
    /// From one piece of a body to the next.
    pub(crate) read_timeout: Duration,
    /// For each host, idle ones included.
    pub(crate) max_connections: usize,
    /// For each host.
    pub(crate) max_idle: usize,
    pub(crate) idle_timeout: Duration,
    /// From its opening to the last request that it serves.
    pub(crate) max_age: Duration,
}

/// The read buffer of a connection, which limits how far it reads ahead of the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum ReadBuffer {
    /// Up to 256 KiB while much data comes: an object of 1 MiB takes a tenth less CPU time than with 64 KiB.
    Growing,
    /// Always 64 KiB, for reads that a cache keeps: buffers that grow and shrink leave holes in the allocator's memory.
    /// With them, a process with a cache of 256 MiB took a tenth more.
    Steady,
}

/// Whether a kept connection may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reuse {
    Allowed,
    Fresh,
}

/// Who answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Peer {
    /// AWS: where an answer has no body, none comes.
    Aws,
    Other,
}

// === impl Pools ===

impl Pools {
    /// Without TLS.
    pub(crate) fn new(settings: PoolSettings) -> Self {
        Self::within(Budget::of_process(), settings)
    }

    fn within(budget: Arc<Budget>, settings: PoolSettings) -> Self {
        let (by_host, avoided) = (Mutex::default(), Arc::default());
        let shared = Arc::new(PoolsShared { settings, budget, by_host, avoided });
        Self {
            shared,
            connect_to: None,
            read_buffer: ReadBuffer::Growing,
            peer: Peer::Other,
            tls: None,
            proxies: Arc::default(),
        }
    }

    pub(crate) fn with_tls(self, tls: Option<TlsConnector>) -> Self {
        Self { tls, ..self }
    }

    #[cfg(feature = "diagnosis")]
    pub(crate) fn has_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// The same pools, with another address to connect to.
    pub(crate) fn connecting_to(self, connect_to: Option<ConnectTo>) -> Self {
        Self { connect_to, ..self }
    }

    pub(crate) fn through(self, proxies: Proxies) -> Self {
        Self { proxies: Arc::new(proxies), ..self }
    }

    pub(crate) fn reading_into(self, read_buffer: ReadBuffer) -> Self {
        Self { read_buffer, ..self }
    }

    pub(crate) fn asking(self, peer: Peer) -> Self {
        Self { peer, ..self }
    }

    pub(crate) fn pool(&self, scheme: &Scheme, name: &str, port: u16) -> Pool {
        let Self { connect_to, read_buffer, peer, tls, .. } = self.clone();
        let host =
            Host { scheme: scheme.clone(), name: name.to_owned(), port, connect_to, read_buffer, peer };
        let mut by_host = self.shared.by_host.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pool) = by_host.get(&host).and_then(Weak::upgrade) {
            return Pool(pool);
        }
        by_host.retain(|_, pool| pool.strong_count() > 0);
        let (mut settings, budget) = (self.shared.settings.clone(), Arc::clone(&self.shared.budget));
        // Who waits for a connection of the host gets one that becomes free; who waits for the budget, only a place.
        settings.max_connections = settings.max_connections.min(budget.most());
        let (free, idle) = (Arc::new(Semaphore::new(settings.max_connections)), Mutex::default());
        let via = host.via(&self.proxies, tls.as_ref());
        let forward = match &via {
            Some(Via { manner: Manner::Forward, proxy, .. }) => {
                Some(Forward { authorization: proxy.authorization.clone() })
            }
            Some(Via { manner: Manner::Tunnel, .. }) | None => None,
        };
        let avoided = Arc::clone(&self.shared.avoided);
        let dialer = Dialer::new(host.address(), via, settings.dial.clone(), avoided);
        let host_of_pool = host.clone();
        let pool = PoolShared { host: host_of_pool, settings, tls, dialer, forward, free, budget, idle };
        let pool = Arc::new(pool);
        pool.budget.add(&pool);
        by_host.insert(host, Arc::downgrade(&pool));
        Pool(pool)
    }
}

impl fmt::Debug for Pools {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pools").field(&self.shared.settings).finish()
    }
}

// === impl Pool ===

impl Pool {
    pub(super) async fn send(
        &self,
        mut request: Request<SdkBody>,
        reuse: Reuse,
    ) -> Result<Response<PooledBody>, WireError> {
        if let Some(forward) = &self.0.forward {
            forward.address(&mut request)?;
        }
        let kept = match reuse {
            Reuse::Allowed => self.check_out(),
            Reuse::Fresh => None,
        };
        let (mut conn, broken) = match kept {
            Some(conn) => (conn, WireErrorKind::Stale),
            // Boxed: rare, and large beside the rest.
            None => Box::pin(self.open(reuse)).await?,
        };
        conn.deadline = Instant::now() + self.0.settings.response_timeout.min(CENTURY);
        let response = match timeout_at(conn.deadline, conn.exchange(request)).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Err(self.fault(broken, error, conn.peer)),
            Err(elapsed) => return Err(self.fault(WireErrorKind::Timeout, elapsed, conn.peer)),
        };
        if self.0.forward.is_some() && response.status() == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
            let why = "the proxy wants other credentials than the URL of the proxy has";
            return Err(WireError::new(WireErrorKind::Connect, why).of(conn.peer));
        }
        Ok(self.received(response, conn))
    }

    /// The response with its body, which has the connection as long as it is read.
    fn received(&self, response: Response<Incoming>, conn: Box<Conn>) -> Response<PooledBody> {
        let mut response = response.map(|incoming| PooledBody::new(incoming, conn, self.clone()));
        if response.body().is_end_stream() {
            let rest = match self.0.host.peer {
                Peer::Other if announces_body(response.headers()) => Rest::Needed,
                Peer::Aws | Peer::Other => Rest::Over,
            };
            response.body_mut().give_back(rest);
        }
        response
    }

    /// Tries the address after the others of its host for 30 s. Connections to it that are kept stay in use.
    ///
    /// So a request that is to go elsewhere is sent again with [`Reuse::Fresh`], once its address is avoided. The pool avoids
    /// by itself what refuses, does not answer in time, or breaks off: `send` and the body have done so when they return an
    /// error other than [`WireErrorKind::Stale`], whose [`peer`](WireError::peer) it is. What is left to the caller is an
    /// answer like SlowDown and a body that stands still: [`PooledBody::avoid_peer`] is for both.
    pub(super) fn avoid(&self, address: SocketAddr) {
        self.0.dialer.avoid(address);
    }

    fn fault(&self, kind: WireErrorKind, why: impl Into<BoxError>, peer: SocketAddr) -> WireError {
        match kind {
            // S3 closes what was idle for too long: that says nothing about its address.
            WireErrorKind::Stale | WireErrorKind::Unfinished => {}
            WireErrorKind::Connect
            | WireErrorKind::Overloaded
            | WireErrorKind::Timeout
            | WireErrorKind::Broken => self.avoid(peer),
        }
        WireError::new(kind, why).of(peer)
    }

    /// A new connection, or the one that becomes free while a place for one is waited for; and what it means if it breaks.
    async fn open(&self, reuse: Reuse) -> Result<(Box<Conn>, WireErrorKind), WireError> {
        let permit = match self.permit_at_once() {
            Some(permit) => permit,
            None => {
                let permit = self.wait().await?;
                if reuse == Reuse::Allowed
                    && let Some(IdleConn { mut conn, .. }) = self.take_usable()
                {
                    conn.permit = Some(permit);
                    return Ok((conn, WireErrorKind::Stale));
                }
                permit
            }
        };
        self.make_room();
        let deadline = Instant::now() + self.0.settings.dial.connect_timeout;
        let place = self.0.budget.place(deadline).await.ok_or_else(overloaded)?;
        let mut conn = self.connect(place).await?;
        conn.permit = Some(permit);
        Ok((conn, WireErrorKind::Broken))
    }

    /// If need be, that of an idle connection, which can't be used here and is closed for it.
    fn permit_at_once(&self) -> Option<OwnedSemaphorePermit> {
        loop {
            if let Ok(permit) = Arc::clone(&self.0.free).try_acquire_owned() {
                return Some(permit);
            }
            let idle = self.idle().take_oldest(|idle| idle.conn.permit.is_some());
            drop(idle?);
        }
    }

    /// Waits until a connection is idle or closed.
    async fn wait(&self) -> Result<OwnedSemaphorePermit, WireError> {
        let free = Arc::clone(&self.0.free).acquire_owned();
        let waited = timeout(self.0.settings.dial.connect_timeout, free).await;
        // The semaphore is never closed.
        waited.ok().and_then(Result::ok).ok_or_else(overloaded)
    }

    /// Closes an idle connection without a permit, if there are as many connections as there can be with the one to be
    /// opened.
    fn make_room(&self) {
        let most = self.0.settings.max_connections;
        let mut idle = self.idle();
        let permitted = most.saturating_sub(self.0.free.available_permits());
        let closed = match permitted + idle.without_permit() > most {
            true => idle.take_oldest(|idle| idle.conn.permit.is_none()),
            false => None,
        };
        drop(idle);
        drop(closed);
    }

    async fn connect(&self, place: OwnedSemaphorePermit) -> Result<Box<Conn>, WireError> {
        let PoolShared { host, settings, tls, dialer, .. } = &*self.0;
        let connect_error = |why: BoxError| WireError::new(WireErrorKind::Connect, why);
        let tls = match (tls, host.scheme == Scheme::HTTPS) {
            (Some(connector), true) => {
                Some((connector, server_name(&host.name).map_err(|why| connect_error(why.into()))?))
            }
            (None, true) => return Err(connect_error("TLS is not set up".into())),
            (_, false) => None,
        };
        let Line { io, peer } = dialer.connect().await.map_err(|why| connect_error(why.into()))?;
        let stream = match tls {
            Some((connector, name)) => {
                let secured = Stream::secured(io, connector, name, settings.tls_timeout).await;
                secured.map_err(|why| self.fault(WireErrorKind::Connect, why, peer))?
            }
            None => Stream::plain(io),
        };
        let mut http = http1::Builder::new();
        match host.read_buffer {
            ReadBuffer::Growing => http.max_buf_size(256 * 1024),
            ReadBuffer::Steady => http.read_buf_exact_size(Some(64 * 1024)),
        };
        let (allowance, pace) = (stream.allowance(), stream.pace());
        let (sender, driver) = http
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|why| self.fault(WireErrorKind::Connect, why, peer))?;
        Ok(Box::new(Conn {
            sender,
            driver: Some(driver),
            allowance,
            pace,
            peer,
            runtime: Handle::try_current().ok(),
            silence: Silence::new(settings.read_timeout),
            deadline: Instant::now(),
            retires: Instant::now() + spread(settings.max_age),
            permit: None,
            _place: place,
        }))
    }

    /// A kept connection of this runtime that is still open, if nobody waits for it.
    fn check_out(&self) -> Option<Box<Conn>> {
        let mut idle = self.take_usable()?;
        if idle.conn.permit.is_none() {
            match Arc::clone(&self.0.free).try_acquire_owned() {
                Ok(permit) => idle.conn.permit = Some(permit),
                Err(_) => {
                    let surplus = self.idle().put(idle, self.0.settings.max_idle);
                    drop(surplus);
                    return None;
                }
            }
        }
        Some(idle.conn)
    }

    fn take_usable(&self) -> Option<IdleConn> {
        let (runtime, now) = (this_runtime(), Instant::now());
        loop {
            let newest = self.idle().take(runtime);
            let mut idle = newest?;
            if self.is_usable(&mut idle, now) {
                return Some(idle);
            }
        }
    }

    fn check_in(&self, mut conn: Box<Conn>, rest: Rest) {
        let now = Instant::now();
        if now >= conn.retires {
            return;
        }
        let runtime = conn.runtime();
        let mut idle = self.idle();
        // Whoever waits gets it, and then this connection. Asked under the lock: a request that finds no permit looks here
        // before it waits, and so finds either the connection or, in a moment, the permit.
        let permit = if self.0.free.available_permits() == 0 { conn.permit.take() } else { None };
        let surplus = idle.put(IdleConn { conn, since: now, rest }, self.0.settings.max_idle);
        // Those of a runtime that is gone sink to the bottom, and nobody else looks after them.
        let is_old = |idle: &IdleConn| now.duration_since(idle.since) >= self.0.settings.idle_timeout;
        let oldest = if idle.oldest().is_some_and(is_old) { idle.take_oldest(|_| true) } else { None };
        let untended = idle.begin_tending(runtime);
        drop(idle);
        drop(permit);
        drop((surplus, oldest));
        self.0.budget.make_room();
        if let Some(runtime) = untended {
            runtime.spawn(Reaper::new(&self.0, runtime.id()).run());
        }
    }

    /// Closes what a runtime can't use any more.
    fn reap(&self, runtime: runtime::Id) -> Left {
        let now = Instant::now();
        let mut idle = self.idle();
        let useless = idle.sweep(runtime, now, self.0.settings.max_idle, |idle| self.is_usable(idle, now));
        let left = idle.left(runtime);
        if left == Left::Nothing {
            idle.end_tending(runtime);
        }
        drop(idle);
        drop(useless);
        left
    }

    fn is_usable(&self, idle: &mut IdleConn, now: Instant) -> bool {
        now.saturating_duration_since(idle.since) < self.0.settings.idle_timeout
            && now < idle.conn.retires
            && idle.conn.is_idle()
    }

    fn idle(&self) -> MutexGuard<'_, Idle> {
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn overloaded() -> WireError {
    let why = "max_connections are open to the host, or as many as all hosts can have, and none became free in time";
    WireError::new(WireErrorKind::Overloaded, why)
}

/// Connections that were opened together do not all retire at once.
fn spread(age: Duration) -> Duration {
    let age = age.min(CENTURY);
    age - (age / 10).mul_f64(fastrand::f64())
}

/// The clock reaches no further than that for sure.
const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// Whether the fields say that there are bytes behind them.
fn announces_body(headers: &HeaderMap) -> bool {
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    lengths.any(|length| length != "0") || headers.contains_key(TRANSFER_ENCODING)
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pool").field(&self.0.host).finish()
    }
}

// === impl Host ===

impl Host {
    /// The host and port that connections go to, not always the endpoint's own.
    fn address(&self) -> (&str, u16) {
        match &self.connect_to {
            Some(connect_to) => connect_to.target(self.port),
            None => (bare(&self.name), self.port),
        }
    }

    /// The proxy in between. Proxies forward requests for plain `http`, and let few ports be tunnelled to: squid and tinyproxy
    /// 443 alone, as they come. But a forwarded request has only one name for its host, which `connect_to` needs two of.
    fn via(&self, proxies: &Proxies, tls: Option<&TlsConnector>) -> Option<Via> {
        let proxy = proxies.of(&self.scheme, self.address().0)?.clone();
        let manner = match self.scheme == Scheme::HTTP && self.connect_to.is_none() {
            true => Manner::Forward,
            false => Manner::Tunnel,
        };
        Some(Via { proxy, manner, tls: tls.cloned() })
    }
}

// === impl Forward ===

impl Forward {
    /// Addresses the request to the proxy, which takes its host from the URI (RFC 9112 §3.2.2).
    fn address(&self, request: &mut Request<SdkBody>) -> Result<(), WireError> {
        let unwritable = || WireError::new(WireErrorKind::Broken, "the request names no host");
        let host = request.headers().get(HOST).ok_or_else(unwritable)?;
        *request.uri_mut() = absolute(request.uri(), host).ok_or_else(unwritable)?;
        if let Some(authorization) = &self.authorization {
            request.headers_mut().insert(PROXY_AUTHORIZATION, authorization.clone());
        }
        Ok(())
    }
}

/// `None` outside of any.
fn this_runtime() -> Option<runtime::Id> {
    Handle::try_current().ok().map(|handle| handle.id())
}

#[cfg(test)]
mod tests;
