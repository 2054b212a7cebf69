use std::sync::Arc;

use bytes::Bytes;

use super::{
    Cache, Found, FreshnessPolicy, Gathered, Head, ObjectId, ObjectRef, Segments, StateId,
    runs::{push_block, push_slice},
};
use crate::{
    object::{BucketName, Edition, ObjectKey},
    request::ByteRange,
};

/// What a mount has in a cache.
#[derive(Debug, Clone)]
pub(crate) struct Memory {
    pub(crate) cache: Cache,
    pub(crate) freshness: FreshnessPolicy,
    scope: u32,
}

/// In bytes. Up to that, the body goes with the head: one look finds both.
pub(crate) const INLINE: usize = 16 * 1024;

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
    pub(crate) fn has_all(&self, object: ObjectRef<'_>, found: &Found) -> bool {
        // First: a run puts its blocks into the store before it leaves the list.
        if found.body.is_some() || self.cache.0.runs.has(found.state) {
            return true;
        }
        (0..found.total.div_ceil(self.block_size())).all(|number| self.kept(object, found, number).is_some())
    }

    /// Adds the bytes of a range: those that are here, those that are coming, and those that have to be asked for.
    /// `found` is what was kept of `object` a moment ago.
    pub(crate) fn gather_or_ask(
        &self,
        object: ObjectRef<'_>,
        found: &Found,
        range: ByteRange,
        to: &mut Segments,
    ) -> Gathered {
        if found.body.as_ref().is_some_and(|body| push_slice(body, range.first(), range.last(), to)) {
            return Gathered::default();
        }
        let kept = |number| self.kept(object, found, number);
        let gathered = self.cache.0.runs.gather(found.state, found.total, range, kept, to);
        if !gathered.asked.is_empty() {
            self.cache.0.make_room();
        }
        gathered
    }

    /// A block, wherever it is.
    fn kept(&self, object: ObjectRef<'_>, found: &Found, number: u64) -> Option<Bytes> {
        self.block(found.state, number).or_else(|| self.block_of_body(object, found, number))
    }

    fn block(&self, state: StateId, number: u64) -> Option<Bytes> {
        self.cache.0.store.block(state, u32::try_from(number).ok()?)
    }

    /// The body of a small object comes into its head when it has been read, and that may be since the head was looked
    /// at.
    fn block_of_body(&self, object: ObjectRef<'_>, found: &Found, number: u64) -> Option<Bytes> {
        if found.total > INLINE as u64 {
            return None;
        }
        let head = self.head(object)?;
        let body = head.found().filter(|now| now.state == found.state)?.body.as_ref()?;
        let size = self.cache.0.settings.block_size as usize;
        let begin = usize::try_from(number).ok()?.checked_mul(size)?;
        let end = begin.saturating_add(size).min(body.len());
        (begin < end).then(|| body.slice(begin..end))
    }

    fn block_size(&self) -> u64 {
        self.cache.0.settings.block_size.into()
    }
}
