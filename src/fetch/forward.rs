//! The question to S3 on behalf of the cache (RFC 9211 §2.2, "forward").

use std::sync::Arc;

use http::{HeaderMap, Response, StatusCode, header::IF_NONE_MATCH};

use super::{deliver::Doubt, read::Read, store_answer::HeadFor};
use crate::{
    body::{ExactBody, ObjectBody},
    cache::{AskedAt, Found, Head, MountCache},
    error::Failure,
    object::Validators,
    origin::{Answer, Asked, BodyLength, Extent, Mismatch, Refusal, S3ErrorCode, WireBody},
    request::{ByteRange, Question, RangeSpec, Ranges, ReadMethod},
};

/// What a question for an object's head brought.
pub(super) enum Forwarded {
    /// It is in the cache.
    Stored,
    /// The answer is the client's own: it can't be stored.
    Answered(Box<Response<ObjectBody>>),
}

impl Read {
    /// Asks for the object's head, together with the bytes that this request needs where that can be said beforehand, and
    /// stores what can be stored.
    pub(super) async fn forward(
        &self,
        cache: &MountCache,
        before: Option<&Arc<Head>>,
    ) -> Result<Forwarded, Failure> {
        let stale = before.and_then(|head| head.found());
        let question = self.first_question(cache, stale);
        let asked = cache.asked(&self.object.key, self.object.now());
        match self.ask(&question).await? {
            Answer::Found(answer) if question.method == ReadMethod::Head => {
                self.store_head(cache, stale, answer, asked).await
            }
            Answer::Found(answer) => self.store_object(cache, &question, answer, asked).await,
            Answer::NotModified(answer) => {
                let Some(stale) = stale.filter(|stale| stale.may_be_meant_by(answer.headers())) else {
                    let response = Box::pin(self.head_first()).await?;
                    return Ok(Forwarded::Answered(Box::new(response)));
                };
                // The same bytes, but written anew: their other fields are not in a 304 of S3.
                if !stale.is_as_old_as(answer.headers()) {
                    return self.forward_head(cache, before, asked).await;
                }
                let Some(fresh) = self.object.freshened(cache, stale, answer.headers(), asked) else {
                    // It is the same object, but no longer to be stored.
                    cache.store_uncacheable(&self.object.id(cache), self.object.now(), asked);
                    let response = self.ask_s3().await?;
                    return Ok(Forwarded::Answered(Box::new(response)));
                };
                cache.store_confirmed(&self.object.id(cache), fresh, asked);
                Ok(Forwarded::Stored)
            }
            // The blocks asked for lie behind the end of the object: its head tells where that is.
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
        match self.ask(&Question::head()).await? {
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
            // A client that asked to GET is told why.
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

    /// A question whose answer brings the head, and no bytes that nobody asked for but to fill blocks.
    fn first_question(&self, cache: &MountCache, stale: Option<&Found>) -> Question {
        let size = cache.block_size();
        let read = &self.wanted.read;
        let is_plain =
            read.method == ReadMethod::Get && read.conditions.is_empty() && read.if_range.is_none();
        // The others can't be confirmed.
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
        match self.object.found_by_head(cache, answer.headers(), stale, asked) {
            HeadFor::Store(found) if self.may_leave(&found) => {
                self.object.store(cache, *found, stale, asked);
                return Ok(Forwarded::Stored);
            }
            // What is stored of the object stays, unless it is of another state by now: HEAD says nothing else of it.
            HeadFor::WholeReads => {
                if let Some(stale) = stale.filter(|stale| !is_meant(stale, answer.headers())) {
                    self.forget_state(cache, stale);
                }
            }
            HeadFor::Store(_) | HeadFor::Never => self.store_uncacheable(cache, asked),
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
        let held = match Extent::of(wanted, head.status, &head.headers, BodyLength::of(&head, &body)) {
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
            let is_fit = (is_whole || found.is_pinned()) && self.may_leave(&found);
            is_fit.then_some((found, range, skip, end))
        });
        let Some((mut found, range, skip, end)) = storable else {
            self.store_uncacheable(cache, asked);
            return self.hand_on(Response::from_parts(head, body)).await;
        };
        let id = self.object.id(cache);
        let Some(range) = range else {
            found.body = Some(bytes::Bytes::new());
            cache.store(&id, found, asked);
            return Ok(Forwarded::Stored);
        };
        if !cache.has_room_for(&found, range.len()) {
            cache.store(&id, found, asked);
            return self.hand_on(Response::from_parts(head, body)).await;
        }
        let Some((kept, fill)) = cache.begin_fill(&id, found, range, asked) else {
            return self.hand_on(Response::from_parts(head, body)).await;
        };
        self.object.begin_with(&kept, fill, ExactBody::new(body, skip, range.len(), end));
        Ok(Forwarded::Stored)
    }

    /// What must not be left to others for this request's `Authorization` may well be for others.
    fn store_uncacheable(&self, cache: &MountCache, asked: AskedAt) {
        if !self.wanted.asks.is_authorized {
            cache.store_uncacheable(&self.object.id(cache), self.object.now(), asked);
        }
    }

    /// RFC 9111 §3.5: whether the answer to this request may be given to others.
    fn may_leave(&self, found: &Found) -> bool {
        !self.wanted.asks.is_authorized || found.lifetime.may_answer_authorized()
    }

    /// An answer that is not stored is the client's as it comes.
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

/// Whether the fields of an answer can be of this state (RFC 9111 §4.3.5).
fn is_meant(stale: &Found, origin: &HeaderMap) -> bool {
    stale.may_be_meant_by(origin) && stale.is_as_old_as(origin)
}
