use tokio::net::TcpStream;

use crate::proxy::{Proxy, ask, get};

/// What the listener for operators answers.
async fn observe(proxy: &Proxy, path: &str) -> String {
    proxy.logs("metrics for Prometheus").await;
    let log = proxy.log();
    let line = log.lines().find(|line| line.contains("metrics for Prometheus")).unwrap();
    let address = line.split("address=").nth(1).unwrap().split_whitespace().next().unwrap();
    ask(TcpStream::connect(address).await.unwrap(), &get(path)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn prometheus_reads_what_was_asked_on_a_listener_of_its_own() {
    let flags = ["--metrics-listen", "127.0.0.1:0", "--cache-size", "1MiB"];
    let proxy = Proxy::start_with_log(crate::proxy::LogReader::Reads, &flags).await;
    for (path, status) in [("/small.txt", 200), ("/small.txt", 200), ("/no.txt", 404)] {
        assert!(proxy.ask(&get(path)).await.starts_with(&format!("HTTP/1.1 {status}")), "{path}");
    }
    let text = observe(&proxy, "/metrics").await;
    assert!(text.starts_with("HTTP/1.1 200") && text.contains("content-type: text/plain; version=0.0.4"));
    for line in [
        r#"s3proxy_requests_total{mount="/",method="GET",status="200",cache="miss"} 1"#,
        r#"s3proxy_requests_total{mount="/",method="GET",status="404",cache="miss"} 1"#,
        r#"s3proxy_s3_requests_total{mount="/",operation="GetObject",outcome="refused"} 1"#,
        r#"s3proxy_first_byte_seconds_bucket{mount="/",cache="miss",le="10"} 2"#,
        "s3proxy_connections_total 3",
        r#"s3proxy_refusals_total{reason="connections"} 0"#,
        "process_open_fds ",
        "# TYPE s3proxy_s3_first_byte_seconds histogram",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert!(observe(&proxy, "/ping").await.ends_with("pong\n"));
    assert!(observe(&proxy, "/small.txt").await.starts_with("HTTP/1.1 404"));
    assert!(proxy.ask(&get("/metrics")).await.starts_with("HTTP/1.1 404"), "clients see nothing of it");
}
