use std::time::{Duration, SystemTime};

use http::{
    HeaderMap, HeaderName,
    header::{AGE, DATE, EXPIRES, LAST_MODIFIED, SET_COOKIE, VARY},
};

use super::control::{CacheControl, RequestControl, Source, delta_seconds};

/// How long a shared cache may use a response, by its fields: computed once, when it is stored or confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lifetime {
    /// The age up to which it is fresh.
    lifetime: Duration,
    /// Its age when it was received.
    initial_age: Duration,
    received_at: SystemTime,
    /// In seconds; 0 if absent.
    stale_while_revalidate: u32,
    /// In seconds; 0 if absent.
    stale_if_error: u32,
    once_stale: OnceStale,
}

/// Whether it may be served stale (RFC 9111 §4.2.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OnceStale {
    AsAllowed,
    Never,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Storability {
    Store(Lifetime),
    Never(Unstorable),
}

/// Why a response is not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unstorable {
    /// RFC 9111 §5.2.2.5.
    NoStore,
    /// RFC 9111 §5.2.2.7.
    Private,
    /// It varies by a request field that S3 may have seen (RFC 9111 §4.1).
    Vary,
    /// It has a cookie for one client, and no `public` (RFC 9111 §7.3).
    SetCookie,
}

/// A lifetime by the age of an object, if its fields give none (RFC 9111 §4.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Heuristic {
    /// The share of the time from `Last-Modified` to `Date`. 10 is customary.
    pub(crate) percent: u32,
    pub(crate) cap: Duration,
}

/// What a stored response may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Fresh,
    /// May be served at once, while it is revalidated in the background (RFC 5861 §3, RFC 9111 §5.2.1.2).
    StaleWhileRevalidate,
    /// Must be revalidated first. It may stand in for an error if a directive says so (RFC 5861 §4).
    Stale {
        may_stand_in_for_error: bool,
    },
}

// === impl Lifetime ===

impl Lifetime {
    /// `answer` has the client's fields of a response whose status the caller understands, and its targeted fields (RFC
    /// 9213). `targets` names those that are for this cache, the first choice first.
    ///
    /// `ttl` is the mount's rule for the object: it precedes S3's lifetime, but does not override `private`,
    /// `no-store`, `no-cache` or `must-revalidate`.
    pub(crate) fn of(
        answer: &HeaderMap,
        targets: &[HeaderName],
        ttl: Option<Duration>,
        heuristic: Option<Heuristic>,
        requested_at: SystemTime,
        received_at: SystemTime,
    ) -> Storability {
        let control = CacheControl::of_answer(answer, targets);
        if let Some(reason) = Unstorable::of(answer, control) {
            return Storability::Never(reason);
        }
        // Without a date, the time of receipt counts (RFC 9110 §6.6.1).
        let date = date(answer, &DATE).unwrap_or(received_at);
        let lifetime = if control.no_cache {
            Duration::ZERO
        } else {
            ttl.or_else(|| explicit(answer, control, date))
                .or_else(|| heuristic?.lifetime(answer, date))
                .unwrap_or_default()
        };
        // `s-maxage` implies `proxy-revalidate` (RFC 9111 §5.2.2.10).
        let once_stale = match control {
            CacheControl { no_cache: true, .. }
            | CacheControl { must_revalidate: true, .. }
            | CacheControl { proxy_revalidate: true, .. }
            | CacheControl { s_maxage: Some(_), .. } => OnceStale::Never,
            CacheControl { .. } => OnceStale::AsAllowed,
        };
        Storability::Store(Self {
            lifetime,
            initial_age: initial_age(answer, date, requested_at, received_at),
            received_at,
            stale_while_revalidate: control.stale_while_revalidate.unwrap_or(0),
            stale_if_error: control.stale_if_error.unwrap_or(0),
            once_stale,
        })
    }

    /// `current_age` of RFC 9111 §4.2.3. A clock that was set back makes nothing younger than on receipt.
    pub(crate) fn age(&self, now: SystemTime) -> Duration {
        let resident_time = now.duration_since(self.received_at).unwrap_or_default();
        self.initial_age.saturating_add(resident_time)
    }

    /// The remaining seconds of freshness, rounded down; negative once it is stale.
    pub(crate) fn remaining(&self, now: SystemTime) -> i64 {
        let age = self.age(now);
        match self.lifetime.checked_sub(age) {
            Some(left) => i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            None => {
                let over = age.saturating_sub(self.lifetime);
                let seconds = over.as_secs().saturating_add(u64::from(over.subsec_nanos() > 0));
                i64::try_from(seconds).map_or(i64::MIN, |seconds| -seconds)
            }
        }
    }

    pub(crate) fn state(&self, now: SystemTime, asked: &RequestControl) -> State {
        let age = self.age(now);
        let is_young = asked.max_age.is_none_or(|limit| age <= seconds(limit));
        let is_fresh_for = |at_least| self.lifetime >= age.saturating_add(at_least);
        // RFC 9111 §4.2: at the end of the lifetime it is no longer fresh.
        let is_fresh = self.lifetime > age;
        let suits = !asked.no_cache && is_young;
        if is_fresh && suits && asked.min_fresh.is_none_or(|at_least| is_fresh_for(seconds(at_least))) {
            return State::Fresh;
        }
        // A request's `no-cache` excludes a response "without successful validation" (§5.2.1.4).
        if self.once_stale == OnceStale::Never || asked.no_cache {
            return State::Stale { may_stand_in_for_error: false };
        }
        let staleness = self.staleness(now);
        let may_be_stale = match *asked {
            // `min-fresh` excludes everything stale.
            RequestControl { min_fresh: Some(_), .. } => false,
            RequestControl { max_stale: Some(limit), .. } => {
                suits && (limit == u32::MAX || staleness <= seconds(limit))
            }
            // `max-age` excludes everything stale, unless there is `max-stale` (§5.2.1.1).
            RequestControl { max_age: Some(_), .. } => false,
            RequestControl { .. } => staleness < seconds(self.stale_while_revalidate),
        };
        if may_be_stale {
            return State::StaleWhileRevalidate;
        }
        State::Stale { may_stand_in_for_error: self.may_stand_in(now, asked) }
    }

    /// Whether it may be served unconfirmed if S3 can't confirm it (RFC 5861 §4).
    pub(crate) fn may_stand_in(&self, now: SystemTime, asked: &RequestControl) -> bool {
        let in_need = asked.stale_if_error.unwrap_or(self.stale_if_error);
        let is_allowed = self.once_stale == OnceStale::AsAllowed && !asked.no_cache;
        is_allowed && self.staleness(now) < seconds(in_need)
    }

    /// Whether nothing forbids to serve it stale (RFC 9111 §4.2.4).
    pub(crate) fn may_be_served_stale(&self) -> bool {
        self.once_stale == OnceStale::AsAllowed
    }

    /// RFC 9111 §4.2: also at the end of the lifetime itself.
    pub(crate) fn is_stale(&self, now: SystemTime) -> bool {
        self.age(now) >= self.lifetime
    }

    /// How long it has been stale.
    fn staleness(&self, now: SystemTime) -> Duration {
        self.age(now).saturating_sub(self.lifetime)
    }
}

fn seconds(seconds: u32) -> Duration {
    Duration::from_secs(seconds.into())
}

/// RFC 9111 §4.2.1, for a shared cache.
fn explicit(answer: &HeaderMap, control: CacheControl, date: SystemTime) -> Option<Duration> {
    match (control.s_maxage.or(control.max_age), control.source) {
        (Some(lifetime), _) => Some(seconds(lifetime)),
        (None, Source::Targeted) => None,
        (None, Source::General) => {
            answer.contains_key(EXPIRES).then(|| {
                // An invalid date, like "0", is in the past (§5.3).
                let expires = self::date(answer, &EXPIRES);
                expires.and_then(|expires| expires.duration_since(date).ok()).unwrap_or_default()
            })
        }
    }
}

/// `corrected_initial_age` of RFC 9111 §4.2.3.
fn initial_age(
    answer: &HeaderMap,
    date: SystemTime,
    requested_at: SystemTime,
    received_at: SystemTime,
) -> Duration {
    let apparent_age = received_at.duration_since(date).unwrap_or_default();
    // A date has no fractions of seconds, which would make everything seem older.
    let apparent_age = Duration::from_secs(apparent_age.as_secs());
    let response_delay = received_at.duration_since(requested_at).unwrap_or_default();
    // The first member of a list counts; an invalid number is ignored (§5.1).
    let age_value = answer
        .get(AGE)
        .and_then(|value| value.as_bytes().split(|byte| *byte == b',').next())
        .and_then(|first| delta_seconds(first.trim_ascii()))
        .map(seconds)
        .unwrap_or_default();
    apparent_age.max(age_value.saturating_add(response_delay))
}

/// Of two dates, the first (RFC 9111 §4.2.1).
fn date(headers: &HeaderMap, name: &HeaderName) -> Option<SystemTime> {
    httpdate::parse_http_date(headers.get(name)?.to_str().ok()?).ok()
}

// === impl Unstorable ===

impl Unstorable {
    fn of(answer: &HeaderMap, control: CacheControl) -> Option<Self> {
        // The caller understands the status (RFC 9111 §5.2.2.3).
        if control.no_store && !control.must_understand {
            return Some(Self::NoStore);
        }
        if control.private {
            return Some(Self::Private);
        }
        let lines = answer.get_all(VARY).iter();
        let mut members = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
        // `response/headers.rs` has removed the fields that S3 never sees.
        if members.any(|member| !member.trim_ascii().is_empty()) {
            return Some(Self::Vary);
        }
        (answer.contains_key(SET_COOKIE) && !control.public).then_some(Self::SetCookie)
    }
}

// === impl Heuristic ===

impl Heuristic {
    fn lifetime(self, answer: &HeaderMap, date: SystemTime) -> Option<Duration> {
        let last_modified = self::date(answer, &LAST_MODIFIED)?;
        let unchanged_for = date.duration_since(last_modified).unwrap_or_default();
        let share = unchanged_for.as_secs().saturating_mul(self.percent.into()) / 100;
        Some(Duration::from_secs(share).min(self.cap))
    }
}

#[cfg(test)]
mod tests;
