use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode,
    header::{ETAG, LOCATION},
};
use http_body::Body;

use super::{
    checksum::Comparison,
    fields::{Asked, WriteRefusal},
    parts::{Destination, Incoming},
};
use crate::{
    body::ObjectBody,
    cache::PendingChange,
    config::{MAX_PUT, Mount, WritePolicy},
    error::{BoxError, Failure, ProxyError},
    fetch::{Bucket, FetchFuture, Finish, Gate, from_origin_error},
    links::Checksum,
    object::{BucketName, ObjectKey},
    origin::{Change, Changed, Target, Upload},
    request::ReadMethod,
};

/// A request that writes or deletes an object, and that the mount's rules let through.
pub(crate) struct Write {
    /// The one with the rules.
    pub(crate) mount: Mount,
    /// The one whose credentials sign.
    pub(crate) signer: Mount,
    pub(crate) bucket: Bucket,
    pub(crate) key: ObjectKey,
    /// PUT or DELETE.
    pub(crate) method: Method,
    pub(crate) asked: Asked,
    /// The gate that must allow it first.
    pub(crate) gate: Option<Box<Gate>>,
    pub(crate) finish: Finish,
    /// Whether the head says that there is a body, or that there is none.
    pub(crate) is_announced: bool,
    /// The object's, relative to the request's.
    pub(crate) location: Option<HeaderValue>,
}

// === impl Write ===

impl Write {
    pub(crate) fn run<B>(self: Box<Self>, body: B) -> FetchFuture
    where
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let upload = Upload::new(body);
        Box::pin(self.respond(upload))
    }

    async fn respond(mut self: Box<Self>, body: Upload) -> Response<ObjectBody> {
        let finish = std::mem::take(&mut self.finish);
        let response = match self.change(body).await {
            Ok(response) => response,
            Err(failure) => self.mount.refuse(failure, ReadMethod::Get, &self.key),
        };
        finish.apply(response)
    }

    async fn change(&mut self, body: Upload) -> Result<Response<ObjectBody>, Failure> {
        let mount = self.mount.clone();
        let Some(policy) = &mount.0.writes else { return Err(Failure::late()) };
        let length = body.size_hint().exact();
        if self.method == Method::PUT && length.is_some_and(|length| length > policy.max_size) {
            return Err(ProxyError::from_source(WriteRefusal::TooLarge.kind(), WriteRefusal::TooLarge).into());
        }
        if self.method == Method::PUT && length == Some(0) && !self.is_announced {
            return Err(ProxyError::from_source(WriteRefusal::Length.kind(), WriteRefusal::Length).into());
        }
        let bucket = self.bucket.name().await?;
        if let Some(gate) = self.gate.take()
            && let Some(signer) = gate.open(&bucket, &self.key).await?
        {
            self.signer = signer;
        }
        let pending = self.pending(&bucket);
        match self.send(policy, &bucket, body, length).await? {
            Changed::Done(headers) => {
                pending.answered(StatusCode::OK);
                Ok(self.done(&headers))
            }
            Changed::Refused(refusal) => {
                pending.answered(refusal.status);
                Err(self.signer.write_refused(&bucket, refusal, self.asked.protects))
            }
        }
    }

    async fn send(
        &mut self,
        policy: &WritePolicy,
        bucket: &BucketName,
        body: Upload,
        length: Option<u64>,
    ) -> Result<Changed, Failure> {
        let target = Target { bucket, key: &self.key, version: None };
        let Asked { fields, conditions, checksums, .. } = &self.asked;
        let origin = &self.signer.0.origin;
        let change = match length {
            _ if self.method == Method::DELETE => Change::delete(conditions.clone()),
            Some(length) if length <= MAX_PUT => {
                let given = checksums.iter().map(of_checksum);
                let fields = fields.iter().chain(conditions).cloned().chain(given).collect();
                Change::put(fields, body, length).checked(!checksums.is_empty())
            }
            Some(_) | None => {
                let (fields, conditions) = (fields.clone(), conditions.clone());
                let (left, silence) = (policy.max_size, policy.silence);
                let comparison = Comparison::with(checksums);
                let incoming = Incoming { body, left, comparison, silence, rest: Bytes::new() };
                let destination =
                    Destination { mount: &self.signer, bucket, key: &self.key, fields, conditions };
                return Box::pin(destination.write(incoming, &policy.memory)).await;
            }
        };
        origin.change(target, change).await.map_err(from_origin_error)
    }

    /// What the mounts forget.
    fn pending(&self, bucket: &BucketName) -> PendingChange {
        PendingChange::of(
            [&self.mount, &self.signer]
                .into_iter()
                .filter_map(|mount| mount.invalidation(&self.method, Some(bucket.clone()), self.key.clone())),
        )
    }

    /// S3 does not say whether the object existed. Where its condition tells nothing either, the client reads that it was
    /// created (RFC 9110 §9.3.4).
    fn done(&self, s3: &HeaderMap) -> Response<ObjectBody> {
        let is_new = self.method == Method::PUT && !self.asked.replaces();
        let mut response = Response::new(ObjectBody::Empty);
        *response.status_mut() = if is_new { StatusCode::CREATED } else { StatusCode::NO_CONTENT };
        if self.method == Method::PUT {
            let tag = s3.get(ETAG).map(|tag| (ETAG, tag.clone()));
            let location = self.location.clone().map(|location| (LOCATION, location));
            response.headers_mut().extend(tag.into_iter().chain(location));
        }
        response
    }
}

fn of_checksum((checksum, value): &(Checksum, HeaderValue)) -> (HeaderName, HeaderValue) {
    (checksum.field(), value.clone())
}
