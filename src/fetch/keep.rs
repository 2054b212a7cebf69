//! What is kept of what S3 says of an object.

use std::sync::Arc;

use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, EXPIRES},
};

use super::{deliver::is_archived, from_origin_error, source::Source};
use crate::{
    cache::{self, AskedAt, Found, Head, Lead, Marker, Memory, Turn},
    error::Failure,
    object::Validators,
    origin::{Answer, Misfit, content_length},
    request::Question,
};

impl Source {
    /// What is to be kept of an object; `None` if it must not be. `stale` is what was kept before.
    pub(super) fn found(
        &self,
        memory: &Memory,
        origin: &HeaderMap,
        total: u64,
        stale: Option<&Found>,
        asked_at: AskedAt,
    ) -> Option<Found> {
        let mut fields = self.mount.object_fields(&self.key, &self.edition, origin);
        // Of a part, it was the part's.
        fields.insert(CONTENT_LENGTH, HeaderValue::from(total));
        let asked = cache::Asked { at: asked_at.time, answered: self.now() };
        let found = Found::new(&fields, origin, total, &self.key, &memory.freshness, asked)?;
        let is_same = |stale: &&Found| {
            stale.total == total && Validators::of(&stale.fields).is_same_state(Validators::of(origin))
        };
        Some(match stale.filter(is_same) {
            Some(stale) => {
                memory.cache.0.counters.revalidated.add(1);
                found.of_state(stale)
            }
            None => found,
        })
    }

    /// What is to be kept by an answer to HEAD, whose bytes will have to be asked for.
    pub(super) fn found_by_head(
        &self,
        memory: &Memory,
        origin: &HeaderMap,
        stale: Option<&Found>,
        asked_at: AskedAt,
    ) -> Option<Found> {
        // What HEAD says of such an object is not what GET says.
        if is_archived(origin) {
            return None;
        }
        let found = self.found(memory, origin, content_length(origin)?, stale, asked_at);
        found.filter(Found::is_pinned)
    }

    /// What was kept, confirmed by a 304.
    pub(super) fn freshened(
        &self,
        memory: &Memory,
        stale: &Found,
        origin: &HeaderMap,
        asked_at: AskedAt,
    ) -> Option<Found> {
        let mut fields = self.mount.0.headers.select_for_not_modified(origin);
        // What S3 says of caching goes through the mount's rules; what it leaves out stays as it was.
        if fields.contains_key(CACHE_CONTROL) || fields.contains_key(EXPIRES) {
            self.mount.0.cache.apply(&self.key, &self.edition, stale.fields.get(CONTENT_TYPE), &mut fields);
        }
        let asked = cache::Asked { at: asked_at.time, answered: self.now() };
        stale.freshened(&fields, origin, &self.key, &memory.freshness, asked)
    }

    /// Asks whether a stale head is still good, in a task of its own and once at a time.
    pub(super) fn confirm_behind(self: &Arc<Self>, memory: &Memory, stale: &Arc<Head>) {
        let id = self.id(memory);
        let is_due = || memory.head(id.borrowed()).is_some_and(|head| Arc::ptr_eq(&head, stale));
        if let Turn::Lead(lead) = memory.cache.0.heads.turn(&id, is_due) {
            self.go_on_behind(lead, stale);
        }
    }

    /// Asks that for all who wait.
    pub(super) fn go_on_behind(self: &Arc<Self>, lead: Lead<Result<(), Failure>>, stale: &Arc<Head>) {
        let (source, stale) = (Arc::clone(self), Arc::clone(stale));
        tokio::spawn(async move {
            let Some(memory) = source.memory() else { return };
            lead.tell(source.confirm(memory, &stale).await);
        });
    }

    /// Fails if S3 could not say.
    async fn confirm(&self, memory: &Memory, stale: &Arc<Head>) -> Result<(), Failure> {
        let asked_at = memory.cache.0.asked(&self.key, self.now());
        let failure = match self.ask(&Question::head()).await {
            Ok(Answer::Found(answer)) if answer.status() == StatusCode::OK => {
                match self.found_by_head(memory, answer.headers(), stale.found(), asked_at) {
                    Some(found) => {
                        memory.put(&self.id(memory), Head::Found(Box::new(found)), asked_at.epoch);
                    }
                    // Only a whole read brings such an object anew.
                    None if stale.found().is_some_and(|stale| !stale.is_pinned()) => {
                        memory.cache.0.remove_if(&self.id(memory), stale);
                    }
                    None => self.remember_passed(memory, asked_at),
                }
                return Ok(());
            }
            Ok(Answer::Refused(refusal)) => self.mount.refused(refusal),
            Ok(Answer::Found(_) | Answer::NotModified(_)) => Failure::misfit(Misfit::UNASKED),
            Err(error) => from_origin_error(error).into(),
        };
        let failure = self.lost(memory, Some(stale), failure);
        if !failure.is_outage() {
            return Ok(());
        }
        // Within its window the object is served as it is; behind it the question is asked in front.
        if let Some(found) = stale.found() {
            found.rest(self.now());
        }
        Err(failure)
    }

    /// What S3 denies now is not given out later, in place of an error. Only an outage says nothing of the object.
    pub(super) fn lost(&self, memory: &Memory, before: Option<&Arc<Head>>, failure: Failure) -> Failure {
        if let Some(before) = before.filter(|_| !failure.is_outage()) {
            memory.cache.0.remove_if(&self.id(memory), before);
        }
        failure
    }

    pub(super) fn remember_missing(&self, memory: &Memory, asked_at: AskedAt) {
        let life = memory.cache.0.settings.negative_ttl;
        if life.is_zero() {
            memory.cache.0.store.remove(self.id(memory).borrowed());
        } else {
            memory.put(&self.id(memory), Head::Missing(Marker::new(self.now(), life)), asked_at.epoch);
        }
    }

    pub(super) fn remember_passed(&self, memory: &Memory, asked_at: AskedAt) {
        let life = memory.cache.0.settings.passed_for;
        memory.put(&self.id(memory), Head::Passed(Marker::new(self.now(), life)), asked_at.epoch);
    }
}
