use std::num::NonZeroUsize;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt, Empty};
use tokio::task::JoinSet;

use super::{WarmFailure, WarmReport};
use crate::{
    body::{ObjectBody, ResponseBody},
    cache::{Limits, RequestControl},
    config::Mount,
    error::{BoxError, ProxyError, ProxyErrorKind},
    fetch::{Asks, Bucket, Fetch, Finish, Wanted},
    object::{BucketName, Edition, ObjectKey},
    origin::{S3ErrorCode, content_length},
    request::{ReadMethod, ReadRequest},
};

/// The reads of a warming that are in flight.
pub(super) struct Readers {
    mount: Mount,
    bucket: BucketName,
    concurrency: NonZeroUsize,
    /// Each returns the room that was reserved for it.
    tasks: JoinSet<(u64, Outcome)>,
    /// In bytes, for all reads in flight.
    room_taken: u64,
    /// The weight, as the cache counts it, of all processed objects that are in the cache.
    weight: u64,
    report: WarmReport,
    on_progress: Box<dyn FnMut(&WarmReport) + Send>,
}

/// The outcome of one key.
enum Outcome {
    Kept { bytes: u64, weight: u64 },
    Fresh { weight: u64 },
    TooLarge,
    NotKept,
    Missing,
    Failed(ObjectKey, ProxyError),
}

// === impl Readers ===

impl Readers {
    pub(super) fn new(
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
            room_taken: 0,
            weight: 0,
            report: WarmReport::default(),
            on_progress,
        }
    }

    /// Starts to read an object as soon as possible; `false` if the cache has no room for it beside the objects read
    /// before. The size is that of the listing, if any.
    pub(super) async fn read(&mut self, key: ObjectKey, size: Option<u64>) -> bool {
        let Some(cache) = &self.mount.0.cache else { return false };
        let Limits { capacity, room: most_room, max_object } = cache.limits();
        if size.is_some_and(|size| size > max_object) {
            self.count(Outcome::TooLarge);
            return true;
        }
        let room = size.unwrap_or(max_object);
        // Reads beyond that would bypass the cache.
        while self.tasks.len() >= self.concurrency.get()
            || (self.room_taken.saturating_add(room) > most_room && !self.tasks.is_empty())
        {
            self.join().await;
        }
        let with_it = self.weight.saturating_add(self.room_taken).saturating_add(size.unwrap_or(0));
        if with_it >= capacity {
            // An estimate by their largest possible sizes; the real ones show once they are read.
            while !self.tasks.is_empty() {
                self.join().await;
            }
            if self.weight.saturating_add(size.unwrap_or(0)) >= capacity {
                self.report.is_full = true;
                return false;
            }
        }
        self.room_taken += room;
        let (mount, bucket) = (self.mount.clone(), self.bucket.clone());
        self.tasks.spawn(async move { (room, read(mount, bucket, key).await) });
        true
    }

    /// A key that no request can name.
    pub(super) fn pass_over(&mut self) {
        self.count(Outcome::NotKept);
    }

    pub(super) async fn finish(mut self) -> WarmReport {
        while !self.tasks.is_empty() {
            self.join().await;
        }
        self.report
    }

    async fn join(&mut self) {
        // No task is aborted, and a panic has already been reported.
        if let Some(Ok((room, outcome))) = self.tasks.join_next().await {
            self.room_taken -= room;
            self.count(outcome);
        }
        if self.tasks.is_empty() {
            self.room_taken = 0;
        }
    }

    fn count(&mut self, outcome: Outcome) {
        let report = &mut self.report;
        match outcome {
            Outcome::Kept { bytes, weight } => {
                report.kept += 1;
                report.bytes += bytes;
                self.weight += weight;
            }
            Outcome::Fresh { weight } => {
                report.fresh += 1;
                self.weight += weight;
            }
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
}

const MAX_FAILURES: usize = 100;

/// Like a client that accepts nothing stale: an object that S3 can't confirm is not warm.
const FRESH: RequestControl = RequestControl {
    no_cache: false,
    no_store: false,
    only_if_cached: false,
    max_age: None,
    min_fresh: None,
    max_stale: Some(0),
    stale_if_error: Some(0),
};

async fn read(mount: Mount, bucket: BucketName, key: ObjectKey) -> Outcome {
    let fetch = Fetch {
        mount: mount.clone(),
        bucket: Bucket::Named(bucket.clone()),
        key: key.clone(),
        edition: Edition::default(),
        wanted: Wanted {
            read: ReadRequest::new(ReadMethod::Get, &HeaderMap::new()),
            disposition: None,
            asks: Asks { control: FRESH, ..Asks::default() },
        },
        gate: None,
        finish: Finish::default(),
    };
    let Some(cache) = &mount.0.cache else { return Outcome::NotKept };
    let edition = Edition::default();
    let weight = || cache.weight(cache.object(&bucket, &key, &edition));
    if fetch.recall().is_some_and(|response| response.status() == StatusCode::OK) {
        return match weight() {
            Some(weight) => Outcome::Fresh { weight },
            None => Outcome::NotKept,
        };
    }
    let response = fetch.run().await;
    // A redirect to a link: nothing of the object is read from here.
    if response.status() == StatusCode::TEMPORARY_REDIRECT {
        return Outcome::NotKept;
    }
    if response.status() != StatusCode::OK {
        return match response.extensions().get::<ProxyError>() {
            Some(error) if !says_missing(error) => Outcome::Failed(key, error.clone()),
            Some(_) | None => Outcome::Missing,
        };
    }
    if content_length(response.headers()) > Some(cache.limits().max_object) {
        return Outcome::TooLarge;
    }
    match drain(response.into_body()).await {
        Ok(bytes) => match weight() {
            Some(weight) => Outcome::Kept { bytes, weight },
            None => Outcome::NotKept,
        },
        Err(why) => Outcome::Failed(key, ProxyError::from_source(ProxyErrorKind::OriginBroken, why)),
    }
}

/// Clients may get the response for a missing key also for a denied one.
fn says_missing(error: &ProxyError) -> bool {
    let is_denied =
        error.origin_code().is_some_and(|code| S3ErrorCode::parse(code) == S3ErrorCode::AccessDenied);
    error.kind() == ProxyErrorKind::NotFound && !is_denied
}

async fn drain(body: ObjectBody) -> Result<u64, BoxError> {
    let mut body = ResponseBody::<Empty<Bytes>>::object(body);
    let mut bytes = 0;
    while let Some(frame) = body.frame().await.transpose()? {
        bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
    }
    Ok(bytes)
}
