use super::Mount;
use crate::{
    error::{ConfigError, ConfigErrorKind},
    object::BucketName,
    route::BucketSource,
};

/// A second bucket with the same objects under the same keys, for example one in another region that [S3
/// replicates](https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication.html): it answers reads while the mount's own
/// does not.
///
/// It is asked when the own bucket fails, by 5xx, resets and time-outs, after a second attempt, and at once while the own
/// bucket's [`CircuitBreaker`](crate::resilience::CircuitBreaker) is open. The first probe that succeeds ends that.
///
/// ```
/// use tower_s3_proxy::{BucketName, Mount, resilience::Replica};
///
/// let replica = Mount::builder(BucketName::parse("studio-media-eu")?).region("eu-central-1").anonymous().build()?;
/// let mount = Mount::builder(BucketName::parse("studio-media")?)
///     .region("us-west-2")
///     .anonymous()
///     .replica(Replica::new(replica))
///     .build()?;
/// # let _ = mount;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Replica {
    pub(crate) mount: Mount,
    pub(crate) absent: AbsentObject,
    pub(crate) cache: ReplicaCache,
}

/// What an object that the own bucket does not have means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum AbsentObject {
    /// It does not exist.
    #[default]
    Missing,
    /// The replica may have it.
    AskReplica,
}

/// What becomes of the replica's objects in the mount's cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ReplicaCache {
    /// They are kept like the own bucket's.
    #[default]
    Shared,
    /// They are not kept: what may lag behind the own bucket ends with the outage.
    Apart,
}

// === impl Replica ===

impl Replica {
    /// The bucket of another mount, with its endpoint, credentials and transport. All else of that mount is of no account. A
    /// mount whose bucket is not fixed stands for the buckets of the same names there.
    pub fn new(mount: Mount) -> Self {
        Self { mount, absent: AbsentObject::default(), cache: ReplicaCache::default() }
    }

    /// What an object that the own bucket does not have means.
    #[must_use]
    pub fn absent(self, absent: AbsentObject) -> Self {
        Self { absent, ..self }
    }

    /// What becomes of its objects in the mount's cache.
    #[must_use]
    pub fn cache(self, cache: ReplicaCache) -> Self {
        Self { cache, ..self }
    }

    /// # Errors
    ///
    /// [`ConfigErrorKind::Contradiction`] if its mount has a replica of its own, or a prefix: keys are the same in both.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let message = if self.mount.0.replica.is_some() {
            "the replica has a replica: a mount has one"
        } else if !self.mount.0.keys.prefix().is_empty() {
            "the replica has a prefix: it is asked for the keys of the mount, whose prefix counts"
        } else {
            return Ok(());
        };
        Err(ConfigError::new(ConfigErrorKind::Contradiction, message))
    }

    /// The bucket that stands in for this one.
    pub(crate) fn bucket<'a>(&'a self, of: &'a BucketName) -> &'a BucketName {
        match &self.mount.0.bucket {
            BucketSource::Fixed(name) => name,
            BucketSource::FromPath(_) | BucketSource::Resolver(_) => of,
        }
    }
}
