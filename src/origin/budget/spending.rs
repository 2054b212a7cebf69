use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use http::StatusCode;

use super::{Budget, account::Account, policy::DAY, state_file::Counts};
use crate::{error::ConfigError, object::BucketName, request::Purpose};

/// What was spent of the [budget](crate::resilience::Budget) of a mount. See [`Mount::budget`](crate::Mount::budget).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct BudgetSnapshot {
    /// Requests to S3 on this day.
    pub requests: u64,
    /// Bytes of bodies that S3 sent on this day. Those of a body that is being read are counted from time to time.
    pub bytes: u64,
    /// Until the day ends.
    pub left: Duration,
}

/// A budget, and the account that it is spent from.
#[derive(Debug)]
pub(crate) struct Spending {
    budget: Budget,
    account: Arc<Account>,
}

/// How much of a budget is spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Level {
    Plenty,
    Near,
    UsedUp,
}

/// Why S3 is not asked: the budget of the day is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UsedUp {
    pub(crate) status: StatusCode,
    pub(crate) until_next_day: Duration,
}

/// Counts the bytes of a body.
#[derive(Debug)]
pub(crate) struct ByteCount {
    account: Arc<Account>,
    /// Those that the account has not been told of.
    pending: u64,
}

/// In bytes. What a body has read beyond is told at once.
const TOLD_AFTER: u64 = 256 * 1024;

// === impl Spending ===

impl Spending {
    pub(crate) fn new(budget: &Budget) -> Result<Self, ConfigError> {
        budget.check()?;
        Ok(Self { budget: budget.clone(), account: Account::of(budget)? })
    }

    /// Counts a request to S3, if there is room for it.
    pub(crate) fn admit(&self, now: SystemTime, purpose: Purpose, bucket: &BucketName) -> Result<(), UsedUp> {
        let (day, _) = self.day(now);
        let counts = self.account.counts(day);
        let level = match purpose {
            Purpose::Check => return Ok(()),
            Purpose::Begin | Purpose::Spare if self.level_of(counts) == Level::UsedUp => Err(()),
            Purpose::Begin | Purpose::Spare => self.account.request(self.budget.requests),
            // What was sent of the response would be wasted.
            Purpose::Continue => self.account.request(None),
        };
        let level =
            level.map(|before| self.level_of(Counts { requests: before.saturating_add(1), ..counts }));
        self.tell(level.unwrap_or(Level::UsedUp), counts, bucket);
        level.map(drop).map_err(|()| self.used_up(now))
    }

    /// Counts a request that has already been admitted.
    pub(crate) fn count(&self, now: SystemTime, bucket: &BucketName) {
        // One that goes on is never refused.
        let _ = self.admit(now, Purpose::Continue, bucket);
    }

    /// Whether there is room for a request that is counted when it is sent.
    pub(crate) fn check(&self, now: SystemTime) -> Result<(), UsedUp> {
        if self.level(now) == Level::UsedUp { Err(self.used_up(now)) } else { Ok(()) }
    }

    pub(crate) fn level(&self, now: SystemTime) -> Level {
        self.level_of(self.account.counts(self.day(now).0))
    }

    /// For a body that S3 sends.
    pub(crate) fn byte_count(&self) -> ByteCount {
        ByteCount { account: Arc::clone(&self.account), pending: 0 }
    }

    pub(crate) fn snapshot(&self, now: SystemTime) -> BudgetSnapshot {
        let (day, left) = self.day(now);
        let Counts { requests, bytes, .. } = self.account.counts(day);
        BudgetSnapshot { requests, bytes, left }
    }

    fn level_of(&self, counts: Counts) -> Level {
        let Budget { requests, bytes, near, .. } = &self.budget;
        let of = |spent: u64, most: Option<u64>| match most {
            None => Level::Plenty,
            Some(most) if spent >= most => Level::UsedUp,
            Some(most) if u128::from(spent) * 100 >= u128::from(most) * u128::from(*near) => Level::Near,
            Some(_) => Level::Plenty,
        };
        of(counts.requests, *requests).max(of(counts.bytes, *bytes))
    }

    fn tell(&self, level: Level, counts: Counts, bucket: &BucketName) {
        if level == Level::Plenty || !self.account.is_news(level) {
            return;
        }
        let Counts { requests, bytes, .. } = counts;
        match level {
            Level::Plenty => {}
            Level::Near => {
                tracing::warn!(%bucket, requests, bytes, "the budget of the day is nearly used up: what is in the cache is not revalidated");
            }
            Level::UsedUp => {
                tracing::error!(%bucket, requests, bytes, "the budget of the day is used up: S3 is not asked until the next day");
            }
        }
    }

    fn used_up(&self, now: SystemTime) -> UsedUp {
        UsedUp { status: self.budget.answer.status(), until_next_day: self.day(now).1 }
    }

    /// The day, and how long it lasts from now on.
    fn day(&self, now: SystemTime) -> (u64, Duration) {
        let since = now.duration_since(UNIX_EPOCH).unwrap_or_default().saturating_sub(self.budget.day_begins);
        let (day, seconds) = (since.as_secs() / DAY.as_secs(), since.as_secs() % DAY.as_secs());
        (day, DAY.saturating_sub(Duration::from_secs(seconds)))
    }
}

// === impl ByteCount ===

impl ByteCount {
    pub(crate) fn add(&mut self, bytes: usize) {
        self.pending = self.pending.saturating_add(bytes as u64);
        if self.pending >= TOLD_AFTER {
            self.tell();
        }
    }

    fn tell(&mut self) {
        if self.pending > 0 {
            self.account.add_bytes(std::mem::take(&mut self.pending));
        }
    }
}

impl Drop for ByteCount {
    fn drop(&mut self) {
        self.tell();
    }
}

// === impl UsedUp ===

impl fmt::Display for UsedUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the budget of the day is used up, for {} s more", self.until_next_day.as_secs())
    }
}

impl std::error::Error for UsedUp {}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(day: u64, seconds: u64) -> SystemTime {
        UNIX_EPOCH + DAY * u32::try_from(day).unwrap() + Duration::from_secs(seconds)
    }

    fn bucket() -> BucketName {
        BucketName::parse("studio-media").unwrap()
    }

    #[test]
    fn requests_are_counted_up_to_the_limit_and_again_on_the_next_day() {
        let spending = Spending::new(&Budget::default().requests(10).near(80)).unwrap();
        let ask = |now| spending.admit(now, Purpose::Begin, &bucket());
        for asked in 1..=10 {
            assert_eq!(ask(at(5, 100)), Ok(()));
            let level = match asked {
                ..8 => Level::Plenty,
                8..10 => Level::Near,
                10.. => Level::UsedUp,
            };
            assert_eq!(spending.level(at(5, 100)), level, "{asked}");
        }
        let refused = ask(at(5, 86_000)).unwrap_err();
        assert_eq!(refused.until_next_day, Duration::from_secs(400));
        assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(spending.snapshot(at(5, 86_000)).requests, 10);
        // What has begun goes on.
        assert_eq!(spending.admit(at(5, 86_000), Purpose::Continue, &bucket()), Ok(()));
        assert_eq!(spending.admit(at(5, 86_000), Purpose::Check, &bucket()), Ok(()));
        assert_eq!(spending.snapshot(at(5, 86_000)).requests, 11);
        assert_eq!(ask(at(6, 0)), Ok(()));
        assert_eq!(spending.snapshot(at(6, 0)).requests, 1);
    }

    #[test]
    fn bytes_are_counted_in_steps_and_at_the_end_of_a_body() {
        let spending = Spending::new(&Budget::default().bytes(1_000_000)).unwrap();
        let bytes = || spending.snapshot(at(5, 0)).bytes;
        assert_eq!(bytes(), 0);
        let mut meter = spending.byte_count();
        for (add, told) in [(100_000, 0), (100_000, 0), (100_000, 300_000), (100_000, 300_000)] {
            meter.add(add);
            assert_eq!(bytes(), told);
        }
        drop(meter);
        assert_eq!(bytes(), 400_000);
        assert_eq!(spending.check(at(5, 0)), Ok(()));
        spending.byte_count().add(600_000);
        assert_eq!(spending.level(at(5, 0)), Level::UsedUp);
        assert!(spending.admit(at(5, 0), Purpose::Begin, &bucket()).is_err());
        assert!(spending.check(at(5, 0)).is_err());
        assert_eq!(spending.check(at(6, 0)), Ok(()));
    }

    #[test]
    fn the_day_begins_when_the_budget_says() {
        let six = Duration::from_secs(6 * 3600);
        let spending = Spending::new(&Budget::default().requests(1).day_begins(six)).unwrap();
        for (now, day, left) in [
            (at(5, 0), 4, 6 * 3600),
            (at(5, 6 * 3600 - 1), 4, 1),
            (at(5, 6 * 3600), 5, 24 * 3600),
            (at(5, 7 * 3600), 5, 23 * 3600),
        ] {
            assert_eq!(spending.day(now), (day, Duration::from_secs(left)), "{now:?}");
        }
    }
}
