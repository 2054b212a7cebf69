use std::{fmt, sync::Arc};

use http::HeaderMap;

use super::{
    Doubt, Fetch,
    deliver::{body_length, content_length},
    from_origin_error,
};
use crate::{
    body::{PartFuture, Stretch},
    config::Mount,
    object::{BucketName, ObjectKey, Validators},
    origin::{Answer, Asked, Extent, Misfit, OriginError, Target},
    request::{ByteRange, Question, VersionId},
};

/// Reads parts of one state of an object.
pub(super) struct PartReader(Arc<Inner>);

struct Inner {
    mount: Mount,
    bucket: BucketName,
    key: ObjectKey,
    version: Option<VersionId>,
    /// The fields of that state.
    head: HeaderMap,
}

/// Why a part could not be had.
#[derive(Debug)]
pub(super) enum PartError {
    Origin(OriginError),
    Misfit(Misfit),
}

// === impl PartReader ===

impl PartReader {
    pub(super) fn new(fetch: &Fetch, bucket: &BucketName, head: &HeaderMap) -> Self {
        Self(Arc::new(Inner {
            mount: fetch.mount.clone(),
            bucket: bucket.clone(),
            key: fetch.key.clone(),
            version: fetch.version.clone(),
            head: head.clone(),
        }))
    }

    pub(super) async fn read(&self, range: ByteRange) -> Result<Stretch, PartError> {
        self.0.read(range).await
    }

    pub(super) fn part(&self, range: ByteRange) -> PartFuture {
        let inner = Arc::clone(&self.0);
        Box::pin(async move { inner.read(range).await.map_err(Into::into) })
    }
}

// === impl Inner ===

impl Inner {
    async fn read(&self, range: ByteRange) -> Result<Stretch, PartError> {
        let target = Target { bucket: &self.bucket, key: &self.key, version: self.version.as_ref() };
        let object = Validators::of(&self.head);
        let question = Question::part(range, object.tag);
        let answer = match self.mount.0.origin.read(target, &question).await.map_err(PartError::Origin)? {
            Answer::Found(answer) => answer,
            // Mostly 412: another state took its place.
            Answer::NotModified(_) | Answer::Refused(_) => return Err(PartError::Misfit(Misfit::CHANGED)),
        };
        let (head, body) = answer.into_parts();
        if !Validators::of(&head.headers).is_same_state(object) {
            return Err(PartError::Misfit(Misfit::CHANGED));
        }
        let length = body_length(&head, &body);
        let asked = Asked { range: question.range, total: content_length(&self.head) };
        match Extent::of(asked, head.status, &head.headers, length).map_err(PartError::Misfit)? {
            Extent::Part { range: held, skip, end, .. } if held == range => {
                Ok(Stretch::new(body, skip, range.len(), end))
            }
            Extent::Part { .. } | Extent::Whole { .. } | Extent::Unsatisfiable { .. } => {
                Err(PartError::Misfit(Misfit::CHANGED))
            }
        }
    }
}

// === impl PartError ===

impl From<PartError> for Doubt {
    fn from(error: PartError) -> Self {
        match error {
            PartError::Origin(error) => Self::Settled(Box::new(from_origin_error(error).into())),
            PartError::Misfit(misfit) => Self::Misfit(misfit),
        }
    }
}

impl fmt::Display for PartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a part of the object could not be read")
    }
}

impl std::error::Error for PartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Origin(error) => Some(error),
            Self::Misfit(misfit) => Some(misfit),
        }
    }
}
