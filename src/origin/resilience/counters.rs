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
    /// Reads that were late, so that a second request was sent.
    pub hedged: u64,
    /// Those of which the second was the faster one.
    pub hedges_won: u64,
    /// Reads that the replica answered.
    pub failed_over: u64,
    /// How often the circuit breaker opened.
    pub opened: u64,
    /// Requests that an open circuit breaker refused.
    pub refused: u64,
    /// Whether a circuit breaker is open now.
    pub is_open: bool,
}

/// Counts for an [`OriginSnapshot`].
#[derive(Debug, Default)]
pub(crate) struct Counters {
    retried: AtomicU64,
    resumed: AtomicU64,
    broken: AtomicU64,
    hedged: AtomicU64,
    hedges_won: AtomicU64,
    failed_over: AtomicU64,
    opened: AtomicU64,
    refused: AtomicU64,
}

// === impl Counters ===

impl Counters {
    pub(crate) fn snapshot(&self) -> OriginSnapshot {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        OriginSnapshot {
            retried: count(&self.retried),
            resumed: count(&self.resumed),
            broken: count(&self.broken),
            hedged: count(&self.hedged),
            hedges_won: count(&self.hedges_won),
            failed_over: count(&self.failed_over),
            opened: count(&self.opened),
            refused: count(&self.refused),
            is_open: false,
        }
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

    pub(super) fn hedged(&self) {
        self.hedged.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn hedge_won(&self) {
        self.hedges_won.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn failed_over(&self) {
        self.failed_over.fetch_add(1, Ordering::Relaxed);
    }

    pub(in crate::origin) fn opened(&self) {
        self.opened.fetch_add(1, Ordering::Relaxed);
    }

    pub(in crate::origin) fn refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_counts_for_itself() {
        let counters = Counters::default();
        let calls: [fn(&Counters); 8] = [
            Counters::retried,
            Counters::resumed,
            Counters::broken,
            Counters::hedged,
            Counters::hedge_won,
            Counters::failed_over,
            Counters::opened,
            Counters::refused,
        ];
        for (number, count) in (1..).zip(calls) {
            (0..number).for_each(|_| count(&counters));
        }
        let expected = OriginSnapshot {
            retried: 1,
            resumed: 2,
            broken: 3,
            hedged: 4,
            hedges_won: 5,
            failed_over: 6,
            opened: 7,
            refused: 8,
            is_open: false,
        };
        assert_eq!(counters.snapshot(), expected);
    }
}
