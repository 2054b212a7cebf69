use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::{HeaderMap, Response};

use super::{
    Cache,
    fill::{Fill, Gathered, Segments, Turn},
    handle::{AskedAt, WINDOW},
    report::Report,
    rules::{FreshnessPolicy, RequestControl},
    store::{Found, Head, INLINE, Marker, ObjectId, ObjectRef, StateId},
};
use crate::{
    error::Failure,
    object::{BucketName, Edition, ObjectKey},
    request::ByteRange,
};

/// A mount's part of a cache, and the only access to it.
#[derive(Debug, Clone)]
pub(crate) struct MountCache {
    cache: Cache,
    freshness: FreshnessPolicy,
    scope: u32,
}

/// The capacity of the cache, and the weight of objects in it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// In bytes, for stored objects.
    pub(crate) capacity: u64,
    /// In bytes, for fills.
    pub(crate) room: u64,
    /// In bytes: larger objects are not stored.
    pub(crate) max_object: u64,
}

/// How long the cache remembers that an object must not be stored.
const HIT_FOR_PASS: Duration = Duration::from_secs(60);

// === impl MountCache ===

impl MountCache {
    pub(crate) fn new(cache: Cache, freshness: FreshnessPolicy) -> Self {
        let scope = cache.new_scope();
        Self { cache, freshness, scope }
    }

    /// The same part, for a mount that stores the same.
    pub(crate) fn with_freshness(&self, freshness: FreshnessPolicy) -> Self {
        Self { freshness, ..self.clone() }
    }

    #[cfg(all(test, feature = "toml"))]
    pub(crate) fn scope(&self) -> u32 {
        self.scope
    }

    pub(crate) fn is_of(&self, cache: &Cache) -> bool {
        Arc::ptr_eq(&self.cache.0, &cache.0)
    }

    pub(crate) fn cache(&self) -> &Cache {
        &self.cache
    }

    pub(crate) fn object<'a>(
        &self,
        bucket: &'a BucketName,
        key: &'a ObjectKey,
        edition: &'a Edition,
    ) -> ObjectRef<'a> {
        ObjectRef { scope: self.scope, bucket, key, edition }
    }

    // Requests.

    /// The client's cache directives, as far as they count here.
    pub(crate) fn control(&self, headers: &HeaderMap) -> RequestControl {
        RequestControl::new(headers, self.cache.0.settings.clients)
    }

    pub(crate) fn freshness(&self) -> &FreshnessPolicy {
        &self.freshness
    }

    /// Changes with each purge of the object.
    pub(crate) fn epoch(&self, key: &ObjectKey) -> u64 {
        self.cache.0.epochs.of(key)
    }

    pub(crate) fn limits(&self) -> Limits {
        let shared = &self.cache.0;
        let capacity = shared.store.usage().capacity;
        Limits { capacity, room: shared.room(), max_object: shared.settings.max_object }
    }

    pub(crate) fn block_size(&self) -> u64 {
        self.cache.0.settings.block_size.into()
    }

    pub(crate) fn stale_if_error_after(&self) -> Duration {
        self.cache.0.settings.stale_if_error_after
    }

    /// Whether this many bytes of the object can be read through the cache now. Bytes that are already on their way can
    /// always be followed.
    pub(crate) fn has_room_for(&self, found: &Found, bytes: u64) -> bool {
        let shared = &self.cache.0;
        found.total <= shared.settings.max_object
            && (shared.has_room_for(bytes) || shared.fills.has(found.state))
    }

    /// As [`has_room_for`](Self::has_room_for), for one read where there is no room for the whole object.
    pub(crate) fn has_room_for_window(&self, found: &Found) -> bool {
        self.has_room_for(found, found.total.min(WINDOW))
    }

    // Heads.

    pub(crate) fn lookup(&self, object: ObjectRef<'_>) -> Option<Arc<Head>> {
        self.cache.0.store.head(object)
    }

    /// Decides who requests the head from S3. `is_due` checks under the lock whether that is still necessary.
    pub(crate) fn turn(&self, id: &ObjectId, is_due: impl FnOnce() -> bool) -> Turn<Result<(), Failure>> {
        self.cache.0.heads.turn(id, is_due)
    }

    /// A request waits for another's request to S3.
    pub(crate) fn count_joined(&self) {
        self.cache.0.counters.coalesced.add(1);
    }

    /// The time and the epoch of a request to S3 for an object.
    pub(crate) fn asked(&self, key: &ObjectKey, now: SystemTime) -> AskedAt {
        self.cache.0.asked(key, now)
    }

    /// Stores S3's response to a request of that time; `None` if it is not kept, because it was purged since or is too
    /// heavy.
    pub(crate) fn store(&self, id: &ObjectId, found: Found, asked: AskedAt) -> Option<Arc<Head>> {
        self.put(id, Head::Found(Box::new(found)), asked)
    }

    /// Like [`store`](Self::store), for an object that S3 confirmed.
    pub(crate) fn store_confirmed(&self, id: &ObjectId, found: Found, asked: AskedAt) -> Option<Arc<Head>> {
        self.cache.0.counters.revalidated.add(1);
        self.store(id, found, asked)
    }

    /// S3 has no such key.
    pub(crate) fn store_missing(&self, id: &ObjectId, now: SystemTime, asked: AskedAt) {
        self.remember(id, Head::Missing, now, asked);
    }

    /// S3 responded to HEAD with 404.
    pub(crate) fn store_missing_unexplained(&self, id: &ObjectId, now: SystemTime, asked: AskedAt) {
        self.remember(id, Head::MissingUnexplained, now, asked);
    }

    fn remember(&self, id: &ObjectId, absence: fn(Marker) -> Head, now: SystemTime, asked: AskedAt) {
        let ttl = self.cache.0.settings.negative_ttl;
        if ttl.is_zero() {
            self.cache.0.store.remove(id.borrowed());
        } else {
            self.put(id, absence(Marker::new(now, ttl)), asked);
        }
    }

    pub(crate) fn store_uncacheable(&self, id: &ObjectId, now: SystemTime, asked: AskedAt) {
        self.put(id, Head::Uncacheable(Marker::new(now, HIT_FOR_PASS)), asked);
    }

    /// Removes exactly this head, and everything that belongs to it.
    pub(crate) fn forget(&self, id: &ObjectId, head: &Arc<Head>) {
        self.cache.0.remove_if(id, head);
    }

    fn put(&self, id: &ObjectId, head: Head, asked: AskedAt) -> Option<Arc<Head>> {
        let head = Arc::new(head);
        let shared = &self.cache.0;
        shared.epochs.put(
            (&id.key, asked.epoch),
            || shared.store.put_head(id.clone(), Arc::clone(&head)),
            || shared.remove_if(id, &head),
        );
        shared.store.head(id.borrowed()).filter(|kept| Arc::ptr_eq(kept, &head))
    }

    // Bytes.

    /// Adds the bytes of a range, if all of them are stored.
    pub(crate) fn gather(&self, found: &Found, range: ByteRange, to: &mut Segments) -> bool {
        if let Some(body) = &found.body {
            return slice(body, range.first(), range.last()).map(|bytes| to.push(bytes)).is_some();
        }
        let (first, last) = self.blocks(range);
        if first == last && to.is_empty() {
            return self.block(found.state, first).is_some_and(|block| self.push(&block, range, to));
        }
        let has_all = (first..=last).all(|number| self.has_block(found.state, number));
        if has_all {
            to.later(range);
        }
        has_all
    }

    /// Adds the bytes of a range: stored ones, ones on their way, and ones to request from S3. Without room for all of
    /// them, the rest is requested as the body gets to it. `found` is the state of `object` that was stored a moment ago.
    pub(crate) fn gather_or_ask(
        &self,
        object: ObjectRef<'_>,
        found: &Found,
        range: ByteRange,
        to: &mut Segments,
    ) -> Gathered {
        if let Some(bytes) = found.body.as_ref().and_then(|body| slice(body, range.first(), range.last())) {
            to.push(bytes);
            return Gathered::default();
        }
        let (first, last) = self.blocks(range);
        if first == last
            && to.is_empty()
            && let Some(block) = self.stored_block(object, found, first)
            && self.push(&block, range, to)
        {
            return Gathered::default();
        }
        let window = match self.cache.0.has_room_for(range.len()) {
            true => range,
            false => range.first_bytes(WINDOW),
        };
        let gathered = self.gather_window(object, found, window, to);
        if let Some(rest) = range.after(window.len()) {
            to.later(rest);
        }
        gathered
    }

    fn gather_window(
        &self,
        object: ObjectRef<'_>,
        found: &Found,
        window: ByteRange,
        to: &mut Segments,
    ) -> Gathered {
        let is_stored = |number| self.is_stored(object, found, number);
        let gathered = self.cache.0.fills.gather(found.state, found.total, window, is_stored, to);
        if !gathered.asked.is_empty() {
            self.cache.0.make_room();
        }
        gathered
    }

    /// The bytes from the start of a range to the end of its first block, if that block is stored.
    pub(crate) fn stored(&self, object: ObjectRef<'_>, found: &Found, range: ByteRange) -> Option<Bytes> {
        let (number, _) = self.blocks(range);
        let block = self.stored_block(object, found, number)?;
        let begin = number * self.block_size();
        let end = range.last().min(begin + block.len() as u64 - 1);
        slice(&block, range.first() - begin, end - begin)
    }

    /// Like [`gather_or_ask`](Self::gather_or_ask), for the next bytes of a body that is already being read: not too
    /// many, since its client may be slow.
    pub(crate) fn refill(
        &self,
        object: ObjectRef<'_>,
        found: &Found,
        range: ByteRange,
        to: &mut Segments,
    ) -> Gathered {
        self.gather_window(object, found, range.first_bytes(WINDOW), to)
    }

    /// Stores the head of a new state, and begins a fill with the bytes that come with it. `None` if the head is not
    /// kept.
    pub(crate) fn begin_fill(
        &self,
        id: &ObjectId,
        found: Found,
        range: ByteRange,
        asked: AskedAt,
    ) -> Option<(Arc<Head>, Arc<Fill>)> {
        let state = found.state;
        let begun = self.cache.0.fills.begin(state, range, || self.store(id, found, asked));
        if begun.is_some() {
            self.cache.0.make_room();
        }
        begun
    }

    /// Adds bytes from S3 to a fill.
    pub(crate) fn receive(&self, fill: &Fill, data: Bytes) {
        self.cache.0.counters.bytes_fetched.add(data.len() as u64);
        fill.push(data);
    }

    /// Gives up a fill without readers, unless it is nearly done. Returns whether it did.
    pub(crate) fn abandon(&self, fill: &Fill) -> bool {
        let share = fill.range.len().saturating_mul(self.cache.0.settings.background_fill_threshold) / 100;
        fill.give_up(|received| received >= share)
    }

    /// All bytes of a fill have come: stores them.
    pub(crate) fn finish_fill(&self, id: &ObjectId, head: &Arc<Head>, fill: &Fill) {
        let Some(found) = head.found() else { return };
        let shared = &self.cache.0;
        let blocks = fill.blocks();
        if fill.range.len() == found.total && found.total <= INLINE as u64 {
            let body = match &*blocks {
                [block] => block.clone(),
                blocks => shared.pages.copy(blocks),
            };
            let whole = Arc::new(Head::Found(Box::new(found.with_body(body))));
            shared.store.replace_head(id.borrowed(), head, whole);
            return fill.complete();
        }
        let Ok(first) = u32::try_from(fill.range.first() / self.block_size()) else {
            return fill.complete();
        };
        // First, since the store counts the bytes from now on.
        shared.make_room_but_for(fill.range.len());
        shared.store.put_blocks(found.state, first, blocks);
        let kept = shared.store.head(id.borrowed());
        if kept.is_some_and(|head| head.found().is_some_and(|now| now.state == found.state)) {
            fill.hand_over();
        } else {
            // The object was purged meanwhile: only current readers could still find the blocks.
            shared.store.forget_blocks(found.state, found.total);
            fill.complete();
        }
    }

    /// A fill is over, however it ended.
    pub(crate) fn end_fill(&self, head: &Head, fill: &Arc<Fill>) {
        fill.cut_off();
        if let Some(found) = head.found() {
            self.cache.0.fills.remove(found.state, fill);
        }
        // The memory of a fill that came to nothing.
        self.cache.0.make_room();
    }

    /// The weight of a whole object, if all of it is stored or about to be.
    pub(crate) fn weight(&self, object: ObjectRef<'_>) -> Option<u64> {
        let head = self.lookup(object)?;
        let found = head.found()?;
        let in_blocks = if found.body.is_some() { 0 } else { found.total };
        // Fills are checked first: a fill puts its blocks into the store before it leaves the list.
        let has_all = found.body.is_some()
            || self.cache.0.fills.has(found.state)
            || (0..found.total.div_ceil(self.block_size()))
                .all(|number| self.is_stored(object, found, number));
        has_all.then(|| self.cache.0.store.weight(&object.to_owned(), &head, in_blocks))
    }

    // Reports.

    /// Adds `Cache-Status` to a response, and counts it.
    pub(crate) fn report<B>(&self, response: &mut Response<B>, report: Report) {
        report.record(response.headers_mut(), &self.cache.0.counters);
    }

    /// The numbers of the first and of the last block of a range.
    fn blocks(&self, range: ByteRange) -> (u64, u64) {
        let size = self.block_size();
        (range.first() / size, range.last() / size)
    }

    /// Adds the bytes of a range that lies within a block, if the block has them.
    fn push(&self, block: &Bytes, range: ByteRange, to: &mut Segments) -> bool {
        let begin = range.first() / self.block_size() * self.block_size();
        slice(block, range.first() - begin, range.last() - begin).map(|bytes| to.push(bytes)).is_some()
    }

    /// A block, from the head or from the store.
    fn stored_block(&self, object: ObjectRef<'_>, found: &Found, number: u64) -> Option<Bytes> {
        self.block(found.state, number).or_else(|| self.block_of_body(object, found, number))
    }

    fn is_stored(&self, object: ObjectRef<'_>, found: &Found, number: u64) -> bool {
        self.has_block(found.state, number) || self.block_of_body(object, found, number).is_some()
    }

    fn block(&self, state: StateId, number: u64) -> Option<Bytes> {
        self.cache.0.store.block(state, u32::try_from(number).ok()?)
    }

    fn has_block(&self, state: StateId, number: u64) -> bool {
        u32::try_from(number).is_ok_and(|number| self.cache.0.store.has_block(state, number))
    }

    /// A small object's body joins its head once it has been read, which may have happened since `found` was looked up.
    fn block_of_body(&self, object: ObjectRef<'_>, found: &Found, number: u64) -> Option<Bytes> {
        if found.total > INLINE as u64 {
            return None;
        }
        let head = self.lookup(object)?;
        let body = head.found().filter(|now| now.state == found.state)?.body.as_ref()?;
        let size = self.cache.0.settings.block_size as usize;
        let begin = usize::try_from(number).ok()?.checked_mul(size)?;
        let end = begin.saturating_add(size).min(body.len());
        (begin < end).then(|| body.slice(begin..end))
    }
}

/// The bytes from `first` to `last`, if there are that many.
fn slice(bytes: &Bytes, first: u64, last: u64) -> Option<Bytes> {
    let (first, last) = (usize::try_from(first).ok()?, usize::try_from(last).ok()?);
    (first <= last && last < bytes.len()).then(|| bytes.slice(first..=last))
}
