//! Hedged reads: a second request for a read that is late ([Dean and Barroso, "The Tail at
//! Scale"](https://research.google/pubs/the-tail-at-scale/)).

use std::{
    future::Future,
    pin::{Pin, pin},
    sync::atomic::{AtomicU32, Ordering},
    task::Poll,
    time::Duration,
};

use tokio::time::{Instant, timeout};

use super::{
    super::{Answer, OriginError, S3Origin, Target, wire::Reuse},
    Hedging,
    retry::Trouble,
};
use crate::request::Question;

/// How late reads are, and how many were hedged.
#[derive(Debug)]
pub(in crate::origin) struct Hedges {
    policy: Hedging,
    latencies: Latencies,
    /// In thousandths of a hedge.
    allowance: AtomicU32,
}

/// A histogram of the last reads. Its buckets grow by a fifth each.
#[derive(Debug)]
struct Latencies {
    buckets: [AtomicU32; BUCKETS],
    count: AtomicU32,
}

/// From 100 µs to two minutes.
const BUCKETS: usize = 77;
const SHORTEST: f64 = 1e-4;
const GROWTH: f64 = 1.2;

/// So many reads tell what is late; when there are twice as many, half of them are forgotten.
const ENOUGH: u32 = 200;

const HEDGE: u32 = 1000;
const MOST_SAVED: u32 = 10 * HEDGE;

impl S3Origin {
    /// Reads, and if the first byte is later than that of most reads, asks once more on another connection. The faster
    /// response wins, and the other request is dropped.
    pub(super) async fn hedged(
        &self,
        hedges: &Hedges,
        target: Target<'_>,
        question: &Question,
    ) -> Result<Answer, OriginError> {
        let begun = Instant::now();
        let mut first = pin!(self.attempt(target, question, Reuse::Allowed));
        let answered = match hedges.patience() {
            None => first.await,
            Some(patience) => match timeout(patience, first.as_mut()).await {
                Ok(answered) => answered,
                Err(_) if !hedges.withdraw() => first.await,
                Err(_) => {
                    self.resilience.counters.hedged();
                    let second = pin!(self.attempt(target, question, Reuse::Fresh));
                    let (winner, answered) = self.faster(first, second).await;
                    if winner == Winner::Second {
                        self.resilience.counters.hedge_won();
                    }
                    answered
                }
            },
        };
        // What fails is often fast, and tells nothing of how long an answer takes.
        if Trouble::of(&answered, self.now()).is_none() && answered.is_ok() {
            hedges.note(begun.elapsed());
        }
        answered
    }

    /// The first that is no failure, or else the last failure.
    async fn faster<T>(&self, first: Pin<&mut T>, second: Pin<&mut T>) -> (Winner, T::Output)
    where
        T: Future<Output = Result<Answer, OriginError>>,
    {
        let mut running = [(Winner::First, Some(first)), (Winner::Second, Some(second))];
        std::future::poll_fn(|cx| {
            for at in 0..running.len() {
                let is_last = running.iter().filter(|(_, attempt)| attempt.is_some()).count() == 1;
                let Some((winner, slot)) = running.get_mut(at) else { continue };
                if let Some(attempt) = slot
                    && let Poll::Ready(answered) = attempt.as_mut().poll(cx)
                {
                    *slot = None;
                    // A second request that is not sent leaves the response to the first.
                    let is_unsent = matches!(answered, Err(OriginError::UsedUp(_)));
                    if is_last || !is_unsent && Trouble::of(&answered, self.now()).is_none() {
                        return Poll::Ready((*winner, answered));
                    }
                }
            }
            Poll::Pending
        })
        .await
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Winner {
    First,
    Second,
}

// === impl Hedges ===

impl Hedges {
    pub(super) fn new(policy: Hedging) -> Self {
        Self { policy, latencies: Latencies::default(), allowance: AtomicU32::new(HEDGE) }
    }

    /// How long a read is waited for before it is hedged; `None` until enough reads are known.
    fn patience(&self) -> Option<Duration> {
        Some(self.latencies.quantile(self.policy.quantile)?.max(self.policy.at_least))
    }

    fn withdraw(&self) -> bool {
        let less = |units: u32| units.checked_sub(HEDGE);
        self.allowance.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }

    /// Notes a read: its latency counts, and it allows a part of a hedge.
    fn note(&self, latency: Duration) {
        self.latencies.add(latency);
        let share = self.policy.per_thousand;
        let more = |units: u32| Some(units.saturating_add(share).min(MOST_SAVED));
        let _ = self.allowance.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
    }
}

// === impl Latencies ===

impl Latencies {
    fn add(&self, latency: Duration) {
        let steps = (latency.as_secs_f64() / SHORTEST).max(1.0).log(GROWTH);
        // A few dozens, and never negative.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "see above")]
        let at = (steps.ceil() as usize).min(BUCKETS - 1);
        if let Some(bucket) = self.buckets.get(at) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        if self.count.fetch_add(1, Ordering::Relaxed) + 1 == 2 * ENOUGH {
            self.forget_half();
        }
    }

    /// Reads that end at the same time may be counted or not: it is a statistic.
    fn forget_half(&self) {
        let mut left = 0;
        for bucket in &self.buckets {
            let half = bucket.load(Ordering::Relaxed) / 2;
            bucket.store(half, Ordering::Relaxed);
            left += half;
        }
        self.count.store(left, Ordering::Relaxed);
    }

    /// The upper end of the bucket in which it lies.
    fn quantile(&self, quantile: f64) -> Option<Duration> {
        let count = self.count.load(Ordering::Relaxed);
        if count < ENOUGH / 2 {
            return None;
        }
        let wanted = quantile * f64::from(count);
        let mut seen = 0;
        let at = self.buckets.iter().position(|bucket| {
            seen += bucket.load(Ordering::Relaxed);
            f64::from(seen) >= wanted
        })?;
        let steps = i32::try_from(at).ok()?;
        Some(Duration::from_secs_f64(SHORTEST * GROWTH.powi(steps)))
    }
}

impl Default for Latencies {
    fn default() -> Self {
        Self { buckets: std::array::from_fn(|_| AtomicU32::new(0)), count: AtomicU32::new(0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn hedges() -> Hedges {
        Hedges::new(Hedging::default())
    }

    #[test]
    fn what_is_late_is_known_after_a_hundred_reads() {
        let hedges = hedges();
        for _ in 0..99 {
            hedges.note(10 * MS);
        }
        assert_eq!(hedges.patience(), None);
        hedges.note(10 * MS);
        let patience = hedges.patience().unwrap();
        assert!((10 * MS..13 * MS).contains(&patience), "{patience:?}");
        // Two in a hundred are late: the quantile does not care.
        for number in 0..10_000 {
            hedges.note(if number % 50 == 0 { 1000 * MS } else { 10 * MS });
        }
        let patience = hedges.patience().unwrap();
        assert!((10 * MS..13 * MS).contains(&patience), "{patience:?}");
        // All of them are: it follows.
        for _ in 0..1000 {
            hedges.note(200 * MS);
        }
        assert!(hedges.patience().unwrap() >= 200 * MS);
    }

    #[test]
    fn at_most_five_in_a_hundred_are_hedged() {
        let hedges = hedges();
        let mut hedged = 0;
        for _ in 0..10_000 {
            hedged += u32::from(hedges.withdraw());
            hedges.note(MS);
        }
        assert!((490..=501).contains(&hedged), "{hedged}");
    }

    #[test]
    fn ten_hedges_can_be_saved_up() {
        let hedges = hedges();
        for _ in 0..1000 {
            hedges.note(MS);
        }
        let saved = (0..100).filter(|_| hedges.withdraw()).count();
        assert_eq!(saved, 10);
    }

    #[test]
    fn of_four_hundred_reads_half_are_forgotten() {
        let latencies = Latencies::default();
        for (reads, count) in [(399, 399), (1, 200), (199, 399), (1, 200)] {
            for _ in 0..reads {
                latencies.add(MS);
            }
            assert_eq!(latencies.count.load(Ordering::Relaxed), count);
        }
    }

    #[test]
    fn any_latency_has_a_bucket() {
        let latencies = Latencies::default();
        for latency in [Duration::ZERO, Duration::from_nanos(1), Duration::MAX] {
            for _ in 0..50 {
                latencies.add(latency);
            }
        }
        assert!(latencies.quantile(1.0).unwrap() > Duration::from_secs(60));
        assert_eq!(latencies.quantile(0.0).unwrap(), Duration::from_secs_f64(SHORTEST));
    }
}
