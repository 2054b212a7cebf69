//! Objects into the cache before anybody asks for them, the way that requests take.

use std::{fmt, num::NonZeroUsize};

use aws_sdk_s3::{
    error::DisplayErrorContext,
    types::{EncodingType, Object},
};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt, Empty};
use percent_encoding::percent_decode_str;
use tokio::task::JoinSet;

use super::{Asks, Bucket, Fetch};
use crate::{
    body::{ObjectBody, ResponseBody},
    config::{ConfigError, ConfigErrorKind, Mount},
    error::{BoxError, ProxyError, ProxyErrorKind},
    object::{BucketName, ObjectKey},
    request::{Edition, ReadMethod, ReadRequest},
};

/// Which objects to warm a cache with.
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

/// A warming that is to be [run](Self::run).
#[must_use = "nothing is read before `run`"]
pub struct Warming {
    mount: Mount,
    target: WarmTarget,
    concurrency: NonZeroUsize,
    on_progress: Box<dyn FnMut(&WarmReport) + Send>,
}

/// How far a [`Warming`] has come. Each key is in one of the counts.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct WarmReport {
    /// Objects that are in the cache now.
    pub kept: u64,
    /// Objects that were in the cache already, and fresh.
    pub fresh: u64,
    /// Objects that are larger than those that the cache keeps.
    pub too_large: u64,
    /// Objects that must not be kept, as their `Cache-Control` says, or that found no room.
    pub not_kept: u64,
    /// Keys that S3 does not have.
    pub missing: u64,
    /// Keys that could not be read; the log says why.
    pub failed: u64,
    /// Bytes of the bodies of those that are kept.
    pub bytes: u64,
    /// It ended early: more would have pushed out what came before.
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

/// The listing broke off. What was read before is in the cache, and in the last report.
#[derive(Debug)]
pub struct WarmError(BoxError);

/// What became of one key.
enum Outcome {
    Kept { bytes: u64 },
    Fresh,
    TooLarge,
    NotKept,
    Missing,
    Failed(ObjectKey, ProxyError),
}

/// An object to be read, and its size where the listing tells.
struct Wanted {
    key: ObjectKey,
    size: Option<u64>,
}

/// The reads under way.
struct Readers {
    mount: Mount,
    bucket: BucketName,
    concurrency: NonZeroUsize,
    /// Each tells the size with which it was begun.
    tasks: JoinSet<(u64, Outcome)>,
    bytes_under_way: u64,
    report: WarmReport,
    on_progress: Box<dyn FnMut(&WarmReport) + Send>,
}

// === impl Mount ===

impl Mount {
    /// Reads objects into the mount's cache, the way that clients' reads take: by the same rules, joined to theirs, and
    /// counted as theirs.
    ///
    /// # Errors
    ///
    /// [`ConfigErrorKind::Missing`] if the mount has no cache.
    ///
    /// ```no_run
    /// # async fn warm(media: tower_s3_proxy::Mount) -> Result<(), Box<dyn std::error::Error>> {
    /// use tower_s3_proxy::{BucketName, WarmTarget};
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
        if self.0.memory.is_none() {
            let message = "a mount without a cache can't be warmed: give it one (MountBuilder::cache)";
            return Err(ConfigError::new(ConfigErrorKind::Missing, message));
        }
        Ok(Warming { mount: self.clone(), target, concurrency: CONCURRENCY, on_progress: Box::new(|_| {}) })
    }
}

const CONCURRENCY: NonZeroUsize = NonZeroUsize::new(8).expect("it is not zero");

// === impl WarmReport ===

impl WarmReport {
    /// Keys that were dealt with.
    pub fn seen(&self) -> u64 {
        let Self { kept, fresh, too_large, not_kept, missing, failed, .. } = self;
        kept + fresh + too_large + not_kept + missing + failed
    }
}

// === impl Warming ===

impl Warming {
    /// How many objects are read at the same time; 8 by default.
    pub fn concurrency(mut self, objects: NonZeroUsize) -> Self {
        self.concurrency = objects;
        self
    }

    /// Called after each object.
    pub fn on_progress(mut self, report: impl FnMut(&WarmReport) + Send + 'static) -> Self {
        self.on_progress = Box::new(report);
        self
    }

    /// Reads them. Dropping the future ends the reads that clients do not share.
    ///
    /// # Errors
    ///
    /// [`WarmError`] if S3 does not list the prefix. Objects that can't be read are in the report.
    pub async fn run(self) -> Result<WarmReport, WarmError> {
        let Self { mount, target, concurrency, on_progress } = self;
        match target {
            WarmTarget::Keys { bucket, keys } => {
                let mut readers = Readers::new(mount, bucket, concurrency, on_progress);
                for key in keys {
                    if !readers.read(Wanted { key, size: None }).await {
                        return Ok(readers.finish().await);
                    }
                }
                Ok(readers.finish().await)
            }
            WarmTarget::Prefix { bucket, prefix } => {
                let client = mount.0.origin.typed_client(&bucket).map_err(|why| WarmError(why.into()))?;
                let mut pages = client
                    .list_objects_v2()
                    .bucket(bucket.as_str())
                    .prefix(prefix)
                    // XML has no way to write some characters that keys may have.
                    .encoding_type(EncodingType::Url)
                    .into_paginator()
                    .send();
                let mut readers = Readers::new(mount, bucket, concurrency, on_progress);
                while let Some(page) = pages.next().await {
                    let page = match page {
                        Ok(page) => page,
                        Err(why) => {
                            readers.finish().await;
                            return Err(WarmError(DisplayErrorContext(why).to_string().into()));
                        }
                    };
                    let is_encoded = page.encoding_type() == Some(&EncodingType::Url);
                    for object in page.contents() {
                        let Some(wanted) = Wanted::listed(object, is_encoded) else { continue };
                        if !readers.read(wanted).await {
                            return Ok(readers.finish().await);
                        }
                    }
                }
                Ok(readers.finish().await)
            }
        }
    }
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

// === impl Wanted ===

impl Wanted {
    /// `None` for a key that no request could name.
    fn listed(object: &Object, is_encoded: bool) -> Option<Self> {
        let key = object.key()?;
        let key = if is_encoded {
            // As in a form, a space is a plus sign.
            percent_decode_str(&key.replace('+', " ")).decode_utf8().ok()?.into_owned()
        } else {
            key.to_owned()
        };
        let size = object.size().and_then(|size| u64::try_from(size).ok());
        Some(Self { key: ObjectKey::new(key).ok()?, size })
    }
}

// === impl Readers ===

impl Readers {
    fn new(
        mount: Mount,
        bucket: BucketName,
        concurrency: NonZeroUsize,
        on_progress: Box<dyn FnMut(&WarmReport) + Send>,
    ) -> Self {
        Self {
            mount,
            bucket,
            concurrency,
            tasks: JoinSet::new(),
            bytes_under_way: 0,
            report: WarmReport::default(),
            on_progress,
        }
    }

    /// Begins to read an object as soon as that may be; `false` if the cache has no room for it beside those that were
    /// read before.
    async fn read(&mut self, wanted: Wanted) -> bool {
        let Some(memory) = &self.mount.0.memory else { return false };
        let capacity = memory.cache.0.store.usage().capacity;
        let size = wanted.size.unwrap_or(0);
        if size > memory.cache.0.settings.max_object {
            self.count(Outcome::TooLarge);
            return true;
        }
        // What is on its way through memory has no more room than what is kept.
        let is_too_much = |this: &Self| {
            this.tasks.len() >= this.concurrency.get()
                || this.bytes_under_way.saturating_add(size) > capacity && !this.tasks.is_empty()
        };
        while is_too_much(self) {
            self.join().await;
        }
        if self.report.bytes.saturating_add(self.bytes_under_way).saturating_add(size.max(1)) > capacity {
            self.report.is_full = true;
            return false;
        }
        self.bytes_under_way += size;
        let (mount, bucket) = (self.mount.clone(), self.bucket.clone());
        self.tasks.spawn(async move { (size, warm_one(mount, bucket, wanted.key).await) });
        true
    }

    async fn join(&mut self) {
        // Nobody aborts them, and a panic has had its message.
        if let Some(Ok((size, outcome))) = self.tasks.join_next().await {
            self.bytes_under_way = self.bytes_under_way.saturating_sub(size);
            self.count(outcome);
        }
    }

    fn count(&mut self, outcome: Outcome) {
        let report = &mut self.report;
        match outcome {
            Outcome::Kept { bytes } => {
                report.kept += 1;
                report.bytes += bytes;
            }
            Outcome::Fresh => report.fresh += 1,
            Outcome::TooLarge => report.too_large += 1,
            Outcome::NotKept => report.not_kept += 1,
            Outcome::Missing => report.missing += 1,
            Outcome::Failed(key, error) => {
                report.failed += 1;
                if report.failures.len() < MAX_FAILURES {
                    report.failures.push(WarmFailure { key, error });
                }
            }
        }
        (self.on_progress)(report);
    }

    async fn finish(mut self) -> WarmReport {
        while !self.tasks.is_empty() {
            self.join().await;
        }
        self.report
    }
}

const MAX_FAILURES: usize = 100;

async fn warm_one(mount: Mount, bucket: BucketName, key: ObjectKey) -> Outcome {
    let fetch = Fetch {
        mount: mount.clone(),
        bucket: Bucket::Named(bucket.clone()),
        key: key.clone(),
        edition: Edition::default(),
        disposition: None,
        read: ReadRequest::new(ReadMethod::Get, &HeaderMap::new()),
        asks: Asks::default(),
        cors: None,
    };
    let Some(memory) = &mount.0.memory else { return Outcome::NotKept };
    let is_recalled = fetch.recall().is_some_and(|response| response.status() == StatusCode::OK);
    if is_recalled {
        return Outcome::Fresh;
    }
    let response = fetch.run().await;
    if response.status() != StatusCode::OK {
        return match response.extensions().get::<ProxyError>() {
            Some(error) if error.kind() != ProxyErrorKind::NotFound => Outcome::Failed(key, error.clone()),
            Some(_) | None => Outcome::Missing,
        };
    }
    let head = memory.head(memory.object(&bucket, &key, &Edition::default()));
    let Some(found) = head.as_ref().and_then(|head| head.found()) else { return Outcome::NotKept };
    if found.total > memory.cache.0.settings.max_object {
        return Outcome::TooLarge;
    }
    match drain(response.into_body()).await {
        Ok(bytes) => Outcome::Kept { bytes },
        Err(why) => Outcome::Failed(key, ProxyError::from_source(ProxyErrorKind::OriginBroken, why)),
    }
}

async fn drain(body: ObjectBody) -> Result<u64, BoxError> {
    let mut body = ResponseBody::<Empty<Bytes>>::object(body);
    let mut bytes = 0;
    while let Some(frame) = body.frame().await.transpose()? {
        bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
    }
    Ok(bytes)
}

// === impl WarmError ===

impl fmt::Display for WarmError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the prefix can't be listed: {}", self.0)
    }
}

impl std::error::Error for WarmError {}
