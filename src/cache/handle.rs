use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, SystemTime},
};

use super::{
    fill::{Fills, Flights},
    rules::ClientControl,
    store::{CacheSnapshot, Counters, Epochs, Head, ObjectId, Pages, Purge, PurgeMode, PurgeTarget, Store},
};
use crate::{
    error::{ConfigError, ConfigErrorKind, Failure},
    object::ObjectKey,
};

/// A cache in memory, which mounts can share. Clones are the same cache.
///
/// It keeps objects as RFC 9111 defines for shared caches, by the values that clients get: `Cache-Control` after the
/// mount's policy, or `Expires`. Objects with neither are also kept, but revalidated with S3 each time.
///
/// ```
/// use tower_s3_proxy::{BucketName, Cache, Mount};
///
/// let cache = Cache::builder(256 * 1024 * 1024).max_object(32 * 1024 * 1024).build()?;
/// let media = Mount::builder(BucketName::parse("studio-media")?)
///     .region("us-west-2")
///     .anonymous()
///     .default_cache_control("public, max-age=3600")
///     .cache(&cache)
///     .build()?;
/// assert_eq!(cache.snapshot().hits, 0);
/// # let _ = media;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Cache(pub(super) Arc<Shared>);

/// Builds a [`Cache`].
#[must_use = "a builder does nothing before `build`"]
#[derive(Debug, Clone)]
pub struct CacheBuilder {
    size: u64,
    settings: Settings,
}

pub(super) struct Shared {
    pub(super) store: Store<Head>,
    pub(super) heads: Flights<Result<(), Failure>>,
    pub(super) fills: Fills,
    /// The memory in which bodies are stored.
    pub(super) pages: Pages,
    pub(super) counters: Counters,
    pub(super) settings: Settings,
    pub(super) epochs: Epochs,
    /// Shared with the lists that mounts remember.
    #[cfg(feature = "listing")]
    pub(super) folders: Arc<super::Folders>,
    scopes: AtomicU32,
    /// What the recorder knows of the counters.
    #[cfg(feature = "metrics")]
    pub(super) told: crate::meter::Totals,
}

/// The time and the epoch of a request to S3.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AskedAt {
    pub(crate) time: SystemTime,
    pub(crate) epoch: u64,
}

#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) block_size: u32,
    pub(super) max_object: u64,
    pub(super) negative_ttl: Duration,
    /// In percent of the bytes: a fill that has come this far continues without readers.
    pub(super) background_fill_threshold: u64,
    pub(super) stale_if_error_after: Duration,
    pub(super) clients: ClientControl,
}

// === impl Cache ===

impl Cache {
    /// Builds a cache of `size` bytes, which include bodies, fields, keys and overhead.
    pub fn builder(size: u64) -> CacheBuilder {
        CacheBuilder {
            size,
            settings: Settings {
                block_size: BLOCK_SIZE,
                max_object: MAX_OBJECT.min(size / 4),
                negative_ttl: NEGATIVE_TTL,
                background_fill_threshold: BACKGROUND_FILL_THRESHOLD,
                stale_if_error_after: STALE_IF_ERROR_AFTER,
                clients: ClientControl::Honoured,
            },
        }
    }

    /// The current values of the counters.
    pub fn snapshot(&self) -> CacheSnapshot {
        self.0.counters.snapshot(self.0.store.usage())
    }

    /// Purges objects, and returns how many there were. Objects that are being read at that time are not kept either.
    pub fn purge(&self, target: &PurgeTarget, mode: PurgeMode) -> usize {
        self.0.purge_all(target, mode)
    }

    /// Purges the objects that an event notification of S3 names, and returns how many there were. The notification can
    /// be as S3, EventBridge, SNS, SQS or R2 deliver it.
    ///
    /// # Errors
    ///
    /// [`InvalidEvent`](crate::cache::InvalidEvent) if it is not such a notification.
    #[cfg(feature = "purge")]
    pub fn apply_s3_event(&self, json: &[u8]) -> Result<usize, super::InvalidEvent> {
        Ok(super::S3Event::parse(json)?.purge(&*self.0, PurgeMode::Hard))
    }

    /// A service that purges the cache over HTTP, for clients that know the token.
    #[cfg(feature = "purge")]
    pub fn admin(&self, token: super::AdminToken) -> super::CacheAdmin {
        let cache = self.clone();
        super::CacheAdmin::new(token, self.0.clone(), move || cache.snapshot().to_json())
    }

    /// The changes that the cache hears of, by folder.
    #[cfg(feature = "listing")]
    pub(crate) fn folders(&self) -> Arc<super::Folders> {
        Arc::clone(&self.0.folders)
    }

    /// Mounts do not share objects: each has its own credentials and policies.
    pub(super) fn new_scope(&self) -> u32 {
        self.0.scopes.fetch_add(1, Ordering::Relaxed)
    }
}

/// In bytes: small enough that a range reads little besides the requested bytes.
const BLOCK_SIZE: u32 = 128 * 1024;

/// In bytes.
const MAX_OBJECT: u64 = 64 * 1024 * 1024;

const NEGATIVE_TTL: Duration = Duration::from_secs(5);
const BACKGROUND_FILL_THRESHOLD: u64 = 75;
const STALE_IF_ERROR_AFTER: Duration = Duration::from_secs(2);

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").field("settings", &self.0.settings).finish_non_exhaustive()
    }
}

// === impl CacheBuilder ===

impl CacheBuilder {
    /// The largest object whose bytes are kept; 64 MiB by default, or a quarter of the cache. Of larger objects only
    /// the head is kept. While it lasts, the read of an object that is kept takes up to this much additional memory.
    pub fn max_object(mut self, bytes: u64) -> Self {
        self.settings.max_object = bytes;
        self
    }

    /// The unit in which objects are kept and ranges are read; 128 KiB by default.
    pub fn block_size(mut self, bytes: u32) -> Self {
        self.settings.block_size = bytes;
        self
    }

    /// How long the cache remembers that an object does not exist; 5 s by default, zero for not at all. Only S3's
    /// explicit `NoSuchKey` counts, never a denial.
    pub fn negative_ttl(mut self, time: Duration) -> Self {
        self.settings.negative_ttl = time;
        self
    }

    /// The share of a read, in percent, beyond which it is completed even if all its clients have left; 75 by default.
    pub fn background_fill_threshold(mut self, percent: u8) -> Self {
        self.settings.background_fill_threshold = percent.into();
        self
    }

    /// How long a request waits for S3 before it gets a stale object that may stand in for an error; 2 s by default.
    pub fn stale_if_error_after(mut self, time: Duration) -> Self {
        self.settings.stale_if_error_after = time;
        self
    }

    /// Whether the clients' `Cache-Control` counts.
    pub fn clients(mut self, control: ClientControl) -> Self {
        self.settings.clients = control;
        self
    }

    /// # Errors
    ///
    /// [`ConfigError`] names the first invalid value, and says what is allowed.
    pub fn build(self) -> Result<Cache, ConfigError> {
        let Settings { block_size, max_object, background_fill_threshold, .. } = self.settings;
        let invalid = |message: String| Err(ConfigError::new(ConfigErrorKind::InvalidValue, message));
        if self.size < MIN_SIZE {
            return invalid(format!("a cache of {} bytes: give at least {MIN_SIZE} (1 MiB)", self.size));
        }
        if !(MIN_BLOCK..=MAX_BLOCK).contains(&block_size) {
            return invalid(format!("cache blocks of {block_size} bytes: give {MIN_BLOCK} to {MAX_BLOCK}"));
        }
        if u64::from(block_size) * 4 > self.size {
            return invalid(format!(
                "cache blocks of {block_size} bytes are too large for a cache of {}: give at most a quarter of it",
                self.size
            ));
        }
        if max_object > self.size {
            return invalid(format!(
                "objects of up to {max_object} bytes do not fit into a cache of {}: give less, or a larger cache",
                self.size
            ));
        }
        if background_fill_threshold > 100 {
            return invalid(format!(
                "background_fill_threshold {background_fill_threshold}: give percent, 0 to 100"
            ));
        }
        let pages = Pages::new(self.size / SPARE);
        Ok(Cache(Arc::new(Shared {
            store: Store::new(self.size, block_size),
            heads: Flights::default(),
            fills: Fills::new(block_size.into(), pages.clone()),
            pages,
            counters: Counters::default(),
            settings: self.settings,
            epochs: Epochs::default(),
            #[cfg(feature = "listing")]
            folders: Arc::default(),
            scopes: AtomicU32::new(0),
            #[cfg(feature = "metrics")]
            told: crate::meter::Totals::default(),
        })))
    }
}

/// In bytes: the size of one read from S3 where there is no room for the whole object.
pub(super) const WINDOW: u64 = 1024 * 1024;

/// Spare pages may take 1/`SPARE` of the size in addition to it.
const SPARE: u64 = 32;

const MIN_SIZE: u64 = 1024 * 1024;
const MIN_BLOCK: u32 = 4 * 1024;
const MAX_BLOCK: u32 = 16 * 1024 * 1024;

// === impl Shared ===

impl Shared {
    /// Whether fills can take this many more bytes. A single object always can, however large. Each size leaves an eighth
    /// of the capacity to smaller ones, so that a few large objects do not send all others past the cache.
    pub(super) fn has_room_for(&self, bytes: u64) -> bool {
        let eighth = self.store.usage().capacity / 8;
        let room = match bytes {
            ..=WINDOW if bytes <= self.settings.block_size.into() => eighth * 5,
            ..=WINDOW => eighth * 4,
            _ => eighth * 3,
        };
        self.fills.reserved() == 0 || self.outside().saturating_add(bytes) <= room
    }

    /// In bytes: the memory that all fills together can take, but for the smallest.
    pub(super) fn room(&self) -> u64 {
        self.store.usage().capacity / 2
    }

    /// In bytes: the memory of fills, and of evicted blocks that readers still hold.
    fn outside(&self) -> u64 {
        let held = self.pages.in_use().saturating_sub(self.store.usage().bytes);
        self.fills.reserved().saturating_add(held)
    }

    /// The store cannot evict what is outside of it, so it leaves that a part of the budget. Called when a fill begins and
    /// when it ends.
    pub(super) fn make_room(&self) {
        self.store.lend(self.outside());
    }

    /// As [`make_room`](Self::make_room), when this many bytes are about to enter the store.
    pub(super) fn make_room_but_for(&self, bytes: u64) {
        self.store.lend(self.outside().saturating_sub(bytes));
    }

    /// The time and the epoch of a request to S3.
    pub(super) fn asked(&self, key: &ObjectKey, now: SystemTime) -> AskedAt {
        AskedAt { time: now, epoch: self.epochs.of(key) }
    }

    pub(super) fn purge_all(&self, target: &PurgeTarget, mode: PurgeMode) -> usize {
        let what = match target {
            PurgeTarget::Object { bucket, key } => Purge::Key { bucket, key },
            PurgeTarget::Prefix { bucket, prefix } => Purge::Prefix { bucket, prefix },
            PurgeTarget::Everything => Purge::Everything,
        };
        self.drop_all(what, mode)
    }

    pub(super) fn drop_all(&self, what: Purge<'_>, mode: PurgeMode) -> usize {
        #[cfg(feature = "listing")]
        self.folders.changed(what);
        self.epochs.purge(what, || self.store.purge(what, mode))
    }

    /// Removes exactly this head, and everything that belongs to it.
    pub(super) fn remove_if(&self, id: &ObjectId, head: &Arc<Head>) {
        // A newer head that is stored in between is also removed: that costs only a request to S3.
        if self.store.head(id.borrowed()).is_some_and(|kept| Arc::ptr_eq(&kept, head)) {
            self.store.remove(id.borrowed());
        }
    }
}

#[cfg(feature = "purge")]
impl super::store::Purger for Shared {
    fn purge(&self, target: &PurgeTarget, mode: PurgeMode) -> usize {
        self.purge_all(target, mode)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::{cache::store::StateId, request::ByteRange};

    const MIB: u64 = 1 << 20;
    const BLOCK: u32 = 64 * 1024;

    #[test]
    fn the_store_leaves_room_for_what_arrives_until_it_has_it() {
        let cache = Cache::builder(4 * MIB).block_size(BLOCK).build().unwrap();
        let shared = &cache.0;
        let block = Bytes::from(vec![7; BLOCK as usize]);
        let fill_up = || {
            (0..200).for_each(|_| shared.store.put_blocks(StateId::unique(), 0, [block.clone()]));
            shared.store.usage().bytes
        };
        assert!(fill_up() > 3 * MIB);
        let range = ByteRange::new(0, 2 * MIB - 1).unwrap();
        let ((), fill) = shared.fills.begin(StateId::unique(), range, || Some(())).unwrap();
        let reader = fill.reader(range);
        shared.make_room();
        assert!(shared.store.usage().bytes <= 2 * MIB);
        assert!(fill_up() <= 2 * MIB);
        (0..32).for_each(|_| fill.push(block.clone()));
        assert_eq!(fill.blocks().len(), 32);
        let blocks = fill.blocks();
        shared.make_room_but_for(2 * MIB);
        shared.store.put_blocks(StateId::unique(), 0, blocks);
        fill.hand_over();
        assert!(fill_up() > 3 * MIB, "though it is still read");
        drop(reader);
    }

    #[test]
    fn what_readers_hold_of_what_was_evicted_counts() {
        let cache = Cache::builder(4 * MIB).block_size(BLOCK).build().unwrap();
        let shared = &cache.0;
        let data = Bytes::from(vec![7; BLOCK as usize]);
        let fill_up = || {
            let mut held = Vec::new();
            for _ in 0..200 {
                let block = shared.pages.copy(std::slice::from_ref(&data));
                held.push(block.clone());
                shared.store.put_blocks(StateId::unique(), 0, [block]);
            }
            held
        };
        drop(fill_up());
        shared.make_room();
        assert!(shared.store.usage().bytes > 3 * MIB);
        assert!(shared.has_room_for(MIB));
        let held: Vec<_> = fill_up().into_iter().take(24).collect();
        shared.make_room();
        // What is less than a sixteenth goes beyond the budget.
        let all = shared.store.usage().bytes + shared.outside();
        assert!(all <= 4 * MIB + MIB / 4, "{all}");
        assert!(shared.outside() > 23 * u64::from(BLOCK));
        let _one = shared.fills.begin(StateId::unique(), ByteRange::new(0, 9).unwrap(), || Some(())).unwrap();
        assert!(!shared.has_room_for(MIB));
        drop(held);
        assert!(shared.has_room_for(MIB));
    }

    /// Each row: bytes on their way, in MiB of 8, and what has room besides: more than a window, a window, a block.
    #[test]
    fn each_size_leaves_room_to_the_smaller_ones() {
        for (arriving, has_room) in [
            (0, [true, true, true]),
            (1, [true, true, true]),
            (2, [false, true, true]),
            (3, [false, true, true]),
            (4, [false, false, true]),
            (5, [false, false, false]),
        ] {
            let cache = Cache::builder(8 * MIB).block_size(BLOCK).build().unwrap();
            let range = ByteRange::new(0, (arriving * MIB).saturating_sub(1));
            let _fill = range
                .filter(|_| arriving > 0)
                .and_then(|range| cache.0.fills.begin(StateId::unique(), range, || Some(())));
            let sizes = [MIB + 1, MIB, BLOCK.into()];
            assert_eq!(sizes.map(|size| cache.0.has_room_for(size)), has_room, "{arriving}");
        }
    }
}
