//! The reads under way, and who joins them.

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;

use super::{
    Pages, Rooms, Run, RunError, RunReader, Segments, StateId,
    sync::{Mutex, MutexGuard, PoisonError},
};
use crate::request::ByteRange;

/// The reads under way, by what they read. A few for each.
pub(crate) struct Runs {
    /// In bytes.
    block_size: u64,
    rooms: Rooms,
    pages: Pages,
    of_states: Mutex<HashMap<StateId, Vec<Arc<Run>>>>,
}

/// What was done for the bytes that are not here.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    /// The reads that have to be begun for it.
    pub(crate) asked: Vec<Arc<Run>>,
    /// Some come by a read that had begun before.
    pub(crate) has_joined: bool,
}

// === impl Runs ===

impl Runs {
    pub(crate) fn new(block_size: u64, pages: Pages) -> Self {
        Self { block_size, rooms: Rooms::default(), pages, of_states: Mutex::default() }
    }

    /// Bytes of memory that all of them take.
    pub(crate) fn taken(&self) -> u64 {
        self.rooms.taken()
    }

    /// Of these, what is not the cache's yet.
    pub(crate) fn arriving(&self) -> u64 {
        self.rooms.arriving()
    }

    /// Whether bytes of this state are on their way.
    pub(crate) fn has(&self, state: StateId) -> bool {
        self.lock().contains_key(&state)
    }

    /// Begins a run of a new state, whose head `put` puts where others find it; `None` if it was not kept.
    pub(crate) fn begin<R>(
        &self,
        state: StateId,
        range: ByteRange,
        put: impl FnOnce() -> Option<R>,
    ) -> Option<(R, Arc<Run>)> {
        let run = self.run(range);
        // First: who finds the head finds the run, or would ask for the same bytes.
        self.lock().entry(state).or_default().push(Arc::clone(&run));
        let Some(kept) = put() else {
            // Someone may have found the head for a moment, and wait.
            run.fail(RunError::Changed);
            self.remove(state, &run);
            return None;
        };
        Some((kept, run))
    }

    /// Of a run that has ended: what is kept of it is in the store by now, or it would be asked for again.
    pub(crate) fn remove(&self, state: StateId, run: &Arc<Run>) {
        let mut of_states = self.lock();
        if let Some(of_state) = of_states.get_mut(&state) {
            of_state.retain(|other| !Arc::ptr_eq(other, run));
            if of_state.is_empty() {
                of_states.remove(&state);
            }
        }
    }

    /// Adds the bytes of a range of an object of `total` bytes: those that are here, those that are coming, and those
    /// that have to be asked for. `kept` finds a block by its number.
    pub(crate) fn gather(
        &self,
        state: StateId,
        total: u64,
        range: ByteRange,
        kept: impl Fn(u64) -> Option<Bytes>,
        to: &mut Segments,
    ) -> Gathered {
        let size = self.block_size;
        let push_kept = |at, to: &mut Segments| push_block(&kept(at / size)?, size, at, range.last(), to);
        let mut gathered = Gathered::default();
        let mut at = range.first();
        while at <= range.last() {
            if let Some(end) = push_kept(at, to) {
                at = end;
                continue;
            }
            // What is decided under the lock holds: a run puts its blocks into the store before it leaves the list.
            let mut of_states = self.lock();
            let of_state = of_states.get(&state).map_or(&[][..], Vec::as_slice);
            if let Some(reader) = join(of_state, at, range.last()) {
                at += reader.remaining();
                gathered.has_joined = true;
                to.follow(reader);
                continue;
            }
            if let Some(end) = push_kept(at, to) {
                at = end;
                continue;
            }
            let first = at / size;
            let last = (first + 1..=range.last() / size)
                .find(|n| kept(*n).is_some() || of_state.iter().any(|run| run.holds(*n * size)))
                .map_or(range.last() / size, |next| next - 1);
            let end = (last + 1).saturating_mul(size).min(total);
            let Some(blocks) = ByteRange::new(first * size, end - 1) else { break };
            let run = self.run(blocks);
            let part = ByteRange::new(at, (end - 1).min(range.last()));
            let Some(reader) = part.and_then(|part| run.reader(part)) else { break };
            at += reader.remaining();
            to.follow(reader);
            of_states.entry(state).or_default().push(Arc::clone(&run));
            gathered.asked.push(run);
        }
        gathered
    }

    fn run(&self, range: ByteRange) -> Arc<Run> {
        Run::new(range, self.block_size, self.pages.clone(), self.rooms.take(range.len()))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<StateId, Vec<Arc<Run>>>> {
        // Each change is one call of the map's or of a list's.
        self.of_states.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Joins a run that brings the byte at `at`, as far as it goes or until `last`.
fn join(runs: &[Arc<Run>], at: u64, last: u64) -> Option<RunReader> {
    runs.iter().find_map(|run| {
        let part = ByteRange::new(at, last.min(run.range.last()))?;
        run.reader(part)
    })
}

/// Adds bytes from `at`, which the block holds, to the end of the block, or to `last`; returns where to go on.
pub(super) fn push_block(block: &Bytes, size: u64, at: u64, last: u64, to: &mut Segments) -> Option<u64> {
    let begin = at / size * size;
    let end = last.min(begin + block.len() as u64 - 1);
    push_slice(block, at - begin, end - begin, to).then_some(end + 1)
}

/// Adds bytes from `first` to `last`, if there are so many.
pub(super) fn push_slice(bytes: &Bytes, first: u64, last: u64, to: &mut Segments) -> bool {
    let (Ok(first), Ok(last)) = (usize::try_from(first), usize::try_from(last)) else { return false };
    let is_within = first <= last && last < bytes.len();
    if is_within {
        to.push(bytes.slice(first..=last));
    }
    is_within
}
