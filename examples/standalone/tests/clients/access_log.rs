use std::{path::Path, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time,
};

use crate::proxy::{BOUND, Proxy, get};

/// The log, once it has so many lines.
async fn lines(path: &Path, count: usize) -> Vec<String> {
    let read = async {
        loop {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            if text.ends_with('\n') && text.lines().count() >= count {
                return text.lines().map(str::to_owned).collect();
            }
            time::sleep(Duration::from_millis(20)).await;
        }
    };
    time::timeout(BOUND, read).await.expect("as many lines")
}

#[tokio::test(flavor = "multi_thread")]
async fn each_request_has_its_line_without_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.log");
    let proxy = Proxy::start(&["--access-log", path.to_str().unwrap(), "--cache-size", "1MiB"]).await;
    proxy.ask(&get("/small.txt")).await;
    let request = "GET /small.txt?X-Amz-Signature=5ec2e7 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\
                   Authorization: Bearer 5ec2e7\r\nReferer: https://a.test/?token=5ec2e7\r\nUser-Agent: a\"b\r\n\r\n";
    proxy.ask(request).await;
    proxy.ask(&request.replace("GET", "HEAD")).await;
    let lines = lines(&path, 3).await;
    let [first, second, head] = &lines[..] else { panic!("{lines:?}") };
    assert!(first.starts_with("127.0.0.1 - - ["), "{first}");
    assert!(first.contains(
        " +0000] \"GET /small.txt HTTP/1.1\" 200 5 \"-\" \"-\" mount=\"/\" cache=miss first_byte=0."
    ));
    assert!(first.contains(" end=complete"), "{first}");
    assert!(second.contains("/small.txt?X-Amz-Signature=*** HTTP/1.1"), "{second}");
    assert!(second.contains("\"https://a.test/?token=***\" \"a\\\"b\""), "{second}");
    assert!(head.contains("\"HEAD ") && head.contains(" 0 \"") && head.contains("end=complete"), "{head}");
    assert!(!lines.concat().contains("5ec2e7"), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_response_that_was_cut_off_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.log");
    let flags = ["--access-log", path.to_str().unwrap(), "--access-log-format", "json"];
    let proxy = Proxy::start(&flags).await;
    let mut connection = proxy.connect().await;
    connection.write_all(get("/large.bin").as_bytes()).await.unwrap();
    connection.read_exact(&mut [0; 1000]).await.unwrap();
    drop(connection);
    proxy.ask(&get("/ping")).await;
    let lines = lines(&path, 2).await;
    let objects: Vec<serde_json::Value> =
        lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |target: &str| objects.iter().find(|object| object["target"] == target).unwrap();
    let cut = of("/large.bin");
    assert_eq!((&cut["status"], &cut["end"]), (&200.into(), &"cut-off".into()), "{cut}");
    assert!(cut["bytes"].as_u64().unwrap() < 24 * 1024 * 1024, "{cut}");
    assert_eq!(of("/ping")["end"], "complete");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_was_moved_away_is_opened_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.log");
    let flags = ["--access-log", path.to_str().unwrap(), "--access-log-format", "common"];
    let mut proxy = Proxy::start(&flags).await;
    proxy.ask(&get("/ping")).await;
    lines(&path, 1).await;
    let old = folder.path().join("access.log.1");
    std::fs::rename(&path, &old).unwrap();
    let appears = async {
        while !path.exists() {
            time::sleep(Duration::from_millis(20)).await;
        }
    };
    time::timeout(BOUND, appears).await.expect("a new file");
    proxy.ask(&get("/small.txt")).await;
    // What waits is written at the end.
    proxy.signal("TERM");
    assert_eq!(proxy.exit().await.code(), Some(0));
    let line = std::fs::read_to_string(&path).unwrap();
    assert!(line.ends_with("\"GET /small.txt HTTP/1.1\" 200 5\n"), "{line}");
    assert_eq!(std::fs::read_to_string(&old).unwrap().lines().count(), 1);
}
