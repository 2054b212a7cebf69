use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::{Bytes, BytesMut};
use http::{
    HeaderMap, HeaderValue,
    header::{ETAG, LAST_MODIFIED},
};

use super::{
    super::rules::{CDN_CACHE_CONTROL, FreshnessPolicy, Lifetime, RequestControl, State, merged},
    ObjectRef, StateId, StateName, Weigh, page_size,
};
use crate::object::{EntityTag, ObjectKey, Validators};

/// What the cache knows of one object.
#[derive(Debug)]
pub(crate) enum Head {
    Found(Box<Found>),
    /// S3 has no such key.
    Missing(Marker),
    /// S3 responded to HEAD with 404, which has no room for a reason: this holds for HEAD alone.
    MissingUnexplained(Marker),
    /// The object must not be stored, so no request waits for another's read of it ("hit-for-pass").
    Uncacheable(Marker),
}

/// One state of an object.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) state: StateId,
    /// The fields of a 200 to any client.
    pub(crate) fields: HeaderMap,
    pub(crate) total: u64,
    /// The whole body of a small object.
    pub(crate) body: Option<Bytes>,
    pub(crate) lifetime: Lifetime,
    /// S3's directives for caches like this one (RFC 9213), which are not for clients.
    targeted: Option<HeaderValue>,
    /// Shared by all copies, so that a purge also reaches a copy that is just being made.
    is_purged: Arc<AtomicBool>,
    /// Until then S3 is not asked to revalidate it, since S3 has just failed. In seconds since 1970.
    backs_off_until: AtomicU64,
}

/// A fact that holds for a while.
#[derive(Debug)]
pub(crate) struct Marker {
    since: SystemTime,
    life: Duration,
}

/// When S3 was asked, and when it responded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked {
    pub(crate) at: SystemTime,
    pub(crate) answered: SystemTime,
    /// The number of purges of the object before the request.
    pub(crate) epoch: u64,
}

/// In bytes. Up to this size, the body is kept in the head: one lookup finds both.
pub(crate) const INLINE: usize = 16 * 1024;

// === impl Head ===

impl Head {
    pub(crate) fn found(&self) -> Option<&Found> {
        match self {
            Self::Found(found) => Some(found),
            Self::Missing(_) | Self::MissingUnexplained(_) | Self::Uncacheable(_) => None,
        }
    }

    /// The remaining freshness, in seconds.
    pub(crate) fn remaining(&self, now: SystemTime) -> i64 {
        match self {
            Self::Found(found) => found.lifetime.remaining(now),
            Self::Missing(marker) | Self::MissingUnexplained(marker) | Self::Uncacheable(marker) => {
                marker.remaining(now)
            }
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
        object: ObjectRef<'_>,
        policy: &FreshnessPolicy,
        asked: Asked,
    ) -> Option<Self> {
        let fields = detached(fields);
        let targeted = targeted(origin);
        let lifetime = policy.lifetime(object.key, &fields, targeted.as_ref(), asked.at, asked.answered)?;
        let state = match strong_tag(&fields) {
            Some(tag) => {
                let last_modified = fields.get(LAST_MODIFIED);
                StateId::of(object, StateName { tag, length: total, last_modified, epoch: asked.epoch })
            }
            None => StateId::unique(),
        };
        Some(Self {
            state,
            fields,
            total,
            body: None,
            lifetime,
            targeted,
            is_purged: Arc::default(),
            backs_off_until: AtomicU64::new(0),
        })
    }

    /// Whether more bytes of the same state can be requested. Otherwise only the bytes of one response certainly belong
    /// to one state.
    pub(crate) fn is_pinned(&self) -> bool {
        strong_tag(&self.fields).is_some()
    }

    /// With the bytes that are stored for the same state.
    pub(crate) fn of_state(mut self, kept: &Self) -> Self {
        self.state = kept.state;
        self.body.clone_from(&kept.body);
        self
    }

    /// Whether a 304 can confirm this state: one that names another state confirms nothing (RFC 9111 §4.3.4).
    pub(crate) fn may_be_meant_by(&self, not_modified: &HeaderMap) -> bool {
        let (kept, told) = (Validators::of(&self.fields).tag, Validators::of(not_modified).tag);
        told.is_none_or(|told| kept.is_some_and(|kept| kept.weak_eq(told)))
    }

    /// Whether a 304 shows no later write. On S3, the same bytes written again have the same tag.
    pub(crate) fn is_as_old_as(&self, not_modified: &HeaderMap) -> bool {
        let (kept, told) = (Validators::of(&self.fields), Validators::of(not_modified));
        told.last_modified.is_none_or(|told| kept.last_modified == Some(told))
    }

    /// The state as confirmed by a 304 (RFC 9111 §4.3.4). `not_modified` has the client's fields of the 304, `origin`
    /// S3's.
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
        let lifetime = policy.lifetime(key, &fields, targeted.as_ref(), asked.at, asked.answered)?;
        let confirmed = self.copy();
        Some(Self { fields, targeted, lifetime, is_purged: Arc::default(), ..confirmed })
    }

    /// The same state with all of its bytes.
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
            backs_off_until: AtomicU64::new(0),
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
                if self.backs_off(now) =>
            {
                State::Fresh
            }
            state => state,
        }
    }

    pub(crate) fn is_stale(&self, now: SystemTime) -> bool {
        self.is_purged.load(Ordering::Relaxed) || self.lifetime.is_stale(now)
    }

    /// Whether it may be served unconfirmed if S3 can't confirm it (RFC 5861 §4).
    pub(crate) fn may_stand_in(&self, now: SystemTime, asked: &RequestControl) -> bool {
        self.lifetime.may_stand_in(now, asked)
    }

    /// Whether it may be served stale at all. What was purged has changed.
    pub(crate) fn may_be_served_stale(&self) -> bool {
        !self.is_purged.load(Ordering::Relaxed) && self.lifetime.may_be_served_stale()
    }

    /// S3 failed: for a moment it is not asked again.
    pub(crate) fn back_off(&self, now: SystemTime) {
        self.backs_off_until.store(seconds(now) + BACK_OFF, Ordering::Relaxed);
    }

    fn backs_off(&self, now: SystemTime) -> bool {
        let left = self.backs_off_until.load(Ordering::Relaxed).saturating_sub(seconds(now));
        // More can be left only if the clock was set back.
        (1..=BACK_OFF).contains(&left)
    }
}

/// In seconds.
const BACK_OFF: u64 = 3;

fn seconds(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// The entity tag that tells one state from all others (RFC 9110 §8.8.3.2).
fn strong_tag(fields: &HeaderMap) -> Option<&HeaderValue> {
    fields.get(ETAG).filter(|value| EntityTag::parse(value).is_some_and(|tag| !tag.is_weak()))
}

/// The same fields, in their own memory. As received, their values are slices of the connection's read buffer, which
/// also has the first bytes of the body: each would keep the whole buffer alive.
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

/// All lines of the field, which are one list (RFC 9110 §5.3): the first line alone could say less.
fn targeted(origin: &HeaderMap) -> Option<HeaderValue> {
    let lines: Vec<_> = origin.get_all(CDN_CACHE_CONTROL).iter().map(HeaderValue::as_bytes).collect();
    (!lines.is_empty()).then(|| copied(lines.join(b", ".as_slice()).into()))
}

fn copied(bytes: Bytes) -> HeaderValue {
    HeaderValue::from_maybe_shared(bytes).expect("it was a value before")
}

// === impl Marker ===

impl Marker {
    pub(crate) fn new(since: SystemTime, life: Duration) -> Self {
        Self { since, life }
    }

    /// A clock that was set back also ends it.
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
            Self::Missing(_) | Self::MissingUnexplained(_) | Self::Uncacheable(_) => size_of::<Self>() as u64,
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

/// The allocation that copies share: a flag and two counts.
const SHARED: usize = 48;

/// The overhead of a field in the map: a bucket with its value, an index, an allocation or two.
const PER_FIELD: usize = 160;

#[cfg(test)]
mod tests {
    use http::header::{CACHE_CONTROL, SET_COOKIE};

    use super::*;
    use crate::object::{BucketName, Edition};

    const START: SystemTime = UNIX_EPOCH;

    fn found(cache_control: &'static str) -> Found {
        let fields = HeaderMap::from_iter([(CACHE_CONTROL, HeaderValue::from_static(cache_control))]);
        found_with(&fields, &HeaderMap::new()).unwrap()
    }

    fn found_with(fields: &HeaderMap, origin: &HeaderMap) -> Option<Found> {
        let (bucket, key) = (BucketName::parse("studio-media").unwrap(), ObjectKey::new("a").unwrap());
        let object = ObjectRef { scope: 0, bucket: &bucket, key: &key, edition: &Edition::default() };
        let policy = FreshnessPolicy::new([], None).unwrap();
        Found::new(fields, origin, 0, object, &policy, Asked { at: START, answered: START, epoch: 0 })
    }

    /// The bytes may arrive at the moment of a purge, and with them a copy of the head.
    #[test]
    fn a_purge_holds_for_a_copy_that_is_put_after_it() {
        let head = Head::Found(Box::new(found("max-age=60")));
        let Head::Found(before) = &head else { unreachable!() };
        let copy = before.with_body(Bytes::from_static(b"text"));
        assert!(head.mark_stale());
        assert!(copy.is_stale(START));
        let asked = Asked { at: START, answered: START, epoch: 0 };
        let (key, policy) = (ObjectKey::new("a").unwrap(), FreshnessPolicy::new([], None).unwrap());
        let none = HeaderMap::new();
        let confirmed = copy.freshened(&none, &none, &key, &policy, asked).unwrap();
        assert!(!confirmed.is_stale(START));
    }

    #[test]
    fn every_line_to_caches_alone_counts() {
        let mut origin = HeaderMap::new();
        for (line, is_kept) in [("max-age=60", true), ("no-store", false)] {
            origin.append(CDN_CACHE_CONTROL, HeaderValue::from_static(line));
            assert_eq!(found_with(&HeaderMap::new(), &origin).is_some(), is_kept, "{line}");
        }
    }

    /// Each row: its directives, its age, whether it was purged, and its state before and after S3 failed.
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
            found.back_off(now);
            assert_eq!(found.use_at(now, &asked), after, "{row}");
            let later = found.use_at(now + Duration::from_secs(BACK_OFF), &asked);
            assert!(later != State::Fresh || before == State::Fresh, "{row}: {later:?}");
            // The clock is set back, from an hour later.
            found.back_off(now + Duration::from_secs(3600));
            assert_eq!(found.use_at(now, &asked), before, "{row}");
        }
    }

    #[test]
    fn what_was_purged_or_must_be_revalidated_is_never_served_stale() {
        for (says, is_purged, may) in [
            ("max-age=1", false, true),
            ("max-age=1", true, false),
            ("max-age=1, must-revalidate", false, false),
        ] {
            let head = Head::Found(Box::new(found(says)));
            if is_purged {
                assert!(head.mark_stale());
            }
            assert_eq!(head.found().unwrap().may_be_served_stale(), may, "{says} {is_purged}");
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
        assert!(buffer.is_unique(), "the buffer is freed with the response");
    }
}
