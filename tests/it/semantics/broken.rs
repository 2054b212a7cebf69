//! Row 19: a body that S3 breaks off also breaks off for the client; surplus bytes are dropped.

use http::Response;
use http_body::Body;
use http_body_util::BodyExt;
use tokio::time::timeout;
use tower::ServiceExt;

use super::{
    check::Failures,
    expect::{Checked, Expect, Got, Grace, HANG, ensure, fetch},
    origin::Origin,
};
use crate::{
    lying::{Framed, KEY, Lie, LyingOrigin, Object},
    support::{Client, Protocol, Server, is_cached, proxy, request, serve},
};

const PROTOCOLS: [Protocol; 2] = [Protocol::Http1, Protocol::Http2];
const SIZE: usize = 200_000;

/// Asks over a new connection; `None` if the connection ended before the head of an answer.
async fn ask(protocol: Protocol, server: &Server, fields: &[(&str, &str)]) -> Option<Got> {
    let mut client = Client::connect(protocol, server.addr).await;
    let sent = timeout(HANG, client.send(request("GET", &format!("/{KEY}"), fields))).await.expect("no hang");
    let response: Response<_> = sent.ok()?;
    Some(Got::read(response).await)
}

/// All of it, an error, or a part that shows that it is one.
fn shows_its_end(object: &Object, fields: &[(&str, &str)], got: Option<&Got>) -> Checked {
    let Some(got) = got else { return Ok(()) };
    if got.is_error(502).is_ok() {
        return Ok(());
    }
    let expected = match fields {
        [] => object.bytes.clone(),
        [("range", "bytes=0-99999")] => object.slice(0, 99_999),
        // Several: any clean end has to be that of a whole answer.
        _ => {
            let said = got.field("content-length").unwrap_or_default().to_owned();
            let is_whole = said == got.body.len().to_string();
            return ensure(is_whole || got.broke_off.is_some(), || {
                format!("{} of {said} bytes, and a clean end", got.body.len())
            });
        }
    };
    ensure(matches!(got.status, 200 | 206), || format!("the status is {}", got.status))?;
    ensure(expected.starts_with(&got.body), || "WRONG BYTES".to_owned())?;
    ensure(got.body.len() == expected.len() || got.broke_off.is_some(), || {
        format!("{} of {} bytes, and a clean end", got.body.len(), expected.len())
    })
}

#[tokio::test]
async fn a_body_that_ends_early_never_ends_cleanly() {
    let object = Object::of_size(SIZE);
    let mut failures = Failures::default();
    for lies in [
        &[Lie::Truncated(0)][..],
        &[Lie::Truncated(1)],
        &[Lie::Truncated(70_000)],
        &[Lie::Truncated(99_999)],
        &[Lie::Truncated(SIZE - 1)],
        &[Lie::Reset(0)],
        &[Lie::Reset(70_000)],
        &[Lie::Framed(Framed::Chunked), Lie::Truncated(0)],
        &[Lie::Framed(Framed::Chunked), Lie::Truncated(70_000)],
        // Everything but the last chunk.
        &[Lie::Framed(Framed::Chunked), Lie::Truncated(SIZE)],
        &[Lie::Framed(Framed::Chunked), Lie::Reset(70_000)],
        // A coding that is not `chunked` ends with the connection (RFC 9112 §6.3).
        &[Lie::Framed(Framed::Coded("gzip"))],
        &[Lie::Framed(Framed::Coded("gzip")), Lie::Truncated(0)],
        &[Lie::Framed(Framed::Coded("gzip")), Lie::Truncated(70_000)],
        &[Lie::Framed(Framed::Coded("chunked, gzip")), Lie::Truncated(70_000)],
        &[Lie::Framed(Framed::Coded("xchunked")), Lie::Truncated(70_000)],
        &[Lie::Framed(Framed::Coded("identity")), Lie::Truncated(70_000)],
        &[Lie::IgnoresRange, Lie::Framed(Framed::Coded("gzip")), Lie::Truncated(70_000)],
        // Cut out of the whole.
        &[Lie::IgnoresRange, Lie::Truncated(70_000)],
        &[Lie::IgnoresRange, Lie::Reset(70_000)],
        &[Lie::IgnoresRange, Lie::Framed(Framed::Chunked), Lie::Truncated(70_000)],
    ] {
        let origin = LyingOrigin::start(&object, lies).await;
        for protocol in PROTOCOLS {
            let server = serve(protocol, proxy(origin.mount())).await;
            for fields in
                [&[][..], &[("range", "bytes=0-99999")], &[("range", "bytes=0-69999,100000-199999")]]
            {
                let got = ask(protocol, &server, fields).await;
                let checked = shows_its_end(&object, fields, got.as_ref());
                failures.note(&format!("{lies:?} {protocol:?} {fields:?}"), checked);
            }
        }
    }
    failures.report();
}

/// Without any length, only the range says how much there should be.
#[tokio::test]
async fn a_part_that_ends_before_its_range_never_ends_cleanly() {
    let object = Object::of_size(SIZE);
    let lies = [Lie::Framed(Framed::UntilClose), Lie::Truncated(70_000)];
    let origin = LyingOrigin::start(&object, &lies).await;
    for protocol in PROTOCOLS {
        let server = serve(protocol, proxy(origin.mount())).await;
        let fields = [("range", "bytes=0-99999")];
        let got = ask(protocol, &server, &fields).await;
        shows_its_end(&object, &fields, got.as_ref()).unwrap_or_else(|why| panic!("{protocol:?}: {why}"));
    }
}

/// The chunks say where the body ends, whatever else does (RFC 9112 §6.3).
#[tokio::test]
async fn a_length_beside_chunks_does_not_count() {
    let object = Object::of_size(10);
    let mut failures = Failures::default();
    for length in [0, 5, 9, 11, 1000] {
        let origin = Origin::lying(&object, &[Lie::Framed(Framed::ChunkedBeside(length))]).await;
        for protocol in PROTOCOLS {
            let server = serve(protocol, proxy(origin.mount())).await;
            for (fields, expect) in [
                (&[][..], Expect::Whole),
                (&[("range", "bytes=0-9")], Expect::Part(0, 9)),
                (&[("range", "bytes=2-8")], Expect::Part(2, 8)),
                (&[("if-none-match", "\"x\", \"y\"")], Expect::Whole),
            ] {
                let row = format!("{}: {protocol:?} {fields:?}", origin.name);
                let checked = match ask(protocol, &server, fields).await {
                    Some(got) => expect.verify(Grace::Never, &origin.truth, "GET", &got),
                    None => Err("no answer".to_owned()),
                };
                failures.note(&row, checked);
            }
        }
    }
    failures.report();
}

/// Whoever asks a body again after its error is told nothing new.
#[tokio::test]
async fn behind_an_error_nothing_comes() {
    let object = Object::of_size(SIZE);
    let several = ("range", "bytes=0-9,60000-150000,190000-199999");
    for (lies, field) in [
        // The question for a part fails, the second or the last.
        (&[Lie::TagFlipsAfter(2)][..], several),
        (&[Lie::TagFlipsAfter(3)], several),
        // A part breaks off.
        (&[Lie::Truncated(50_000)], several),
        (&[Lie::Reset(50_000)], several),
        (&[Lie::Truncated(50_000)], ("range", "bytes=0-99999")),
        (&[Lie::Truncated(50_000)], ("accept", "*/*")),
        (&[Lie::Framed(Framed::Chunked), Lie::Truncated(50_000)], ("accept", "*/*")),
    ] {
        if is_cached() && matches!(lies, [Lie::TagFlipsAfter(3)]) {
            // Three questions are enough for these parts.
            continue;
        }
        let origin = LyingOrigin::start(&object, lies).await;
        let request = request("GET", &format!("/{KEY}"), &[field]);
        let response = proxy(origin.mount()).oneshot(request).await.unwrap();
        if is_cached() && response.status() == 502 {
            // The read may have failed before the answer began.
            continue;
        }
        assert!(response.status().is_success(), "{lies:?} {field:?}: {}", response.status());
        let mut body = response.into_body();
        while let Ok(_frame) = timeout(HANG, body.frame()).await.expect("no hang").expect("no clean end") {}
        for _ in 0..3 {
            let behind = timeout(HANG, body.frame()).await.expect("no hang");
            assert!(!matches!(behind, Some(Ok(_))), "{lies:?} {field:?}: {behind:?}");
            assert!(behind.is_none() || field != several, "{lies:?} {field:?}: {behind:?}");
        }
        assert!(body.is_end_stream() || field != several, "{lies:?} {field:?}");
    }
}

#[tokio::test]
async fn a_connection_that_broke_is_not_used_again() {
    let object = Object::of_size(SIZE);
    for lie in [Lie::Truncated(70_000), Lie::Reset(70_000)] {
        let origin = LyingOrigin::start(&object, &[lie]).await;
        let service = proxy(origin.mount());
        for _ in 0..3 {
            let got = fetch(&service, request("GET", &format!("/{KEY}"), &[])).await;
            shows_its_end(&object, &[], Some(&got)).unwrap_or_else(|why| panic!("{lie:?}: {why}"));
        }
        assert!(origin.connections() >= 3, "{lie:?}: {} connections", origin.connections());
    }
}

#[tokio::test]
async fn bytes_after_an_answer_are_dropped_with_their_connection() {
    let object = Object::of_size(1000);
    for (method, path, fields, status, len) in [
        ("GET", "/object", &[][..], 200, 1000),
        ("GET", "/object", &[("range", "bytes=0-9")], 206, 10),
        ("HEAD", "/object", &[], 200, 0),
        ("GET", "/missing", &[], 404, 0),
        ("GET", "/object", &[("if-none-match", "*")], 304, 0),
    ] {
        let origin = LyingOrigin::start(&object, &[Lie::Surplus]).await;
        let service = proxy(origin.mount());
        let row = format!("{method} {path} {fields:?}");
        for _ in 0..4 {
            let got = fetch(&service, request(method, path, fields)).await;
            assert_eq!(got.status, status, "{row}");
            got.leaks_nothing().unwrap();
            assert_eq!(got.broke_off, None, "{row}");
            if status < 300 {
                assert_eq!(got.body, object.bytes.slice(..len), "{row}");
            }
            assert!(!String::from_utf8_lossy(&got.body).contains("evil"), "{row}");
        }
        assert_eq!(origin.connections(), origin.seen().len(), "{row}: one request on each");
    }
}

#[tokio::test]
async fn surplus_never_reaches_a_client_over_the_wire() {
    let object = Object::of_size(1000);
    let origin = LyingOrigin::start(&object, &[Lie::Surplus]).await;
    for protocol in PROTOCOLS {
        let server = serve(protocol, proxy(origin.mount())).await;
        let mut client = Client::connect(protocol, server.addr).await;
        for fields in [&[][..], &[("range", "bytes=0-9")], &[("if-none-match", "*")], &[]] {
            let sent = client.send(request("GET", &format!("/{KEY}"), fields));
            let got = Got::read(timeout(HANG, sent).await.expect("no hang").unwrap()).await;
            let expected = match got.status {
                200 => object.bytes.clone(),
                206 => object.slice(0, 9),
                304 => bytes::Bytes::new(),
                other => panic!("{protocol:?} {fields:?}: {other}"),
            };
            assert!(got.body == expected && got.broke_off.is_none(), "{protocol:?} {fields:?}");
        }
    }
}
