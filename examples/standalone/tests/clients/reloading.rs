//! SIGHUP, and the time between SIGTERM and the end.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{
    listening::mount,
    proxy::{ADMIN_TOKEN, Proxy, get},
};

fn file(url: &str, mount_lines: &str, server: &str) -> String {
    let mount = mount(url).replacen("[[mount]]\n", &format!("[[mount]]\n{mount_lines}\n"), 1);
    format!(
        "region = \"us-east-1\"\n[server]\nlisten = \"127.0.0.1:0\"\n{server}\n[cache]\nsize = \"8MiB\"\n{mount}"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn sighup_reads_the_file_again_and_a_bad_one_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("proxy.toml");
    let proxy = Proxy::start_from(&path, |url| file(url, "cache_ttl_secs = 3600", "")).await;
    let url = proxy.s3().endpoint();
    // A connection that is kept, and a response in flight: both outlive every reload.
    let mut kept = proxy.connect().await;
    let mut asked = async |path: &str| {
        kept.write_all(format!("HEAD {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).await.unwrap();
        let mut answer = vec![0; 4096];
        let read = kept.read(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer[..read]).into_owned()
    };
    let mut download = proxy.connect().await;
    download.write_all(get("/large.bin").as_bytes()).await.unwrap();
    download.readable().await.unwrap();
    assert!(proxy.ask(&get("/small.txt")).await.contains("fwd=uri-miss"));

    let cors = "cache_ttl_secs = 3600\ncors = { origins = [\"*\"] }";
    std::fs::write(&path, file(&url, cors, "")).unwrap();
    proxy.signal("HUP");
    proxy.logs("unchanged=0").await;
    let answer = asked("/small.txt").await;
    assert!(answer.contains("; hit") && answer.contains("vary: Origin"), "{answer}");

    std::fs::write(&path, file(&url, "cors = { orgins = [\"*\"] }", "")).unwrap();
    proxy.signal("HUP");
    proxy.logs("the configuration stays as it is").await;
    proxy.logs("did you mean `origins`?").await;
    assert!(asked("/small.txt").await.contains("; hit"));

    std::fs::write(&path, file(&url, cors, "threads = 2")).unwrap();
    proxy.signal("HUP");
    proxy.logs("unchanged=1").await;
    proxy.logs("needs a restart").await;
    assert!(asked("/small.txt").await.contains("; hit"));

    let moved = format!("{cors}\npath = \"/media\"");
    std::fs::write(&path, file(&url, &moved, "")).unwrap();
    proxy.signal("HUP");
    let moved = tokio::time::timeout(crate::proxy::BOUND, async {
        while !asked("/media/small.txt").await.starts_with("HTTP/1.1 200") {}
    });
    moved.await.expect("the mount at its new path");
    assert!(asked("/small.txt").await.starts_with("HTTP/1.1 404"));

    let mut rest = Vec::new();
    download.read_to_end(&mut rest).await.unwrap();
    assert!(rest.len() > crate::proxy::LARGE, "{}", rest.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn before_it_stops_the_proxy_is_not_ready_and_answers() {
    let mut proxy = Proxy::start(&["--shutdown-delay", "3600"]).await;
    assert!(proxy.ask(&get("/ready")).await.starts_with("HTTP/1.1 200"));
    proxy.signal("TERM");
    proxy.logs("not ready any more").await;
    assert!(proxy.ask(&get("/ready")).await.ends_with("not ready: stopping\n"));
    assert!(proxy.ask(&get("/small.txt")).await.ends_with("hello"));
    // Whoever does not want to wait.
    proxy.signal("TERM");
    assert_eq!(proxy.exit().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_interface_reads_the_file_again_and_says_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("proxy.toml");
    let text = |url: &str, mount: &str| file(url, mount, "cache_admin_path = \"/_cache\"");
    let proxy = Proxy::start_from(&path, |url| text(url, "")).await;
    let url = proxy.s3().endpoint();
    let reload = async |token: &str| {
        let fields = format!("Authorization: Bearer {token}\r\nContent-Length: 0\r\nConnection: close\r\n");
        proxy.ask(&format!("POST /_cache/reload HTTP/1.1\r\nHost: a\r\n{fields}\r\n")).await
    };
    std::fs::write(&path, text(&url, "path = \"/media\"")).unwrap();
    assert!(reload("guess").await.starts_with("HTTP/1.1 401"));
    assert!(proxy.ask(&get("/media/small.txt")).await.starts_with("HTTP/1.1 404"));
    let answer = reload(ADMIN_TOKEN).await;
    assert!(answer.ends_with("{\"reloaded\":true}"), "{answer}");
    assert!(proxy.ask(&get("/media/small.txt")).await.ends_with("hello"));
    std::fs::write(&path, text(&url, "path = 7")).unwrap();
    let answer = reload(ADMIN_TOKEN).await;
    assert!(answer.starts_with("HTTP/1.1 409") && answer.contains("must be text in quotes"), "{answer}");
    assert!(proxy.ask(&get("/media/small.txt")).await.ends_with("hello"));
}
