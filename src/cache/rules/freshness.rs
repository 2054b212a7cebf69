use std::time::{Duration, SystemTime};

use http::{
    HeaderMap, HeaderName,
    header::{AGE, DATE, EXPIRES, LAST_MODIFIED, SET_COOKIE, VARY},
};

use super::{
    control::{CacheControl, Source, delta_seconds},
    request_control::RequestControl,
};

/// What the fields of an answer say of keeping it, in a shared cache: computed once, when it is stored or confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lifetime {
    /// How old it may become and be fresh.
    lifetime: Duration,
    /// How old it was when it came.
    initial_age: Duration,
    received_at: SystemTime,
    /// In seconds; 0 if nothing is said.
    stale_while_revalidate: u32,
    /// In seconds; 0 if nothing is said.
    stale_if_error: u32,
    once_stale: OnceStale,
    authorized: Authorized,
}

/// Whether something allows to serve it stale (RFC 9111 §4.2.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OnceStale {
    AsAllowed,
    Never,
}

/// RFC 9111 §3.5.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Authorized {
    Allowed,
    Forbidden,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Storability {
    Store(Lifetime),
    Never(Unstorable),
}

/// Why an answer is not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unstorable {
    /// RFC 9111 §5.2.2.5.
    NoStore,
    /// RFC 9111 §5.2.2.7.
    Private,
    /// By something that S3 may have seen of the request (RFC 9111 §4.1).
    Vary,
    /// A cookie for one client, and no `public` that says otherwise (RFC 9111 §7.3).
    SetCookie,
}

/// A lifetime from the age of an object, if nothing says how long it is fresh (RFC 9111 §4.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Heuristic {
    /// Of the time from `Last-Modified` to `Date`. 10 is customary.
    pub(crate) percent: u32,
    pub(crate) cap: Duration,
}

/// What may be done with a stored answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Fresh,
    /// May be served at once, while it is refreshed behind (RFC 5861 §3, RFC 9111 §5.2.1.2).
    StaleWhileRevalidate,
    /// Has to be confirmed first. It may stand in for an error if that is said (RFC 5861 §4).
    Stale {
        may_stand_in_for_error: bool,
    },
}

// === impl Lifetime ===

impl Lifetime {
    /// `answer` is what clients would get of an answer whose status the caller understands, with its targeted fields
    /// (RFC 9213), of which `targets` names those that are for us, the first choice first.
    ///
    /// `ttl` is the mount's rule for the object: it goes before what S3 says of the lifetime, but does not make public
    /// what is `private`, nor does it take back `no-store`, `no-cache` or `must-revalidate`.
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
        // Without a date, it was made when it came (RFC 9110 §6.6.1).
        let date = date(answer, &DATE).unwrap_or(received_at);
        let lifetime = if control.no_cache {
            Duration::ZERO
        } else {
            ttl.or_else(|| explicit(answer, control, date))
                .or_else(|| heuristic?.lifetime(answer, date))
                .unwrap_or_default()
        };
        // `s-maxage` says `proxy-revalidate` too (RFC 9111 §5.2.2.10).
        let once_stale = match control {
            CacheControl { no_cache: true, .. }
            | CacheControl { must_revalidate: true, .. }
            | CacheControl { proxy_revalidate: true, .. }
            | CacheControl { s_maxage: Some(_), .. } => OnceStale::Never,
            CacheControl { .. } => OnceStale::AsAllowed,
        };
        let authorized = match control {
            CacheControl { public: true, .. }
            | CacheControl { must_revalidate: true, .. }
            | CacheControl { s_maxage: Some(_), .. } => Authorized::Allowed,
            CacheControl { .. } => Authorized::Forbidden,
        };
        Storability::Store(Self {
            lifetime,
            initial_age: initial_age(answer, date, requested_at, received_at),
            received_at,
            stale_while_revalidate: control.stale_while_revalidate.unwrap_or(0),
            stale_if_error: control.stale_if_error.unwrap_or(0),
            once_stale,
            authorized,
        })
    }

    /// `current_age` of RFC 9111 §4.2.3. A clock that was set back makes nothing younger than it came.
    pub(crate) fn age(&self, now: SystemTime) -> Duration {
        let resident_time = now.duration_since(self.received_at).unwrap_or_default();
        self.initial_age.saturating_add(resident_time)
    }

    /// Whole seconds of freshness that are left, rounded down; negative once it is stale.
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
        // RFC 9111 §4.2: not at the end of the lifetime itself.
        let is_fresh = self.lifetime > age;
        let suits = !asked.no_cache && is_young;
        if is_fresh && suits && asked.min_fresh.is_none_or(|at_least| is_fresh_for(seconds(at_least))) {
            return State::Fresh;
        }
        // "Without successful validation" is how `no-cache` of a request does not want it (§5.2.1.4).
        if self.once_stale == OnceStale::Never || asked.no_cache {
            return State::Stale { may_stand_in_for_error: false };
        }
        let staleness = self.staleness(now);
        let may_be_stale = match *asked {
            // Nothing less fresh than it is asked for.
            RequestControl { min_fresh: Some(_), .. } => false,
            RequestControl { max_stale: Some(limit), .. } => {
                suits && (limit == u32::MAX || staleness <= seconds(limit))
            }
            // Nothing stale, unless `max-stale` says so (§5.2.1.1).
            RequestControl { max_age: Some(_), .. } => false,
            RequestControl { .. } => staleness < seconds(self.stale_while_revalidate),
        };
        if may_be_stale {
            return State::StaleWhileRevalidate;
        }
        State::Stale { may_stand_in_for_error: self.may_stand_in(now, asked) }
    }

    /// Whether it may be served unconfirmed, if S3 can't confirm it (RFC 5861 §4).
    pub(crate) fn may_stand_in(&self, now: SystemTime, asked: &RequestControl) -> bool {
        let in_need = asked.stale_if_error.unwrap_or(self.stale_if_error);
        let is_allowed = self.once_stale == OnceStale::AsAllowed && !asked.no_cache;
        is_allowed && self.staleness(now) < seconds(in_need)
    }

    /// RFC 9111 §4.2: at the end of the lifetime itself, too.
    pub(crate) fn is_stale(&self, now: SystemTime) -> bool {
        self.age(now) >= self.lifetime
    }

    /// For how long it has not been fresh any more.
    fn staleness(&self, now: SystemTime) -> Duration {
        self.age(now).saturating_sub(self.lifetime)
    }

    /// Whether it may answer other requests, if the one that it answered had `Authorization` (RFC 9111 §3.5).
    pub(crate) fn may_answer_authorized(&self) -> bool {
        self.authorized == Authorized::Allowed
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
                // What is no date, as "0", is over (§5.3).
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
    // A date has no parts of seconds, which would make everything older than it is.
    let apparent_age = Duration::from_secs(apparent_age.as_secs());
    let response_delay = received_at.duration_since(requested_at).unwrap_or_default();
    // The first of a list; what is no number is ignored (§5.1).
    let age_value = answer
        .get(AGE)
        .and_then(|value| value.as_bytes().split(|byte| *byte == b',').next())
        .and_then(|first| delta_seconds(first.trim_ascii()))
        .map(seconds)
        .unwrap_or_default();
    apparent_age.max(age_value.saturating_add(response_delay))
}

/// Of two, the first (RFC 9111 §4.2.1).
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
        // `response/headers.rs` has taken out the fields that S3 never gets to see.
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
