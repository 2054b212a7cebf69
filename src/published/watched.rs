use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use arc_swap::ArcSwapOption;
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::error::ProxyError;

/// A value that is read from the bucket, and read again now and then. Requests take what is known; one at a time reads.
pub(crate) struct Watched<T> {
    known: ArcSwapOption<Known<T>>,
    turn: Arc<Mutex<()>>,
}

struct Known<T> {
    outcome: Result<Arc<T>, ProxyError>,
    read_at: SystemTime,
    /// Counts what is told of changes: another number, and the value is outdated.
    epoch: u64,
}

/// What is known, at a time.
pub(crate) enum Look<T> {
    Fresh(Result<Arc<T>, ProxyError>),
    /// Still good, and time to read it again.
    Due(Arc<T>),
    /// Nothing, or something that is said to be outdated.
    Outdated,
}

/// The right to read the value. Others wait for its end.
pub(crate) struct Turn(#[expect(dead_code, reason = "held until it is dropped")] OwnedMutexGuard<()>);

/// How long a failure stands where nothing is known: each request would ask S3 again.
const FAILED_FOR: Duration = Duration::from_secs(1);

// === impl Watched ===

impl<T> Watched<T> {
    pub(crate) fn look(&self, now: SystemTime, epoch: u64, refresh: Duration) -> Look<T> {
        let known = self.known.load();
        let Some(known) = known.as_ref().filter(|known| known.epoch == epoch) else { return Look::Outdated };
        // Backwards, the clock was set: nothing is known of the age then.
        let age = now.duration_since(known.read_at).ok();
        match &known.outcome {
            Ok(value) if age.is_some_and(|age| age < refresh) => Look::Fresh(Ok(Arc::clone(value))),
            Ok(value) => Look::Due(Arc::clone(value)),
            Err(error) if age.is_some_and(|age| age < FAILED_FOR) => Look::Fresh(Err(error.clone())),
            Err(_) => Look::Outdated,
        }
    }

    /// The value that was read last.
    pub(crate) fn last(&self) -> Option<Arc<T>> {
        self.known.load().as_ref().and_then(|known| known.outcome.as_ref().ok().cloned())
    }

    /// Keeps what was read. The time and the epoch are those of before. If there was no reading it, what is known stays.
    pub(crate) fn keep(
        &self,
        outcome: Result<Arc<T>, ProxyError>,
        read_at: SystemTime,
        epoch: u64,
    ) -> Result<Arc<T>, ProxyError> {
        let outcome = outcome.or_else(|error| self.last().ok_or(error));
        self.known.store(Some(Arc::new(Known { outcome: outcome.clone(), read_at, epoch })));
        outcome
    }

    pub(crate) async fn turn(&self) -> Turn {
        Turn(Arc::clone(&self.turn).lock_owned().await)
    }

    /// `None` if another has it.
    pub(crate) fn try_turn(&self) -> Option<Turn> {
        Arc::clone(&self.turn).try_lock_owned().ok().map(Turn)
    }
}

impl<T> Default for Watched<T> {
    fn default() -> Self {
        Self { known: ArcSwapOption::empty(), turn: Arc::default() }
    }
}

impl<T> fmt::Debug for Watched<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ProxyErrorKind;

    fn told(watched: &Watched<u8>, now: u64, epoch: u64) -> String {
        match watched.look(at(now), epoch, Duration::from_secs(5)) {
            Look::Fresh(Ok(value)) => format!("fresh {value}"),
            Look::Fresh(Err(_)) => "failed".to_owned(),
            Look::Due(value) => format!("due {value}"),
            Look::Outdated => "outdated".to_owned(),
        }
    }

    fn at(second: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(second)
    }

    #[test]
    fn a_value_is_fresh_then_due_and_outdated_when_that_is_told() {
        let watched = Watched::default();
        let failed = || Err(ProxyError::new(ProxyErrorKind::OriginBusy));
        assert_eq!(told(&watched, 100, 0), "outdated");
        assert!(watched.keep(failed(), at(100), 0).is_err());
        assert_eq!([told(&watched, 100, 0), told(&watched, 101, 0)], ["failed", "outdated"]);
        assert_eq!(*watched.keep(Ok(Arc::new(7)), at(101), 0).unwrap(), 7);
        for (now, epoch, expected) in [
            (101, 0, "fresh 7"),
            (105, 0, "fresh 7"),
            (106, 0, "due 7"),
            (99, 0, "due 7"),
            (102, 1, "outdated"),
        ] {
            assert_eq!(told(&watched, now, epoch), expected, "{now} {epoch}");
        }
        // What is known outlives a failure, and is asked about no more often for it.
        assert_eq!(*watched.keep(failed(), at(110), 1).unwrap(), 7);
        assert_eq!([told(&watched, 111, 1), told(&watched, 115, 1)], ["fresh 7", "due 7"]);
    }
}
