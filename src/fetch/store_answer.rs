//! Stores S3's responses in the cache.

use std::sync::Arc;

use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, EXPIRES},
};

use super::{deliver::is_archived, from_origin_error, measure::Measured, object::Object};
use crate::{
    cache::{Asked, AskedAt, Found, Head, Lead, MountCache, ObjectId, Turn},
    error::Failure,
    object::Validators,
    origin::{Answer, Mismatch, OriginError, content_length},
    request::Question,
};

/// The use of a response to HEAD for the cache.
pub(super) enum HeadFor {
    /// Store it; the bytes must be requested.
    Store(Box<Found>),
    /// Only a whole read can be stored: the object has no strong entity tag by which to request more of the same state,
    /// or S3's response to HEAD differs from that to GET.
    WholeReads,
    /// It depends on the length, which the response does not tell.
    Untold,
    /// Do not store it.
    Never,
}

impl Object {
    pub(super) fn id(&self, cache: &MountCache) -> ObjectId {
        self.in_cache(cache).to_owned()
    }

    /// The head to store for an object; `None` if it must not be stored. It keeps the bytes that are stored for the
    /// same state.
    pub(super) fn found(
        &self,
        cache: &MountCache,
        origin: &HeaderMap,
        total: u64,
        stale: Option<&Found>,
        asked: AskedAt,
    ) -> Option<Found> {
        let mut fields = self.fields(origin);
        // In a 206 it was the part's length.
        fields.insert(CONTENT_LENGTH, HeaderValue::from(total));
        let object = self.in_cache(cache);
        let found = Found::new(&fields, origin, total, object, cache.freshness(), self.asked(asked))?;
        Some(match stale.filter(|stale| is_same(stale, origin, total)) {
            Some(stale) => found.of_state(stale),
            None => found,
        })
    }

    /// The head to store from a response to HEAD.
    pub(super) fn found_by_head(
        &self,
        cache: &MountCache,
        origin: &HeaderMap,
        stale: Option<&Found>,
        asked: AskedAt,
    ) -> HeadFor {
        // For such an object, S3's response to HEAD differs from that to GET.
        if is_archived(origin) {
            return HeadFor::Never;
        }
        // A strong tag tells that the stored length still holds (RFC 9110 §8.8.1).
        let stored = || stale.filter(|stale| is_same_state(stale, origin)).map(|stale| stale.total);
        match content_length(origin).or_else(stored) {
            Some(total) => self.found_of_length(cache, origin, total, stale, asked),
            None => HeadFor::Untold,
        }
    }

    /// The same if HEAD did not tell the length: the first byte may tell it.
    pub(super) async fn found_by_first_byte(
        &self,
        cache: &MountCache,
        stale: Option<&Found>,
        asked: AskedAt,
    ) -> Result<HeadFor, OriginError> {
        let answer = self.ask_for_cache(&Question::first_byte()).await?;
        Ok(match Measured::of(answer) {
            Some(Measured { fields, total }) => self.found_of_length(cache, &fields, total, stale, asked),
            None => HeadFor::Never,
        })
    }

    fn found_of_length(
        &self,
        cache: &MountCache,
        origin: &HeaderMap,
        total: u64,
        stale: Option<&Found>,
        asked: AskedAt,
    ) -> HeadFor {
        match self.found(cache, origin, total, stale, asked) {
            Some(found) if found.is_pinned() => HeadFor::Store(Box::new(found)),
            Some(_) => HeadFor::WholeReads,
            None => HeadFor::Never,
        }
    }

    /// The stored head, confirmed by a 304.
    pub(super) fn freshened(
        &self,
        cache: &MountCache,
        stale: &Found,
        origin: &HeaderMap,
        asked: AskedAt,
    ) -> Option<Found> {
        let mount = &self.mount.0;
        let mut fields = mount.headers.select_for_not_modified(origin);
        // S3's caching fields go through the mount's rules; fields that S3 leaves out stay as they were.
        if fields.contains_key(CACHE_CONTROL) || fields.contains_key(EXPIRES) {
            let content_type = stale.fields.get(CONTENT_TYPE);
            mount.cache_control.apply(&self.key, &self.edition, content_type, &mut fields);
        }
        stale.freshened(&fields, origin, &self.key, cache.freshness(), self.asked(asked))
    }

    /// Stores a head, and counts it if it confirms the stored one.
    pub(super) fn store(
        &self,
        cache: &MountCache,
        found: Found,
        stale: Option<&Found>,
        asked: AskedAt,
    ) -> Option<Arc<Head>> {
        let id = self.id(cache);
        match stale {
            Some(stale) if stale.state == found.state => cache.store_confirmed(&id, found, asked),
            Some(_) | None => cache.store(&id, found, asked),
        }
    }

    /// Revalidates a stale head in its own task, one request at a time.
    pub(super) fn revalidate_behind(self: &Arc<Self>, cache: &MountCache, stale: &Arc<Head>) {
        let id = self.id(cache);
        let is_due = || cache.lookup(id.borrowed()).is_some_and(|head| Arc::ptr_eq(&head, stale));
        if let Turn::Lead(lead) = cache.turn(&id, is_due) {
            self.go_on_behind(lead, stale);
        }
    }

    /// Revalidates it for all waiting requests.
    pub(super) fn go_on_behind(self: &Arc<Self>, lead: Lead<Result<(), Failure>>, stale: &Arc<Head>) {
        let (object, stale) = (Arc::clone(self), Arc::clone(stale));
        tokio::spawn(async move {
            let Some(cache) = object.cache() else { return };
            lead.tell(object.revalidate(cache, &stale).await);
        });
    }

    /// Fails if S3 could not respond.
    async fn revalidate(&self, cache: &MountCache, stale: &Arc<Head>) -> Result<(), Failure> {
        let asked = cache.asked(&self.key, self.now());
        let failure = match self.ask_for_cache(&Question::head()).await {
            Ok(Answer::Found(answer)) if answer.status() == StatusCode::OK => {
                match self.found_by_head(cache, answer.headers(), stale.found(), asked) {
                    HeadFor::Store(found) => drop(self.store(cache, *found, stale.found(), asked)),
                    // Only a read of it can renew such an object.
                    HeadFor::WholeReads | HeadFor::Untold => cache.forget(&self.id(cache), stale),
                    HeadFor::Never => cache.store_uncacheable(&self.id(cache), self.now(), asked),
                }
                return Ok(());
            }
            Ok(Answer::Refused(refusal)) => self.mount.to_failure(refusal),
            Ok(Answer::Found(_) | Answer::NotModified(_)) => Failure::mismatch(Mismatch::UNASKED),
            Err(error) => from_origin_error(error),
        };
        let failure = self.lost(cache, Some(stale), failure);
        if !failure.is_outage() {
            return Ok(());
        }
        // Within its window the object is served as it is; after that, the request waits for the revalidation.
        if let Some(found) = stale.found() {
            found.back_off(self.now());
        }
        Err(failure)
    }

    /// An object that S3 now denies must not later stand in for an error. Only an outage says nothing about the object.
    pub(super) fn lost(&self, cache: &MountCache, before: Option<&Arc<Head>>, failure: Failure) -> Failure {
        if let Some(before) = before.filter(|_| !failure.is_outage()) {
            cache.forget(&self.id(cache), before);
        }
        failure
    }

    fn asked(&self, asked: AskedAt) -> Asked {
        Asked { at: asked.time, answered: self.now(), epoch: asked.epoch }
    }
}

fn is_same(stale: &Found, origin: &HeaderMap, total: u64) -> bool {
    stale.total == total && is_same_state(stale, origin)
}

fn is_same_state(stale: &Found, origin: &HeaderMap) -> bool {
    Validators::of(&stale.fields).is_same_state(Validators::of(origin))
}
