//! Requests within requests: whatever a hyper server makes of these bytes, S3 never sees the hidden one.

use std::collections::BTreeSet;

use super::{
    check::{Failures, asks_properly},
    expect::ensure,
    wire::RawServer,
};
use crate::{
    lying::{LyingOrigin, Object},
    support::proxy,
};

/// The hidden request. Where it stands, it is a part of a body, or the request around it is none.
const HIDDEN: &str = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";

/// How a request says where it ends, and the body that comes then. `N` is the length of the body, `H` the hidden
/// request, `h` its length in hexadecimal.
const FRAMINGS: [(&str, &str); 44] = [
    // A length, and a length in chunks: the latter counts, and the connection is suspect (RFC 9112 §6.3).
    ("Content-Length: N\r\nTransfer-Encoding: chunked", "h\r\nH\r\n0\r\n\r\n"),
    ("Transfer-Encoding: chunked\r\nContent-Length: N", "h\r\nH\r\n0\r\n\r\n"),
    ("Content-Length: 4\r\nTransfer-Encoding: chunked", "h\r\nH\r\n0\r\n\r\n"),
    ("Transfer-Encoding: chunked\r\nContent-Length: 4", "h\r\nH\r\n0\r\n\r\n"),
    ("Content-Length: 0\r\nTransfer-Encoding: chunked", "h\r\nH\r\n0\r\n\r\n"),
    // Codings that are not `chunked`, or not quite.
    ("Transfer-Encoding: xchunked\r\nContent-Length: N", "H"),
    ("Transfer-Encoding: chunked, identity\r\nContent-Length: N", "H"),
    ("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", "h\r\nH\r\n0\r\n\r\n"),
    ("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked", "h\r\nH\r\n0\r\n\r\n"),
    ("Transfer-Encoding: chunked, chunked", "h\r\nH\r\n0\r\n\r\n"),
    ("Transfer-Encoding: \"chunked\"\r\nContent-Length: N", "H"),
    ("Transfer-Encoding: chunked;q=1\r\nContent-Length: N", "H"),
    ("Transfer-Encoding:\tchunked\r\nContent-Length: N", "h\r\nH\r\n0\r\n\r\n"),
    ("Transfer-Encoding: \x0bchunked\r\nContent-Length: N", "h\r\nH\r\n0\r\n\r\n"),
    ("Transfer-Encoding : chunked\r\nContent-Length: N", "h\r\nH\r\n0\r\n\r\n"),
    ("Transfer-Encoding:\r\n chunked\r\nContent-Length: N", "h\r\nH\r\n0\r\n\r\n"),
    ("X: x\nTransfer-Encoding: chunked\r\nContent-Length: N", "h\r\nH\r\n0\r\n\r\n"),
    ("X: x\rTransfer-Encoding: chunked\r\nContent-Length: N", "h\r\nH\r\n0\r\n\r\n"),
    (" Transfer-Encoding: chunked\r\nContent-Length: N", "h\r\nH\r\n0\r\n\r\n"),
    ("Transfer_Encoding: chunked\r\nContent-Length: N", "h\r\nH\r\n0\r\n\r\n"),
    // Lengths that are none, or two.
    ("Content-Length: N\r\nContent-Length: 0", "H"),
    ("Content-Length: 0\r\nContent-Length: N", "H"),
    ("Content-Length: N\r\nContent-Length: N", "H"),
    ("Content-Length: 0, N", "H"),
    ("Content-Length: N, N", "H"),
    ("Content-Length: +N", "H"),
    ("Content-Length: -1", "H"),
    ("Content-Length: 0xN", "H"),
    ("Content-Length: N N", "H"),
    ("Content-Length : N", "H"),
    ("Content-Length: 18446744073709551616", "H"),
    ("Content-Length:\r\n N", "H"),
    ("Content-Length: \"N\"", "H"),
    // Chunks that are none.
    ("Transfer-Encoding: chunked", "+h\r\nH\r\n0\r\n\r\n"),
    ("Transfer-Encoding: chunked", "0xh\r\nH\r\n0\r\n\r\n"),
    ("Transfer-Encoding: chunked", "h;ext=\"\n\"\r\nH\r\n0\r\n\r\n"),
    ("Transfer-Encoding: chunked", "h\nH\r\n0\r\n\r\n"),
    ("Transfer-Encoding: chunked", "2\r\nxxx\r\n0\r\n\r\nH"),
    ("Transfer-Encoding: chunked", "-1\r\nH\r\n0\r\n\r\n"),
    ("Transfer-Encoding: chunked", "fffffffffffffffff\r\nH\r\n0\r\n\r\n"),
    ("Transfer-Encoding: chunked", "\r\nH\r\n0\r\n\r\n"),
    ("Transfer-Encoding: chunked", "0\r\nX: y\r\nH"),
    // Promises that are not kept.
    ("Expect: 100-continue\r\nContent-Length: N", "H"),
    ("Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: N", "H"),
];

fn payload(method: &str, version: &str, framing: &str, body: &str) -> String {
    let hex = format!("{:x}", HIDDEN.len());
    let body = body.replace('h', &hex).replace('H', HIDDEN);
    let framing = framing.replace('N', &body.len().to_string());
    format!("{method} /object {version}\r\nHost: proxy.test\r\n{framing}\r\n\r\n{body}")
}

async fn check(payloads: impl IntoIterator<Item = String>) {
    let origin = LyingOrigin::start(&Object::of_size(10), &[]).await;
    let server = RawServer::start(proxy(origin.mount())).await;
    let mut failures = Failures::default();
    let mut sent = BTreeSet::new();
    for payload in payloads {
        origin.forget();
        let answer = server.send(payload.as_bytes()).await;
        let row = format!("{payload:?}");
        let seen = origin.seen();
        let text = String::from_utf8_lossy(&answer);
        failures.note(&row, ensure(seen.len() <= 1, || format!("S3 saw {} requests", seen.len())));
        for seen in &seen {
            failures.note(&row, asks_properly(seen));
            failures.note(&row, ensure(seen.path == "/media/object", || format!("S3 saw {}", seen.path)));
            failures.note(&row, ensure(seen.raw.ends_with("\r\n\r\n"), || format!("{:?}", seen.raw)));
        }
        let answers = text.matches("HTTP/1.").count();
        failures.note(&row, ensure(answers <= 1 || text.contains(" 100 "), || format!("{answers} answers")));
        sent.insert(payload);
    }
    assert!(sent.len() >= 20, "{} payloads", sent.len());
    let answer = server.send(b"GET /object HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"), "the next client is served");
    failures.report();
}

#[tokio::test]
async fn a_get_hides_no_other_request() {
    check(FRAMINGS.map(|(framing, body)| payload("GET", "HTTP/1.1", framing, body))).await;
}

#[tokio::test]
async fn a_post_hides_no_get() {
    check(FRAMINGS.map(|(framing, body)| payload("POST", "HTTP/1.1", framing, body))).await;
}

/// HTTP/1.0 knows no chunks: a server that does may differ from the one before it (CVE-2026-2835).
#[tokio::test]
async fn a_get_of_http_1_0_hides_no_other_request() {
    let kept = |(framing, body): (&str, &str)| {
        payload("GET", "HTTP/1.0", &format!("Connection: keep-alive\r\n{framing}"), body)
    };
    check(FRAMINGS.map(kept)).await;
}

/// Or else the tests here would show nothing.
#[tokio::test]
async fn a_request_that_is_not_hidden_is_seen() {
    let origin = LyingOrigin::start(&Object::of_size(10), &[]).await;
    let server = RawServer::start(proxy(origin.mount())).await;
    server.send(format!("GET /object HTTP/1.1\r\nHost: x\r\n\r\n{HIDDEN}").as_bytes()).await;
    let paths: Vec<_> = origin.seen().into_iter().map(|seen| seen.path).collect();
    assert_eq!(paths, ["/media/object", "/media/smuggled"]);
}

/// Lines that end where they should not, and targets that hold what they should not.
#[tokio::test]
async fn no_line_of_a_request_becomes_two() {
    let hidden = "GET /smuggled HTTP/1.1";
    let rest = "Host: proxy.test\r\n\r\n";
    let origin = LyingOrigin::start(&Object::of_size(10), &[]).await;
    let server = RawServer::start(proxy(origin.mount())).await;
    let mut failures = Failures::default();
    for payload in [
        format!(
            "GET /object%20HTTP/1.1%0d%0aHost:%20x%0d%0a%0d%0a{} HTTP/1.1\r\n{rest}",
            hidden.replace(' ', "%20")
        ),
        format!("GET /object?%0d%0a%0d%0a{} HTTP/1.1\r\n{rest}", hidden.replace(' ', "%20")),
        format!("GET /object\r{hidden}\r\n{rest}"),
        format!("GET /object\0 HTTP/1.1\r\n{rest}"),
        format!("GET /object HTTP/1.1 {hidden}\r\n{rest}"),
        format!("GET /object HTTP/1.1\r\r\n{rest}"),
        format!("GET /object\tHTTP/1.1\r\n{rest}"),
        format!("GET /obj\u{85}ect HTTP/1.1\r\n{rest}"),
        format!("GET /object HTTP/9.9\r\n{rest}"),
        format!("GET /object HTTP/1.1\r\nIf-None-Match: \"x\r{hidden}\"\r\n{rest}"),
        format!("GET /object HTTP/1.1\r\nIf-None-Match: \"x\0{hidden}\"\r\n{rest}"),
        format!("GET /object HTTP/1.1\r\nRange: bytes=0-9\r\n\t{hidden}\r\n{rest}"),
        format!("GET /object HTTP/1.1\r\nIf-Match: \"x\",\r\n {hidden}\r\n{rest}"),
        format!("CONNECT proxy.test:80 HTTP/1.1\r\n{rest}"),
        format!("OPTIONS * HTTP/1.1\r\n{rest}"),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
        "GET /object".to_owned(),
        "\0\0\0\0".to_owned(),
    ] {
        origin.forget();
        server.send(payload.as_bytes()).await;
        for seen in origin.seen() {
            failures.note(&format!("{payload:?}"), asks_properly(&seen));
            let is_hidden =
                seen.path.starts_with("/media/smuggled") || seen.raw.matches("\r\n\r\n").count() != 1;
            failures.note(&format!("{payload:?}"), ensure(!is_hidden, || seen.raw.clone()));
        }
        let asked = origin.seen().len();
        failures.note(&format!("{payload:?}"), ensure(asked <= 1, || format!("S3 saw {asked} requests")));
    }
    failures.report();
}
