//! Objects of all sizes, and the parts that are kept.

use bytes::Bytes;
use http_body_util::BodyExt;
use proptest::{prelude::*, test_runner::TestRunner};
use tower::ServiceExt;
use tower_s3_proxy::{
    Cache, S3Proxy,
    cache::{PurgeMode, PurgeTarget},
};

use super::origin::{MIB, Object, Origin, eventually, noise};
use crate::support::{Answer, ask, get, request};

const BLOCK: u32 = 4096;

async fn part(service: &S3Proxy, path: &str, range: &str) -> Answer {
    ask(service, request("GET", path, &[("range", range)])).await
}

/// What RFC 9110 §14.1.2 makes of it: status and bytes.
fn expected(body: &Bytes, range: (Option<u64>, Option<u64>)) -> (u16, Bytes) {
    let total = body.len() as u64;
    // Of nothing there is no part, and all of it is as good an answer (§14.2).
    if total == 0 {
        return (200, body.clone());
    }
    let (first, last) = match range {
        (Some(first), last) => (first, last.unwrap_or(u64::MAX).min(total.saturating_sub(1))),
        (None, Some(length)) => (total.saturating_sub(length), total.saturating_sub(1)),
        (None, None) => return (200, body.clone()),
    };
    if first >= total || (range.0.is_none() && range.1 == Some(0)) {
        return (416, Bytes::new());
    }
    let index = |at: u64| usize::try_from(at).unwrap();
    (206, body.slice(index(first)..=index(last)))
}

fn written((first, last): (Option<u64>, Option<u64>)) -> String {
    let text = |at: Option<u64>| at.map_or(String::new(), |at| at.to_string());
    format!("bytes={}-{}", text(first), text(last))
}

#[tokio::test]
async fn the_edges_of_blocks_are_no_edges_for_clients() {
    let block = BLOCK as usize;
    let lengths = [0, 1, block - 1, block, block + 1, 2 * block, 16_384, 16_385, 5 * block - 1, 20_000];
    for length in lengths {
        let origin = Origin::start().await;
        let object = Object::new(noise(length, 1)).with("cache-control", "max-age=60");
        origin.put("a", &object);
        let edges: Vec<u64> = (0..=length as u64 / 4096 + 1)
            .flat_map(|n| [(n * 4096).saturating_sub(1), n * 4096, n * 4096 + 1])
            .collect();
        for &first in &edges {
            let (service, _) = origin.cached_by(Cache::builder(MIB).block_size(BLOCK), |mount| mount);
            for &last in edges.iter().filter(|last| **last >= first) {
                let range = (Some(first), Some(last));
                let (status, bytes) = expected(&object.body, range);
                let answer = part(&service, "/a", &written(range)).await;
                assert_eq!(answer.status, status, "{length}: {}", written(range));
                assert!(status == 416 || answer.body == bytes, "{length}: {}", written(range));
            }
            assert!(ask(&service, get("/a")).await.body == object.body, "{length} {first}");
            origin.asked();
            assert!(ask(&service, get("/a")).await.body == object.body, "{length} {first}");
            assert_eq!(origin.asked(), 0, "{length} {first}: all of it is kept");
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    Read { object: usize, range: (Option<u64>, Option<u64>) },
    Head { object: usize },
    Change { object: usize, length: usize },
    Advance,
}

const OBJECTS: usize = 12;

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let at = || prop::option::weighted(0.8, 0_u64..320_000);
    let ordered = |(a, b): (Option<u64>, Option<u64>)| match (a, b) {
        (Some(a), Some(b)) if a > b => (Some(b), Some(a)),
        (None, Some(b)) => (None, Some(b % 9000)),
        other => other,
    };
    let step = prop_oneof![
        12 => (0..OBJECTS, (at(), at()).prop_map(ordered)).prop_map(|(object, range)| Step::Read { object, range }),
        4 => (0..OBJECTS).prop_map(|object| Step::Read { object, range: (None, None) }),
        1 => (0..OBJECTS).prop_map(|object| Step::Head { object }),
        2 => (0..OBJECTS, 0_usize..300_000).prop_map(|(object, length)| Step::Change { object, length }),
        1 => Just(Step::Advance),
    ];
    prop::collection::vec(step, 1..60)
}

/// Against the plain bytes, in a cache that has no room for all of them.
#[test]
fn any_reads_in_any_order_are_right() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut runner =
        TestRunner::new(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() });
    let result = runner.run(&steps(), |steps| runtime.block_on(take(steps)));
    result.unwrap_or_else(|why| panic!("{why}"));
}

async fn take(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let origin = Origin::start().await;
    let builder = Cache::builder(MIB).block_size(BLOCK).max_object(250_000);
    let (service, cache) = origin.cached_by(builder, |mount| mount);
    let mut objects = Vec::new();
    let new = |length: usize, seed: u64| Object::new(noise(length, seed)).with("cache-control", "no-cache");
    for (n, seed) in (0..OBJECTS).zip(0..) {
        objects.push(new(n * 17_000, seed));
        origin.put(&n.to_string(), &objects[n]);
    }
    for (step, seed) in steps.iter().zip(100..) {
        match *step {
            Step::Read { object, range } => {
                let path = format!("/{object}");
                let (status, bytes) = expected(&objects[object].body, range);
                let answer = match range {
                    (None, None) => ask(&service, get(&path)).await,
                    range => part(&service, &path, &written(range)).await,
                };
                prop_assert_eq!(answer.status.as_u16(), status, "{:?}: {:?}", step, answer.error);
                prop_assert!(status == 416 || answer.body == bytes, "{:?}", step);
            }
            Step::Head { object } => {
                let answer = ask(&service, request("HEAD", &format!("/{object}"), &[])).await;
                prop_assert_eq!(answer.header("etag"), objects[object].tag());
                let length = objects[object].body.len().to_string();
                prop_assert_eq!(answer.header("content-length"), length);
            }
            Step::Change { object, length } => {
                objects[object] = new(length, seed);
                origin.put(&object.to_string(), &objects[object]);
            }
            Step::Advance => origin.clock.advance(30),
        }
        let snapshot = cache.snapshot();
        prop_assert!(snapshot.bytes <= snapshot.capacity, "{:?}", snapshot);
    }
    Ok(())
}

#[tokio::test]
async fn of_an_object_that_is_too_large_the_head_is_kept() {
    let origin = Origin::start().await;
    let object = Object::new(noise(300_000, 1)).with("cache-control", "max-age=60");
    origin.put("a", &object);
    let (service, cache) = origin.cached_by(Cache::builder(MIB).max_object(299_999), |mount| mount);
    let first = ask(&service, get("/a")).await;
    assert!(first.body == object.body);
    assert!(first.header("cache-status").contains("detail="), "{}", first.header("cache-status"));
    assert_eq!(origin.asked(), 1);
    for (method, fields, status, asked) in [
        ("HEAD", &[][..], 200, 0),
        ("GET", &[("if-none-match", object.tag())], 304, 0),
        ("GET", &[("if-match", "\"x\"")], 412, 0),
        ("GET", &[("range", "bytes=300000-")], 416, 0),
        ("GET", &[], 200, 1),
        ("GET", &[("range", "bytes=150000-150009")], 206, 1),
        ("GET", &[("range", "bytes=-10")], 206, 1),
    ] {
        let answer = ask(&service, request(method, "/a", fields)).await;
        assert_eq!((answer.status.as_u16(), origin.asked()), (status, asked), "{method} {fields:?}");
    }
    assert_eq!(part(&service, "/a", "bytes=150000-150009").await.body, object.body.slice(150_000..150_010));
    assert!(cache.snapshot().bytes < 10_000, "{:?}", cache.snapshot());
    assert_eq!(cache.snapshot().entries, 1);
    // It becomes small.
    let small = Object::new("text").with("cache-control", "max-age=60");
    origin.put("a", &small);
    let answer = ask(&service, get("/a")).await;
    assert_eq!((answer.text(), answer.header("etag")), ("text", small.tag()));
    // The first read of all may be of a part.
    origin.put("b", &object);
    let answer = part(&service, "/b", "bytes=150000-150009").await;
    assert_eq!((answer.status.as_u16(), answer.body), (206, object.body.slice(150_000..150_010)));
}

#[tokio::test]
async fn the_budget_holds_under_any_mix() {
    let origin = Origin::start().await;
    let (service, cache) = origin.cached_by(Cache::builder(4 * MIB), |mount| mount);
    let mut random = fastrand::Rng::with_seed(1);
    let bytes = noise(1_000_000, 1);
    for n in 0..1500_u32 {
        let most = [10, 1000, 20_000, 1_000_000][random.usize(..4)];
        let length = random.usize(..most);
        let path = format!("objects/{n:0width$}", width = random.usize(1..200));
        origin.put(&path, &Object::new(bytes.slice(..length)).with("cache-control", "max-age=60"));
        let path = format!("/{path}");
        let answer = match random.u32(..4) {
            0 => part(&service, &path, "bytes=0-9").await,
            1 => ask(&service, get(&format!("{path}-missing"))).await,
            _ => ask(&service, get(&path)).await,
        };
        assert!(matches!(answer.status.as_u16(), 200 | 206 | 404 | 416), "{}", answer.status);
        let snapshot = cache.snapshot();
        assert!(snapshot.bytes <= snapshot.capacity, "{snapshot:?}");
    }
    assert!(cache.snapshot().evicted > 0);
}

/// What was left to it while it arrived is no longer.
#[tokio::test]
async fn one_read_after_the_other_fills_all_of_the_cache() {
    let origin = Origin::start().await;
    let (service, cache) = origin.cached_by(Cache::builder(4 * MIB), |mount| mount);
    for (n, seed) in (0..12).zip(1..) {
        let object = Object::new(noise(1_000_000, seed)).with("cache-control", "max-age=60");
        origin.put(&format!("{n}"), &object);
        assert!(ask(&service, get(&format!("/{n}"))).await.body == object.body);
    }
    eventually("it is full", || cache.snapshot().bytes > 7 * MIB / 2).await;
}

/// What is on its way is not the cache's to evict, so there is a limit to it.
#[tokio::test]
async fn no_more_is_on_its_way_than_the_cache_may_hold() {
    let origin = Origin::start().await;
    let body = noise(1_000_000, 7);
    let object = Object::new(body.clone()).with("cache-control", "max-age=60");
    (0..8).for_each(|n| origin.put(&format!("{n}"), &object));
    let builder = Cache::builder(4 * MIB).max_object(2 * MIB);
    let (service, cache) = origin.cached_by(builder, |mount| mount);
    let gate = origin.gate(1000);
    let mut answers = Vec::new();
    for n in 0..8 {
        let answer = service.clone().oneshot(get(&format!("/{n}"))).await.unwrap();
        assert_eq!(answer.status(), 200, "{n}");
        answers.push(answer);
    }
    let passed = |answer: &http::Response<_>| {
        answer.headers()["cache-status"].to_str().unwrap().contains("detail=no-room")
    };
    let all_passed = answers.iter().filter(|answer| passed(answer)).count();
    assert!((4..8).contains(&all_passed), "{all_passed} of eight were not taken into memory");
    gate.open();
    for answer in answers {
        assert_eq!(Answer::read(answer).await.body, body);
    }
    // There is room again, as soon as the last read has ended.
    for _ in 0..100 {
        let answer = ask(&service, get("/7")).await;
        assert_eq!(answer.body, body);
        if answer.header("cache-status").contains("hit") {
            return;
        }
    }
    panic!("never kept: {:?}", cache.snapshot());
}

/// However much is on its way: who asks for the same waits for the same.
#[tokio::test]
async fn requests_beside_a_cache_full_of_arrivals_share_a_read() {
    let origin = Origin::start().await;
    let large = Object::new(noise(2 * 1024 * 1024, 1)).with("cache-control", "max-age=60");
    let small = Object::new(noise(3000, 2)).with("cache-control", "max-age=60");
    let middle = Object::new(noise(1_500_000, 3)).with("cache-control", "max-age=60");
    for (key, object) in [("large", &large), ("small", &small), ("middle", &middle)] {
        origin.put(key, object);
    }
    let builder = Cache::builder(4 * MIB).max_object(2 * MIB);
    let (service, _cache) = origin.cached_by(builder, |mount| mount);
    let gate = origin.gate(1000);
    let arriving = service.clone().oneshot(get("/large")).await.unwrap();
    origin.asked();
    let ask_all = |path: &'static str| {
        let asking = (0..50).map(|_| tokio::spawn(service.clone().oneshot(get(path)))).collect::<Vec<_>>();
        async move {
            let mut answers = Vec::new();
            for asked in asking {
                answers.push(asked.await.unwrap().unwrap());
            }
            answers
        }
    };
    let answers = ask_all("/small").await;
    assert_eq!(origin.asked(), 1, "fifty clients of one object");
    gate.open();
    for answer in answers {
        assert_eq!(Answer::read(answer).await.body, small.body);
    }
    assert_eq!(Answer::read(arriving).await.body, large.body);
}

/// What the store has is no longer on its way, though clients are slow to take it.
#[tokio::test]
async fn slow_clients_of_finished_reads_keep_nobody_out() {
    let origin = Origin::start().await;
    let body = noise(900_000, 7);
    let object = Object::new(body.clone()).with("cache-control", "max-age=60");
    (0..9).for_each(|n| origin.put(&format!("{n}"), &object));
    let builder = Cache::builder(4 * MIB).max_object(2 * MIB);
    let (service, cache) = origin.cached_by(builder, |mount| mount);
    let mut slow = Vec::new();
    for n in 0..9_u64 {
        let answer = service.clone().oneshot(get(&format!("/{n}"))).await.unwrap();
        let status = answer.headers()["cache-status"].to_str().unwrap().to_owned();
        assert!(status.contains("stored") && !status.contains("no-room"), "{n}: {status}");
        slow.push(answer);
        eventually("it is read", || cache.snapshot().bytes_fetched == (n + 1) * 900_000).await;
        origin.until(|origin| origin.open() == 0).await;
    }
    // Some of it was evicted meanwhile: S3 is asked for that again.
    for answer in slow {
        assert!(Answer::read(answer).await.body == body);
    }
}

/// A client holds a block at a time. What is evicted, or purged, while it reads is asked for again, of the same state.
#[tokio::test]
async fn a_body_takes_its_blocks_as_it_is_read() {
    let origin = Origin::start().await;
    let object = Object::new(noise(1_000_000, 1)).with("cache-control", "max-age=60");
    origin.put("a", &object);
    let (service, cache) = origin.cached();
    assert!(ask(&service, get("/a")).await.body == object.body);
    eventually("it is kept", || cache.snapshot().entries == 9).await;
    origin.asked();
    for range in ["bytes=0-", "bytes=100-900000"] {
        let hit = service.clone().oneshot(request("GET", "/a", &[("range", range)])).await.unwrap();
        assert!(hit.headers()["cache-status"].to_str().unwrap().contains("hit"), "{range}");
        cache.purge(&PurgeTarget::Everything, PurgeMode::Hard);
        let (status, expected) = expected(&object.body, parsed(range));
        let answer = Answer::read(hit).await;
        assert!((answer.status.as_u16(), &answer.body) == (status, &expected), "{range}");
        let asked = origin.seen();
        assert!(!asked.is_empty(), "nothing was held");
        assert!(asked.iter().all(|asked| asked.fields["if-match"] == object.tag()), "{asked:?}");
        origin.asked();
        ask(&service, get("/a")).await;
        eventually("it is kept again", || cache.snapshot().entries == 9).await;
        origin.asked();
    }
}

#[tokio::test]
async fn several_ranges_hold_no_block_each() {
    let origin = Origin::start().await;
    let object = Object::new(noise(1_000_000, 1)).with("cache-control", "max-age=60");
    origin.put("a", &object);
    let (service, cache) = origin.cached();
    assert!(ask(&service, get("/a")).await.body == object.body);
    eventually("it is kept", || cache.snapshot().entries == 9).await;
    let ranges = [("range", "bytes=0-9,200000-200009,400000-400009,600000-600009")];
    let hit = service.clone().oneshot(request("GET", "/a", &ranges)).await.unwrap();
    cache.purge(&PurgeTarget::Everything, PurgeMode::Hard);
    origin.asked();
    let answer = Answer::read(hit).await;
    assert!(answer.header("cache-status").contains("hit"));
    for at in [0, 200_000, 400_000, 600_000] {
        let part = &object.body[at..at + 10];
        assert!(answer.body.windows(10).any(|bytes| bytes == part), "{at}");
    }
    assert!(origin.asked() > 0, "nothing was held");
}

fn parsed(range: &str) -> (Option<u64>, Option<u64>) {
    let (first, last) = range.strip_prefix("bytes=").unwrap().split_once('-').unwrap();
    (first.parse().ok(), last.parse().ok())
}

#[tokio::test]
async fn a_body_whose_object_changes_while_it_is_read_ends_in_an_error() {
    let origin = Origin::start().await;
    origin.put("a", &Object::new(noise(1_000_000, 1)).with("cache-control", "max-age=60"));
    let (service, cache) = origin.cached();
    ask(&service, get("/a")).await;
    eventually("it is kept", || cache.snapshot().entries == 9).await;
    let hit = service.clone().oneshot(get("/a")).await.unwrap();
    assert_eq!(hit.status(), 200);
    origin.put("a", &Object::new(noise(1_000_000, 2)));
    cache.purge(&PurgeTarget::Everything, PurgeMode::Hard);
    assert!(hit.into_body().collect().await.is_err());
}

#[tokio::test]
async fn what_comes_past_memory_is_not_passed_off_as_from_it() {
    let origin = Origin::start().await;
    let object =
        Object::new(noise(300_000, 1)).with("cache-control", "max-age=60").with("x-amz-meta-mark", "m");
    origin.put("a", &object);
    let (service, cache) = origin.cached_by(Cache::builder(MIB).max_object(299_999), |mount| {
        mount.metadata_header("x-amz-meta-mark", "x-mark")
    });
    let past = "tower-s3-proxy; fwd=miss; detail=no-room";
    let asking = [("cache-control", "no-cache")];
    for (method, fields, age, says) in [
        ("GET", &[][..], "", "tower-s3-proxy; fwd=uri-miss; detail=no-room"),
        ("GET", &[], "", past),
        ("GET", &[("range", "bytes=0-9")], "", past),
        ("HEAD", &[], "30", "tower-s3-proxy; hit; ttl=30"),
        ("HEAD", &asking, "0", "tower-s3-proxy; fwd=request; stored; ttl=60"),
        (
            "GET",
            &[("if-none-match", object.tag()), asking[0]],
            "0",
            "tower-s3-proxy; fwd=request; stored; ttl=60",
        ),
    ] {
        let answer = ask(&service, request(method, "/a", fields)).await;
        let row = format!("{method} {fields:?}");
        assert_eq!((answer.header("age"), answer.header("cache-status")), (age, says), "{row}");
        assert_eq!(answer.header("x-mark"), "m", "{row}");
        if says == past {
            origin.clock.advance(15);
        }
    }
    assert_eq!(cache.snapshot().bytes_served, 0);
}
