use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time,
};

use crate::proxy::{BOUND, Proxy, ask, get, http2, http2_get};

async fn connections(proxy: &Proxy, count: usize) -> Vec<TcpStream> {
    let mut connections = Vec::new();
    for _ in 0..count {
        connections.push(proxy.connect().await);
    }
    connections
}

/// A connection with a request that keeps its place: nothing of the response is read but its beginning.
async fn unread(proxy: &Proxy) -> TcpStream {
    let mut connection = proxy.connect().await;
    connection.write_all(get("/large.bin").as_bytes()).await.unwrap();
    let mut begin = [0; 15];
    connection.read_exact(&mut begin).await.unwrap();
    assert_eq!(&begin, b"HTTP/1.1 200 OK");
    connection
}

#[tokio::test(flavor = "multi_thread")]
async fn few_connections_with_many_unread_streams_leave_ping_alone() {
    let proxy = Proxy::start_with_files(256, &[]).await;
    let mut connections = JoinSet::new();
    let mut requests = JoinSet::new();
    for _ in 0..5 {
        let (client, connection) = http2(proxy.connect().await, 1000).await;
        connections.spawn(connection);
        // As many as --max-streams: more would wait in the client for those that are unread.
        for _ in 0..100 {
            let client = client.clone();
            requests.spawn(async move {
                let request = http2_get("/large.bin").body(()).unwrap();
                let (response, _) = client.ready().await?.send_request(request, true)?;
                Ok::<_, h2::Error>(response.await?.into_body())
            });
        }
    }
    // Those that have a body keep it unread.
    let answered = time::timeout(BOUND, async {
        let mut bodies = Vec::new();
        while let Some(body) = requests.join_next().await {
            bodies.push(body.unwrap());
        }
        bodies
    });
    let bodies = answered.await.expect("an answer to each");
    for _ in 0..10 {
        let answer = proxy.ping().await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("pong\n"), "{answer}");
    }
    proxy.logs("requests refused").await;
    drop(bodies);
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_connections_leave_ping_alone() {
    let proxy = Proxy::start_with_files(256, &[]).await;
    let silent = connections(&proxy, 300).await;
    let answer = proxy.ping().await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("pong\n"), "{answer}");
    drop(silent);
    proxy.logs("bears fewer connections than --max-connections").await;
    proxy.logs("connections without a request are closed for others").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_without_a_request_give_way_and_others_do_not() {
    let proxy = Proxy::start(&["--max-connections", "4"]).await;
    let busy = unread(&proxy).await;
    let mut idle = proxy.connect().await;
    idle.write_all(b"GET /small.txt HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    assert!(idle.read(&mut [0; 1024]).await.unwrap() > 0);
    let silent = proxy.connect().await;
    let mut half = proxy.connect().await;
    half.write_all(b"GET /small.txt HTTP/1.1\r\nHo").await.unwrap();
    let mut others = Vec::new();
    for _ in 0..3 {
        let other = unread(&proxy).await;
        others.push(other);
    }
    for mut closed in [idle, silent, half] {
        let end = time::timeout(BOUND, closed.read(&mut [0; 1])).await.expect("closed for another");
        assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
    }
    let answer = proxy.ask(&get("/small.txt")).await;
    assert!(answer.starts_with("HTTP/1.1 503"), "all have a request: {answer}");
    assert!(proxy.ping().await.starts_with("HTTP/1.1 200"));
    drop((busy, others));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_has_its_share_of_connections_can_still_check_the_health() {
    let proxy = Proxy::start(&["--max-connections-per-address", "5"]).await;
    let held = connections(&proxy, 5).await;
    for path in ["/ping", "/ready"] {
        let answer = proxy.ask(&get(path)).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
    }
    let answer = proxy.ask("GET /small.txt HTTP/1.1\r\nHost: a\r\n\r\n").await.to_ascii_lowercase();
    assert!(answer.starts_with("http/1.1 503"), "{answer}");
    assert!(answer.contains("\r\nretry-after: 1\r\n"), "{answer}");
    let other = ask(proxy.connect_from([127, 0, 0, 9]).await, &get("/small.txt")).await;
    assert!(other.ends_with("hello"), "{other}");
    proxy.logs("an address has --max-connections-per-address").await;
    drop(held);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_can_not_hold_what_is_kept_for_health_checks() {
    let proxy = Proxy::start(&["--max-connections-per-address", "5"]).await;
    let held = connections(&proxy, 5).await;
    let silent = connections(&proxy, 8).await;
    let mut surplus = proxy.connect().await;
    let closed = time::timeout(BOUND, surplus.read(&mut [0; 1])).await.expect("closed at once");
    assert!(matches!(closed, Ok(0) | Err(_)), "{closed:?}");
    proxy.logs("and its part of the reserve").await;
    // Another address has its own part.
    assert!(proxy.ping().await.starts_with("HTTP/1.1 200"));
    for mut silent in silent {
        let closed = time::timeout(Duration::from_secs(8), silent.read(&mut [0; 1])).await;
        assert!(closed.is_ok(), "the reserve waits for 2 s, not for 10 s");
    }
    assert!(proxy.ask(&get("/ping")).await.starts_with("HTTP/1.1 200"));
    drop(held);
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_the_limit_health_checks_are_answered_and_all_else_is_503() {
    let proxy = Proxy::start(&["--max-connections", "1"]).await;
    let held = unread(&proxy).await;
    for path in ["/ping", "/ready"] {
        let answer = proxy.ask(&get(path)).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
    }
    let kept = "GET /small.txt HTTP/1.1\r\nHost: a\r\n\r\n";
    let answer = proxy.ask(kept).await.to_ascii_lowercase();
    assert!(answer.starts_with("http/1.1 503"), "{answer}");
    assert!(
        answer.contains("\r\nretry-after: 1\r\n") && answer.contains("\r\nconnection: close\r\n"),
        "{answer}"
    );

    let mut silent = proxy.connect().await;
    let closed = time::timeout(Duration::from_secs(8), silent.read(&mut [0; 1])).await;
    assert!(closed.is_ok(), "the reserve waits for 2 s, not for 10 s");

    drop(held);
    let served = time::timeout(BOUND, async {
        while !proxy.ask(&get("/small.txt")).await.starts_with("HTTP/1.1 200") {
            time::sleep(Duration::from_millis(10)).await;
        }
    });
    assert!(served.await.is_ok(), "room again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_of_connections_waits_in_the_backlog() {
    let allowed = std::fs::read_to_string("/proc/sys/net/core/somaxconn");
    let allowed = allowed.ok().and_then(|text| text.trim().parse::<usize>().ok()).unwrap_or(128);
    let proxy = Proxy::start(&[]).await;
    // A process that accepts nothing: what connects, connects to the backlog.
    proxy.signal("STOP");
    let burst = time::timeout(BOUND, connections(&proxy, allowed.min(500))).await;
    proxy.signal("CONT");
    assert!(burst.is_ok());
    assert!(ask(proxy.connect().await, &get("/ping")).await.starts_with("HTTP/1.1 200"));
}
