use std::sync::atomic::{AtomicU32, Ordering};

/// A token bucket for requests that repeat others.
///
/// Each takes a token, and brings it back if it was of use; each success at the first attempt adds a fifth of one. So S3 can
/// fail every third time, and every request is still repeated until it succeeds; an S3 that is dead is asked but a
/// hundred times more than clients ask.
#[derive(Debug)]
pub(super) struct Budget(AtomicU32);

/// In units.
const TOKEN: u32 = 10;
const FIRST_SUCCESS: u32 = 2;
const CAPACITY: u32 = 100 * TOKEN;

// === impl Budget ===

impl Budget {
    /// Takes a token, if there is one.
    pub(super) fn withdraw(&self) -> bool {
        let less = |units: u32| units.checked_sub(TOKEN);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }

    /// Brings back the token of a repeated request that was of use.
    pub(super) fn refund(&self) {
        self.add(TOKEN);
    }

    /// Notes a success at the first attempt. Mostly the bucket is full: then this is one load.
    pub(super) fn succeeded(&self) {
        if self.0.load(Ordering::Relaxed) < CAPACITY {
            self.add(FIRST_SUCCESS);
        }
    }

    fn add(&self, units: u32) {
        let more = |now: u32| Some((now + units).min(CAPACITY));
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self(AtomicU32::new(CAPACITY))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Requests to an S3 that fails as `fails` says, each repeated up to five times: how many were asked, and how many
    /// succeeded.
    fn run(budget: &Budget, requests: u32, mut fails: impl FnMut() -> bool) -> (u32, u32) {
        let (mut asked, mut succeeded) = (0, 0);
        for _ in 0..requests {
            asked += 1;
            if !fails() {
                budget.succeeded();
                succeeded += 1;
                continue;
            }
            for _ in 0..5 {
                if !budget.withdraw() {
                    break;
                }
                asked += 1;
                if !fails() {
                    budget.refund();
                    succeeded += 1;
                    break;
                }
            }
        }
        (asked, succeeded)
    }

    #[test]
    fn a_dead_s3_is_asked_a_hundred_times_more_and_no_more() {
        let budget = Budget::default();
        assert_eq!(run(&budget, 1000, || true), (1100, 0));
        assert_eq!(run(&budget, 1000, || true), (1000, 0));
    }

    #[test]
    fn with_three_failures_in_ten_the_budget_lasts() {
        let budget = Budget::default();
        let mut rng = fastrand::Rng::with_seed(7);
        let (asked, succeeded) = run(&budget, 100_000, || rng.u32(0..10) < 3);
        assert!(succeeded >= 99_800, "{succeeded}");
        assert!(asked < 145_000, "each failure costs one more request: {asked}");
    }

    #[test]
    fn a_recovered_s3_fills_it_again() {
        let budget = Budget::default();
        run(&budget, 1000, || true);
        assert!(!budget.withdraw());
        run(&budget, 500, || false);
        assert_eq!(budget.0.load(Ordering::Relaxed), CAPACITY);
    }
}
