//! What a log-in service is told, and what it is not asked about.

use std::sync::{Arc, Mutex};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::proxy::{Proxy, ask, get};

/// A service that lets everybody pass, and the heads of its requests.
async fn service() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("forward_auth.url=http://{}/auth", listener.local_addr().unwrap());
    let heads = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&heads);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap().into());
            }
            log.lock().unwrap().push(head.to_lowercase());
            let answer = b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";
            stream.write_all(answer).await.unwrap();
        }
    });
    (url, heads)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_in_service_is_told_the_address_of_the_client() {
    let (url, heads) = service().await;
    let proxy = Proxy::start(&["-o", &url, "-o", "forward_auth.remember_secs=0"]).await;
    let request = "GET /small.txt HTTP/1.1\r\nHost: proxy.test\r\nX-Forwarded-For: 10.0.0.1\r\n\
                   X-Forwarded-Proto: https\r\nConnection: close\r\n\r\n";
    let answer = ask(proxy.connect_from([127, 0, 0, 9]).await, request).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("hello"), "{answer}");
    let head = heads.lock().unwrap().remove(0);
    for line in ["x-forwarded-for: 127.0.0.9", "x-forwarded-proto: http", "x-forwarded-uri: /small.txt"] {
        assert!(head.contains(&format!("\r\n{line}\r\n")), "{line}: {head}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn health_checks_are_not_asked_about() {
    let (url, heads) = service().await;
    let proxy = Proxy::start(&["-o", &url]).await;
    assert!(proxy.ping().await.ends_with("pong\n"));
    assert!(proxy.ask(&get("/ready")).await.ends_with("ready\n"));
    assert!(heads.lock().unwrap().is_empty());
}
