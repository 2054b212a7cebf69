use std::{
    future::{Future, poll_fn},
    net::SocketAddr,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Waker},
};

use aws_smithy_types::body::SdkBody;
use http::{Request, Response};
use hyper::{
    body::Incoming,
    client::conn::{
        TrySendError,
        http1::{Connection, SendRequest},
    },
};
use hyper_util::rt::TokioIo;
use tokio::{
    runtime::{self, Handle},
    sync::OwnedSemaphorePermit,
    time::Instant,
};

use crate::origin::wire::{
    exchange::take,
    pace::SharedPace,
    silence::Silence,
    stream::{Allowance, Stream},
};

/// A connection. Boxed once, when it is opened: it travels through futures and bodies with each request.
///
/// Invariant: `driver` is polled only while it is `Some`; it becomes `None` when it has ended.
pub(super) struct Conn {
    pub(super) sender: SendRequest<SdkBody>,
    pub(super) driver: Option<Driver>,
    pub(super) allowance: Arc<Allowance>,
    pub(super) pace: SharedPace,
    pub(super) peer: SocketAddr,
    /// The runtime that watches the socket: while it is not driven, or is gone, nothing arrives.
    pub(super) runtime: Option<Handle>,
    /// Of the body that is read.
    pub(super) silence: Silence,
    /// Until when the first byte of the response must come.
    pub(super) deadline: Instant,
    /// From then on it serves no other request.
    pub(super) retires: Instant,
    /// Of the pool. It can lack one while it is idle.
    pub(super) permit: Option<OwnedSemaphorePermit>,
    /// Of the budget, as long as it is open.
    pub(super) _place: OwnedSemaphorePermit,
}

type Driver = Connection<TokioIo<Stream>, SdkBody>;

// === impl Conn ===

impl Conn {
    /// Sends the request and drives the connection until the head of the answer is there.
    pub(super) async fn exchange(
        &mut self,
        request: &mut Request<SdkBody>,
    ) -> hyper::Result<Response<Incoming>> {
        let mut answer = pin!(self.sender.send_request(take(request)));
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

    /// As [`exchange`](Self::exchange); the error has the request, if nothing of it was written.
    pub(super) async fn try_exchange(
        &mut self,
        request: Request<SdkBody>,
    ) -> Result<Response<Incoming>, TrySendError<Request<SdkBody>>> {
        let mut answer = pin!(self.sender.try_send_request(request));
        self.allowance.limit();
        let answered = poll_fn(|cx| {
            // Its error reaches the answer, too.
            let _ = drive(&mut self.driver, cx);
            answer.as_mut().poll(cx)
        })
        .await;
        self.allowance.lift();
        answered
    }

    /// Lets it read and write what it can. An error reaches the body that is being read, too.
    pub(super) fn drive(&mut self, cx: &mut Context<'_>) {
        let _ = drive(&mut self.driver, cx);
    }

    /// Whether it is open and waits for a request. Polls it without waking anyone.
    pub(super) fn is_idle(&mut self) -> bool {
        let driven = drive(&mut self.driver, &mut Context::from_waker(Waker::noop()));
        driven.is_ok() && self.driver.is_some() && self.sender.is_ready()
    }

    pub(super) fn runtime(&self) -> Option<runtime::Id> {
        self.runtime.as_ref().map(Handle::id)
    }
}

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
