//! Answering from S3 alone: one request and its response, if S3 does what it promises.

use std::ops::ControlFlow::{self, Break, Continue};

use http::{Response, StatusCode};

use super::{deliver::Doubt, read::Read};
use crate::{
    body::ObjectBody,
    error::Failure,
    origin::{Answer, Asked, Mismatch, Refusal, S3ErrorCode},
    request::{Opening, Question, ReadMethod},
};

/// What is to be asked next, if S3's response is not the client's.
enum Next {
    /// The object's head, which decides.
    HeadFirst,
    /// The whole object.
    Whole,
    /// What the refusal means.
    Explain(Box<Refusal>),
}

impl Read {
    /// One request and its response. If S3's response is unexpected, another one follows. That path is boxed, to keep the
    /// future of an object small.
    pub(super) async fn ask_s3(&self) -> Result<Response<ObjectBody>, Failure> {
        let next = match self.wanted.read.opening() {
            Opening::Ask(question) => {
                let answer = self.ask(&question).await?;
                match self.judge(&question, answer) {
                    ControlFlow::Break(answered) => return answered,
                    ControlFlow::Continue(next) => next,
                }
            }
            Opening::HeadFirst => Next::HeadFirst,
        };
        Box::pin(self.ask_next(next)).await
    }

    /// What the client gets, or what is to be asked for it.
    fn judge(
        &self,
        question: &Question,
        answer: Answer,
    ) -> ControlFlow<Result<Response<ObjectBody>, Failure>, Next> {
        let read = &self.wanted.read;
        match answer {
            Answer::Found(answer) if read.method == ReadMethod::Head => Break(match answer.status() {
                StatusCode::OK => self.head(answer.headers()),
                _ => Err(Failure::mismatch(Mismatch::UNASKED)),
            }),
            Answer::Found(answer) => {
                match self.deliver(answer, Asked { range: question.range, total: None }) {
                    Ok(response) => Break(Ok(response)),
                    Err(Doubt::Settled(failure)) => Break(Err(*failure)),
                    Err(Doubt::OtherState) => Continue(Next::Whole),
                    Err(Doubt::Mismatch(mismatch)) => {
                        self.warn_of(mismatch);
                        Continue(Next::HeadFirst)
                    }
                }
            }
            Answer::NotModified(answer) => match self.confirmed(answer.headers()) {
                Some(response) => Break(Ok(response)),
                None => Continue(Next::HeadFirst),
            },
            Answer::Refused(refusal) => match refusal.code {
                // The range applies to another state of the object (RFC 9110 §13.1.5).
                S3ErrorCode::PreconditionFailed if read.if_range.is_some() => Continue(Next::Whole),
                S3ErrorCode::InvalidRange => match refusal.object_length {
                    Some(total) if self.has_none_of(question, total) => {
                        Break(Err(Failure::unsatisfiable(total)))
                    }
                    // A condition may take precedence, the object may be empty, or S3 may be wrong.
                    Some(_) | None => Continue(Next::HeadFirst),
                },
                S3ErrorCode::PreconditionFailed if question.has_conditions() => Continue(Next::HeadFirst),
                // The server does not implement the condition; here it is.
                _ if refusal.status == StatusCode::NOT_IMPLEMENTED && question.has_conditions() => {
                    Continue(Next::HeadFirst)
                }
                _ => Continue(Next::Explain(Box::new(refusal))),
            },
        }
    }

    async fn ask_next(&self, next: Next) -> Result<Response<ObjectBody>, Failure> {
        match next {
            Next::HeadFirst => self.head_first().await,
            Next::Whole => self.whole().await,
            Next::Explain(refusal) => Err(self.explain(*refusal).await),
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
