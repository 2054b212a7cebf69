use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, header::CONTENT_TYPE};

use super::{
    CDN_CACHE_CONTROL, FreshnessPolicy, Lifetime, RequestControl, State, StateId, Storability, Weigh, merged,
    page_size,
};
use crate::object::{ObjectKey, Validators};

/// What is known of one object.
#[derive(Debug)]
pub(crate) enum Head {
    Found(Box<Found>),
    /// S3 has no such key.
    Missing(Marker),
    /// The object is not to be kept, so nobody waits for another's read of it.
    Passed(Marker),
}

/// One state of an object.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) state: StateId,
    /// The fields of a 200 to any client.
    pub(crate) fields: HeaderMap,
    pub(crate) total: u64,
    /// All of a small object.
    pub(crate) body: Option<Bytes>,
    pub(crate) lifetime: Lifetime,
    /// S3's word to caches like this one (RFC 9213), which is not for clients.
    targeted: Option<HeaderValue>,
    /// Of all copies, so that a purge is not lost on one that is just made.
    is_purged: Arc<AtomicBool>,
    /// Until then S3 is not asked whether it is still good: it had no answer just now. In seconds since the epoch.
    rests_until: AtomicU64,
}

/// Something that holds for a while.
#[derive(Debug)]
pub(crate) struct Marker {
    since: SystemTime,
    life: Duration,
}

/// When S3 was asked, and when it answered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked {
    pub(crate) at: SystemTime,
    pub(crate) answered: SystemTime,
}

// === impl Head ===

impl Head {
    pub(crate) fn found(&self) -> Option<&Found> {
        match self {
            Self::Found(found) => Some(found),
            Self::Missing(_) | Self::Passed(_) => None,
        }
    }

    /// In seconds; what is left of its freshness.
    pub(crate) fn remaining(&self, now: SystemTime) -> i64 {
        match self {
            Self::Found(found) => found.lifetime.remaining(now),
            Self::Missing(marker) | Self::Passed(marker) => marker.remaining(now),
        }
    }
}

// === impl Found ===

impl Found {
    /// `None` if it must not be kept. `fields` are the client's, `origin` S3's.
    pub(crate) fn new(
        fields: &HeaderMap,
        origin: &HeaderMap,
        total: u64,
        key: &ObjectKey,
        policy: &FreshnessPolicy,
        asked: Asked,
    ) -> Option<Self> {
        let fields = detached(fields);
        let targeted = targeted(origin);
        let lifetime = lifetime(&fields, targeted.as_ref(), key, policy, asked)?;
        Some(Self {
            state: StateId::next(),
            fields,
            total,
            body: None,
            lifetime,
            targeted,
            is_purged: Arc::default(),
            rests_until: AtomicU64::new(0),
        })
    }

    /// Whether more of the same state can be asked for. Of others only what came in one answer is known to be of one
    /// state.
    pub(crate) fn is_pinned(&self) -> bool {
        let object = Validators::of(&self.fields);
        object.is_same_state(object)
    }

    /// With the bytes that are kept of the same state.
    pub(crate) fn of_state(mut self, kept: &Self) -> Self {
        self.state = kept.state;
        self.body.clone_from(&kept.body);
        self
    }

    /// Whether a 304 can be of this state: one that names another confirms nothing (RFC 9111 §4.3.4).
    pub(crate) fn may_be_meant_by(&self, not_modified: &HeaderMap) -> bool {
        let (kept, told) = (Validators::of(&self.fields).tag, Validators::of(not_modified).tag);
        told.is_none_or(|told| kept.is_some_and(|kept| kept.weak_eq(told)))
    }

    /// Whether a 304 tells of no later writing. On S3, bytes that are written again have the tag that they had.
    pub(crate) fn is_as_old_as(&self, not_modified: &HeaderMap) -> bool {
        let (kept, told) = (Validators::of(&self.fields), Validators::of(not_modified));
        told.last_modified.is_none_or(|told| kept.last_modified == Some(told))
    }

    /// Confirmed by a 304 (RFC 9111 §4.3.4). `not_modified` has those of its fields that are the client's, `origin` S3's.
    pub(crate) fn freshened(
        &self,
        not_modified: &HeaderMap,
        origin: &HeaderMap,
        key: &ObjectKey,
        policy: &FreshnessPolicy,
        asked: Asked,
    ) -> Option<Self> {
        let fields = detached(&merged(&self.fields, not_modified));
        let targeted = targeted(origin).or_else(|| self.targeted.clone());
        let lifetime = lifetime(&fields, targeted.as_ref(), key, policy, asked)?;
        let confirmed = self.copy();
        Some(Self { fields, targeted, lifetime, is_purged: Arc::default(), ..confirmed })
    }

    /// With all of its bytes.
    pub(crate) fn with_body(&self, body: Bytes) -> Self {
        Self { body: Some(body), ..self.copy() }
    }

    fn copy(&self) -> Self {
        Self {
            state: self.state,
            fields: self.fields.clone(),
            total: self.total,
            body: self.body.clone(),
            lifetime: self.lifetime,
            targeted: self.targeted.clone(),
            is_purged: Arc::clone(&self.is_purged),
            rests_until: AtomicU64::new(0),
        }
    }

    pub(crate) fn use_at(&self, now: SystemTime, asked: &RequestControl) -> State {
        let state = match self.lifetime.state(now, asked) {
            State::Fresh | State::StaleWhileRevalidate if self.is_purged.load(Ordering::Relaxed) => {
                State::Stale { may_stand_in_for_error: self.may_stand_in(now, asked) }
            }
            state => state,
        };
        match state {
            State::StaleWhileRevalidate | State::Stale { may_stand_in_for_error: true }
                if self.rests(now) =>
            {
                State::Fresh
            }
            state => state,
        }
    }

    pub(crate) fn is_stale(&self, now: SystemTime) -> bool {
        self.is_purged.load(Ordering::Relaxed) || self.lifetime.is_stale(now)
    }

    /// Whether it may be served although S3 has not confirmed it, if S3 can't (RFC 5861 §4).
    pub(crate) fn may_stand_in(&self, now: SystemTime, asked: &RequestControl) -> bool {
        self.lifetime.may_stand_in(now, asked)
    }

    /// S3 had no answer: for a moment it is not asked again.
    pub(crate) fn rest(&self, now: SystemTime) {
        self.rests_until.store(seconds(now) + REST, Ordering::Relaxed);
    }

    fn rests(&self, now: SystemTime) -> bool {
        let left = self.rests_until.load(Ordering::Relaxed).saturating_sub(seconds(now));
        // More is left only if the clock was set back.
        (1..=REST).contains(&left)
    }
}

/// In seconds.
const REST: u64 = 3;

fn seconds(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// The same fields, in memory of their own. As they come, their values are slices of the buffer that the connection was
/// read into, with the first bytes of the body behind them: each would keep all of it.
fn detached(fields: &HeaderMap) -> HeaderMap {
    let length = fields.values().map(HeaderValue::len).sum();
    let mut text = BytesMut::with_capacity(length);
    let mut own = HeaderMap::with_capacity(fields.keys_len());
    for (name, value) in fields {
        text.extend_from_slice(value.as_bytes());
        own.append(name, copied(text.split().freeze()));
    }
    own
}

/// All lines of it, which are one list (RFC 9110 §5.3): a first one alone could say less than is meant.
fn targeted(origin: &HeaderMap) -> Option<HeaderValue> {
    let lines: Vec<_> = origin.get_all(CDN_CACHE_CONTROL).iter().map(HeaderValue::as_bytes).collect();
    (!lines.is_empty()).then(|| copied(lines.join(b", ".as_slice()).into()))
}

fn copied(bytes: Bytes) -> HeaderValue {
    HeaderValue::from_maybe_shared(bytes).expect("it was a value before")
}

fn lifetime(
    fields: &HeaderMap,
    targeted: Option<&HeaderValue>,
    key: &ObjectKey,
    policy: &FreshnessPolicy,
    asked: Asked,
) -> Option<Lifetime> {
    let ttl = policy.ttl(key, fields.get(CONTENT_TYPE));
    let told;
    let fields = match targeted {
        Some(targeted) => {
            let mut with = fields.clone();
            with.insert(CDN_CACHE_CONTROL, targeted.clone());
            told = with;
            &told
        }
        None => fields,
    };
    let targets = &[CDN_CACHE_CONTROL];
    match Lifetime::of(fields, targets, ttl, policy.heuristic(), asked.at, asked.answered) {
        Storability::Store(lifetime) => Some(lifetime),
        Storability::Never(_) => None,
    }
}

// === impl Marker ===

impl Marker {
    pub(crate) fn new(since: SystemTime, life: Duration) -> Self {
        Self { since, life }
    }

    /// A clock that was set back ends it, too.
    pub(crate) fn holds(&self, now: SystemTime) -> bool {
        now.duration_since(self.since).is_ok_and(|age| age < self.life)
    }

    fn remaining(&self, now: SystemTime) -> i64 {
        let age = now.duration_since(self.since).unwrap_or_default();
        i64::try_from(self.life.saturating_sub(age).as_secs()).unwrap_or(i64::MAX)
    }
}

impl Weigh for Head {
    fn weight(&self) -> u64 {
        match self {
            Self::Found(found) => {
                let fields: usize = found
                    .fields
                    .iter()
                    .map(|(name, value)| name.as_str().len() + value.len() + PER_FIELD)
                    .sum();
                let body = found.body.as_ref().map_or(0, |body| page_size(body.len()));
                (size_of::<Self>() + size_of::<Found>() + SHARED + fields + body) as u64
            }
            Self::Missing(_) | Self::Passed(_) => size_of::<Self>() as u64,
        }
    }

    fn state(&self) -> Option<StateId> {
        self.found().map(|found| found.state)
    }

    fn length(&self) -> u64 {
        self.found().map_or(0, |found| found.total)
    }

    fn mark_stale(&self) -> bool {
        let Some(found) = self.found() else { return false };
        found.is_purged.store(true, Ordering::Relaxed);
        true
    }
}

/// What copies share: a flag and two counts in an allocation of their own.
const SHARED: usize = 48;

/// What a map of fields takes for each besides its text: a bucket with its value, an index, an allocation or two.
const PER_FIELD: usize = 160;

#[cfg(test)]
mod tests {
    use http::header::{CACHE_CONTROL, ETAG, SET_COOKIE};

    use super::*;

    const START: SystemTime = UNIX_EPOCH;

    fn found(cache_control: &'static str) -> Found {
        let fields = HeaderMap::from_iter([(CACHE_CONTROL, HeaderValue::from_static(cache_control))]);
        let key = ObjectKey::new("a").unwrap();
        let policy = FreshnessPolicy::new([], None).unwrap();
        let asked = Asked { at: START, answered: START };
        Found::new(&fields, &HeaderMap::new(), 0, &key, &policy, asked).unwrap()
    }

    /// The bytes may come in at the moment of a purge, and with them a copy of the head.
    #[test]
    fn a_purge_holds_for_a_copy_that_is_put_after_it() {
        let head = Head::Found(Box::new(found("max-age=60")));
        let Head::Found(before) = &head else { unreachable!() };
        let copy = before.with_body(Bytes::from_static(b"text"));
        assert!(head.mark_stale());
        assert!(copy.is_stale(START));
        let asked = Asked { at: START, answered: START };
        let (key, policy) = (ObjectKey::new("a").unwrap(), FreshnessPolicy::new([], None).unwrap());
        let none = HeaderMap::new();
        let confirmed = copy.freshened(&none, &none, &key, &policy, asked).unwrap();
        assert!(!confirmed.is_stale(START));
    }

    #[test]
    fn every_line_to_caches_alone_counts() {
        let mut origin = HeaderMap::new();
        let asked = Asked { at: START, answered: START };
        let (key, policy) = (ObjectKey::new("a").unwrap(), FreshnessPolicy::new([], None).unwrap());
        for (line, is_kept) in [("max-age=60", true), ("no-store", false)] {
            origin.append(CDN_CACHE_CONTROL, HeaderValue::from_static(line));
            let found = Found::new(&HeaderMap::new(), &origin, 0, &key, &policy, asked);
            assert_eq!(found.is_some(), is_kept, "{line}");
        }
    }

    /// Each row: what it says, its age, whether it was purged, and its state before and after S3 had no answer.
    #[test]
    fn s3_is_left_alone_for_a_moment_wherever_a_stale_object_does() {
        let stale = |may_stand_in_for_error| State::Stale { may_stand_in_for_error };
        let behind = State::StaleWhileRevalidate;
        for (says, age, is_purged, before, after) in [
            ("max-age=60", 10, false, State::Fresh, State::Fresh),
            ("max-age=60", 10, true, stale(false), stale(false)),
            ("max-age=60, stale-if-error=60", 10, true, stale(true), State::Fresh),
            ("max-age=60, stale-if-error=60, must-revalidate", 10, true, stale(false), stale(false)),
            ("max-age=10, stale-if-error=60", 10, false, stale(true), State::Fresh),
            ("max-age=10, stale-if-error=60", 10, true, stale(true), State::Fresh),
            ("max-age=10, stale-if-error=60", 70, true, stale(false), stale(false)),
            ("max-age=10, stale-while-revalidate=60", 10, false, behind, State::Fresh),
            ("max-age=10, stale-while-revalidate=60", 70, false, stale(false), stale(false)),
            ("max-age=10, stale-while-revalidate=60", 10, true, stale(false), stale(false)),
            ("max-age=10, stale-while-revalidate=60, stale-if-error=60", 10, true, stale(true), State::Fresh),
        ] {
            let head = Head::Found(Box::new(found(says)));
            let Head::Found(found) = &head else { unreachable!() };
            if is_purged {
                assert!(head.mark_stale());
            }
            let (now, asked) = (START + Duration::from_secs(age), RequestControl::default());
            let row = format!("{says}, {age} s, purged: {is_purged}");
            assert_eq!(found.use_at(now, &asked), before, "{row}");
            found.rest(now);
            assert_eq!(found.use_at(now, &asked), after, "{row}");
            let later = found.use_at(now + Duration::from_secs(REST), &asked);
            assert!(later != State::Fresh || before == State::Fresh, "{row}: {later:?}");
            // The clock is set back, from an hour later.
            found.rest(now + Duration::from_secs(3600));
            assert_eq!(found.use_at(now, &asked), before, "{row}");
        }
    }

    #[test]
    fn detached_fields_are_the_same_and_share_nothing() {
        let buffer = Bytes::from(b"\"a\"a=1b=2".to_vec());
        let slice = |from, to| HeaderValue::from_maybe_shared(buffer.slice(from..to)).unwrap();
        let mut fields = HeaderMap::new();
        fields.insert(ETAG, slice(0, 3));
        fields.append(SET_COOKIE, slice(3, 6));
        fields.append(SET_COOKIE, slice(6, 9));
        fields.append("x-empty", HeaderValue::from_static(""));
        let own = detached(&fields);
        assert_eq!(own, fields);
        drop(fields);
        assert!(buffer.is_unique(), "the buffer goes when the answer does");
    }
}
