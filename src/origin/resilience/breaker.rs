use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

use super::CircuitBreaker;

/// Counts the failures of one endpoint in a row. After too many, it is open: requests are refused, all but a probe in each
/// interval.
#[derive(Debug)]
pub(in crate::origin) struct Breaker {
    policy: CircuitBreaker,
    failures: AtomicU32,
    probe: Mutex<Probe>,
}

#[derive(Debug, Default)]
struct Probe {
    /// `None` while the breaker is closed.
    next: Option<Instant>,
    is_under_way: bool,
}

/// The permission to send a request, and the place to say how it went. A probe that says nothing, since its client is gone,
/// leaves its place to the next request.
#[derive(Debug)]
pub(in crate::origin) struct Pass<'a> {
    breaker: &'a Breaker,
    is_probe: bool,
}

/// The state of a breaker has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::origin) enum Turn {
    Opened,
    Closed,
}

// === impl Breaker ===

impl Breaker {
    pub(in crate::origin) fn new(policy: CircuitBreaker) -> Self {
        Self { policy, failures: AtomicU32::new(0), probe: Mutex::default() }
    }

    /// Lets a request through.
    ///
    /// # Errors
    ///
    /// How long it is until the next probe.
    pub(in crate::origin) fn admit(&self) -> Result<Pass<'_>, Duration> {
        if !self.is_open() {
            return Ok(Pass { breaker: self, is_probe: false });
        }
        self.admit_probe(Instant::now())
    }

    /// Whether requests are refused.
    pub(in crate::origin) fn is_open(&self) -> bool {
        self.failures.load(Ordering::Relaxed) >= self.policy.failures
    }

    fn admit_probe(&self, now: Instant) -> Result<Pass<'_>, Duration> {
        let mut probe = self.probe();
        let left = match probe.next {
            Some(next) => next.saturating_duration_since(now),
            // The failure that opens it is just being counted.
            None => self.policy.interval,
        };
        if !left.is_zero() || probe.is_under_way {
            return Err(if left.is_zero() { self.policy.interval } else { left });
        }
        probe.is_under_way = true;
        Ok(Pass { breaker: self, is_probe: true })
    }

    fn probe(&self) -> MutexGuard<'_, Probe> {
        self.probe.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Pass ===

impl Pass<'_> {
    /// S3 answers.
    pub(in crate::origin) fn succeeded(self) -> Option<Turn> {
        let Breaker { policy, failures, .. } = self.breaker;
        // Nearly always: then nothing is written that other threads read.
        if failures.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let was_open = failures.swap(0, Ordering::Relaxed) >= policy.failures;
        let mut probe = self.breaker.probe();
        probe.next = None;
        was_open.then_some(Turn::Closed)
    }

    /// S3 fails.
    pub(in crate::origin) fn failed(self) -> Option<Turn> {
        let Breaker { policy, failures, .. } = self.breaker;
        let more = |count: u32| Some(count.saturating_add(1));
        let before =
            failures.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).unwrap_or_else(|same| same);
        let opens = before.saturating_add(1) == policy.failures;
        // Requests that were sent before it opened do not put off the probe.
        if opens || self.is_probe {
            self.breaker.probe().next = Instant::now().checked_add(policy.interval);
        }
        opens.then_some(Turn::Opened)
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if self.is_probe {
            self.breaker.probe().is_under_way = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const INTERVAL: Duration = Duration::from_secs(1);

    fn breaker() -> Breaker {
        Breaker::new(CircuitBreaker::default().failures(3).interval(INTERVAL))
    }

    fn open() -> Breaker {
        let breaker = breaker();
        for expected in [None, None, Some(Turn::Opened)] {
            assert_eq!(breaker.admit().unwrap().failed(), expected);
        }
        breaker
    }

    #[tokio::test(start_paused = true)]
    async fn only_failures_in_a_row_open_it() {
        let breaker = breaker();
        for _ in 0..10 {
            assert_eq!(breaker.admit().unwrap().failed(), None);
            assert_eq!(breaker.admit().unwrap().failed(), None);
            assert_eq!(breaker.admit().unwrap().succeeded(), None);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_probe_an_interval_goes_through_until_one_succeeds() {
        let breaker = open();
        assert_eq!(breaker.admit().unwrap_err(), INTERVAL);
        advance(INTERVAL / 2).await;
        assert_eq!(breaker.admit().unwrap_err(), INTERVAL / 2);
        advance(INTERVAL / 2).await;
        let probe = breaker.admit().unwrap();
        assert_eq!(breaker.admit().unwrap_err(), INTERVAL, "one at a time");
        assert_eq!(probe.failed(), None);
        assert_eq!(breaker.admit().unwrap_err(), INTERVAL);
        advance(INTERVAL).await;
        assert_eq!(breaker.admit().unwrap().succeeded(), Some(Turn::Closed));
        let (one, other) = (breaker.admit().unwrap(), breaker.admit().unwrap());
        assert_eq!((one.succeeded(), other.failed()), (None, None));
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_whose_client_is_gone_leaves_its_place_to_the_next() {
        let breaker = open();
        advance(INTERVAL).await;
        drop(breaker.admit().unwrap());
        drop(breaker.admit().unwrap());
        assert_eq!(breaker.admit().unwrap().succeeded(), Some(Turn::Closed));
    }

    #[tokio::test(start_paused = true)]
    async fn requests_sent_before_do_not_put_off_the_probe_and_a_late_success_closes_it() {
        let breaker = breaker();
        let (late, later) = (breaker.admit().unwrap(), breaker.admit().unwrap());
        for _ in 0..3 {
            breaker.admit().unwrap().failed();
        }
        advance(INTERVAL / 2).await;
        assert_eq!(late.failed(), None);
        assert_eq!(breaker.admit().unwrap_err(), INTERVAL / 2);
        assert_eq!(later.succeeded(), Some(Turn::Closed));
        assert!(breaker.admit().is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_breaker_that_never_opens_never_does() {
        let breaker = Breaker::new(CircuitBreaker::never());
        for _ in 0..1000 {
            assert_eq!(breaker.admit().unwrap().failed(), None);
        }
    }
}
