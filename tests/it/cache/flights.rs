//! Many clients that want the same object at the same time.

use std::{
    future::{Future, poll_fn},
    sync::atomic::{AtomicUsize, Ordering},
    task::Poll,
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::Response;
use http_body_util::BodyExt;
use tokio::{task::JoinSet, time::timeout};
use tower::ServiceExt;
use tower_s3_proxy::{
    Cache, S3Proxy, Transport,
    cache::{PurgeMode, PurgeTarget},
    service::ResponseBody,
};

use super::origin::{Fault, HANG, MIB, Object, Origin, eventually, noise};
use crate::support::{ask, get, once, request};

const LARGE: usize = 16 * 1024 * 1024;

type Body = ResponseBody<http_body_util::Empty<Bytes>>;

async fn begin(service: &S3Proxy) -> Response<Body> {
    timeout(HANG, service.clone().oneshot(get("/a"))).await.expect("the head comes").unwrap()
}

/// Reads until so many bytes are there.
async fn read_up_to(body: &mut Body, length: usize) -> Bytes {
    let mut read = BytesMut::new();
    while read.len() < length {
        let frame = timeout(HANG, body.frame()).await.expect("a frame comes").expect("no end").unwrap();
        read.extend_from_slice(&frame.into_data().unwrap());
    }
    read.freeze()
}

async fn rest(body: Body) -> Bytes {
    timeout(HANG, body.collect()).await.expect("the end comes").unwrap().to_bytes()
}

async fn large_at(gate: u64) -> (Origin, Object, super::origin::Gate) {
    let origin = Origin::start().await;
    let object = Object::new(noise(LARGE, 1)).with("cache-control", "max-age=60");
    origin.put("a", &object);
    let gate = origin.gate(gate);
    (origin, object, gate)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_misses_are_one_read() {
    let (origin, object, gate) = large_at(0).await;
    let (service, cache) = origin.cached();
    let mut readers = JoinSet::new();
    for _ in 0..1000 {
        let (service, expected) = (service.clone(), object.body.clone());
        readers.spawn(async move {
            // Compared as it comes: a thousand copies would be too much.
            let response = begin(&service).await;
            let (mut body, mut at) = (response.into_body(), 0);
            while let Some(frame) = timeout(HANG, body.frame()).await.expect("a frame comes") {
                let data = frame.unwrap().into_data().unwrap();
                assert!(expected[at..].starts_with(&data), "wrong bytes at {at}");
                at += data.len();
            }
            assert_eq!(at, LARGE);
        });
    }
    eventually("all wait", || cache.snapshot().coalesced >= 999).await;
    gate.open();
    readers.join_all().await;
    assert_eq!(origin.seen().len(), 1, "{:?}", cache.snapshot());
    assert_eq!(cache.snapshot().coalesced, 999, "each once");
    assert_eq!(cache.snapshot().bytes_fetched, LARGE as u64);
    assert_eq!(begin(&service).await.headers()["cache-status"], "tower-s3-proxy; hit; ttl=60");
}

#[tokio::test]
async fn who_comes_late_gets_at_once_what_is_there() {
    let half = LARGE / 2;
    let (origin, object, gate) = large_at(half as u64).await;
    let (service, _) = origin.cached();
    let mut first = begin(&service).await.into_body();
    let head = read_up_to(&mut first, half).await;
    assert!(head == object.body[..half]);
    // A whole one, and a part of what is there already: that one even to its end.
    let mut late = begin(&service).await.into_body();
    assert!(read_up_to(&mut late, half).await == object.body[..half]);
    let part = ask(&service, request("GET", "/a", &[("range", "bytes=1000000-1999999")])).await;
    assert_eq!(part.status, 206);
    assert!(part.body == object.body[1_000_000..2_000_000]);
    gate.open();
    assert!(rest(first).await == object.body[half..]);
    assert!(rest(late).await == object.body[half..]);
    assert_eq!(origin.seen().len(), 1);
}

#[tokio::test]
async fn the_others_go_on_when_the_first_one_leaves() {
    let half = LARGE / 2;
    let (origin, object, gate) = large_at(half as u64).await;
    let (service, _) = origin.cached();
    let mut first = begin(&service).await.into_body();
    read_up_to(&mut first, half).await;
    let mut others = Vec::new();
    for _ in 0..20 {
        let mut other = begin(&service).await.into_body();
        read_up_to(&mut other, 1).await;
        others.push(other);
    }
    drop(first);
    gate.open();
    for other in others {
        assert!(rest(other).await.ends_with(&object.body[half..]));
    }
    assert_eq!(origin.seen().len(), 1);
    assert_eq!(origin.given_up(), 0);
}

/// The first one leaves before S3 has said anything.
#[tokio::test]
async fn the_question_is_handed_on_when_the_first_one_leaves() {
    let (origin, object, gate) = large_at(u64::MAX).await;
    let (service, cache) = origin.cached();
    let hold = origin.hold();
    let first = tokio::spawn(service.clone().oneshot(get("/a")));
    origin.until(|origin| origin.seen().len() == 1).await;
    let mut others = JoinSet::new();
    for _ in 0..20 {
        let (service, body) = (service.clone(), object.body.clone());
        others.spawn(async move { assert!(ask(&service, get("/a")).await.body == body) });
    }
    eventually("all wait", || cache.snapshot().coalesced == 20).await;
    first.abort();
    drop((hold, gate));
    timeout(HANG, others.join_all()).await.expect("all complete");
    assert_eq!(origin.seen().len(), 2);
}

#[tokio::test]
async fn a_read_that_nobody_wants_any_more_ends_and_leaves_nothing() {
    let half = LARGE / 2;
    let (origin, object, gate) = large_at(half as u64).await;
    let (service, cache) = origin.cached();
    let mut bodies = Vec::new();
    for _ in 0..5 {
        let mut body = begin(&service).await.into_body();
        read_up_to(&mut body, half).await;
        bodies.push(body);
    }
    assert_eq!(origin.given_up(), 0);
    drop(bodies);
    origin.until(|origin| origin.given_up() == 1).await;
    assert_eq!(origin.open(), 0);
    assert!(cache.snapshot().bytes < 10_000, "{:?}", cache.snapshot());
    gate.open();
    let answer = ask(&service, get("/a")).await;
    assert!(answer.body == object.body);
    assert_eq!(origin.asked(), 2);
}

#[tokio::test]
async fn a_read_that_is_nearly_done_is_finished_for_the_next_one() {
    let (origin, object, gate) = large_at((LARGE / 4 * 3) as u64).await;
    let (service, cache) = origin.cached();
    let mut body = begin(&service).await.into_body();
    read_up_to(&mut body, LARGE / 4 * 3).await;
    drop(body);
    gate.open();
    eventually("it is kept", || cache.snapshot().bytes >= LARGE as u64).await;
    assert_eq!(origin.asked(), 1);
    let answer = ask(&service, get("/a")).await;
    assert!(answer.body == object.body);
    assert!(answer.header("cache-status").contains("hit"));
    assert_eq!((origin.asked(), origin.given_up()), (0, 0));
}

/// Nearly done as it is: all who come would wait for it.
#[tokio::test]
async fn a_read_of_which_nothing_more_comes_is_an_error_and_read_anew() {
    for stays in [false, true] {
        let (origin, object, gate) = large_at((LARGE / 4 * 3) as u64).await;
        let limit = Duration::from_secs(1);
        let (service, _) = origin.cached_by(Cache::builder(64 * MIB), |mount| {
            once(mount).transport(&Transport::builder().read_timeout(limit).build().unwrap())
        });
        let mut body = begin(&service).await.into_body();
        read_up_to(&mut body, LARGE / 4 * 3).await;
        if stays {
            assert!(timeout(HANG, body.collect()).await.expect("it ends").is_err(), "never a clean end");
        } else {
            drop(body);
        }
        origin.until(|origin| origin.given_up() == 1).await;
        gate.open();
        assert!(rest(begin(&service).await.into_body()).await == object.body);
        assert_eq!(origin.asked(), 2);
    }
}

/// A client that got its part has not gone away.
#[tokio::test]
async fn the_block_of_a_part_is_read_to_its_end() {
    for (first, last, gate) in [(0, 9, 10), (131_072, 131_081, 1000), (100_000, 200_000, 200_001)] {
        let (origin, object, gate) = large_at(gate).await;
        let (service, cache) = origin.cached();
        let range = format!("bytes={first}-{last}");
        let part = || async { ask(&service, request("GET", "/a", &[("range", &range)])).await };
        assert!(part().await.body == object.body[first..=last], "{range}");
        gate.open();
        origin.until(|origin| origin.open() == 0).await;
        assert_eq!(origin.given_up(), 0, "{range}");
        eventually("it is kept", || cache.snapshot().entries >= 2).await;
        assert!(part().await.header("cache-status").contains("hit"), "{range}");
        assert_eq!(origin.seen().len(), 1, "{range}");
    }
}

#[tokio::test]
async fn one_who_does_not_read_holds_up_nobody() {
    let (origin, object, gate) = large_at(u64::MAX).await;
    let (service, _) = origin.cached();
    // The very one who began it.
    let stalled = begin(&service).await.into_body();
    for _ in 0..5 {
        assert!(rest(begin(&service).await.into_body()).await == object.body);
    }
    origin.until(|origin| origin.open() == 0).await;
    assert!(rest(stalled).await == object.body, "it goes on where it stood");
    assert_eq!(origin.seen().len(), 1);
    drop(gate);
}

/// A body that breaks off is an error for all who follow it, and nothing that anybody finds later.
#[tokio::test]
async fn what_breaks_off_is_not_kept() {
    let origin = Origin::start().await;
    for length in [1000, 200_000, 3_000_000] {
        let object = Object::new(noise(length, 2)).with("cache-control", "max-age=60");
        for after in [0, 1, length as u64 / 2, length as u64 - 1] {
            origin.put("a", &object);
            let (service, cache) = origin.cached_by(Cache::builder(64 * MIB), once);
            origin.fail(Fault::Cut(after));
            let broken = AtomicUsize::new(0);
            for _ in 0..2 {
                let Ok(response) = timeout(HANG, service.clone().oneshot(get("/a"))).await.unwrap();
                // Where it breaks off before the first byte, an error can still be said.
                let is_refused = response.status() == 502;
                let read = timeout(HANG, response.into_body().collect()).await.expect("an end comes");
                assert!(is_refused || read.is_err(), "{length} {after}: a clean end");
                broken.fetch_add(1, Ordering::Relaxed);
            }
            assert!(origin.asked() >= 2, "{length} {after}: each one asked");
            eventually("nothing is left", || cache.snapshot().entries == 0).await;
            origin.fail(None);
            assert!(ask(&service, get("/a")).await.body == object.body, "{length} {after}");
            assert_eq!(origin.asked(), 1);
            assert!(ask(&service, get("/a")).await.body == object.body);
            assert_eq!(origin.asked(), 0, "{length} {after}: now it is kept");
        }
    }
}

/// Hit-for-pass: what must not be kept is not waited for.
#[tokio::test]
async fn what_is_not_kept_is_read_side_by_side() {
    let origin = Origin::start().await;
    let object = Object::new(noise(100, 3)).with("cache-control", "no-store");
    origin.put("a", &object);
    let (service, _) = origin.cached();
    assert_eq!(ask(&service, get("/a")).await.status, 200);
    assert_eq!(origin.asked(), 1);
    let hold = origin.hold();
    let mut readers = JoinSet::new();
    for _ in 0..20 {
        let (service, body) = (service.clone(), object.body.clone());
        readers.spawn(async move { assert!(ask(&service, get("/a")).await.body == body) });
    }
    origin.until(|origin| origin.seen().len() == 20).await;
    drop(hold);
    timeout(HANG, readers.join_all()).await.expect("all complete");
}

/// What is kept is small enough to be kept beside the others: the budget is not exceeded by reads under way.
#[tokio::test]
async fn a_small_cache_serves_what_it_can_not_keep() {
    let origin = Origin::start().await;
    let object = Object::new(noise(900_000, 4)).with("cache-control", "max-age=60");
    let (service, cache) = origin.cached_by(Cache::builder(MIB).max_object(MIB).block_size(4096), |m| m);
    for n in 0..10 {
        origin.put(&format!("{n}"), &object);
    }
    for n in (0..10).chain(0..10) {
        assert!(ask(&service, get(&format!("/{n}"))).await.body == object.body);
        assert!(cache.snapshot().bytes <= cache.snapshot().capacity);
    }
}

/// RFC 9111 §5.2.1.4: what S3 was asked before the request came does not confirm anything to it.
#[tokio::test]
async fn a_client_that_wants_s3_asked_does_not_join_a_question_from_before() {
    let origin = Origin::start().await;
    origin.put("a", &Object::new("old").with("cache-control", "max-age=60"));
    let (service, _) = origin.cached();
    let anew = || request("GET", "/a", &[("cache-control", "no-cache")]);
    let hold = origin.hold();
    let early = tokio::spawn({
        let service = service.clone();
        async move { ask(&service, anew()).await }
    });
    origin.until(|origin| origin.seen().len() == 1).await;
    origin.put("a", &Object::new("new").with("cache-control", "max-age=60"));
    let mut late = JoinSet::new();
    for _ in 0..5 {
        let service = service.clone();
        let mut answer = Box::pin(async move { ask(&service, anew()).await });
        let is_waiting = poll_fn(|cx| Poll::Ready(answer.as_mut().poll(cx).is_pending())).await;
        assert!(is_waiting);
        late.spawn(answer);
    }
    drop(hold);
    assert_eq!(timeout(HANG, early).await.expect("it comes").unwrap().text(), "old");
    for answer in timeout(HANG, late.join_all()).await.expect("they come") {
        assert_eq!(answer.text(), "new");
    }
    assert_eq!(origin.seen().len(), 2, "and they join each other");
}

/// However the looks into memory, the turns and the ends of the reads fall: of bytes with their head, of one block, and
/// of several.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn misses_at_the_same_time_are_one_read_again_and_again() {
    let origin = Origin::start().await;
    let (service, cache) = origin.cached();
    for (round, length) in (0..1000).zip([100, 10_000, 100_000, 300_000].into_iter().cycle()) {
        let object = Object::new(noise(length, round)).with("cache-control", "max-age=60");
        origin.put("a", &object);
        let mut readers = JoinSet::new();
        for _ in 0..16 {
            let (service, body) = (service.clone(), object.body.clone());
            readers.spawn(async move { assert!(ask(&service, get("/a")).await.body == body) });
        }
        timeout(HANG, readers.join_all()).await.expect("all complete");
        let seen = origin.seen();
        assert_eq!(origin.asked(), 1, "{round}, {length}: {seen:?}");
        cache.purge(&PurgeTarget::Everything, PurgeMode::Hard);
    }
}

#[test]
fn a_read_whose_runtime_ends_is_waited_for_by_nobody() {
    let main = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let origin = main.block_on(Origin::start());
    let object = Object::new(noise(1_000_000, 1)).with("cache-control", "max-age=60");
    origin.put("a", &object);
    let (service, cache) = origin.cached();
    let gate = origin.gate(500_000);
    let other = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    other.block_on(async {
        let reading = tokio::spawn({
            let service = service.clone();
            async move { ask(&service, get("/a")).await }
        });
        eventually("half of it is there", || cache.snapshot().bytes_fetched == 500_000).await;
        drop(reading);
    });
    let late = main.spawn({
        let service = service.clone();
        async move { begin(&service).await.into_body().collect().await }
    });
    main.block_on(eventually("it joins", || cache.snapshot().coalesced == 1));
    drop(other);
    gate.open();
    main.block_on(async {
        assert!(timeout(HANG, late).await.expect("it ends").unwrap().is_err(), "never a clean end");
        assert!(rest(begin(&service).await.into_body()).await == object.body, "read anew");
    });
}
