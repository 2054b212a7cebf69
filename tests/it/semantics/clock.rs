//! Row 25: clocks that disagree.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use aws_smithy_async::time::StaticTimeSource;
use tokio::{task::JoinSet, time::timeout};
use tower_s3_proxy::{
    ProxyErrorKind,
    credentials::{Credentials, ProvideCredentials, future},
};

use super::{
    check::Failures,
    expect::{HANG, ensure, fetch},
    origin::Origin,
};
use crate::{
    lying::{KEY, Lie, LyingOrigin, Object, Often},
    support::{is_cached, proxy, request},
};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// Gives out credentials that live for so long by the clock of this machine.
#[derive(Debug, Clone)]
struct Lender {
    life: Duration,
    asked: Arc<AtomicUsize>,
}

// === impl Lender ===

impl Lender {
    fn new(life: Duration) -> Self {
        Self { life, asked: Arc::default() }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

impl ProvideCredentials for Lender {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let number = self.asked.fetch_add(1, Ordering::Relaxed);
        let expiry = SystemTime::now() + self.life;
        let credentials = Credentials::new(format!("AKIA{number}"), "secret", None, Some(expiry), "test");
        future::ProvideCredentials::ready(Ok(credentials))
    }
}

#[tokio::test]
async fn a_clock_that_is_off_is_corrected_once() {
    let mut failures = Failures::default();
    for by in [-20 * 60, 20 * 60, 3 * 24 * 3600, -400 * 24 * 3600] {
        for (method, fields, status) in
            [("GET", &[][..], 200), ("HEAD", &[], 200), ("GET", &[("range", "bytes=0-9")], 206)]
        {
            let origin = LyingOrigin::start(&Object::of_size(1000), &[Lie::Skewed(by)]).await;
            let service = proxy(origin.mount());
            let row = format!("off by {by} s: {method} {fields:?}");
            let got = fetch(&service, request(method, &format!("/{KEY}"), fields)).await;
            failures.note(&row, ensure(got.status == status, || format!("{} {:?}", got.status, got.error)));
            let asked = origin.seen().len();
            let most = if method == "HEAD" { 3 } else { 2 };
            failures.note(&row, ensure(asked <= most, || format!("{asked} requests")));
            origin.forget();
            for _ in 0..3 {
                let got = fetch(&service, request(method, &format!("/{KEY}"), fields)).await;
                failures.note(&row, ensure(got.status == status, || format!("then {}", got.status)));
            }
            let asked = origin.seen().len();
            failures
                .note(&row, ensure(asked == 3 || is_cached(), || format!("then {asked} requests for three")));
        }
    }
    failures.report();
}

/// The server's time is to be believed once; and a time that a mount was given is corrected like any other.
#[tokio::test]
async fn a_clock_that_no_correction_helps_is_a_bad_gateway() {
    let lies = [Lie::Refuses(403, "RequestTimeTooSkewed", Often::Always)];
    let origin = LyingOrigin::start(&Object::of_size(10), &lies).await;
    let service = proxy(origin.mount());
    let got = fetch(&service, request("GET", &format!("/{KEY}"), &[])).await;
    got.is_error(502).unwrap();
    assert_eq!(got.kind(), Some(ProxyErrorKind::OriginRefused));
    assert!(origin.seen().len() <= 2, "{} requests", origin.seen().len());

    let origin = LyingOrigin::start(&Object::of_size(10), &[]).await;
    let wrong = SystemTime::now() - HOUR;
    let clock = StaticTimeSource::new(wrong);
    let got = fetch(&proxy(origin.mount().time_source(clock)), request("GET", &format!("/{KEY}"), &[])).await;
    assert_eq!(got.status, 200, "nobody complained, so nothing is corrected");
}

#[tokio::test]
async fn all_who_were_refused_for_their_clock_are_served() {
    let origin = LyingOrigin::start(&Object::of_size(10), &[Lie::Skewed(3600)]).await;
    let service = proxy(origin.mount());
    let mut tasks = JoinSet::new();
    for _ in 0..50 {
        let service = service.clone();
        tasks.spawn(async move { fetch(&service, request("GET", &format!("/{KEY}"), &[])).await.status });
    }
    let statuses = timeout(HANG, tasks.join_all()).await.expect("no hang");
    assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
    assert!(origin.seen().len() <= 100, "{} requests", origin.seen().len());
}

/// An answer from another age says nothing of what time it is.
#[tokio::test]
async fn a_time_beyond_reason_teaches_nothing() {
    let object = Object::of_size(1000);
    let mut failures = Failures::default();
    for date in [
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "Wed, 01 Jan 2200 00:00:00 GMT",
        "Fri, 31 Dec 1999 23:59:59 GMT",
        "Thu, 01 Jan 1970 00:00:00 GMT",
        "Wed, 01 Jan 1969 00:00:00 GMT",
        "Sat, 32 Dec 2026 00:00:00 GMT",
    ] {
        let lies = [Lie::Refuses(403, "RequestTimeTooSkewed", Often::Once), Lie::Dated(date)];
        let origin = Origin::lying(&object, &lies).await;
        let service = proxy(origin.mount());
        let got = fetch(&service, request("GET", &format!("/{KEY}"), &[])).await;
        failures.note(date, got.is_error(502));
        let (kind, asked) = (got.kind(), origin.seen().len());
        let is_final = (kind, asked) == (Some(ProxyErrorKind::OriginRefused), 1);
        failures.note(date, ensure(is_final, || format!("{kind:?} after {asked}")));
        for (method, field, status) in [
            ("GET", ("if-modified-since", "{date}"), 304),
            ("GET", ("if-modified-since", "{before}"), 200),
            ("HEAD", ("if-modified-since", "{after}"), 304),
            ("GET", ("if-modified-since", "Fri, 31 Dec 9999 23:59:59 GMT"), 304),
            ("GET", ("if-unmodified-since", "{before}"), 412),
            ("GET", ("if-unmodified-since", "Fri, 31 Dec 9999 23:59:59 GMT"), 200),
            ("GET", ("if-none-match", "{tag}"), 304),
            ("GET", ("range", "bytes=0-9"), 206),
        ] {
            let (name, value) = (field.0, origin.truth.fill(field.1));
            let got = fetch(&service, request(method, &format!("/{KEY}"), &[(name, &value)])).await;
            let row = format!("{date}: {method} {name}: {value}");
            failures.note(&row, ensure(got.status == status, || got.status.to_string()));
        }
        for seen in origin.seen() {
            let at = seen.signed_at().expect("it is signed");
            let now = SystemTime::now();
            let is_now = (now - MINUTE..=now + MINUTE).contains(&at);
            failures.note(date, ensure(is_now, || format!("signed {:?}", seen.field("x-amz-date"))));
        }
    }
    failures.report();
}

/// Credentials that have expired by S3's clock are not worth a question to their provider for each request.
#[tokio::test]
async fn credentials_that_are_older_than_they_look_bring_no_storm_upon_their_provider() {
    let origin = LyingOrigin::start(&Object::of_size(10), &[Lie::Skewed(3600)]).await;
    let lender = Lender::new(30 * MINUTE);
    let service = proxy(origin.mount().credentials(lender.clone()));
    for number in 0..20 {
        let got = fetch(&service, request("GET", &format!("/{KEY}"), &[])).await;
        assert_eq!(got.status, 200, "{number}: {:?}", got.error);
    }
    assert!(lender.asked() <= 3, "the provider was asked {} times", lender.asked());
}

/// A clock that is fast makes all credentials look expired; only S3 can tell which of the two is true.
#[tokio::test]
async fn credentials_that_look_expired_are_tried_and_the_clock_is_learnt() {
    let mut failures = Failures::default();
    for method in ["GET", "HEAD"] {
        let origin = LyingOrigin::start(&Object::of_size(10), &[Lie::Skewed(0)]).await;
        let lender = Lender::new(HOUR);
        let clock = StaticTimeSource::new(SystemTime::now() + 2 * HOUR);
        let service = proxy(origin.mount().credentials(lender.clone()).time_source(clock));
        for number in 0..5 {
            origin.forget();
            let got = fetch(&service, request(method, &format!("/{KEY}"), &[])).await;
            let row = format!("{method}, number {number}");
            failures.note(&row, ensure(got.status == 200, || format!("{} {:?}", got.status, got.error)));
            // One is refused, HEAD asks why, and one more is right.
            let most = match (number, method) {
                (0, "HEAD") => 3,
                (0, _) => 2,
                _ => 1,
            };
            let asked = origin.seen().len();
            failures.note(&row, ensure(asked <= most, || format!("{asked} requests")));
        }
        let asked = lender.asked();
        failures.note(method, ensure(asked <= 2, || format!("the provider was asked {asked} times")));
    }
    failures.report();
}
