//! A read of S3 that many can follow: who comes late gets what is there already, and then the rest as it comes.

use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;

use super::sync::{
    Mutex, MutexGuard, Notify, PoisonError,
    atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
};
use crate::{fetch::Failure, request::ByteRange};

/// The bytes of one range of one state of an object, on their way from S3.
///
/// They are kept until the last reader is gone, so that nobody depends on what the cache keeps of them.
pub(crate) struct Run {
    pub(crate) range: ByteRange,
    /// Readers, and those who wait to become one.
    readers: AtomicUsize,
    abandoned: Notify,
    /// In bytes.
    block_size: u64,
    _room: Room,
    /// Someone got all that it asked for, and no more than the rest of a block is missing.
    is_served: AtomicBool,
    progress: Mutex<Progress>,
}

#[derive(Default)]
struct Progress {
    /// As they came.
    chunks: Vec<Bytes>,
    received: u64,
    phase: Phase,
    waiting: Vec<Waker>,
    /// How often those who waited were woken.
    wakes: u64,
}

/// How far the read has come.
#[derive(Debug, Clone, Default)]
enum Phase {
    /// S3 has not answered yet.
    #[default]
    Asked,
    /// S3's answer fits; bytes come.
    Open,
    Complete,
    Failed(RunError),
}

/// Why a run ended before its end.
#[derive(Debug, Clone)]
pub(crate) enum RunError {
    /// The object has another state by now.
    Changed,
    /// S3 could not be asked, or refused.
    Refused(Box<Failure>),
    Broken(Arc<str>),
}

/// Follows a run from one byte to another.
pub(crate) struct RunReader {
    run: Arc<Run>,
    /// The next chunk, and how many of its bytes are not for this reader.
    chunk: usize,
    skip: u64,
    remaining: u64,
    /// The last byte that it is for.
    last: u64,
    /// Where in `waiting` its waker is, and since which wake.
    slot: Option<(u64, usize)>,
}

/// The memory that runs take, all together: bytes on their way are not yet the cache's to evict.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rooms(Arc<AtomicU64>);

/// Memory that a run takes, until its last reader has gone.
#[derive(Debug)]
pub(crate) struct Room {
    rooms: Rooms,
    bytes: u64,
}

// === impl Rooms ===

impl Rooms {
    pub(crate) fn taken(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn take(&self, bytes: u64) -> Room {
        self.0.fetch_add(bytes, Ordering::Relaxed);
        Room { rooms: self.clone(), bytes }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.rooms.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

// === impl Run ===

impl Run {
    pub(crate) fn new(range: ByteRange, block_size: u64, room: Room) -> Arc<Self> {
        Arc::new(Self {
            range,
            _room: room,
            readers: AtomicUsize::new(0),
            abandoned: Notify::new(),
            block_size,
            is_served: AtomicBool::new(false),
            progress: Mutex::default(),
        })
    }

    /// Reads a part of the run; `None` if it has failed or does not hold the part.
    pub(crate) fn reader(self: &Arc<Self>, part: ByteRange) -> Option<RunReader> {
        if part.first() < self.range.first() || self.range.last() < part.last() {
            return None;
        }
        let progress = self.progress();
        if matches!(progress.phase, Phase::Failed(_)) {
            return None;
        }
        // Counted under the lock: a run is not given up while someone joins it.
        self.readers.fetch_add(1, Ordering::Relaxed);
        drop(progress);
        Some(RunReader {
            run: Arc::clone(self),
            chunk: 0,
            skip: part.first() - self.range.first(),
            remaining: part.len(),
            last: part.last(),
            slot: None,
        })
    }

    /// Whether the byte at `at` comes with it.
    pub(crate) fn holds(&self, at: u64) -> bool {
        (self.range.first()..=self.range.last()).contains(&at)
    }

    /// S3's answer fits.
    pub(crate) fn open(&self) {
        self.advance(|progress| progress.phase = Phase::Open);
    }

    /// Adds bytes in their order.
    pub(crate) fn push(&self, data: Bytes) {
        self.advance(|progress| {
            progress.received += data.len() as u64;
            progress.chunks.push(data);
        });
    }

    pub(crate) fn complete(&self) {
        self.advance(|progress| progress.phase = Phase::Complete);
    }

    pub(crate) fn fail(&self, error: RunError) {
        self.advance(|progress| progress.phase = Phase::Failed(error));
    }

    /// Fails the run, unless it has ended.
    pub(crate) fn cut_off(&self) {
        self.advance(|progress| {
            if matches!(progress.phase, Phase::Asked | Phase::Open) {
                progress.phase = Phase::Failed(RunError::Broken("its reader is gone".into()));
            }
        });
    }

    /// Fails the run if nobody reads it, or has read what it asked for up to the last block; from then on nobody can
    /// join.
    pub(crate) fn give_up(&self, is_nearly_done: impl FnOnce(u64) -> bool) -> bool {
        let mut progress = self.progress();
        let is_abandoned = self.readers.load(Ordering::Relaxed) == 0
            && !self.is_served.load(Ordering::Relaxed)
            && !is_nearly_done(progress.received);
        if is_abandoned {
            progress.phase = Phase::Failed(RunError::Broken("nobody reads it".into()));
        }
        is_abandoned
    }

    /// Ends when the last reader has gone.
    pub(crate) async fn abandoned(&self) {
        self.abandoned.notified().await;
    }

    /// The bytes of a complete run, cut into blocks of `size` bytes that hold no more memory than that.
    pub(crate) fn blocks(&self, size: usize) -> Vec<Bytes> {
        let chunks = self.progress().chunks.clone();
        let mut blocks = Vec::new();
        let mut block = Vec::new();
        for mut chunk in chunks {
            while !chunk.is_empty() {
                if block.capacity() == 0 {
                    block.reserve_exact(size);
                }
                let taken = chunk.split_to(chunk.len().min(size - block.len()));
                block.extend_from_slice(&taken);
                if block.len() == size {
                    blocks.push(Bytes::from(std::mem::take(&mut block)));
                }
            }
        }
        if !block.is_empty() {
            blocks.push(Bytes::from(block.into_boxed_slice()));
        }
        blocks
    }

    fn advance(&self, change: impl FnOnce(&mut Progress)) {
        let mut progress = self.progress();
        change(&mut progress);
        progress.wakes += 1;
        let waiting = std::mem::take(&mut progress.waiting);
        drop(progress);
        waiting.into_iter().for_each(Waker::wake);
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        // What a panic could leave behind is at worst a missing wake.
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").field("range", &self.range).finish_non_exhaustive()
    }
}

// === impl RunReader ===

impl RunReader {
    /// Waits until it is certain that S3 answers with this state of the object.
    pub(crate) async fn opened(&mut self) -> Result<(), RunError> {
        std::future::poll_fn(|cx| self.poll_opened(cx)).await
    }

    fn poll_opened(&mut self, cx: &Context<'_>) -> Poll<Result<(), RunError>> {
        let run = Arc::clone(&self.run);
        let mut progress = run.progress();
        match &progress.phase {
            Phase::Open | Phase::Complete => Poll::Ready(Ok(())),
            Phase::Failed(error) => Poll::Ready(Err(error.clone())),
            Phase::Asked => {
                self.wait(&mut progress, cx);
                Poll::Pending
            }
        }
    }

    /// How many bytes are still to come.
    pub(crate) fn remaining(&self) -> u64 {
        self.remaining
    }

    pub(crate) fn poll_data(&mut self, cx: &Context<'_>) -> Poll<Option<Result<Bytes, RunError>>> {
        if self.remaining == 0 {
            return Poll::Ready(None);
        }
        let run = Arc::clone(&self.run);
        let mut progress = run.progress();
        while let Some(chunk) = progress.chunks.get(self.chunk) {
            let length = chunk.len() as u64;
            if length <= self.skip {
                self.skip -= length;
                self.chunk += 1;
                continue;
            }
            let first = usize::try_from(self.skip).unwrap_or(usize::MAX);
            let mut data = chunk.slice(first..);
            data.truncate(usize::try_from(self.remaining).unwrap_or(usize::MAX));
            self.skip = 0;
            self.chunk += 1;
            self.remaining -= data.len() as u64;
            return Poll::Ready(Some(Ok(data)));
        }
        match &progress.phase {
            Phase::Failed(error) => Poll::Ready(Some(Err(error.clone()))),
            // A run completes with all of its bytes.
            Phase::Complete => Poll::Ready(Some(Err(RunError::Changed))),
            Phase::Asked | Phase::Open => {
                self.wait(&mut progress, cx);
                Poll::Pending
            }
        }
    }

    fn wait(&mut self, progress: &mut Progress, cx: &Context<'_>) {
        match self.slot {
            Some((wakes, slot)) if wakes == progress.wakes => {
                if let Some(waker) = progress.waiting.get_mut(slot) {
                    waker.clone_from(cx.waker());
                }
            }
            _ => {
                self.slot = Some((progress.wakes, progress.waiting.len()));
                progress.waiting.push(cx.waker().clone());
            }
        }
    }
}

impl Drop for RunReader {
    fn drop(&mut self) {
        let progress = self.run.progress();
        // Who has all of a part did not go away: the rest of its last block is for the next one.
        if self.remaining == 0 && self.run.range.last() - self.last < self.run.block_size {
            self.run.is_served.store(true, Ordering::Relaxed);
        }
        let was_last = self.run.readers.fetch_sub(1, Ordering::Relaxed) == 1;
        drop(progress);
        if was_last {
            self.run.abandoned.notify_one();
        }
    }
}

impl fmt::Debug for RunReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunReader").field("remaining", &self.remaining).finish_non_exhaustive()
    }
}

// === impl RunError ===

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed => f.write_str("the object has changed since its head was read"),
            Self::Refused(_) => f.write_str("S3 refused the read that this answer follows"),
            Self::Broken(why) => write!(f, "the read that this answer follows broke off: {why}"),
        }
    }
}

impl std::error::Error for RunError {}
