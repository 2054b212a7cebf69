//! The log: what clients and origins can make it say.

use aws_credential_types::Credentials;
use http::StatusCode;
use tokio::{io::AsyncWriteExt, net::TcpListener};
use tower_s3_proxy::encryption::CustomerKey;

use crate::{
    log::Log,
    support::{ask, get, mount, mount_at, proxy, read_head, request, s3},
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
