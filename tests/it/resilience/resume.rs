//! Bodies that S3 breaks off.

use std::{sync::Mutex, time::Duration};

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use tokio::time::timeout;
use tower::ServiceExt;
use tower_s3_proxy::{MountBuilder, S3Proxy, Transport};

use super::origin::{BREAKS, Break, Fate, Faulty, field, noise};
use crate::support::{Client, Protocol, ask, get, is_cached, once, proxy, request, serve};

const HANG: Duration = Duration::from_secs(60);
const MIB: usize = 1024 * 1024;

/// A short limit for silence.
fn hasty(mount: MountBuilder) -> MountBuilder {
    mount.transport(&Transport::builder().read_timeout(Duration::from_millis(200)).build().unwrap())
}

/// Breaks two reads of three at random, never three in a row.
async fn breaking(object: &Bytes, how: Option<Break>, seed: u64) -> Faulty {
    let rng = Mutex::new(fastrand::Rng::with_seed(seed));
    let total = object.len() as u64;
    Faulty::start(object.clone(), move |number, _| {
        let mut rng = rng.lock().unwrap();
        let how = how.unwrap_or_else(|| rng.choice(BREAKS).unwrap());
        if number % 3 < 2 { Fate::Broken(rng.u64(0..total), how) } else { Fate::Served }
    })
    .await
}

/// Reads of an object that break off at random: whole and in part, over HTTP/1 and 2.
async fn are_all_whole(object: Bytes, reads: usize, how: Option<Break>) {
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let origin = breaking(&object, how, 7).await;
        let server = serve(protocol, proxy(hasty(origin.mount()))).await;
        let mut client = Client::connect(protocol, server.addr).await;
        let mut rng = fastrand::Rng::with_seed(11);
        for number in 0..reads {
            let first = rng.usize(0..object.len());
            let last = rng.usize(first..object.len());
            let range = format!("bytes={first}-{last}");
            let (fields, expected) = match number % 3 {
                0 => (vec![("range", &*range)], object.slice(first..=last)),
                _ => (vec![], object.clone()),
            };
            // Another key each time, so that a cache must ask.
            let answer = timeout(HANG, client.ask(request("GET", &format!("/{number}"), &fields)))
                .await
                .expect("no hang");
            assert!(
                answer.status.is_success(),
                "{how:?} {protocol:?} {number} {fields:?}: {}",
                answer.status
            );
            assert!(answer.body == expected, "{how:?} {protocol:?} {number}: the bytes of the object");
        }
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_goes_on_and_nobody_notices() {
    for how in BREAKS {
        let reads = if how == Break::Silence { 6 } else { 30 };
        are_all_whole(noise(3 * MIB / 2, 1), reads, Some(how)).await;
    }
}

/// `cargo test --release --test it resilience -- --ignored`
#[tokio::test]
#[ignore = "it takes minutes"]
async fn a_thousand_reads_of_25_mb_are_whole() {
    for how in BREAKS {
        are_all_whole(noise(25_000_000, 1), 500, Some(how)).await;
    }
}

#[tokio::test]
async fn the_rest_is_asked_for_by_range_and_if_match() {
    let object = noise(MIB, 2);
    let origin = Faulty::start(object.clone(), |number, _| match number {
        0 => Fate::Broken(300_000, Break::Fin),
        1 => Fate::Broken(300_000, Break::Short),
        _ => Fate::Served,
    })
    .await;
    let mount = origin.mount().build().unwrap();
    assert!(read(&S3Proxy::new(mount.clone()), get("/a")).await.unwrap() == object);
    let asked = origin.asked();
    let fields = |name| asked.iter().map(|head| field(head, name)).collect::<Vec<_>>();
    let last = MIB - 1;
    let (second, third) = (format!("bytes=300000-{last}"), format!("bytes=600000-{last}"));
    assert_eq!(fields("range")[1..], [Some(&*second), Some(&*third)]);
    assert_eq!(fields("if-match")[1..], [Some("\"v1\""); 2]);
    let counts = mount.origin();
    assert_eq!((counts.resumed, counts.broken, counts.retried), (2, 0, 0));
}

/// A state is never mixed with another: the client's connection ends instead.
#[tokio::test]
async fn an_object_that_changed_meanwhile_breaks_the_response_off() {
    for how in BREAKS {
        for refuses in [true, false] {
            let object = noise(MIB, 3);
            let origin = Faulty::start(object.clone(), move |number, _| match number {
                0 => Fate::Broken(500_000, how),
                // A server that does not know `If-Match` sends the new state.
                _ if refuses => Fate::Served,
                _ => Fate::IgnoresIfMatch,
            })
            .await;
            let mount = hasty(origin.mount()).build().unwrap();
            let service = S3Proxy::new(mount.clone());
            let response = service.clone().oneshot(get("/a")).await.unwrap();
            assert_eq!(response.status(), StatusCode::OK);
            origin.put(noise(MIB, 4));
            let mut body = response.into_body();
            let mut received = Vec::new();
            let error = loop {
                match timeout(HANG, body.frame()).await.expect("no hang") {
                    Some(Ok(frame)) => received.extend_from_slice(&frame.into_data().unwrap()),
                    Some(Err(error)) => break error,
                    None => panic!("{how:?}: a clean end after {} bytes", received.len()),
                }
            };
            assert!(object.starts_with(&received), "{how:?}: nothing of the other state");
            let error = error.to_string();
            assert!(is_cached() || error == "the storage gave no usable response", "{error}");
            assert_eq!(mount.origin().broken, 1);
            // Nothing of it is left in a cache.
            assert!(read(&service, get("/a")).await.unwrap() == noise(MIB, 4), "{how:?}");
        }
    }
}

#[tokio::test]
async fn beyond_the_budget_a_body_ends_in_an_error_and_is_not_kept() {
    for protocol in [Protocol::Http1, Protocol::Http2] {
        for how in BREAKS {
            let object = noise(MIB, 5);
            let origin = Faulty::start(object.clone(), move |number, _| match number {
                // Each read brings a little.
                0..6 => Fate::Broken(1000, how),
                _ => Fate::Served,
            })
            .await;
            let mount = hasty(origin.mount()).build().unwrap();
            let server = serve(protocol, S3Proxy::new(mount.clone())).await;
            let mut client = Client::connect(protocol, server.addr).await;
            let response = client.send(get("/a")).await.unwrap();
            let ended = timeout(HANG, response.into_body().collect()).await.expect("no hang");
            assert!(ended.is_err(), "{protocol:?} {how:?}: never a clean end");
            assert_eq!((mount.origin().resumed, mount.origin().broken), (5, 1), "{protocol:?} {how:?}");
            let mut client = Client::connect(protocol, server.addr).await;
            assert!(client.ask(get("/a")).await.body == object);
            assert_eq!(origin.asked().len(), 7, "{protocol:?} {how:?}: it was not kept");
        }
    }
}

#[tokio::test]
async fn a_large_body_can_break_off_any_number_of_times() {
    let object = noise(24 * MIB, 6);
    let origin = Faulty::start(object.clone(), |number, _| match number {
        // A cache reads in windows.
        _ if number < 20 => Fate::Broken(1024 * 1024 + 7, Break::Fin),
        _ => Fate::Served,
    })
    .await;
    assert!(read(&proxy(origin.mount()), get("/a")).await.unwrap() == object);
}

#[tokio::test]
async fn without_retries_a_body_ends_where_it_broke_off() {
    let origin = Faulty::start(noise(MIB, 7), |_, _| Fate::Broken(500_000, Break::Fin)).await;
    let error = read(&proxy(once(origin.mount())), get("/a")).await.unwrap_err();
    assert!(error.contains("usable") || is_cached(), "{error}");
    assert!(is_cached() || origin.asked().len() == 1);
}

/// Parts of a multipart response go on like any other.
#[tokio::test]
async fn the_parts_of_a_multipart_response_go_on() {
    let object = noise(4 * MIB, 8);
    let origin = Faulty::start(object.clone(), |number, head| {
        let is_head = head.starts_with("HEAD");
        if number % 2 == 1 && !is_head { Fate::Broken(50_000, Break::Fin) } else { Fate::Served }
    })
    .await;
    let service = proxy(origin.mount());
    let ranges = [(0, 99_999), (1_000_000, 1_199_999), (3_000_000, 3_099_999)];
    let field = "bytes=0-99999,1000000-1199999,3000000-3099999";
    let body = read(&service, request("GET", "/a", &[("range", field)])).await.unwrap();
    for (first, last) in ranges {
        let part = &object[first..=last];
        assert!(
            body.windows(part.len()).step_by(1).any(|window| window[..64] == part[..64] && window == part)
        );
    }
}

/// CASES: a server that knows no `If-Match` and says so. The tag of its response tells as much.
#[tokio::test]
async fn a_server_that_refuses_if_match_is_asked_without_it() {
    let object = noise(MIB, 9);
    let origin = Faulty::start(object.clone(), |number, head| match number {
        1 if !head.starts_with("HEAD") => Fate::Broken(300_000, Break::Fin),
        _ => Fate::NoIfMatch,
    })
    .await;
    let service = proxy(origin.mount());
    assert_eq!(ask(&service, request("HEAD", "/a", &[])).await.status, StatusCode::OK);
    assert!(read(&service, get("/a")).await.unwrap() == object);
    let part = ask(&service, request("GET", "/a", &[("range", "bytes=5-9")])).await;
    assert_eq!((part.status, &*part.body), (StatusCode::PARTIAL_CONTENT, &object[5..=9]));
    let parts = ask(&service, request("GET", "/b", &[("range", "bytes=0-9,500000-500009")])).await;
    assert_eq!(parts.status, StatusCode::PARTIAL_CONTENT);
    let refused = origin.asked().iter().filter(|head| field(head, "if-match").is_some()).count();
    // A cache asks for two windows at once.
    assert!(refused == 1 || is_cached() && refused <= 2, "{refused}: it is asked so once");
}

async fn read(service: &S3Proxy, request: Request<Empty<Bytes>>) -> Result<Bytes, String> {
    let response = service.clone().oneshot(request).await.unwrap();
    assert!(response.status().is_success(), "{}", response.status());
    let read = timeout(HANG, response.into_body().collect()).await.expect("no hang");
    read.map(|body| body.to_bytes()).map_err(|why| why.to_string())
}
