use crate::object::{BucketName, ObjectKey};

/// The objects to purge from the cache.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PurgeTarget {
    /// One object, with all its versions: the current one and those that were read by their ids.
    Object {
        /// The bucket, by the name under which its mount knows it.
        bucket: BucketName,
        /// The key, byte for byte, with the mount's prefix.
        key: ObjectKey,
    },
    /// The objects of a bucket whose keys begin with these bytes.
    Prefix {
        /// The bucket, by the name under which its mount knows it.
        bucket: BucketName,
        /// Not only whole segments: `a/b` covers `a/bc`. The empty prefix covers the bucket.
        prefix: String,
    },
    /// All objects of all buckets.
    Everything,
}

/// What a purge leaves of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum PurgeMode {
    /// Nothing: the next request reads from S3.
    #[default]
    Hard,
    /// The object, marked stale: it is revalidated before its next use, and may stand in while S3 fails, if the mount
    /// allows that.
    Soft,
}

/// Something that can be purged: the cache or, in tests, a recorder of purges.
#[cfg(feature = "purge")]
pub(crate) trait Purger: Send + Sync {
    /// Purges, and returns how many objects were stored.
    fn purge(&self, target: &PurgeTarget, mode: PurgeMode) -> usize;
}
