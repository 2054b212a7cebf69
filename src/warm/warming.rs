use std::{fmt, num::NonZeroUsize};

use aws_sdk_s3::types::EncodingType;

use super::readers::Readers;
use crate::{
    config::Mount,
    error::{BoxError, ConfigError, ConfigErrorKind, ProxyError},
    object::{BucketName, ObjectKey},
    origin::{list_refusal, listed_key},
};

/// The objects with which to warm a cache.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WarmTarget {
    /// These keys.
    Keys {
        /// The bucket, by the name under which its mount knows it.
        bucket: BucketName,
        /// Byte for byte, with the mount's prefix.
        keys: Vec<ObjectKey>,
    },
    /// The objects of a bucket whose keys begin with these bytes. They are listed, which needs `s3:ListBucket`.
    Prefix {
        /// The bucket, by the name under which its mount knows it.
        bucket: BucketName,
        /// With the mount's prefix. Not only whole segments: `a/b` covers `a/bc`. The empty prefix covers the bucket.
        prefix: String,
    },
}

/// A warming, started by [`run`](Self::run).
#[must_use = "nothing is read before `run`"]
pub struct Warming {
    mount: Mount,
    target: WarmTarget,
    concurrency: NonZeroUsize,
    on_progress: Box<dyn FnMut(&WarmReport) + Send>,
}

/// The progress of a [`Warming`]. Each key is in one of the counts.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct WarmReport {
    /// Objects that are in the cache now.
    pub kept: u64,
    /// Objects that were in the cache already, and fresh.
    pub fresh: u64,
    /// Objects that are larger than those that the cache keeps.
    pub too_large: u64,
    /// Objects that must not be kept, by their `Cache-Control`, that found no room, or that no URL can name.
    pub not_kept: u64,
    /// Keys that S3 does not have. (Those that it denies have failed.)
    pub missing: u64,
    /// Keys that could not be read; the log says why.
    pub failed: u64,
    /// Bytes of the bodies of those that are kept.
    pub bytes: u64,
    /// It ended early: more objects would have evicted the earlier ones.
    pub is_full: bool,
    /// The first of the failures, at most 100.
    pub failures: Vec<WarmFailure>,
}

/// A key that could not be read.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct WarmFailure {
    /// As S3 knows it.
    pub key: ObjectKey,
    /// Why.
    pub error: ProxyError,
}

/// The listing broke off. The objects read before are in the cache.
#[derive(Debug)]
pub struct WarmError {
    report: WarmReport,
    why: BoxError,
}

// === impl Mount ===

impl Mount {
    /// Reads objects into the mount's cache as clients' reads do: by the same rules, joined to clients' reads, and
    /// counted with them.
    ///
    /// # Errors
    ///
    /// [`ConfigErrorKind::Missing`] if the mount has no cache, [`ConfigErrorKind::InvalidValue`] if it does not serve
    /// the bucket, or a key or the prefix lies outside its own prefix.
    ///
    /// ```no_run
    /// # async fn warm(media: tower_s3_proxy::Mount) -> Result<(), Box<dyn std::error::Error>> {
    /// use tower_s3_proxy::{BucketName, warm::WarmTarget};
    ///
    /// let target =
    ///     WarmTarget::Prefix { bucket: BucketName::parse("studio-media")?, prefix: "posters/".to_owned() };
    /// let warming = media.warm(target)?.on_progress(|so_far| println!("{} objects", so_far.kept));
    /// let report = warming.run().await?;
    /// println!("{} bytes", report.bytes);
    /// # Ok(())
    /// # }
    /// ```
    pub fn warm(&self, target: WarmTarget) -> Result<Warming, ConfigError> {
        if self.0.cache.is_none() {
            let message = "a mount without a cache can't be warmed: give it one (MountBuilder::cache)";
            return Err(ConfigError::new(ConfigErrorKind::Missing, message));
        }
        self.check(&target)?;
        Ok(Warming { mount: self.clone(), target, concurrency: CONCURRENCY, on_progress: Box::new(|_| {}) })
    }
}

impl Mount {
    /// An object that no request can name would only take room.
    fn check(&self, target: &WarmTarget) -> Result<(), ConfigError> {
        let invalid = |message| Err(ConfigError::new(ConfigErrorKind::InvalidValue, message));
        let (WarmTarget::Keys { bucket, .. } | WarmTarget::Prefix { bucket, .. }) = target;
        if !self.0.bucket.may_be(bucket) {
            return invalid(format!("the mount does not serve the bucket {bucket}: warm one that it serves"));
        }
        let prefix = self.0.keys.prefix();
        let outside = match target {
            WarmTarget::Keys { keys, .. } => {
                keys.iter().map(ObjectKey::as_str).find(|key| !key.starts_with(prefix))
            }
            WarmTarget::Prefix { prefix: wanted, .. } => {
                Some(&**wanted).filter(|wanted| !wanted.starts_with(prefix))
            }
        };
        match outside {
            Some(text) => invalid(format!(
                "{text:?} lies outside what the mount serves: keys are S3's own, here with {prefix:?} in front"
            )),
            None => Ok(()),
        }
    }
}

const CONCURRENCY: NonZeroUsize = NonZeroUsize::new(8).expect("it is not zero");

// === impl WarmReport ===

impl WarmReport {
    /// The number of keys processed.
    pub fn seen(&self) -> u64 {
        let Self { kept, fresh, too_large, not_kept, missing, failed, .. } = self;
        kept + fresh + too_large + not_kept + missing + failed
    }
}

// === impl Warming ===

impl Warming {
    /// How many objects are read at the same time; 8 by default. Fewer, if together they would take more than half of
    /// the cache's memory. The sizes of keys are not known, so each counts as the largest object that is kept.
    pub fn concurrency(mut self, objects: NonZeroUsize) -> Self {
        self.concurrency = objects;
        self
    }

    /// Calls a function after each object.
    pub fn on_progress(mut self, report: impl FnMut(&WarmReport) + Send + 'static) -> Self {
        self.on_progress = Box::new(report);
        self
    }

    /// Reads the objects. Dropping the future ends the reads that clients do not share.
    ///
    /// # Errors
    ///
    /// [`WarmError`] if S3 does not list the prefix, with the report up to that point. Objects that can't be read are
    /// in the report.
    pub async fn run(self) -> Result<WarmReport, WarmError> {
        let Self { mount, target, concurrency, on_progress } = self;
        let (bucket, prefix) = match target {
            WarmTarget::Keys { bucket, keys } => {
                let mut readers = Readers::new(mount, bucket, concurrency, on_progress);
                for key in keys {
                    if !readers.read(key, None).await {
                        break;
                    }
                }
                return Ok(readers.finish().await);
            }
            WarmTarget::Prefix { bucket, prefix } => (bucket, prefix),
        };
        let mut readers = Readers::new(mount.clone(), bucket.clone(), concurrency, on_progress);
        let listed = read_listed(&mount, &bucket, &prefix, &mut readers).await;
        let report = readers.finish().await;
        match listed {
            Ok(()) => Ok(report),
            Err(why) => Err(WarmError { report, why }),
        }
    }
}

/// Reads what S3 lists, to the end or until the cache is full.
async fn read_listed(
    mount: &Mount,
    bucket: &BucketName,
    prefix: &str,
    readers: &mut Readers,
) -> Result<(), BoxError> {
    let mut pages = mount.0.origin.list(bucket, prefix)?;
    let mut page = match pages.next().await {
        Some(Err(_)) => {
            // From a refused read the proxy learns the bucket's region, S3's clock and that credentials have expired;
            // from a refusal to the SDK's own client it does not.
            let _ = mount.probe(bucket).await;
            pages = mount.0.origin.list(bucket, prefix)?;
            pages.next().await
        }
        page => page,
    };
    while let Some(listed) = page {
        let listed = listed.map_err(|why| list_refusal(&why))?;
        let is_encoded = listed.encoding_type() == Some(&EncodingType::Url);
        for object in listed.contents() {
            let size = object.size().and_then(|size| u64::try_from(size).ok());
            match listed_key(object, is_encoded) {
                Some(key) => {
                    if !readers.read(key, size).await {
                        return Ok(());
                    }
                }
                None => readers.pass_over(),
            }
        }
        page = pages.next().await;
    }
    Ok(())
}

impl fmt::Debug for Warming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { target, concurrency, .. } = self;
        f.debug_struct("Warming")
            .field("target", target)
            .field("concurrency", concurrency)
            .finish_non_exhaustive()
    }
}

// === impl WarmError ===

impl WarmError {
    /// The progress up to the error.
    pub fn report(&self) -> &WarmReport {
        &self.report
    }
}

impl fmt::Display for WarmError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the prefix can't be listed: {}", self.why)
    }
}

impl std::error::Error for WarmError {}
