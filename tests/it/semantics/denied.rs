//! Row 23: denials of S3 that are not clear.

use tokio::{task::JoinSet, time::timeout};
use tower_s3_proxy::{ProxyErrorKind as Kind, S3Proxy, response::DeniedAnswer};

use super::{
    check::{Failures, asks_properly},
    errors::is,
    expect::{Got, HANG, ensure, fetch},
};
use crate::{
    lying::{KEY, Lie, LyingOrigin, Object, Often, Which},
    support::{proxy, request},
};

/// The answers to sixty requests at once.
async fn sixty(service: &S3Proxy, method: &'static str, path: fn(usize) -> String) -> Vec<Got> {
    let mut tasks = JoinSet::new();
    for number in 0..60 {
        let service = service.clone();
        tasks.spawn(async move { fetch(&service, request(method, &path(number), &[])).await });
    }
    timeout(HANG, tasks.join_all()).await.expect("no hang")
}

/// How often a key was asked for that nobody has.
fn canaries(origin: &LyingOrigin) -> usize {
    origin.seen().iter().filter(|seen| seen.path.contains("canary")).count()
}

/// None of many questions of what a refusal means is left without an answer (row 24).
#[tokio::test]
async fn a_burst_of_denied_heads_is_not_found() {
    let lies = [Lie::Refuses(403, "AccessDenied", Often::Always)];
    let origin = LyingOrigin::start(&Object::of_size(10), &lies).await;
    let service = proxy(origin.mount().denied(DeniedAnswer::NotFound));
    let mut failures = Failures::default();
    // The first burst knows nothing, the second one what the first has learnt.
    for burst in ["first", "second"] {
        for got in sixty(&service, "HEAD", |number| format!("/key-{number}")).await {
            failures.note(burst, is(&got, Kind::NotFound));
        }
    }
    failures.report();
}

// Row 25
#[tokio::test]
async fn a_burst_of_heads_with_refused_credentials_is_never_not_found() {
    let mut failures = Failures::default();
    for (status, code) in [
        (403, "InvalidAccessKeyId"),
        (403, "SignatureDoesNotMatch"),
        (400, "ExpiredToken"),
        (403, "RequestTimeTooSkewed"),
        (401, "NeverHeardOf"),
    ] {
        let lies = [Lie::Refuses(status, code, Often::Always)];
        let origin = LyingOrigin::start(&Object::of_size(10), &lies).await;
        let service = proxy(origin.mount());
        for burst in ["first", "second"] {
            for got in sixty(&service, "HEAD", |number| format!("/key-{number}")).await {
                failures.note(&format!("{code}, {burst}"), is(&got, Kind::OriginRefused));
            }
        }
    }
    failures.report();
}

/// `AccessDenied` means what it says where a missing key is called missing, and nothing elsewhere.
#[tokio::test]
async fn a_canary_tells_what_denied_means_and_is_asked_once() {
    let denied = Lie::RefusesOnly(Which::Object, 403, "AccessDenied");
    let mut failures = Failures::default();
    for (lies, kind) in [
        // A key that nobody has is `NoSuchKey`.
        (&[denied][..], Kind::Forbidden),
        (&[Lie::Refuses(403, "AccessDenied", Often::Always)], Kind::NotFound),
        // The canary says neither.
        (&[denied, Lie::RefusesOnly(Which::Others, 500, "InternalError")], Kind::NotFound),
        (&[denied, Lie::RefusesOnly(Which::Others, 503, "SlowDown")], Kind::NotFound),
        (&[denied, Lie::RefusesOnly(Which::Others, 403, "SignatureDoesNotMatch")], Kind::NotFound),
    ] {
        let origin = LyingOrigin::start(&Object::of_size(10), lies).await;
        let service = proxy(origin.mount().denied(DeniedAnswer::Auto));
        for (method, fields) in [
            ("GET", &[][..]),
            ("HEAD", &[]),
            ("GET", &[("range", "bytes=0-4")]),
            ("GET", &[("range", "bytes=0-0,9-9")]),
            ("GET", &[("if-none-match", "*")]),
        ] {
            let got = fetch(&service, request(method, &format!("/{KEY}"), fields)).await;
            let row = format!("{lies:?}: {method} {fields:?}");
            failures.note(&row, is(&got, kind));
            let asked = canaries(&origin);
            failures.note(&row, ensure(asked == 1, || format!("{asked} canaries")));
        }
        for seen in origin.seen() {
            failures.note(&format!("{lies:?}"), asks_properly(&seen));
        }
    }
    failures.report();
}

#[tokio::test]
async fn what_is_missing_needs_no_canary() {
    let origin = LyingOrigin::start(&Object::of_size(10), &[]).await;
    let service = proxy(origin.mount().denied(DeniedAnswer::Auto));
    for (method, path, status) in
        [("GET", "/missing", 404), ("HEAD", "/missing", 404), ("GET", "/object", 200)]
    {
        assert_eq!(fetch(&service, request(method, path, &[])).await.status, status, "{method} {path}");
    }
    assert_eq!(canaries(&origin), 0);
}

#[tokio::test]
async fn a_burst_of_denied_requests_shares_one_canary() {
    let denied = Lie::RefusesOnly(Which::Object, 403, "AccessDenied");
    let mut failures = Failures::default();
    for (lies, kind) in [
        (&[denied][..], Kind::Forbidden),
        (&[denied, Lie::RefusesOnly(Which::Others, 403, "AccessDenied")], Kind::NotFound),
        (&[denied, Lie::RefusesOnly(Which::Others, 500, "InternalError")], Kind::NotFound),
    ] {
        for method in ["GET", "HEAD"] {
            let origin = LyingOrigin::start(&Object::of_size(10), lies).await;
            let service = proxy(origin.mount().denied(DeniedAnswer::Auto));
            let row = format!("{lies:?}: {method}");
            for got in sixty(&service, method, |_| format!("/{KEY}")).await {
                failures.note(&row, is(&got, kind));
            }
            let asked = canaries(&origin);
            failures.note(&row, ensure(asked <= 3, || format!("{asked} canaries")));
        }
    }
    failures.report();
}
