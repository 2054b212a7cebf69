use http::HeaderMap;

use super::{
    rules::{CacheStatus, Outcome, Reason},
    store::Counters,
};

/// How the cache took part in a response: the contents of `Cache-Status`, and what the counters also need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) status: CacheStatus,
    pub(crate) freshness: ServedAs,
    /// The body's length, if the cache provides it.
    pub(crate) bytes: u64,
}

/// Whether a response from the cache was known to be stale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum ServedAs {
    #[default]
    Fresh,
    Stale,
}

// === impl Report ===

impl Report {
    /// Without bytes from the cache.
    pub(crate) fn of(status: CacheStatus) -> Self {
        Self { status, freshness: ServedAs::Fresh, bytes: 0 }
    }

    /// Adds `Cache-Status`, and counts the response.
    ///
    /// Each response counts as one of hits, misses and bypassed. (Joining another request's read counts at once, so
    /// that it shows while the request waits.)
    pub(super) fn record(self, headers: &mut HeaderMap, counters: &Counters) {
        self.status.append_to(headers);
        match self.status.outcome {
            Outcome::Hit { .. } => counters.hits.add(1),
            Outcome::Forward(forward) if forward.reason == Reason::Bypass => counters.bypassed.add(1),
            Outcome::Forward(_) => counters.misses.add(1),
        }
        if self.freshness == ServedAs::Stale {
            counters.stale_served.add(1);
        }
        counters.bytes_served.add(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::{
        rules::{Detail, Forward},
        store::{CacheSnapshot, Usage},
    };

    #[test]
    fn each_answer_is_a_hit_a_miss_or_bypassed() {
        let forward =
            |reason| CacheStatus::forward(Forward { reason, stored: false, collapsed: false, ttl: None });
        let hit = CacheStatus::hit(-1);
        for (report, counted) in [
            (Report { bytes: 7, ..Report::of(CacheStatus::hit(1)) }, [1, 0, 0, 0, 7]),
            (Report { freshness: ServedAs::Stale, ..Report::of(hit) }, [1, 0, 0, 1, 0]),
            (Report::of(hit.with_detail(Detail::OriginError)), [1, 0, 0, 0, 0]),
            (Report::of(forward(Reason::UriMiss)), [0, 1, 0, 0, 0]),
            (Report { bytes: 7, ..Report::of(forward(Reason::Stale)) }, [0, 1, 0, 0, 7]),
            (Report::of(forward(Reason::Partial).with_detail(Detail::NoRoom)), [0, 1, 0, 0, 0]),
            (Report::of(forward(Reason::Bypass)), [0, 0, 1, 0, 0]),
        ] {
            let counters = Counters::default();
            report.record(&mut HeaderMap::new(), &counters);
            let usage = Usage { entries: 0, bytes: 0, capacity: 0, evicted: 0 };
            let so_far = counters.snapshot(usage);
            let CacheSnapshot { hits, misses, bypassed, stale_served, bytes_served, .. } = so_far;
            assert_eq!([hits, misses, bypassed, stale_served, bytes_served], counted, "{report:?}");
        }
    }
}
