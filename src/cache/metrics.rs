//! What the recorder of metrics is told of caches.

use std::sync::Arc;

use metrics::gauge;

use super::Cache;
use crate::meter::families as names;

/// Tells of all caches of a layer, without telling them apart: they have no names.
pub(crate) fn report(caches: &[&Cache]) {
    let (mut entries, mut size, mut capacity) = (0, 0, 0);
    for cache in caches {
        let now = cache.snapshot();
        (entries, size, capacity) = (entries + now.entries, size + now.bytes, capacity + now.capacity);
        for (name, total) in [
            (names::CACHE_EVICTIONS, now.evicted),
            (names::CACHE_COALESCED, now.coalesced),
            (names::CACHE_SERVED, now.bytes_served),
            (names::CACHE_FETCHED, now.bytes_fetched),
        ] {
            cache.0.told.tell(name, total);
        }
    }
    for (name, level) in
        [(names::CACHE_ENTRIES, entries), (names::CACHE_SIZE, size), (names::CACHE_CAPACITY, capacity)]
    {
        gauge!(name).set(level as f64);
    }
}

// === impl Cache ===

impl Cache {
    /// Whether both are one cache.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}
