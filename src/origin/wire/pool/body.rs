use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Instant;

use super::{Pool, conn::Conn, idle::Rest};
use crate::{error::BoxError, origin::wire::Pace};

/// The body of an answer, together with the connection that it is read from.
pub(in crate::origin::wire) struct PooledBody {
    incoming: Incoming,
    /// `None` once the connection has gone back to the pool or is of no more use.
    lease: Option<(Box<Conn>, Pool)>,
}

// === impl PooledBody ===

impl PooledBody {
    pub(super) fn new(incoming: Incoming, conn: Box<Conn>, pool: Pool) -> Self {
        Self { incoming, lease: Some((conn, pool)) }
    }

    /// Until when its first byte must come; `None` if it is over.
    pub(in crate::origin::wire) fn deadline(&self) -> Option<Instant> {
        self.lease.as_ref().map(|(conn, _)| conn.deadline)
    }

    /// Sets how much of the body is taken at a time.
    pub(in crate::origin::wire) fn set_pace(&mut self, pace: Pace) {
        if let Some((conn, _)) = &self.lease {
            conn.pace.set(pace);
        }
    }

    /// Has other connections go to another address of the host for a while, if there is one: [`Pool::avoid`]. It can be told
    /// until the body has been read whole.
    pub(in crate::origin::wire) fn avoid_peer(&self) {
        if let Some((conn, pool)) = &self.lease {
            pool.avoid(conn.peer);
        }
    }

    /// Returns the connection if the response was read whole and the connection is still usable.
    pub(super) fn give_back(&mut self, rest: Rest) {
        if let Some((mut conn, pool)) = self.lease.take()
            && conn.is_idle()
        {
            conn.pace.set(Pace::Full);
            pool.check_in(conn, rest);
        }
    }
}

impl Body for PooledBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        let mut polled = Pin::new(&mut this.incoming).poll_frame(cx);
        if polled.is_pending()
            && let Some((conn, _)) = &mut this.lease
        {
            conn.drive(cx);
            polled = Pin::new(&mut this.incoming).poll_frame(cx);
        }
        let mut polled = polled.map_err(BoxError::from);
        if let Some((conn, _)) = &mut this.lease {
            if polled.is_ready() {
                conn.silence.broken();
            } else {
                polled = conn.silence.poll(cx).map(|silent| Some(Err(silent.into())));
            }
        }
        match &polled {
            // Complete: with its last frame already, since no one may ask for the end.
            Poll::Ready(None) => this.give_back(Rest::Over),
            Poll::Ready(Some(Ok(_))) if this.incoming.is_end_stream() => this.give_back(Rest::Over),
            // Broken: the connection is of no more use.
            Poll::Ready(Some(Err(_))) => {
                this.avoid_peer();
                this.lease = None;
            }
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
