use std::{io::ErrorKind, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time,
};

use crate::proxy::{BOUND, Proxy, get, http2, http2_get};

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_grows_too_large_is_431_before_it_ends() {
    let proxy = Proxy::start(&[]).await;
    let mut connection = proxy.connect().await;
    let head = format!("GET /small.txt HTTP/1.1\r\nHost: a\r\nCookie: {}", "c".repeat(80 * 1024));
    connection.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 1024];
    let read = time::timeout(BOUND, connection.read(&mut answer)).await.expect("an answer").unwrap();
    assert!(answer[..read].starts_with(b"HTTP/1.1 431"), "{}", answer[..read].escape_ascii());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_size_of_a_head_is_an_option_for_both_protocols() {
    for (flags, size, status) in [
        (&[][..], 17_000, 200),
        (&[], 60_000, 200),
        (&["--max-header-size", "8KiB"], 7_000, 200),
        (&["--max-header-size", "8KiB"], 9_000, 431),
        (&["--max-header-size", "128KiB"], 120_000, 200),
    ] {
        let proxy = Proxy::start(flags).await;
        let cookie = "c".repeat(size);
        let request =
            format!("GET /small.txt HTTP/1.1\r\nHost: a\r\nConnection: close\r\nCookie: {cookie}\r\n\r\n");
        let answer = proxy.ask(&request).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "HTTP/1, {flags:?} {size}: {answer}");

        let (client, _connection) = http2(proxy.connect().await, 65_535).await;
        let request = http2_get("/small.txt").header("cookie", &cookie).body(()).unwrap();
        let (response, _) = client.ready().await.unwrap().send_request(request, true).unwrap();
        let answer = time::timeout(BOUND, response).await.expect("an answer").unwrap();
        assert_eq!(answer.status().as_u16(), status, "HTTP/2, {flags:?} {size}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_frames_that_ask_for_nothing_is_ended() {
    let proxy = Proxy::start(&[]).await;
    const PRIORITY: &[u8] = &[0, 0, 5, 2, 0, 0, 0, 0, 3, 0, 0, 0, 0, 16];
    const WINDOW_UPDATE: &[u8] = &[0, 0, 4, 8, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    for frame in [PRIORITY, WINDOW_UPDATE] {
        let connection = proxy.connect().await;
        let (mut reader, mut writer) = connection.into_split();
        writer.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
        let sink = tokio::spawn(async move { reader.read_to_end(&mut Vec::new()).await });
        let frames = frame.repeat(1000);
        let flood = time::timeout(BOUND, async {
            for _ in 0..1500 {
                writer.write_all(&frames).await?;
            }
            std::io::Result::Ok(())
        });
        let error = flood.await.expect("the server reads").expect_err("20 MB are not taken");
        let kinds = [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe];
        assert!(kinds.contains(&error.kind()), "{error}");
        assert!(time::timeout(BOUND, sink).await.is_ok());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_is_still_sending_its_body_gets_the_whole_answer() {
    const MIB: usize = 1024 * 1024;
    for (flags, status) in [(&[][..], 405), (&["--max-connections", "1"], 503)] {
        let proxy = Proxy::start(flags).await;
        // With one connection only the reserve is left.
        let mut held = proxy.connect().await;
        held.write_all(get("/large.bin").as_bytes()).await.unwrap();
        held.read_exact(&mut [0; 15]).await.unwrap();
        let mut connection = proxy.connect().await;
        let head = format!("POST /small.txt HTTP/1.1\r\nHost: a\r\nContent-Length: {MIB}\r\n\r\n");
        connection.write_all(head.as_bytes()).await.unwrap();
        for n in 0..32 {
            connection
                .write_all(&[7; MIB / 32])
                .await
                .unwrap_or_else(|why| panic!("{status}, at {n}: {why}"));
            time::sleep(Duration::from_millis(25)).await;
        }
        let mut answer = String::new();
        let end = time::timeout(BOUND, connection.read_to_string(&mut answer)).await.expect("an end");
        end.unwrap_or_else(|why| panic!("{status}: {why} behind {answer}"));
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}", body.len())), "{answer}");
        drop(held);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_whose_head_is_too_large_gets_the_whole_answer() {
    let proxy = Proxy::start(&[]).await;
    let mut connection = proxy.connect().await;
    connection.write_all(b"GET /small.txt HTTP/1.1\r\nHost: a\r\nCookie: ").await.unwrap();
    for n in 0..64 {
        connection.write_all(&[b'c'; 8 * 1024]).await.unwrap_or_else(|why| panic!("at {n}: {why}"));
        time::sleep(Duration::from_millis(5)).await;
    }
    let mut answer = String::new();
    time::timeout(BOUND, connection.read_to_string(&mut answer)).await.expect("an end").unwrap();
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_nobody_wants_is_not_read_for_ever() {
    let proxy = Proxy::start(&[]).await;
    let mut connection = proxy.connect().await;
    let head = b"POST /small.txt HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000000\r\n\r\n";
    connection.write_all(head).await.unwrap();
    let body = time::timeout(BOUND, async { while connection.write_all(&[7; 65_536]).await.is_ok() {} });
    assert!(body.await.is_ok(), "it still reads");
}

#[tokio::test(flavor = "multi_thread")]
async fn constant_fields_are_on_every_answer() {
    let flags = [
        "--response-header",
        "Strict-Transport-Security: max-age=63072000",
        "--response-header=X-Content-Type-Options: nosniff",
    ];
    let proxy = Proxy::start(&flags).await;
    for (request, status) in [
        (get("/small.txt"), 200),
        (get("/small.txt").replace("Connection", "Range: bytes=0-0\r\nConnection"), 206),
        (get("/small.txt").replace("GET", "POST"), 405),
        (get("/small.txt").replace("GET", "OPTIONS"), 204),
        (get("/none"), 404),
        (get("/ping"), 200),
        (get("/ready"), 200),
        (get("/a").replace("Host", "X-Host"), 400),
    ] {
        let answer = proxy.ask(&request).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{request}{answer}");
        for field in
            ["strict-transport-security: max-age=63072000\r\n", "x-content-type-options: nosniff\r\n"]
        {
            assert!(answer.contains(field), "{field} is not in the answer to {request}{answer}");
        }
    }
}
