//! The way of a read of a mount with a cache.

use std::{future::Future, sync::Arc, time::SystemTime};

use http::{HeaderMap, Response, header::AUTHORIZATION};

use super::{
    Asks, Bucket, Fetch,
    kept::{ReadFrom, length_of, tell},
    source::Source,
};
use crate::{
    body::ObjectBody,
    cache::{CacheStatus, Detail, Forward, Head, Memory, Outcome, Reason, RequestControl, State, Turn},
    error::{Failure, ProxyError, ProxyErrorKind},
    object::BucketName,
};

/// How often a request begins anew, because what it went by was gone by the time that it was asked for.
const ATTEMPTS: usize = 4;

/// What can be done with what memory has.
#[derive(Debug, Clone, Copy)]
enum Use {
    Serve,
    /// And confirm it behind.
    ServeStale,
    Missing,
    /// Confirm it first.
    Confirm,
    /// Ask S3 as if there were no memory.
    Pass,
    Nothing,
}

/// Some of the bytes had to be asked for.
const PARTIAL: Forward =
    Forward { reason: Reason::Partial, status: None, stored: false, collapsed: false, ttl: None };

/// What a question for an object's head brought.
pub(super) enum Refreshed {
    /// It is in memory.
    Kept,
    /// The answer is the client's own: it can't be kept.
    Answered(Box<Response<ObjectBody>>),
}

impl Asks {
    pub(crate) fn new(memory: &Memory, headers: &HeaderMap) -> Self {
        let control = RequestControl::new(headers, memory.cache.0.settings.clients);
        Self { control, is_authorized: headers.contains_key(AUTHORIZATION) }
    }
}

impl Fetch {
    /// The answer, if memory has all of it and it is fresh. Does not wait.
    pub(crate) fn recall(&self) -> Option<Response<ObjectBody>> {
        let memory = self.mount.0.memory.as_ref()?;
        let Bucket::Named(bucket) = &self.bucket else { return None };
        let head = memory.head(memory.object(bucket, &self.key, &self.edition))?;
        let now = self.mount.0.origin.now();
        let mut response = match (self.use_of(&head, now), &*head) {
            (Use::Serve, Head::Found(found)) => {
                match self.answer(found, |range, to| memory.gather(found, range, to)) {
                    Ok(response) => response?,
                    Err(failure) => self.refuse(failure),
                }
            }
            (Use::Missing, _) => self.still_missing(),
            _ => return None,
        };
        let counters = &memory.cache.0.counters;
        if head.found().is_some_and(|found| found.is_stale(now)) {
            counters.stale_served.add(1);
        }
        counters.count_hit(length_of(&response));
        tell(&mut response, &head, now, CacheStatus::hit(head.remaining(now)));
        Some(response)
    }

    /// The answer, from memory as far as it has it, and from S3.
    pub(super) async fn through_memory(
        &self,
        memory: &Memory,
        bucket: &BucketName,
    ) -> Result<Response<ObjectBody>, Failure> {
        let counters = &memory.cache.0.counters;
        let source = Arc::new(Source {
            mount: self.mount.clone(),
            bucket: bucket.clone(),
            key: self.key.clone(),
            edition: self.edition.clone(),
        });
        let id = source.id(memory);
        let mut status: Option<Forward> = None;
        // What was kept when S3 was asked.
        let mut before: Option<Arc<Head>> = None;
        let mut has_waited = false;
        for _ in 0..ATTEMPTS {
            let now = source.now();
            let head = memory.head(id.borrowed());
            let known = match &head {
                Some(head) => match self.use_of(head, now) {
                    // Just confirmed: it is good for this request, though it were never fresh.
                    Use::Confirm | Use::ServeStale if status.is_some() && is_newer(head, before.as_ref()) => {
                        Use::Serve
                    }
                    other => other,
                },
                None => Use::Nothing,
            };
            match (known, &head) {
                (Use::Serve | Use::ServeStale, Some(head)) => {
                    let forward = status.take();
                    if matches!(known, Use::ServeStale) {
                        counters.stale_served.add(1);
                        source.confirm_behind(memory, head);
                    }
                    if let Some((mut response, from)) =
                        self.serve(&source, memory, head, forward.is_some()).await?
                    {
                        if from == ReadFrom::PastMemory {
                            counters.misses.add(1);
                            let reason = forward.map_or(Reason::Miss, |forward| forward.reason);
                            past_memory(reason).append_to(response.headers_mut());
                            return Ok(response);
                        }
                        let ttl = head.remaining(now);
                        let forward = forward.or((from == ReadFrom::S3).then_some(PARTIAL));
                        let stated = match forward {
                            Some(forward) => CacheStatus::forward(Forward { ttl: Some(ttl), ..forward }),
                            None => CacheStatus::hit(ttl),
                        };
                        match stated.outcome {
                            Outcome::Hit { .. } => counters.hits.add(1),
                            Outcome::Forward(_) => counters.misses.add(1),
                        }
                        counters.bytes_served.add(length_of(&response));
                        tell(&mut response, head, now, stated);
                        return Ok(response);
                    }
                    // Another state took its place in the meantime.
                    memory.cache.0.remove_if(&id, head);
                    // S3 contradicts what it has just said: it is asked for an answer in one piece.
                    if forward.is_some() {
                        break;
                    }
                    continue;
                }
                (Use::Missing, Some(head)) => {
                    let mut response = self.still_missing();
                    counters.count_hit(length_of(&response));
                    tell(&mut response, head, now, CacheStatus::hit(head.remaining(now)));
                    return Ok(response);
                }
                _ if self.asks.control.only_if_cached => {
                    return Err(ProxyError::new(ProxyErrorKind::NotCached).into());
                }
                (Use::Pass, _) => break,
                // RFC 9111 §5.2.1.5.
                _ if self.asks.control.no_store => break,
                // The question that was waited for left nothing behind: those who waited do not wait for each other.
                (Use::Nothing | Use::Confirm, _) if status.is_some() => break,
                _ => {}
            }
            let stale = head.as_ref().filter(|head| matches!(***head, Head::Found(_)));
            let reason = match stale.and_then(|head| head.found()) {
                // It would do for another client.
                Some(found) if found.use_at(now, &RequestControl::default()) == State::Fresh => {
                    Reason::Request
                }
                Some(_) => Reason::Stale,
                None => Reason::UriMiss,
            };
            let forward = Forward { reason, ..PARTIAL };
            // An answer that came meanwhile will do, but for a client that wants S3 asked.
            let is_due = || {
                let now = memory.head(id.borrowed());
                self.asks.control.no_cache || now.as_ref().map(Arc::as_ptr) == head.as_ref().map(Arc::as_ptr)
            };
            let told = match memory.cache.0.heads.turn(&id, is_due) {
                Turn::Late => continue,
                Turn::Follow(follow) => {
                    counters.coalesced.add(1);
                    let told = self.in_time(&source, memory, stale, follow.outcome()).await;
                    let Some(told) = told else {
                        return self.or_stale(&source, memory, stale, Failure::late()).await;
                    };
                    // A client that wants S3 asked wants it asked after its request (RFC 9111 §5.2.1.4). This question
                    // was begun before; the next one is not.
                    if self.asks.control.no_cache && !std::mem::replace(&mut has_waited, true) {
                        continue;
                    }
                    match told {
                        Some(told) => told.map(|()| Forward { collapsed: true, ..forward }),
                        None => continue,
                    }
                }
                Turn::Lead(lead) => {
                    let question = self.refresh(&source, memory, stale);
                    match self.in_time(&source, memory, stale, question).await {
                        // Others may have more patience, or nothing that stands in: it is asked for as long as it takes.
                        None => {
                            if let Some(stale) = stale {
                                source.go_on_behind(lead, stale);
                            }
                            Err(Failure::late())
                        }
                        Some(Ok(Refreshed::Kept)) => {
                            lead.tell(Ok(()));
                            Ok(Forward { stored: true, ..forward })
                        }
                        Some(Ok(Refreshed::Answered(mut response))) => {
                            lead.tell(Ok(()));
                            counters.misses.add(1);
                            let kept = memory.head(id.borrowed());
                            let is_large =
                                kept.is_some_and(|kept| kept.found().is_some() && is_newer(&kept, stale));
                            let detail = if is_large { Detail::NoRoom } else { Detail::NotStorable };
                            CacheStatus::forward(forward)
                                .with_detail(detail)
                                .append_to(response.headers_mut());
                            return Ok(*response);
                        }
                        Some(Err(failure)) => {
                            lead.tell(Err(failure.clone()));
                            Err(failure)
                        }
                    }
                }
            };
            match told {
                Ok(stated) => {
                    status = Some(stated);
                    before = stale.cloned();
                }
                Err(failure) => return self.or_stale(&source, memory, stale, failure).await,
            }
        }
        counters.bypassed.add(1);
        let mut response = self.ask_s3(bucket).await?;
        CacheStatus::forward(Forward { reason: Reason::Bypass, ..PARTIAL }).append_to(response.headers_mut());
        Ok(response)
    }

    /// A stale object in place of an error, where that is allowed (RFC 5861 §4).
    async fn or_stale(
        &self,
        source: &Arc<Source>,
        memory: &Memory,
        stale: Option<&Arc<Head>>,
        failure: Failure,
    ) -> Result<Response<ObjectBody>, Failure> {
        let now = source.now();
        let found = stale.and_then(|head| head.found()).filter(|_| failure.is_outage());
        let (Some(head), Some(found)) =
            (stale, found.filter(|found| found.may_stand_in(now, &self.asks.control)))
        else {
            memory.cache.0.counters.misses.add(1);
            return Err(failure);
        };
        found.rest(now);
        match self.serve(source, memory, head, true).await? {
            Some((mut response, ReadFrom::PastMemory)) => {
                memory.cache.0.counters.misses.add(1);
                past_memory(Reason::Stale).append_to(response.headers_mut());
                Ok(response)
            }
            Some((mut response, ReadFrom::Memory | ReadFrom::S3)) => {
                memory.cache.0.counters.stale_served.add(1);
                memory.cache.0.counters.count_hit(length_of(&response));
                let detail = if failure.is_late() { Detail::OriginSlow } else { Detail::OriginError };
                let status = CacheStatus::hit(head.remaining(now)).with_detail(detail);
                tell(&mut response, head, now, status);
                Ok(response)
            }
            None => Err(failure),
        }
    }

    /// What a question brings; `None` if a stale object can stand in, and the client has waited long enough.
    async fn in_time<T>(
        &self,
        source: &Source,
        memory: &Memory,
        stale: Option<&Arc<Head>>,
        question: impl Future<Output = T>,
    ) -> Option<T> {
        let stale_found = stale.and_then(|head| head.found());
        let may_stand_in =
            stale_found.is_some_and(|found| found.may_stand_in(source.now(), &self.asks.control));
        if !may_stand_in {
            return Some(question.await);
        }
        tokio::time::timeout(memory.cache.0.settings.stale_if_error_after, question).await.ok()
    }

    fn use_of(&self, head: &Head, now: SystemTime) -> Use {
        match head {
            Head::Found(found) => {
                if self.asks.is_authorized && !found.lifetime.may_answer_authorized() {
                    return Use::Pass;
                }
                match found.use_at(now, &self.asks.control) {
                    State::Fresh => Use::Serve,
                    State::StaleWhileRevalidate => Use::ServeStale,
                    State::Stale { .. } => Use::Confirm,
                }
            }
            Head::Missing(marker) if marker.holds(now) && !self.asks.control.no_cache => Use::Missing,
            Head::Passed(marker) if marker.holds(now) => Use::Pass,
            Head::Missing(_) | Head::Passed(_) => Use::Nothing,
        }
    }

    /// An error, which says of the cache that it had no answer.
    pub(super) fn answer_failure(&self, failure: Failure) -> Response<ObjectBody> {
        let is_cached = self.mount.0.memory.is_some() && !failure.is_unasked();
        let mut response = self.refuse(failure);
        if is_cached {
            CacheStatus::forward(Forward { reason: Reason::Miss, ..PARTIAL })
                .append_to(response.headers_mut());
        }
        response
    }

    fn still_missing(&self) -> Response<ObjectBody> {
        self.refuse(ProxyError::new(ProxyErrorKind::NotFound).into())
    }
}

/// The answer came from S3 as it is, though its object's head is kept.
fn past_memory(reason: Reason) -> CacheStatus {
    CacheStatus::forward(Forward { reason, ..PARTIAL }).with_detail(Detail::NoRoom)
}

/// Whether it was put in the place of what was kept before.
fn is_newer(head: &Arc<Head>, before: Option<&Arc<Head>>) -> bool {
    !before.is_some_and(|before| Arc::ptr_eq(before, head))
}
