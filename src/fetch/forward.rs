//! The request to S3 on behalf of the cache (RFC 9211 §2.2, "forward").

use std::sync::Arc;

use http::{HeaderMap, Response, StatusCode, header::IF_NONE_MATCH};

use super::{deliver::Doubt, from_origin_error, read::Read, store_answer::HeadFor};
use crate::{
    body::{ExactBody, ObjectBody},
    cache::{AskedAt, Found, Head, MountCache},
    error::Failure,
    object::{State, Validators},
    origin::{Answer, Asked, BodyLength, Extent, Mismatch, Refusal, S3ErrorCode, WireBody},
    request::{ByteRange, Question, RangeSpec, Ranges, ReadMethod},
};

/// The outcome of a request for an object's head.
pub(super) enum Forwarded {
    /// It is in the cache, and can answer the client's request.
    Stored(Arc<Head>),
    /// It is no longer in the cache: S3 must be asked as if there were no cache.
    Lost,
    /// The response is for this client alone: it can't be stored.
    Answered(Box<Response<ObjectBody>>),
}

impl Read {
    /// Requests the object's head, together with the bytes that this request needs if they are known in advance, and
    /// stores what can be stored.
    pub(super) async fn forward(
        &self,
        cache: &MountCache,
        before: Option<&Arc<Head>>,
    ) -> Result<Forwarded, Failure> {
        let stale = before.and_then(|head| head.found());
        let question = self.first_question(cache, stale);
        let asked = cache.asked(&self.object.key, self.object.now());
        match self.ask_for_cache(&question).await? {
            Answer::Found(answer) if question.method == ReadMethod::Head => {
                self.store_head(cache, stale, answer, asked).await
            }
            Answer::Found(answer) => self.store_object(cache, &question, answer, asked).await,
            Answer::NotModified(answer) => {
                let Some(stale) = stale.filter(|stale| stale.may_be_meant_by(answer.headers())) else {
                    let response = Box::pin(self.head_first()).await?;
                    return Ok(Forwarded::Answered(Box::new(response)));
                };
                // The same bytes, but written again: S3's 304 lacks their other fields.
                if !stale.is_as_old_as(answer.headers()) {
                    return self.forward_head(cache, before, asked).await;
                }
                let Some(fresh) = self.object.freshened(cache, stale, answer.headers(), asked) else {
                    // It is the same object, but must no longer be stored.
                    cache.store_uncacheable(&self.object.id(cache), self.object.now(), asked);
                    let response = self.ask_s3().await?;
                    return Ok(Forwarded::Answered(Box::new(response)));
                };
                Ok(cache.store_confirmed(&self.object.id(cache), fresh, asked).into())
            }
            // The requested blocks lie beyond the end of the object: its head says where that is.
            Answer::Refused(refusal) if refusal.code == S3ErrorCode::InvalidRange => {
                self.forward_head(cache, before, asked).await
            }
            Answer::Refused(refusal) => {
                Err(self.refused(cache, before, question.method, refusal, asked).await)
            }
        }
    }

    async fn forward_head(
        &self,
        cache: &MountCache,
        before: Option<&Arc<Head>>,
        asked: AskedAt,
    ) -> Result<Forwarded, Failure> {
        let stale = before.and_then(|head| head.found());
        match self.ask_for_cache(&Question::head()).await? {
            Answer::Found(answer) => self.store_head(cache, stale, answer, asked).await,
            Answer::NotModified(_) => Err(Failure::mismatch(Mismatch::UNASKED)),
            Answer::Refused(refusal) => {
                Err(self.refused(cache, before, ReadMethod::Head, refusal, asked).await)
            }
        }
    }

    /// Remembers that an object is missing, or forgets what was stored of it.
    async fn refused(
        &self,
        cache: &MountCache,
        before: Option<&Arc<Head>>,
        asked_by: ReadMethod,
        refusal: Refusal,
        asked: AskedAt,
    ) -> Failure {
        let refusal = match (asked_by, self.wanted.read.method) {
            // A client that sent a GET gets the reason.
            (ReadMethod::Head, ReadMethod::Get) => match self.ask_why(refusal).await {
                Ok(refusal) => refusal,
                Err(failure) => return self.object.lost(cache, before, failure),
            },
            (ReadMethod::Get | ReadMethod::Head, _) => refusal,
        };
        let (id, now) = (self.object.id(cache), self.object.now());
        if matches!(refusal.code, S3ErrorCode::NoSuchKey | S3ErrorCode::DeleteMarker) {
            cache.store_missing(&id, now, asked);
        } else if asked_by == ReadMethod::Head && refusal.is_unexplained_404() {
            cache.store_missing_unexplained(&id, now, asked);
        }
        let failure = self.explain(refusal).await;
        self.object.lost(cache, before, failure)
    }

    /// A request that brings the head, and no bytes beyond the requested ones except to fill blocks.
    fn first_question(&self, cache: &MountCache, stale: Option<&Found>) -> Question {
        let size = cache.block_size();
        let read = &self.wanted.read;
        let is_plain =
            read.method == ReadMethod::Get && read.conditions.is_empty() && read.if_range.is_none();
        // Other heads can't be confirmed.
        let stale = stale.filter(|stale| stale.is_pinned());
        match (&read.ranges, stale) {
            _ if !is_plain => Question::head(),
            (None, None) => Question::whole(),
            (None, Some(found)) if found.total <= cache.limits().max_object => {
                match Validators::of(&found.fields).tag.and_then(|tag| tag.to_s3()) {
                    Some(tag) => Question::get(None, vec![(IF_NONE_MATCH, tag)]),
                    None => Question::head(),
                }
            }
            (Some(Ranges::One(RangeSpec::FromTo(first, last))), None) => {
                let end = (last / size).saturating_add(1).saturating_mul(size) - 1;
                Question::get(Some(RangeSpec::FromTo(first / size * size, end)), Vec::new())
            }
            (Some(Ranges::One(RangeSpec::From(first))), None) => {
                Question::get(Some(RangeSpec::From(first / size * size)), Vec::new())
            }
            _ => Question::head(),
        }
    }

    async fn store_head(
        &self,
        cache: &MountCache,
        stale: Option<&Found>,
        answer: Response<WireBody>,
        asked: AskedAt,
    ) -> Result<Forwarded, Failure> {
        if answer.status() != StatusCode::OK {
            return Err(Failure::mismatch(Mismatch::UNASKED));
        }
        let mut found = self.object.found_by_head(cache, answer.headers(), stale, asked);
        // HEAD itself needs no length.
        if matches!(found, HeadFor::Untold) && self.wanted.read.method == ReadMethod::Get {
            found = Box::pin(self.object.found_by_first_byte(cache, stale, asked))
                .await
                .map_err(from_origin_error)?;
        }
        match found {
            HeadFor::Store(found) => {
                return Ok(self.object.store(cache, *found, stale, asked).into());
            }
            // The stored head stays, unless the object has a new state: HEAD says nothing else about it.
            HeadFor::WholeReads | HeadFor::Untold => {
                if let Some(stale) = stale.filter(|stale| !is_meant(stale, answer.headers())) {
                    self.forget_state(cache, stale);
                }
            }
            HeadFor::Never => cache.store_uncacheable(&self.object.id(cache), self.object.now(), asked),
        }
        let response = match self.wanted.read.method {
            ReadMethod::Head => self.head(answer.headers())?,
            ReadMethod::Get => self.ask_s3().await?,
        };
        Ok(Forwarded::Answered(Box::new(response)))
    }

    fn forget_state(&self, cache: &MountCache, stale: &Found) {
        let id = self.object.id(cache);
        if let Some(head) = cache.lookup(id.borrowed())
            && head.found().is_some_and(|found| found.state == stale.state)
        {
            cache.forget(&id, &head);
        }
    }

    async fn store_object(
        &self,
        cache: &MountCache,
        question: &Question,
        answer: Response<WireBody>,
        asked: AskedAt,
    ) -> Result<Forwarded, Failure> {
        let (head, body) = answer.into_parts();
        let wanted = Asked { range: question.range, total: None };
        let extent = match Extent::of(wanted, head.status, &head.headers, BodyLength::of(&head, &body)) {
            Ok(Extent::Whole { length: None, end }) if question.range.is_none() => {
                let length = Box::pin(self.length_beside(cache, &head.headers, asked)).await;
                Ok(Extent::Whole { length, end })
            }
            extent => extent,
        };
        let held = match extent {
            Ok(Extent::Whole { length: Some(total), end }) => {
                Some((total.checked_sub(1).and_then(|last| ByteRange::new(0, last)), total, 0, end))
            }
            Ok(Extent::Part { range, total, skip, end }) => Some((Some(range), total, skip, end)),
            Ok(Extent::Whole { length: None, .. } | Extent::Unsatisfiable { .. }) => None,
            Err(mismatch) => {
                // Its request is no longer in flight when the next one begins.
                drop(body);
                self.warn_of(mismatch);
                let response = Box::pin(self.head_first()).await?;
                return Ok(Forwarded::Answered(Box::new(response)));
            }
        };
        let storable = held.and_then(|(range, total, skip, end)| {
            let found = self.object.found(cache, &head.headers, total, None, asked)?;
            let is_whole = range.is_none_or(|range| range.len() == total);
            (is_whole || found.is_pinned()).then_some((found, range, total, skip, end))
        });
        let Some((mut found, range, total, skip, end)) = storable else {
            cache.store_uncacheable(&self.object.id(cache), self.object.now(), asked);
            return self.hand_on(Response::from_parts(head, body)).await;
        };
        let id = self.object.id(cache);
        let Some(range) = range else {
            found.body = Some(bytes::Bytes::new());
            return Ok(cache.store(&id, found, asked).into());
        };
        if !cache.has_room_for(&found, range.len()) {
            cache.store(&id, found, asked);
            return self.hand_on(Response::from_parts(head, body)).await;
        }
        let Some((kept, fill)) = cache.begin_fill(&id, found, range, asked) else {
            return self.hand_on(Response::from_parts(head, body)).await;
        };
        let body = ExactBody::new(body, skip, range.len(), end);
        let state = State::of(&head.headers, total);
        self.object.begin_with(&kept, fill, self.object.body(body, state, range.last()));
        Ok(Forwarded::Stored(kept))
    }

    /// The length of an object whose body is on its way, if it could be stored with that.
    async fn length_beside(&self, cache: &MountCache, origin: &HeaderMap, asked: AskedAt) -> Option<u64> {
        // Whether it can be stored does not depend on the length.
        self.object.found(cache, origin, 0, None, asked)?;
        self.object.measure_beside(origin).await
    }

    /// A response that is not stored goes to the client as it comes.
    async fn hand_on(&self, answer: Response<WireBody>) -> Result<Forwarded, Failure> {
        let range = match &self.wanted.read.ranges {
            Some(Ranges::One(range)) => Some(*range),
            Some(Ranges::Several(_)) | None => None,
        };
        let response = match self.deliver(answer, Asked { range, total: None }) {
            Ok(response) => response,
            Err(Doubt::Settled(failure)) => return Err(*failure),
            Err(Doubt::OtherState | Doubt::Mismatch(_)) => Box::pin(self.head_first()).await?,
        };
        Ok(Forwarded::Answered(Box::new(response)))
    }
}

// === impl Forwarded ===

impl From<Option<Arc<Head>>> for Forwarded {
    /// The outcome of a head that was put into the cache; `None` if it was not kept.
    fn from(kept: Option<Arc<Head>>) -> Self {
        kept.map_or(Self::Lost, Self::Stored)
    }
}

/// Whether the fields of a response can belong to this state (RFC 9111 §4.3.5).
fn is_meant(stale: &Found, origin: &HeaderMap) -> bool {
    stale.may_be_meant_by(origin) && stale.is_as_old_as(origin)
}
