use std::pin::pin;

use aws_smithy_types::body::SdkBody;
use http::{Request, Response};
use hyper::body::Incoming;
use tokio::time::{Instant, timeout_at};

use super::{CENTURY, Pool, PoolSettings, PooledBody, Reuse, conn::Conn};
use crate::origin::wire::{
    WireError, WireErrorKind,
    upload::{Sent, Stalled},
};

/// A request of which not a byte was written.
struct Unsent {
    request: Request<SdkBody>,
    why: hyper::Error,
}

// === impl Pool ===

impl Pool {
    /// Sends a request with a body. As long as the body moves it may take any time: `read_timeout` is the limit between two
    /// pieces, and `response_timeout` that from the last one to the head of the response.
    ///
    /// It is sent a second time only if a kept connection turns out to be closed before a byte of it was written: S3 may
    /// have done what it was asked for.
    pub(in crate::origin::wire) async fn upload(
        &self,
        mut request: Request<SdkBody>,
        sent: &Sent,
    ) -> Result<Response<PooledBody>, WireError> {
        if let Some(forward) = &self.0.forward {
            forward.address(&mut request)?;
        }
        if let Some(mut conn) = self.check_out() {
            match self.exchange(&mut conn, request, sent).await? {
                Ok(response) => return Ok(self.answered(response, conn)),
                Err(unsent) => request = unsent.request,
            }
        }
        let (mut conn, _) = Box::pin(self.open(Reuse::Fresh)).await?;
        match self.exchange(&mut conn, request, sent).await? {
            Ok(response) => Ok(self.answered(response, conn)),
            Err(unsent) => Err(self.fault(WireErrorKind::Broken, unsent.why, conn.peer)),
        }
    }

    async fn exchange(
        &self,
        conn: &mut Conn,
        request: Request<SdkBody>,
        sent: &Sent,
    ) -> Result<Result<Response<Incoming>, Unsent>, WireError> {
        let (peer, begin) = (conn.peer, Instant::now());
        let PoolSettings { read_timeout, response_timeout, .. } = self.0.settings;
        let mut exchange = pin!(conn.try_exchange(request));
        loop {
            let limit = if sent.is_over() { response_timeout } else { read_timeout }.min(CENTURY);
            let now = Instant::now();
            let due = sent.last_move(begin) + limit;
            if due <= now {
                return Err(match sent.waits_for_client() {
                    true => WireError::new(WireErrorKind::Unfinished, Stalled { limit }),
                    false => self.fault(WireErrorKind::Timeout, Stalled { limit }, peer),
                });
            }
            // The body can end meanwhile, and then the limit is another.
            let look_again = due.min(now + read_timeout.min(response_timeout).min(CENTURY));
            match timeout_at(look_again, exchange.as_mut()).await {
                Ok(Ok(response)) => return Ok(Ok(response)),
                Ok(Err(mut error)) => {
                    let request = error.take_message().filter(|_| sent.is_untouched());
                    let why = error.into_error();
                    return match request {
                        Some(request) => Ok(Err(Unsent { request, why })),
                        None if sent.waits_for_client() => {
                            Err(WireError::new(WireErrorKind::Unfinished, why))
                        }
                        None => Err(self.fault(WireErrorKind::Broken, why, peer)),
                    };
                }
                Err(_) => {}
            }
        }
    }

    fn answered(&self, response: Response<Incoming>, mut conn: Box<Conn>) -> Response<PooledBody> {
        conn.deadline = Instant::now() + self.0.settings.response_timeout.min(CENTURY);
        self.received(response, conn)
    }
}
