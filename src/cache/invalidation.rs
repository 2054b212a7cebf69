use http::{Method, StatusCode};

use super::{
    Cache, MountCache,
    store::{Purge, PurgeMode},
};
use crate::object::{BucketName, ObjectKey};

/// What a request that may change an object makes of what is kept of it (RFC 9111 §4.4). `Location` and
/// `Content-Location` may name more such objects; that they are left as they are is allowed.
#[derive(Debug)]
pub(crate) struct Invalidation {
    cache: Cache,
    /// Without one, the key in every bucket: too much is no fault.
    bucket: Option<BucketName>,
    key: ObjectKey,
}

// === impl Invalidation ===

impl Invalidation {
    /// `None` if the method changes nothing (RFC 9110 §9.2.1). One that nobody knows may.
    pub(crate) fn of(
        method: &Method,
        mount: &MountCache,
        bucket: Option<BucketName>,
        key: ObjectKey,
    ) -> Option<Self> {
        (!method.is_safe()).then(|| Self { cache: mount.cache().clone(), bucket, key })
    }

    /// The request was answered with this status.
    pub(crate) fn answered(&self, status: StatusCode) {
        if status.is_client_error() || status.is_server_error() {
            return;
        }
        let Self { cache, bucket, key } = self;
        let what = match bucket {
            Some(bucket) => Purge::Key { bucket, key },
            None => Purge::KeyOfAny { key },
        };
        cache.0.drop_all(what, PurgeMode::Hard);
    }
}
