//! What an origin can do to the proxy, and how much of it is under way at a time.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::{sleep, timeout},
};
use tower::{Layer, ServiceExt};
use tower_s3_proxy::{Cache, Mount, ProxyErrorKind, S3Proxy, S3ProxyLayer, Transport, service::NotFound};

use crate::{
    lying::{Framed, KEY, Lie, LyingOrigin, Object},
    support::{
        Answer, BUCKET, Protocol, REGION, ask, bucket, get, mount, mount_at, origin, proxy, raw, read_head,
        request, s3, serve,
    },
};

/// Longer than anything here takes; only a hang gets there.
const HANG: Duration = Duration::from_secs(20);

/// An origin that answers each connection once, and closes it.
async fn once(answer: &'static str) -> SocketAddr {
    origin(move |_, mut stream| async move {
        if read_head(&mut stream).await.is_some() {
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    })
    .await
}

async fn raw_get(addr: SocketAddr, fields: &str) -> String {
    let request = format!("GET /a HTTP/1.1\r\nhost: proxy.test\r\nconnection: close\r\n{fields}\r\n");
    timeout(HANG, raw(addr, &request)).await.expect("no hang")
}

// --- what breaks off ---

#[tokio::test]
async fn an_origin_that_breaks_off_before_the_first_byte_is_a_502() {
    for (fields, answer) in [
        ("", "HTTP/1.1 200 OK\r\netag: \"1\"\r\ncontent-length: 10\r\n\r\n"),
        ("", "HTTP/1.1 200 OK\r\netag: \"1\"\r\ntransfer-encoding: chunked\r\n\r\n"),
        ("", "HTTP/1.1 200 OK\r\netag: \"1\"\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"),
        (
            "range: bytes=2-5\r\n",
            "HTTP/1.1 206 Partial Content\r\netag: \"1\"\r\ncontent-range: bytes 2-5/10\r\ncontent-length: 4\r\n\r\n",
        ),
    ] {
        let server = serve(Protocol::Http1, proxy(mount_at(once(answer).await))).await;
        let got = raw_get(server.addr, fields).await;
        assert!(got.starts_with("HTTP/1.1 502 "), "{answer:?}: {got:?}");
        assert!(got.contains("\r\n\r\n502 Bad Gateway"), "with a whole body: {got:?}");
    }
}

#[tokio::test]
async fn an_origin_that_breaks_off_behind_the_first_byte_is_seen_to() {
    // Data, and what is no chunk, in one packet.
    let answer = "HTTP/1.1 200 OK\r\netag: \"1\"\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n";
    let server = serve(Protocol::Http1, proxy(mount_at(once(answer).await))).await;
    let got = raw_get(server.addr, "").await;
    assert!(got.starts_with("HTTP/1.1 200 ") && got.ends_with("3\r\nabc\r\n"), "cut off, and seen: {got:?}");
}

// --- what comes too much ---

/// What no key has: an answer of its own.
const EVIL: &str = "HTTP/1.1 200 OK\r\netag: \"evil\"\r\ncontent-length: 4\r\n\r\nevil";

/// Announces a body where there is none, and sends it some time later, in a packet of its own.
async fn late(mut stream: TcpStream, status: &str, delay: Duration) {
    while let Some(head) = read_head(&mut stream).await {
        let answers = match head.starts_with("HEAD ") || head.contains("if-none-match") {
            true => {
                let length = EVIL.len();
                [format!("HTTP/1.1 {status}\r\netag: \"1\"\r\ncontent-length: {length}\r\n\r\n"), EVIL.into()]
            }
            false => {
                ["HTTP/1.1 200 OK\r\netag: \"2\"\r\ncontent-length: 4\r\n\r\ngood".into(), String::new()]
            }
        };
        for answer in answers {
            if stream.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
            if head.starts_with("HEAD ") || head.contains("if-none-match") {
                sleep(delay).await;
            }
        }
    }
}

#[tokio::test]
async fn the_body_of_an_answer_without_one_is_never_the_answer_for_another_key() {
    for (method, fields, status) in
        [("HEAD", &[][..], "200 OK"), ("GET", &[("if-none-match", "\"1\"")], "304 Not Modified")]
    {
        for delay in [5, 50].map(Duration::from_millis) {
            let addr = origin(move |_, stream| late(stream, status, delay)).await;
            let service = proxy(mount_at(addr));
            let mut wrong = Vec::new();
            for key in 0..20 {
                ask(&service, request(method, &format!("/head-{key}"), fields)).await;
                let got = ask(&service, get(&format!("/other-{key}"))).await;
                if got.body != "good" {
                    wrong.push(key);
                }
            }
            assert!(wrong.is_empty(), "{method}, {delay:?} later: {} of 20 wrong", wrong.len());
        }
    }
}

#[tokio::test]
async fn interim_responses_without_end_are_a_502() {
    let few = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n".repeat(8);
    for flood in ["HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"] {
        let packet = flood.repeat(1000);
        let (sender, mut written) = mpsc::unbounded_channel();
        let addr = origin(move |_, mut stream| {
            let (packet, sender) = (packet.clone(), sender.clone());
            async move {
                read_head(&mut stream).await;
                let mut count = 0;
                while stream.write_all(packet.as_bytes()).await.is_ok() {
                    count += packet.len();
                }
                let _ = sender.send(count);
            }
        })
        .await;
        let got = timeout(HANG, ask(&proxy(mount_at(addr)), get("/a"))).await.expect("it ends early");
        assert_eq!(got.kind(), Some(ProxyErrorKind::OriginBroken));
        let count = timeout(HANG, written.recv()).await.expect("the connection is closed").unwrap();
        // What lies in the kernel's buffers is not read any more.
        assert!(count < 32 << 20, "{count} bytes");
    }
    // A few are as good as none.
    let answer = format!("{few}HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ngood");
    let addr = once(answer.leak()).await;
    assert_eq!(ask(&proxy(mount_at(addr)), get("/a")).await.body, "good");
}

// --- what is left over ---

#[tokio::test]
async fn connections_that_the_origin_closed_are_closed_without_traffic() {
    const CLIENTS: usize = 20;
    let (sender, mut ended) = mpsc::unbounded_channel();
    let addr = origin(move |_, mut stream| {
        let sender = sender.clone();
        async move {
            read_head(&mut stream).await;
            // All at once, so that each has a connection of its own.
            sleep(Duration::from_millis(100)).await;
            stream
                .write_all(b"HTTP/1.1 200 OK\r\netag: \"1\"\r\ncontent-length: 4\r\n\r\ngood")
                .await
                .unwrap();
            sleep(Duration::from_millis(100)).await;
            stream.shutdown().await.unwrap();
            let _ = stream.read_to_end(&mut Vec::new()).await;
            let _ = sender.send(());
        }
    })
    .await;
    let service = proxy(mount_at(addr));
    let mut clients = tokio::task::JoinSet::new();
    for key in 0..CLIENTS {
        let service = service.clone();
        clients.spawn(async move { ask(&service, get(&format!("/{key}"))).await.status });
    }
    while let Some(status) = clients.join_next().await {
        assert_eq!(status.unwrap(), 200);
    }
    for number in 0..CLIENTS {
        let end = timeout(HANG, ended.recv()).await;
        end.unwrap_or_else(|_| panic!("{} are still open", CLIENTS - number));
    }
}

// --- how much is in flight ---

/// An origin that answers a key when it is told to: the head and one byte at once, the rest of the body on demand.
struct Slow {
    addr: SocketAddr,
    asked: mpsc::UnboundedReceiver<oneshot::Sender<()>>,
}

impl Slow {
    async fn start() -> Self {
        let (sender, asked) = mpsc::unbounded_channel();
        let addr = origin(move |_, mut stream| {
            let sender = sender.clone();
            async move {
                while read_head(&mut stream).await.is_some() {
                    let (go, wait) = oneshot::channel();
                    let head = "HTTP/1.1 200 OK\r\netag: \"1\"\r\ncache-control: max-age=60\r\ncontent-length: 4\r\n\r\n";
                    let _ = sender.send(go);
                    let _ = wait.await;
                    let _ = stream.write_all(format!("{head}good").as_bytes()).await;
                }
            }
        })
        .await;
        Self { addr, asked }
    }

    /// The next request that it sees.
    async fn asked(&mut self) -> oneshot::Sender<()> {
        timeout(HANG, self.asked.recv()).await.expect("the origin is asked").unwrap()
    }

    fn is_asked(&mut self) -> bool {
        self.asked.try_recv().is_ok()
    }
}

/// A request of its own task.
fn spawn(service: &S3Proxy, path: &'static str) -> JoinHandle<Answer> {
    let service = service.clone();
    tokio::spawn(async move { ask(&service, get(path)).await })
}

fn assert_is_turned_away(got: &Answer) {
    assert_eq!((got.status.as_u16(), got.kind()), (503, Some(ProxyErrorKind::Overloaded)), "{got:?}");
    assert_eq!(got.header("retry-after"), "1");
}

#[tokio::test]
async fn beyond_the_requests_in_flight_a_few_wait_and_others_are_turned_away() {
    let mut slow = Slow::start().await;
    let mount = mount_at(slow.addr).max_in_flight(2).max_queued(1).queue_timeout(HANG);
    let service = proxy(mount);
    let (one, two) = (spawn(&service, "/1"), spawn(&service, "/2"));
    let (go_one, go_two) = (slow.asked().await, slow.asked().await);
    let three = spawn(&service, "/3");
    // The queue has no sign of its own: whoever comes when it is full is turned away.
    let mut turned_away = None;
    for _ in 0..20 {
        let four = spawn(&service, "/4");
        if let Ok(answer) = timeout(Duration::from_millis(100), four).await {
            turned_away = Some(answer.unwrap());
            break;
        }
        assert!(!three.is_finished(), "the third waits");
    }
    assert_is_turned_away(&turned_away.expect("the queue has an end"));
    assert!(!slow.is_asked(), "two are in flight");
    go_one.send(()).unwrap();
    assert_eq!(one.await.unwrap().body, "good");
    slow.asked().await.send(()).unwrap();
    go_two.send(()).unwrap();
    assert_eq!((two.await.unwrap().status.as_u16(), three.await.unwrap().status.as_u16()), (200, 200));
}

#[tokio::test]
async fn nobody_waits_for_others_for_longer_than_the_queue_timeout() {
    let mut slow = Slow::start().await;
    let mount = mount_at(slow.addr).max_in_flight(1).queue_timeout(Duration::from_millis(50));
    let service = proxy(mount);
    let one = spawn(&service, "/1");
    let go = slow.asked().await;
    assert_is_turned_away(&timeout(HANG, spawn(&service, "/2")).await.expect("no hang").unwrap());
    go.send(()).unwrap();
    assert_eq!(one.await.unwrap().body, "good");
    assert!(!slow.is_asked());
}

#[tokio::test]
async fn what_is_in_the_cache_is_served_though_nothing_more_can_be_in_flight() {
    let mut slow = Slow::start().await;
    let cache = Cache::builder(1 << 20).build().unwrap();
    let service = proxy(mount_at(slow.addr).cache(&cache).max_in_flight(1).max_queued(0));
    let one = spawn(&service, "/1");
    slow.asked().await.send(()).unwrap();
    assert_eq!(one.await.unwrap().body, "good");
    let two = spawn(&service, "/2");
    let go = slow.asked().await;
    assert_eq!(ask(&service, get("/1")).await.body, "good");
    assert_is_turned_away(&ask(&service, get("/3")).await);
    go.send(()).unwrap();
    assert_eq!(two.await.unwrap().body, "good");
}

/// A body that is not read, and then dropped.
#[tokio::test]
async fn a_request_is_in_flight_until_its_body_is_read_or_dropped() {
    const SIZE: usize = 32 << 20;
    let addr = origin(|_, mut stream| async move {
        while let Some(head) = read_head(&mut stream).await {
            let size = if head.contains("/large") { SIZE } else { 4 };
            let head = format!("HTTP/1.1 200 OK\r\netag: \"1\"\r\ncontent-length: {size}\r\n\r\n");
            if stream.write_all(&[head.into_bytes(), vec![7; size]].concat()).await.is_err() {
                return;
            }
        }
    })
    .await;
    let mount = Mount::builder(bucket(BUCKET)).path_style(true).region(REGION).anonymous();
    let mount = mount.endpoint_url(format!("http://{addr}")).max_in_flight(1).max_queued(0);
    let service = proxy(mount);
    let unread = service.clone().oneshot(get("/large")).await.unwrap();
    assert_is_turned_away(&ask(&service, get("/small")).await);
    drop(unread);
    assert_eq!(ask(&service, get("/small")).await.status, 200);
    assert_eq!(ask(&service, get("/large")).await.body.len(), SIZE);
    // S3's part of a small one is over with its head.
    let unread = service.clone().oneshot(get("/small")).await.unwrap();
    assert_eq!(ask(&service, get("/small")).await.status, 200);
    drop(unread);
}

/// Nothing holds what it waits for.
#[tokio::test]
async fn one_request_in_flight_is_enough_for_any_read() {
    const SIZE: usize = 3 << 20;
    let s3 = s3().await;
    let object: Bytes = (0..251).cycle().take(SIZE).collect();
    s3.store().put(BUCKET, "a", object.clone());
    let cache = Cache::builder(64 << 20).block_size(64 * 1024).build().unwrap();
    for mount in [mount(&s3), mount(&s3).cache(&cache)] {
        let service = proxy(mount.max_in_flight(1).queue_timeout(HANG));
        for (method, fields, status) in [
            ("HEAD", &[][..], 200),
            ("GET", &[("range", "bytes=0-9,1000000-1000009,2000000-2000009,3000000-3000009")], 206),
            ("GET", &[("range", "bytes=500000-500009")], 206),
            ("GET", &[("range", "bytes=9000000-")], 416),
            ("GET", &[], 200),
            ("GET", &[("if-none-match", "*")], 304),
            ("GET", &[("if-match", "\"other\"")], 412),
        ] {
            let got = timeout(HANG, ask(&service, request(method, "/a", fields))).await.expect("no hang");
            assert_eq!(got.status, status, "{method} {fields:?}: {got:?}");
        }
    }
    // Two answers that do not fit, and then the head.
    for lies in [&[Lie::IgnoresRange][..], &[Lie::Framed(Framed::UntilClose)]] {
        let object = Object::of_size(200_000);
        let origin = LyingOrigin::start(&object, lies).await;
        for mount in [origin.mount(), origin.mount().cache(&cache)] {
            let service = proxy(mount.max_in_flight(1).max_queued(0));
            for fields in [&[][..], &[("range", "bytes=100-199")]] {
                let got = ask(&service, request("GET", &format!("/{KEY}"), fields)).await;
                assert_ne!(got.kind(), Some(ProxyErrorKind::Overloaded), "{lies:?} {fields:?}");
            }
        }
    }
}

#[tokio::test]
async fn requests_wait_for_a_connection_and_are_turned_away_if_none_becomes_free() {
    let mut slow = Slow::start().await;
    let transport = Transport::builder().max_connections(1).connect_timeout(Duration::from_millis(50));
    let service = proxy(mount_at(slow.addr).transport(&transport.build().unwrap()));
    let one = spawn(&service, "/1");
    let go = slow.asked().await;
    assert_is_turned_away(&timeout(HANG, spawn(&service, "/2")).await.expect("no hang").unwrap());
    go.send(()).unwrap();
    assert_eq!(one.await.unwrap().body, "good");
    let two = spawn(&service, "/2");
    slow.asked().await.send(()).unwrap();
    assert_eq!(two.await.unwrap().body, "good");
}

#[tokio::test]
async fn a_client_that_hangs_up_in_the_queue_leaves_its_place_to_another() {
    let mut slow = Slow::start().await;
    let service = proxy(mount_at(slow.addr).max_in_flight(1).max_queued(1).queue_timeout(HANG));
    let server = serve(Protocol::Http1, service.clone()).await;
    // Whoever comes when the queue is full is turned away at once. Who asks that way takes the place himself for a moment.
    let is_full = async || {
        sleep(Duration::from_millis(20)).await;
        timeout(Duration::from_millis(50), ask(&service, get("/probe"))).await.is_ok()
    };
    let first = spawn(&service, "/1");
    let go = slow.asked().await;
    let queued = tokio::spawn(async move {
        loop {
            let mut client = TcpStream::connect(server.addr).await.unwrap();
            client.write_all(b"GET /2 HTTP/1.1\r\nhost: proxy.test\r\n\r\n").await.unwrap();
            let _ = client.read(&mut [0; 1024]).await;
        }
    });
    timeout(HANG, async { while !is_full().await {} }).await.expect("it waits");
    queued.abort();
    timeout(HANG, async { while is_full().await {} }).await.expect("its place is free");
    go.send(()).unwrap();
    assert_eq!(first.await.unwrap().body, "good");
    let second = spawn(&service, "/3");
    slow.asked().await.send(()).unwrap();
    assert_eq!(second.await.unwrap().body, "good");
    assert!(!slow.is_asked(), "not for the one that hung up");
}

/// Else an orchestrator took a proxy that is busy from those that serve.
#[tokio::test]
async fn a_mount_that_is_full_is_ready() {
    let mut slow = Slow::start().await;
    let few =
        Transport::builder().max_connections(1).connect_timeout(Duration::from_millis(50)).build().unwrap();
    for (full, mount) in [
        ("requests", mount_at(slow.addr).max_in_flight(1).max_queued(0)),
        ("connections", mount_at(slow.addr).transport(&few)),
    ] {
        let layer = S3ProxyLayer::new(mount.build().unwrap());
        let service = layer.layer(NotFound);
        let first = spawn(&service, "/1");
        let go = slow.asked().await;
        assert_is_turned_away(&ask(&service, get("/2")).await);
        let ready = timeout(HANG, layer.ready()).await.expect("no hang");
        assert!(ready.is_ok(), "{full}: {ready:?}");
        assert!(!slow.is_asked());
        go.send(()).unwrap();
        assert_eq!(first.await.unwrap().body, "good");
    }
}
