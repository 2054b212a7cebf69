use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use aws_smithy_async::time::{SharedTimeSource, TimeSource};

/// The time by S3's clock, for signatures and credentials. Clones are the same clock.
#[derive(Debug, Clone)]
pub(crate) struct OriginClock {
    ours: SharedTimeSource,
    /// How far S3's clock is ahead of ours, in milliseconds.
    offset: Arc<AtomicI64>,
}

// === impl OriginClock ===

impl OriginClock {
    pub(crate) fn new(ours: SharedTimeSource) -> Self {
        Self { ours, offset: Arc::default() }
    }

    /// The time without the correction.
    #[cfg(feature = "diagnosis")]
    pub(super) fn uncorrected(&self) -> SystemTime {
        self.ours.now()
    }

    /// Adopts S3's clock from now on, unless its time is implausible.
    pub(super) fn set(&self, theirs: SystemTime) {
        let is_sane = (UNIX_EPOCH + EARLIEST..UNIX_EPOCH + LATEST).contains(&theirs);
        let millis = |duration: Duration| i64::try_from(duration.as_millis()).ok();
        let offset = match theirs.duration_since(self.ours.now()) {
            Ok(ahead) => millis(ahead),
            Err(behind) => millis(behind.duration()).map(|millis| -millis),
        };
        if let Some(offset) = offset.filter(|_| is_sane) {
            self.offset.store(offset, Ordering::Relaxed);
        }
    }
}

impl TimeSource for OriginClock {
    fn now(&self) -> SystemTime {
        let now = self.ours.now();
        let offset = self.offset.load(Ordering::Relaxed);
        let by = Duration::from_millis(offset.unsigned_abs());
        let moved = if offset < 0 { now.checked_sub(by) } else { now.checked_add(by) };
        moved.unwrap_or(now)
    }
}

/// 2015 and 2100: a response from another time is ignored.
const EARLIEST: Duration = Duration::from_secs(1_420_070_400);
const LATEST: Duration = Duration::from_secs(4_102_444_800);

#[cfg(test)]
mod tests {
    use aws_smithy_async::time::StaticTimeSource;

    use super::*;

    #[test]
    fn it_goes_by_what_it_is_told_within_reason() {
        let at = |secs| UNIX_EPOCH + Duration::from_secs(secs);
        let clock = OriginClock::new(SharedTimeSource::new(StaticTimeSource::new(at(1_700_000_000))));
        for (told, goes) in [
            (1_700_003_600, 1_700_003_600),
            (1_699_996_400, 1_699_996_400),
            (253_402_300_799, 1_699_996_400),
            (0, 1_699_996_400),
            (1_700_000_000, 1_700_000_000),
        ] {
            clock.set(at(told));
            assert_eq!(clock.now(), at(goes), "{told}");
        }
    }
}
