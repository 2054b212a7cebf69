//! One key with two alternating states: no response mixes them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use tokio::{task::JoinSet, time::timeout};
use tower::ServiceExt;
use tower_s3_proxy::{
    Cache, S3Proxy,
    cache::{PurgeMode, PurgeTarget},
};

use super::origin::{HANG, MIB, Object, Origin};
use crate::support::request;

const LENGTH: usize = 700_000;

#[derive(Debug, Default)]
struct Tally {
    whole: AtomicUsize,
    parts: AtomicUsize,
    heads: AtomicUsize,
    broken: AtomicUsize,
    refused: AtomicUsize,
}

/// States that no byte has in common.
fn states(says: &str) -> [Object; 2] {
    [b'a', b'b'].map(|byte| Object::new(vec![byte; LENGTH]).with("cache-control", says))
}

async fn read(service: &S3Proxy, states: &[Object; 2], number: usize, tally: &Tally) {
    let (method, fields): (_, &[(&str, &str)]) = match number % 6 {
        0 | 1 => ("GET", &[]),
        2 => ("GET", &[("range", "bytes=100000-300000")]),
        3 => ("GET", &[("range", "bytes=-5000")]),
        4 => ("GET", &[("range", "bytes=0-99,200000-200099,699990-")]),
        _ => ("HEAD", &[]),
    };
    let response = timeout(HANG, service.clone().oneshot(request(method, "/a", fields))).await;
    let (head, mut body) = response.expect("no hang").unwrap().into_parts();
    let status = head.status.as_u16();
    if status == 502 {
        tally.refused.fetch_add(1, Ordering::Relaxed);
        return;
    }
    assert!(matches!(status, 200 | 206), "{status}");
    let tag = head.headers["etag"].to_str().unwrap();
    let state = states.iter().find(|state| state.tag() == tag).expect("a tag of one of the two");
    let mut read = BytesMut::new();
    loop {
        match timeout(HANG, body.frame()).await.expect("no hang") {
            Some(Ok(frame)) => read.extend_from_slice(&frame.into_data().unwrap()),
            Some(Err(_)) => {
                tally.broken.fetch_add(1, Ordering::Relaxed);
                break;
            }
            None => {
                let said: usize = head.headers["content-length"].to_str().unwrap().parse().unwrap();
                assert_eq!(read.len(), if method == "HEAD" { 0 } else { said }, "a torn body");
                let count = match (method, status) {
                    ("HEAD", _) => &tally.heads,
                    (_, 200) => &tally.whole,
                    _ => &tally.parts,
                };
                count.fetch_add(1, Ordering::Relaxed);
                break;
            }
        }
    }
    is_of(state, &head.headers["content-type"], &read.freeze());
}

fn is_of(state: &Object, content_type: &http::HeaderValue, read: &Bytes) {
    let other = if state.body.first() == Some(&b'a') { b'b' } else { b'a' };
    if !content_type.as_bytes().starts_with(b"multipart") {
        assert!(state.body.starts_with(read), "a mixed body");
        return;
    }
    // Between the heads of the parts stand runs of one letter.
    assert!(!read.windows(10).any(|window| window == [other; 10]), "a mixed body");
}

async fn flip_for(time: Duration, says: &str, cache: tower_s3_proxy::cache::CacheBuilder) {
    let origin = Arc::new(Origin::start().await);
    let states = Arc::new(states(says).map(|object| object.with("content-type", "text/plain")));
    origin.put("a", &states[0]);
    let (service, cache) = origin.cached_by(cache, |mount| mount);
    let (tally, is_over) = (Arc::new(Tally::default()), Arc::new(AtomicBool::new(false)));
    let mut readers = JoinSet::new();
    for reader in 0..50 {
        let (service, states) = (service.clone(), Arc::clone(&states));
        let (tally, is_over) = (Arc::clone(&tally), Arc::clone(&is_over));
        readers.spawn(async move {
            let mut number = reader;
            while !is_over.load(Ordering::Relaxed) {
                read(&service, &states, number, &tally).await;
                // A hit waits for nothing.
                tokio::task::yield_now().await;
                number += 1;
            }
        });
    }
    let begin = Instant::now();
    for flips in 1.. {
        if begin.elapsed() >= time {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        origin.put("a", &states[flips % 2]);
        match flips % 4 {
            0 => _ = cache.purge(&PurgeTarget::Everything, PurgeMode::Hard),
            1 => _ = cache.purge(&PurgeTarget::Everything, PurgeMode::Soft),
            _ => origin.clock.advance(1),
        }
    }
    is_over.store(true, Ordering::Relaxed);
    while let Some(reader) = timeout(HANG, readers.join_next()).await.expect("no hang") {
        reader.unwrap();
    }
    println!("{says}: {tally:?}, {:?}", cache.snapshot());
    for count in [&tally.whole, &tally.parts, &tally.heads] {
        assert!(count.load(Ordering::Relaxed) > 10, "{tally:?}");
    }
    // What is left is one of the two.
    origin.put("a", &states[0]);
    cache.purge(&PurgeTarget::Everything, PurgeMode::Hard);
    for _ in 0..2 {
        let answer = crate::support::ask(&service, crate::support::get("/a")).await;
        assert!(answer.body == states[0].body);
    }
    assert!(cache.snapshot().bytes <= cache.snapshot().capacity);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_states_that_take_turns_never_mix() {
    flip_for(Duration::from_millis(2500), "max-age=1", Cache::builder(64 * MIB)).await;
    flip_for(Duration::from_millis(1500), "no-cache", Cache::builder(64 * MIB).block_size(4096)).await;
    let swr = "max-age=0, stale-while-revalidate=60";
    flip_for(Duration::from_millis(1500), swr, Cache::builder(MIB).max_object(MIB).block_size(8192)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes a minute"]
async fn two_states_that_take_turns_for_a_minute_never_mix() {
    flip_for(Duration::from_secs(60), "max-age=1", Cache::builder(64 * MIB)).await;
}
