//! The cache's next step for a request, given what it has of the object. Pure.

use std::time::SystemTime;

use super::read::Asks;
use crate::{
    cache::{Found, Head, Reason, RequestControl, State},
    origin::Level,
    request::ReadMethod,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Answers from the cache.
    Serve,
    /// Answers from the cache, and revalidates in the background (RFC 5861 §3).
    ServeStale,
    /// Answers from the cache, though it is stale: the budget for S3 is nearly used up.
    ServeUnconfirmed,
    /// Answers 404, as S3 did.
    Missing,
    /// Answers 504 (RFC 9111 §5.2.1.7).
    NotCached,
    /// Asks S3 as if there were no cache.
    Bypass,
    /// Requests the head from S3, or waits for a request that does.
    Ask(Reason),
}

/// What the request has already learnt from S3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Learnt {
    Nothing,
    /// S3 was asked, by this request or by one that it waited for.
    Asked {
        /// The stored head came from that.
        is_newer: bool,
    },
}

impl Step {
    pub(super) fn of(
        head: Option<&Head>,
        method: ReadMethod,
        asks: &Asks,
        learnt: Learnt,
        now: SystemTime,
    ) -> Self {
        let control = &asks.control;
        let is_confirmed = learnt == Learnt::Asked { is_newer: true };
        let step = match head {
            Some(Head::Found(found)) => match found.use_at(now, control) {
                State::Fresh => return Self::Serve,
                // Just confirmed: it is usable for this request, even if it was never fresh.
                State::StaleWhileRevalidate | State::Stale { .. } if is_confirmed => return Self::Serve,
                State::StaleWhileRevalidate => return Self::ServeStale,
                State::Stale { .. } => Self::Ask(reason(found, now)),
            },
            Some(Head::Missing(marker)) if marker.holds(now) && !control.no_cache => return Self::Missing,
            Some(Head::MissingUnexplained(marker))
                if method == ReadMethod::Head && marker.holds(now) && !control.no_cache =>
            {
                return Self::Missing;
            }
            Some(Head::Uncacheable(marker)) if marker.holds(now) => Self::Bypass,
            Some(Head::Missing(_) | Head::MissingUnexplained(_) | Head::Uncacheable(_)) | None => {
                Self::Ask(Reason::UriMiss)
            }
        };
        match step {
            _ if control.only_if_cached => Self::NotCached,
            // RFC 9111 §5.2.1.5.
            _ if control.no_store => Self::Bypass,
            // The awaited request left nothing behind: the waiting requests must not wait for each other.
            Self::Ask(_) if learnt != Learnt::Nothing => Self::Bypass,
            step => step,
        }
    }
}

impl Step {
    /// The step of a mount whose budget for S3 is at this level. A cache must revalidate what says so (RFC 9111 §5.2.2.2); all
    /// else it can serve stale if it is "disconnected" (§4.2.4). What a client prefers beyond (§5.2.1) is worth no request.
    pub(super) fn sparing(self, head: Option<&Head>, level: Level) -> Self {
        match (self, level) {
            (step, Level::Plenty) => step,
            (Self::ServeStale, Level::Near | Level::UsedUp) => Self::ServeUnconfirmed,
            (Self::Ask(_) | Self::Bypass, Level::Near | Level::UsedUp)
                if head.and_then(Head::found).is_some_and(Found::may_be_served_stale) =>
            {
                Self::ServeUnconfirmed
            }
            (step, Level::Near | Level::UsedUp) => step,
        }
    }
}

fn reason(found: &Found, now: SystemTime) -> Reason {
    // Another client could use it.
    match found.use_at(now, &RequestControl::default()) {
        State::Fresh => Reason::Request,
        State::StaleWhileRevalidate | State::Stale { .. } => Reason::Stale,
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use http::{HeaderMap, HeaderValue, header::CACHE_CONTROL};

    use super::{ReadMethod::Get, *};
    use crate::{
        cache::{Asked, ClientControl, FreshnessPolicy, Marker, ObjectRef},
        object::{BucketName, Edition, ObjectKey},
    };

    const STORED: SystemTime = UNIX_EPOCH;

    fn found(says: &'static str) -> Head {
        let fields = HeaderMap::from_iter([(CACHE_CONTROL, HeaderValue::from_static(says))]);
        let (bucket, key) = (BucketName::parse("studio-media").unwrap(), ObjectKey::new("a").unwrap());
        let object = ObjectRef { scope: 0, bucket: &bucket, key: &key, edition: &Edition::default() };
        let policy = FreshnessPolicy::new([], None).unwrap();
        let asked = Asked { at: STORED, answered: STORED, epoch: 0 };
        Head::Found(Box::new(Found::new(&fields, &HeaderMap::new(), 0, object, &policy, asked).unwrap()))
    }

    fn asks(says: &'static str) -> Asks {
        let fields = HeaderMap::from_iter([(CACHE_CONTROL, HeaderValue::from_static(says))]);
        Asks { control: RequestControl::new(&fields, ClientControl::Honoured), ..Asks::default() }
    }

    #[test]
    fn what_is_stored_and_what_is_asked_decide() {
        use Learnt::{Asked, Nothing};
        let marker = || Marker::new(STORED, Duration::from_secs(60));
        let (fresh, old) = (found("max-age=60"), found("max-age=5"));
        let behind = found("max-age=5, stale-while-revalidate=60");
        let (missing, uncacheable) = (Head::Missing(marker()), Head::Uncacheable(marker()));
        let (newer, nothing_new) = (Asked { is_newer: true }, Asked { is_newer: false });
        // Ten seconds after it was stored.
        for (head, says, learnt, step) in [
            (None, "", Nothing, Step::Ask(Reason::UriMiss)),
            (Some(&fresh), "", Nothing, Step::Serve),
            (Some(&old), "", Nothing, Step::Ask(Reason::Stale)),
            (Some(&old), "max-stale", Nothing, Step::ServeStale),
            (Some(&behind), "", Nothing, Step::ServeStale),
            (Some(&missing), "", Nothing, Step::Missing),
            (Some(&uncacheable), "", Nothing, Step::Bypass),
            // Clients with stricter demands.
            (Some(&fresh), "no-cache", Nothing, Step::Ask(Reason::Request)),
            (Some(&fresh), "max-age=5", Nothing, Step::Ask(Reason::Request)),
            (Some(&old), "no-cache", Nothing, Step::Ask(Reason::Stale)),
            (Some(&missing), "no-cache", Nothing, Step::Ask(Reason::UriMiss)),
            // RFC 9111 §5.2.1.5: a stored response may be used, a new one must not be stored.
            (Some(&fresh), "no-store", Nothing, Step::Serve),
            (Some(&old), "no-store", Nothing, Step::Bypass),
            (None, "no-store", Nothing, Step::Bypass),
            // §5.2.1.7.
            (Some(&fresh), "only-if-cached", Nothing, Step::Serve),
            (Some(&behind), "only-if-cached", Nothing, Step::ServeStale),
            (Some(&missing), "only-if-cached", Nothing, Step::Missing),
            (Some(&old), "only-if-cached", Nothing, Step::NotCached),
            (Some(&uncacheable), "only-if-cached", Nothing, Step::NotCached),
            (None, "only-if-cached", Nothing, Step::NotCached),
            // S3 was asked just now.
            (Some(&old), "", newer, Step::Serve),
            (Some(&behind), "", newer, Step::Serve),
            (Some(&fresh), "no-cache", newer, Step::Serve),
            (Some(&old), "", nothing_new, Step::Bypass),
            (Some(&behind), "", nothing_new, Step::ServeStale),
            (None, "", nothing_new, Step::Bypass),
            (Some(&missing), "", nothing_new, Step::Missing),
            (Some(&uncacheable), "", newer, Step::Bypass),
        ] {
            let now = STORED + Duration::from_secs(10);
            assert_eq!(Step::of(head, Get, &asks(says), learnt, now), step, "{head:?}, {says:?}, {learnt:?}");
        }
    }

    #[test]
    fn near_the_end_of_a_budget_what_may_be_stale_costs_no_request() {
        use Level::{Near, Plenty, UsedUp};
        let (old, strict) = (found("max-age=5"), found("max-age=5, must-revalidate"));
        let stale = Step::Ask(Reason::Stale);
        for (step, head, level, expected) in [
            (stale, Some(&old), Plenty, stale),
            (stale, Some(&old), Near, Step::ServeUnconfirmed),
            (stale, Some(&old), UsedUp, Step::ServeUnconfirmed),
            (Step::ServeStale, Some(&old), Plenty, Step::ServeStale),
            (Step::ServeStale, Some(&old), Near, Step::ServeUnconfirmed),
            (Step::Ask(Reason::Request), Some(&old), Near, Step::ServeUnconfirmed),
            // RFC 9111 §5.2.2.2.
            (stale, Some(&strict), Near, stale),
            (stale, Some(&strict), UsedUp, stale),
            (Step::Ask(Reason::UriMiss), None, UsedUp, Step::Ask(Reason::UriMiss)),
            (Step::Serve, Some(&old), UsedUp, Step::Serve),
            (Step::NotCached, Some(&old), UsedUp, Step::NotCached),
        ] {
            assert_eq!(step.sparing(head, level), expected, "{step:?} {head:?} {level:?}");
        }
    }

    #[test]
    fn what_a_head_was_told_holds_for_heads_alone() {
        let head = Head::MissingUnexplained(Marker::new(STORED, Duration::from_secs(60)));
        for (method, says, step) in [
            (ReadMethod::Head, "", Step::Missing),
            (ReadMethod::Head, "no-cache", Step::Ask(Reason::UriMiss)),
            (Get, "", Step::Ask(Reason::UriMiss)),
            (Get, "only-if-cached", Step::NotCached),
        ] {
            let now = STORED + Duration::from_secs(10);
            let told = Step::of(Some(&head), method, &asks(says), Learnt::Nothing, now);
            assert_eq!(told, step, "{method:?} {says}");
        }
    }

    #[test]
    fn markers_end() {
        let marker = || Marker::new(STORED, Duration::from_secs(60));
        for head in [Head::Missing(marker()), Head::MissingUnexplained(marker()), Head::Uncacheable(marker())]
        {
            let step =
                Step::of(Some(&head), Get, &asks(""), Learnt::Nothing, STORED + Duration::from_secs(60));
            assert_eq!(step, Step::Ask(Reason::UriMiss), "{head:?}");
        }
    }
}
