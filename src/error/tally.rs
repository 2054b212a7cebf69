use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// Counts what would fill the log if each had a line of its own: so many lines in ten seconds are told, and with the next
/// one, how many there were.
#[derive(Debug)]
pub(crate) struct Tally {
    /// In a period.
    lines: u32,
    counted: Mutex<Counted>,
}

#[derive(Debug, Default)]
struct Counted {
    period: Option<Instant>,
    /// Lines in this period.
    told: u32,
    untold: u64,
}

/// What clients, and an S3 that fails, can cause at will on a mount.
#[derive(Debug)]
pub(crate) struct Tallies {
    /// Requests that were answered with 503, since too many to S3 are in flight.
    pub(crate) turned_away: Tally,
    /// Responses that are the fault of the proxy or of S3.
    pub(crate) faults: Tally,
    /// Reads that the replica answered.
    pub(crate) failed_over: Tally,
    /// Bodies that broke off and went on.
    pub(crate) resumed: Tally,
    /// What S3 said of them.
    pub(crate) refusals: Tally,
}

const PERIOD: Duration = Duration::from_secs(10);

// === impl Tally ===

impl Tally {
    pub(crate) fn new(lines: u32) -> Self {
        Self { lines, counted: Mutex::default() }
    }

    /// Counts one more. How many there were since the last line, this one included, if it is to have a line.
    pub(crate) fn add(&self, now: Instant) -> Option<u64> {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        if counted.period.is_none_or(|begin| now.saturating_duration_since(begin) >= PERIOD) {
            (counted.period, counted.told) = (Some(now), 0);
        }
        counted.untold += 1;
        if counted.told >= self.lines {
            return None;
        }
        counted.told += 1;
        Some(std::mem::take(&mut counted.untold))
    }
}

// === impl Tallies ===

impl Default for Tallies {
    fn default() -> Self {
        Self {
            turned_away: Tally::new(1),
            faults: Tally::new(20),
            refusals: Tally::new(20),
            resumed: Tally::new(1),
            failed_over: Tally::new(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_lines_are_told_in_a_period_and_then_how_many_there_were() {
        let begin = Instant::now();
        for (lines, rows) in [
            (1, [(0, Some(1)), (0, None), (9, None), (10, Some(3)), (11, None), (30, Some(2))]),
            (2, [(0, Some(1)), (0, Some(1)), (9, None), (9, None), (10, Some(3)), (11, Some(1))]),
        ] {
            let tally = Tally::new(lines);
            for (secs, told) in rows {
                assert_eq!(
                    tally.add(begin + Duration::from_secs(secs)),
                    told,
                    "{lines} lines, after {secs} s"
                );
            }
        }
    }
}
