//! Row 19: what breaks off on the way from S3 breaks off for the client, too; what is too much is dropped.

use http::Response;
use tokio::time::timeout;

use super::{
    check::Failures,
    expect::{Checked, Got, HANG, ensure, fetch},
};
use crate::{
    lying::{Framed, KEY, Lie, LyingOrigin, Object},
    support::{Client, Protocol, Server, proxy, request, serve},
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
