//! Responses that have begun, on a mount with as many requests in flight to S3 as there can be.

use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http_body_util::BodyExt;
use tokio::{task::JoinHandle, time::timeout};
use tower::ServiceExt;
use tower_s3_proxy::{
    Cache, MountBuilder, ProxyErrorKind, S3Proxy,
    cache::{PurgeMode, PurgeTarget},
    error::BoxError,
};

use super::origin::{HANG, MIB, Object, Origin, eventually, noise};
use crate::support::{Answer, ask, get, is_cached, proxy, request};

/// Longer than what is turned away waits.
const MOMENT: Duration = Duration::from_millis(100);

type Reading = JoinHandle<Result<Bytes, BoxError>>;

/// One request at a time, and one that waits.
fn narrow(mount: MountBuilder) -> MountBuilder {
    mount.max_in_flight(1).max_queued(1).queue_timeout(HANG)
}

fn read<B>(response: Response<B>) -> Reading
where
    B: http_body::Body<Data = Bytes, Error = BoxError> + Send + Unpin + 'static,
{
    assert!(response.status().is_success());
    let body = response.into_body();
    tokio::spawn(async move { Ok(body.collect().await?.to_bytes()) })
}

async fn whole(reading: Reading) -> Bytes {
    timeout(HANG, reading).await.expect("no hang").unwrap().expect("it does not break off")
}

/// Sends requests until one is turned away; those that are not.
async fn crowd(service: &S3Proxy) -> Vec<JoinHandle<Answer>> {
    let mut waiting = Vec::new();
    while waiting.len() < 20 {
        let (service, path) = (service.clone(), format!("/crowd-{}", waiting.len()));
        let mut asking = tokio::spawn(async move { ask(&service, get(&path)).await });
        match timeout(MOMENT, &mut asking).await {
            Ok(answer) => {
                assert_eq!(answer.unwrap().kind(), Some(ProxyErrorKind::Overloaded));
                return waiting;
            }
            Err(_) => waiting.push(asking),
        }
    }
    panic!("nobody is turned away");
}

fn asked_by_crowd(origin: &Origin) -> bool {
    origin.seen().iter().all(|asked| asked.path.contains("/crowd-"))
}

/// A cached response whose blocks are gone, at a full mount.
async fn evicted() -> (Origin, Object, S3Proxy, Response<impl http_body::Body<Data = Bytes, Error = BoxError>>)
{
    let origin = Origin::start().await;
    let object = Object::new(noise(300_000, 1)).with("cache-control", "max-age=60");
    origin.put("a", &object);
    let (service, cache) = origin.cached_by(Cache::builder(8 * MIB), narrow);
    assert!(ask(&service, get("/a")).await.body == object.body);
    eventually("it is kept", || cache.snapshot().entries == 4).await;
    let hit = service.clone().oneshot(get("/a")).await.unwrap();
    cache.purge(&PurgeTarget::Everything, PurgeMode::Hard);
    origin.asked();
    (origin, object, service, hit)
}

#[tokio::test]
async fn a_cached_body_waits_for_its_turn_to_ask_for_what_was_evicted() {
    let (origin, object, service, hit) = evicted().await;
    let hold = origin.hold();
    let crowd = crowd(&service).await;
    assert_eq!(crowd.len(), 2, "one in flight, one that waits");
    let mut reading = read(hit);
    assert!(timeout(MOMENT, &mut reading).await.is_err(), "it waits");
    assert!(asked_by_crowd(&origin), "one request at a time");
    drop(hold);
    assert!(whole(reading).await == object.body);
    for waiting in crowd {
        assert_eq!(waiting.await.unwrap().status, 404);
    }
}

#[tokio::test]
async fn a_client_that_hangs_up_leaves_no_request_that_waits_for_its_turn() {
    let (origin, _, service, hit) = evicted().await;
    let hold = origin.hold();
    let crowd = crowd(&service).await;
    let mut reading = read(hit);
    assert!(timeout(MOMENT, &mut reading).await.is_err(), "it waits");
    reading.abort();
    assert!(reading.await.unwrap_err().is_cancelled());
    drop(hold);
    for waiting in crowd {
        assert_eq!(waiting.await.unwrap().status, 404);
    }
    // Whoever waited before this one has been served.
    assert_eq!(ask(&service, get("/crowd-last")).await.status, 404);
    assert!(asked_by_crowd(&origin), "{:?}", origin.seen());
}

#[tokio::test]
async fn a_cached_body_waits_for_its_turn_to_ask_for_its_next_window() {
    let origin = Origin::start().await;
    let large = Object::new(noise(2 << 20, 1)).with("cache-control", "max-age=60");
    let object = Object::new(noise(1_700_000, 2)).with("cache-control", "max-age=60");
    origin.put("large", &large);
    origin.put("a", &object);
    let cache = Cache::builder(8 * MIB).build().unwrap();
    // What arrives over another mount leaves room for a window only.
    let gate = origin.gate(1000);
    let other = proxy(origin.mount().cache(&cache));
    let arriving = read(other.oneshot(get("/large")).await.unwrap());
    let _open = origin.gate(u64::MAX);
    let service = proxy(narrow(origin.mount()).cache(&cache));
    assert_eq!(ask(&service, request("HEAD", "/a", &[])).await.status, 200);
    let response = service.clone().oneshot(get("/a")).await.unwrap();
    eventually("the first window is here", || cache.snapshot().bytes_fetched == MIB + 1000).await;
    origin.asked();
    let hold = origin.hold();
    let crowd = crowd(&service).await;
    let mut reading = read(response);
    assert!(timeout(MOMENT, &mut reading).await.is_err(), "it waits");
    assert!(asked_by_crowd(&origin), "one request at a time");
    drop(hold);
    assert!(whole(reading).await == object.body);
    gate.open();
    assert!(whole(arriving).await == large.body);
    for waiting in crowd {
        assert_eq!(waiting.await.unwrap().status, 404);
    }
}

#[tokio::test]
async fn a_multipart_body_waits_for_its_turn_to_ask_for_its_next_parts() {
    // A cache reads the first part to its end, whoever takes it.
    if is_cached() {
        return;
    }
    let origin = Origin::start().await;
    let object = Object::new(noise(1_000_000, 1));
    origin.put("a", &object);
    let service = proxy(narrow(origin.mount()));
    // The first is so large that the others are not asked for before it is read.
    let ranges = [("range", "bytes=0-499999,700000-700009,900000-900009")];
    let response = service.clone().oneshot(request("GET", "/a", &ranges)).await.unwrap();
    assert_eq!(response.status(), 206);
    origin.asked();
    let hold = origin.hold();
    let crowd = crowd(&service).await;
    assert_eq!(crowd.len(), 1, "the first part is in flight");
    let mut reading = read(response);
    assert!(timeout(MOMENT, &mut reading).await.is_err(), "it waits");
    assert!(asked_by_crowd(&origin), "one request at a time");
    drop(hold);
    let body = whole(reading).await;
    for part in [&object.body[700_000..700_010], &object.body[900_000..900_010]] {
        assert!(body.windows(10).any(|bytes| bytes == part));
    }
    assert_eq!(crowd.into_iter().next().unwrap().await.unwrap().status, 404);
}

/// What is asked of S3 at once, and the response begins with the first of it.
#[tokio::test]
async fn a_body_with_several_holes_is_served_by_one_request_at_a_time() {
    let origin = Origin::start().await;
    let object = Object::new(noise(640 * 1024, 1)).with("cache-control", "max-age=60");
    origin.put("a", &object);
    let (service, cache) =
        origin.cached_by(Cache::builder(8 * MIB), |mount| mount.max_in_flight(1).max_queued(0));
    for (entries, range) in [(2, "bytes=131072-262143"), (3, "bytes=393216-524287")] {
        assert_eq!(ask(&service, request("GET", "/a", &[("range", range)])).await.status, 206);
        eventually("it is kept", || cache.snapshot().entries == entries).await;
    }
    origin.asked();
    let reading = read(service.clone().oneshot(get("/a")).await.unwrap());
    assert!(whole(reading).await == object.body);
    assert_eq!(origin.asked(), 3, "one for each hole");
}
