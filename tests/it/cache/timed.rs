//! Timings of many clients that want the same object: figures to look at, on an otherwise idle machine.
//!
//! ```text
//! cargo test --release --test it cache::timed -- --ignored --nocapture --test-threads 1
//! ```

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use tokio::{task::JoinSet, time::sleep};
use tower::ServiceExt;
use tower_s3_proxy::{
    S3Proxy,
    bucket::ObjectKey,
    cache::{PurgeMode, PurgeTarget},
};

use super::origin::{Gate, MIB, Object, Origin, eventually, noise};
use crate::support::{BUCKET, Client, Protocol, Server, ask, bucket, get, serve};

const LARGE: u64 = 16 * MIB;

/// With two equal objects.
async fn origin() -> Origin {
    let origin = Origin::start().await;
    let body = noise(usize::try_from(LARGE).unwrap(), 1);
    for key in ["kept", "coming"] {
        origin.put(key, &Object::new(body.clone()).with("cache-control", "max-age=600"));
    }
    origin
}

/// The service behind a socket.
async fn served(service: &S3Proxy) -> Server {
    let service = service.clone();
    let of =
        move |request: Request<Incoming>| service.clone().oneshot(request.map(|_| Empty::<Bytes>::new()));
    serve(Protocol::Http1, tower::service_fn(of)).await
}

/// From the request to the first byte of the body, on a connection of its own.
async fn first_byte(server: &Server, path: &str) -> Duration {
    let mut client = Client::connect(Protocol::Http1, server.addr).await;
    let begin = Instant::now();
    let mut response = client.send(get(path)).await.unwrap();
    let frame = response.body_mut().frame().await.unwrap().unwrap();
    assert!(!frame.into_data().unwrap().is_empty());
    begin.elapsed()
}

/// Opens a gate at a steady rate.
async fn let_through(gate: &Gate, from: u64, to: u64) {
    let begin = Instant::now();
    let mut open = from;
    while open < to {
        sleep(Duration::from_millis(1)).await;
        let since = u64::try_from(begin.elapsed().as_micros()).unwrap();
        open = to.min(from + since * RATE / 1_000_000);
        gate.move_to(open);
    }
}

/// In bytes per second.
const RATE: u64 = 64 * MIB;

fn sorted(mut times: Vec<Duration>) -> Vec<Duration> {
    times.sort_unstable();
    times
}

/// Who comes when half of an object has come, beside who asks for one that is in memory.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures time"]
async fn first_byte_to_who_comes_at_half_time() {
    let origin = origin().await;
    let (service, cache) = origin.cached();
    let server = served(&service).await;
    ask(&service, get("/kept")).await;
    let (mut joiners, mut hits) = (Vec::new(), Vec::new());
    for round in 0..30 {
        let gate = origin.gate(0);
        let first = tokio::spawn({
            let service = service.clone();
            async move { ask(&service, get("/coming")).await.body.len() }
        });
        let_through(&gate, 0, LARGE / 2).await;
        let ((), ()) = tokio::join!(let_through(&gate, LARGE / 2, LARGE), async {
            for n in 0..10 {
                if (round + n) % 2 == 0 {
                    joiners.push(first_byte(&server, "/coming").await);
                    hits.push(first_byte(&server, "/kept").await);
                } else {
                    hits.push(first_byte(&server, "/kept").await);
                    joiners.push(first_byte(&server, "/coming").await);
                }
            }
            assert!(!first.is_finished(), "all joined");
        });
        assert_eq!(first.await.unwrap() as u64, LARGE);
        assert_eq!(origin.asked(), if round == 0 { 2 } else { 1 });
        let (bucket, key) = (bucket(BUCKET), ObjectKey::new("coming").unwrap());
        cache.purge(&PurgeTarget::Object { bucket, key }, PurgeMode::Hard);
    }
    let (joiners, hits) = (sorted(joiners), sorted(hits));
    for (name, at) in [("median", 50), ("95th", 95)] {
        let (joiner, hit) = (joiners[joiners.len() * at / 100], hits[hits.len() * at / 100]);
        let ratio = joiner.as_secs_f64() / hit.as_secs_f64();
        println!("first byte, {name}: joiner {joiner:.1?}, hit {hit:.1?}, ratio {ratio:.3}");
    }
}

/// Asks, and waits for the head of the answer.
async fn begin(server: &Server) -> (Client, Incoming) {
    let mut client = Client::connect(Protocol::Http1, server.addr).await;
    let body = client.send(get("/coming")).await.unwrap().into_body();
    (client, body)
}

async fn rest((_client, mut body): (Client, Incoming)) {
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        length += frame.unwrap().data_ref().map_or(0, Bytes::len) as u64;
    }
    assert_eq!(length, LARGE);
}

/// Seven who read, with and without an eighth who began it and does not read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures time"]
async fn seven_beside_one_who_does_not_read() {
    let origin = origin().await;
    let (service, cache) = origin.cached();
    let server = served(&service).await;
    let (mut beside, mut alone) = (Vec::new(), Vec::new());
    for round in 0..80 {
        let is_beside = round % 4 == 1 || round % 4 == 2;
        let gate = origin.gate(0);
        let stalled = if is_beside { Some(begin(&server).await) } else { None };
        let mut readers = Vec::new();
        for _ in 0..7 {
            readers.push(begin(&server).await);
        }
        let begin = Instant::now();
        gate.open();
        readers.into_iter().map(rest).collect::<JoinSet<_>>().join_all().await;
        if is_beside { &mut beside } else { &mut alone }.push(begin.elapsed());
        assert_eq!(origin.asked(), 1);
        drop(stalled);
        eventually("it is kept", || cache.snapshot().bytes >= LARGE).await;
        cache.purge(&PurgeTarget::Everything, PurgeMode::Hard);
    }
    let (beside, alone) = (sorted(beside), sorted(alone));
    for (name, at) in [("median", 50), ("95th", 95)] {
        let (beside, alone) = (beside[beside.len() * at / 100], alone[alone.len() * at / 100]);
        let ratio = beside.as_secs_f64() / alone.as_secs_f64();
        println!(
            "seven readers, {name}: beside one stalled {beside:.1?}, alone {alone:.1?}, ratio {ratio:.3}"
        );
    }
}
