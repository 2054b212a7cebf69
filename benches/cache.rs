//! The cost of the cache, and its hit ratios. `cargo bench --bench cache`, built as `--profile dist` builds the proxy.
//!
//! `hit/…` is a request that memory answers, through the whole service, from several threads at once. `lookup/…` is the
//! lookup in the map alone, and `…/counted` adds a counter to it. The bench prints the hit ratios of a Zipf load,
//! beside those of an LRU of the same size.

#![allow(missing_docs, clippy::unwrap_used)]

use std::{
    hint::black_box,
    pin::pin,
    sync::{
        Barrier,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
    thread,
    time::{Duration, Instant},
};

use aws_smithy_runtime_api::client::{
    http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
    orchestrator::{HttpRequest, HttpResponse},
    runtime_components::RuntimeComponents,
};
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use http::{Request, Response};
use http_body_util::{BodyExt, Empty};
use lru::LruCache;
use tower::Service;
use tower_s3_proxy::{
    BucketName, Cache, Mount, S3Proxy, Transport, bucket::ObjectKey, internals::CachedObjects,
};

fn hit(c: &mut Criterion) {
    let mut group = c.benchmark_group("hit");
    group.sample_size(20).warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
    let part = ("range", "bytes=0-1023");
    let known = ("if-none-match", TAG);
    for (name, length, threads, method, field) in [
        ("200/1KiB/1", 1024, 1, "GET", None),
        ("200/1KiB/2", 1024, 2, "GET", None),
        ("200/1KiB/4", 1024, 4, "GET", None),
        ("200/1MiB/1", 1 << 20, 1, "GET", None),
        ("206/1KiB of 1MiB/1", 1 << 20, 1, "GET", Some(part)),
        ("304/1", 1024, 1, "GET", Some(known)),
        ("HEAD/1", 1024, 1, "HEAD", None),
    ] {
        let service = cached(length);
        group.throughput(Throughput::Elements(threads as u64));
        group.bench_function(name, |b| {
            b.iter_custom(|count| {
                let longest = AtomicU64::new(0);
                at_once(threads, |thread| {
                    let mut service = service.clone();
                    let mut random = fastrand::Rng::with_seed(thread);
                    let mut time = Duration::ZERO;
                    for first in (0..count).step_by(BATCH) {
                        let numbers = first..count.min(first + BATCH as u64);
                        let requests: Vec<_> =
                            numbers.map(|_| request(method, random.usize(..OBJECTS), field)).collect();
                        let mut answers = Vec::with_capacity(BATCH);
                        let begin = Instant::now();
                        answers.extend(requests.into_iter().map(|request| answer(service.call(request))));
                        time += begin.elapsed();
                        black_box(answers);
                    }
                    longest.fetch_max(u64::try_from(time.as_nanos()).unwrap(), Ordering::Relaxed);
                });
                Duration::from_nanos(longest.into_inner())
            });
        });
    }
    group.finish();
}

const OBJECTS: usize = 50;

/// Few enough to stay in the processor's cache: requests are made before, and answers dropped after it.
const BATCH: usize = 64;

/// A service over a full cache.
fn cached(length: usize) -> S3Proxy {
    let cache = Cache::builder(256 << 20).build().unwrap();
    let mount = Mount::builder(BucketName::parse("studio-media").unwrap())
        .region("us-west-2")
        .anonymous()
        .transport(&Transport::builder().http_client(Origin(Bytes::from(vec![7; length]))).build().unwrap())
        .default_cache_control("max-age=86400")
        .cache(&cache);
    let mut service = S3Proxy::new(mount.build().unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        for number in 0..OBJECTS {
            let response = service.call(request("GET", number, None)).await.unwrap();
            response.into_body().collect().await.unwrap();
        }
        // The last read is kept just after its last byte was handed on.
        while cache.snapshot().bytes < (OBJECTS * length) as u64 {
            tokio::task::yield_now().await;
        }
    });
    service
}

fn request(method: &str, number: usize, field: Option<(&str, &str)>) -> Request<Empty<Bytes>> {
    let request = Request::builder().method(method).uri(format!("/images/2024/{number:08}.jpg"));
    let (name, value) = field.unwrap_or(("accept", "*/*"));
    request.header("host", "app.example").header(name, value).body(Empty::new()).unwrap()
}

/// What memory answers is there at once.
fn answer<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => unreachable!("all of it is in memory"),
    }
}

/// Has these bytes under every key.
#[derive(Debug, Clone)]
struct Origin(Bytes);

impl HttpClient for Origin {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Origin {
    fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
        let response = Response::builder()
            .header("content-type", "image/jpeg")
            .header("content-length", self.0.len())
            .header("etag", TAG)
            .header("last-modified", "Wed, 21 Oct 2015 07:28:00 GMT")
            .body(SdkBody::from(self.0.clone()))
            .unwrap();
        HttpConnectorFuture::ready(Ok(HttpResponse::try_from(response).unwrap()))
    }
}

const TAG: &str = "\"0123456789abcdef0123456789abcdef\"";

fn lookup(c: &mut Criterion) {
    let keys: Vec<_> = (0..10_000).map(key).collect();
    let objects = CachedObjects::new(64 << 20);
    for key in &keys {
        objects.put(key.clone(), Bytes::from(vec![7; 1024]));
    }
    let mut group = c.benchmark_group("lookup");
    group.sample_size(20).warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
    for threads in [1, 2, 4] {
        group.throughput(Throughput::Elements(threads as u64));
        group.bench_function(format!("1KiB/{threads}"), |b| {
            b.iter_custom(|count| {
                at_once(threads, |thread| {
                    let mut random = fastrand::Rng::with_seed(thread);
                    for _ in 0..count {
                        black_box(objects.get(random.choice(&keys).unwrap()));
                    }
                })
            });
        });
        let (hits, bytes) = (AtomicU64::new(0), AtomicU64::new(0));
        group.bench_function(format!("1KiB/{threads}/counted"), |b| {
            b.iter_custom(|count| {
                at_once(threads, |thread| {
                    let mut random = fastrand::Rng::with_seed(thread);
                    for _ in 0..count {
                        let body = black_box(objects.get(random.choice(&keys).unwrap())).unwrap();
                        hits.fetch_add(1, Ordering::Relaxed);
                        bytes.fetch_add(body.len() as u64, Ordering::Relaxed);
                    }
                })
            });
        });
    }
    group.finish();
}

/// How long it takes until each thread has done its work.
fn at_once(threads: usize, work: impl Fn(u64) + Sync) -> Duration {
    let barrier = Barrier::new(threads + 1);
    thread::scope(|scope| {
        let (barrier, work) = (&barrier, &work);
        let workers: Vec<_> = (0..threads as u64)
            .map(|thread| {
                scope.spawn(move || {
                    barrier.wait();
                    work(thread);
                })
            })
            .collect();
        barrier.wait();
        let start = Instant::now();
        workers.into_iter().for_each(|worker| worker.join().unwrap());
        start.elapsed()
    })
}

/// No time is measured: it prints.
fn hit_ratio(_: &mut Criterion) {
    let body = Bytes::from(vec![7; 1024]);
    let one = {
        let objects = CachedObjects::new(1 << 20);
        objects.put(key(0), body.clone());
        objects.weight()
    };
    let budget = one * KEYS as u64 / 10;
    for exponent in [0.9, 1.0] {
        let zipf = Zipf::new(KEYS, exponent);
        let objects = CachedObjects::new(budget);
        let ours = zipf.hit_ratio(|number| {
            let key = key(number);
            let is_hit = objects.get(&key).is_some();
            if !is_hit {
                objects.put(key, body.clone());
            }
            is_hit
        });
        let mut lru = LruCache::unbounded();
        let theirs = zipf.hit_ratio(|number| {
            let is_hit = lru.get(&number).is_some();
            if !is_hit {
                lru.put(number, ());
                if lru.len() as u64 * one > budget {
                    lru.pop_lru();
                }
            }
            is_hit
        });
        println!("hit ratio/zipf {exponent}: {:.2} %, LRU {:.2} %", ours * 100.0, theirs * 100.0);
    }
}

const KEYS: usize = 1_000_000;

fn key(number: usize) -> ObjectKey {
    ObjectKey::new(format!("images/2024/{number:08}.jpg")).unwrap()
}

/// Numbers of which the nth is asked for in proportion to n to the power of minus the exponent.
struct Zipf {
    sums: Vec<f64>,
}

impl Zipf {
    fn new(count: usize, exponent: f64) -> Self {
        let sums = (1..=count).scan(0.0, |sum, rank| {
            *sum += (rank as f64).powf(-exponent);
            Some(*sum)
        });
        Self { sums: sums.collect() }
    }

    /// Of the requests that follow as many as are needed to fill the cache.
    fn hit_ratio(&self, mut is_hit: impl FnMut(usize) -> bool) -> f64 {
        let mut random = fastrand::Rng::with_seed(7);
        let total = self.sums.last().unwrap();
        let mut requests = |count| {
            let number = |at: f64| self.sums.partition_point(|sum| *sum < at);
            (0..count).filter(|_| is_hit(number(random.f64() * total))).count()
        };
        requests(KEYS);
        requests(2 * KEYS) as f64 / (2 * KEYS) as f64
    }
}

criterion_group!(benches, hit, lookup, hit_ratio);
criterion_main!(benches);
