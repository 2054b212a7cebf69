//! Bytes: passed on unchanged, no faster than the client takes them, and never ended cleanly after a break.

use std::{
    collections::VecDeque,
    convert::Infallible,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http::{Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::{mpsc, oneshot},
    time::timeout,
};
use tower::ServiceExt;

use tower_s3_proxy::Transport;

use crate::support::{
    Answer, BUCKET, Client, FnClient, Protocol, ask, get, is_cached, mount, mount_at, once, origin, proxy,
    read_head, request, s3, serve,
};

/// Longer than anything here takes; only a hang gets there.
const HANG: Duration = Duration::from_secs(20);

const MIB: usize = 1 << 20;

fn pattern(len: usize) -> Bytes {
    (0..251).cycle().take(len).collect()
}

/// A body of known frames.
struct Frames(VecDeque<Bytes>);

impl Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.iter().map(|bytes| bytes.len() as u64).sum())
    }
}

#[tokio::test]
async fn frames_of_the_origin_are_the_frames_of_the_answer() {
    let sizes = [1, 16 * 1024, 7, MIB, 256 * 1024];
    let frames: Vec<Bytes> = sizes.map(pattern).into();
    let total: usize = sizes.iter().sum();
    let sent = frames.clone();
    let client = FnClient(move |_: HttpRequest| {
        let response = Response::builder()
            .header("content-length", total)
            .body(SdkBody::from_body_1_x(Frames(sent.iter().cloned().collect())))
            .unwrap();
        HttpResponse::try_from(response).unwrap()
    });
    let s3 = s3().await;
    let service = proxy(mount(&s3).transport(&Transport::builder().http_client(client).build().unwrap()));
    let response = service.oneshot(get("/a")).await.unwrap();
    let mut body = response.into_body();
    assert_eq!(body.size_hint().exact(), Some(total as u64));
    let mut received = Vec::new();
    while let Some(frame) = body.frame().await {
        received.push(frame.unwrap().into_data().unwrap());
    }
    let places = |frames: &[Bytes]| frames.iter().map(|f| (f.as_ptr(), f.len())).collect::<Vec<_>>();
    if is_cached() {
        // What a cache keeps is copied, and who comes behind reads the copy.
        assert_eq!(received.concat(), frames.concat());
    } else {
        assert_eq!(places(&received), places(&frames), "the same allocations, in the same frames");
    }
}

#[tokio::test]
async fn large_objects_arrive_whole() {
    let s3 = s3().await;
    let object = pattern(8 * MIB + 3);
    s3.store().put(BUCKET, "large", object.clone());
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let server = serve(protocol, proxy(mount(&s3))).await;
        let mut client = Client::connect(protocol, server.addr).await;
        assert!(client.ask(get("/large")).await.body == object, "{protocol:?}");
        let part = client.ask(request("GET", "/large", &[("range", "bytes=1048577-")])).await;
        assert!(part.body == object[MIB + 1..], "{protocol:?}");
    }
}

/// Without a socket towards the client nothing but the kernel's buffers lies between: a body that nobody polls reads
/// nothing. With a slow client there are two more of these, and one frame.
#[tokio::test]
async fn no_more_is_read_from_s3_than_the_client_takes() {
    const TOTAL: usize = 64 * MIB;
    let written = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&written);
    let addr = origin(move |_, mut stream| {
        let counter = Arc::clone(&counter);
        async move {
            while read_head(&mut stream).await.is_some() {
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {TOTAL}\r\n\r\n");
                stream.write_all(head.as_bytes()).await.unwrap();
                let chunk = pattern(64 * 1024);
                for _ in 0..TOTAL / chunk.len() {
                    if stream.write_all(&chunk).await.is_err() {
                        return;
                    }
                    counter.fetch_add(chunk.len(), Ordering::Relaxed);
                }
            }
        }
    })
    .await;

    // A body that is held and not polled.
    let response = proxy(mount_at(addr)).oneshot(get("/a")).await.unwrap();
    let stalled_at = when_stalled(&written).await;
    assert!(stalled_at <= 8 * MIB, "{stalled_at} bytes were read ahead");
    drop(response);

    // A client that reads the head and no more, until it reads all.
    for protocol in [Protocol::Http1, Protocol::Http2] {
        written.store(0, Ordering::Relaxed);
        let server = serve(protocol, proxy(mount_at(addr))).await;
        let mut client = Client::connect(protocol, server.addr).await;
        let response = client.send(get("/a")).await.unwrap();
        let stalled_at = when_stalled(&written).await;
        assert!(stalled_at <= 16 * MIB, "{protocol:?}: {stalled_at} bytes were read ahead");
        let body = timeout(HANG, response.into_body().collect()).await.unwrap().unwrap();
        assert_eq!(body.to_bytes().len(), TOTAL, "{protocol:?}: it goes on where it stood");
    }
}

/// The count once it has stood still for a while: there is no event for "nothing more happens".
async fn when_stalled(count: &AtomicUsize) -> usize {
    let mut last = usize::MAX;
    loop {
        let now = count.load(Ordering::Relaxed);
        if now == last {
            return now;
        }
        last = now;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// An origin that sends the head and a bit of the body, and then says when the connection was closed.
async fn unfinished_origin() -> (std::net::SocketAddr, mpsc::UnboundedReceiver<()>) {
    let (closed, closings) = mpsc::unbounded_channel();
    let addr = origin(move |_, mut stream| {
        let closed = closed.clone();
        async move {
            read_head(&mut stream).await.unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nbegin").await.unwrap();
            let mut rest = Vec::new();
            // An end or a reset: both mean that the other side is gone.
            let _ = stream.read_to_end(&mut rest).await;
            assert!(rest.is_empty());
            let _ = closed.send(());
        }
    })
    .await;
    (addr, closings)
}

#[tokio::test]
async fn dropping_the_body_closes_the_connection_to_s3() {
    let (addr, mut closings) = unfinished_origin().await;
    let service = proxy(mount_at(addr));
    let mut body = service.oneshot(get("/a")).await.unwrap().into_body();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "begin");
    assert!(closings.try_recv().is_err(), "still open");
    drop(body);
    timeout(HANG, closings.recv()).await.expect("the origin sees the end").unwrap();
}

#[tokio::test]
async fn a_client_that_goes_away_takes_the_connection_to_s3_with_it() {
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let (addr, mut closings) = unfinished_origin().await;
        let server = serve(protocol, proxy(mount_at(addr))).await;
        let mut client = Client::connect(protocol, server.addr).await;
        let mut body = client.send(get("/a")).await.unwrap().into_body();
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "begin");
        assert!(closings.try_recv().is_err(), "{protocol:?}: still open");
        drop((body, client));
        let closed = timeout(HANG, closings.recv()).await;
        closed.unwrap_or_else(|_| panic!("{protocol:?}: the origin sees the end")).unwrap();
    }
}

#[tokio::test]
async fn a_request_that_is_dropped_before_the_answer_closes_the_connection_to_s3() {
    let (asked, was_asked) = oneshot::channel();
    let (closed, was_closed) = oneshot::channel();
    let once = std::sync::Mutex::new(Some((asked, closed)));
    let addr = origin(move |_, mut stream| {
        let (asked, closed) = once.lock().unwrap().take().expect("one connection");
        async move {
            read_head(&mut stream).await.unwrap();
            asked.send(()).unwrap();
            assert_eq!(read_head(&mut stream).await, None);
            closed.send(()).unwrap();
        }
    })
    .await;
    let waiting = tokio::spawn(proxy(mount_at(addr)).oneshot(get("/a")));
    was_asked.await.unwrap();
    waiting.abort();
    timeout(HANG, was_closed).await.expect("the origin sees the end").unwrap();
}

#[tokio::test]
async fn a_body_that_breaks_off_is_an_error_for_the_client() {
    let s3 = s3().await;
    s3.store().put(BUCKET, "broken", pattern(MIB));
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let server = serve(protocol, proxy(once(mount(&s3)))).await;
        for after in [0, 1, 1000, MIB as u64 - 1] {
            s3.store().break_off(BUCKET, "broken", after, 1);
            let mut client = Client::connect(protocol, server.addr).await;
            let response = client.send(get("/broken")).await.unwrap();
            assert_eq!(response.status(), if after == 0 { 502 } else { 200 });
            if after == 0 {
                continue;
            }
            let mut body = response.into_body();
            let mut received = 0;
            let ended = loop {
                match body.frame().await {
                    Some(Ok(frame)) => received += frame.into_data().unwrap().len(),
                    Some(Err(error)) => break Some(error),
                    None => break None,
                }
            };
            assert!(ended.is_some(), "{protocol:?}: a clean end after {received} of {MIB} bytes");
            assert!(received as u64 <= after);
        }
        let mut client = Client::connect(protocol, server.addr).await;
        assert_eq!(client.ask(get("/broken")).await.body.len(), MIB, "the next one is whole");
    }
}

#[tokio::test]
async fn every_way_to_break_off_is_an_error() {
    for (what, answer) in [
        ("a length", &b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n12345"[..]),
        ("chunks", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n12345\r\n"),
        ("a chunk", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\na\r\n12345"),
        ("no HTTP", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n12345\r\nxyz\r\n"),
    ] {
        let addr = origin(move |_, mut stream| async move {
            read_head(&mut stream).await.unwrap();
            stream.write_all(answer).await.unwrap();
        })
        .await;
        let response = proxy(mount_at(addr)).oneshot(get("/a")).await.unwrap();
        assert_eq!(response.status(), 200, "{what}");
        assert!(response.into_body().collect().await.is_err(), "{what} ended cleanly");
    }
}

#[tokio::test]
async fn chunked_answers_arrive_whole() {
    let addr = origin(|number, mut stream| async move {
        assert_eq!(number, 0, "the connection is used again");
        while read_head(&mut stream).await.is_some() {
            let answer =
                b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n12345\r\n1\r\n6\r\n0\r\n\r\n";
            stream.write_all(answer).await.unwrap();
        }
    })
    .await;
    let service = proxy(mount_at(addr));
    for _ in 0..3 {
        assert_eq!(ask(&service, get("/a")).await.text(), "123456");
    }
}

#[tokio::test]
async fn an_answer_that_is_no_http_is_a_bad_gateway() {
    let long_head = format!("HTTP/1.1 200 OK\r\nx-long: {}\r\n\r\n", "x".repeat(MIB)).leak();
    for answer in ["SSH-2.0-OpenSSH_9.6\r\n", "HTTP/1.1 2", "", long_head] {
        let connections = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&connections);
        let answer: &'static str = answer;
        let addr = origin(move |_, mut stream| {
            counter.fetch_add(1, Ordering::Relaxed);
            async move {
                read_head(&mut stream).await;
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        })
        .await;
        let answered = ask(&proxy(once(mount_at(addr))), get("/a")).await;
        assert_eq!(answered.status, StatusCode::BAD_GATEWAY, "{answer:.20}");
        assert_eq!(connections.load(Ordering::Relaxed), 1, "a fresh connection that breaks is not retried");
    }
}

// --- connections ---

#[tokio::test]
async fn requests_one_after_the_other_share_a_connection() {
    let s3 = s3().await;
    s3.store().put(BUCKET, "small", pattern(10));
    s3.store().put(BUCKET, "empty", Bytes::new());
    s3.store().put(BUCKET, "large", pattern(MIB));
    let service = proxy(mount(&s3).default_cache_control("no-cache"));
    let rows = [
        ("GET", "/small", &[][..], 200),
        ("GET", "/large", &[], 200),
        ("GET", "/empty", &[], 200),
        ("HEAD", "/large", &[], 200),
        ("GET", "/small", &[("range", "bytes=0-1")], 206),
        ("GET", "/small", &[("if-none-match", "*")], 304),
        ("GET", "/small", &[("if-match", "\"x\"")], 412),
        ("GET", "/small", &[("range", "bytes=99-")], 416),
        ("GET", "/missing", &[], 404),
        ("HEAD", "/missing", &[], 404),
    ];
    for round in 0..10 {
        for (method, path, fields, status) in rows {
            let answer = ask(&service, request(method, path, fields)).await;
            assert_eq!(answer.status, status, "round {round}: {method} {path}");
        }
    }
    // After an answer that announces a body without having one, a connection rests: to HEAD, and a 304.
    let log = s3.log();
    let rests = log.iter().filter(|seen| seen.method == "HEAD" || seen.headers.contains_key("if-none-match"));
    let rests = rests.count() as u64;
    assert!(s3.connections() <= 1 + rests, "{} connections, {rests} rests", s3.connections());
}

#[tokio::test]
async fn mounts_share_connections_unless_they_have_a_transport_of_their_own() {
    let s3 = s3().await;
    s3.store().put(BUCKET, "small", pattern(10));
    let own = Transport::builder().build().unwrap();
    for (mounts, connections) in [
        ([mount(&s3), mount(&s3)], 1),
        // The way there is not the same.
        ([mount(&s3), mount(&s3).connect_to(s3.addr().to_string())], 2),
        ([mount(&s3).transport(&own), mount(&s3).transport(&own)], 1),
        ([mount(&s3), mount(&s3).transport(&own)], 2),
    ] {
        let before = s3.connections();
        for service in &mounts.map(proxy) {
            assert_eq!(ask(service, get("/small")).await.status, 200);
        }
        assert_eq!(s3.connections() - before, connections);
    }
}

#[tokio::test]
async fn concurrent_requests_need_no_more_connections_than_they_are() {
    let s3 = s3().await;
    s3.store().put(BUCKET, "small", pattern(10));
    let service = proxy(mount(&s3));
    for _ in 0..20 {
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let service = service.clone();
            tasks.spawn(async move { ask(&service, get("/small")).await.status });
        }
        assert!(tasks.join_all().await.iter().all(|status| *status == 200));
    }
    assert!(s3.connections() <= 8, "{} connections", s3.connections());
}

#[tokio::test]
async fn clones_of_a_mount_share_its_connections() {
    let s3 = s3().await;
    s3.store().put(BUCKET, "small", pattern(10));
    let mount = mount(&s3).build().unwrap();
    for _ in 0..3 {
        let service = tower_s3_proxy::S3Proxy::new(mount.clone());
        assert_eq!(ask(&service, get("/small")).await.status, 200);
    }
    assert_eq!(s3.connections(), 1);
}

/// The two ways in which a kept connection turns out to be dead: seen before it is used, and only after.
#[tokio::test]
async fn a_kept_connection_that_is_dead_goes_unnoticed() {
    for closes_when_asked in [false, true] {
        let connections = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&connections);
        let (closed, mut closings) = mpsc::unbounded_channel();
        let addr = origin(move |_, mut stream| {
            counter.fetch_add(1, Ordering::Relaxed);
            let closed = closed.clone();
            async move {
                if read_head(&mut stream).await.is_none() {
                    return;
                }
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
                if closes_when_asked {
                    read_head(&mut stream).await;
                }
                drop(stream);
                let _ = closed.send(());
            }
        })
        .await;
        let service = proxy(mount_at(addr));
        for n in 0..10 {
            let answer: Answer = ask(&service, get("/a")).await;
            assert_eq!(
                (answer.status.as_u16(), answer.text()),
                (200, "ok"),
                "request {n}: {:?}",
                answer.error
            );
            if !closes_when_asked {
                closings.recv().await.unwrap();
            }
        }
        assert_eq!(connections.load(Ordering::Relaxed), 10, "closes when asked: {closes_when_asked}");
    }
}

#[tokio::test]
async fn bytes_after_an_answer_never_become_the_next_answer() {
    let addr = origin(|_, mut stream| async move {
        while read_head(&mut stream).await.is_some() {
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil";
            if stream.write_all(answer).await.is_err() {
                return;
            }
        }
    })
    .await;
    let service = proxy(mount_at(addr));
    for _ in 0..10 {
        assert_eq!(ask(&service, get("/a")).await.text(), "ok");
    }
}
