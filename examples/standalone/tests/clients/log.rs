use crate::proxy::{KEYS, LogReader, Proxy, get};

/// More lines than a pipe holds, by a client's requests.
async fn fill_the_log(proxy: &Proxy) {
    for n in 0..400 {
        let answer = proxy.ask(&get(&format!("/no-such-object-{n}{}", "x".repeat(500)))).await;
        assert!(answer.starts_with("HTTP/1.1 404"), "{n}: {answer}");
    }
}

/// A pipe to a slow disk, or to a log driver that blocks.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_nobody_reads_keeps_no_request_waiting() {
    let mut proxy = Proxy::start_with_log(LogReader::Stalls, &[]).await;
    fill_the_log(&proxy).await;
    assert!(proxy.ping().await.starts_with("HTTP/1.1 200"));
    proxy.signal("TERM");
    assert_eq!(proxy.exit().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_can_not_be_written_ends_nothing() {
    let mut proxy = Proxy::start_with_log(LogReader::IsGone, &[]).await;
    fill_the_log(&proxy).await;
    assert!(proxy.ping().await.starts_with("HTTP/1.1 200"));
    proxy.signal("TERM");
    assert_eq!(proxy.exit().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_in_a_file_has_no_colours() {
    let proxy = Proxy::start_with_log(LogReader::Reads, &[]).await;
    proxy.ask(&get("/no-such-object")).await;
    proxy.logs("no-such-object").await;
    assert!(!proxy.log().contains('\u{1b}'), "{}", proxy.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_json_if_that_is_wanted() {
    let proxy = Proxy::start_with_log(LogReader::Reads, &["--log-format", "json"]).await;
    proxy.ask(&get("/no-such-object")).await;
    proxy.logs("not_found").await;
    let log = proxy.log();
    // The last line may be on its way.
    let lines: Vec<_> = log.lines().collect();
    assert!(lines.len() > 1);
    for line in &lines[..lines.len() - 1] {
        let line: serde_json::Value =
            serde_json::from_str(line).unwrap_or_else(|why| panic!("{why}: {line}"));
        assert!(line["timestamp"].is_string() && line["level"].is_string(), "{line}");
    }
}

/// The SDK tells of the credentials that it has loaded.
#[tokio::test(flavor = "multi_thread")]
async fn no_level_of_the_log_has_the_key_id_of_a_profile() {
    let (key, secret) = KEYS;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("credentials");
    std::fs::write(&file, format!("[studio]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n"))
        .unwrap();
    let variable = format!("AWS_SHARED_CREDENTIALS_FILE={}", file.display());
    let proxy = Proxy::start_with_env(&[&variable], LogReader::Reads, &["--profile", "studio"]).await;
    assert!(proxy.ask(&get("/small.txt")).await.ends_with("hello"));
    proxy.ask(&get("/no-such-object")).await;
    proxy.logs("no-such-object").await;
    assert!(!proxy.log().contains(key), "{}", proxy.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn health_checks_that_fail_do_not_fill_the_log() {
    let variables = ["RUST_LOG=info", "AWS_SECRET_ACCESS_KEY=wrong"];
    let proxy = Proxy::start_with_env(&variables, LogReader::Reads, &[]).await;
    for _ in 0..50 {
        assert!(proxy.ask(&get("/ready")).await.starts_with("HTTP/1.1 503"));
    }
    proxy.logs("not ready").await;
    assert_eq!(proxy.log().matches("not ready").count(), 1, "{}", proxy.log());
}

/// What a client can cause at will stands in no log by default.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_can_not_write_the_log() {
    let proxy = Proxy::start(&[]).await;
    for n in 0..100 {
        proxy.ask(&get(&format!("/no-such-object-{n}"))).await;
        proxy.ask(&get("/..%2fx")).await;
        proxy.ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").await;
    }
    assert!(proxy.log().len() < 2000, "{}", proxy.log());
}
