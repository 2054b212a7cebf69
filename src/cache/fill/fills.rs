//! The reads in flight, and the requests that join them.

use std::{collections::HashMap, sync::Arc};

use super::{
    Fill, FillError, FillReader, MemoryPool, Pages, Segments, StateId,
    sync::{Mutex, MutexGuard, PoisonError},
};
use crate::request::ByteRange;

/// The reads in flight, by the state that they read. Each state has only a few.
pub(crate) struct Fills {
    /// In bytes.
    block_size: u64,
    pool: MemoryPool,
    pages: Pages,
    of_states: Mutex<HashMap<StateId, Vec<Arc<Fill>>>>,
}

/// What was done for the bytes that are not stored.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    /// The reads that the caller must start.
    pub(crate) asked: Vec<Arc<Fill>>,
    /// Some bytes come from a read that had already begun.
    pub(crate) has_joined: bool,
}

// === impl Fills ===

impl Fills {
    pub(crate) fn new(block_size: u64, pages: Pages) -> Self {
        Self { block_size, pool: MemoryPool::default(), pages, of_states: Mutex::default() }
    }

    /// The memory that all fills take until the store has their bytes, in bytes.
    pub(crate) fn reserved(&self) -> u64 {
        self.pool.reserved()
    }

    /// Whether bytes of this state are on their way.
    pub(crate) fn has(&self, state: StateId) -> bool {
        self.lock().contains_key(&state)
    }

    /// Begins a fill of a new state. `put` publishes its head; `None` if the head was not kept.
    pub(crate) fn begin<R>(
        &self,
        state: StateId,
        range: ByteRange,
        put: impl FnOnce() -> Option<R>,
    ) -> Option<(R, Arc<Fill>)> {
        let fill = self.fill(range);
        // First: a request that finds the head must find the fill, or it would request the same bytes.
        self.lock().entry(state).or_default().push(Arc::clone(&fill));
        let Some(kept) = put() else {
            // A request may have found the head for a moment, and be waiting.
            fill.fail(FillError::Changed);
            self.remove(state, &fill);
            return None;
        };
        Some((kept, fill))
    }

    /// Removes a fill that has ended. Whatever is kept of it must already be in the store, or it would be requested
    /// again.
    pub(crate) fn remove(&self, state: StateId, fill: &Arc<Fill>) {
        let mut of_states = self.lock();
        if let Some(of_state) = of_states.get_mut(&state) {
            of_state.retain(|other| !Arc::ptr_eq(other, fill));
            if of_state.is_empty() {
                of_states.remove(&state);
            }
        }
    }

    /// Adds the bytes of a range of an object of `total` bytes: stored ones, which are taken later, ones on their way,
    /// and ones to request from S3. `is_stored` says whether the store has the block with a number.
    pub(crate) fn gather(
        &self,
        state: StateId,
        total: u64,
        range: ByteRange,
        is_stored: impl Fn(u64) -> bool,
        to: &mut Segments,
    ) -> Gathered {
        let size = self.block_size;
        let push_stored = |at: u64, to: &mut Segments| {
            let end = (at / size + 1).saturating_mul(size).min(range.last() + 1);
            let part = ByteRange::new(at, end - 1).filter(|_| is_stored(at / size))?;
            to.later(part);
            Some(end)
        };
        let mut gathered = Gathered::default();
        let mut at = range.first();
        while at <= range.last() {
            if let Some(end) = push_stored(at, to) {
                at = end;
                continue;
            }
            // A decision under the lock stays valid: a fill puts its blocks into the store before it leaves the list.
            let mut of_states = self.lock();
            let of_state = of_states.get(&state).map_or(&[][..], Vec::as_slice);
            if let Some(reader) = join(of_state, at, range.last()) {
                at += reader.remaining();
                gathered.has_joined = true;
                to.follow(reader);
                continue;
            }
            if let Some(end) = push_stored(at, to) {
                at = end;
                continue;
            }
            let first = at / size;
            let last = (first + 1..=range.last() / size)
                .find(|n| is_stored(*n) || of_state.iter().any(|fill| fill.holds(*n * size)))
                .map_or(range.last() / size, |next| next - 1);
            let end = (last + 1).saturating_mul(size).min(total);
            let Some(blocks) = ByteRange::new(first * size, end - 1) else { break };
            let fill = self.fill(blocks);
            let part = ByteRange::new(at, (end - 1).min(range.last()));
            let Some(reader) = part.and_then(|part| fill.reader(part)) else { break };
            at += reader.remaining();
            to.follow(reader);
            of_states.entry(state).or_default().push(Arc::clone(&fill));
            gathered.asked.push(fill);
        }
        gathered
    }

    fn fill(&self, range: ByteRange) -> Arc<Fill> {
        Fill::new(range, self.block_size, self.pages.clone(), self.pool.reserve(range.len()))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<StateId, Vec<Arc<Fill>>>> {
        // Each change is a single call on the map or on a list.
        self.of_states.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Joins a fill that brings the byte at `at`, up to its end or to `last`.
fn join(fills: &[Arc<Fill>], at: u64, last: u64) -> Option<FillReader> {
    fills.iter().find_map(|fill| {
        let part = ByteRange::new(at, last.min(fill.range.last()))?;
        fill.reader(part)
    })
}
