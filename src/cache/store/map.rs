use std::{
    cell::RefCell,
    collections::HashSet,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::available_parallelism,
};

use bytes::Bytes;
use quick_cache::{DefaultHashBuilder, OptionsBuilder, sync::Cache};

use super::{
    ObjectId, ObjectRef, PurgeMode, StateId,
    entry::{Evictions, Key, LANES, Scales, Siblings, Value, block_weight, head_weight},
};
use crate::object::{BucketName, ObjectKey};

/// What the store needs to know of a head, which is what the cache knows of an object, with its bytes if they are few.
pub(crate) trait Weigh {
    /// The bytes of the head and of all that it owns. Called once, when it is stored.
    fn weight(&self) -> u64;

    /// The state to which its blocks belong, unique to this object. `None` if it has no blocks.
    fn state(&self) -> Option<StateId>;

    /// The length of the object in bytes, from which the number of blocks follows.
    fn length(&self) -> u64;

    /// From now on it must be revalidated before use; `false` if that is impossible, so that it must be removed.
    #[must_use]
    fn mark_stale(&self) -> bool;
}

/// The one map of the cache: a head for each object, and blocks of a fixed size, within one budget of bytes.
///
/// Names, fields, bodies, and the overhead of the map and the allocator all count. Evicted bytes that a reader still
/// holds do not.
pub(crate) struct Store<H> {
    map: Map<H>,
    /// In bytes: the budget, rounded down to a multiple of the parts of the map.
    capacity: u64,
    /// The lent part of the budget, in units of 1/[`LENT_IN`].
    lent: Mutex<u64>,
    /// One for each part of the map: a thread that changes a head holds it, so that it can look first. Readers do not.
    writers: Box<[Mutex<()>]>,
    block_size: u32,
    evicted: Arc<AtomicU64>,
    /// Whether there ever was a head of an edition other than the plain one.
    has_editions: AtomicBool,
}

type Map<H> = Cache<Key, Value<H>, Scales, DefaultHashBuilder, Evictions<H>>;

/// What to purge, in all scopes and editions.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Purge<'a> {
    Key {
        bucket: &'a BucketName,
        key: &'a ObjectKey,
    },
    /// In every bucket.
    KeyOfAny {
        key: &'a ObjectKey,
    },
    Prefix {
        bucket: &'a BucketName,
        prefix: &'a str,
    },
    Everything,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Usage {
    /// Heads and blocks.
    pub(crate) entries: u64,
    pub(crate) bytes: u64,
    /// The most bytes that the store can hold.
    pub(crate) capacity: u64,
    /// Entries that made room for others since the start, and entries that were too heavy to store.
    pub(crate) evicted: u64,
}

// === impl Store ===

impl<H: Weigh> Store<H> {
    /// Each part of the map has its own share of the budget, and accepts nothing that weighs more than 31/32 of it. So
    /// a small budget has fewer parts, and a budget below one block and its overhead holds no block.
    pub(crate) fn new(budget_bytes: u64, block_size: u32) -> Self {
        let block_size = block_size.max(1);
        let shards = shards(budget_bytes, block_size);
        let capacity = budget_bytes - budget_bytes % shards;
        let evicted = Arc::new(AtomicU64::new(0));
        let options = OptionsBuilder::new()
            .shards(usize::try_from(shards).unwrap_or(1))
            .weight_capacity(capacity)
            .estimated_items_capacity(usize::try_from(budget_bytes / USUAL_WEIGHT).unwrap_or(usize::MAX))
            .build()
            .expect("both capacities are set");
        let lifecycle = Evictions::new(Arc::clone(&evicted));
        let map: Map<H> = Cache::with_options(options, Scales, DefaultHashBuilder::default(), lifecycle);
        let writers = (0..map.num_shards()).map(|_| Mutex::new(())).collect();
        let has_editions = AtomicBool::new(false);
        Self { map, capacity, lent: Mutex::new(0), writers, block_size, evicted, has_editions }
    }

    /// The head of an object. Waits for nothing, allocates nothing.
    pub(crate) fn head(&self, id: ObjectRef<'_>) -> Option<Arc<H>> {
        head_of(self.map.get(&id)?)
    }

    /// Replaces the stored head, whose blocks are removed if they belong to another state.
    pub(crate) fn put_head(&self, id: ObjectId, head: Arc<H>) {
        if !id.edition.is_plain() {
            // Ordered with the epochs: either the purge sees this flag, or this put sees the purge.
            self.has_editions.store(true, Ordering::SeqCst);
        }
        let state = head.state();
        let value = Value::head(&id, head);
        let old = {
            let _writer = self.writer(id.borrowed());
            let old = self.peek(id.borrowed());
            self.map.insert(Key::Head(Arc::new(id)), value);
            old
        };
        if let Some(old) = old.filter(|old| old.state() != state) {
            self.forget_blocks_of(&old);
        }
    }

    /// Like [`put_head`](Self::put_head), if exactly the `expected` head is still there.
    pub(crate) fn replace_head(&self, id: ObjectRef<'_>, expected: &Arc<H>, new: Arc<H>) -> bool {
        let state = new.state();
        let is_replaced = {
            let _writer = self.writer(id);
            if !self.peek(id).is_some_and(|head| Arc::ptr_eq(&head, expected)) {
                return false;
            }
            let id = id.to_owned();
            let value = Value::head(&id, new);
            // Fails if the head was evicted just now, or the new one is too heavy.
            self.map.replace(Key::Head(Arc::new(id)), value, true).is_ok()
        };
        if !is_replaced || expected.state() != state {
            self.forget_blocks_of(expected);
        }
        is_replaced
    }

    /// Removes head and blocks. Returns whether there was a head.
    pub(crate) fn remove(&self, id: ObjectRef<'_>) -> bool {
        let head = self.take_head(id);
        if let Some(head) = &head {
            self.forget_blocks_of(head);
        }
        head.is_some()
    }

    /// The weight of an object with this many bytes in blocks.
    pub(crate) fn weight(&self, id: &ObjectId, head: &H, in_blocks: u64) -> u64 {
        let head_alone = head_weight(id, head.weight());
        let block = u64::from(self.block_size);
        let weight_of = |length| block_weight(usize::try_from(length).unwrap_or(usize::MAX));
        let (full, rest) = (in_blocks / block, in_blocks % block);
        let rest = if rest > 0 { weight_of(rest) } else { 0 };
        head_alone.saturating_add(full.saturating_mul(weight_of(block))).saturating_add(rest)
    }

    /// One block. Waits for nothing.
    pub(crate) fn block(&self, state: StateId, number: u32) -> Option<Bytes> {
        match self.map.get(&Key::Block { state, number })? {
            Value::Block(bytes) => Some(bytes),
            Value::Head(..) => None,
        }
    }

    /// Whether a block is stored. This does not count as a use.
    pub(crate) fn has_block(&self, state: StateId, number: u32) -> bool {
        self.map.contains_key(&Key::Block { state, number })
    }

    /// Stores consecutive blocks. Each has its own [page](super::Pages): a slice of a larger buffer would keep all of
    /// that buffer alive, uncounted.
    ///
    /// Removing a head removes only the blocks stored by then. So a fill must check afterwards whether the head still
    /// has this state, and otherwise call [`forget_blocks`](Self::forget_blocks).
    pub(crate) fn put_blocks(&self, state: StateId, first: u32, blocks: impl IntoIterator<Item = Bytes>) {
        for (number, bytes) in (first..=u32::MAX).zip(blocks) {
            debug_assert!(u32::try_from(bytes.len()).is_ok_and(|length| length <= self.block_size));
            self.map.insert(Key::Block { state, number }, Value::Block(bytes));
        }
    }

    /// Removes all blocks of a state of an object of `length` bytes.
    pub(crate) fn forget_blocks(&self, state: StateId, length: u64) {
        self.forget_blocks_of_all(&[(state, self.blocks(length))]);
    }

    /// Returns how many objects were found. Heads that are stored while this runs may stay: a reader of the origin must
    /// not store, after a purge, a response to a request from before it.
    pub(crate) fn purge(&self, what: Purge<'_>, mode: PurgeMode) -> usize {
        let ids = match what {
            Purge::Key { bucket, key } => self.siblings(bucket, key),
            Purge::KeyOfAny { key } => self.ids(|id| id.key == *key),
            Purge::Prefix { bucket, prefix } => {
                self.ids(|id| id.bucket == *bucket && id.key.as_str().starts_with(prefix))
            }
            Purge::Everything => self.ids(|_| true),
        };
        let objects = match mode {
            PurgeMode::Soft => ids.iter().filter(|id| self.mark_stale(id.borrowed())).count(),
            PurgeMode::Hard => self.remove_all(&ids),
        };
        // This includes blocks whose head was already evicted.
        if let (Purge::Everything, PurgeMode::Hard) = (what, mode) {
            self.map.retain(|key, _| matches!(key, Key::Head(_)));
        }
        objects
    }

    /// Leaves this much of the budget to memory outside of the store, but at most five eighths. Less than one unit goes
    /// beyond the budget: that is the usual case, and nothing is evicted for it.
    pub(crate) fn lend(&self, bytes: u64) {
        let part = (self.capacity / LENT_IN).max(1);
        // A thread that finds another one here leaves it to the next call.
        let Ok(mut lent) = self.lent.try_lock() else { return };
        let (least, most) = (bytes / part, bytes.saturating_add(part / 2) / part);
        let wanted = (*lent).clamp(least, most).min(LENT_IN / 8 * 5);
        if wanted != *lent {
            *lent = wanted;
            self.map.set_capacity(self.capacity - wanted * part);
        }
    }

    pub(crate) fn usage(&self) -> Usage {
        Usage {
            entries: self.entries(),
            bytes: self.map.weight(),
            capacity: self.capacity,
            evicted: self.evicted.load(Ordering::Relaxed),
        }
    }

    fn entries(&self) -> u64 {
        u64::try_from(self.map.len()).unwrap_or(u64::MAX)
    }

    /// The ids of all matching heads. Takes the lock of the map anew for each entry, so that hits can proceed.
    fn ids(&self, is_wanted: impl Fn(&ObjectId) -> bool) -> Vec<Arc<ObjectId>> {
        let wanted = |key| match key {
            Key::Head(id) => is_wanted(&id).then_some(id),
            Key::Block { .. } => None,
        };
        self.map.iter().filter_map(|(key, _)| wanted(key)).collect()
    }

    /// The ids of one key in all scopes and editions.
    fn siblings(&self, bucket: &BucketName, key: &ObjectKey) -> Vec<Arc<ObjectId>> {
        let last = if self.has_editions.load(Ordering::SeqCst) { LANES } else { 0 };
        let mut found = Vec::new();
        for lane in 0..=last {
            let siblings = Siblings { bucket, key, lane, found: RefCell::new(found) };
            self.map.contains_key(&siblings);
            found = siblings.found.into_inner();
        }
        found
    }

    fn remove_all(&self, ids: &[Arc<ObjectId>]) -> usize {
        let mut states = Vec::new();
        let mut objects = 0;
        for head in ids.iter().filter_map(|id| self.take_head(id.borrowed())) {
            objects += 1;
            states.extend(head.state().map(|state| (state, self.blocks(head.length()))));
        }
        self.forget_blocks_of_all(&states);
        objects
    }

    /// Returns whether there was a head.
    fn mark_stale(&self, id: ObjectRef<'_>) -> bool {
        let Some(head) = self.peek(id) else { return false };
        if !head.mark_stale() {
            self.remove(id);
        }
        true
    }

    fn take_head(&self, id: ObjectRef<'_>) -> Option<Arc<H>> {
        let _writer = self.writer(id);
        head_of(self.map.remove(&id)?.1)
    }

    fn forget_blocks_of(&self, head: &H) {
        if let Some(state) = head.state() {
            self.forget_blocks(state, head.length());
        }
    }

    /// Removes them by number or, where that would be more work, by a scan of all entries.
    fn forget_blocks_of_all(&self, states: &[(StateId, u32)]) {
        let numbers = states.iter().fold(0, |sum: u64, (_, blocks)| sum.saturating_add(u64::from(*blocks)));
        if numbers <= self.entries() {
            for &(state, blocks) in states {
                for number in 0..blocks {
                    self.map.remove(&Key::Block { state, number });
                }
            }
        } else {
            let states: HashSet<_> = states.iter().map(|(state, _)| *state).collect();
            self.map.retain(|key, _| match key {
                Key::Head(_) => true,
                Key::Block { state, .. } => !states.contains(state),
            });
        }
    }

    fn blocks(&self, length: u64) -> u32 {
        u32::try_from(length.div_ceil(u64::from(self.block_size))).unwrap_or(u32::MAX)
    }

    /// The head, without counting as a use.
    fn peek(&self, id: ObjectRef<'_>) -> Option<Arc<H>> {
        head_of(self.map.peek(&id)?)
    }

    fn writer(&self, id: ObjectRef<'_>) -> MutexGuard<'_, ()> {
        let writer =
            self.writers.get(self.map.shard_index(&id)).expect("there is one for each part of the map");
        // It guards no value that a panic could have left half-done.
        writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<H> fmt::Debug for Store<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("block_size", &self.block_size).finish_non_exhaustive()
    }
}

fn head_of<H>(value: Value<H>) -> Option<Arc<H>> {
    match value {
        Value::Head(head, _) => Some(head),
        Value::Block(_) => None,
    }
}

/// The lent part changes in units, since each change affects all parts of the map. It shrinks later than it grows, so
/// that it does not oscillate.
const LENT_IN: u64 = 16;

/// An estimate, from which the map derives how many evicted keys it remembers: half as many as would fit.
const USUAL_WEIGHT: u64 = 2048;

/// Each part of the map has room for at least this many blocks, if the budget allows.
const BLOCKS_PER_SHARD: u64 = 16;

/// The number of parts of the map: a power of two, at most four for each processor.
fn shards(budget_bytes: u64, block_size: u32) -> u64 {
    let block = block_weight(usize::try_from(block_size).unwrap_or(usize::MAX));
    let fitting = budget_bytes / block.saturating_mul(BLOCKS_PER_SHARD);
    let useful = available_parallelism().map_or(1, |count| 4 * count.get());
    let most = fitting.min(u64::try_from(useful.next_power_of_two()).unwrap_or(u64::MAX)).max(1);
    1 << most.ilog2()
}

#[cfg(test)]
mod tests;
