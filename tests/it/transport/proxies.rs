use std::time::{Duration, Instant};

use demo_s3::DemoS3;
use http::StatusCode;
use tower_s3_proxy::{MountBuilder, Transport, error::ConfigErrorKind, transport::TransportBuilder};

use super::{
    http_proxy::{HttpProxy, Manners, Seen},
    tls::Authority,
};
use crate::{
    log::Log,
    support::{Answer, BUCKET, ask, get, mount, proxy, s3},
};

/// `user:pa ss` in a URL and in a field (RFC 7617 §2).
const CREDENTIALS: &str = "user:pa%20ss";
const AUTHORIZATION: &str = "proxy-authorization: Basic dXNlcjpwYSBzcw==";

async fn s3_with_an_object() -> DemoS3 {
    let s3 = s3().await;
    s3.store().put(BUCKET, "a", "good".into());
    s3
}

async fn answer(mount: MountBuilder, transport: TransportBuilder) -> Answer {
    ask(&proxy(mount.transport(&transport.build().unwrap())), get("/a")).await
}

#[tokio::test]
async fn https_goes_through_a_tunnel_and_http_is_forwarded() {
    let s3 = s3_with_an_object().await;
    let authority = Authority::new();
    let s3_by_tls = authority.front("s3.test", s3.addr()).await;
    for (endpoint, connect_to, server, line) in [
        ("https://s3.test", None, s3_by_tls.addr, "CONNECT s3.test:443 HTTP/1.1"),
        ("https://s3.test:9443", None, s3_by_tls.addr, "CONNECT s3.test:9443 HTTP/1.1"),
        ("https://s3.test", Some("vpce.test:444"), s3_by_tls.addr, "CONNECT vpce.test:444 HTTP/1.1"),
        ("https://s3.test", Some("[2001:db8::1]:444"), s3_by_tls.addr, "CONNECT [2001:db8::1]:444 HTTP/1.1"),
        ("http://s3.test:9000", None, s3.addr(), "GET http://s3.test:9000/media/a HTTP/1.1"),
        ("http://s3.test", None, s3.addr(), "GET http://s3.test/media/a HTTP/1.1"),
        ("http://s3.test", Some("vpce.test"), s3.addr(), "CONNECT vpce.test:80 HTTP/1.1"),
    ] {
        let tunneller = HttpProxy::start(server, Manners::Connects).await;
        // The proxy itself by TLS, too.
        let by_tls = authority.front("localhost", tunneller.addr).await;
        for url in [
            format!("http://{CREDENTIALS}@{}", tunneller.addr),
            format!("https://{CREDENTIALS}@localhost:{}", by_tls.addr.port()),
        ] {
            let mount = mount(&s3).endpoint_url(endpoint);
            let mount = match connect_to {
                Some(address) => mount.connect_to(address),
                None => mount,
            };
            let got = answer(mount, Transport::builder().proxy(&url).ca_file(&authority.file)).await;
            assert_eq!(
                (got.status, got.text()),
                (StatusCode::OK, "good"),
                "{endpoint} by {url}: {:?}",
                got.error
            );
        }
        let seen = Seen { line: line.to_owned(), authorization: Some(AUTHORIZATION.to_owned()) };
        assert_eq!(tunneller.seen(), [seen.clone(), seen], "{endpoint}");
    }
    for request in s3.log() {
        assert!(!format!("{request:?}").contains("dXNlcjpwYSBzcw"), "S3 never sees it: {request:?}");
    }
}

#[tokio::test]
async fn a_tunnel_is_kept_as_any_connection() {
    let s3 = s3_with_an_object().await;
    let authority = Authority::new();
    let s3_by_tls = authority.front("s3.test", s3.addr()).await;
    let tunneller = HttpProxy::start(s3_by_tls.addr, Manners::Connects).await;
    let transport = Transport::builder().proxy(format!("http://{}", tunneller.addr)).ca_file(&authority.file);
    let mount = mount(&s3).endpoint_url("https://s3.test").transport(&transport.build().unwrap());
    let service = proxy(mount);
    for _ in 0..5 {
        assert_eq!(ask(&service, get("/a")).await.text(), "good");
    }
    assert_eq!(
        tunneller.seen(),
        [Seen { line: "CONNECT s3.test:443 HTTP/1.1".to_owned(), authorization: None }]
    );
}

#[tokio::test]
async fn a_configured_proxy_is_for_every_host_that_is_not_excepted() {
    let s3 = s3_with_an_object().await;
    let tunneller = HttpProxy::start(s3.addr(), Manners::Connects).await;
    let by_proxy = || Transport::builder().proxy(format!("http://{}", tunneller.addr));
    for (transport, requests) in [
        (by_proxy(), 1),
        (by_proxy().no_proxy("10.0.0.0/8"), 2),
        (by_proxy().no_proxy("localhost,127.0.0.0/8"), 2),
        (by_proxy().no_proxy("*"), 2),
    ] {
        let got = answer(mount(&s3), transport).await;
        assert_eq!(got.text(), "good");
        assert_eq!(tunneller.seen().len(), requests);
    }
}

#[tokio::test]
async fn a_proxy_that_does_not_connect_is_named_without_its_credentials() {
    let (log, _guard) = Log::filtered("trace");
    let s3 = s3_with_an_object().await;
    for (says, endpoint, status, message) in [
        (
            "HTTP/1.1 403 Forbidden\r\ncontent-length: 4\r\n\r\nno!\n",
            "https://s3.test",
            502,
            "answered CONNECT with 403 Forbidden",
        ),
        ("HTTP/1.1 407 Who\r\ncontent-length: 0\r\n\r\n", "https://s3.test", 502, "wants other credentials"),
        ("HTTP/1.1 407 Who\r\ncontent-length: 0\r\n\r\n", "http://s3.test", 502, "wants other credentials"),
        ("what do you want?\r\n\r\n", "https://s3.test", 502, "broke off"),
        ("HTTP/1.1 200 OK\r\n\r\nSSH-2.0", "https://s3.test", 502, "can't be used for this host"),
        ("", "https://s3.test", 502, "timed out: the proxy"),
    ] {
        let tunneller = HttpProxy::start(s3.addr(), Manners::Says(says)).await;
        let limit = if says.is_empty() { Duration::from_millis(100) } else { Duration::from_secs(20) };
        let transport = Transport::builder()
            .proxy(format!("http://{CREDENTIALS}@{}", tunneller.addr))
            .connect_timeout(limit);
        let begun = Instant::now();
        let got = answer(mount(&s3).endpoint_url(endpoint), transport).await;
        assert!(begun.elapsed() < Duration::from_secs(15), "{says}: at once, or when the time is up");
        assert_eq!(got.status, status, "{says}");
        let mut why = String::new();
        let mut cause = got.error.as_ref().map(|error| error as &dyn std::error::Error);
        while let Some(error) = cause {
            why = format!("{why}: {error}");
            cause = error.source();
        }
        assert!(why.contains(message), "{says}: {why}");
        for secret in ["user", "pa%20ss", "pa ss", "dXNlcjpwYSBzcw"] {
            assert!(!got.text().contains(secret) && !why.contains(secret), "{why}");
        }
    }
    let lines = log.lines();
    assert!(lines.iter().any(|line| line.contains("answered CONNECT with 403")), "{lines:#?}");
    for line in lines {
        assert!(!line.contains("dXNlcjpwYSBzcw") && !line.contains("pa%20ss"), "{line}");
    }
}

#[test]
fn a_proxy_that_can_not_be_used_is_refused_when_the_transport_is_built() {
    let client = || aws_smithy_http_client::Builder::new().build_http();
    let secret = "http://user:secret@";
    for (builder, kind, message) in [
        (
            Transport::builder().proxy(secret),
            ConfigErrorKind::InvalidValue,
            "proxy: the URL is malformed: give it as",
        ),
        (
            Transport::builder().proxy("socks5://user:secret@a:1"),
            ConfigErrorKind::InvalidValue,
            "proxy: a SOCKS proxy",
        ),
        (
            Transport::builder().proxy("a:1").http_client(client()),
            ConfigErrorKind::Contradiction,
            "let the client use",
        ),
        (
            Transport::builder().no_proxy("*").http_client(client()),
            ConfigErrorKind::Contradiction,
            "let the client use",
        ),
    ] {
        assert!(!format!("{builder:?}").contains("secret"), "{builder:?}");
        let why = builder.build().unwrap_err();
        assert_eq!(why.kind(), kind, "{why}");
        assert!(why.to_string().contains(message) && !format!("{why} {why:?}").contains("secret"), "{why}");
    }
    let transport = Transport::builder().proxy("http://user:secret@a:1").build().unwrap();
    assert!(!format!("{transport:?}").contains("secret"), "{transport:?}");
}
