use std::sync::atomic::{AtomicU64, Ordering};

/// What a mount met with S3, since it was built. See [`Mount::origin`](crate::Mount::origin).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct OriginSnapshot {
    /// Reads that were repeated before the first byte of a response.
    pub retried: u64,
    /// Bodies that broke off and went on: each break for itself.
    pub resumed: u64,
    /// Bodies that broke off for good, so that a response broke off, or a fill of the cache.
    pub broken: u64,
    /// How often the circuit breaker opened.
    pub opened: u64,
    /// Requests that an open circuit breaker refused.
    pub refused: u64,
}

/// Counts for an [`OriginSnapshot`].
#[derive(Debug, Default)]
pub(crate) struct Counters {
    retried: AtomicU64,
    resumed: AtomicU64,
    broken: AtomicU64,
    opened: AtomicU64,
    refused: AtomicU64,
}

// === impl Counters ===

impl Counters {
    pub(crate) fn snapshot(&self) -> OriginSnapshot {
        let Self { retried, resumed, broken, opened, refused } = self;
        let [retried, resumed, broken, opened, refused] =
            [retried, resumed, broken, opened, refused].map(|counter| counter.load(Ordering::Relaxed));
        OriginSnapshot { retried, resumed, broken, opened, refused }
    }

    pub(super) fn retried(&self) {
        self.retried.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn resumed(&self) {
        self.resumed.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn broken(&self) {
        self.broken.fetch_add(1, Ordering::Relaxed);
    }

    pub(in crate::origin) fn opened(&self) {
        self.opened.fetch_add(1, Ordering::Relaxed);
    }

    pub(in crate::origin) fn refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }
}
