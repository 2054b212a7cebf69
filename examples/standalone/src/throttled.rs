use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

/// Something that happens as often as a client likes, and is told in the log once in a while, with its count.
#[derive(Debug)]
pub(crate) struct Throttled {
    every: Duration,
    begin: Instant,
    /// When it can be told again, in milliseconds since `begin`.
    next: AtomicU64,
    untold: AtomicU64,
}

// === impl Throttled ===

impl Throttled {
    /// Told at most once in this time.
    pub(crate) fn new(every: Duration) -> Self {
        Self { every, begin: Instant::now(), next: AtomicU64::new(0), untold: AtomicU64::new(0) }
    }

    /// Counts once more. Returns how often it has happened since it was told, if it is to be told now.
    pub(crate) fn count(&self, now: Instant) -> Option<u64> {
        self.untold.fetch_add(1, Relaxed);
        let now = millis(now.saturating_duration_since(self.begin));
        let next = self.next.load(Relaxed);
        if now < next {
            return None;
        }
        // Of several at one time, one tells.
        let after = now.saturating_add(millis(self.every));
        self.next.compare_exchange(next, after, Relaxed, Relaxed).ok()?;
        Some(self.untold.swap(0, Relaxed))
    }
}

impl Default for Throttled {
    fn default() -> Self {
        Self::new(Duration::from_secs(10))
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_told_and_then_the_count_of_a_period() {
        let throttled = Throttled::default();
        let at = |seconds| throttled.count(throttled.begin + Duration::from_secs(seconds));
        assert_eq!(at(0), Some(1));
        assert_eq!(at(1), None);
        assert_eq!(at(9), None);
        assert_eq!(at(10), Some(3));
        assert_eq!(at(19), None);
        assert_eq!(at(100), Some(2));
    }
}
