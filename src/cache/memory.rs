use std::sync::{Arc, PoisonError};

use super::{Cache, Found, FreshnessPolicy, Head, ObjectId, ObjectRef, Run, RunReader};
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

/// What was done for the bytes that are not here.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    /// The reads that have to be begun for it.
    pub(crate) asked: Vec<Arc<Run>>,
    /// Some come by a read that had begun before.
    pub(crate) has_joined: bool,
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
        shared.store.put_head(id.clone(), Arc::clone(&head));
        if shared.epochs.of(&id.key) != epoch {
            shared.remove_if(id, &head);
        }
        shared.store.head(id.borrowed()).filter(|kept| Arc::ptr_eq(kept, &head))
    }

    /// Adds the bytes of a range, if all of them are here.
    pub(crate) fn gather(&self, found: &Found, range: ByteRange, to: &mut Segments) -> bool {
        if let Some(body) = &found.body {
            return push_slice(to, body, range.first(), range.last());
        }
        let mut at = range.first();
        while at <= range.last() {
            let Some(end) = self.push_block(found, at, range.last(), to) else { return false };
            at = end;
        }
        true
    }

    /// Whether all bytes of an object are here, or about to be put here.
    pub(crate) fn has_all(&self, found: &Found) -> bool {
        // First: a run puts its blocks into the store before it leaves the list.
        if self.cache.0.is_read(found.state) {
            return true;
        }
        let whole = found.total.checked_sub(1).and_then(|last| ByteRange::new(0, last));
        whole.is_none_or(|whole| self.gather(found, whole, &mut Segments::default()))
    }

    /// Adds the bytes of a range: those that are here, those that are coming, and those that have to be asked for.
    pub(crate) fn gather_or_ask(&self, found: &Found, range: ByteRange, to: &mut Segments) -> Gathered {
        let mut gathered = Gathered::default();
        if self.has_body(found, range, to) {
            return gathered;
        }
        let size = self.block_size();
        let mut at = range.first();
        while at <= range.last() {
            if let Some(end) = self.push_block(found, at, range.last(), to) {
                at = end;
                continue;
            }
            // What is decided under the lock holds: a run puts its blocks into the store before it leaves the list.
            let mut runs = self.cache.0.runs.lock().unwrap_or_else(PoisonError::into_inner);
            let of_state = runs.get(&found.state).map_or(&[][..], Vec::as_slice);
            if let Some(reader) = join(of_state, at, range.last()) {
                at += reader.remaining();
                gathered.has_joined = true;
                to.follow(reader);
                continue;
            }
            if let Some(end) = self.push_block(found, at, range.last(), to) {
                at = end;
                continue;
            }
            let first = at / size;
            let last = (first + 1..=range.last() / size)
                .find(|n| self.has_block(found, *n) || of_state.iter().any(|run| run.holds(*n * size)))
                .map_or(range.last() / size, |next| next - 1);
            let end = (last + 1).saturating_mul(size).min(found.total);
            let Some(blocks) = ByteRange::new(first * size, end - 1) else { break };
            let run = self.cache.0.new_run(blocks);
            let part = ByteRange::new(at, (end - 1).min(range.last()));
            let Some(reader) = part.and_then(|part| run.reader(part)) else { break };
            at += reader.remaining();
            to.follow(reader);
            runs.entry(found.state).or_default().push(Arc::clone(&run));
            gathered.asked.push(run);
        }
        gathered
    }

    fn has_body(&self, found: &Found, range: ByteRange, to: &mut Segments) -> bool {
        found.body.as_ref().is_some_and(|body| push_slice(to, body, range.first(), range.last()))
    }

    fn has_block(&self, found: &Found, number: u64) -> bool {
        u32::try_from(number).is_ok_and(|number| self.cache.0.store.block(found.state, number).is_some())
    }

    /// Adds bytes from `at` to the end of their block, or to `last`; returns where to go on.
    fn push_block(&self, found: &Found, at: u64, last: u64, to: &mut Segments) -> Option<u64> {
        let size = self.block_size();
        let number = at / size;
        let block = self.cache.0.store.block(found.state, u32::try_from(number).ok()?)?;
        let begin = number * size;
        let end = last.min(begin + block.len() as u64 - 1);
        push_slice(to, &block, at - begin, end - begin).then_some(end + 1)
    }

    fn block_size(&self) -> u64 {
        self.cache.0.settings.block_size.into()
    }
}

fn push_slice(to: &mut Segments, bytes: &bytes::Bytes, first: u64, last: u64) -> bool {
    let (Ok(first), Ok(last)) = (usize::try_from(first), usize::try_from(last)) else { return false };
    let is_within = first <= last && last < bytes.len();
    if is_within {
        to.push(bytes.slice(first..=last));
    }
    is_within
}

/// Joins a run that brings the byte at `at`, as far as it goes or until `last`.
fn join(runs: &[Arc<Run>], at: u64, last: u64) -> Option<RunReader> {
    runs.iter().find_map(|run| {
        let part = ByteRange::new(at, last.min(run.range.last()))?;
        run.reader(part)
    })
}
