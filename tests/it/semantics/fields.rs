//! Rows 21 and 34 to 37: the fields of a response.

use super::{
    check::{Failures, Row, asks_properly, check, check_origins},
    expect::{Expect, Grace, HANG, ensure, fetch},
    origin::Origin,
    wire::RawServer,
};
use crate::{
    lying::{Framed, KEY, Lie, LyingOrigin, Object},
    support::{Client, Protocol, proxy, request, serve},
};

const PLAIN: &[Row] = &[
    ("GET", &[], Expect::Whole),
    ("HEAD", &[], Expect::Whole),
    ("GET", &[("range", "bytes=0-9")], Expect::Part(0, 9)),
    ("GET", &[("if-none-match", "*")], Expect::NotModified),
];

/// Fields that some servers, and S3 itself for a bucket with CORS, put on every answer (rows 34, 47).
const CHATTY: &[Lie] = &[
    Lie::Says("access-control-allow-origin", "*"),
    Lie::Says("access-control-expose-headers", "etag"),
    Lie::Says("x-amz-website-redirect-location", "https://evil.test/"),
    Lie::Says("x-amz-version-id", "3HL4kqtJlcpXroDTDmJ"),
    Lie::Says("x-amz-expiration", "expiry-date=\"Fri, 21 Dec 2029 00:00:00 GMT\", rule-id=\"secret\""),
    Lie::Says("x-amz-meta-secret", "internal"),
    Lie::Says("set-cookie", "session=1"),
    Lie::Says("www-authenticate", "Basic"),
    Lie::Says("location", "https://evil.test/"),
    Lie::Says("server-timing", "leak"),
];

// Row 21
#[tokio::test]
async fn a_tag_is_shown_as_it_is_but_for_missing_quotes() {
    for tag in ["9b2cf535f27731c974343645a3985328", "9b2cf535f27731c974343645a3985328-17", "a,b", "1"] {
        let object = Object::of_size(1000).tagged(tag);
        let mut origins = Vec::new();
        for lies in [&[][..], &[Lie::UnquotedTag], &[Lie::WeakTag], &[Lie::UnquotedWeakTag], &[Lie::NoTag]] {
            origins.push((Grace::Never, Origin::lying(&object, lies).await));
        }
        check_origins(&origins, PLAIN).await;
    }
}

// Row 34
#[tokio::test]
async fn fields_of_s3_stay_with_the_proxy() {
    check(&Object::of_size(1000), PLAIN, &[(Grace::Never, CHATTY)]).await;
}

/// A nomination makes any field one of the connection between S3 and the proxy (RFC 9110 §7.6.1).
#[tokio::test]
async fn a_field_that_s3_nominates_for_the_connection_ends_here() {
    let lies = [
        Lie::Says("connection", "x-amz-meta-foo, keep-alive"),
        Lie::Says("x-amz-meta-foo", "hop"),
        Lie::Says("x-amz-meta-bar", "end"),
        Lie::Says("keep-alive", "timeout=5"),
    ];
    let origin = LyingOrigin::start(&Object::of_size(1000), &lies).await;
    let builder = origin.mount().forward_response_header("x-amz-meta-*").metadata_header("foo", "X-Foo");
    let service = proxy(builder);
    let mut failures = Failures::default();
    for (method, fields) in [
        ("GET", &[][..]),
        ("HEAD", &[]),
        ("GET", &[("range", "bytes=0-9")]),
        ("GET", &[("if-none-match", "*")]),
    ] {
        let got = fetch(&service, request(method, &format!("/{KEY}"), fields)).await;
        for (name, value) in [
            ("x-amz-meta-bar", Some("end")),
            ("x-amz-meta-foo", None),
            ("x-foo", None),
            ("connection", None),
            ("keep-alive", None),
        ] {
            let found = got.field(name);
            let row = format!("{method} {fields:?}: {name}");
            failures.note(&row, ensure(found == value, || format!("{found:?} and not {value:?}")));
        }
    }
    failures.report();
}

/// What no field may hold never becomes one, and never two (row 34).
#[tokio::test]
async fn metadata_that_is_no_field_value_does_not_break_the_framing() {
    let object = Object::of_size(1000);
    for value in ["a\0b", "a\x01b", "a\x7fb", "a\rb", "a\rx-injected: 1"] {
        let origin = LyingOrigin::start(&object, &[Lie::Says("x-amz-meta-a", value)]).await;
        let server = RawServer::start(proxy(origin.mount().forward_response_header("x-amz-*"))).await;
        let answer = server.send(b"GET /object HTTP/1.1\r\nhost: x\r\n\r\n").await;
        let head = String::from_utf8_lossy(&answer);
        let head = head.split("\r\n\r\n").next().unwrap_or_default();
        assert!(head.starts_with("HTTP/1.1 200 ") || head.starts_with("HTTP/1.1 502 "), "{value:?}: {head}");
        assert!(!head.contains("x-injected: 1\r\n") && !head.contains('\0'), "{value:?}: {head}");
    }
}

// Row 35
#[tokio::test]
async fn an_encoding_is_passed_on_with_the_bytes_that_it_is_of() {
    for (stored, shown) in [
        ("gzip", Some("gzip")),
        ("br", Some("br")),
        ("aws-chunked,gzip", Some("gzip")),
        ("aws-chunked, gzip", Some("gzip")),
        ("gzip,aws-chunked", Some("gzip")),
        ("AWS-Chunked, br", Some("br")),
        ("aws-chunked", None),
        ("gzip, br", Some("gzip, br")),
    ] {
        let object = Object::of_size(20_000).with("content-encoding", stored);
        let mut failures = Failures::default();
        for lies in [&[][..], &[Lie::IgnoresRange], &[Lie::PartialAs200]] {
            let mut origin = Origin::lying(&object, lies).await;
            origin.truth.object.fields.retain(|(name, _)| *name != "content-encoding");
            if let Some(shown) = shown {
                origin.truth.object = origin.truth.object.with("content-encoding", shown);
            }
            let service = proxy(origin.mount());
            let parts = Expect::Parts(&[(0, 9), (10_000, 10_009)]);
            let several = if shown.is_some() { Expect::Whole } else { parts };
            for (method, fields, expect) in [
                ("GET", &[("accept-encoding", "identity")][..], Expect::Whole),
                ("HEAD", &[], Expect::Whole),
                ("GET", &[("range", "bytes=0-9")], Expect::Part(0, 9)),
                ("GET", &[("range", "bytes=-10")], Expect::Part(19_990, 19_999)),
                // Several parts of encoded bytes would look like an encoded multipart body.
                ("GET", &[("range", "bytes=0-9,10000-10009")], several),
            ] {
                let got = fetch(&service, request(method, &format!("/{KEY}"), fields)).await;
                let row = format!("{stored}: {}: {method} {fields:?}", origin.name);
                failures.note(&row, expect.verify(Grace::Never, &origin.truth, method, &got));
            }
        }
        failures.report();
    }
}

// Row 36
#[tokio::test]
async fn a_length_is_said_if_it_is_known_and_never_wrongly() {
    let lies = &[
        Lie::Framed(Framed::Chunked),
        Lie::Framed(Framed::ChunkedBeside(7)),
        Lie::Framed(Framed::UntilClose),
        Lie::Framed(Framed::Coded("gzip")),
        Lie::HeadWithoutLength,
        Lie::HeadLengths(&["abc"]),
        Lie::HeadLengths(&["7", "9"]),
        Lie::IgnoresRange,
    ];
    let heads = &[Lie::RefusesHead(405), Lie::RefusesHead(501)];
    let rows = &PLAIN[..3];
    check(&Object::of_size(1000), rows, &[(Grace::Never, lies), (Grace::Refusal, heads)]).await;
    check(&Object::of_size(0), &PLAIN[..2], &[(Grace::Never, lies), (Grace::Refusal, heads)]).await;
}

/// A framework that sees an empty body may say that it is one (row 36).
#[tokio::test]
async fn an_answer_to_head_does_not_say_zero_on_the_wire() {
    let object = Object::of_size(1000);
    for (lies, allowed) in [
        (&[][..], &[Some("1000")][..]),
        (&[Lie::HeadWithoutLength], &[None, Some("1000")]),
        // What is no length, or more than one, is none.
        (&[Lie::HeadLengths(&["abc"])], &[None, Some("1000")]),
        (&[Lie::HeadLengths(&[""])], &[None, Some("1000")]),
        (&[Lie::HeadLengths(&["+7"])], &[None, Some("1000")]),
        (&[Lie::HeadLengths(&["-7"])], &[None, Some("1000")]),
        (&[Lie::HeadLengths(&["7, 9"])], &[None, Some("1000")]),
        (&[Lie::HeadLengths(&["7", "9"])], &[None, Some("1000")]),
        (&[Lie::HeadLengths(&["1000", "9"])], &[None, Some("1000")]),
        (&[Lie::HeadLengths(&["1000", "1000"])], &[None, Some("1000")]),
        (&[Lie::HeadLengths(&["18446744073709551616"])], &[None, Some("1000")]),
        (&[Lie::IgnoresRange], &[Some("1000")]),
    ] {
        let origin = LyingOrigin::start(&object, lies).await;
        for protocol in [Protocol::Http1, Protocol::Http2] {
            let server = serve(protocol, proxy(origin.mount())).await;
            let mut client = Client::connect(protocol, server.addr).await;
            for fields in [&[][..], &[("range", "bytes=0-9")]] {
                let sent = client.send(request("HEAD", &format!("/{KEY}"), fields));
                let response = tokio::time::timeout(HANG, sent).await.expect("no hang").unwrap();
                let length = response.headers().get("content-length").map(|value| value.to_str().unwrap());
                assert_eq!(response.status(), 200);
                assert!(allowed.contains(&length), "{lies:?} {protocol:?} {fields:?}: {length:?}");
            }
        }
    }
}

/// Part numbers are S3's business: no query of a client reaches it (row 37).
#[tokio::test]
async fn a_part_number_never_reaches_s3() {
    for origin in
        [Origin::demo(&Object::of_size(1000)).await, Origin::lying(&Object::of_size(1000), &[]).await]
    {
        let service = proxy(origin.mount());
        for method in ["GET", "HEAD"] {
            for query in ["partNumber=1", "partNumber=1&versionId=null", "partnumber=2", "x-id=GetObject"] {
                let got = fetch(&service, request(method, &format!("/{KEY}?{query}"), &[])).await;
                let is_whole = got.status == 200 && got.field("content-length") == Some("1000");
                assert!(is_whole || got.status == 400, "{method} {query}: {}", got.status);
                assert_eq!(got.field("x-amz-mp-parts-count"), None);
            }
        }
        for seen in origin.seen() {
            asks_properly(&seen).unwrap();
        }
    }
}
