use std::time::Duration;

use bytes::Bytes;
use http::{header::HOST, uri::Scheme};
use http_body_util::BodyExt;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    runtime::{self, Handle, Runtime},
    sync::mpsc,
    time::timeout,
};

use super::*;
use crate::origin::wire::DialSettings;

/// Longer than anything here takes: only a hang reaches it.
const HANG: Duration = Duration::from_secs(20);

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";

/// An event that an origin saw or caused.
#[derive(Debug, PartialEq, Eq)]
enum Event {
    Accepted,
    Asked,
    Closed,
}

/// An origin that answers the requests of each connection from a script, one after the other, and then closes it, or
/// (if it is patient) waits for the end.
struct Origin {
    port: u16,
    events: mpsc::UnboundedReceiver<Event>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum After {
    Close,
    Wait,
}

impl Origin {
    async fn start(answers: &'static [&'static [u8]], after: After) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, events) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let _ = sender.send(Event::Accepted);
                tokio::spawn(converse(stream, answers, after, sender.clone()));
            }
        });
        Self { port, events }
    }

    async fn next(&mut self) -> Event {
        timeout(HANG, self.events.recv()).await.expect("the origin sees something").unwrap()
    }
}

async fn converse(
    mut stream: TcpStream,
    answers: &[&[u8]],
    after: After,
    events: mpsc::UnboundedSender<Event>,
) {
    for answer in answers {
        if !read_head(&mut stream).await {
            let _ = events.send(Event::Closed);
            return;
        }
        let _ = events.send(Event::Asked);
        stream.write_all(answer).await.unwrap();
    }
    if after == After::Wait {
        let _ = stream.read_to_end(&mut Vec::new()).await;
    }
    drop(stream);
    let _ = events.send(Event::Closed);
}

async fn read_head(stream: &mut TcpStream) -> bool {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return false,
        }
    }
    true
}

fn settings() -> PoolSettings {
    PoolSettings {
        read_timeout: Duration::from_secs(30),
        dial: DialSettings {
            connect_timeout: HANG,
            tcp_keep_alive: Duration::ZERO,
            tcp_user_timeout: Duration::ZERO,
        },
        tls_timeout: HANG,
        response_timeout: HANG,
        max_connections: 8,
        max_idle: 4,
        idle_timeout: HANG,
        max_age: HANG,
    }
}

fn pool(settings: PoolSettings, port: u16) -> Pool {
    Pools::new(settings).pool(&Scheme::HTTP, "127.0.0.1", port)
}

fn request() -> Request<SdkBody> {
    Request::builder().uri("/a").header(HOST, "origin.test").body(SdkBody::empty()).unwrap()
}

async fn read(response: Response<PooledBody>) -> Bytes {
    response.into_body().collect().await.unwrap().to_bytes()
}

async fn failure(pool: &Pool, reuse: Reuse) -> WireErrorKind {
    match pool.send(&mut request(), reuse).await {
        Ok(response) => panic!("answered with {}", response.status()),
        Err(error) => error.kind,
    }
}

#[tokio::test]
async fn a_connection_goes_back_when_the_answer_was_read_whole() {
    let mut origin = Origin::start(&[OK, OK, OK], After::Wait).await;
    let pool = pool(settings(), origin.port);
    for _ in 0..3 {
        let response = pool.send(&mut request(), Reuse::Allowed).await.unwrap();
        assert_eq!(pool.idle().len(), 0, "it is lent to the body");
        assert_eq!(read(response).await, "hello");
        assert_eq!(pool.idle().len(), 1, "it is back with the last frame");
    }
    assert_eq!(origin.next().await, Event::Accepted);
    for _ in 0..3 {
        assert_eq!(origin.next().await, Event::Asked, "no second connection");
    }
}

#[tokio::test]
async fn a_steady_buffer_takes_64_kib_at_a_time() {
    const LENGTH: usize = 4_000_000;
    let mut answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {LENGTH}\r\n\r\n").into_bytes();
    answer.resize(answer.len() + LENGTH, 7);
    let answers: &'static [&'static [u8]] = vec![&*answer.leak()].leak();
    let origin = Origin::start(answers, After::Wait).await;
    let pools = Pools::new(settings()).reading_into(ReadBuffer::Steady);
    let pool = pools.pool(&Scheme::HTTP, "127.0.0.1", origin.port);
    let mut body = pool.send(&mut request(), Reuse::Allowed).await.unwrap().into_body();
    let mut lengths = Vec::new();
    while let Some(frame) = body.frame().await {
        lengths.push(frame.unwrap().into_data().unwrap().len());
    }
    assert_eq!(lengths.iter().sum::<usize>(), LENGTH);
    assert!(lengths.iter().all(|length| *length <= 64 * 1024), "{lengths:?}");
}

#[tokio::test]
async fn an_answer_without_a_body_gives_the_connection_back_at_once() {
    let answers: &[&[u8]] = &[
        b"HTTP/1.1 304 Not Modified\r\netag: \"a\"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
    ];
    let origin = Origin::start(answers, After::Wait).await;
    let pool = pool(settings(), origin.port);
    for status in [304, 200, 204] {
        let response = pool.send(&mut request(), Reuse::Allowed).await.unwrap();
        assert_eq!(response.status(), status);
        assert_eq!(pool.idle().len(), 1, "{status}: nobody has to read the body");
    }
}

#[tokio::test]
async fn the_answer_to_head_has_no_body_whatever_its_length_says() {
    let origin = Origin::start(&[b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n"], After::Wait).await;
    let pool = pool(settings(), origin.port);
    let mut head = request();
    *head.method_mut() = http::Method::HEAD;
    let response = pool.send(&mut head, Reuse::Allowed).await.unwrap();
    assert_eq!(response.headers()["content-length"], "5");
    assert_eq!(pool.idle().len(), 1);
}

#[tokio::test]
async fn a_body_that_is_dropped_closes_its_connection() {
    let mut origin =
        Origin::start(&[b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello"], After::Wait).await;
    let pool = pool(settings(), origin.port);
    let mut response = pool.send(&mut request(), Reuse::Allowed).await.unwrap();
    assert_eq!(response.body_mut().frame().await.unwrap().unwrap().into_data().unwrap(), "hello");
    drop(response);
    assert_eq!(pool.idle().len(), 0);
    for event in [Event::Accepted, Event::Asked, Event::Closed] {
        assert_eq!(origin.next().await, event);
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_is_an_error_and_its_connection_is_gone() {
    let origin = Origin::start(&[b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello"], After::Close).await;
    let pool = pool(settings(), origin.port);
    let response = pool.send(&mut request(), Reuse::Allowed).await.unwrap();
    assert_eq!(response.body().size_hint().exact(), Some(9));
    assert!(response.into_body().collect().await.is_err());
    assert_eq!(pool.idle().len(), 0);
}

#[tokio::test]
async fn a_connection_with_surplus_bytes_is_not_used_again() {
    let answers: &[&[u8]] = &[b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\n\r\n"];
    let mut origin = Origin::start(answers, After::Wait).await;
    let pool = pool(settings(), origin.port);
    for _ in 0..2 {
        assert_eq!(read(pool.send(&mut request(), Reuse::Allowed).await.unwrap()).await, "hello");
        assert!(pool.check_out().is_none());
        for event in [Event::Accepted, Event::Asked, Event::Closed] {
            assert_eq!(origin.next().await, event);
        }
    }
}

#[tokio::test]
async fn a_connection_that_the_origin_will_close_is_not_kept() {
    let answers: &[&[u8]] = &[b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 5\r\n\r\nhello"];
    let origin = Origin::start(answers, After::Wait).await;
    let pool = pool(settings(), origin.port);
    assert_eq!(read(pool.send(&mut request(), Reuse::Allowed).await.unwrap()).await, "hello");
    assert_eq!(pool.idle().len(), 0);
}

#[tokio::test]
async fn a_kept_connection_that_was_closed_is_left_out() {
    let mut origin = Origin::start(&[OK], After::Close).await;
    let pool = pool(settings(), origin.port);
    for _ in 0..3 {
        assert_eq!(read(pool.send(&mut request(), Reuse::Allowed).await.unwrap()).await, "hello");
        for event in [Event::Accepted, Event::Asked, Event::Closed] {
            assert_eq!(origin.next().await, event);
        }
    }
}

#[tokio::test]
async fn a_connection_that_breaks_is_stale_only_if_it_was_kept() {
    // The second request of a connection is read, and the connection ends.
    let origin = Origin::start(&[OK, b""], After::Close).await;
    let pool = pool(settings(), origin.port);
    assert_eq!(read(pool.send(&mut request(), Reuse::Allowed).await.unwrap()).await, "hello");
    assert_eq!(failure(&pool, Reuse::Allowed).await, WireErrorKind::Stale);
    assert_eq!(read(pool.send(&mut request(), Reuse::Fresh).await.unwrap()).await, "hello");

    let mute = Origin::start(&[b""], After::Close).await;
    let pool = self::pool(settings(), mute.port);
    assert_eq!(failure(&pool, Reuse::Allowed).await, WireErrorKind::Broken);
}

#[tokio::test]
async fn a_fresh_connection_is_fresh() {
    let mut origin = Origin::start(&[OK, OK], After::Wait).await;
    let pool = pool(settings(), origin.port);
    for _ in 0..2 {
        assert_eq!(read(pool.send(&mut request(), Reuse::Fresh).await.unwrap()).await, "hello");
        assert_eq!(origin.next().await, Event::Accepted);
        assert_eq!(origin.next().await, Event::Asked);
    }
    assert_eq!(pool.idle().len(), 2);
}

#[tokio::test]
async fn an_origin_that_does_not_answer_times_out_and_is_let_go() {
    let mut origin = Origin::start(&[b"HTTP/1.1 200 OK\r\n"], After::Wait).await;
    let settings = PoolSettings { response_timeout: Duration::from_millis(50), ..settings() };
    let pool = pool(settings, origin.port);
    assert_eq!(failure(&pool, Reuse::Allowed).await, WireErrorKind::Timeout);
    assert_eq!(pool.idle().len(), 0);
    for event in [Event::Accepted, Event::Asked, Event::Closed] {
        assert_eq!(origin.next().await, event);
    }
}

#[tokio::test]
async fn no_connection_is_a_connect_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    assert_eq!(failure(&pool(settings(), port), Reuse::Allowed).await, WireErrorKind::Connect);

    let connect_to = Some("host.invalid:1".parse().unwrap());
    let pools = Pools::new(settings()).connecting_to(connect_to);
    let unknown = pools.pool(&Scheme::HTTP, "127.0.0.1", port);
    assert_eq!(failure(&unknown, Reuse::Allowed).await, WireErrorKind::Connect);

    let https = Pools::new(settings()).pool(&Scheme::HTTPS, "127.0.0.1", port);
    assert_eq!(failure(&https, Reuse::Allowed).await, WireErrorKind::Connect, "TLS is not set up");
}

#[tokio::test]
async fn a_request_that_is_dropped_closes_its_connection() {
    let mut origin = Origin::start(&[b"HTTP/1.1 200 OK\r\n"], After::Wait).await;
    let pool = pool(settings(), origin.port);
    let waiting = {
        let pool = pool.clone();
        tokio::spawn(async move { pool.send(&mut request(), Reuse::Allowed).await.map(drop) })
    };
    assert_eq!(origin.next().await, Event::Accepted);
    assert_eq!(origin.next().await, Event::Asked);
    waiting.abort();
    assert_eq!(origin.next().await, Event::Closed);
    assert_eq!(pool.idle().len(), 0);
}

#[tokio::test]
async fn no_more_connections_are_kept_than_allowed_and_none_for_too_long() {
    let origin = Origin::start(&[OK, OK], After::Wait).await;
    let few = pool(PoolSettings { max_idle: 2, ..settings() }, origin.port);
    let mut responses = Vec::new();
    for _ in 0..3 {
        responses.push(few.send(&mut request(), Reuse::Allowed).await.unwrap());
    }
    for response in responses {
        read(response).await;
    }
    assert_eq!(few.idle().len(), 2);

    let brief = pool(PoolSettings { idle_timeout: Duration::ZERO, ..settings() }, origin.port);
    read(brief.send(&mut request(), Reuse::Allowed).await.unwrap()).await;
    assert!(brief.check_out().is_none());
}

#[test]
fn a_pool_is_shared_by_all_who_go_the_same_way() {
    let pools = Pools::new(settings());
    let one = pools.pool(&Scheme::HTTP, "a.test", 80);
    assert!(Arc::ptr_eq(&one.0, &pools.pool(&Scheme::HTTP, "a.test", 80).0));
    for (scheme, name, port) in
        [(Scheme::HTTPS, "a.test", 80), (Scheme::HTTP, "b.test", 80), (Scheme::HTTP, "a.test", 81)]
    {
        assert!(!Arc::ptr_eq(&one.0, &pools.pool(&scheme, name, port).0), "{scheme}://{name}:{port}");
    }
    let elsewhere = pools.clone().connecting_to(Some("b.test:81".parse().unwrap()));
    let steady = pools.reading_into(ReadBuffer::Steady);
    for other in [elsewhere, steady] {
        assert!(!Arc::ptr_eq(&one.0, &other.pool(&Scheme::HTTP, "a.test", 80).0));
    }
}

#[test]
fn a_pool_goes_with_the_last_who_refers_to_it() {
    let pools = Pools::new(settings());
    let one = pools.pool(&Scheme::HTTP, "a.test", 80);
    let weak = Arc::downgrade(&one.0);
    drop(one);
    assert_eq!(weak.strong_count(), 0, "with its connections");
    let other = pools.pool(&Scheme::HTTP, "b.test", 80);
    assert_eq!(pools.shared.by_host.lock().unwrap().len(), 1);
    drop(other);
}

/// A runtime that is not driven, or is gone, makes no progress on its connections.
#[test]
fn a_connection_is_for_the_runtime_that_opened_it() {
    let server = Runtime::new().unwrap();
    let [first, other] =
        [(); 2].map(|()| runtime::Builder::new_current_thread().enable_all().build().unwrap());
    let mut origin = server.block_on(Origin::start(&[OK, OK, OK], After::Wait));
    let pool = pool(PoolSettings { response_timeout: Duration::from_secs(2), ..settings() }, origin.port);
    let ask = async || read(pool.send(&mut request(), Reuse::Allowed).await.unwrap()).await;
    assert_eq!(first.block_on(ask()), "hello");
    assert_eq!(other.block_on(ask()), "hello", "while the first runtime stands still");
    assert_eq!(pool.idle().len(), 2);
    assert_eq!(first.block_on(ask()), "hello");
    drop(first);
    assert_eq!(other.block_on(ask()), "hello", "once the first runtime is gone");
    let seen = [(); 6].map(|()| server.block_on(origin.next()));
    let connections = seen.iter().filter(|event| **event == Event::Accepted).count();
    assert_eq!(connections, 2, "{seen:?}");
}

#[tokio::test]
async fn no_more_connections_are_open_than_allowed_and_whoever_waits_gets_the_next() {
    let mut origin = Origin::start(&[OK, OK, OK], After::Wait).await;
    let pool = pool(PoolSettings { max_connections: 2, ..settings() }, origin.port);
    let ask = async || pool.send(&mut request(), Reuse::Allowed).await;
    let (one, two) = tokio::join!(ask(), ask());
    let waiting = {
        let pool = pool.clone();
        tokio::spawn(async move { read(pool.send(&mut request(), Reuse::Allowed).await.unwrap()).await })
    };
    let seen = [origin.next().await, origin.next().await, origin.next().await, origin.next().await];
    assert_eq!(seen.iter().filter(|event| **event == Event::Asked).count(), 2, "{seen:?}");
    assert!(!waiting.is_finished());
    assert_eq!(read(one.unwrap()).await, "hello");
    assert_eq!(waiting.await.unwrap(), "hello");
    assert_eq!(origin.next().await, Event::Asked, "over the connection that became free");
    // Closed ones make room, too.
    drop(two);
    assert_eq!(origin.next().await, Event::Closed);
    let _third = pool.send(&mut request(), Reuse::Fresh).await.unwrap();
    assert_eq!(origin.next().await, Event::Accepted);
}

#[tokio::test]
async fn whoever_waits_too_long_for_a_connection_is_turned_away() {
    let origin = Origin::start(&[OK], After::Wait).await;
    let mut settings = PoolSettings { max_connections: 1, ..settings() };
    settings.dial.connect_timeout = Duration::from_millis(50);
    let pool = pool(settings, origin.port);
    let unread = pool.send(&mut request(), Reuse::Allowed).await.unwrap();
    assert_eq!(failure(&pool, Reuse::Allowed).await, WireErrorKind::Overloaded);
    assert_eq!(read(unread).await, "hello");
}

/// A request that takes the last permit, and one that then finds neither a permit nor an idle connection, both while a
/// connection comes back.
#[tokio::test]
async fn a_connection_that_comes_back_is_not_parked_beside_a_request_that_waits() {
    let origin = Origin::start(&[OK], After::Wait).await;
    let pool = pool(PoolSettings { max_connections: 2, ..settings() }, origin.port);
    assert_eq!(read(pool.send(&mut request(), Reuse::Allowed).await.unwrap()).await, "hello");
    let conn = pool.check_out().unwrap();
    let (last, coming_back) = {
        let _others_look = pool.idle();
        let pool = pool.clone();
        let free = Arc::clone(&pool.0.free);
        let coming_back = std::thread::spawn(move || pool.check_in(conn, Rest::Over));
        // As far as it gets. If it is slow, it gets no further than it may.
        std::thread::sleep(Duration::from_millis(200));
        (free.try_acquire_owned().unwrap(), coming_back)
    };
    coming_back.join().unwrap();
    // The second one waits for this, and then looks for the connection.
    assert_eq!(pool.0.free.available_permits(), 1, "it came back without its permit");
    assert!(pool.wait().await.is_ok() && pool.take_usable().is_some());
    drop(last);
}

#[tokio::test]
async fn idle_connections_make_room_for_one_that_has_to_be_opened() {
    let mut origin = Origin::start(&[OK], After::Wait).await;
    let pool = pool(PoolSettings { max_connections: 2, ..settings() }, origin.port);
    for idle in [1, 2, 2, 2] {
        assert_eq!(read(pool.send(&mut request(), Reuse::Fresh).await.unwrap()).await, "hello");
        assert_eq!(pool.idle().len(), idle);
    }
    let mut closed = 0;
    while let Ok(event) = timeout(Duration::from_millis(200), origin.events.recv()).await {
        closed += usize::from(event == Some(Event::Closed));
    }
    assert_eq!(closed, 2, "four were opened, and two are kept");
}

#[tokio::test]
async fn a_connection_that_is_too_old_serves_no_other_request() {
    let mut origin = Origin::start(&[OK, OK], After::Wait).await;
    let pool = pool(PoolSettings { max_age: Duration::from_nanos(1), ..settings() }, origin.port);
    for _ in 0..2 {
        assert_eq!(read(pool.send(&mut request(), Reuse::Allowed).await.unwrap()).await, "hello");
        assert_eq!(pool.idle().len(), 0);
        for event in [Event::Accepted, Event::Asked, Event::Closed] {
            assert_eq!(origin.next().await, event);
        }
    }
    // As old as the clock can tell.
    let pool = self::pool(PoolSettings { max_age: Duration::MAX, ..settings() }, origin.port);
    assert_eq!(read(pool.send(&mut request(), Reuse::Allowed).await.unwrap()).await, "hello");
    assert_eq!(pool.idle().len(), 1);
}

#[tokio::test]
async fn a_connection_rests_after_an_answer_that_announced_a_body_without_having_one() {
    let announced: &[&[u8]] = &[b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n", OK];
    let chunked: &[&[u8]] = &[b"HTTP/1.1 304 Not Modified\r\ntransfer-encoding: chunked\r\n\r\n", OK];
    let none: &[&[u8]] = &[b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", OK];
    for (answers, peer, rests) in [
        (announced, Peer::Other, true),
        (announced, Peer::Aws, false),
        (chunked, Peer::Other, true),
        (chunked, Peer::Aws, false),
        (none, Peer::Other, false),
    ] {
        let answers: &'static [&'static [u8]] = answers.to_vec().leak();
        let mut origin = Origin::start(answers, After::Wait).await;
        let pool = Pools::new(settings()).asking(peer).pool(&Scheme::HTTP, "127.0.0.1", origin.port);
        let mut head = request();
        *head.method_mut() = http::Method::HEAD;
        pool.send(&mut head, Reuse::Allowed).await.unwrap();
        assert_eq!(pool.idle().len(), 1);
        let row = format!("{:?} of {peer:?}", String::from_utf8_lossy(answers[0]));
        assert_eq!(pool.check_out().is_none(), rests, "{row}");
        if rests {
            let rested = async {
                while pool.check_out().is_none() {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            };
            timeout(HANG, rested).await.unwrap_or_else(|_| panic!("later it is as good as any: {row}"));
        }
        assert_eq!(origin.next().await, Event::Accepted);
    }
}

#[tokio::test]
async fn connections_that_rest_do_not_push_out_those_that_can_be_used() {
    let mut origin = Origin::start(&[OK], After::Wait).await;
    let pool = pool(PoolSettings { max_idle: 2, ..settings() }, origin.port);
    let mut responses = Vec::new();
    for _ in 0..4 {
        responses.push(pool.send(&mut request(), Reuse::Fresh).await.unwrap());
    }
    for (response, rest) in responses.iter_mut().zip([Rest::Needed, Rest::Needed, Rest::Over, Rest::Needed]) {
        response.body_mut().frame().await;
        let Some(conn) = pool.check_out() else { panic!("it is back") };
        pool.check_in(conn, rest);
    }
    assert_eq!(pool.idle().len(), 4);
    assert!(pool.check_out().is_some() && pool.check_out().is_none(), "three rest, and one does not");
    let kept = async {
        while pool.idle().len() != 2 || pool.idle().oldest().is_none() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(HANG, kept).await.expect("in the end no more are kept than allowed");
    assert_eq!(origin.next().await, Event::Accepted);
}

#[tokio::test]
async fn idle_connections_of_no_use_are_closed_without_traffic() {
    let mut closing = Origin::start(&[OK], After::Close).await;
    let patient = Origin::start(&[OK], After::Wait).await;
    let brief = PoolSettings { idle_timeout: Duration::from_millis(100), ..settings() };
    let aged = PoolSettings { max_age: Duration::from_millis(100), ..settings() };
    for (settings, port) in [(settings(), closing.port), (brief, patient.port), (aged, patient.port)] {
        let pool = pool(settings, port);
        assert_eq!(read(pool.send(&mut request(), Reuse::Allowed).await.unwrap()).await, "hello");
        let gone = async {
            while pool.idle().len() > 0 || pool.idle().is_tended() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(HANG, gone).await.expect("it is closed, and nobody looks after none");
        // The next one is looked after again.
        assert_eq!(read(pool.send(&mut request(), Reuse::Allowed).await.unwrap()).await, "hello");
        assert!(pool.idle().is_tended() || pool.idle().len() == 0);
    }
    assert_eq!(closing.next().await, Event::Accepted);
}

/// A runtime that is gone leaves no note that would keep another from looking after its own.
#[test]
fn each_runtime_looks_after_its_own_connections() {
    let server = Runtime::new().unwrap();
    let [first, other] =
        [(); 2].map(|()| runtime::Builder::new_current_thread().enable_all().build().unwrap());
    let origin = server.block_on(Origin::start(&[OK, OK], After::Close));
    let pool = pool(settings(), origin.port);
    let ask = async || read(pool.send(&mut request(), Reuse::Fresh).await.unwrap()).await;
    assert_eq!(first.block_on(ask()), "hello");
    drop(first);
    assert!(!pool.idle().is_tended(), "the task went with its runtime");
    assert_eq!(other.block_on(ask()), "hello");
    assert!(pool.idle().is_tended());
    assert_eq!(pool.idle().len(), 2);
}

#[tokio::test]
async fn a_pool_that_is_gone_leaves_no_task() {
    let mut origin = Origin::start(&[OK], After::Wait).await;
    let pool = pool(settings(), origin.port);
    assert_eq!(read(pool.send(&mut request(), Reuse::Allowed).await.unwrap()).await, "hello");
    drop(pool);
    for event in [Event::Accepted, Event::Asked, Event::Closed] {
        assert_eq!(origin.next().await, event, "its connection is closed at once");
    }
    let metrics = Handle::current().metrics();
    let ended = async {
        while metrics.num_alive_tasks() > 1 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(HANG, ended).await.expect("only the origin's own task is left");
}

#[tokio::test]
async fn an_address_that_is_silent_or_breaks_off_is_avoided_and_named_and_one_that_closed_an_idle_connection_is_not()
 {
    let half: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello";
    let brief = || PoolSettings { response_timeout: Duration::from_millis(50), ..settings() };
    for (answers, after, settings, last, is_avoided) in [
        (vec![b"HTTP/1.1 200 OK\r\n" as &[u8]], After::Wait, brief(), Some(WireErrorKind::Timeout), true),
        (vec![b""], After::Close, settings(), Some(WireErrorKind::Broken), true),
        (vec![b"no HTTP\r\n\r\n"], After::Wait, settings(), Some(WireErrorKind::Broken), true),
        (vec![half], After::Close, settings(), None, true),
        (vec![OK, b""], After::Close, settings(), Some(WireErrorKind::Stale), false),
        (vec![OK, OK], After::Wait, settings(), None, false),
    ] {
        let requests = answers.len();
        let origin = Origin::start(answers.leak(), after).await;
        let pool = pool(settings, origin.port);
        let peer = SocketAddr::from(([127, 0, 0, 1], origin.port));
        let mut error = None;
        for _ in 0..requests {
            match pool.send(&mut request(), Reuse::Allowed).await {
                Ok(response) => drop(response.into_body().collect().await),
                Err(why) => error = Some(why),
            }
        }
        let row = format!("{last:?}, avoided: {is_avoided}");
        assert_eq!(error.as_ref().map(|why| why.kind), last, "{row}");
        assert!(
            error.is_none_or(|why| why.peer == Some(peer) && why.to_string().contains(&peer.to_string())),
            "{row}"
        );
        assert_eq!(pool.0.dialer.avoids(&peer), is_avoided, "{row}");
    }
}

#[tokio::test]
async fn a_request_that_is_sent_again_goes_to_another_address() {
    let (mut one, mut other) =
        (Origin::start(&[OK], After::Wait).await, Origin::start(&[OK], After::Wait).await);
    let addresses = [one.port, other.port].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
    // The pool chooses at random: either of the two can be the first.
    for _ in 0..16 {
        let mut shared = Arc::into_inner(pool(settings(), 80).0).expect("nobody else has it");
        let dialer = Dialer::new(("s3.test", 80), None, settings().dial, Arc::default());
        shared.dialer = dialer.knowing(addresses.to_vec());
        let pool = Pool(Arc::new(shared));
        let response = pool.send(&mut request(), Reuse::Allowed).await.unwrap();
        response.body().avoid_peer();
        let avoided = addresses.map(|address| pool.0.dialer.avoids(&address));
        assert_eq!(read(response).await, "hello");
        let (first, second) = match avoided {
            [true, false] => (&mut one, &mut other),
            [false, true] => (&mut other, &mut one),
            _ => panic!("one of the two is avoided: {avoided:?}"),
        };
        assert_eq!(read(pool.send(&mut request(), Reuse::Fresh).await.unwrap()).await, "hello");
        for origin in [first, second] {
            assert_eq!(origin.next().await, Event::Accepted);
            assert_eq!(origin.next().await, Event::Asked);
        }
        drop(pool);
        for origin in [&mut one, &mut other] {
            assert_eq!(origin.next().await, Event::Closed);
        }
    }
}

/// Pools of two hosts that can have so many connections together.
fn pools_within(most: usize, connect_timeout: Duration, origins: [&Origin; 2]) -> [Pool; 2] {
    let budget = Budget::unbounded();
    budget.lower(most + 5);
    budget.lower(most);
    budget.lower(most + 3);
    // Nothing becomes free by itself.
    let pools = Pools::within(
        budget,
        PoolSettings {
            dial: DialSettings { connect_timeout, ..settings().dial },
            idle_timeout: 10 * HANG,
            max_age: 10 * HANG,
            ..settings()
        },
    );
    origins.map(|origin| pools.pool(&Scheme::HTTP, "127.0.0.1", origin.port))
}

#[tokio::test]
async fn an_idle_connection_of_any_host_makes_room_for_another() {
    let mut origins =
        [Origin::start(&[OK; 4], After::Wait).await, Origin::start(&[OK; 4], After::Wait).await];
    let pools = pools_within(2, HANG, [&origins[0], &origins[1]]);
    let ask = async || pools[0].send(&mut request(), Reuse::Fresh).await;
    let (one, two) = tokio::join!(ask(), ask());
    assert_eq!((read(one.unwrap()).await, read(two.unwrap()).await), ("hello".into(), "hello".into()));
    assert_eq!(pools[0].idle().len(), 2);
    let unread = pools[1].send(&mut request(), Reuse::Allowed).await.unwrap();
    assert_eq!(pools[0].idle().len(), 1);
    assert_eq!(read(pools[0].send(&mut request(), Reuse::Allowed).await.unwrap()).await, "hello");
    assert_eq!(read(unread).await, "hello");
    assert_eq!((pools[0].idle().len(), pools[1].idle().len()), (1, 1));
    let mut closed = 0;
    while let Ok(event) = timeout(Duration::from_millis(200), origins[0].events.recv()).await {
        closed += usize::from(event == Some(Event::Closed));
    }
    assert_eq!(closed, 1);
}

#[tokio::test]
async fn whoever_waits_for_room_gets_that_of_the_next_connection_to_become_idle() {
    let mut origins =
        [Origin::start(&[OK; 4], After::Wait).await, Origin::start(&[OK; 4], After::Wait).await];
    let pools = pools_within(1, HANG, [&origins[0], &origins[1]]);
    let first = pools[0].send(&mut request(), Reuse::Allowed).await.unwrap();
    let waiting = {
        let pool = pools[1].clone();
        tokio::spawn(async move { read(pool.send(&mut request(), Reuse::Allowed).await.unwrap()).await })
    };
    let waits = async {
        while !pools[1].0.budget.is_waited_for() {
            tokio::task::yield_now().await;
        }
    };
    timeout(HANG, waits).await.expect("no room");
    assert_eq!(read(first).await, "hello");
    assert_eq!(timeout(HANG, waiting).await.expect("no hang").unwrap(), "hello");
    assert_eq!(pools[0].idle().len(), 0);
    assert_eq!(origins[0].next().await, Event::Accepted);
    assert_eq!(origins[0].next().await, Event::Asked);
    assert_eq!(origins[0].next().await, Event::Closed);
}

#[tokio::test]
async fn whoever_waits_too_long_for_room_is_turned_away() {
    let origins = [Origin::start(&[OK], After::Wait).await, Origin::start(&[OK], After::Wait).await];
    let pools = pools_within(1, Duration::from_millis(50), [&origins[0], &origins[1]]);
    let unread = pools[0].send(&mut request(), Reuse::Allowed).await.unwrap();
    assert_eq!(failure(&pools[1], Reuse::Allowed).await, WireErrorKind::Overloaded);
    assert!(!pools[1].0.budget.is_waited_for());
    drop(unread);
    assert_eq!(read(pools[1].send(&mut request(), Reuse::Allowed).await.unwrap()).await, "hello");
}
