use std::time::Duration;

use super::CheckName;
use crate::object::{BucketName, ObjectKey};

/// What a diagnosis may do, and facts that it can't find out itself.
#[must_use = "options have no effect on their own"]
#[derive(Debug, Clone)]
pub struct Options {
    pub(super) bucket: Option<BucketName>,
    pub(super) canary: Option<ObjectKey>,
    pub(super) write_probe: WriteProbe,
    pub(super) time_limit: Duration,
    pub(super) sts_endpoint: Option<String>,
    pub(super) skipped: Vec<CheckName>,
}

/// Whether an object may be written and deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum WriteProbe {
    /// Nothing is written.
    #[default]
    Off,
    /// An object `tower-s3-proxy-write-probe-…` of a few bytes is written below the mount's prefix and deleted at once,
    /// if the mount's grant is [`Grant::ReadWrite`](crate::bucket::Grant::ReadWrite). A bucket with versions keeps the
    /// version if the credentials may not delete it.
    On,
}

// === impl Options ===

impl Options {
    /// Reads only, with a limit of 10 s for each request.
    pub fn new() -> Self {
        Self {
            bucket: None,
            canary: None,
            write_probe: WriteProbe::Off,
            time_limit: TIME_LIMIT,
            sts_endpoint: None,
            skipped: Vec::new(),
        }
    }

    /// The bucket to check, if a mount takes it from each request.
    pub fn bucket(mut self, bucket: BucketName) -> Self {
        self.bucket = Some(bucket);
        self
    }

    /// The object whose first byte is read, by S3's own key. By default, and for mounts that do not serve the key, it
    /// is the first of a listing.
    pub fn canary(mut self, key: ObjectKey) -> Self {
        self.canary = Some(key);
        self
    }

    /// Whether an object may be written and deleted; off by default.
    pub fn write_probe(mut self, probe: WriteProbe) -> Self {
        self.write_probe = probe;
        self
    }

    /// The time limit for each response.
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }

    /// The URL of STS, for the identity of credentials that have no STS of their own.
    ///
    /// Roles and web identities have that which their `endpoint_url` names. They, profiles and the default chain have that of
    /// [`AwsSettings::sts_endpoint_url`](crate::credentials::AwsSettings::sts_endpoint_url). By default the others are known
    /// to AWS's own; for a mount with an endpoint other than AWS's, STS is asked only if one is named.
    pub fn sts_endpoint_url(mut self, url: impl Into<String>) -> Self {
        self.sts_endpoint = Some(url.into());
        self
    }

    /// Does not try this step, if it is not needed here, like `s3:ListBucket` for a mount that may respond with 404 to
    /// all denied keys.
    pub fn skip(mut self, name: CheckName) -> Self {
        self.skipped.push(name);
        self
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::new()
    }
}

const TIME_LIMIT: Duration = Duration::from_secs(10);
