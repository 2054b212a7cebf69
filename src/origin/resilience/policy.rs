use std::time::Duration;

use crate::error::{ConfigError, ConfigErrorKind};

/// When a read of S3 is repeated: after 500, 502, 503, 504, 408 and 429, after a reset, and after a time-out.
///
/// Nothing that a client has seen is ever taken back: a read is repeated before the first byte of its response. A body that
/// breaks off later goes on with another read of the rest, which the same budget allows.
///
/// A repeated read waits at random, up to [`first_pause`](Self::first_pause), then up to twice as long each time ([full
/// jitter](https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/)), or as long as `Retry-After` says.
/// Each mount has a budget of 100 repeated reads. One that succeeds does not count, and five successes at the first attempt
/// give one back: so failures here and there are always repeated, and an S3 that is down is not asked more for it.
///
/// ```
/// use std::time::Duration;
///
/// use tower_s3_proxy::{BucketName, Mount, RetryPolicy};
///
/// let hasty = RetryPolicy::default().max_attempts(3).deadline(Duration::from_secs(2));
/// let mount = Mount::builder(BucketName::parse("studio-media")?).region("us-west-2").anonymous().retry(hasty).build()?;
/// # let _ = mount;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct RetryPolicy {
    /// By default it depends on whether there is a replica.
    max_attempts: Option<u32>,
    first_pause: Duration,
    longest_pause: Duration,
    deadline: Duration,
}

/// When S3 is left alone: after so many failures in a row, requests to it are refused with 503 and `Retry-After` at once,
/// or answered with what is stale in the cache. In each interval one request is let through, and the first that succeeds
/// ends it.
///
/// Failures are those that [`RetryPolicy`] names, each attempt for itself.
#[derive(Debug, Clone, PartialEq)]
pub struct CircuitBreaker {
    pub(super) failures: u32,
    pub(super) interval: Duration,
}

/// When a read that is late is asked for once more, on another connection: the faster response wins, and the other request
/// is dropped.
///
/// Late is what takes longer to its first byte than most reads did lately. It is off by default: it makes the slowest reads
/// faster, and S3 is asked a little more.
///
/// ```
/// use tower_s3_proxy::{BucketName, Mount, resilience::Hedging};
///
/// let bucket = BucketName::parse("studio-media")?;
/// let mount = Mount::builder(bucket).region("us-west-2").anonymous().hedge(Hedging::default()).build()?;
/// # let _ = mount;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Hedging {
    pub(super) quantile: f64,
    pub(super) at_least: Duration,
    pub(super) per_thousand: u32,
}

// === impl RetryPolicy ===

impl RetryPolicy {
    /// No read is repeated, and no body goes on once it broke off, unless there is a replica.
    pub fn never() -> Self {
        Self::default().max_attempts(1)
    }

    /// The number of attempts for a read, the first included; 6 by default, and 2 if the mount has a
    /// [replica](crate::MountBuilder::replica).
    #[must_use]
    pub fn max_attempts(self, max_attempts: u32) -> Self {
        Self { max_attempts: Some(max_attempts), ..self }
    }

    /// The longest pause before the second attempt; 50 ms by default. It doubles with each further one.
    #[must_use]
    pub fn first_pause(self, first_pause: Duration) -> Self {
        Self { first_pause, ..self }
    }

    /// The longest pause of all; 2 s by default.
    #[must_use]
    pub fn longest_pause(self, longest_pause: Duration) -> Self {
        Self { longest_pause, ..self }
    }

    /// How long after the first attempt the last one can begin; 15 s by default. `Retry-After` beyond it is passed on to the
    /// client at once.
    #[must_use]
    pub fn deadline(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    /// # Errors
    ///
    /// [`ConfigErrorKind::InvalidValue`] if nothing could ever be asked.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        if self.max_attempts == Some(0) {
            let message =
                "max_attempts is 0: nothing could ever be asked of S3; 1 if no read shall be repeated";
            return Err(ConfigError::new(ConfigErrorKind::InvalidValue, message));
        }
        Ok(())
    }

    /// The policy of a mount with a replica.
    pub(crate) fn beside_a_replica(self) -> Self {
        Self { max_attempts: self.max_attempts.or(Some(ATTEMPTS_BESIDE_A_REPLICA)), ..self }
    }

    pub(super) fn attempts(&self) -> u32 {
        self.max_attempts.unwrap_or(ATTEMPTS)
    }

    /// The pause before the next attempt, if there is one. `random` is from 0 to 1.
    pub(crate) fn pause(
        &self,
        made: u32,
        elapsed: Duration,
        retry_after: Option<Duration>,
        random: f64,
    ) -> Option<Duration> {
        if made >= self.attempts() {
            return None;
        }
        let doubled = 2_u32.saturating_pow(made.saturating_sub(1));
        let longest = self.first_pause.saturating_mul(doubled).min(self.longest_pause);
        let pause = longest.mul_f64(random.clamp(0.0, 1.0)).max(retry_after.unwrap_or_default());
        (elapsed.saturating_add(pause) < self.deadline).then_some(pause)
    }
}

const ATTEMPTS: u32 = 6;
const ATTEMPTS_BESIDE_A_REPLICA: u32 = 2;

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_attempts: None,
            first_pause: Duration::from_millis(50),
            longest_pause: Duration::from_secs(2),
            deadline: Duration::from_secs(15),
        }
    }
}

// === impl CircuitBreaker ===

impl CircuitBreaker {
    /// S3 is asked whatever it answers.
    pub fn never() -> Self {
        Self { failures: u32::MAX, ..Self::default() }
    }

    /// The number of failures in a row, of all requests together; 20 by default.
    #[must_use]
    pub fn failures(self, failures: u32) -> Self {
        Self { failures, ..self }
    }

    /// How often S3 is asked all the same; 1 s by default.
    #[must_use]
    pub fn interval(self, interval: Duration) -> Self {
        Self { interval, ..self }
    }

    /// # Errors
    ///
    /// [`ConfigErrorKind::InvalidValue`] if S3 would never be asked, or always.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let message = if self.failures == 0 {
            "the circuit breaker opens after 0 failures: nothing could ever be asked of S3; CircuitBreaker::never, or \
             enabled = false in a file, lets S3 be asked whatever it answers"
        } else if self.interval.is_zero() {
            "the interval of the circuit breaker is zero: leave it out; CircuitBreaker::never, or enabled = false in a \
             file, lets S3 be asked whatever it answers"
        } else {
            return Ok(());
        };
        Err(ConfigError::new(ConfigErrorKind::InvalidValue, message))
    }
}

impl Default for CircuitBreaker {
    fn default() -> Self {
        Self { failures: 20, interval: Duration::from_secs(1) }
    }
}

// === impl Hedging ===

impl Hedging {
    /// A read is late if this share of the last reads was faster; 0.95 by default.
    #[must_use]
    pub fn quantile(self, quantile: f64) -> Self {
        Self { quantile, ..self }
    }

    /// No read is late before; 10 ms by default.
    #[must_use]
    pub fn at_least(self, at_least: Duration) -> Self {
        Self { at_least, ..self }
    }

    /// How many of a thousand reads can be hedged; 50 by default.
    #[must_use]
    pub fn per_thousand(self, per_thousand: u32) -> Self {
        Self { per_thousand, ..self }
    }

    /// # Errors
    ///
    /// [`ConfigErrorKind::InvalidValue`] if no read could be late, or all were.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let message = if !(self.quantile > 0.0 && self.quantile < 1.0) {
            "the quantile of hedged reads must lie between 0 and 1, like 0.95"
        } else if !(1..=1000).contains(&self.per_thousand) {
            "of a thousand reads, 1 to 1000 can be hedged; leave hedging out if none shall be"
        } else {
            return Ok(());
        };
        Err(ConfigError::new(ConfigErrorKind::InvalidValue, message))
    }
}

impl Default for Hedging {
    fn default() -> Self {
        Self { quantile: 0.95, at_least: Duration::from_millis(10), per_thousand: 50 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn pauses_double_up_to_the_longest_and_end_with_the_attempts_or_the_deadline() {
        let policy = RetryPolicy::default();
        let s = Duration::from_secs;
        for (made, elapsed, retry_after, random, pause) in [
            (1, s(0), None, 0.0, Some(s(0))),
            (1, s(0), None, 1.0, Some(50 * MS)),
            (2, s(0), None, 1.0, Some(100 * MS)),
            (5, s(0), None, 1.0, Some(800 * MS)),
            (5, s(0), None, 0.5, Some(400 * MS)),
            (6, s(0), None, 0.0, None),
            // `Retry-After` is the least of it.
            (1, s(0), Some(s(3)), 1.0, Some(s(3))),
            (4, s(0), Some(MS), 1.0, Some(400 * MS)),
            // The deadline.
            (1, s(0), Some(s(15)), 0.0, None),
            (1, s(15), None, 0.0, None),
            (1, s(14), Some(s(2)), 0.0, None),
            (1, s(14), None, 1.0, Some(50 * MS)),
        ] {
            let row = format!("{made} {elapsed:?} {retry_after:?} {random}");
            assert_eq!(policy.pause(made, elapsed, retry_after, random), pause, "{row}");
        }
        let patient = RetryPolicy::default().max_attempts(u32::MAX);
        assert_eq!(patient.pause(1000, s(0), None, 1.0), Some(s(2)));
        assert_eq!(RetryPolicy::never().pause(1, s(0), None, 0.0), None);
    }

    #[test]
    fn policies_are_what_they_are_told_to_be() {
        let policy = RetryPolicy::default().first_pause(3 * MS).longest_pause(4 * MS).deadline(9 * MS);
        for (made, elapsed, pause) in [
            (1, Duration::ZERO, Some(3 * MS)),
            (2, Duration::ZERO, Some(4 * MS)),
            (1, 5 * MS, Some(3 * MS)),
            (1, 6 * MS, None),
        ] {
            assert_eq!(policy.pause(made, elapsed, None, 1.0), pause, "{made} {elapsed:?}");
        }
        for (policy, attempts) in [
            (RetryPolicy::default(), 6),
            (RetryPolicy::default().beside_a_replica(), 2),
            (RetryPolicy::default().max_attempts(4), 4),
            (RetryPolicy::default().max_attempts(4).beside_a_replica(), 4),
            (RetryPolicy::never().beside_a_replica(), 1),
        ] {
            assert_eq!(policy.attempts(), attempts, "{policy:?}");
        }
        let breaker = CircuitBreaker::default().failures(7).interval(8 * MS);
        assert_eq!((breaker.failures, breaker.interval), (7, 8 * MS));
        let hedging = Hedging::default().quantile(0.5).at_least(3 * MS).per_thousand(9);
        assert_eq!((hedging.quantile, hedging.at_least, hedging.per_thousand), (0.5, 3 * MS, 9));
    }

    #[test]
    fn policies_that_ask_nothing_are_refused() {
        assert!(RetryPolicy::default().check().is_ok() && CircuitBreaker::default().check().is_ok());
        assert!(RetryPolicy::default().max_attempts(0).check().is_err());
        assert!(CircuitBreaker::default().failures(0).check().is_err());
        assert!(CircuitBreaker::default().interval(Duration::ZERO).check().is_err());
        assert!(Hedging::default().check().is_ok());
        for hedging in [0.0, 1.0, -1.0, f64::NAN].map(|quantile| Hedging::default().quantile(quantile)) {
            assert!(hedging.check().is_err(), "{hedging:?}");
        }
        for (per_thousand, is_ok) in [(0, false), (1, true), (1000, true), (1001, false)] {
            assert_eq!(
                Hedging::default().per_thousand(per_thousand).check().is_ok(),
                is_ok,
                "{per_thousand}"
            );
        }
    }
}
