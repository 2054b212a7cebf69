//! What an origin can do to the proxy, and how much of it is under way at a time.

use std::{net::SocketAddr, time::Duration};

use tokio::{io::AsyncWriteExt, sync::mpsc, time::timeout};
use tower_s3_proxy::ProxyErrorKind;

use crate::support::{Protocol, ask, get, mount_at, origin, proxy, raw, read_head, serve};

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
