//! A second bucket, which answers while the first does not.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use http::StatusCode;
use tokio::time::sleep;
use tower_s3_proxy::{
    Cache, ConfigErrorKind, Mount, MountBuilder, ProxyErrorKind as Kind, RetryPolicy, S3Proxy, S3ProxyLayer,
    resilience::{AbsentObject, CircuitBreaker, Replica, ReplicaCache},
};

use super::origin::{Break, Fate, Faulty, noise};
use crate::support::{ask, get, proxy, request};

const INTERVAL: Duration = Duration::from_millis(100);

/// An origin that can be shut down and brought back.
async fn switched(object: bytes::Bytes, fate: Fate) -> (Faulty, Arc<AtomicBool>) {
    let is_down = Arc::new(AtomicBool::new(false));
    let down = Arc::clone(&is_down);
    let origin =
        Faulty::start(object, move |_, _| if down.load(Ordering::Relaxed) { fate } else { Fate::Served });
    (origin.await, is_down)
}

fn replica(of: &Faulty) -> Mount {
    of.mount().build().unwrap()
}

pub(super) fn hasty(mount: MountBuilder) -> MountBuilder {
    let breaker = CircuitBreaker::default().failures(4).interval(INTERVAL);
    mount
        .retry(RetryPolicy::default().max_attempts(2).first_pause(Duration::from_millis(1)))
        .circuit_breaker(breaker)
}

/// Fails over, and returns: no request fails meanwhile.
#[tokio::test]
async fn while_a_bucket_is_down_its_replica_answers() {
    for fate in [Fate::Refused(500, "InternalError"), Fate::Refused(503, "SlowDown"), Fate::Reset] {
        let object = noise(100_000, 1);
        let (origin, is_down) = switched(object.clone(), fate).await;
        let (second, _) = switched(object.clone(), fate).await;
        let mount = hasty(origin.mount()).replica(Replica::new(replica(&second))).build().unwrap();
        let service = S3Proxy::new(mount.clone());
        for number in 0..90 {
            is_down.store((30..60).contains(&number), Ordering::Relaxed);
            if number == 60 {
                sleep(INTERVAL * 2).await;
            }
            let answer = ask(&service, get(&format!("/{number}"))).await;
            assert!(
                answer.status == StatusCode::OK && answer.body == object,
                "{fate:?} {number}: {answer:?}"
            );
        }
        assert_eq!(mount.origin().failed_over, 30, "{fate:?}");
        assert_eq!(second.asked().len(), 30, "{fate:?}");
        // Two attempts for each, until it is left alone.
        let asked = origin.asked().len();
        assert!(asked <= 60 + 4 + 5, "{fate:?}: {asked}");
    }
}

#[tokio::test]
async fn a_mount_whose_replica_answers_is_ready() {
    let (origin, is_down) = switched(noise(10, 1), Fate::Refused(500, "InternalError")).await;
    let (second, second_is_down) = switched(noise(10, 1), Fate::Refused(500, "InternalError")).await;
    let mount = hasty(origin.mount()).replica(Replica::new(hasty(second.mount()).build().unwrap()));
    let mount = mount.build().unwrap();
    is_down.store(true, Ordering::Relaxed);
    assert!(S3ProxyLayer::new(mount.clone()).ready().await.is_ok());
    second_is_down.store(true, Ordering::Relaxed);
    // Another layer, since a layer remembers for a second.
    let error = S3ProxyLayer::new(mount).ready().await.unwrap_err();
    assert_eq!(error.kind(), Kind::OriginBusy);
}

#[tokio::test]
async fn every_kind_of_read_fails_over() {
    let object = noise(1_000_000, 2);
    let (origin, is_down) = switched(object.clone(), Fate::Refused(500, "InternalError")).await;
    let (second, _) = switched(object.clone(), Fate::Served).await;
    let service = proxy(hasty(origin.mount()).replica(Replica::new(replica(&second))));
    is_down.store(true, Ordering::Relaxed);
    let head = ask(&service, request("HEAD", "/head", &[])).await;
    assert_eq!((head.status, head.header("content-length")), (StatusCode::OK, "1000000"));
    let part = ask(&service, request("GET", "/part", &[("range", "bytes=5-9")])).await;
    assert_eq!((part.status, &*part.body), (StatusCode::PARTIAL_CONTENT, &object[5..=9]));
    let parts = ask(&service, request("GET", "/parts", &[("range", "bytes=0-9,500000-500009")])).await;
    assert_eq!(parts.status, StatusCode::PARTIAL_CONTENT);
}

/// What the replica says of a range is an answer, too.
#[tokio::test]
async fn a_range_outside_of_the_replicas_object_is_unsatisfiable() {
    let origin = Faulty::start(noise(10, 1), |_, _| Fate::Refused(503, "SlowDown")).await;
    let second = Faulty::start(noise(10, 1), |_, head| match head.contains("range: ") {
        true => Fate::Refused(416, "InvalidRange"),
        false => Fate::Served,
    })
    .await;
    let service = proxy(hasty(origin.mount()).replica(Replica::new(replica(&second))));
    let answer = ask(&service, request("GET", "/a", &[("range", "bytes=10-")])).await;
    assert_eq!(answer.status, StatusCode::RANGE_NOT_SATISFIABLE, "{answer:?}");
}

/// The rest of a body that the first bucket began.
#[tokio::test]
async fn a_body_goes_on_from_the_replica_if_that_has_the_same_state() {
    let object = noise(1_000_000, 3);
    for is_same in [true, false] {
        let origin = Faulty::start(object.clone(), |number, _| match number {
            0 => Fate::Broken(400_000, Break::Fin),
            _ => Fate::Refused(500, "InternalError"),
        })
        .await;
        let (second, _) = switched(object.clone(), Fate::Served).await;
        if !is_same {
            second.put(noise(1_000_000, 4));
        }
        let mount = hasty(origin.mount()).replica(Replica::new(replica(&second))).build().unwrap();
        let service = S3Proxy::new(mount.clone());
        if is_same {
            assert!(ask(&service, get("/a")).await.body == object);
        } else {
            use http_body_util::BodyExt;
            use tower::ServiceExt;
            let response = service.oneshot(get("/a")).await.unwrap();
            assert!(response.into_body().collect().await.is_err(), "states are never mixed");
        }
        assert_eq!(mount.origin().broken, u64::from(!is_same));
    }
}

/// However often the own bucket begins it.
#[tokio::test]
async fn a_body_that_breaks_off_each_time_goes_on_from_the_replica() {
    let object = noise(100_000, 5);
    for attempts in [1, 2, 3] {
        let origin = Faulty::start(object.clone(), |_, _| Fate::Broken(1000, Break::Fin)).await;
        let second = Faulty::start(object.clone(), |number, _| match number {
            0 => Fate::Broken(1000, Break::Fin),
            _ => Fate::Served,
        })
        .await;
        let retry = RetryPolicy::default().max_attempts(attempts).first_pause(Duration::from_millis(1));
        let mount = origin.mount().retry(retry).replica(Replica::new(replica(&second))).build().unwrap();
        assert!(ask(&S3Proxy::new(mount.clone()), get("/a")).await.body == object, "{attempts}");
        let counted = mount.origin();
        assert_eq!((counted.broken, counted.failed_over), (0, 2), "{attempts}");
        assert_eq!((origin.asked().len(), second.asked().len()), (attempts as usize, 2), "{attempts}");
    }
}

#[tokio::test]
async fn beside_a_replica_a_bucket_has_two_attempts_unless_the_policy_says_otherwise() {
    let hasty = RetryPolicy::default().first_pause(Duration::from_millis(1));
    for (retry, attempts) in [(None, 2), (Some(hasty.clone()), 2), (Some(hasty.clone().max_attempts(4)), 4)] {
        let origin = Faulty::start(noise(10, 1), |_, _| Fate::Refused(503, "SlowDown")).await;
        let (second, _) = switched(noise(10, 1), Fate::Served).await;
        let mount = origin.mount().replica(Replica::new(replica(&second)));
        let mount = match &retry {
            Some(policy) => mount.retry(policy.clone()),
            None => mount,
        };
        assert_eq!(ask(&proxy(mount), get("/a")).await.status, StatusCode::OK, "{retry:?}");
        assert_eq!(origin.asked().len(), attempts, "{retry:?}");
    }
}

#[tokio::test]
async fn an_absent_object_is_asked_for_at_the_replica_if_the_owner_says_so() {
    for (absent, status) in [(AbsentObject::Missing, 404), (AbsentObject::AskReplica, 200)] {
        let origin = Faulty::start(noise(10, 1), |_, _| Fate::Refused(404, "NoSuchKey")).await;
        let (second, _) = switched(noise(10, 1), Fate::Served).await;
        let service = proxy(hasty(origin.mount()).replica(Replica::new(replica(&second)).absent(absent)));
        assert_eq!(ask(&service, get("/a")).await.status, status, "{absent:?}");
    }
    // Neither has it.
    let [origin, second] =
        [1, 2].map(|_| Faulty::start(noise(10, 1), |_, _| Fate::Refused(404, "NoSuchKey")));
    let (origin, second) = (origin.await, second.await);
    let either = Replica::new(replica(&second)).absent(AbsentObject::AskReplica);
    assert_eq!(
        ask(&proxy(hasty(origin.mount()).replica(either)), get("/a")).await.kind(),
        Some(Kind::NotFound)
    );
}

#[tokio::test]
async fn when_both_are_down_the_first_ones_error_is_told() {
    let origin = Faulty::start(noise(10, 1), |_, _| Fate::Refused(503, "SlowDown")).await;
    let second = Faulty::start(noise(10, 1), |_, _| Fate::Refused(404, "NoSuchKey")).await;
    let service = proxy(hasty(origin.mount()).replica(Replica::new(replica(&second))));
    assert_eq!(ask(&service, get("/a")).await.kind(), Some(Kind::OriginBusy));
}

#[tokio::test]
async fn what_the_replica_sends_is_kept_or_not_as_the_owner_says() {
    for (cache_of_replica, is_kept) in [(ReplicaCache::Shared, true), (ReplicaCache::Apart, false)] {
        let object = noise(1000, 1);
        let (origin, is_down) = switched(object.clone(), Fate::Refused(500, "InternalError")).await;
        let (second, _) = switched(object.clone(), Fate::Served).await;
        let cache = Cache::builder(1024 * 1024).build().unwrap();
        let replica = Replica::new(replica(&second)).cache(cache_of_replica);
        let service = proxy(hasty(origin.mount()).cache(&cache).replica(replica));
        is_down.store(true, Ordering::Relaxed);
        for _ in 0..3 {
            let answer = ask(&service, get("/a")).await;
            assert!(answer.status == StatusCode::OK && answer.body == object, "{cache_of_replica:?}");
        }
        assert_eq!(cache.snapshot().entries > 0, is_kept, "{cache_of_replica:?}");
        assert_eq!(second.asked().len() == 1, is_kept, "{cache_of_replica:?}");
    }
}

#[test]
fn replicas_that_make_no_sense_are_refused() {
    let bucket = |name: &str| {
        Mount::builder(tower_s3_proxy::BucketName::parse(name).unwrap()).region("us-west-2").anonymous()
    };
    let prefixed = bucket("second").prefix("a").build().unwrap();
    let chained = bucket("second").replica(Replica::new(bucket("third").build().unwrap())).build().unwrap();
    for replica in [prefixed, chained] {
        let why = bucket("first").replica(Replica::new(replica)).build().unwrap_err();
        assert_eq!(why.kind(), ConfigErrorKind::Contradiction, "{why}");
    }
}
