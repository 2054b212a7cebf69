//! An S3 that is left alone while it answers nothing.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use http::StatusCode;
use tokio::time::{sleep, timeout};
use tower_s3_proxy::{Cache, ProxyErrorKind as Kind, RetryPolicy, S3Proxy, resilience::CircuitBreaker};

use super::origin::{Fate, Faulty, noise};
use crate::support::{ask, get, proxy};

const HANG: Duration = Duration::from_secs(30);
const INTERVAL: Duration = Duration::from_secs(1);

fn policy() -> CircuitBreaker {
    CircuitBreaker::default().failures(5).interval(INTERVAL)
}

#[tokio::test]
async fn after_failures_in_a_row_only_probes_get_through_until_one_succeeds() {
    let is_dead = Arc::new(AtomicBool::new(true));
    let dead = Arc::clone(&is_dead);
    let origin = Faulty::start(noise(10, 1), move |_, _| match dead.load(Ordering::Relaxed) {
        true => Fate::Refused(500, "InternalError"),
        false => Fate::Served,
    })
    .await;
    let mount = origin.mount().retry(RetryPolicy::never()).circuit_breaker(policy()).build().unwrap();
    let service = S3Proxy::new(mount.clone());
    for number in 0..5 {
        assert_eq!(ask(&service, get(&format!("/{number}"))).await.kind(), Some(Kind::OriginBusy));
    }
    let refused = ask(&service, get("/a")).await;
    assert_eq!(
        (refused.status, refused.kind()),
        (StatusCode::SERVICE_UNAVAILABLE, Some(Kind::OriginUnavailable))
    );
    assert_eq!(refused.header("retry-after"), "1");
    for _ in 0..200 {
        ask(&service, get("/a")).await;
    }
    let asked = origin.asked().len();
    assert!(asked < 20, "one probe an interval: {asked}");
    is_dead.store(false, Ordering::Relaxed);
    timeout(HANG, async {
        while ask(&service, get("/a")).await.status != StatusCode::OK {
            sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .expect("it recovers");
    assert!(origin.asked().len() <= asked + 2, "by the first or the second probe");
    let counts = mount.origin();
    assert_eq!(counts.opened, 1);
    assert!(counts.refused >= 200, "{counts:?}");
}

#[tokio::test]
async fn a_refusal_of_an_object_is_no_failure_of_s3() {
    let origin = Faulty::start(noise(10, 1), |_, _| Fate::Refused(404, "NoSuchKey")).await;
    let service = proxy(origin.mount().circuit_breaker(policy()));
    for number in 0..20 {
        assert_eq!(ask(&service, get(&format!("/{number}"))).await.kind(), Some(Kind::NotFound));
    }
    assert_eq!(origin.asked().len(), 20);
}

/// RFC 5861 §4.
#[tokio::test]
async fn what_is_stale_stands_in_while_s3_is_left_alone() {
    let is_dead = Arc::new(AtomicBool::new(false));
    let dead = Arc::clone(&is_dead);
    let object = noise(10, 1);
    let origin = Faulty::start(object.clone(), move |_, _| match dead.load(Ordering::Relaxed) {
        true => Fate::Refused(503, "SlowDown"),
        false => Fate::Served,
    })
    .await;
    let cache = Cache::builder(1024 * 1024).build().unwrap();
    let mount = origin
        .mount()
        .cache(&cache)
        .override_cache_control("max-age=0, stale-if-error=600")
        .retry(RetryPolicy::never())
        .circuit_breaker(policy());
    let service = proxy(mount);
    assert_eq!(ask(&service, get("/kept")).await.status, StatusCode::OK);
    is_dead.store(true, Ordering::Relaxed);
    for number in 0..5 {
        ask(&service, get(&format!("/{number}"))).await;
    }
    assert_eq!(ask(&service, get("/new")).await.kind(), Some(Kind::OriginUnavailable));
    let asked = origin.asked().len();
    for _ in 0..10 {
        let answer = ask(&service, get("/kept")).await;
        assert!(answer.status == StatusCode::OK && answer.body == object, "{answer:?}");
    }
    assert!(origin.asked().len() <= asked + 1);
}
