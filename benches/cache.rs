//! What the map of the cache costs, and what it keeps. `cargo bench --bench cache`.
//!
//! `lookup/…` is a hit, from several threads at once. `count` is what a counter adds to it. The hit ratios of a Zipf load
//! are printed, beside those of an LRU of the same size.

#![allow(missing_docs, clippy::unwrap_used)]

use std::{
    hint::black_box,
    sync::{
        Barrier,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lru::LruCache;
use tower_s3_proxy::{ObjectKey, internals::CachedObjects};

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

criterion_group!(benches, lookup, hit_ratio);
criterion_main!(benches);
