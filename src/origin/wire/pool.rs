//! A pool of HTTP/1.1 connections to one host, lean enough not to show beside the signing.
//!
//! A connection is driven by whoever uses it: the future that waits for the head, then the body that is read. There
//! is no task per connection, so nothing is woken twice, nothing is read that was not asked for, and dropping the
//! future or the body closes the connection.

#[cfg(feature = "diagnosis")]
mod dial;

use std::{
    collections::HashMap,
    fmt,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::{Context, Poll, Waker},
    time::Duration,
};

use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http::{Request, Response, uri::Scheme};
use http_body::{Body, Frame, SizeHint};
use hyper::{
    body::Incoming,
    client::conn::http1::{self, Connection, SendRequest},
};
use hyper_util::rt::TokioIo;
use tokio::{
    runtime::{self, Handle},
    time::{Instant, timeout, timeout_at},
};
use tokio_rustls::TlsConnector;

#[cfg(feature = "diagnosis")]
pub(crate) use self::dial::TlsFault;
use super::{
    ConnectTo, WireError, WireErrorKind,
    stream::{Allowance, Stream, bare, server_name},
};

/// Pools by host, shared by the mounts of one transport, and what is one mount's own of the way to them.
#[derive(Clone)]
pub(crate) struct Pools {
    shared: Arc<PoolsShared>,
    connect_to: Option<ConnectTo>,
    read_buffer: ReadBuffer,
    tls: Option<TlsConnector>,
}

struct PoolsShared {
    settings: PoolSettings,
    /// A pool lives as long as a mount refers to it.
    by_host: Mutex<HashMap<Host, Weak<PoolShared>>>,
}

/// Connections to one host. Clones share them.
#[derive(Clone)]
pub(crate) struct Pool(Arc<PoolShared>);

struct PoolShared {
    host: Host,
    settings: PoolSettings,
    tls: Option<TlsConnector>,
    /// A stack: the connection used last is the one least likely to have been closed.
    idle: Mutex<Vec<(Box<Conn>, Instant)>>,
}

/// Where connections go, and how they are read: those that differ in any of it are not for each other.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Host {
    scheme: Scheme,
    name: String,
    port: u16,
    connect_to: Option<ConnectTo>,
    read_buffer: ReadBuffer,
}

#[derive(Debug, Clone)]
pub(crate) struct PoolSettings {
    /// DNS, TCP and TLS together.
    pub(crate) connect_timeout: Duration,
    /// From sending the request to the head of the answer.
    pub(crate) response_timeout: Duration,
    pub(crate) max_idle: usize,
    pub(crate) idle_timeout: Duration,
}

/// What connections are read into; the most that is read ahead of what the client takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum ReadBuffer {
    /// Up to 256 KiB, while much comes: an object of 1 MiB takes a tenth less CPU time than with 64 KiB.
    Growing,
    /// 64 KiB, always, for what a cache keeps: buffers that grow and shrink leave holes in the allocator's memory. With them,
    /// a process with a cache of 256 MiB took a tenth more.
    Steady,
}

/// Whether a kept connection may serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reuse {
    Allowed,
    Fresh,
}

/// Boxed once, when it is opened: it travels through futures and bodies with each request.
///
/// Invariant: `driver` is polled only while it is `Some`; it becomes `None` when it has ended.
struct Conn {
    sender: SendRequest<SdkBody>,
    driver: Option<Driver>,
    allowance: Arc<Allowance>,
    /// The one that tells of what the socket can do: while it stands still, or is gone, nothing arrives.
    runtime: Option<runtime::Id>,
}

type Driver = Connection<TokioIo<Stream>, SdkBody>;

/// The body of an answer, together with the connection that it is read from.
pub(crate) struct PooledBody {
    incoming: Incoming,
    /// `None` once the connection has gone back to the pool or is of no more use.
    lease: Option<(Box<Conn>, Pool)>,
}

// === impl Pools ===

impl Pools {
    /// Without TLS.
    pub(crate) fn new(settings: PoolSettings) -> Self {
        let shared = Arc::new(PoolsShared { settings, by_host: Mutex::default() });
        Self { shared, connect_to: None, read_buffer: ReadBuffer::Growing, tls: None }
    }

    pub(crate) fn with_tls(self, tls: Option<TlsConnector>) -> Self {
        Self { tls, ..self }
    }

    /// The same, by another way.
    pub(crate) fn connecting_to(self, connect_to: Option<ConnectTo>) -> Self {
        Self { connect_to, ..self }
    }

    pub(crate) fn reading_into(self, read_buffer: ReadBuffer) -> Self {
        Self { read_buffer, ..self }
    }

    pub(crate) fn pool(&self, scheme: &Scheme, name: &str, port: u16) -> Pool {
        let Self { connect_to, read_buffer, tls, .. } = self.clone();
        let host = Host { scheme: scheme.clone(), name: name.to_owned(), port, connect_to, read_buffer };
        let mut by_host = self.shared.by_host.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pool) = by_host.get(&host).and_then(Weak::upgrade) {
            return Pool(pool);
        }
        by_host.retain(|_, pool| pool.strong_count() > 0);
        let settings = self.shared.settings.clone();
        let pool = Arc::new(PoolShared { host: host.clone(), settings, tls, idle: Mutex::default() });
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
        request: Request<SdkBody>,
        reuse: Reuse,
    ) -> Result<Response<PooledBody>, WireError> {
        let kept = match reuse {
            Reuse::Allowed => self.check_out(),
            Reuse::Fresh => None,
        };
        let (mut conn, broken) = match kept {
            Some(conn) => (conn, WireErrorKind::Stale),
            // Boxed: rare, and large beside the rest.
            None => (Box::pin(self.connect()).await?, WireErrorKind::Broken),
        };
        let response = match timeout(self.0.settings.response_timeout, conn.exchange(request)).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Err(WireError::new(broken, error)),
            Err(elapsed) => return Err(WireError::new(WireErrorKind::Timeout, elapsed)),
        };
        let mut response =
            response.map(|incoming| PooledBody { incoming, lease: Some((conn, self.clone())) });
        if response.body().incoming.is_end_stream() {
            response.body_mut().give_back();
        }
        Ok(response)
    }

    pub(super) fn response_timeout(&self) -> Duration {
        self.0.settings.response_timeout
    }

    async fn connect(&self) -> Result<Box<Conn>, WireError> {
        let PoolShared { host, settings, tls, .. } = &*self.0;
        let connect_error = |error: std::io::Error| WireError::new(WireErrorKind::Connect, error);
        let tls = match (tls, host.scheme == Scheme::HTTPS) {
            (Some(connector), true) => {
                let name = server_name(&host.name).map_err(|e| WireError::new(WireErrorKind::Connect, e))?;
                Some((connector, name))
            }
            (None, true) => return Err(WireError::new(WireErrorKind::Connect, "TLS is not set up")),
            (_, false) => None,
        };
        let deadline = Instant::now() + settings.connect_timeout;
        let stream = timeout_at(deadline, Stream::connect(host.address(), tls))
            .await
            .map_err(|elapsed| WireError::new(WireErrorKind::Connect, elapsed))?
            .map_err(connect_error)?;
        let mut http = http1::Builder::new();
        match host.read_buffer {
            ReadBuffer::Growing => http.max_buf_size(256 * 1024),
            ReadBuffer::Steady => http.read_buf_exact_size(Some(64 * 1024)),
        };
        let allowance = stream.allowance();
        let (sender, driver) = http
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| WireError::new(WireErrorKind::Connect, error))?;
        Ok(Box::new(Conn { sender, driver: Some(driver), allowance, runtime: this_runtime() }))
    }

    /// A kept connection of this runtime that is still open.
    fn check_out(&self) -> Option<Box<Conn>> {
        let runtime = this_runtime();
        loop {
            let (mut conn, since) = {
                let mut idle = self.idle();
                let newest = idle.iter().rposition(|(conn, _)| conn.runtime == runtime)?;
                idle.remove(newest)
            };
            if since.elapsed() < self.0.settings.idle_timeout && conn.is_idle() {
                return Some(conn);
            }
        }
    }

    fn check_in(&self, conn: Box<Conn>) {
        let mut idle = self.idle();
        if idle.len() < self.0.settings.max_idle {
            idle.push((conn, Instant::now()));
        }
        // The oldest lies at the bottom: one look each time keeps a pool that shrinks from keeping dead connections.
        if idle.first().is_some_and(|(_, since)| since.elapsed() >= self.0.settings.idle_timeout) {
            idle.remove(0);
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<(Box<Conn>, Instant)>> {
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pool").field(&self.0.host).finish()
    }
}

// === impl Host ===

impl Host {
    /// The host and port that connections go to: not always the endpoint's own.
    fn address(&self) -> (&str, u16) {
        match &self.connect_to {
            Some(connect_to) => connect_to.target(self.port),
            None => (bare(&self.name), self.port),
        }
    }
}

// === impl Conn ===

impl Conn {
    /// Sends the request and drives the connection until the head of the answer is there.
    async fn exchange(&mut self, request: Request<SdkBody>) -> hyper::Result<Response<Incoming>> {
        let mut answer = pin!(self.sender.send_request(request));
        let mut failure = None;
        self.allowance.limit();
        let answered = poll_fn(|cx| {
            if let Err(error) = drive(&mut self.driver, cx) {
                failure = Some(error);
            }
            match answer.as_mut().poll(cx) {
                // What the driver met says more than that the answer was cancelled.
                Poll::Ready(Err(error)) => Poll::Ready(Err(failure.take().unwrap_or(error))),
                other => other,
            }
        })
        .await;
        self.allowance.lift();
        answered
    }

    /// Whether the connection is open and waits for a request. Polls it without waking anyone.
    fn is_idle(&mut self) -> bool {
        let driven = drive(&mut self.driver, &mut Context::from_waker(Waker::noop()));
        driven.is_ok() && self.driver.is_some() && self.sender.is_ready()
    }
}

/// `None` outside of any.
fn this_runtime() -> Option<runtime::Id> {
    Handle::try_current().ok().map(|handle| handle.id())
}

/// Lets the connection read and write what it can.
fn drive(driver: &mut Option<Driver>, cx: &mut Context<'_>) -> hyper::Result<()> {
    let Some(connection) = driver else { return Ok(()) };
    match Pin::new(connection).poll(cx) {
        Poll::Pending => Ok(()),
        Poll::Ready(ended) => {
            *driver = None;
            ended
        }
    }
}

// === impl PooledBody ===

impl PooledBody {
    /// Returns the connection if the answer was read whole and the connection can go on.
    fn give_back(&mut self) {
        if let Some((mut conn, pool)) = self.lease.take()
            && conn.is_idle()
        {
            pool.check_in(conn);
        }
    }
}

impl Body for PooledBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = self.get_mut();
        let mut polled = Pin::new(&mut this.incoming).poll_frame(cx);
        if polled.is_pending()
            && let Some((conn, _)) = &mut this.lease
        {
            // An error of the driver reaches the body too.
            let _ = drive(&mut conn.driver, cx);
            polled = Pin::new(&mut this.incoming).poll_frame(cx);
        }
        match &polled {
            // Complete: with its last frame already, since no one may ask for the end.
            Poll::Ready(None) => this.give_back(),
            Poll::Ready(Some(Ok(_))) if this.incoming.is_end_stream() => this.give_back(),
            // Broken: the connection is of no more use.
            Poll::Ready(Some(Err(_))) => this.lease = None,
            Poll::Ready(Some(Ok(_))) | Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

#[cfg(test)]
mod tests;
