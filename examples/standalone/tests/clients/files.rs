use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

use crate::proxy::{Proxy, get};

/// The status of each HEAD over one connection.
async fn heads(mut connection: TcpStream, count: usize) -> Vec<String> {
    let mut statuses = Vec::new();
    for n in 0..count {
        let request = format!("HEAD /small.txt?n={n} HTTP/1.1\r\nHost: a\r\n\r\n");
        connection.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(connection.read_u8().await.unwrap());
        }
        statuses.push(String::from_utf8_lossy(&head)[9..12].to_owned());
    }
    statuses
}

/// After each of them the connection to S3 rests: there could be a body behind it.
#[tokio::test(flavor = "multi_thread")]
async fn clients_that_send_heads_flat_out_leave_files_for_everybody() {
    let proxy = Proxy::start_with_files(512, &[]).await;
    let mut clients = JoinSet::new();
    let left = Arc::new(AtomicUsize::new(40));
    for _ in 0..40 {
        let (connection, left) = (proxy.connect().await, Arc::clone(&left));
        clients.spawn(async move {
            let statuses = heads(connection, 200).await;
            left.fetch_sub(1, Relaxed);
            statuses
        });
    }
    while left.load(Relaxed) > 0 {
        let answer = proxy.ping().await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(proxy.ask(&get("/small.txt")).await.ends_with("hello"));
    }
    while let Some(statuses) = clients.join_next().await {
        let mut statuses = statuses.unwrap();
        statuses.dedup();
        assert_eq!(statuses, ["200"]);
    }
    assert!(!proxy.log().contains("os error 24"), "{}", proxy.log());
}
