//! The log: what clients and origins can make it say.

use aws_credential_types::Credentials;
use http::StatusCode;
use http_body_util::BodyExt;
use tokio::{io::AsyncWriteExt, net::TcpListener};
use tower::ServiceExt;
use tower_s3_proxy::{ProxyError, S3Proxy, encryption::CustomerKey};

use crate::{
    log::Log,
    support::{ask, get, is_cached, mount, mount_at, origin, proxy, read_head, request, s3},
};

/// An S3 that repeats what it was sent, at length.
async fn echo() -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                while let Some(head) = read_head(&mut stream).await {
                    let (said, long) = (head.replace(['<', '&'], " "), "long ".repeat(5000));
                    let code = format!("Code{}", "x".repeat(5000));
                    let document =
                        format!("<Error><Code>{code}</Code><Message>{said}{long}</Message></Error>");
                    let answer = format!(
                        "HTTP/1.1 500 Oops\r\ncontent-length: {}\r\nx-amz-request-id: {}\r\n\r\n{document}",
                        document.len(),
                        "1".repeat(3000)
                    );
                    if stream.write_all(answer.as_bytes()).await.is_err() {
                        break;
                    }
                }
            });
        }
    });
    addr
}

#[tokio::test]
async fn the_log_repeats_no_secret_that_s3_repeats_and_not_much_of_anything() {
    let token = "a-session-token-of-some-length/with+signs==";
    let keys = Credentials::new("AKIDEXAMPLE", "the-secret-access-key", Some(token.to_owned()), None, "test");
    let customer_key = CustomerKey::from([7; 32]);
    let service = proxy(mount_at(echo().await).credentials(keys).customer_key(customer_key.clone()));
    let (log, _guard) = Log::filtered("tower_s3_proxy=trace");
    let answer = ask(&service, get("/a")).await;
    assert!(answer.status.is_server_error());
    let text = log.lines().join("\n");
    assert!(text.contains("S3 refused") && text.contains("host: "), "{text}");
    for secret in [token, "the-secret-access-key", "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    let digits = |c: char| c.is_ascii_hexdigit();
    assert!(text.split(|c| !digits(c)).all(|run| run.len() < 64), "a signature in {text}");
    assert!(log.lines().iter().all(|line| line.len() < 1000), "{text}");
}

/// Whoever asks for what there is not, or asks in vain, writes no line.
#[tokio::test]
async fn what_a_client_can_cause_at_will_is_not_logged_from_info_on() {
    let s3 = s3().await;
    let service = proxy(mount(&s3));
    let (log, guard) = Log::start();
    for (method, path, fields, status) in [
        ("GET", "/missing", &[][..], StatusCode::NOT_FOUND),
        ("GET", "/..%2fx", &[], StatusCode::NOT_FOUND),
        ("POST", "/a", &[], StatusCode::METHOD_NOT_ALLOWED),
        ("GET", "/a?response-content-type=text/html", &[], StatusCode::BAD_REQUEST),
    ] {
        for _ in 0..5 {
            assert_eq!(ask(&service, request(method, path, fields)).await.status, status, "{method} {path}");
        }
    }
    assert_eq!(log.lines(), Vec::<String>::new());
    drop(guard);
    let (log, _guard) = Log::filtered("tower_s3_proxy=debug");
    ask(&service, get("/missing")).await;
    assert!(log.lines().iter().any(|line| line.contains("no such object")), "{:?}", log.lines());
}

/// What ends a body for good has one line, with the id of the error that the body ends in, and a place in the counts.
#[tokio::test]
async fn a_body_that_breaks_off_for_good_leaves_one_line_with_its_id() {
    let tagged = "HTTP/1.1 206 Partial\r\netag: \"a\"\r\ncontent-range: bytes 0-5/100\r\ntransfer-encoding: chunked\r\n\r\n";
    for (what, answer, first, at) in [
        // Nobody knows how long it is.
        (
            "no last chunk",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n12345\r\n".to_owned(),
            "12345",
            5,
        ),
        (
            "no chunk",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n12345\r\nxyz\r\n".to_owned(),
            "12345",
            5,
        ),
        // It is another part.
        ("a byte too many", format!("{tagged}3\r\n123\r\n4\r\n4567\r\n0\r\n\r\n"), "123", 3),
        // The rest of it could be of another state.
        ("no tag", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n12345".to_owned(), "12345", 5),
    ] {
        if is_cached() && answer.contains("206") {
            // A cache asks for a whole block, which this is not.
            continue;
        }
        let answer: &'static str = answer.leak();
        let addr = origin(move |_, mut stream| async move {
            read_head(&mut stream).await;
            stream.write_all(answer.as_bytes()).await.unwrap();
        })
        .await;
        let (log, _guard) = Log::start();
        let mount = mount_at(addr).build().unwrap();
        let asked =
            if answer.contains("206") { request("GET", "/a", &[("range", "bytes=0-5")]) } else { get("/a") };
        let response = S3Proxy::new(mount.clone()).oneshot(asked).await.unwrap();
        assert!(response.status().is_success(), "{what}: {}", response.status());
        let (mut body, mut received) = (response.into_body(), Vec::new());
        let error = loop {
            match body.frame().await {
                Some(Ok(frame)) => received.extend_from_slice(&frame.into_data().unwrap()),
                Some(Err(error)) => break error,
                None => panic!("{what}: a clean end"),
            }
        };
        assert!(first.as_bytes().starts_with(&received), "{what}");
        let lines = log.lines();
        let told: Vec<_> = lines.iter().filter(|line| line.contains("ERROR")).collect();
        let [line] = &told[..] else { panic!("{what}: {lines:?}") };
        assert!(line.contains("a body broke off") && line.contains(&format!("at={at} ")), "{what}: {line}");
        assert_eq!(mount.origin().broken, 1, "{what}");
        if !is_cached() {
            let id = error.downcast_ref::<ProxyError>().expect("an error of ours").id().to_owned();
            assert!(line.contains(&format!("id=\"{id}\"")), "{what}: {id} {line}");
        }
    }
}
