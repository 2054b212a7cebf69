use std::{
    cell::RefCell,
    hash::{Hash, Hasher},
    marker::PhantomData,
    mem::size_of,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use quick_cache::{Equivalent, Lifecycle, Weighter};

use super::{ObjectId, ObjectRef, StateId, Weigh, page_size};
use crate::object::{BucketName, CacheBust, Edition, ObjectKey, VersionId};

/// The key of an entry of the map. Kept small: the map has a place of this size for each entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Key {
    Head(Arc<ObjectId>),
    Block { state: StateId, number: u32 },
}

#[derive(Debug)]
pub(super) enum Value<H> {
    /// With its weight, which must not change while it is in the map.
    Head(Arc<H>, u64),
    Block(Bytes),
}

/// Finds all ids of one bucket and key that lie in one lane. Matches nothing, so that the search continues to the end.
pub(super) struct Siblings<'a> {
    pub(super) bucket: &'a BucketName,
    pub(super) key: &'a ObjectKey,
    pub(super) lane: u32,
    pub(super) found: RefCell<Vec<Arc<ObjectId>>>,
}

#[derive(Clone)]
pub(super) struct Scales;

/// Counts what is evicted, and drops it when the lock of the map is released.
pub(super) struct Evictions<H> {
    count: Arc<AtomicU64>,
    head: PhantomData<fn(H)>,
}

/// The entries that an operation has evicted.
pub(super) struct Evicted<H>(Vec<(Key, Value<H>)>);

// === impl Key ===

// Invariant: a key, its `ObjectRef` and its `Siblings` feed the hasher the same bytes.
impl Hash for Key {
    fn hash<S: Hasher>(&self, hasher: &mut S) {
        match self {
            Self::Head(id) => hash_object(&id.bucket, &id.key, lane(&id.edition), hasher),
            Self::Block { state, number } => (state, number).hash(hasher),
        }
    }
}

impl Hash for ObjectRef<'_> {
    fn hash<S: Hasher>(&self, hasher: &mut S) {
        hash_object(self.bucket, self.key, lane(self.edition), hasher);
    }
}

impl Equivalent<Key> for ObjectRef<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        match key {
            Key::Head(id) => id.borrowed() == *self,
            Key::Block { .. } => false,
        }
    }
}

impl Hash for Siblings<'_> {
    fn hash<S: Hasher>(&self, hasher: &mut S) {
        hash_object(self.bucket, self.key, self.lane, hasher);
    }
}

impl Equivalent<Key> for Siblings<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        if let Key::Head(id) = key
            && id.bucket == *self.bucket
            && id.key == *self.key
            && lane(&id.edition) == self.lane
        {
            self.found.borrow_mut().push(Arc::clone(id));
        }
        false
    }
}

/// Leaves out the scope, and uses only the lane of an edition, so that a few searches find all ids of one key.
fn hash_object(bucket: &BucketName, key: &ObjectKey, lane: u32, hasher: &mut impl Hasher) {
    hasher.write_u32(lane);
    bucket.as_str().hash(hasher);
    key.as_str().hash(hasher);
}

/// Editions of one key that share a lane are searched one by one.
pub(super) const LANES: u32 = 64;

/// Zero for the plain edition, else one to [`LANES`]: FNV-1a of the edition's name, folded.
fn lane(edition: &Edition) -> u32 {
    if edition.is_plain() {
        return 0;
    }
    let hash = names(edition)
        .flat_map(str::bytes)
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    1 + (hash ^ (hash >> 16)) % LANES
}

fn names(edition: &Edition) -> impl Iterator<Item = &str> {
    let version = edition.version.as_ref().map(VersionId::as_str);
    version.into_iter().chain(edition.bust.as_ref().map(CacheBust::as_str))
}

// === impl Value ===

impl<H: Weigh> Value<H> {
    /// Weighs the head.
    pub(super) fn head(id: &ObjectId, head: Arc<H>) -> Self {
        let weight = head_weight(id, head.weight());
        Self::Head(head, weight)
    }
}

impl<H> Clone for Value<H> {
    fn clone(&self) -> Self {
        match self {
            Self::Head(head, weight) => Self::Head(Arc::clone(head), *weight),
            Self::Block(bytes) => Self::Block(bytes.clone()),
        }
    }
}

// === impl Scales ===

impl<H> Weighter<Key, Value<H>> for Scales {
    fn weight(&self, _: &Key, value: &Value<H>) -> u64 {
        match value {
            Value::Head(_, weight) => *weight,
            Value::Block(bytes) => block_weight(bytes.len()),
        }
    }
}

/// A place in the map, with its share in the hash table and in the spare capacity of both.
const PLACE: u64 = 112;

/// The overhead of an allocation: the allocator's own, and rounding.
const ALLOCATION: u64 = 24;

pub(super) fn head_weight(id: &ObjectId, head: u64) -> u64 {
    let edition: u64 = names(&id.edition).map(|name| ALLOCATION + bytes(name.len())).sum();
    let names = bytes(id.bucket.as_str().len() + id.key.as_str().len()) + edition;
    // The id, its key, and the head. The first and the last have two counts of references.
    let allocations = bytes(size_of::<ObjectId>() + 4 * size_of::<usize>()) + 3 * ALLOCATION;
    head.saturating_add(PLACE + names + allocations)
}

pub(super) fn block_weight(length: usize) -> u64 {
    // The page, and its owner with the count of its readers: eight words.
    let allocations = 2 * ALLOCATION + bytes(size_of::<[usize; 8]>());
    bytes(page_size(length)).saturating_add(PLACE + allocations)
}

fn bytes(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

// === impl Evictions ===

impl<H> Evictions<H> {
    pub(super) fn new(count: Arc<AtomicU64>) -> Self {
        Self { count, head: PhantomData }
    }
}

impl<H> Clone for Evictions<H> {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.count))
    }
}

impl<H> Lifecycle<Key, Value<H>> for Evictions<H> {
    type RequestState = Evicted<H>;

    // Unlike `on_evict`, not called for replaced values.
    fn before_evict(&self, _: &mut Evicted<H>, _: &Key, _: &mut Value<H>) {
        self.count.fetch_add(1, Ordering::Relaxed);
    }

    fn on_evict(&self, evicted: &mut Evicted<H>, key: Key, value: Value<H>) {
        evicted.0.push((key, value));
    }
}

// === impl Evicted ===

impl<H> Default for Evicted<H> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_in_the_map_is_no_larger_than_what_is_counted_for_it() {
        assert_eq!(size_of::<Key>(), 24);
        assert_eq!(size_of::<Value<u8>>(), 32);
        // Two links, flags, and three slots of the hash table (a tag and a number each) at its emptiest.
        assert!(PLACE >= bytes(size_of::<Key>() + size_of::<Value<u8>>() + 16 + 3 * 5));
    }

    #[test]
    fn versions_spread_over_all_lanes() {
        let version = |n| VersionId::decode(&format!("3/L4kqt+JlcpXroDTDm{n}")).unwrap();
        let lanes: std::collections::HashSet<_> =
            (0..1000).map(|n| lane(&Edition { version: Some(version(n)), bust: None })).collect();
        assert!(lanes.len() > 60 && lanes.iter().all(|lane| (1..=LANES).contains(lane)), "{lanes:?}");
        assert_eq!(lane(&Edition::default()), 0);
    }
}
