//! Rows 23 to 25 and 27 to 29: the client's response to an error of S3.

use demo_s3::Denial;
use http::StatusCode;
use tower_s3_proxy::{
    ProxyErrorKind as Kind, S3ProxyConfig, S3ProxyLayer,
    response::{BadPathAnswer, DeniedAnswer, ErrorFormat},
};

use super::{
    check::{Failures, asks_properly},
    expect::{Checked, Got, ensure, fetch},
    origin::Origin,
};
use crate::{
    log::Log,
    lying::{KEY, Lie, LyingOrigin, Object, Often, RETRY_AFTER, Which},
    support::{BUCKET, is_cached, mount, once, proxy, request, s3},
};

/// The status and the code of S3, the kind of error that a GET gets, and the one that a HEAD gets.
///
/// An answer to HEAD has no body, so that only 400 and 403 are worth another question (row 24).
const REFUSALS: &[(u16, &str, Kind, Kind)] = &[
    (404, "NoSuchKey", Kind::NotFound, Kind::NotFound),
    (404, "NoSuchVersion", Kind::NotFound, Kind::NotFound),
    // Row 23: by default nobody learns what is there.
    (403, "AccessDenied", Kind::NotFound, Kind::NotFound),
    (403, "AllAccessDisabled", Kind::NotFound, Kind::NotFound),
    (404, "NoSuchBucket", Kind::OriginMisconfigured, Kind::NotFound),
    // Row 25: never 404.
    (400, "ExpiredToken", Kind::OriginRefused, Kind::OriginRefused),
    (400, "InvalidToken", Kind::OriginRefused, Kind::OriginRefused),
    (403, "RequestTimeTooSkewed", Kind::OriginRefused, Kind::OriginRefused),
    (403, "SignatureDoesNotMatch", Kind::OriginRefused, Kind::OriginRefused),
    (403, "InvalidAccessKeyId", Kind::OriginRefused, Kind::OriginRefused),
    (401, "NeverHeardOf", Kind::OriginRefused, Kind::OriginRefused),
    (403, "AccountProblem", Kind::OriginMisconfigured, Kind::OriginMisconfigured),
    (403, "UserSuspended", Kind::OriginMisconfigured, Kind::OriginMisconfigured),
    (400, "UserProjectMissing", Kind::OriginMisconfigured, Kind::OriginMisconfigured),
    (400, "XAmzContentSHA256Mismatch", Kind::OriginMisconfigured, Kind::OriginMisconfigured),
    (400, "KMS.DisabledException", Kind::OriginMisconfigured, Kind::OriginMisconfigured),
    (400, "InvalidRequest", Kind::OriginMisconfigured, Kind::OriginMisconfigured),
    // Row 26, where nobody says where the bucket is.
    (301, "PermanentRedirect", Kind::OriginMisconfigured, Kind::OriginMisconfigured),
    (307, "TemporaryRedirect", Kind::OriginMisconfigured, Kind::OriginMisconfigured),
    (400, "AuthorizationHeaderMalformed", Kind::OriginMisconfigured, Kind::OriginMisconfigured),
    (400, "IllegalLocationConstraintException", Kind::OriginMisconfigured, Kind::OriginMisconfigured),
    // Row 27
    (503, "SlowDown", Kind::OriginBusy, Kind::OriginBusy),
    (503, "ServiceUnavailable", Kind::OriginBusy, Kind::OriginBusy),
    (503, "Busy", Kind::OriginBusy, Kind::OriginBusy),
    (500, "InternalError", Kind::OriginBusy, Kind::OriginBusy),
    (400, "RequestTimeout", Kind::OriginBusy, Kind::OriginBusy),
    // Row 28
    (403, "InvalidObjectState", Kind::Archived, Kind::Archived),
    (408, "NeverHeardOf", Kind::OriginBusy, Kind::OriginBusy),
    (409, "OperationAborted", Kind::OriginBusy, Kind::OriginBusy),
    (429, "NeverHeardOf", Kind::OriginBusy, Kind::OriginBusy),
    // What a visitor can cause with a key: every server has rules and words of its own.
    (400, "KeyTooLongError", Kind::NotFound, Kind::NotFound),
    (400, "XMinioInvalidObjectName", Kind::NotFound, Kind::NotFound),
    (400, "InvalidURI", Kind::NotFound, Kind::NotFound),
    (400, "InvalidArgument", Kind::NotFound, Kind::NotFound),
    (400, "NeverHeardOf", Kind::NotFound, Kind::NotFound),
    (403, "NeverHeardOf", Kind::NotFound, Kind::NotFound),
    (405, "MethodNotAllowed", Kind::NotFound, Kind::NotFound),
    (414, "NeverHeardOf", Kind::NotFound, Kind::NotFound),
    (418, "Teapot", Kind::NotFound, Kind::NotFound),
    // What does not fit any question that was asked.
    (500, "NeverHeardOf", Kind::OriginBusy, Kind::OriginBusy),
    (501, "NotImplemented", Kind::OriginBroken, Kind::OriginBroken),
];

pub(super) fn is(got: &Got, kind: Kind) -> Checked {
    got.is_error(kind.status().as_u16())?;
    ensure(got.kind() == Some(kind), || format!("{:?} and not {kind:?}", got.kind()))
}

// Rows 23 to 29
#[tokio::test]
async fn every_refusal_of_s3_has_one_meaning() {
    let object = Object::of_size(10);
    let s3 = s3().await;
    let mut failures = Failures::default();
    for &(status, code, kind, head_kind) in REFUSALS {
        let denial = Denial::Other { code, status: StatusCode::from_u16(status).unwrap() };
        s3.store().deny(BUCKET, KEY, denial);
        let origin = LyingOrigin::start(&object, &[Lie::Refuses(status, code, Often::Always)]).await;
        for (name, service) in [("demo_s3", proxy(once(mount(&s3)))), ("a script", proxy(origin.mount()))] {
            for (method, fields, kind) in [
                ("GET", &[][..], kind),
                ("GET", &[("range", "bytes=0-4")], kind),
                ("GET", &[("range", "bytes=0-0,9-9")], kind),
                ("GET", &[("if-none-match", "\"x\"")], kind),
                ("HEAD", &[], head_kind),
            ] {
                origin.forget();
                let got = fetch(&service, request(method, &format!("/{KEY}"), fields)).await;
                let row = format!("{name}: {status} {code}: {method} {fields:?}");
                failures.note(&row, is(&got, kind));
                let is_empty = got.body.is_empty();
                failures.note(&row, ensure(is_empty == (method == "HEAD"), || "a body for HEAD".to_owned()));
                let asked = origin.seen().len();
                failures.note(&row, ensure(asked <= 4, || format!("S3 was asked {asked} times")));
                for seen in origin.seen() {
                    failures.note(&row, asks_properly(&seen));
                }
            }
        }
    }
    failures.report();
}

/// An answer that can only be one to a question that was not asked (rows 1, 13).
#[tokio::test]
async fn a_412_or_416_that_nobody_asked_for_is_a_bad_gateway() {
    let mut failures = Failures::default();
    for (status, code) in [(412, "PreconditionFailed"), (416, "InvalidRange")] {
        let lies = [Lie::Refuses(status, code, Often::Always)];
        let origin = LyingOrigin::start(&Object::of_size(10), &lies).await;
        let service = proxy(origin.mount());
        for method in ["GET", "HEAD"] {
            let got = fetch(&service, request(method, &format!("/{KEY}"), &[])).await;
            failures.note(&format!("{method}: {status}"), got.is_error(502));
        }
    }
    failures.report();
}

// Row 23
#[tokio::test]
async fn what_s3_denies_is_not_found_or_forbidden_as_the_mount_says() {
    let lies = [Lie::Refuses(403, "AccessDenied", Often::Always)];
    let origin = LyingOrigin::start(&Object::of_size(10), &lies).await;
    for (denied, kind) in
        [(DeniedAnswer::NotFound, Kind::NotFound), (DeniedAnswer::Forbidden, Kind::Forbidden)]
    {
        let service = proxy(origin.mount().denied(denied));
        for method in ["GET", "HEAD"] {
            let got = fetch(&service, request(method, &format!("/{KEY}"), &[])).await;
            is(&got, kind).unwrap_or_else(|why| panic!("{method} {denied:?}: {why}"));
        }
    }
}

/// Case 6: any visitor can send such a key.
#[tokio::test]
async fn what_s3_says_of_a_key_is_answered_as_the_mount_says_and_is_no_alarm() {
    let mut failures = Failures::default();
    for (status, code, with_bad_request, with_forbidden) in [
        (400, "XMinioInvalidObjectName", 400, 404),
        (400, "KeyTooLongError", 400, 404),
        (400, "InvalidURI", 400, 404),
        (400, "InvalidArgument", 400, 404),
        (400, "NeverHeardOf", 400, 404),
        (414, "NeverHeardOf", 400, 404),
        (403, "NeverHeardOf", 404, 403),
        (405, "NeverHeardOf", 404, 404),
        (422, "NeverHeardOf", 404, 404),
    ] {
        let lies = [Lie::Refuses(status, code, Often::Always)];
        let origin = LyingOrigin::start(&Object::of_size(10), &lies).await;
        for (mount, expected) in [
            (origin.mount().bad_path(BadPathAnswer::BadRequest), with_bad_request),
            (origin.mount().denied(DeniedAnswer::Forbidden), with_forbidden),
        ] {
            let service = proxy(mount);
            for method in ["GET", "HEAD"] {
                let (log, _guard) = Log::start();
                let got = fetch(&service, request(method, &format!("/{KEY}"), &[])).await;
                let row = format!("{method} {status} {code}");
                failures.note(&row, got.is_error(expected));
                let alarms = log.lines().into_iter().filter(|line| !line.contains(" INFO "));
                failures.note(&row, ensure(alarms.clone().count() == 0, || alarms.collect()));
            }
        }
    }
    failures.report();
}

/// That the key of the probe is refused says that something else is wrong.
#[tokio::test]
async fn a_proxy_is_not_ready_while_s3_refuses_a_plain_key_for_a_reason_of_its_own() {
    for (status, code, is_ready) in [
        (404, "NoSuchKey", true),
        (404, "NeverHeardOf", true),
        (403, "AccessDenied", true),
        (403, "NeverHeardOf", false),
        (400, "NeverHeardOf", false),
        (400, "KeyTooLongError", false),
        (403, "InvalidAccessKeyId", false),
    ] {
        let lies = [Lie::Refuses(status, code, Often::Always)];
        let origin = LyingOrigin::start(&Object::of_size(10), &lies).await;
        let mount = origin.mount().build().unwrap();
        let ready = S3ProxyLayer::new(S3ProxyConfig::from(mount)).ready().await;
        assert_eq!(ready.is_ok(), is_ready, "{status} {code}: {ready:?}");
    }
}

/// Firewalls and gateways answer, too: without a code nobody can tell what is denied (rows 23, 25).
#[tokio::test]
async fn a_refusal_without_a_document_is_never_not_found() {
    let mut failures = Failures::default();
    for (status, kind) in [
        (400, Kind::OriginBroken),
        (407, Kind::OriginBroken),
        (408, Kind::OriginBusy),
        (429, Kind::OriginBusy),
        (401, Kind::OriginRefused),
        (403, Kind::OriginRefused),
        (500, Kind::OriginBusy),
        (503, Kind::OriginBusy),
        (504, Kind::OriginTimeout),
    ] {
        let origin = LyingOrigin::start(&Object::of_size(10), &[Lie::RefusesWithHtml(status)]).await;
        let service = proxy(origin.mount());
        for method in ["GET", "HEAD"] {
            let got = fetch(&service, request(method, &format!("/{KEY}"), &[])).await;
            let found = (got.status, got.kind());
            let expected = (kind.status().as_u16(), Some(kind));
            let checked = ensure(found == expected, || format!("{found:?} and not {expected:?}"));
            failures.note(&format!("{method}: {status}"), checked.and_then(|()| got.leaks_nothing()));
        }
    }
    failures.report();
}

// Row 24
#[tokio::test]
async fn a_head_that_is_refused_without_a_word_costs_one_question_more() {
    let mut failures = Failures::default();
    for (status, code, most) in [
        (404, "NoSuchKey", 1),
        (403, "AccessDenied", 2),
        (403, "InvalidObjectState", 2),
        (403, "SignatureDoesNotMatch", 4),
    ] {
        let origin =
            LyingOrigin::start(&Object::of_size(10), &[Lie::Refuses(status, code, Often::Always)]).await;
        fetch(&proxy(origin.mount()), request("HEAD", &format!("/{KEY}"), &[])).await;
        let seen = origin.seen();
        failures.note(code, ensure(seen.len() <= most, || format!("S3 was asked {} times", seen.len())));
        for asked in seen.iter().filter(|asked| asked.method == "GET") {
            let range = asked.field("range");
            failures.note(code, ensure(range == Some("bytes=0-0"), || format!("{range:?}")));
        }
    }
    failures.report();
}

// Row 27
#[tokio::test]
async fn a_busy_s3_says_when_to_come_back() {
    let mut failures = Failures::default();
    for retry_after in [None, Some(17)] {
        let origin = LyingOrigin::start(&Object::of_size(10), &[Lie::Busy(retry_after)]).await;
        let service = proxy(origin.mount());
        for method in ["GET", "HEAD"] {
            let got = fetch(&service, request(method, &format!("/{KEY}"), &[])).await;
            let secs: Option<u16> = got.field("retry-after").and_then(|secs| secs.parse().ok());
            let is_right = match retry_after {
                Some(_) => secs == retry_after,
                None => secs.is_some_and(|secs| (1..=5).contains(&secs)),
            };
            let checked = is(&got, Kind::OriginBusy).and_then(|()| ensure(is_right, || format!("{secs:?}")));
            failures.note(&format!("{method} {retry_after:?}"), checked);
        }
    }
    failures.report();
}

// Row 28
#[tokio::test]
async fn an_archived_object_has_a_code_of_its_own() {
    let lies = [Lie::Refuses(403, "InvalidObjectState", Often::Always)];
    let origin = LyingOrigin::start(&Object::of_size(10), &lies).await;
    let service = proxy(origin.mount().error_format(ErrorFormat::ProblemJson));
    let got = fetch(&service, request("GET", &format!("/{KEY}"), &[])).await;
    assert_eq!((got.status, got.kind()), (403, Some(Kind::Archived)));
    let text = String::from_utf8_lossy(&got.body);
    assert!(text.contains(r#""code":"archived""#), "{text}");
    got.leaks_nothing().unwrap();
}

/// S3 shows the head of such an object to everybody. HEAD is to say what GET would (RFC 9110 §9.3.2).
#[tokio::test]
async fn the_head_of_an_archived_object_is_refused_like_the_object() {
    let mut failures = Failures::default();
    for (fields, kind) in [
        (&[("x-amz-storage-class", "GLACIER")][..], Some(Kind::Archived)),
        (&[("x-amz-storage-class", "DEEP_ARCHIVE")], Some(Kind::Archived)),
        (
            &[("x-amz-storage-class", "GLACIER"), ("x-amz-restore", "ongoing-request=\"true\"")],
            Some(Kind::Archived),
        ),
        (
            &[
                ("x-amz-storage-class", "GLACIER"),
                ("x-amz-restore", "ongoing-request=\"false\", expiry-date=\"Fri, 21 Dec 2099 00:00:00 GMT\""),
            ],
            None,
        ),
        (&[("x-amz-storage-class", "GLACIER_IR")], None),
        (&[("x-amz-storage-class", "STANDARD_IA")], None),
        (&[("x-amz-storage-class", "INTELLIGENT_TIERING")], None),
        (
            &[
                ("x-amz-storage-class", "INTELLIGENT_TIERING"),
                ("x-amz-archive-status", "DEEP_ARCHIVE_ACCESS"),
            ],
            Some(Kind::Archived),
        ),
    ] {
        let object =
            fields.iter().fold(Object::of_size(10), |object, (name, value)| object.with(name, value));
        let origin = LyingOrigin::start(&object, &[]).await;
        let got = fetch(&proxy(origin.mount()), request("HEAD", &format!("/{KEY}"), &[])).await;
        let checked = match kind {
            Some(kind) => is(&got, kind),
            None => ensure(got.status == 200, || format!("{} {:?}", got.status, got.error)),
        };
        failures.note(&format!("{fields:?}"), checked.and_then(|()| got.leaks_nothing()));
        let asked = origin.seen().len();
        failures.note(&format!("{fields:?}"), ensure(asked == 1, || format!("S3 was asked {asked} times")));
    }
    failures.report();
}

/// S3 may show the head and refuse the bytes: that has the meaning that it always has (rows 9, 25, 27, 28).
#[tokio::test]
async fn a_refusal_behind_the_head_keeps_its_meaning() {
    let mut failures = Failures::default();
    for (status, code, kind) in [
        (503, "SlowDown", Kind::OriginBusy),
        (500, "InternalError", Kind::OriginBusy),
        (403, "InvalidObjectState", Kind::Archived),
        (403, "AccessDenied", Kind::NotFound),
        (404, "NoSuchKey", Kind::NotFound),
        (400, "ExpiredToken", Kind::OriginRefused),
        (403, "SignatureDoesNotMatch", Kind::OriginRefused),
        (400, "KMS.DisabledException", Kind::OriginMisconfigured),
    ] {
        let lies = [Lie::RefusesOnly(Which::Gets, status, code)];
        let origin = LyingOrigin::start(&Object::of_size(100_000), &lies).await;
        let service = proxy(origin.mount());
        for fields in [
            &[("range", "bytes=0-9,50000-50009")][..],
            &[("range", "bytes=50000-50009,-10,0-9")],
            &[("range", "bytes=0-9,50000-50009"), ("if-range", "\"x\"")],
            &[("if-none-match", "\"x\", \"y\"")],
            &[("if-none-match", "\"x\", \"y\""), ("range", "bytes=0-9")],
        ] {
            origin.forget();
            let got = fetch(&service, request("GET", &format!("/{KEY}"), fields)).await;
            let row = format!("{status} {code}: {fields:?}");
            failures.note(&row, is(&got, kind));
            if status == 503 {
                let secs = got.field("retry-after");
                failures.note(&row, ensure(secs == Some(RETRY_AFTER), || format!("Retry-After: {secs:?}")));
            }
            let asked = origin.seen().len();
            failures.note(&row, ensure(asked <= 2, || format!("S3 was asked {asked} times")));
        }
    }
    failures.report();
}

// Row 29
#[tokio::test]
async fn a_delete_marker_is_not_found() {
    let mut failures = Failures::default();
    for status in [404, 405] {
        let origin = LyingOrigin::start(&Object::of_size(10), &[Lie::DeleteMarker(status)]).await;
        let service = proxy(origin.mount());
        for (method, fields) in [
            ("GET", &[][..]),
            ("HEAD", &[]),
            ("GET", &[("range", "bytes=0-0")]),
            ("GET", &[("if-none-match", "*")]),
        ] {
            let got = fetch(&service, request(method, &format!("/{KEY}"), fields)).await;
            let no_allow = ensure(got.field("allow").is_none(), || "Allow of S3".to_owned());
            failures.note(&format!("{method} {fields:?}: {status}"), is(&got, Kind::NotFound).and(no_allow));
        }
    }

    let s3 = s3().await;
    s3.store().set_versioning(BUCKET, true);
    s3.store().put(BUCKET, KEY, bytes::Bytes::from_static(b"x"));
    let marker = s3.store().delete(BUCKET, KEY).unwrap();
    let service = proxy(mount(&s3).allow_versions(true));
    for path in [format!("/{KEY}"), format!("/{KEY}?versionId={marker}")] {
        for method in ["GET", "HEAD"] {
            let got = fetch(&service, request(method, &path, &[])).await;
            failures.note(&format!("demo_s3: {method} {path}"), is(&got, Kind::NotFound));
        }
    }
    failures.report();
}

/// Refused once is not refused for ever: nothing is remembered of an error (rows 23, 25, 27).
#[tokio::test]
async fn an_error_is_forgotten_with_its_answer() {
    let object = Object::of_size(10);
    for (status, code) in [
        (403, "AccessDenied"),
        (403, "SignatureDoesNotMatch"),
        (404, "NoSuchKey"),
        (503, "SlowDown"),
        (400, "ExpiredToken"),
    ] {
        // That alone a cache remembers, for a moment.
        if is_cached() && code == "NoSuchKey" {
            continue;
        }
        let origin = Origin::lying(&object, &[Lie::Refuses(status, code, Often::Once)]).await;
        let service = proxy(origin.mount());
        let first = fetch(&service, request("GET", &format!("/{KEY}"), &[])).await;
        if first.status != 200 {
            first.leaks_nothing().unwrap();
            let second = fetch(&service, request("GET", &format!("/{KEY}"), &[])).await;
            assert_eq!(second.status, 200, "{code}");
        }
    }
}
