use tokio::{io::AsyncReadExt, io::AsyncWriteExt, net::TcpStream};

use crate::proxy::{Proxy, get};

/// A connection with a response in flight, of which nothing more is read.
async fn reader(proxy: &Proxy) -> TcpStream {
    let mut connection = proxy.connect().await;
    connection.write_all(get("/large.bin").as_bytes()).await.unwrap();
    assert!(connection.read(&mut [0; 1024]).await.unwrap() > 0);
    connection
}

#[tokio::test(flavor = "multi_thread")]
async fn sighup_without_a_file_leaves_the_proxy_running() {
    let proxy = Proxy::start(&[]).await;
    proxy.signal("HUP");
    proxy.logs("there is no file to read again").await;
    assert!(proxy.ask(&get("/ping")).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_is_told_to_stop_lets_requests_end() {
    let mut proxy = Proxy::start(&[]).await;
    let (mut connection, silent) = (reader(&proxy).await, proxy.connect().await);
    proxy.signal("TERM");
    let mut rest = Vec::new();
    connection.read_to_end(&mut rest).await.unwrap();
    assert!(rest.len() > 20 << 20, "{}", rest.len());
    assert_eq!(proxy.exit().await.code(), Some(0));
    drop(silent);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_the_proxy_at_once() {
    let mut proxy = Proxy::start(&["--drain-timeout", "3600", "--write-timeout", "1h"]).await;
    let connection = reader(&proxy).await;
    proxy.signal("TERM");
    // The listener is closed when the first signal was seen: two at once are one.
    while TcpStream::connect(proxy.address).await.is_ok() {}
    proxy.signal("INT");
    assert_eq!(proxy.exit().await.code(), Some(1));
    proxy.logs("second signal").await;
    drop(connection);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_do_not_end_in_time_are_cut_off_and_told() {
    let mut proxy = Proxy::start(&["--drain-timeout", "1"]).await;
    let connection = reader(&proxy).await;
    proxy.signal("TERM");
    assert_eq!(proxy.exit().await.code(), Some(1));
    proxy.logs("cut off").await;
    drop(connection);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_has_connected_before_the_stop_is_answered() {
    let mut proxy = Proxy::start(&[]).await;
    let mut connections = [proxy.connect().await, proxy.connect().await];
    // The first bytes tell the protocol: this one is past them.
    connections[1].write_all(b"GET /ping HT").await.unwrap();
    assert!(proxy.ask(&get("/ping")).await.starts_with("HTTP/1.1 200"), "both are accepted by now");
    proxy.signal("TERM");
    while TcpStream::connect(proxy.address).await.is_ok() {}
    let requests = [get("/ping"), "TP/1.1\r\nhost: proxy\r\nconnection: close\r\n\r\n".to_owned()];
    for (connection, request) in connections.iter_mut().zip(requests) {
        connection.write_all(request.as_bytes()).await.unwrap();
        let mut response = String::new();
        connection.read_to_string(&mut response).await.unwrap();
        assert!(response.starts_with("HTTP/1.1 200"), "{response:?}");
    }
    assert_eq!(proxy.exit().await.code(), Some(0));
}
