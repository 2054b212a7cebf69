//! The values of labels: few, and never a client's own words.

use http::{Method, StatusCode};

/// An operation of S3, as its documentation names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Operation(pub(super) usize);

/// What became of a request to S3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Ok,
    /// S3 answers with a status of 400 or more.
    Refused,
    /// And of 500 or more.
    Failed,
    /// No answer came in time.
    Timeout,
    /// There is no connection.
    Unreachable,
    /// The connection broke off, or what came is not HTTP.
    Broken,
    /// The client did not send the rest of what goes to S3.
    Abandoned,
    /// Too many connections are open already.
    Overload,
}

// === impl Operation ===

impl Operation {
    pub(super) const NAMES: [&str; 15] = [
        "Other",
        "GetObject",
        "HeadObject",
        "PutObject",
        "DeleteObject",
        "ListObjectsV2",
        "CreateSession",
        "GetBucketWebsite",
        "CreateMultipartUpload",
        "UploadPart",
        "UploadPartCopy",
        "CompleteMultipartUpload",
        "AbortMultipartUpload",
        "CopyObject",
        "DeleteObjects",
    ];

    /// That of an object with this method.
    pub(crate) fn of_object(method: &Method) -> Self {
        Self::named(match *method {
            Method::GET => "GetObject",
            Method::HEAD => "HeadObject",
            Method::PUT => "PutObject",
            Method::DELETE => "DeleteObject",
            _ => "Other",
        })
    }

    pub(crate) fn named(name: &str) -> Self {
        Self(Self::NAMES.iter().position(|known| *known == name).unwrap_or(0))
    }
}

// === impl Outcome ===

impl Outcome {
    #[cfg(feature = "metrics")]
    pub(super) const COUNT: usize = Self::Overload as usize + 1;

    pub(crate) fn answered(status: StatusCode) -> Self {
        match status {
            status if status.is_client_error() => Self::Refused,
            status if status.is_server_error() => Self::Failed,
            _ => Self::Ok,
        }
    }

    #[cfg(feature = "metrics")]
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Timeout => "timeout",
            Self::Unreachable => "unreachable",
            Self::Broken => "broken",
            Self::Abandoned => "abandoned",
            Self::Overload => "overload",
        }
    }

    /// Whether S3 has answered at all.
    #[cfg(feature = "metrics")]
    pub(super) fn is_answer(self) -> bool {
        matches!(self, Self::Ok | Self::Refused | Self::Failed)
    }
}
