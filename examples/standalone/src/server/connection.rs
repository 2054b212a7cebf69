use std::{
    net::IpAddr,
    pin::{Pin, pin},
    sync::Arc,
    task::{Poll, Waker},
    time::Duration,
};

use http::Request;
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulConnection,
};
use tokio::{sync::watch::Receiver, task::unconstrained, time};
use tower_s3_proxy::{S3Proxy, service::ByteRate};

use super::{
    activity::Activity,
    admission::{Seat, SeatKind},
    answer::Client,
    client_address::Origin,
    detect::Protocol,
    http2::RequestTasks,
    limits::Limits,
    listener::Addressing,
    opening::{Opening, Unopened},
    proxy_protocol,
    role::Role,
    run::Shared,
    socket::Socket,
    watch::Reason,
};

/// A connection that was let in.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) socket: Socket,
    pub(crate) peer: Option<IpAddr>,
    pub(crate) addressing: Addressing,
    pub(crate) role: Role,
    pub(crate) seat: Seat,
}

/// How HTTP/1 is spoken.
#[derive(Debug)]
pub(crate) struct Http1 {
    regular: http1::Builder,
    /// With clients of whom one request is taken.
    reserved: http1::Builder,
}

/// How a connection ended.
enum End {
    Done(Result<(), hyper::Error>),
    Closed(Reason),
}

/// The most that one system call writes of a response, in bytes. Two calls for an object of 1 MiB from memory took a
/// tenth more time than one.
const WRITE_BUFFER: usize = 1024 * 1024;

/// What HTTP/2 keeps of one response until it is sent, in bytes.
const STREAM_BUFFER: usize = 64 * 1024;

/// What an HTTP/2 client can send of bodies before they are asked for, in bytes: the least that the protocol has.
/// Hardly any request has a body.
const WINDOW: u32 = 65_535;

/// An HTTP/2 client that says nothing is asked whether it is there so often, and must answer as fast.
const PING: Duration = Duration::from_secs(20);

/// What a client that has connected gets to send its first request when the server drains: its request is on the way, and
/// nothing tells it of the end. A browser that has connected in advance sends none.
const FIRST_REQUEST: Duration = Duration::from_secs(1);

/// What a client gets to take the end of its connection.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Serves a client until it leaves, a time-out closes the connection, or the server drains.
pub(crate) async fn serve(
    mut accepted: Accepted,
    (server, proxy): (Arc<Shared>, S3Proxy),
    drain: Receiver<()>,
) {
    let _open = server.meters.connection();
    accepted.socket.set_no_delay();
    if accepted.addressing == Addressing::ProxyProtocol
        && let Err(why) = Box::pin(accepted.read_address(&server)).await
    {
        return tracing::debug!("connection closed: {why}");
    }
    let Accepted { socket, peer, role, seat, .. } = accepted;
    let sweep = match seat.kind {
        SeatKind::Regular => &server.sweeps.regular,
        SeatKind::Reserved(_) => &server.sweeps.reserved,
    };
    let timeouts = sweep.timeouts();
    let (activity, seat) = (Arc::new(Activity::default()), Arc::new(seat));
    let place = sweep.watch(&activity, &seat);
    let opening = Opening { tls: role.tls(), limits: &server.limits, timeouts, activity: &activity };
    let opened = tokio::select! {
        opened = opening.open(socket) => opened,
        reason = activity.closed() => return tracing::debug!("connection closed: {reason}"),
        () = first_request_overdue(drain.clone()) => return,
    };
    match &opened {
        Err(Unopened::Undetected(_)) => {}
        opened if role.tls().is_some() => server.meters.handshake(opened.is_ok()),
        _ => {}
    }
    let (protocol, stream) = match opened {
        Ok(opened) => opened,
        Err(why) => return tracing::debug!("connection closed: {why}"),
    };
    place.speaks(protocol);
    if let (SeatKind::Reserved(_), Protocol::Http2) = (seat.kind, protocol) {
        // It could ask for ever, and has no way to be told that each connection has one request.
        return tracing::debug!("connection closed: HTTP/2 beyond a limit of connections");
    }
    let kind = seat.kind;
    let rate = server.limits.bytes_per_second.and_then(|bytes| ByteRate::new(bytes).ok());
    let client = Arc::new(Client {
        server: Arc::clone(&server),
        proxy,
        origin: Origin { peer, is_trusted: server.trusted.trust(peer) },
        role: role.clone(),
        activity: Arc::clone(&activity),
        seat,
        rate,
    });
    let service = service_fn(move |request: Request<Incoming>| client.answer(request));
    let stream = TokioIo::new(stream);
    let end = match protocol {
        Protocol::Http1 => {
            let http1 = match kind {
                SeatKind::Regular => &server.http1.regular,
                SeatKind::Reserved(_) => &server.http1.reserved,
            };
            watched(pin!(http1.serve_connection(stream, service)), protocol, &activity, drain).await
        }
        Protocol::Http2 => {
            let tasks = RequestTasks::new(Arc::clone(&activity), timeouts.write);
            // Boxed: it is large, and rare without TLS.
            let mut connection = Box::pin(http2(&server.limits, tasks).serve_connection(stream, service));
            watched(connection.as_mut(), protocol, &activity, drain).await
        }
    };
    match end {
        End::Done(Ok(())) => {}
        End::Done(Err(error)) => {
            tracing::debug!(error = &error as &dyn std::error::Error, "connection ended");
        }
        End::Closed(reason) => tracing::debug!("connection closed: {reason}"),
    }
}

// === impl Accepted ===

impl Accepted {
    /// Takes the address that the proxy in front tells of its client, and counts the connection against it.
    async fn read_address(&mut self, server: &Shared) -> Result<(), String> {
        let limit = server.sweeps.regular.timeouts().first_byte;
        let told = time::timeout(limit, proxy_protocol::read(&mut self.socket)).await;
        let told = told.map_err(|_| "no header of the PROXY protocol within --first-byte-timeout")?;
        let Some(client) = told.map_err(|why| why.to_string())? else { return Ok(()) };
        self.peer = Some(client);
        if !server.trusted.trust(self.peer) {
            self.seat.count_against(client).map_err(|refusal| {
                server.refusals.closed(refusal);
                "its address has --max-connections-per-address"
            })?;
        }
        Ok(())
    }
}

/// Waits until the server drains, and a client that had connected before could have sent its first request.
async fn first_request_overdue(mut drain: Receiver<()>) {
    drop(drain.changed().await);
    time::sleep(FIRST_REQUEST).await;
}

/// Drives a connection to its end, or until its time is over.
async fn watched<C>(
    mut connection: Pin<&mut C>,
    protocol: Protocol,
    activity: &Activity,
    drain: Receiver<()>,
) -> End
where
    C: GracefulConnection<Error = hyper::Error>,
{
    let mut overdue = pin!(unconstrained(first_request_overdue(drain.clone())));
    // Over HTTP/1, hyper closes a connection without a request at once. Over HTTP/2 GOAWAY leaves the client its time
    // (RFC 9113 §6.8).
    let has_begun = || protocol == Protocol::Http2 || activity.seen().requests.begun() > 0;
    let mut is_draining = false;
    // Neither the watch nor the drain is asked with each piece of a response: they have the task's waker, and what they are
    // asked instead is the load of one number.
    let mut registered: Option<Waker> = None;
    let end = std::future::poll_fn(|cx| {
        if !registered.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            registered = Some(cx.waker().clone());
            activity.register(cx.waker());
            if !is_draining {
                is_draining = overdue.as_mut().poll(cx).is_ready();
                if is_draining {
                    connection.as_mut().graceful_shutdown();
                }
            }
        }
        if let Some(reason) = activity.verdict() {
            return Poll::Ready(End::Closed(reason));
        }
        // An error: the server is gone.
        if !is_draining && drain.has_changed().unwrap_or(true) {
            is_draining = has_begun() || overdue.as_mut().poll(cx).is_ready();
            if is_draining {
                connection.as_mut().graceful_shutdown();
            }
        }
        connection.as_mut().poll(cx).map(End::Done)
    })
    .await;
    match &end {
        End::Closed(Reason::Unread) if activity.seen().blocked => activity.reset(),
        // Another connection has its place already: it gets no time. What it can be told at once is GOAWAY over HTTP/2.
        End::Closed(Reason::GivesWay) => {
            connection.as_mut().graceful_shutdown();
            std::future::poll_fn(|cx| {
                let _ = connection.as_mut().poll(cx);
                Poll::Ready(())
            })
            .await;
        }
        // Over HTTP/2 that is GOAWAY.
        End::Closed(_) => {
            connection.as_mut().graceful_shutdown();
            let _ = time::timeout(LAST_WORDS, connection).await;
        }
        End::Done(_) => {}
    }
    end
}

/// How HTTP/2 is spoken on a connection.
fn http2(limits: &Limits, tasks: RequestTasks) -> http2::Builder<RequestTasks> {
    let mut http2 = http2::Builder::new(tasks);
    http2
        .timer(TokioTimer::new())
        .max_header_list_size(limits.header_size)
        .max_concurrent_streams(limits.streams)
        .max_send_buf_size(STREAM_BUFFER)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING);
    http2
}

// === impl Http1 ===

impl Http1 {
    pub(crate) fn new(limits: &Limits) -> Self {
        let mut regular = http1::Builder::new();
        // Its time-out would begin with the last response, and a kept connection can idle for longer.
        regular.header_read_timeout(None).max_buf_size(WRITE_BUFFER);
        regular.max_header_size(usize::try_from(limits.header_size).unwrap_or(usize::MAX));
        let mut reserved = regular.clone();
        reserved.keep_alive(false);
        Self { regular, reserved }
    }
}
