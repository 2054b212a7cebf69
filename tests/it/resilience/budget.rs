//! A mount whose budget of requests and bytes is used up.

use std::time::Duration;

use http::StatusCode;
use tokio::time::{sleep, timeout};
use tower_s3_proxy::{
    Cache, ProxyErrorKind as Kind, RetryPolicy, S3Proxy,
    resilience::{Budget, Hedging, UsedUpAnswer},
};

use super::origin::{Fate, Faulty, noise};
use crate::support::{ask, get, proxy, request};

const HANG: Duration = Duration::from_secs(30);

#[tokio::test]
async fn beyond_the_requests_of_the_day_s3_is_not_asked_and_the_client_is_told_when_to_come_back() {
    for (answer, status) in [
        (UsedUpAnswer::Unavailable, StatusCode::SERVICE_UNAVAILABLE),
        (UsedUpAnswer::TooManyRequests, StatusCode::TOO_MANY_REQUESTS),
    ] {
        let origin = Faulty::start(noise(10, 1), |_, _| Fate::Served).await;
        let mount = origin.mount().budget(Budget::default().requests(3).answer(answer)).build().unwrap();
        let service = S3Proxy::new(mount.clone());
        for number in 0..3 {
            assert_eq!(ask(&service, get(&format!("/{number}"))).await.status, StatusCode::OK);
        }
        for _ in 0..10 {
            let refused = ask(&service, get("/a")).await;
            assert_eq!((refused.status, refused.kind()), (status, Some(Kind::BudgetUsedUp)));
            let retry_after: u64 = refused.header("retry-after").parse().unwrap();
            assert!((1..=86_401).contains(&retry_after), "{retry_after}");
        }
        assert_eq!(origin.asked().len(), 3);
        let spent = mount.budget().unwrap();
        assert_eq!((spent.requests, spent.bytes), (3, 30));
    }
}

#[tokio::test]
async fn each_attempt_counts_and_the_bytes_that_came() {
    let origin = Faulty::start(noise(1000, 1), |number, _| match number % 2 {
        0 => Fate::Refused(503, "SlowDown"),
        _ => Fate::Served,
    })
    .await;
    let retry = RetryPolicy::default().first_pause(Duration::ZERO);
    let mount = origin.mount().retry(retry).budget(Budget::default().requests(100)).build().unwrap();
    let service = S3Proxy::new(mount.clone());
    for number in 0..4 {
        assert_eq!(ask(&service, get(&format!("/{number}"))).await.body.len(), 1000);
    }
    let spent = mount.budget().unwrap();
    assert_eq!(spent.requests, 8, "as many as S3 saw");
    assert!(spent.bytes >= 4000, "{spent:?}");
    assert_eq!(origin.asked().len(), 8);
}

#[tokio::test]
async fn beyond_the_bytes_of_the_day_nothing_is_read() {
    let origin = Faulty::start(noise(1000, 1), |_, _| Fate::Served).await;
    let mount = origin.mount().budget(Budget::default().bytes(2500)).build().unwrap();
    let service = S3Proxy::new(mount.clone());
    for (number, status) in [(0, 200), (1, 200), (2, 200), (3, 503), (4, 503)] {
        assert_eq!(ask(&service, get(&format!("/{number}"))).await.status, status, "{number}");
    }
    assert_eq!(mount.budget().unwrap().bytes, 3000);
}

/// RFC 9111 §4.2.4.
#[tokio::test]
async fn near_the_end_the_cache_serves_what_is_stale_and_asks_for_the_rest_while_it_can() {
    let object = noise(10, 1);
    let origin = Faulty::start(object.clone(), |_, _| Fate::Served).await;
    let cache = Cache::builder(1024 * 1024).build().unwrap();
    let mount = origin
        .mount()
        .cache(&cache)
        .override_cache_control("max-age=0")
        .cache_control_rule(
            tower_s3_proxy::response::CacheControlRule::override_with("max-age=0, must-revalidate")
                .key("strict"),
        )
        .budget(Budget::default().requests(10).near(40))
        .build()
        .unwrap();
    let service = S3Proxy::new(mount.clone());
    let spent = || mount.budget().unwrap().requests;
    for (path, requests) in [("/kept", 1), ("/kept", 2), ("/strict", 3), ("/kept", 4)] {
        assert_eq!(ask(&service, get(path)).await.status, StatusCode::OK);
        assert_eq!(spent(), requests, "{path}");
    }
    // Near.
    for cache_control in ["", "no-cache", "max-age=0"] {
        let kept = request("GET", "/kept", &[("cache-control", cache_control)]);
        let kept = ask(&service, kept).await;
        assert!(kept.status == StatusCode::OK && kept.body == object, "{kept:?}");
        assert!(kept.header("cache-status").contains("hit"), "{kept:?}");
        assert_eq!(spent(), 4, "{cache_control:?}");
    }
    assert_eq!(ask(&service, get("/strict")).await.status, StatusCode::OK);
    assert_eq!(spent(), 5, "it must be revalidated");
    for number in 0..5 {
        assert_eq!(ask(&service, get(&format!("/new{number}"))).await.status, StatusCode::OK);
    }
    // Used up.
    assert_eq!(spent(), 10);
    for path in ["/kept", "/new3"] {
        assert_eq!(ask(&service, get(path)).await.status, StatusCode::OK, "{path}");
    }
    for path in ["/strict", "/newer"] {
        assert_eq!(ask(&service, get(path)).await.kind(), Some(Kind::BudgetUsedUp), "{path}");
    }
    assert_eq!((spent(), origin.asked().len()), (10, 10));
}

#[tokio::test]
async fn a_hedge_that_there_is_no_room_for_leaves_the_response_to_the_first_request() {
    let object = noise(1000, 1);
    let origin = Faulty::start(object.clone(), |number, _| match number {
        0..100 => Fate::Served,
        _ => Fate::Late(Duration::from_millis(400)),
    })
    .await;
    let budget = Budget::default().requests(101);
    let mount = origin.mount().hedge(Hedging::default()).budget(budget).build().unwrap();
    let service = S3Proxy::new(mount.clone());
    for number in 0..101 {
        let answer = ask(&service, get(&format!("/{number}"))).await;
        assert!(answer.status == StatusCode::OK && answer.body == object, "{number}: {answer:?}");
    }
    assert_eq!((origin.asked().len(), mount.origin().hedged), (101, 1));
}

#[tokio::test]
async fn a_replica_does_not_stand_in_for_a_budget() {
    let origin = Faulty::start(noise(10, 1), |_, _| Fate::Served).await;
    let replica = Faulty::start(noise(10, 1), |_, _| Fate::Served).await;
    let there = tower_s3_proxy::resilience::Replica::new(replica.mount().build().unwrap());
    let service = proxy(origin.mount().replica(there).budget(Budget::default().requests(1)));
    assert_eq!(ask(&service, get("/a")).await.status, StatusCode::OK);
    assert_eq!(ask(&service, get("/b")).await.kind(), Some(Kind::BudgetUsedUp));
    assert_eq!(replica.asked().len(), 0);
}

#[tokio::test]
async fn a_mount_that_replaces_another_goes_on_with_its_counts_and_so_does_one_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("media.budget");
    let origin = Faulty::start(noise(10, 1), |_, _| Fate::Served).await;
    let budget = |requests| Budget::default().requests(requests).state(&file);
    let first = origin.mount().budget(budget(2)).build().unwrap();
    ask(&S3Proxy::new(first.clone()), get("/a")).await;
    let second = origin.mount().budget(budget(3)).build().unwrap();
    drop(first);
    assert_eq!(second.budget().unwrap().requests, 1);
    ask(&S3Proxy::new(second.clone()), get("/a")).await;
    drop(second);
    timeout(HANG, async {
        while !file.exists() {
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("it is saved");
    let third = origin.mount().budget(budget(3)).build().unwrap();
    assert_eq!(third.budget().unwrap().requests, 2);
}
