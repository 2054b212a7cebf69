//! Requests the object's head first, where one request is not enough.

use std::sync::Arc;

use http::{HeaderMap, Response, StatusCode};

use super::{
    answer::{Plan, respond},
    deliver::Doubt,
    from_origin_error,
    object::{Cut, PartError},
    read::Read,
};
use crate::{
    body::{MultipartBody, ObjectBody},
    error::Failure,
    object::State,
    origin::{Answer, Asked, Mismatch, Refusal, S3ErrorCode, content_length},
    request::{ByteRange, Purpose, Question, RangeSpec, ReadMethod, Span},
    response::{Boundary, Multipart},
};

/// The number of attempts for an object that changes between two requests.
const ATTEMPTS: u32 = 2;

impl Read {
    /// Requests the object's head, decides by it, and then requests only what the client gets.
    pub(super) async fn head_first(&self) -> Result<Response<ObjectBody>, Failure> {
        for _ in 0..ATTEMPTS {
            let head = match self.ask(&Question::head()).await? {
                Answer::Found(answer) if answer.status() == StatusCode::OK => answer.into_parts().0.headers,
                Answer::Found(_) | Answer::NotModified(_) => {
                    return Err(Failure::mismatch(Mismatch::UNASKED));
                }
                Answer::Refused(refusal) => return Err(self.explain_head(refusal).await),
            };
            match self.with_head(&head).await {
                Ok(response) => return Ok(response),
                Err(Doubt::Settled(failure)) => return Err(*failure),
                Err(Doubt::OtherState | Doubt::Mismatch(Mismatch::CHANGED)) => {}
                Err(Doubt::Mismatch(mismatch)) => return Err(Failure::mismatch(mismatch)),
            }
        }
        Err(Failure::mismatch(Mismatch::CHANGED))
    }

    async fn with_head(&self, head: &HeaderMap) -> Result<Response<ObjectBody>, Doubt> {
        let (fields, total) = (self.fields(head), content_length(head));
        match Plan::of(&self.wanted.read, &fields, total, Boundary::random)? {
            Plan::Head => Ok(self.head(head)?),
            Plan::Whole if total == Some(0) => Ok(respond(StatusCode::OK, fields, ObjectBody::Empty)),
            Plan::Whole if total.is_none() => self.untold().await,
            Plan::Whole => self.ask_for(None, total).await,
            Plan::Part(range) => self.ask_for(Some(range), total).await,
            Plan::Parts(plan) => {
                let length = total.unwrap_or_default();
                match plan.spans(length) {
                    Some(spans) => self.several(&fields, length, plan, spans).await,
                    None => self.ask_for(None, total).await,
                }
            }
            plan @ Plan::NotModified => {
                let (status, headers) = plan.head(&fields, 0);
                Ok(respond(status, headers, ObjectBody::Empty))
            }
        }
    }

    /// The response if HEAD does not tell the object's length: the first byte may tell it, where it is needed. Otherwise
    /// the client gets the whole object.
    async fn untold(&self) -> Result<Response<ObjectBody>, Doubt> {
        let has_range = self.wanted.read.ranges.is_some();
        if !has_range {
            match self.ask_for(None, None).await {
                Err(Doubt::Mismatch(Mismatch::UNFRAMED)) => {}
                answered => return answered,
            }
        }
        match self.measure().await? {
            // Boxed, since it is called from there. It has a length now, so it does not come here again.
            Some(measured) => Box::pin(self.with_head(&measured.fields)).await,
            None if has_range => self.ask_for(None, None).await,
            None => Err(Doubt::Mismatch(Mismatch::UNFRAMED)),
        }
    }

    /// The error for a client's GET when the HEAD was refused. A GET's 404 also says whether the bucket is missing.
    pub(super) async fn explain_head(&self, refusal: Refusal) -> Failure {
        if self.wanted.read.method == ReadMethod::Head {
            return self.explain(refusal).await;
        }
        match self.ask_why(refusal).await {
            Ok(refusal) => self.explain(refusal).await,
            Err(failure) => failure,
        }
    }

    /// The refusal of a HEAD, explained by a GET: the response to a HEAD has no body.
    pub(super) async fn ask_why(&self, refusal: Refusal) -> Result<Refusal, Failure> {
        if !refusal.is_unexplained_404() {
            return Ok(refusal);
        }
        match self.ask(&Question::first_byte()).await? {
            Answer::Refused(explained) => Ok(explained),
            Answer::Found(_) | Answer::NotModified(_) => Ok(refusal),
        }
    }

    /// Requests the object, or a range of it. One response belongs to one state: if that is a new one, the conditions
    /// are evaluated again.
    pub(super) async fn ask_for(
        &self,
        range: Option<ByteRange>,
        total: Option<u64>,
    ) -> Result<Response<ObjectBody>, Doubt> {
        let range = range.map(RangeSpec::from);
        match self.ask(&Question::get(range, Vec::new())).await? {
            Answer::Found(answer) => self.deliver(answer, Asked { range, total }),
            Answer::NotModified(_) => Err(Doubt::Mismatch(Mismatch::UNASKED)),
            Answer::Refused(refusal) => match refusal.code {
                S3ErrorCode::PreconditionFailed | S3ErrorCode::InvalidRange => Err(Doubt::OtherState),
                _ => Err(self.explain(refusal).await.into()),
            },
        }
    }

    /// Several parts of one state of the object. The first must be there before the response begins.
    async fn several(
        &self,
        fields: &HeaderMap,
        total: u64,
        plan: Multipart,
        spans: Vec<Span>,
    ) -> Result<Response<ObjectBody>, Doubt> {
        let state = State::of(fields, total);
        let Some(first) = spans.first().copied() else { return Err(Doubt::OtherState) };
        let first = match self.object.part(first.range, &state, Cut::Small, Purpose::Begin).await {
            Ok(first) => first,
            Err(PartError::Origin(error)) => return Err(from_origin_error(error).into()),
            Err(PartError::Refused(refusal)) => return Err(self.explain(*refusal).await.into()),
            Err(PartError::NoRanges) => return self.ask_for(None, Some(total)).await,
            Err(PartError::Changed) => return Err(Doubt::Mismatch(Mismatch::CHANGED)),
            Err(PartError::Mismatch(mismatch)) => return Err(Doubt::Mismatch(mismatch)),
        };
        let planned = Plan::Parts(plan);
        let (status, headers) = planned.head(fields, total);
        let Plan::Parts(plan) = planned else { return Err(Doubt::OtherState) };
        let object = Arc::clone(&self.object);
        let body = MultipartBody::new(plan, spans, first, move |range| {
            let (object, state) = (Arc::clone(&object), state.clone());
            Box::pin(async move {
                let part = object.part(range, &state, Cut::Small, Purpose::Continue).await;
                part.map_err(Into::into)
            })
        });
        Ok(respond(status, headers, ObjectBody::Multipart(Box::new(body))))
    }
}
