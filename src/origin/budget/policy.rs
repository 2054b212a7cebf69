use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use http::StatusCode;

use crate::error::{ConfigError, ConfigErrorKind};

/// What a mount may ask of S3 in a day: requests, and bytes of the bodies that S3 sends.
///
/// Near the end of the budget, what is in the cache is served stale rather than revalidated. Once it is used up, S3 is not
/// asked until the next day: the cache answers what it can, and all else is 503, or 429, with `Retry-After`.
///
/// Requests count as S3 charges for them: each attempt, hedge, fill of the cache, resumed body, list and write. Checks of the
/// proxy itself do not: those of credentials, and those that tell denied objects from missing ones. A response that has begun
/// is not cut off: what it still needs is counted, and asked for.
///
/// The [credential sets](crate::MountBuilder::credential_set) of a mount spend its budget. A
/// [replica](crate::resilience::Replica) is a mount with a builder of its own, and spends the same budget if that builder gets
/// a clone of it with a [name](Self::name); the one of a configuration file always does.
///
/// ```
/// use tower_s3_proxy::{BucketName, Mount, resilience::Budget};
///
/// let budget = Budget::default().requests(1_000_000).bytes(200 << 30);
/// let bucket = BucketName::parse("studio-media")?;
/// let mount = Mount::builder(bucket).region("us-west-2").anonymous().budget(budget).build()?;
/// assert_eq!(mount.budget().map(|spent| spent.requests), Some(0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    pub(super) name: Option<String>,
    pub(super) requests: Option<u64>,
    pub(super) bytes: Option<u64>,
    pub(super) day_begins: Duration,
    pub(super) near: u8,
    pub(super) answer: UsedUpAnswer,
    pub(super) state: Option<PathBuf>,
}

/// The status for a request that the budget has no room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum UsedUpAnswer {
    /// 503 (RFC 9110 §15.6.4): no client did more than others.
    #[default]
    Unavailable,
    /// 429 (RFC 6585 §4), which clients and monitors do not take for a fault.
    TooManyRequests,
}

pub(super) const DAY: Duration = Duration::from_secs(24 * 60 * 60);

// === impl Budget ===

impl Budget {
    /// The requests to S3 in a day; unlimited by default.
    #[must_use]
    pub fn requests(self, requests: u64) -> Self {
        Self { requests: Some(requests), ..self }
    }

    /// The bytes of bodies that S3 sends in a day; unlimited by default.
    #[must_use]
    pub fn bytes(self, bytes: u64) -> Self {
        Self { bytes: Some(bytes), ..self }
    }

    /// When the day begins, after midnight UTC; at midnight by default.
    #[must_use]
    pub fn day_begins(self, after_midnight: Duration) -> Self {
        Self { day_begins: after_midnight, ..self }
    }

    /// The part of the budget, in percent, beyond which what is in the cache is no longer revalidated; 90 by default. 100 is
    /// never before the budget is used up.
    #[must_use]
    pub fn near(self, percent: u8) -> Self {
        Self { near: percent, ..self }
    }

    /// The answer once the budget is used up; 503 by default.
    #[must_use]
    pub fn answer(self, answer: UsedUpAnswer) -> Self {
        Self { answer, ..self }
    }

    /// Counts together with all budgets of this name in the process. So a mount that replaces another while that one exists
    /// goes on with its counts.
    #[must_use]
    pub fn name(self, name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), ..self }
    }

    /// Keeps the counts in this file, so that a restart does not forget them. It is read when the mount is built, and written
    /// at most every five seconds, in the background. Mounts with the same file count together; programs must not share it.
    #[must_use]
    pub fn state(self, file: impl AsRef<Path>) -> Self {
        Self { state: Some(file.as_ref().to_owned()), ..self }
    }

    /// # Errors
    ///
    /// The first value that makes no sense.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let message = if self.requests.is_none() && self.bytes.is_none() {
            "the budget limits nothing: give it requests or bytes, or leave it out"
        } else if self.requests == Some(0) || self.bytes == Some(0) {
            "the budget is 0: nothing could ever be asked of S3"
        } else if self.day_begins >= DAY {
            "the day of the budget begins 24 hours or more after midnight: give less"
        } else if !(1..=100).contains(&self.near) {
            "near must be 1 to 100 percent of the budget"
        } else {
            return Ok(());
        };
        Err(ConfigError::new(ConfigErrorKind::InvalidValue, message))
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            name: None,
            requests: None,
            bytes: None,
            day_begins: Duration::ZERO,
            near: 90,
            answer: UsedUpAnswer::default(),
            state: None,
        }
    }
}

// === impl UsedUpAnswer ===

impl UsedUpAnswer {
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_that_makes_no_sense_is_refused() {
        let some = || Budget::default().requests(1);
        for (budget, hint) in [
            (Budget::default(), Some("requests or bytes")),
            (Budget::default().requests(0), Some("is 0")),
            (some().bytes(0), Some("is 0")),
            (some().day_begins(DAY), Some("24 hours")),
            (some().near(0), Some("1 to 100")),
            (some().near(101), Some("1 to 100")),
            (some(), None),
            (Budget::default().bytes(1).near(100), None),
        ] {
            let told = budget.check().err().map(|why| why.to_string());
            assert_eq!(told.is_some(), hint.is_some(), "{budget:?}: {told:?}");
            assert!(told.unwrap_or_default().contains(hint.unwrap_or_default()), "{budget:?}");
        }
    }
}
