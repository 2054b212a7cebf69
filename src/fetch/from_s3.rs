//! Answering from S3 alone: one request and its response, if S3 does what it promises.

use http::{Response, StatusCode};

use super::{deliver::Doubt, read::Read};
use crate::{
    body::ObjectBody,
    error::Failure,
    origin::{Answer, Asked, Mismatch, S3ErrorCode},
    request::{Opening, Question, ReadMethod},
};

impl Read {
    /// One request and its response. If S3's response is unexpected, the object's head decides. That path is boxed, to
    /// keep the future of an object small.
    pub(super) async fn ask_s3(&self) -> Result<Response<ObjectBody>, Failure> {
        let read = &self.wanted.read;
        let question = match read.opening() {
            Opening::Ask(question) => question,
            Opening::HeadFirst => return Box::pin(self.head_first()).await,
        };
        match self.ask(&question).await? {
            Answer::Found(answer) if read.method == ReadMethod::Head => match answer.status() {
                StatusCode::OK => self.head(answer.headers()),
                _ => Err(Failure::mismatch(Mismatch::UNASKED)),
            },
            Answer::Found(answer) => {
                match self.deliver(answer, Asked { range: question.range, total: None }) {
                    Ok(response) => Ok(response),
                    Err(Doubt::Settled(failure)) => Err(*failure),
                    Err(Doubt::OtherState) => Box::pin(self.whole()).await,
                    Err(Doubt::Mismatch(mismatch)) => {
                        self.warn_of(mismatch);
                        Box::pin(self.head_first()).await
                    }
                }
            }
            Answer::NotModified(answer) => match self.confirmed(answer.headers()) {
                Some(response) => Ok(response),
                None => Box::pin(self.head_first()).await,
            },
            Answer::Refused(refusal) => match refusal.code {
                // The range applies to another state of the object (RFC 9110 §13.1.5).
                S3ErrorCode::PreconditionFailed if read.if_range.is_some() => Box::pin(self.whole()).await,
                S3ErrorCode::InvalidRange => match refusal.object_length {
                    Some(total) if self.has_none_of(&question, total) => Err(Failure::unsatisfiable(total)),
                    // A condition may take precedence, the object may be empty, or S3 may be wrong.
                    Some(_) | None => Box::pin(self.head_first()).await,
                },
                S3ErrorCode::PreconditionFailed if question.has_conditions() => {
                    Box::pin(self.head_first()).await
                }
                // The server does not implement the condition; here it is.
                _ if refusal.status == StatusCode::NOT_IMPLEMENTED && question.has_conditions() => {
                    Box::pin(self.head_first()).await
                }
                _ => Err(Box::pin(self.explain(refusal)).await),
            },
        }
    }

    /// The whole object, whatever range was requested.
    async fn whole(&self) -> Result<Response<ObjectBody>, Failure> {
        match self.ask(&Question::whole()).await? {
            Answer::Found(answer) => match self.deliver(answer, Asked { range: None, total: None }) {
                Ok(response) => return Ok(response),
                Err(Doubt::Settled(failure)) => return Err(*failure),
                Err(Doubt::OtherState | Doubt::Mismatch(_)) => {}
            },
            Answer::NotModified(_) => {}
            Answer::Refused(refusal) => return Err(self.explain(refusal).await),
        }
        self.head_first().await
    }

    /// Whether a 416 is certainly right.
    fn has_none_of(&self, question: &Question, total: u64) -> bool {
        let read = &self.wanted.read;
        read.conditions.is_empty()
            && read.if_range.is_none()
            && total > 0
            && question.range.is_some_and(|range| range.resolve(total).is_none())
    }
}
