//! The reads under way, and who joins them.

use std::{collections::HashMap, sync::Arc};

use super::{
    Fill, FillError, FillReader, MemoryPool, Pages, Segments, StateId,
    sync::{Mutex, MutexGuard, PoisonError},
};
use crate::request::ByteRange;

/// The reads under way, by what they read. A few for each.
pub(crate) struct Fills {
    /// In bytes.
    block_size: u64,
    pool: MemoryPool,
    pages: Pages,
    of_states: Mutex<HashMap<StateId, Vec<Arc<Fill>>>>,
}

/// What was done for the bytes that are not here.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    /// The reads that have to be begun for it.
    pub(crate) asked: Vec<Arc<Fill>>,
    /// Some come by a read that had begun before.
    pub(crate) has_joined: bool,
}

// === impl Fills ===

impl Fills {
    pub(crate) fn new(block_size: u64, pages: Pages) -> Self {
        Self { block_size, pool: MemoryPool::default(), pages, of_states: Mutex::default() }
    }

    /// Bytes of memory that all of them take until the store has them.
    pub(crate) fn reserved(&self) -> u64 {
        self.pool.reserved()
    }

    /// Whether bytes of this state are on their way.
    pub(crate) fn has(&self, state: StateId) -> bool {
        self.lock().contains_key(&state)
    }

    /// Begins a fill of a new state, whose head `put` puts where others find it; `None` if it was not kept.
    pub(crate) fn begin<R>(
        &self,
        state: StateId,
        range: ByteRange,
        put: impl FnOnce() -> Option<R>,
    ) -> Option<(R, Arc<Fill>)> {
        let fill = self.fill(range);
        // First: who finds the head finds the fill, or would ask for the same bytes.
        self.lock().entry(state).or_default().push(Arc::clone(&fill));
        let Some(kept) = put() else {
            // Someone may have found the head for a moment, and wait.
            fill.fail(FillError::Changed);
            self.remove(state, &fill);
            return None;
        };
        Some((kept, fill))
    }

    /// Of a fill that has ended: what is kept of it is in the store by now, or it would be asked for again.
    pub(crate) fn remove(&self, state: StateId, fill: &Arc<Fill>) {
        let mut of_states = self.lock();
        if let Some(of_state) = of_states.get_mut(&state) {
            of_state.retain(|other| !Arc::ptr_eq(other, fill));
            if of_state.is_empty() {
                of_states.remove(&state);
            }
        }
    }

    /// Adds the bytes of a range of an object of `total` bytes: those that are stored, to be taken later, those that are
    /// coming, and those that S3 must be asked for. `is_stored` tells whether the store has a block, by its number.
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
            // What is decided under the lock holds: a fill puts its blocks into the store before it leaves the list.
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
        // Each change is one call of the map's or of a list's.
        self.of_states.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Joins a fill that brings the byte at `at`, as far as it goes or until `last`.
fn join(fills: &[Arc<Fill>], at: u64, last: u64) -> Option<FillReader> {
    fills.iter().find_map(|fill| {
        let part = ByteRange::new(at, last.min(fill.range.last()))?;
        fill.reader(part)
    })
}
