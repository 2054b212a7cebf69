//! What a mount does about failures of S3: repeats reads within a budget, and leaves an S3 alone that answers nothing.

mod breaker;
mod budget;
mod counters;
mod hedge;
mod policy;
mod retry;

use std::time::Duration;

pub(super) use self::{
    breaker::{Breaker, Turn},
    retry::is_failure,
};
use self::{budget::Budget, counters::Counters, hedge::Hedges};
pub use self::{
    counters::OriginSnapshot,
    policy::{CircuitBreaker, Hedging, RetryPolicy},
};
use super::budget::Spending;
use crate::meter::Meter;

/// The policies of a mount, and what it counts by them. Its credential sets share them.
#[derive(Debug)]
pub(crate) struct Resilience {
    pub(super) retry: RetryPolicy,
    pub(super) breaker: CircuitBreaker,
    hedges: Option<Hedges>,
    budget: Budget,
    pub(crate) counters: Counters,
    /// Of a mount that has a budget.
    pub(crate) spending: Option<Spending>,
    pub(crate) meter: Meter,
}

// === impl Resilience ===

impl Resilience {
    pub(crate) fn new(
        retry: RetryPolicy,
        breaker: CircuitBreaker,
        hedging: Option<Hedging>,
        meter: Meter,
    ) -> Self {
        let hedges = hedging.map(Hedges::new);
        Self {
            retry,
            breaker,
            hedges,
            budget: Budget::default(),
            counters: Counters::default(),
            spending: None,
            meter,
        }
    }

    pub(crate) fn spending(self, spending: Option<Spending>) -> Self {
        Self { spending, ..self }
    }

    /// Whether the rest of a body that broke off so often in a row is asked for here.
    ///
    /// # Errors
    ///
    /// How many reads more have broken off than this bucket has attempts.
    pub(crate) fn may_go_on(&self, breaks: u32) -> Result<(), u32> {
        match breaks.checked_sub(self.retry.attempts()) {
            None => Ok(()),
            Some(more) => Err(more),
        }
    }

    /// The pause before a body goes on: none at the first time.
    pub(crate) fn pause_before(&self, breaks: u32) -> Duration {
        match breaks.checked_sub(1) {
            Some(0) | None => Duration::ZERO,
            Some(made) => self.retry.pause(made, Duration::ZERO, None, fastrand::f64()).unwrap_or_default(),
        }
    }

    /// A read ended with its first attempt. Only S3's answer earns a part of a token: a read that never got to S3, since the
    /// breaker is open or too much is in flight, says nothing of it.
    fn answered_at_once(&self, is_by_s3: bool) {
        if is_by_s3 {
            self.budget.succeeded();
        }
    }

    /// Whether the budget allows one more request than clients asked for.
    pub(crate) fn may_repeat(&self) -> bool {
        self.budget.withdraw()
    }

    /// The repeated request was of use.
    pub(crate) fn repeated(&self) {
        self.budget.refund();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_goes_on_here_while_there_are_attempts() {
        let retry = RetryPolicy::default().max_attempts(3);
        let resilience = Resilience::new(retry, CircuitBreaker::default(), None, Meter::new(String::new()));
        for (breaks, here) in [(1, Ok(())), (2, Ok(())), (3, Err(0)), (5, Err(2))] {
            assert_eq!(resilience.may_go_on(breaks), here, "{breaks}");
        }
    }

    #[test]
    fn a_body_goes_on_at_once_and_then_after_a_pause() {
        let resilience = Resilience::new(
            RetryPolicy::default(),
            CircuitBreaker::default(),
            None,
            Meter::new(String::new()),
        );
        for (breaks, longest) in
            [(0, 0), (1, 0), (2, 50), (3, 100)].map(|(n, ms)| (n, Duration::from_millis(ms)))
        {
            let pauses: Vec<_> = (0..1000).map(|_| resilience.pause_before(breaks)).collect();
            let most = pauses.iter().max().copied().unwrap_or_default();
            // At random: of a thousand, one is near the longest.
            assert!(longest / 2 <= most && most <= longest, "{breaks}: {most:?}");
        }
    }

    #[test]
    fn reads_that_never_got_to_s3_do_not_fill_the_budget() {
        let resilience = Resilience::new(
            RetryPolicy::default(),
            CircuitBreaker::default(),
            None,
            Meter::new(String::new()),
        );
        while resilience.may_repeat() {}
        for _ in 0..1000 {
            resilience.answered_at_once(false);
        }
        assert!(!resilience.may_repeat());
        for _ in 0..5 {
            resilience.answered_at_once(true);
        }
        assert!(resilience.may_repeat());
    }
}
