//! The resident memory of a full store. Each test needs its own process:
//!
//! ```text
//! cargo test --lib -- --ignored --nocapture --exact cache::store::map::tests::resident::mixed_sizes
//! ```
//!
//! The weight of the store is one thing, the memory that the allocator returns to the system another: with glibc,
//! memory that one thread's arena has freed is of no use to the others, and a hole stays if anything above it is alive.
//! Pages avoid that. `scripts/resident-set` measures the standalone proxy as a whole.

use std::{fs, sync::Barrier, thread};

use super::super::{
    super::{Pages, page_size},
    *,
};
use crate::object::Edition;

const BUDGET: u64 = 256 << 20;
const A_FIFTH_ABOVE: f64 = 1.2;
const BLOCK: u32 = 64 << 10;

/// Objects of up to this many bytes have them in their head.
const INLINE: usize = 16 << 10;

struct Head {
    state: Option<StateId>,
    length: usize,
    /// Stands for the header fields.
    fields: Vec<u8>,
    body: Bytes,
}

impl Weigh for Head {
    fn weight(&self) -> u64 {
        // Includes the count of readers that `Bytes` makes, and the allocator's overhead for each of the three.
        (size_of::<Self>() + self.fields.capacity() + page_size(self.body.len()) + 3 * 24 + 64) as u64
    }

    fn state(&self) -> Option<StateId> {
        self.state
    }

    fn length(&self) -> u64 {
        self.length as u64
    }

    fn mark_stale(&self) -> bool {
        true
    }
}

/// As a miss does, and then as a hit does.
fn put_and_read(store: &Store<Head>, pages: &Pages, number: usize, length: usize) {
    let bytes = |length: usize| pages.copy(&[Bytes::from(vec![7; length])]);
    let state = (length > INLINE).then(StateId::unique);
    let body = if state.is_none() { bytes(length) } else { Bytes::new() };
    let id = ObjectId {
        scope: 0,
        bucket: BucketName::parse("studio-media").unwrap(),
        key: ObjectKey::new(format!("images/2024/{number:08}.jpg")).unwrap(),
        edition: Edition::default(),
    };
    store.put_head(id.clone(), Arc::new(Head { state, length, fields: vec![1; 300], body }));
    if let Some(state) = state {
        for (number, first) in (0..).zip((0..length).step_by(BLOCK as usize)) {
            store.put_blocks(state, number, [bytes((length - first).min(BLOCK as usize))]);
        }
    }
    drop(store.head(id.borrowed()).map(|head| head.body.clone()));
    for number in 0..store.blocks(length as u64) {
        drop(state.map(|state| store.block(state, number)));
    }
}

fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

/// Stores objects of log-uniform lengths from several threads: one load after the other, by the same threads, as in a
/// server.
#[expect(clippy::cast_possible_truncation, reason = "lengths are small")]
fn stays_within(limit: f64, threads: usize, loads: &[(usize, std::ops::Range<f64>)]) {
    let before = resident();
    let (store, pages) = (Store::new(BUDGET, BLOCK), Pages::new(BUDGET / 32));
    let turn = Barrier::new(threads + 1);
    thread::scope(|scope| {
        for thread in 0..threads {
            let (store, pages, turn) = (&store, &pages, &turn);
            scope.spawn(move || {
                for (objects, lengths) in loads {
                    let mut random = fastrand::Rng::with_seed(thread as u64);
                    for number in (thread..*objects).step_by(threads) {
                        let (low, high) = (lengths.start.ln(), lengths.end.ln());
                        let length = random.f64().mul_add(high - low, low).exp();
                        put_and_read(store, pages, number, length as usize);
                    }
                    turn.wait();
                    turn.wait();
                }
            });
        }
        let growths = loads.iter().map(|(objects, lengths)| {
            turn.wait();
            let growth = resident() - before;
            let Usage { entries, bytes, .. } = store.usage();
            println!(
                "{objects} of {lengths:?} bytes by {threads}: {entries} entries weigh {bytes}, resident {growth}: {:.3} of the budget",
                growth as f64 / BUDGET as f64
            );
            turn.wait();
            (growth, bytes)
        });
        for (growth, bytes) in growths.collect::<Vec<_>>() {
            assert!(bytes <= BUDGET);
            assert!(growth as f64 <= BUDGET as f64 * limit);
        }
    });
}

#[test]
#[ignore = "measures the process"]
fn mixed_sizes() {
    stays_within(A_FIFTH_ABOVE, 1, &[(100_000, 100.0..1_048_576.0)]);
}

#[test]
#[ignore = "measures the process"]
fn mixed_sizes_by_threads() {
    stays_within(A_FIFTH_ABOVE, 8, &[(100_000, 100.0..1_048_576.0)]);
}

#[test]
#[ignore = "measures the process"]
fn mixed_small_sizes() {
    stays_within(A_FIFTH_ABOVE, 1, &[(1_000_000, 100.0..16_384.0)]);
}

#[test]
#[ignore = "measures the process"]
fn mixed_small_sizes_by_threads() {
    stays_within(A_FIFTH_ABOVE, 8, &[(1_000_000, 100.0..16_384.0)]);
}

/// Small bodies are left to the allocator: glibc returns little of that memory, and it does not become pages.
#[test]
#[ignore = "measures the process"]
fn tiny_then_large() {
    stays_within(2.0, 1, &[(1_000_000, 1.0..100.0), (2_000, 900_000.0..1_048_576.0)]);
}

#[test]
#[ignore = "measures the process"]
fn large_then_tiny() {
    stays_within(A_FIFTH_ABOVE, 1, &[(2_000, 900_000.0..1_048_576.0), (1_000_000, 1.0..100.0)]);
}
