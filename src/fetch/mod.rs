//! The way of a read that S3 has to be asked for: one straight function, and what it does when S3 surprises.

mod admitted;
mod cached;
mod deliver;
mod keep;
mod kept;
mod look_up;
mod part;
mod refresh;
mod refused;
mod source;

use std::{future::Future, pin::Pin};

use http::{Response, StatusCode, request};

use crate::{
    access::DownstreamCaching,
    body::ObjectBody,
    cache::RequestControl,
    config::Mount,
    error::{Failure, ProxyError, ProxyErrorKind},
    object::{BucketName, Edition, ObjectKey},
    origin::{Answer, Asked, Misfit, S3ErrorCode, Target},
    request::{Disposition, Opening, Question, ReadMethod, ReadRequest},
    response::{CorsGrant, keep_private},
    route::BucketResolver,
};
pub(crate) use admitted::Gate;
use deliver::Doubt;
pub(crate) use refused::from_origin_error;

/// A read that S3 has to be asked for.
pub(crate) struct Fetch {
    pub(crate) mount: Mount,
    pub(crate) bucket: Bucket,
    pub(crate) key: ObjectKey,
    pub(crate) edition: Edition,
    pub(crate) disposition: Option<Disposition>,
    pub(crate) read: ReadRequest,
    /// What the client asks of a cache; by default nothing.
    pub(crate) asks: Asks,
    /// What has to allow it first.
    pub(crate) gate: Option<Box<Gate>>,
    pub(crate) finish: Finish,
}

/// What every answer of a mount gets in the end, whatever its status.
#[derive(Debug, Default)]
pub(crate) struct Finish {
    /// Of a mount with CORS.
    pub(crate) cors: Option<CorsGrant>,
    pub(crate) downstream: DownstreamCaching,
}

pub(crate) enum Bucket {
    Named(BucketName),
    Asked(BucketResolver, Box<request::Parts>),
}

/// What of a request a cache has to look at.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Asks {
    pub(crate) control: RequestControl,
    /// RFC 9111 §3.5.
    pub(crate) is_authorized: bool,
}

pub(crate) type FetchFuture = Pin<Box<dyn Future<Output = Response<ObjectBody>> + Send>>;

// === impl Finish ===

impl Finish {
    pub(crate) fn apply(self, mut response: Response<ObjectBody>) -> Response<ObjectBody> {
        if let Some(cors) = self.cors {
            cors.apply(response.headers_mut());
        }
        match self.downstream {
            DownstreamCaching::Private => keep_private(response.headers_mut()),
            DownstreamCaching::AsStored => {}
        }
        response
    }
}

// === impl Fetch ===

impl Fetch {
    pub(crate) fn run(self) -> FetchFuture {
        Box::pin(self.respond())
    }

    async fn respond(mut self) -> Response<ObjectBody> {
        let finish = std::mem::take(&mut self.finish);
        let response = match self.object().await {
            Ok(response) => response,
            Err(failure) => self.answer_failure(failure),
        };
        finish.apply(response)
    }

    async fn object(&mut self) -> Result<Response<ObjectBody>, Failure> {
        let bucket = self.bucket().await?;
        if let Some(gate) = self.gate.take()
            && let Some(response) = Box::pin(self.pass(gate, &bucket)).await?
        {
            return Ok(response);
        }
        match &self.mount.0.memory {
            None => self.ask_s3(&bucket).await,
            Some(memory) => Box::pin(self.through_memory(memory, &bucket)).await,
        }
    }

    /// One question and its answer, where S3 does what it promises. What it does not, the object's head has to settle.
    /// That is boxed, so that the future of an object is not as large as it.
    async fn ask_s3(&self, bucket: &BucketName) -> Result<Response<ObjectBody>, Failure> {
        let question = match self.read.opening(self.mount.0.origin.now()) {
            Opening::Ask(question) => question,
            Opening::HeadFirst => return Box::pin(self.look_up(bucket)).await,
        };
        match self.ask(bucket, &question).await? {
            Answer::Found(answer) if self.read.method == ReadMethod::Head => match answer.status() {
                StatusCode::OK => self.head(answer.headers()),
                _ => Err(Failure::misfit(Misfit::UNASKED)),
            },
            Answer::Found(answer) => {
                match self.deliver(answer, Asked { range: question.range, total: None }) {
                    Ok(response) => Ok(response),
                    Err(Doubt::Settled(failure)) => Err(*failure),
                    Err(Doubt::OtherState) => Box::pin(self.whole(bucket)).await,
                    Err(Doubt::Misfit(misfit)) => {
                        tracing::warn!(%bucket, key = self.key.as_str(), %misfit, "asking again");
                        Box::pin(self.look_up(bucket)).await
                    }
                }
            }
            Answer::NotModified(answer) => match self.confirmed(answer.headers()) {
                Some(response) => Ok(response),
                None => Box::pin(self.look_up(bucket)).await,
            },
            Answer::Refused(refusal) => match refusal.code {
                // The range is for another state of the object (RFC 9110 §13.1.5).
                S3ErrorCode::PreconditionFailed if self.read.if_range.is_some() => {
                    Box::pin(self.whole(bucket)).await
                }
                S3ErrorCode::InvalidRange => match refusal.object_length {
                    Some(total) if self.has_none_of(&question, total) => Err(Failure::unsatisfiable(total)),
                    // A condition may go first, the object may be empty, or S3 may be wrong.
                    Some(_) | None => Box::pin(self.look_up(bucket)).await,
                },
                S3ErrorCode::PreconditionFailed if question.has_conditions() => {
                    Box::pin(self.look_up(bucket)).await
                }
                _ => Err(Box::pin(self.refused(bucket, refusal)).await),
            },
        }
    }

    /// Whether a 416 is right beyond doubt.
    fn has_none_of(&self, question: &Question, total: u64) -> bool {
        self.read.conditions.is_empty()
            && self.read.if_range.is_none()
            && total > 0
            && question.range.is_some_and(|range| range.resolve(total).is_none())
    }

    async fn bucket(&self) -> Result<BucketName, Failure> {
        match &self.bucket {
            Bucket::Named(name) => Ok(name.clone()),
            Bucket::Asked(resolver, head) => match resolver.resolve(head.as_ref().clone()).await {
                Ok(Some(name)) => Ok(name),
                Ok(None) => Err(ProxyError::new(ProxyErrorKind::NotFound).into()),
                Err(error) => Err(ProxyError::from_source(ProxyErrorKind::Resolver, error).into()),
            },
        }
    }

    async fn ask(&self, bucket: &BucketName, question: &Question) -> Result<Answer, Failure> {
        let target = Target { bucket, key: &self.key, version: self.edition.version.as_ref() };
        let answer = self.mount.0.origin.read(target, question).await;
        answer.map_err(|error| from_origin_error(error).into())
    }
}
