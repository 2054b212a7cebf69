use std::sync::Arc;

use bytes::Bytes;

use super::{
    Cache, Found, FreshnessPolicy, Gathered, Head, ObjectId, ObjectRef, StateId,
    runs::{push_block, push_slice},
};
use crate::{
    body::Segments,
    object::{BucketName, ObjectKey},
    request::{ByteRange, Edition},
};

/// What a mount has in a cache.
#[derive(Debug, Clone)]
pub(crate) struct Memory {
    pub(crate) cache: Cache,
    pub(crate) freshness: FreshnessPolicy,
    scope: u32,
}

// === impl Memory ===

impl Memory {
    pub(crate) fn new(cache: Cache, freshness: FreshnessPolicy) -> Self {
        let scope = cache.new_scope();
        Self { cache, freshness, scope }
    }

    pub(crate) fn object<'a>(
        &self,
        bucket: &'a BucketName,
        key: &'a ObjectKey,
        edition: &'a Edition,
    ) -> ObjectRef<'a> {
        ObjectRef { scope: self.scope, bucket, key, edition }
    }

    pub(crate) fn head(&self, object: ObjectRef<'_>) -> Option<Arc<Head>> {
        self.cache.0.store.head(object)
    }

    /// Keeps what S3 said to a question that was asked at this epoch; `None` if it is not kept: it was purged
    /// since, or it is too heavy.
    pub(crate) fn put(&self, id: &ObjectId, head: Head, epoch: u64) -> Option<Arc<Head>> {
        let head = Arc::new(head);
        let shared = &self.cache.0;
        shared.epochs.put(
            (&id.key, epoch),
            || shared.store.put_head(id.clone(), Arc::clone(&head)),
            || shared.remove_if(id, &head),
        );
        shared.store.head(id.borrowed()).filter(|kept| Arc::ptr_eq(kept, &head))
    }

    /// Adds the bytes of a range, if all of them are here.
    pub(crate) fn gather(&self, found: &Found, range: ByteRange, to: &mut Segments) -> bool {
        if let Some(body) = &found.body {
            return push_slice(body, range.first(), range.last(), to);
        }
        let size = self.block_size();
        let mut at = range.first();
        while at <= range.last() {
            let block = self.block(found.state, at / size);
            let end = block.and_then(|block| push_block(&block, size, at, range.last(), to));
            let Some(end) = end else { return false };
            at = end;
        }
        true
    }

    /// Whether all bytes of an object are here, or about to be put here.
    pub(crate) fn has_all(&self, found: &Found) -> bool {
        // First: a run puts its blocks into the store before it leaves the list.
        if self.cache.0.runs.has(found.state) {
            return true;
        }
        let whole = found.total.checked_sub(1).and_then(|last| ByteRange::new(0, last));
        whole.is_none_or(|whole| self.gather(found, whole, &mut Segments::default()))
    }

    /// Adds the bytes of a range: those that are here, those that are coming, and those that have to be asked for.
    pub(crate) fn gather_or_ask(&self, found: &Found, range: ByteRange, to: &mut Segments) -> Gathered {
        if found.body.as_ref().is_some_and(|body| push_slice(body, range.first(), range.last(), to)) {
            return Gathered::default();
        }
        let kept = |number| self.block(found.state, number);
        self.cache.0.runs.gather(found.state, found.total, range, kept, to)
    }

    fn block(&self, state: StateId, number: u64) -> Option<Bytes> {
        self.cache.0.store.block(state, u32::try_from(number).ok()?)
    }

    fn block_size(&self) -> u64 {
        self.cache.0.settings.block_size.into()
    }
}
