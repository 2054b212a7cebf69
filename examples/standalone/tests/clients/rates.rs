use std::time::{Duration, Instant};

use tokio::time;

use crate::proxy::{BOUND, MEDIUM, Proxy, ask, get, http2, http2_get};

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_asks_too_often_is_told_to_wait_and_others_are_not() {
    let proxy = Proxy::start(&["--max-requests-per-second", "1", "--request-burst", "3"]).await;
    let mut statuses = Vec::new();
    for _ in 0..30 {
        let answer = proxy.ask(&get("/small.txt")).await;
        let is_told = answer.to_ascii_lowercase().contains("\r\nretry-after: ");
        statuses.push((answer.get(9..12).unwrap_or_default().to_owned(), is_told));
    }
    assert_eq!(statuses[..3], vec![("200".to_owned(), false); 3], "the burst");
    assert!(statuses[3..].contains(&("429".to_owned(), true)), "{statuses:?}");
    // Its body is not read: a body is no way around the limit.
    for _ in 0..4 {
        let post =
            "POST /small.txt HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 1000000\r\n\r\n";
        let answer = proxy.ask(post).await;
        assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
    let answer = ask(proxy.connect_from([127, 0, 0, 7]).await, &get("/small.txt")).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "another address: {answer}");
    for path in ["/ping", "/ready"] {
        for _ in 0..5 {
            let answer = proxy.ask(&get(path)).await;
            assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
        }
    }
    proxy.logs("--max-requests-per-second").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_is_paced_is_not_taken_for_one_that_reads_nothing() {
    let flags = ["--max-bytes-per-second", "16KiB", "--write-timeout", "1s", "--idle-timeout", "1s"];
    let proxy = Proxy::start(&flags).await;
    let begun = Instant::now();
    let answer = proxy.ask(&get("/medium.bin")).await;
    let body = answer.split_once("\r\n\r\n").map_or(0, |(_, body)| body.len());
    assert_eq!(body, MEDIUM, "{}", answer.get(..300).unwrap_or_default());
    assert!(begun.elapsed() > Duration::from_millis(1800), "{:?}", begun.elapsed());

    let begun = Instant::now();
    let (client, _connection) = http2(proxy.connect().await, 65_535).await;
    let request = http2_get("/medium.bin").body(()).unwrap();
    let (response, _) = client.ready().await.unwrap().send_request(request, true).unwrap();
    let read = time::timeout(BOUND, async {
        let mut body = response.await.unwrap().into_body();
        let mut length = 0;
        while let Some(data) = body.data().await {
            let data = data.unwrap();
            length += data.len();
            body.flow_control().release_capacity(data.len()).unwrap();
        }
        length
    });
    assert_eq!(read.await.expect("the response ends"), MEDIUM);
    assert!(begun.elapsed() > Duration::from_millis(1800), "{:?}", begun.elapsed());
}
