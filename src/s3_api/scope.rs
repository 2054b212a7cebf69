use std::{sync::Arc, time::SystemTime};

use aws_sdk_s3::Client;
use http::{Request, request::Parts};
use s3s::{S3Error, S3ErrorCode, S3Result, s3_error};

use super::answer;
use crate::{
    clients::ClientKey,
    config::Mount,
    error::{ProxyError, ProxyErrorKind},
    object::{BucketName, InvalidKey, ObjectKey},
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

// === impl Scope ===

impl Scope {
    pub(super) fn bucket(&self, name: &str) -> S3Result<&ClientBucket> {
        let found = self.buckets.iter().find(|bucket| bucket.name == name);
        found.ok_or_else(|| s3_error!(NoSuchBucket, "there is no such bucket"))
    }

    /// The object of a name, without a question to anybody.
    pub(super) fn locate(&self, bucket: &str, name: &str) -> S3Result<(&ClientBucket, ObjectKey)> {
        let bucket = self.bucket(bucket)?;
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
        Ok((bucket, key))
    }
}

// === impl ClientBucket ===

impl ClientBucket {
    async fn admit(&self, head: &Parts, key: ObjectKey) -> S3Result<Mount> {
        let request = Request::from_parts(head.clone(), ());
        let fail = |failure| answer::failed(&self.mount, failure, Some(&key));
        let mut mount = self.mount.select(&request).map_err(fail)?.clone();
        if let Some(gate) = self.mount.gate(|| request.into_parts().0)
            && let Some(other) = gate.open(&self.bucket, &key).await.map_err(fail)?
        {
            mount = other;
        }
        Ok(mount)
    }

    /// The mount that lists what begins with a prefix, which stands for the key where an authorizer decides by keys.
    pub(super) async fn admit_list(&self, head: &Parts, prefix: &str) -> S3Result<Mount> {
        if self.mount.0.access.authorizer.is_some() {
            let key = self.mount.0.keys.literal(prefix).map_err(|_| {
                denied("where each object is asked for, lists are of what begins with a prefix: give one")
            })?;
            return self.admit(head, key).await;
        }
        let request = Request::from_parts(head.clone(), ());
        let selected = self.mount.select(&request);
        selected.cloned().map_err(|failure| answer::failed(&self.mount, failure, None))
    }
}

/// The SDK's client with the mount's credentials and terms.
pub(super) fn client(mount: &Mount, bucket: &BucketName) -> S3Result<Client> {
    mount.0.origin.typed_client(bucket).map_err(|why| {
        let error = ProxyError::from_source(ProxyErrorKind::OriginMisconfigured, why);
        answer::failed(mount, error.into(), None)
    })
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
