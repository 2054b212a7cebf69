use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// Counts what would fill the log if each had a line of its own.
#[derive(Debug, Default)]
pub(crate) struct Tally(Mutex<Counted>);

#[derive(Debug, Default)]
struct Counted {
    /// Not yet told.
    count: u64,
    told: Option<Instant>,
}

/// Between one line of the log and the next.
const PAUSE: Duration = Duration::from_secs(10);

// === impl Tally ===

impl Tally {
    /// Counts one more. How many there were since the log was told last, if it is time to tell it.
    pub(crate) fn add(&self, now: Instant) -> Option<u64> {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counted.count += 1;
        if counted.told.is_some_and(|told| now.saturating_duration_since(told) < PAUSE) {
            return None;
        }
        counted.told = Some(now);
        Some(std::mem::take(&mut counted.count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_told_at_once_and_the_others_in_one_line() {
        let (tally, begin) = (Tally::default(), Instant::now());
        for (secs, told) in [(0, Some(1)), (0, None), (9, None), (10, Some(3)), (11, None), (30, Some(2))] {
            assert_eq!(tally.add(begin + Duration::from_secs(secs)), told, "after {secs} s");
        }
    }
}
