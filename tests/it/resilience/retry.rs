//! Reads that are repeated before the first byte.

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use http::StatusCode;
use tokio::time::timeout;
use tower_s3_proxy::{ProxyErrorKind as Kind, RetryPolicy, S3Proxy, resilience::CircuitBreaker};

use super::origin::{Fate, Faulty, noise};
use crate::support::{ask, get, is_cached, proxy, request};

const HANG: Duration = Duration::from_secs(60);

#[tokio::test]
async fn what_fails_for_a_moment_is_asked_again() {
    for fate in [
        Fate::Refused(503, "SlowDown"),
        Fate::Refused(503, "ServiceUnavailable"),
        Fate::Refused(500, "InternalError"),
        Fate::Refused(502, ""),
        Fate::Refused(504, ""),
        Fate::Refused(408, "RequestTimeout"),
        Fate::Refused(400, "RequestTimeout"),
        Fate::Refused(429, "TooManyRequests"),
        Fate::Reset,
    ] {
        for method in ["GET", "HEAD"] {
            let object = noise(1000, 1);
            let origin =
                Faulty::start(object.clone(), move |number, _| if number < 2 { fate } else { Fate::Served })
                    .await;
            let mount = origin.mount().build().unwrap();
            let answer = ask(&S3Proxy::new(mount.clone()), request(method, "/a", &[])).await;
            assert_eq!(answer.status, StatusCode::OK, "{fate:?} {method}");
            assert!(method == "HEAD" || answer.body == object);
            assert_eq!(origin.asked().len(), 3, "{fate:?} {method}");
            // S3 says why it refuses a HEAD with 400 when it is asked by GET.
            assert!((1..=2).contains(&mount.origin().retried), "{fate:?} {method}");
        }
    }
}

#[tokio::test]
async fn what_will_not_change_is_not_asked_again() {
    for (status, code) in
        [(404, "NoSuchKey"), (403, "AccessDenied"), (400, "InvalidArgument"), (501, "NotImplemented")]
    {
        let origin = Faulty::start(noise(10, 1), move |_, _| Fate::Refused(status, code)).await;
        let answer = ask(&proxy(origin.mount()), get("/a")).await;
        assert!(answer.status.is_client_error() || answer.status.is_server_error());
        assert_eq!(origin.asked().len(), 1, "{status} {code}");
    }
}

/// RFC 9110 §10.2.3.
#[tokio::test]
async fn retry_after_is_obeyed_within_the_deadline_and_passed_on_beyond_it() {
    let origin = Faulty::start(noise(10, 1), |number, _| match number {
        0 => Fate::RetryAfter(503, "SlowDown", 1),
        _ => Fate::Served,
    })
    .await;
    let begun = Instant::now();
    assert_eq!(ask(&proxy(origin.mount()), get("/a")).await.status, StatusCode::OK);
    assert!(begun.elapsed() >= Duration::from_secs(1));

    let origin = Faulty::start(noise(10, 1), |_, _| Fate::RetryAfter(503, "SlowDown", 60)).await;
    let answer = ask(&proxy(origin.mount()), get("/a")).await;
    assert_eq!((answer.kind(), answer.header("retry-after")), (Some(Kind::OriginBusy), "60"));
    assert_eq!(origin.asked().len(), 1);
}

#[tokio::test]
async fn attempts_and_their_time_are_bounded() {
    let origin = Faulty::start(noise(10, 1), |_, _| Fate::Refused(500, "InternalError")).await;
    let answer = ask(&proxy(origin.mount()), get("/a")).await;
    assert_eq!((answer.kind(), origin.asked().len()), (Some(Kind::OriginBusy), 6));

    let origin = Faulty::start(noise(10, 1), |_, _| Fate::Refused(500, "InternalError")).await;
    let policy = RetryPolicy::default().max_attempts(u32::MAX).deadline(Duration::from_millis(300));
    let answer = timeout(HANG, ask(&proxy(origin.mount().retry(policy)), get("/a"))).await.expect("it ends");
    assert_eq!(answer.kind(), Some(Kind::OriginBusy));
}

/// Of requests to an S3 that refuses three in ten, all but a few succeed.
#[tokio::test]
async fn three_refusals_in_ten_are_hardly_noticed() {
    let rng = Mutex::new(fastrand::Rng::with_seed(3));
    let origin = Faulty::start(noise(1000, 1), move |_, _| match rng.lock().unwrap().u32(0..10) {
        0..3 => Fate::Refused(503, "SlowDown"),
        _ => Fate::Served,
    })
    .await;
    let hasty = RetryPolicy::default().first_pause(Duration::from_millis(2));
    let service = proxy(origin.mount().retry(hasty));
    let mut failed = 0;
    for number in 0..2000 {
        let answer = ask(&service, get(&format!("/{number}"))).await;
        failed += usize::from(answer.status != StatusCode::OK);
    }
    assert!(failed <= 4, "{failed} of 2000 failed: expected are 1.5");
}

#[tokio::test]
async fn a_dead_s3_is_asked_a_fifth_more_at_most() {
    let origin = Faulty::start(noise(10, 1), |_, _| Fate::Refused(503, "SlowDown")).await;
    let hasty = RetryPolicy::default().first_pause(Duration::from_micros(1));
    // With a breaker it would be far less.
    let service = proxy(origin.mount().retry(hasty).circuit_breaker(CircuitBreaker::never()));
    for number in 0..1000 {
        assert_eq!(ask(&service, get(&format!("/{number}"))).await.kind(), Some(Kind::OriginBusy));
    }
    let asked = origin.asked().len();
    assert!(asked <= 1200, "{asked} for 1000 requests");
    assert!(asked > 1000 || is_cached());
}
