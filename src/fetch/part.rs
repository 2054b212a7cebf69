use std::{fmt, sync::Arc};

use http::{HeaderMap, StatusCode, header::CONTENT_RANGE};

use super::Fetch;
use crate::{
    body::{PartFuture, Stretch},
    config::Mount,
    object::{BucketName, Edition, ObjectKey, Validators},
    origin::{
        Answer, Asked, BodyLength, Extent, Misfit, OriginError, Refusal, S3ErrorCode, Target, content_length,
    },
    request::{ByteRange, Question},
};

/// Reads parts of one state of an object.
pub(super) struct PartReader(Arc<Inner>);

struct Inner {
    mount: Mount,
    bucket: BucketName,
    key: ObjectKey,
    edition: Edition,
    /// The fields of that state.
    head: HeaderMap,
}

/// Why a part could not be had.
#[derive(Debug)]
pub(super) enum PartError {
    Origin(OriginError),
    Refused(Box<Refusal>),
    /// S3 sends the whole object whatever range it is asked for, and that is too much to cut parts out of.
    NoRanges,
    Misfit(Misfit),
}

// === impl PartReader ===

impl PartReader {
    pub(super) fn new(fetch: &Fetch, bucket: &BucketName, head: &HeaderMap) -> Self {
        Self(Arc::new(Inner {
            mount: fetch.mount.clone(),
            bucket: bucket.clone(),
            key: fetch.key.clone(),
            edition: fetch.edition.clone(),
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
        let target = Target { bucket: &self.bucket, key: &self.key, version: self.edition.version.as_ref() };
        let object = Validators::of(&self.head);
        let question = Question::part(range, object.tag);
        let answer = match self.mount.0.origin.read(target, &question).await.map_err(PartError::Origin)? {
            Answer::Found(answer) => answer,
            Answer::NotModified(_) => return Err(PartError::Misfit(Misfit::UNASKED)),
            Answer::Refused(refusal) => {
                return Err(match refusal.code {
                    S3ErrorCode::PreconditionFailed | S3ErrorCode::InvalidRange => {
                        PartError::Misfit(Misfit::CHANGED)
                    }
                    _ => PartError::Refused(Box::new(refusal)),
                });
            }
        };
        let (head, body) = answer.into_parts();
        if !Validators::of(&head.headers).is_same_state(object) {
            return Err(PartError::Misfit(Misfit::CHANGED));
        }
        let length = BodyLength::of(&head, &body);
        let total = content_length(&self.head).unwrap_or_default();
        if head.status == StatusCode::OK && !head.headers.contains_key(CONTENT_RANGE) && total > SLICED {
            return Err(PartError::NoRanges);
        }
        let asked = Asked { range: question.range, total: Some(total) };
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

/// In bytes: so large an object is read once for each part, where S3 knows no ranges.
const SLICED: u64 = 1024 * 1024;

// === impl PartError ===

impl fmt::Display for PartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => write!(f, "S3 refused a part of the object: {}", refusal.status),
            Self::NoRanges | Self::Origin(_) | Self::Misfit(_) => {
                f.write_str("a part of the object could not be read")
            }
        }
    }
}

impl std::error::Error for PartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Origin(error) => Some(error),
            Self::Misfit(misfit) => Some(misfit),
            Self::Refused(_) | Self::NoRanges => None,
        }
    }
}
