use http::{Method, StatusCode};

use super::{
    Cache, MountCache,
    store::{Purge, PurgeMode},
};
use crate::object::{BucketName, ObjectKey};

/// The invalidation of a stored object by a request that may change it (RFC 9111 §4.4). `Location` and
/// `Content-Location` may name more such objects; the RFC allows us to leave them.
#[derive(Debug)]
pub(crate) struct Invalidation {
    cache: Cache,
    /// `None` is the key in every bucket: purging too much does no harm.
    bucket: Option<BucketName>,
    key: ObjectKey,
}

// === impl Invalidation ===

impl Invalidation {
    /// `None` if the method is safe (RFC 9110 §9.2.1). An unknown method may not be.
    pub(crate) fn of(
        method: &Method,
        mount: &MountCache,
        bucket: Option<BucketName>,
        key: ObjectKey,
    ) -> Option<Self> {
        (!method.is_safe()).then(|| Self { cache: mount.cache().clone(), bucket, key })
    }

    /// The response to the request had this status.
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
