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

/// What the store asks of a head: what is known of an object, with its bytes if they are few.
pub(crate) trait Weigh {
    /// Bytes of the head and of all that it owns. Asked once, when it is put into the store.
    fn weight(&self) -> u64;

    /// The state that its blocks belong to, which no other object's head has. `None` if it has no blocks.
    fn state(&self) -> Option<StateId>;

    /// Bytes of the object: they tell how many blocks there can be.
    fn length(&self) -> u64;

    /// From now on it is to be revalidated before use; `false` if that can't be, so that it has to go.
    #[must_use]
    fn mark_stale(&self) -> bool;
}

/// The one map of the cache: a head for each object, and blocks of a fixed size, within one budget of bytes.
///
/// Names, fields, bodies, and the room that the map and the allocator take are all counted. What a reader still holds
/// when it is evicted is not.
pub(crate) struct Store<H> {
    map: Map<H>,
    /// In bytes: the budget, less what does not divide by the parts of the map.
    capacity: u64,
    /// Of the budget, in parts of [`LENT_IN`].
    lent: Mutex<u64>,
    /// One for each part of the map: what changes a head holds it, so that it can look first. Readers do not.
    writers: Box<[Mutex<()>]>,
    block_size: u32,
    evicted: Arc<AtomicU64>,
    /// Whether there ever was a head of an edition that is not the plain one.
    has_editions: AtomicBool,
}

type Map<H> = Cache<Key, Value<H>, Scales, DefaultHashBuilder, Evictions<H>>;

/// What is to be purged, in all scopes and editions.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Purge<'a> {
    Key {
        bucket: &'a BucketName,
        key: &'a ObjectKey,
    },
    /// In whichever bucket.
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
    /// The most bytes that there can be.
    pub(crate) capacity: u64,
    /// Entries that had to make room since the start, and those that were too heavy to be let in.
    pub(crate) evicted: u64,
}

// === impl Store ===

impl<H: Weigh> Store<H> {
    /// Each part of the map has its own share of the budget, and lets nothing in that weighs more than 31/32 of it. So
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

    /// In place of the head that is there, whose blocks go if they are of another state.
    pub(crate) fn put_head(&self, id: ObjectId, head: Arc<H>) {
        if !id.edition.is_plain() {
            // In one order with the epochs: either the purge sees this flag, or this put sees the purge.
            self.has_editions.store(true, Ordering::SeqCst);
        }
        let state = head.state();
        let value = weigh(&id, head);
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

    /// As [`put_head`](Self::put_head), if that very head is still there.
    pub(crate) fn replace_head(&self, id: ObjectRef<'_>, expected: &Arc<H>, new: Arc<H>) -> bool {
        let state = new.state();
        let is_replaced = {
            let _writer = self.writer(id);
            if !self.peek(id).is_some_and(|head| Arc::ptr_eq(&head, expected)) {
                return false;
            }
            let id = id.to_owned();
            let value = weigh(&id, new);
            // Not so, if it was evicted just now, or the new one is too heavy.
            self.map.replace(Key::Head(Arc::new(id)), value, true).is_ok()
        };
        if !is_replaced || expected.state() != state {
            self.forget_blocks_of(expected);
        }
        is_replaced
    }

    /// Head and blocks. Whether there was a head.
    pub(crate) fn remove(&self, id: ObjectRef<'_>) -> bool {
        let head = self.take_head(id);
        if let Some(head) = &head {
            self.forget_blocks_of(head);
        }
        head.is_some()
    }

    /// What an object weighs that has so many bytes in blocks.
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

    /// Whether a block is here. It does not count as a use.
    pub(crate) fn has_block(&self, state: StateId, number: u32) -> bool {
        self.map.contains_key(&Key::Block { state, number })
    }

    /// Blocks that follow each other. Each has a [page](super::Pages) of its own: a slice of a larger buffer would keep
    /// all of that buffer, which nobody counts.
    ///
    /// A head that is removed takes only those blocks along that are there. So who fills looks afterwards whether the
    /// head still has this state, and if not, calls [`forget_blocks`](Self::forget_blocks).
    pub(crate) fn put_blocks(&self, state: StateId, first: u32, blocks: impl IntoIterator<Item = Bytes>) {
        for (number, bytes) in (first..=u32::MAX).zip(blocks) {
            debug_assert!(u32::try_from(bytes.len()).is_ok_and(|length| length <= self.block_size));
            self.map.insert(Key::Block { state, number }, Value::Block(bytes));
        }
    }

    /// All blocks of a state that an object of `length` bytes has.
    pub(crate) fn forget_blocks(&self, state: StateId, length: u64) {
        self.forget_blocks_of_all(&[(state, self.blocks(length))]);
    }

    /// How many objects were found. What is put while this runs may stay: who reads from the origin must see to it
    /// that what was asked for before a purge is not put after it.
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
        // Also blocks whose head was already evicted.
        if let (Purge::Everything, PurgeMode::Hard) = (what, mode) {
            self.map.retain(|key, _| matches!(key, Key::Head(_)));
        }
        objects
    }

    /// Leaves so much of the budget to what is about to come, but half of it at most. What is less than a part of it
    /// goes beyond the budget: that is the usual case, and nothing is evicted for it.
    pub(crate) fn lend(&self, bytes: u64) {
        let part = (self.capacity / LENT_IN).max(1);
        // Who finds another at it leaves it to the next one.
        let Ok(mut lent) = self.lent.try_lock() else { return };
        let (least, most) = (bytes / part, bytes.saturating_add(part / 2) / part);
        let wanted = (*lent).clamp(least, most).min(LENT_IN / 2);
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

    /// The ids of all heads that are wanted. Takes the lock of the map anew for each entry, so that hits go on.
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

    /// Whether there was a head.
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

    /// By number, or, where that would be more work, by a look at all entries.
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

    /// The head, without a mark that it was asked for.
    fn peek(&self, id: ObjectRef<'_>) -> Option<Arc<H>> {
        head_of(self.map.peek(&id)?)
    }

    fn writer(&self, id: ObjectRef<'_>) -> MutexGuard<'_, ()> {
        let writer =
            self.writers.get(self.map.shard_index(&id)).expect("there is one for each part of the map");
        // It guards no value that a panic could have left half done.
        writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<H> fmt::Debug for Store<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("block_size", &self.block_size).finish_non_exhaustive()
    }
}

fn weigh<H: Weigh>(id: &ObjectId, head: Arc<H>) -> Value<H> {
    let weight = head_weight(id, head.weight());
    Value::Head(head, weight)
}

fn head_of<H>(value: Value<H>) -> Option<Arc<H>> {
    match value {
        Value::Head(head, _) => Some(head),
        Value::Block(_) => None,
    }
}

/// What is lent changes in steps, since each asks all parts of the map. It goes down later than up, so that it does not go
/// to and fro.
const LENT_IN: u64 = 16;

/// A guess, from which the map takes how many of those that it evicted it remembers: half as many as would fit.
const USUAL_WEIGHT: u64 = 2048;

/// Into a part of the map fit so many blocks at least, if the budget allows.
const BLOCKS_PER_SHARD: u64 = 16;

/// Parts of the map: a power of two, four for each processor at most.
fn shards(budget_bytes: u64, block_size: u32) -> u64 {
    let block = block_weight(usize::try_from(block_size).unwrap_or(usize::MAX));
    let fitting = budget_bytes / block.saturating_mul(BLOCKS_PER_SHARD);
    let useful = available_parallelism().map_or(1, |count| 4 * count.get());
    let most = fitting.min(u64::try_from(useful.next_power_of_two()).unwrap_or(u64::MAX)).max(1);
    1 << most.ilog2()
}

#[cfg(test)]
mod tests;
