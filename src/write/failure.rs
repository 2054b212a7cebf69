use http::StatusCode;
use tokio::time::Instant;

use crate::{
    config::Mount,
    error::{Failure, ProxyError, ProxyErrorKind},
    fetch::from_origin_error,
    object::BucketName,
    origin::{PartError, Refusal, S3ErrorCode},
};

// === impl Mount ===

impl Mount {
    /// The client's error for a change that S3 refuses; the log has S3's own message.
    ///
    /// `protects`: the condition was the mount's.
    pub(super) fn write_refused(&self, bucket: &BucketName, refusal: Refusal, protects: bool) -> Failure {
        let kind = match self.write_kind(refusal.status, refusal.code, &refusal.body.code) {
            ProxyErrorKind::PreconditionFailed if protects => ProxyErrorKind::Exists,
            kind => kind,
        };
        let error = ProxyError::from_origin_code(kind, refusal.body.code);
        let (id, status) = (error.id(), refusal.status.as_u16());
        let detail: String = refusal.body.message.chars().take(MAX_DETAIL_CHARS).collect();
        let likely = self.0.origin.terms.why_denied().filter(|_| refusal.code == S3ErrorCode::AccessDenied);
        // Who may write here is a matter of the mount: that its own credentials may not is for the operator.
        let is_of_use = kind.is_fault() || kind == ProxyErrorKind::Forbidden;
        if is_of_use && self.0.tallies.refusals.add(Instant::now()).is_some() {
            tracing::info!(id, status, ?refusal.request_id, ?detail, likely, %bucket, "S3 refused a write");
        } else {
            tracing::debug!(id, status, ?refusal.request_id, ?detail, likely, %bucket, "S3 refused a write");
        }
        let retry_after = refusal.retry_after.filter(|_| kind == ProxyErrorKind::OriginBusy);
        Failure { retry_after, ..error.into() }
    }

    pub(super) fn part_failed(&self, bucket: &BucketName, error: PartError) -> Failure {
        match error {
            PartError::Refused(refusal) => self.write_refused(bucket, *refusal, false),
            PartError::Origin(error) => from_origin_error(error),
        }
    }

    /// By S3's own code ([S3 API, "Error responses"](https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html)),
    /// where it means something else of a write than of a read.
    fn write_kind(&self, status: StatusCode, code: S3ErrorCode, name: &str) -> ProxyErrorKind {
        match name {
            "ConditionalRequestConflict" => return ProxyErrorKind::Conflict,
            "BadDigest" | "InvalidDigest" | "XAmzContentChecksumMismatch" => {
                return ProxyErrorKind::BadDigest;
            }
            "EntityTooLarge" => return ProxyErrorKind::TooLarge,
            "MetadataTooLarge" => return ProxyErrorKind::BadField,
            "IncompleteBody" => return ProxyErrorKind::UnfinishedRequest,
            // Of a condition that the server does not know: nothing was written.
            "NotImplemented" => return ProxyErrorKind::OriginMisconfigured,
            _ => {}
        }
        match code {
            S3ErrorCode::PreconditionFailed => ProxyErrorKind::PreconditionFailed,
            S3ErrorCode::AccessDenied => ProxyErrorKind::Forbidden,
            S3ErrorCode::Unknown | S3ErrorCode::Other => match status {
                StatusCode::PRECONDITION_FAILED => ProxyErrorKind::PreconditionFailed,
                StatusCode::CONFLICT => ProxyErrorKind::Conflict,
                StatusCode::PAYLOAD_TOO_LARGE => ProxyErrorKind::TooLarge,
                StatusCode::NOT_IMPLEMENTED => ProxyErrorKind::OriginMisconfigured,
                StatusCode::FORBIDDEN if code == S3ErrorCode::Unknown => ProxyErrorKind::Forbidden,
                status => self.error_kind(status, code, None),
            },
            code => self.error_kind(status, code, None),
        }
    }
}

/// Of what S3 says: a server must not be able to fill the log.
const MAX_DETAIL_CHARS: usize = 200;
