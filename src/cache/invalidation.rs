use std::time::Duration;

use http::{Method, StatusCode};
use tokio::{runtime::Handle, time::sleep};

use super::{
    Cache, MountCache,
    store::{Purge, PurgeMode},
};
use crate::object::{BucketName, ObjectKey};

/// A change that S3 is asked for. What the cache has of the object is forgotten when S3 has answered, unless it has refused, and
/// also when nobody waits for the answer any more: S3 may do it all the same.
#[derive(Debug, Default)]
pub(crate) struct PendingChange(Vec<Invalidation>);

/// When nobody waits any more, S3 may still be at it for so long.
const AFTERMATH: Duration = Duration::from_secs(10);

/// The invalidation of a stored object by a request that may change it (RFC 9111 §4.4). `Location` and
/// `Content-Location` may name more such objects; the RFC allows us to leave them.
#[derive(Debug)]
pub(crate) struct Invalidation {
    memory: Memory,
    /// `None` is the key in every bucket: purging too much does no harm.
    bucket: Option<BucketName>,
    key: ObjectKey,
}

/// What remembers objects, or lists of them.
#[derive(Debug)]
pub(crate) enum Memory {
    /// With the lists of its mounts.
    Cache(Cache),
    /// The lists of a mount without a cache.
    #[cfg(feature = "listing")]
    Lists(std::sync::Arc<super::Folders>),
}

// === impl Memory ===

impl From<&MountCache> for Memory {
    fn from(mount: &MountCache) -> Self {
        Self::Cache(mount.cache().clone())
    }
}

// === impl Invalidation ===

impl Invalidation {
    /// `None` if the method is safe (RFC 9110 §9.2.1). An unknown method may not be.
    pub(crate) fn of(
        method: &Method,
        memory: Memory,
        bucket: Option<BucketName>,
        key: ObjectKey,
    ) -> Option<Self> {
        (!method.is_safe()).then_some(Self { memory, bucket, key })
    }

    /// The response to the request had this status.
    pub(crate) fn answered(&self, status: StatusCode) {
        if status.is_client_error() || status.is_server_error() {
            return;
        }
        self.forget();
    }

    fn forget(&self) {
        let Self { memory, bucket, key } = self;
        let what = match bucket {
            Some(bucket) => Purge::Key { bucket, key },
            None => Purge::KeyOfAny { key },
        };
        match memory {
            Memory::Cache(cache) => drop(cache.0.drop_all(what, PurgeMode::Hard)),
            #[cfg(feature = "listing")]
            Memory::Lists(folders) => folders.changed(what),
        }
    }
}

// === impl PendingChange ===

impl PendingChange {
    pub(crate) fn of(changes: impl IntoIterator<Item = Invalidation>) -> Self {
        Self(changes.into_iter().collect())
    }

    /// S3 has answered with this status. A refusal changes nothing; after a fault nobody knows.
    pub(crate) fn answered(mut self, status: StatusCode) {
        let changes = std::mem::take(&mut self.0);
        if !status.is_client_error() {
            changes.iter().for_each(Invalidation::forget);
        }
    }
}

impl Drop for PendingChange {
    fn drop(&mut self) {
        let changes = std::mem::take(&mut self.0);
        if changes.is_empty() {
            return;
        }
        changes.iter().for_each(Invalidation::forget);
        if let Ok(runtime) = Handle::try_current() {
            // A read in between may have stored the old object once more.
            runtime.spawn(async move {
                sleep(AFTERMATH).await;
                changes.iter().for_each(Invalidation::forget);
            });
        }
    }
}
