use std::time::{Duration, SystemTime};

use http::{HeaderValue, StatusCode};
use tokio::time::{Instant, sleep};

use super::super::{
    Answer, OriginError, Refusal, S3ErrorCode, S3Origin, Target,
    wire::{Reuse, WireErrorKind},
};
use crate::{
    object::parse_date,
    request::{Purpose, Question},
};

/// A failure that may be gone at the next attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::origin) struct Trouble {
    /// Since S3 says so.
    retry_after: Option<Duration>,
    /// Whether the next attempt shall have another connection.
    reuse: Reuse,
}

impl S3Origin {
    /// Sends a request to S3 and waits for the head of the response, and for the first byte of its body. What fails for a
    /// moment is repeated, unless the response can do without it.
    pub(crate) async fn read(&self, target: Target<'_>, question: &Question) -> Result<Answer, OriginError> {
        if question.purpose == Purpose::Spare {
            return self.attempt(target, question, Reuse::Allowed).await;
        }
        let begun = Instant::now();
        let answered = match &self.resilience.hedges {
            None => self.attempt(target, question, Reuse::Allowed).await,
            // Boxed: large beside the other, and off by default.
            Some(hedges) => Box::pin(self.hedged(hedges, target, question)).await,
        };
        match Trouble::of(&answered, self.now()) {
            None => {
                self.resilience.answered_at_once(answered.is_ok());
                answered
            }
            // Boxed: rare, and large beside the rest.
            Some(trouble) => Box::pin(self.repeat(target, question, begun, answered, trouble)).await,
        }
    }

    async fn repeat(
        &self,
        target: Target<'_>,
        question: &Question,
        begun: Instant,
        mut last: Result<Answer, OriginError>,
        mut trouble: Trouble,
    ) -> Result<Answer, OriginError> {
        let mut made = 1;
        while let Some(pause) =
            self.resilience.retry.pause(made, begun.elapsed(), trouble.retry_after, fastrand::f64())
            && self.resilience.may_repeat()
        {
            tracing::debug!(bucket = %target.bucket, made, ?pause, why = %Why(&last), "S3 is asked again");
            sleep(pause).await;
            let next = self.attempt(target, question, trouble.reuse).await;
            if matches!(next, Err(OriginError::LeftAlone { .. } | OriginError::UsedUp(_))) {
                // S3 was not asked.
                self.resilience.repeated();
                break;
            }
            self.resilience.counters.retried();
            made += 1;
            match Trouble::of(&next, self.now()) {
                None => {
                    if next.is_ok() {
                        self.resilience.repeated();
                    }
                    return next;
                }
                Some(Trouble { retry_after, .. }) => {
                    // Elsewhere, since this connection's end of S3 has failed twice.
                    (trouble, last) = (Trouble { retry_after, reuse: Reuse::Fresh }, next);
                }
            }
        }
        last
    }
}

// === impl Trouble ===

impl Trouble {
    /// The failure of a request, if it may be gone at the next attempt.
    pub(in crate::origin) fn of(answered: &Result<Answer, OriginError>, now: SystemTime) -> Option<Self> {
        match answered {
            Ok(Answer::Found(_) | Answer::NotModified(_)) => None,
            Ok(Answer::Refused(refusal)) => refusal.is_for_now().then(|| Self {
                retry_after: refusal.retry_after.as_ref().and_then(|value| delay(value, now)),
                reuse: Reuse::Allowed,
            }),
            Err(OriginError::Wire(error)) => match error.kind {
                WireErrorKind::Connect
                | WireErrorKind::Timeout
                | WireErrorKind::Broken
                | WireErrorKind::Stale => Some(Self { retry_after: None, reuse: Reuse::Fresh }),
                WireErrorKind::Overloaded | WireErrorKind::Unfinished => None,
            },
            Err(
                OriginError::Credentials(_)
                | OriginError::Endpoint(_)
                | OriginError::Overload(_)
                | OriginError::LeftAlone { .. }
                | OriginError::UsedUp(_)
                | OriginError::Unwritable(_),
            ) => None,
        }
    }
}

/// `Retry-After`: seconds or a date (RFC 9110 §10.2.3).
fn delay(value: &HeaderValue, now: SystemTime) -> Option<Duration> {
    let seconds = value.to_str().ok().and_then(|text| text.trim().parse().ok());
    let until = || parse_date(value).and_then(|date| date.duration_since(now).ok());
    seconds.map(Duration::from_secs).or_else(until)
}

// === impl Answer ===

impl Answer {
    /// Whether S3 failed, rather than answered.
    pub(crate) fn is_outage(&self) -> bool {
        match self {
            Self::Found(_) | Self::NotModified(_) => false,
            Self::Refused(refusal) => refusal.is_for_now(),
        }
    }
}

// === impl OriginError ===

impl OriginError {
    /// Whether it is S3 that does not answer, or its credentials that can't be had.
    pub(crate) fn is_outage(&self) -> bool {
        match self {
            Self::Wire(error) => error.kind != WireErrorKind::Overloaded,
            Self::Credentials(_) | Self::LeftAlone { .. } => true,
            // The replica costs as much.
            Self::Endpoint(_) | Self::Overload(_) | Self::UsedUp(_) | Self::Unwritable(_) => false,
        }
    }
}

// === impl Refusal ===

impl Refusal {
    /// Whether S3 may answer otherwise in a moment.
    fn is_for_now(&self) -> bool {
        self.code == S3ErrorCode::Busy
            || is_failure(self.status)
            || self.status == StatusCode::TOO_MANY_REQUESTS
    }
}

/// Whether a status says that the server fails, not that the request is wrong. 501 is about the request.
pub(in crate::origin) fn is_failure(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::INTERNAL_SERVER_ERROR
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
            | StatusCode::REQUEST_TIMEOUT
    )
}

/// Why S3 is asked again, for the log.
struct Why<'a>(&'a Result<Answer, OriginError>);

impl std::fmt::Display for Why<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Ok(Answer::Refused(refusal)) => write!(f, "{} {}", refusal.status.as_u16(), refusal.body.code),
            Ok(Answer::Found(_) | Answer::NotModified(_)) => Ok(()),
            Err(error) => f.write_str(&crate::error::in_one_line(error)),
        }
    }
}
