use std::{error::Error, sync::Arc, time::SystemTime};

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use http::{Method, Request, StatusCode, request::Parts};
use s3s::{S3Error, S3ErrorCode, S3Result, s3_error};

use super::{answer, sdk_error, upload::Course};
use crate::{
    cache::PendingChange,
    clients::ClientKey,
    config::Mount,
    fetch::from_origin_error,
    object::{BucketName, InvalidKey, ObjectKey},
    origin::CountedClient,
};

/// What the key of a request opens.
pub(crate) struct Scope {
    pub(crate) key: Arc<ClientKey>,
    /// The buckets that it sees.
    pub(crate) buckets: Vec<ClientBucket>,
    /// What S3 clients are told of when their buckets were made, which the proxy cannot know.
    pub(crate) since: SystemTime,
}

/// A mount as S3 clients see it.
#[derive(Clone)]
pub(crate) struct ClientBucket {
    pub(crate) name: String,
    pub(crate) bucket: BucketName,
    pub(crate) mount: Mount,
}

/// An object that a request can have, and the mount whose credentials it gets.
pub(super) struct Target {
    pub(super) mount: Mount,
    pub(super) bucket: BucketName,
    pub(super) key: ObjectKey,
}

/// What is done with an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Read,
    Write,
}

// === impl Scope ===

impl Scope {
    pub(super) fn bucket(&self, name: &str) -> S3Result<&ClientBucket> {
        let found = self.buckets.iter().find(|bucket| bucket.name == name);
        found.ok_or_else(|| s3_error!(NoSuchBucket, "there is no such bucket"))
    }

    /// The object of a name, without a question to anybody.
    pub(super) fn locate(
        &self,
        bucket: &str,
        name: &str,
        action: Action,
    ) -> S3Result<(&ClientBucket, ObjectKey)> {
        let bucket = self.bucket(bucket)?;
        if action == Action::Write && !self.key.can_write() {
            return Err(denied("the key is for reading only"));
        }
        if !self.key.covers(name) {
            return Err(denied("the key is for other objects"));
        }
        let key = bucket.mount.0.keys.literal(name).map_err(|why| match why {
            InvalidKey::TooLong => S3Error::with_message(S3ErrorCode::KeyTooLongError, "the key is too long"),
            InvalidKey::Empty
            | InvalidKey::NotUtf8
            | InvalidKey::BadEscape
            | InvalidKey::DotSegment
            | InvalidKey::Nul => s3_error!(InvalidURI, "the key is none that is served here"),
        })?;
        let confined = bucket.mount.0.writes.as_ref().filter(|_| action == Action::Write);
        if confined.is_some_and(|writes| !key.as_str().starts_with(&writes.prefix)) {
            return Err(denied("nothing is written there"));
        }
        Ok((bucket, key))
    }

    /// The object of a name, if selector and authorizer agree.
    pub(super) async fn admit(
        &self,
        head: &Parts,
        bucket: &str,
        name: &str,
        action: Action,
    ) -> S3Result<Target> {
        let (bucket, key) = self.locate(bucket, name, action)?;
        bucket.admit(head, key).await
    }
}

// === impl ClientBucket ===

impl ClientBucket {
    pub(super) async fn admit(&self, head: &Parts, key: ObjectKey) -> S3Result<Target> {
        let request = Request::from_parts(head.clone(), ());
        let fail = |failure| answer::failed(&self.mount, failure, Some(&key));
        let mut mount = self.mount.select(&request).map_err(fail)?.clone();
        if let Some(gate) = self.mount.gate(|| request.into_parts().0)
            && let Some(other) = gate.open(&self.bucket, &key).await.map_err(fail)?
        {
            mount = other;
        }
        Ok(Target { mount, bucket: self.bucket.clone(), key })
    }

    /// The mount that lists what begins with a prefix, which stands for the key where an authorizer decides by keys.
    pub(super) async fn admit_list(&self, head: &Parts, prefix: &str) -> S3Result<Mount> {
        if self.mount.0.access.authorizer.is_some() {
            let key = self.mount.0.keys.literal(prefix).map_err(|_| {
                denied("where each object is asked for, lists are of what begins with a prefix: give one")
            })?;
            return Ok(self.admit(head, key).await?.mount);
        }
        let request = Request::from_parts(head.clone(), ());
        let selected = self.mount.select(&request);
        selected.cloned().map_err(|failure| answer::failed(&self.mount, failure, None))
    }
}

impl Target {
    pub(super) async fn client(&self) -> S3Result<CountedClient> {
        client(&self.mount, &self.bucket).await
    }

    /// What the mount forgets when S3 has changed the object, or may have.
    pub(super) fn pending(&self) -> PendingChange {
        PendingChange::of(self.mount.invalidation(&Method::PUT, Some(self.bucket.clone()), self.key.clone()))
    }

    /// S3's answer to a request that may have changed the object: then the cache has forgotten it before the client hears.
    pub(super) fn written<T, E>(
        &self,
        pending: PendingChange,
        sent: Result<T, SdkError<E, HttpResponse>>,
        body: Option<&Course>,
    ) -> S3Result<T>
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        settle(pending, &sent);
        self.answered(sent, body)
    }

    /// S3's answer; `body` is how the client's body went, which may be why there is none.
    pub(super) fn answered<T, E>(
        &self,
        sent: Result<T, SdkError<E, HttpResponse>>,
        body: Option<&Course>,
    ) -> S3Result<T>
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        sent.map_err(|why| match (&why, body.and_then(Course::fault)) {
            // S3 has answered, whatever the client did.
            (SdkError::ServiceError(_), _) | (_, None) => {
                sdk_error::retold(&self.mount, Some(&self.key), why)
            }
            (_, Some(fault)) => fault,
        })
    }
}

/// S3 has answered, or it is not known whether it has done it.
pub(super) fn settle<T, E>(pending: PendingChange, sent: &Result<T, SdkError<E, HttpResponse>>) {
    match sent {
        Ok(_) => pending.answered(StatusCode::OK),
        Err(SdkError::ServiceError(why)) => {
            pending.answered(StatusCode::from_u16(why.raw().status().as_u16()).unwrap_or_default());
        }
        Err(_) => drop(pending),
    }
}

/// The SDK's client with the mount's credentials and terms.
pub(super) async fn client(mount: &Mount, bucket: &BucketName) -> S3Result<CountedClient> {
    let client = mount.0.origin.counted_client(bucket).await;
    client.map_err(|why| answer::failed(mount, from_origin_error(why), None))
}

pub(super) fn denied(message: &'static str) -> S3Error {
    S3Error::with_message(S3ErrorCode::AccessDenied, message)
}

// === impl Mount ===

impl Mount {
    /// The mount as a bucket for S3 clients: named by its path, so that an object has one URL for all, and at `/` by the bucket
    /// itself. `None` for one whose buckets come from requests.
    pub(crate) fn as_client_bucket(&self) -> Option<ClientBucket> {
        let bucket = self.0.bucket.fixed()?.clone();
        let name = match self.path().strip_prefix('/') {
            None | Some("") => bucket.as_str().to_owned(),
            Some(segment) => segment.to_owned(),
        };
        Some(ClientBucket { name, bucket, mount: self.clone() })
    }
}
