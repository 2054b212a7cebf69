//! A pool of HTTP/1.1 connections to one host, which costs little compared with the signing.
//!
//! The user of a connection drives it: the future that waits for the head, then the body that is read. There is no task
//! per connection, so nothing is woken twice, nothing is read unasked, and dropping the future or the body closes the
//! connection.

mod body;
mod budget;
mod conn;
mod forward;
mod host;
mod idle;
mod keep;
mod open;
mod pools;
mod reaper;
mod settings;
#[cfg(feature = "diagnosis")]
mod steps;
mod upload;

use std::{
    fmt,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use aws_smithy_types::body::SdkBody;
use http::{
    HeaderMap, Request, Response, StatusCode,
    header::{CONTENT_LENGTH, TRANSFER_ENCODING},
};
use http_body::Body;
use hyper::body::Incoming;
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout_at},
};
use tokio_rustls::TlsConnector;

pub(super) use self::body::PooledBody;
#[cfg(feature = "diagnosis")]
pub(crate) use self::steps::TlsFault;
pub(crate) use self::{
    budget::Budget,
    host::{Peer, ReadBuffer},
    pools::Pools,
    settings::PoolSettings,
};
use self::{
    conn::Conn,
    forward::Forward,
    host::Host,
    idle::{Idle, Rest},
    settings::CENTURY,
};
use super::{WireError, WireErrorKind, dial::Dialer};
use crate::error::BoxError;

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

/// Whether a kept connection may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reuse {
    Allowed,
    Fresh,
}

// === impl Pool ===

impl Pool {
    /// Sends the request, which is taken for it.
    pub(super) async fn send(
        &self,
        request: &mut Request<SdkBody>,
        reuse: Reuse,
    ) -> Result<Response<PooledBody>, WireError> {
        if let Some(forward) = &self.0.forward {
            forward.address(request)?;
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
}

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

#[cfg(test)]
mod tests;
