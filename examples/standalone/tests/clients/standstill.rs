use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::{Reason, RecvStream, client::SendRequest};
use socket2::SockRef;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, Interest},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time,
};

use crate::proxy::{BOUND, LARGE, MEDIUM, Proxy, get, http2, http2_get, http2_undriven};

const SHORT: [&str; 8] =
    ["--first-byte-timeout", "1s", "--header-timeout", "1s", "--idle-timeout", "1s", "--write-timeout", "1s"];

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];

/// Whether the connection is closed in time, whatever comes before.
async fn is_closed(mut connection: TcpStream) -> bool {
    let mut sink = [0; 4096];
    time::timeout(BOUND, async { while let Ok(1..) = connection.read(&mut sink).await {} }).await.is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_stands_still_is_closed_in_every_state() {
    let proxy = Proxy::start(&SHORT).await;
    let mut waiting = Vec::new();
    for (state, bytes) in [
        ("silent", vec![]),
        ("one byte of what could be HTTP/2", b"P".to_vec()),
        ("half an HTTP/2 preface", b"PRI * HTTP/2".to_vec()),
        ("an HTTP/2 preface", PREFACE.to_vec()),
        ("idle HTTP/2", [PREFACE, SETTINGS].concat()),
        ("half an HTTP/2 frame head", [PREFACE, SETTINGS, &[0, 0, 8, 6]].concat()),
        ("half an HTTP/2 head", [PREFACE, SETTINGS, &[0, 0, 100, 1, 4, 0, 0, 0, 1, 0x82]].concat()),
        ("half an HTTP/1 head", b"GET / HTTP/1.1\r\nHost: a".to_vec()),
        ("idle HTTP/1", b"GET /ping HTTP/1.1\r\nHost: a\r\n\r\n".to_vec()),
        ("half a head after a request", b"GET /ping HTTP/1.1\r\nHost: a\r\n\r\nGET /ping HTT".to_vec()),
    ] {
        let mut connection = proxy.connect().await;
        connection.write_all(&bytes).await.unwrap();
        waiting.push((state, tokio::spawn(is_closed(connection))));
    }
    let mut dripping = proxy.connect().await;
    waiting.push((
        "a head that drips",
        tokio::spawn(async move {
            let drip = async {
                while dripping.write_all(b"G").await.is_ok() {
                    time::sleep(Duration::from_millis(100)).await;
                }
            };
            time::timeout(BOUND, drip).await.is_ok()
        }),
    ));
    let left_open: Vec<_> = {
        let mut left_open = Vec::new();
        for (state, closed) in waiting {
            if !closed.await.unwrap() {
                left_open.push(state);
            }
        }
        left_open
    };
    assert_eq!(left_open, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_reads_nothing_is_closed() {
    let proxy = Proxy::start(&SHORT).await;
    let mut connection = proxy.connect().await;
    connection.write_all(get("/large.bin").as_bytes()).await.unwrap();
    // Nothing is read, so that only a reset can be noticed.
    let reset = time::timeout(BOUND, connection.ready(Interest::ERROR)).await;
    assert!(reset.is_ok_and(|ready| ready.unwrap().is_error()), "still open");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_http_2_client_whose_windows_stay_shut_is_closed() {
    let proxy = Proxy::start(&SHORT).await;
    let (client, connection) = http2(proxy.connect().await, 1000).await;
    let mut client = client.ready().await.unwrap();
    let mut bodies = Vec::new();
    for _ in 0..10 {
        let request = http2_get("/large.bin").body(()).unwrap();
        let (response, _) = client.send_request(request, true).unwrap();
        bodies.push(response.await.unwrap().into_body());
    }
    let ended = time::timeout(BOUND, connection).await;
    assert!(ended.is_ok(), "still open");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_is_served_to_the_end() {
    let proxy = Proxy::start(&SHORT).await;
    let mut connection = proxy.connect().await;
    SockRef::from(&connection).set_recv_buffer_size(64 * 1024).unwrap();
    connection.write_all(get("/large.bin").as_bytes()).await.unwrap();
    let (mut read, mut piece) = (0, vec![0; 32 * 1024]);
    // For eight times the time-out it takes 160 KiB a second. The proxy's socket counts as writable again only when far
    // more of its buffer is free.
    let begin = Instant::now();
    loop {
        match connection.read(&mut piece).await.expect("not cut off") {
            0 => break,
            some => read += some,
        }
        if begin.elapsed() < Duration::from_secs(8) {
            time::sleep(Duration::from_millis(200)).await;
        }
    }
    assert!(read > LARGE, "cut off after {read} bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_http_2_client_that_opens_its_window_slowly_is_not_closed() {
    let proxy = Proxy::start(&SHORT).await;
    let (client, connection) = http2(proxy.connect().await, 16 * 1024).await;
    let mut client = client.ready().await.unwrap();
    let request = http2_get("/large.bin").body(()).unwrap();
    let mut body = client.send_request(request, true).unwrap().0.await.unwrap().into_body();
    // Six times the time-out, at 32 KiB a second.
    for _ in 0..24 {
        let mut taken = 0;
        while taken < 8 * 1024 {
            let data = body.data().await.expect("not cut off").expect("not cut off");
            taken += data.len();
            body.flow_control().release_capacity(data.len()).unwrap();
        }
        time::sleep(Duration::from_millis(250)).await;
    }
    assert!(!connection.is_finished());
}

async fn body_of(client: &SendRequest<Bytes>, path: &str) -> RecvStream {
    let request = http2_get(path).body(()).unwrap();
    let (response, _) = client.clone().ready().await.unwrap().send_request(request, true).unwrap();
    time::timeout(BOUND, response).await.expect("an answer").unwrap().into_body()
}

/// What comes, if the client takes all of it at once.
async fn read_whole(mut body: RecvStream) -> Result<Vec<u8>, h2::Error> {
    let mut whole = Vec::new();
    while let Some(data) = body.data().await {
        let data = data?;
        whole.extend_from_slice(&data);
        body.flow_control().release_capacity(data.len())?;
    }
    Ok(whole)
}

#[tokio::test(flavor = "multi_thread")]
async fn unread_responses_over_http_2_are_reset_whatever_happens_beside_them() {
    let proxy = Proxy::start(&["--write-timeout", "1s", "--cache-size", "64MiB"]).await;
    // From the cache it comes in one piece, which is its last.
    assert!(proxy.ask(&get("/medium.bin")).await.len() > MEDIUM);
    let (client, mut connection) = http2_undriven(proxy.connect().await, 1000).await;
    let mut pings = connection.ping_pong().unwrap();
    tokio::spawn(connection);
    let mut unread = JoinSet::new();
    for path in ["/large.bin", "/medium.bin"].repeat(48) {
        let mut body = body_of(&client, path).await;
        // As much as the window lets through, and then the end. Nothing is released.
        unread.spawn(async move {
            loop {
                match body.data().await {
                    Some(Ok(_)) => {}
                    end => return end.map(|end| end.unwrap_err()),
                }
            }
        });
    }
    let pinging = tokio::spawn(async move {
        while pings.ping(h2::Ping::opaque()).await.is_ok() {
            time::sleep(Duration::from_millis(100)).await;
        }
    });
    let all_reset = time::timeout(BOUND, async {
        while !unread.is_empty() {
            assert_eq!(read_whole(body_of(&client, "/small.txt").await).await.unwrap(), b"hello");
            while let Some(end) = unread.try_join_next() {
                let end = end.unwrap().expect("no clean end");
                assert_eq!(end.reason(), Some(Reason::CANCEL), "{end}");
                assert!(end.is_reset() && end.is_remote(), "{end}");
            }
            time::sleep(Duration::from_millis(50)).await;
        }
    });
    assert!(all_reset.await.is_ok(), "{} are still open", unread.len());
    assert!(!pinging.is_finished());
    pinging.abort();
    assert_eq!(read_whole(body_of(&client, "/small.txt").await).await.unwrap(), b"hello");
}

/// Takes 8 KiB now and then, beside a response that is not read at all.
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_response_over_http_2_is_kept_beside_one_that_is_reset() {
    let proxy = Proxy::start(&SHORT).await;
    let (client, _connection) = http2(proxy.connect().await, 16 * 1024).await;
    let mut unread = body_of(&client, "/large.bin").await;
    let mut slow = body_of(&client, "/large.bin").await;
    let mut is_reset = false;
    for _ in 0..20 {
        let mut taken = 0;
        while taken < 8 * 1024 {
            let data = slow.data().await.expect("not cut off").expect("not cut off");
            taken += data.len();
            slow.flow_control().release_capacity(data.len()).unwrap();
        }
        while let Ok(data) = time::timeout(Duration::from_millis(250), unread.data()).await {
            if !matches!(data, Some(Ok(_))) {
                is_reset = true;
                time::sleep(Duration::from_millis(250)).await;
                break;
            }
        }
    }
    assert!(is_reset);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_response_that_waits_for_s3_is_kept() {
    let s3 = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = s3.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = s3.accept().await {
            tokio::spawn(async move {
                let _ = connection.read(&mut [0; 8192]).await;
                let head = "HTTP/1.1 200 OK\r\netag: \"1\"\r\ncontent-length: 10\r\n\r\nhello";
                connection.write_all(head.as_bytes()).await.unwrap();
                time::sleep(Duration::from_secs(4)).await;
                connection.write_all(b"later").await.unwrap();
            });
        }
    });
    let proxy = Proxy::start_before(address, &SHORT).await;
    let (client, _connection) = http2(proxy.connect().await, 65_535).await;
    let body = body_of(&client, "/object").await;
    let whole = time::timeout(BOUND, read_whole(body)).await.expect("an end").unwrap();
    assert_eq!(whole, b"hellolater");
    assert!(proxy.ask(&get("/object")).await.ends_with("hellolater"));
}
