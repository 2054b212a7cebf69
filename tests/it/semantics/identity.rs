//! Rows 32, 33 and 57: the client's identity and its connection fields do not change the request to S3.

use std::time::{Duration, SystemTime};

use aws_smithy_async::time::StaticTimeSource;

use super::{
    check::{Failures, asks_properly},
    expect::{Checked, ensure},
    wire::RawServer,
};
use crate::{
    lying::{KEY, LyingOrigin, Object, Seen},
    support::{Client, Protocol, is_cached, proxy, request, serve},
};

/// At a time that stands still, equal requests are equal to the last byte of their signatures.
fn a_time() -> StaticTimeSource {
    StaticTimeSource::new(SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000))
}

fn is_one(seen: &[Seen], plain: &str) -> Checked {
    let [one] = seen else { return Err(format!("S3 saw {} requests: {seen:?}", seen.len())) };
    asks_properly(one)?;
    ensure(one.raw == plain, || format!("S3 saw\n{}in place of\n{plain}", one.raw))
}

/// What clients, and what stands before us, may say besides.
const FIELDS: &[&str] = &[
    "",
    "Connection: close",
    "Connection: Authorization, x-amz-date, x-amz-content-sha256, x-amz-security-token, Host, User-Agent",
    "Connection: Range, Host\r\nConnection: authorization",
    "Connection: upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__",
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Connection: TE\r\nTE: trailers",
    "Connection: keep-alive\r\nKeep-Alive: timeout=5\r\nProxy-Connection: keep-alive",
    "Proxy-Authorization: Basic dXNlcjpwYXNz",
    "Authorization: Bearer token",
    "Authorization: AWS4-HMAC-SHA256 Credential=AKIA/20231114/us-west-2/s3/aws4_request, Signature=0",
    "Cookie: session=1",
    "Accept-Encoding: gzip, br",
    "Accept: text/html\r\nAccept-Language: en",
    "User-Agent: browser",
    "Origin: https://app.test\r\nReferer: https://app.test/page\r\nSec-Fetch-Mode: cors",
    "X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Host: evil.test\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Port: 1",
    "X-Forwarded-Prefix: /private\r\nX-Real-IP: 1.2.3.4\r\nForwarded: for=1.2.3.4;host=evil.test",
    "X-Original-URL: /private\r\nX-Rewrite-URL: /private\r\nX-Original-Host: evil.test",
    "X-HTTP-Method-Override: DELETE\r\nX-HTTP-Method: PUT\r\nX-Method-Override: POST",
    "Via: 1.1 proxy\r\nMax-Forwards: 0\r\nCDN-Loop: x\r\nPragma: no-cache\r\nCache-Control: no-store",
    "x-amz-date: 20000101T000000Z\r\nx-amz-content-sha256: 0\r\nx-amz-security-token: token",
    "x-amz-acl: public-read\r\nx-amz-request-payer: requester\r\nx-amz-expected-bucket-owner: 1",
    "x-amz-copy-source: /private/secret\r\nx-amz-checksum-mode: ENABLED",
    "x-amz-server-side-encryption: aws:kms\r\nx-amz-server-side-encryption-aws-kms-key-id: key",
    // With the key itself it is refused: `terms`.
    "x-amz-server-side-encryption-customer-algorithm: AES256\r\n\
     x-amz-server-side-encryption-customer-key-MD5: bWQ1",
    "Content-Type: text/plain\r\nContent-MD5: 0\r\nContent-Encoding: gzip",
    "Expect: 100-continue",
    "If-Unmodified-Since: yesterday",
    "If-Modified-Since: yesterday",
    "Trailer: Authorization",
    "Sec-Purpose: prefetch\r\nPriority: u=1\r\nX-Long: 0123456789012345678901234567890123456789",
];

#[tokio::test]
async fn fields_of_the_client_change_nothing() {
    // Compares requests to S3; from memory there are none.
    if is_cached() {
        return;
    }
    let origin = LyingOrigin::start(&Object::of_size(1000), &[]).await;
    let server = RawServer::start(proxy(origin.mount().time_source(a_time()))).await;
    let mut failures = Failures::default();
    for range in ["", "Range: bytes=0-9\r\n"] {
        origin.forget();
        server.send(format!("GET /object HTTP/1.1\r\nHost: proxy.test\r\n{range}\r\n").as_bytes()).await;
        let plain = origin.seen()[0].raw.clone();
        let status = if range.is_empty() { "HTTP/1.1 200 OK" } else { "HTTP/1.1 206 Partial Content" };
        for fields in FIELDS {
            origin.forget();
            let end = if fields.is_empty() { "" } else { "\r\n" };
            let asked = format!("GET /object HTTP/1.1\r\nHost: proxy.test\r\n{range}{fields}{end}\r\n");
            let answer = server.send(asked.as_bytes()).await;
            let row = format!("{range}{fields}").replace("\r\n", ", ");
            failures.note(&row, is_one(&origin.seen(), &plain));
            let answer = String::from_utf8_lossy(&answer);
            // The server's own 100 may go ahead.
            let answer = answer.strip_prefix("HTTP/1.1 100 Continue\r\n\r\n").unwrap_or(&answer);
            let head = answer.lines().next().unwrap_or_default();
            failures.note(&row, ensure(head == status, || format!("the client got {head}")));
        }
    }
    failures.report();
}

#[tokio::test]
async fn neither_the_host_nor_the_form_of_the_target_changes_anything() {
    // Compares requests to S3; from memory there are none.
    if is_cached() {
        return;
    }
    let origin = LyingOrigin::start(&Object::of_size(1000), &[]).await;
    let server = RawServer::start(proxy(origin.mount().time_source(a_time()))).await;
    server.send(b"GET /object HTTP/1.1\r\nHost: proxy.test\r\n\r\n").await;
    let plain = origin.seen()[0].raw.clone();
    let mut failures = Failures::default();
    for asked in [
        "GET /object HTTP/1.1\r\nHost: evil.test",
        "GET /object HTTP/1.1\r\nHost: 169.254.169.254",
        "GET /object HTTP/1.1\r\nHost: localhost:1",
        "GET /object HTTP/1.1\r\nHost:",
        "GET /object HTTP/1.1\r\nHost: other-bucket.s3.amazonaws.com",
        "GET /object HTTP/1.1",
        "GET /object HTTP/1.0",
        "GET http://proxy.test/object HTTP/1.1\r\nHost: proxy.test",
        "GET http://evil.test/object HTTP/1.1\r\nHost: proxy.test",
        "GET http://169.254.169.254:80/object HTTP/1.1\r\nHost: proxy.test",
        "GET https://other-bucket.s3.amazonaws.com/object HTTP/1.1\r\nHost: x",
        "GET http://evil.test/object?query=1 HTTP/1.1\r\nHost: proxy.test",
        "GET /object? HTTP/1.1\r\nHost: proxy.test",
        "GET /object?acl HTTP/1.1\r\nHost: proxy.test",
        "GET /object?X-Amz-Signature=0&X-Amz-Credential=x HTTP/1.1\r\nHost: proxy.test",
        "GET /%6fbject HTTP/1.1\r\nHost: proxy.test",
    ] {
        origin.forget();
        server.send(format!("{asked}\r\n\r\n").as_bytes()).await;
        failures.note(asked, is_one(&origin.seen(), &plain));
    }
    // Two hosts are a request that nobody has to understand (RFC 9112 §3.2).
    origin.forget();
    server.send(b"GET /object HTTP/1.1\r\nHost: a.test\r\nHost: b.test\r\n\r\n").await;
    if !origin.seen().is_empty() {
        failures.note("two hosts", is_one(&origin.seen(), &plain));
    }
    failures.report();
}

#[tokio::test]
async fn the_body_of_a_get_goes_nowhere() {
    // Compares requests to S3; from memory there are none.
    if is_cached() {
        return;
    }
    let origin = LyingOrigin::start(&Object::of_size(1000), &[]).await;
    let server = RawServer::start(proxy(origin.mount().time_source(a_time()))).await;
    server.send(b"GET /object HTTP/1.1\r\nHost: proxy.test\r\n\r\n").await;
    let plain = origin.seen()[0].raw.clone();
    let mut failures = Failures::default();
    for rest in [
        "Content-Length: 0\r\n\r\n",
        "Content-Length: 7\r\n\r\npayload",
        "Content-Length: 40\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: proxy.te\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n7\r\npayload\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n0\r\nTrailer: x\r\n\r\n",
        "Expect: 100-continue\r\nContent-Length: 7\r\n\r\npayload",
    ] {
        origin.forget();
        server.send(format!("GET /object HTTP/1.1\r\nHost: proxy.test\r\n{rest}").as_bytes()).await;
        failures.note(rest, is_one(&origin.seen(), &plain));
    }
    failures.report();
}

#[tokio::test]
async fn a_client_of_http_2_changes_nothing_either() {
    // Compares requests to S3; from memory there are none.
    if is_cached() {
        return;
    }
    let origin = LyingOrigin::start(&Object::of_size(1000), &[]).await;
    let server = serve(Protocol::Http2, proxy(origin.mount().time_source(a_time()))).await;
    let mut client = Client::connect(Protocol::Http2, server.addr).await;
    let path = format!("/{KEY}");
    client.ask(request("GET", &path, &[])).await;
    let plain = origin.seen()[0].raw.clone();
    let mut failures = Failures::default();
    for fields in [
        &[("cookie", "a=b"), ("cookie", "c=d")][..],
        &[("host", "evil.test")],
        &[("te", "trailers")],
        &[("authorization", "Bearer token"), ("accept-encoding", "gzip")],
        &[("x-forwarded-host", "evil.test"), ("forwarded", "host=evil.test")],
        &[("x-amz-date", "20000101T000000Z"), ("x-amz-acl", "public-read")],
        &[("priority", "u=0"), ("origin", "https://app.test")],
    ] {
        origin.forget();
        let answer = client.ask(request("GET", &path, fields)).await;
        let row = format!("{fields:?}");
        failures.note(&row, ensure(answer.status == 200, || answer.status.to_string()));
        failures.note(&row, is_one(&origin.seen(), &plain));
    }
    failures.report();
}
