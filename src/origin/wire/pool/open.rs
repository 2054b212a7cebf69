//! Opening connections: a permit of the pool, a place of the process, an address, TLS, HTTP.

use std::{sync::Arc, time::Duration};

use http::uri::Scheme;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::{
    runtime::Handle,
    sync::OwnedSemaphorePermit,
    time::{Instant, timeout},
};

use super::{Pool, PoolShared, ReadBuffer, Reuse, conn::Conn, idle::IdleConn, settings::CENTURY};
use crate::{
    error::BoxError,
    origin::wire::{
        WireError, WireErrorKind,
        dial::Line,
        silence::Silence,
        stream::{Stream, server_name},
    },
};

impl Pool {
    /// A new connection, or the one that becomes free while a place for one is waited for; and what it means if it breaks.
    pub(super) async fn open(&self, reuse: Reuse) -> Result<(Box<Conn>, WireErrorKind), WireError> {
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
    pub(super) async fn wait(&self) -> Result<OwnedSemaphorePermit, WireError> {
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

    pub(super) async fn connect(&self, place: OwnedSemaphorePermit) -> Result<Box<Conn>, WireError> {
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
