use std::sync::atomic::{AtomicU64, Ordering};

use super::Usage;

/// What the cache has done since it was created.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) hits: Counter,
    pub(crate) misses: Counter,
    pub(crate) revalidated: Counter,
    pub(crate) coalesced: Counter,
    pub(crate) stale_served: Counter,
    pub(crate) bypassed: Counter,
    pub(crate) bytes_served: Counter,
    pub(crate) bytes_fetched: Counter,
}

/// Only grows. Other threads may see changes of two counters in either order.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

/// What a cache holds, and what it has done since it was created.
///
/// The numbers are read one after the other while requests continue, so they need not add up exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheSnapshot {
    /// Responses from the cache without a request to S3.
    pub hits: u64,
    /// Responses that needed a request to S3, including errors.
    pub misses: u64,
    /// Responses from the cache after S3 confirmed that they are current.
    pub revalidated: u64,
    /// Responses that joined a read from S3 which another request had begun.
    pub coalesced: u64,
    /// Responses that were known to be stale: served during revalidation, or because S3 failed or was late.
    pub stale_served: u64,
    /// Requests whose responses must not come from the cache.
    pub bypassed: u64,
    /// Entries that made room for others, and entries that were too large to store.
    pub evicted: u64,
    /// Bytes of bodies that the cache served, including those that had just come from S3 for that.
    pub bytes_served: u64,
    /// Bytes of bodies that came from S3 into the cache. Bodies that bypass it are not counted.
    pub bytes_fetched: u64,
    /// Entries now: one for each object, and one for each block of a larger one.
    pub entries: u64,
    /// Bytes now: names, header fields, bodies and overhead.
    pub bytes: u64,
    /// The most bytes that the cache can hold.
    pub capacity: u64,
}

// === impl CacheSnapshot ===

#[cfg(feature = "purge")]
impl CacheSnapshot {
    pub(crate) fn to_json(self) -> String {
        let Self { hits, misses, revalidated, coalesced, stale_served, bypassed, .. } = self;
        let Self { evicted, bytes_served, bytes_fetched, entries, bytes, capacity, .. } = self;
        serde_json::json!({
            "hits": hits,
            "misses": misses,
            "revalidated": revalidated,
            "coalesced": coalesced,
            "stale_served": stale_served,
            "bypassed": bypassed,
            "evicted": evicted,
            "bytes_served": bytes_served,
            "bytes_fetched": bytes_fetched,
            "entries": entries,
            "bytes": bytes,
            "capacity": capacity,
        })
        .to_string()
    }
}

// === impl Counters ===

impl Counters {
    pub(crate) fn snapshot(&self, usage: Usage) -> CacheSnapshot {
        let Usage { entries, bytes, capacity, evicted } = usage;
        CacheSnapshot {
            hits: self.hits.value(),
            misses: self.misses.value(),
            revalidated: self.revalidated.value(),
            coalesced: self.coalesced.value(),
            stale_served: self.stale_served.value(),
            bypassed: self.bypassed.value(),
            evicted,
            bytes_served: self.bytes_served.value(),
            bytes_fetched: self.bytes_fetched.value(),
            entries,
            bytes,
            capacity,
        }
    }
}

// === impl Counter ===

impl Counter {
    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_has_each_number_in_its_place() {
        let counters = Counters::default();
        let all = [
            &counters.hits,
            &counters.misses,
            &counters.revalidated,
            &counters.coalesced,
            &counters.stale_served,
            &counters.bypassed,
            &counters.bytes_served,
            &counters.bytes_fetched,
        ];
        for (number, counter) in (1..).zip(all) {
            counter.add(number);
            counter.add(10);
        }
        let snapshot = counters.snapshot(Usage { entries: 1, bytes: 2, capacity: 3, evicted: 4 });
        let expected = CacheSnapshot {
            hits: 11,
            misses: 12,
            revalidated: 13,
            coalesced: 14,
            stale_served: 15,
            bypassed: 16,
            evicted: 4,
            bytes_served: 17,
            bytes_fetched: 18,
            entries: 1,
            bytes: 2,
            capacity: 3,
        };
        assert_eq!(snapshot, expected);
    }
}
