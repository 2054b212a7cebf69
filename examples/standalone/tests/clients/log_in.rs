//! What a log-in service is told, and what it is not asked about. Users of a file.

use std::{
    fs,
    io::Write,
    process::{Command, Stdio},
    sync::{Arc, Mutex},
};

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

/// The output of the command `user`, with this on standard input.
fn user(args: &[&str], input: &str) -> (String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tower-s3-proxy"));
    command.arg("user").args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_of_the_command_lets_a_user_in_and_its_removal_out() {
    let (ada, told) = user(&["ada"], "swordfish\n");
    assert!(ada.starts_with("ada:$argon2id$") && ada.ends_with('\n') && told.is_empty(), "{ada}{told}");
    let (ci, told) = user(&["ci", "--token"], "");
    let token = told.trim().rsplit(' ').next().unwrap().to_owned();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users");
    fs::write(&path, format!("{ada}{ci}")).unwrap();
    let flag = format!("users.file={}", path.display());
    let proxy = Proxy::start(&["-o", &flag, "-o", "users.realm=Studio"]).await;
    let request = |credentials: &str| {
        format!(
            "GET /small.txt HTTP/1.1\r\nHost: a\r\nAuthorization: {credentials}\r\nConnection: close\r\n\r\n"
        )
    };
    // ada:swordfish
    let basic = request("Basic YWRhOnN3b3JkZmlzaA==");
    let bearer = request(&format!("Bearer {token}"));
    for request in [&basic, &bearer] {
        let answer = proxy.ask(request).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    let answer = proxy.ask(&get("/small.txt")).await;
    assert!(
        answer.contains("401") && answer.contains("www-authenticate: Basic realm=\"Studio\""),
        "{answer}"
    );
    fs::write(&path, ci).unwrap();
    proxy.logs("the file of users was read again").await;
    assert!(proxy.ask(&basic).await.starts_with("HTTP/1.1 401"));
    assert!(proxy.ask(&bearer).await.starts_with("HTTP/1.1 200"));
    fs::write(&path, "no line").unwrap();
    proxy.logs("the users stay as they are").await;
    assert!(proxy.ask(&bearer).await.starts_with("HTTP/1.1 200"));
    assert!(!proxy.log().contains("swordfish"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_of_the_command_opens_from_its_network() {
    let keys = r#"own_links.key=[{id="k1",secret="0123456789abcdef"}]"#;
    let flags = ["-o", keys, "-o", "own_links.unlinked=refused"];
    let proxy = Proxy::start(&flags).await;
    let mut command = Command::new(env!("CARGO_BIN_EXE_tower-s3-proxy"));
    let of_mount = ["--bucket", "media", "--region", "us-east-1", "--anonymous"];
    command
        .args(["link", "small.txt", "--expires", "5m", "--network", "127.0.0.9"])
        .args(of_mount)
        .args(flags);
    let output = command.args(["--base", "https://media.test/"]).output().unwrap();
    let url = String::from_utf8(output.stdout.clone()).unwrap();
    let path = url.trim().strip_prefix("https://media.test").unwrap_or_else(|| panic!("{output:?}"));
    assert!(path.starts_with("/t/k1.") && path.ends_with("/small.txt"), "{url}");
    let there = ask(proxy.connect_from([127, 0, 0, 9]).await, &get(path)).await;
    assert!(there.starts_with("HTTP/1.1 200") && there.ends_with("hello"), "{there}");
    for (what, told) in
        [("another network", proxy.ask(&get(path)).await), ("no link", proxy.ask(&get("/small.txt")).await)]
    {
        assert!(told.starts_with("HTTP/1.1 403"), "{what}: {told}");
    }
}
