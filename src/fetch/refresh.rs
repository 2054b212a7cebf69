use std::sync::Arc;

use http::{Response, StatusCode, header::IF_NONE_MATCH};

use super::{Doubt, Fetch, cached::Refreshed, from_origin_error, source::Source};
use crate::{
    body::Stretch,
    cache::{AskedAt, Found, Head, Memory},
    error::Failure,
    object::Validators,
    origin::{Answer, Asked, BodyLength, Extent, Misfit, S3ErrorCode, WireBody},
    request::{ByteRange, Question, RangeSpec, Ranges, ReadMethod},
};

impl Fetch {
    /// Asks for the object's head, together with the bytes that this request needs where that can be said beforehand, and
    /// keeps what can be kept.
    pub(super) async fn refresh(
        &self,
        source: &Arc<Source>,
        memory: &Memory,
        before: Option<&Arc<Head>>,
    ) -> Result<Refreshed, Failure> {
        let stale = before.and_then(|head| head.found());
        let question = self.first_question(memory, stale);
        let asked_at = memory.cache.0.asked(&source.key, source.now());
        match self.put_question(source, &question).await? {
            Answer::Found(answer) if question.method == ReadMethod::Head => {
                self.keep_head(source, memory, stale, answer, asked_at).await
            }
            Answer::Found(answer) => self.keep_object(source, memory, &question, answer, asked_at).await,
            Answer::NotModified(answer) => {
                let Some(stale) = stale.filter(|stale| stale.may_be_meant_by(answer.headers())) else {
                    let response = Box::pin(self.look_up(&source.bucket)).await?;
                    return Ok(Refreshed::Answered(Box::new(response)));
                };
                // The same bytes, but written anew: their other fields are not in a 304 of S3.
                if !stale.is_as_old_as(answer.headers()) {
                    return self.refresh_by_head(source, memory, before, asked_at).await;
                }
                let Some(fresh) = source.freshened(memory, stale, answer.headers(), asked_at) else {
                    // It is the same object, but no longer to be kept.
                    source.remember_passed(memory, asked_at);
                    let response = self.ask_s3(&source.bucket).await?;
                    return Ok(Refreshed::Answered(Box::new(response)));
                };
                memory.put(&source.id(memory), Head::Found(Box::new(fresh)), asked_at.epoch);
                memory.cache.0.counters.revalidated.add(1);
                Ok(Refreshed::Kept)
            }
            Answer::Refused(refusal) => match refusal.code {
                // The blocks asked for lie behind the end of the object: its head tells where that is.
                S3ErrorCode::InvalidRange => self.refresh_by_head(source, memory, before, asked_at).await,
                code => {
                    if matches!(code, S3ErrorCode::NoSuchKey | S3ErrorCode::DeleteMarker) {
                        source.remember_missing(memory, asked_at);
                    }
                    let failure = match question.method {
                        ReadMethod::Head => self.explained(&source.bucket, refusal).await,
                        ReadMethod::Get => self.refused(&source.bucket, refusal).await,
                    };
                    Err(source.lost(memory, before, failure))
                }
            },
        }
    }

    async fn refresh_by_head(
        &self,
        source: &Source,
        memory: &Memory,
        before: Option<&Arc<Head>>,
        asked_at: AskedAt,
    ) -> Result<Refreshed, Failure> {
        let stale = before.and_then(|head| head.found());
        match self.put_question(source, &Question::head()).await? {
            Answer::Found(answer) => self.keep_head(source, memory, stale, answer, asked_at).await,
            Answer::NotModified(_) => Err(Failure::misfit(Misfit::UNASKED)),
            Answer::Refused(refusal) => {
                let failure = self.explained(&source.bucket, refusal).await;
                Err(source.lost(memory, before, failure))
            }
        }
    }

    async fn put_question(&self, source: &Source, question: &Question) -> Result<Answer, Failure> {
        source.ask(question).await.map_err(|error| from_origin_error(error).into())
    }

    /// A question whose answer brings the head, and no bytes that nobody asked for but to fill blocks.
    fn first_question(&self, memory: &Memory, stale: Option<&Found>) -> Question {
        let size = u64::from(memory.cache.0.settings.block_size);
        let is_plain = self.read.method == ReadMethod::Get
            && self.read.conditions.is_empty()
            && self.read.if_range.is_none();
        // The others can't be confirmed.
        let stale = stale.filter(|stale| stale.is_pinned());
        match (&self.read.ranges, stale) {
            _ if !is_plain => Question::head(),
            (None, None) => Question::whole(),
            (None, Some(found)) if found.total <= memory.cache.0.settings.max_object => {
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

    async fn keep_head(
        &self,
        source: &Source,
        memory: &Memory,
        stale: Option<&Found>,
        answer: Response<WireBody>,
        asked_at: AskedAt,
    ) -> Result<Refreshed, Failure> {
        if answer.status() != StatusCode::OK {
            return Err(Failure::misfit(Misfit::UNASKED));
        }
        if let Some(found) = source.found_by_head(memory, answer.headers(), stale, asked_at)
            && self.may_leave(&found)
        {
            memory.put(&source.id(memory), Head::Found(Box::new(found)), asked_at.epoch);
            return Ok(Refreshed::Kept);
        }
        self.remember_passed(source, memory, asked_at);
        let response = match self.read.method {
            ReadMethod::Head => self.head(answer.headers())?,
            ReadMethod::Get => self.ask_s3(&source.bucket).await?,
        };
        Ok(Refreshed::Answered(Box::new(response)))
    }

    async fn keep_object(
        &self,
        source: &Arc<Source>,
        memory: &Memory,
        question: &Question,
        answer: Response<WireBody>,
        asked_at: AskedAt,
    ) -> Result<Refreshed, Failure> {
        let (head, body) = answer.into_parts();
        let asked = Asked { range: question.range, total: None };
        let held = match Extent::of(asked, head.status, &head.headers, BodyLength::of(&head, &body)) {
            Ok(Extent::Whole { length: Some(total), end }) => {
                Some((total.checked_sub(1).and_then(|last| ByteRange::new(0, last)), total, 0, end))
            }
            Ok(Extent::Part { range, total, skip, end }) => Some((Some(range), total, skip, end)),
            Ok(Extent::Whole { length: None, .. } | Extent::Unsatisfiable { .. }) => None,
            Err(misfit) => {
                tracing::warn!(bucket = %source.bucket, key = self.key.as_str(), %misfit, "asking again");
                let response = Box::pin(self.look_up(&source.bucket)).await?;
                return Ok(Refreshed::Answered(Box::new(response)));
            }
        };
        let kept = held.and_then(|(range, total, skip, end)| {
            let found = source.found(memory, &head.headers, total, None, asked_at)?;
            let is_whole = range.is_none_or(|range| range.len() == total);
            let is_fit = (is_whole || found.is_pinned()) && self.may_leave(&found);
            is_fit.then_some((found, range, skip, end))
        });
        let Some((mut found, range, skip, end)) = kept else {
            self.remember_passed(source, memory, asked_at);
            return self.hand_on(source, Response::from_parts(head, body)).await;
        };
        let is_large = found.total > memory.cache.0.settings.max_object;
        if is_large || !memory.cache.0.has_room_for(range.map_or(0, ByteRange::len)) {
            memory.put(&source.id(memory), Head::Found(Box::new(found)), asked_at.epoch);
            return self.hand_on(source, Response::from_parts(head, body)).await;
        }
        match range {
            Some(range) => {
                let state = found.state;
                let id = source.id(memory);
                let put = || memory.put(&id, Head::Found(Box::new(found)), asked_at.epoch);
                let Some((kept, run)) = memory.cache.0.runs.begin(state, range, put) else {
                    return self.hand_on(source, Response::from_parts(head, body)).await;
                };
                memory.cache.0.make_room();
                source.begin_with(&kept, &run, Stretch::new(body, skip, range.len(), end));
            }
            None => {
                found.body = Some(bytes::Bytes::new());
                memory.put(&source.id(memory), Head::Found(Box::new(found)), asked_at.epoch);
            }
        }
        Ok(Refreshed::Kept)
    }

    /// What must not be left to others for this request's `Authorization` may well be for others.
    fn remember_passed(&self, source: &Source, memory: &Memory, asked_at: AskedAt) {
        if !self.asks.is_authorized {
            source.remember_passed(memory, asked_at);
        }
    }

    /// RFC 9111 §3.5: whether the answer to this request may be given to others.
    fn may_leave(&self, found: &Found) -> bool {
        !self.asks.is_authorized || found.lifetime.may_answer_authorized()
    }

    /// An answer that is not kept is the client's as it comes.
    async fn hand_on(&self, source: &Source, answer: Response<WireBody>) -> Result<Refreshed, Failure> {
        let range = match &self.read.ranges {
            Some(Ranges::One(range)) => Some(*range),
            Some(Ranges::Several(_)) | None => None,
        };
        let response = match self.deliver(answer, Asked { range, total: None }) {
            Ok(response) => response,
            Err(Doubt::Settled(failure)) => return Err(*failure),
            Err(Doubt::OtherState | Doubt::Misfit(_)) => Box::pin(self.look_up(&source.bucket)).await?,
        };
        Ok(Refreshed::Answered(Box::new(response)))
    }
}
