//! A read of S3 that fills the cache and that many readers can follow: a late reader gets the bytes that have already
//! come, and then the rest as it comes.

use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;

use super::{
    Pages, Reservation,
    sync::{
        Mutex, MutexGuard, Notify, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};
use crate::{error::Failure, request::ByteRange};

/// The bytes of one range of one state of an object, on their way from S3.
///
/// They are kept until the store has them, in the same pages that the store then keeps. The block that is not yet
/// complete is kept in the pieces that came, so that nobody waits for its end. Bytes that the store does not take are
/// kept until the last reader is gone.
pub(crate) struct Fill {
    pub(crate) range: ByteRange,
    /// Readers, and requests that wait to become one.
    readers: AtomicUsize,
    abandoned: Notify,
    pages: Pages,
    /// In bytes.
    block_size: u64,
    reservation: Reservation,
    /// A reader got all of its part, and at most the rest of a block is missing.
    is_served: AtomicBool,
    progress: Mutex<Progress>,
}

#[derive(Default)]
struct Progress {
    /// The complete blocks.
    blocks: Vec<Bytes>,
    /// The pieces of the next block, as they came, each with its offset in the block.
    chunks: Vec<(u64, Bytes)>,
    received: u64,
    phase: Phase,
    waiting: Vec<Waker>,
    /// How often the waiting readers were woken.
    wakes: u64,
}

/// How far the read has come.
#[derive(Debug, Clone, Default)]
enum Phase {
    /// S3 has not responded yet.
    #[default]
    Asked,
    /// S3's response matches; bytes come.
    Open,
    Complete,
    /// All bytes are in the store.
    Stored,
    Failed(FillError),
}

/// The next thing that a reader gets.
#[derive(Debug)]
pub(crate) enum Piece {
    Bytes(Bytes),
    /// The rest is in the store.
    Stored,
}

/// Why a fill ended early.
#[derive(Debug, Clone)]
pub(crate) enum FillError {
    /// The object has a new state.
    Changed,
    /// S3 was not asked: the fill was for a response that had not begun, and enough is under way.
    TurnedAway(Box<Failure>),
    /// S3 could not be reached, or refused.
    Refused(Box<Failure>),
    Broken(Arc<str>),
}

/// Follows a fill from one byte to another.
pub(crate) struct FillReader {
    fill: Arc<Fill>,
    /// The next byte, counted from the fill's first.
    at: u64,
    remaining: u64,
    /// The last byte that it is for.
    last: u64,
    /// The wake count and the index at which its waker is in `waiting`.
    slot: Option<(u64, usize)>,
}

// === impl Fill ===

impl Fill {
    pub(crate) fn new(
        range: ByteRange,
        block_size: u64,
        pages: Pages,
        reservation: Reservation,
    ) -> Arc<Self> {
        Arc::new(Self {
            range,
            reservation,
            readers: AtomicUsize::new(0),
            abandoned: Notify::new(),
            pages,
            block_size,
            is_served: AtomicBool::new(false),
            progress: Mutex::default(),
        })
    }

    /// A reader of a part of the fill; `None` if the fill has failed, does not have the part, or has handed over to the
    /// store.
    pub(crate) fn reader(self: &Arc<Self>, part: ByteRange) -> Option<FillReader> {
        if part.first() < self.range.first() || self.range.last() < part.last() {
            return None;
        }
        let progress = self.progress();
        if matches!(progress.phase, Phase::Failed(_) | Phase::Stored) {
            return None;
        }
        // Counted under the lock, so that a fill is not given up while a reader joins it.
        self.readers.fetch_add(1, Ordering::Relaxed);
        drop(progress);
        Some(FillReader {
            fill: Arc::clone(self),
            at: part.first() - self.range.first(),
            remaining: part.len(),
            last: part.last(),
            slot: None,
        })
    }

    /// Whether the byte at `at` comes with it.
    pub(crate) fn holds(&self, at: u64) -> bool {
        (self.range.first()..=self.range.last()).contains(&at)
    }

    /// S3's response matches.
    pub(crate) fn open(&self) {
        self.advance(|progress| progress.phase = Phase::Open);
    }

    /// Adds bytes in their order. Only one task may do that.
    pub(crate) fn push(&self, mut data: Bytes) {
        while !data.is_empty() {
            let in_block = self.progress().received % self.block_size;
            let missing = usize::try_from(self.block_size - in_block).unwrap_or(usize::MAX);
            let part = data.split_to(missing.min(data.len()));
            let is_complete = part.len() == missing;
            let part = if part.len() < SMALL { Bytes::copy_from_slice(&part) } else { part };
            self.advance(|progress| {
                progress.received += part.len() as u64;
                progress.chunks.push((in_block, part));
            });
            if is_complete {
                self.end_block();
            }
        }
    }

    /// Copies the pieces of the last block into a page.
    fn end_block(&self) {
        let chunks: Vec<_> = self.progress().chunks.iter().map(|(_, chunk)| chunk.clone()).collect();
        if chunks.is_empty() {
            return;
        }
        // Readers continue meanwhile.
        let block = self.pages.copy(&chunks);
        let mut progress = self.progress();
        progress.blocks.push(block);
        let done = std::mem::take(&mut progress.chunks);
        let received = progress.received;
        drop(progress);
        // What is in pages is counted there, whoever holds it.
        self.reservation.resize(self.range.len().saturating_sub(received));
        drop(done);
    }

    /// All bytes have come, and stay here for the readers.
    pub(crate) fn complete(&self) {
        self.advance(|progress| progress.phase = Phase::Complete);
    }

    /// All bytes are in the store: readers find them there from now on.
    pub(crate) fn hand_over(&self) {
        let mut blocks = Vec::new();
        self.advance(|progress| {
            progress.phase = Phase::Stored;
            blocks = std::mem::take(&mut progress.blocks);
        });
    }

    pub(crate) fn fail(&self, error: FillError) {
        self.advance(|progress| progress.phase = Phase::Failed(error));
    }

    /// Fails the fill, unless it has ended. Nothing more comes with it.
    pub(crate) fn cut_off(&self) {
        self.reservation.resize(0);
        self.advance(|progress| {
            if matches!(progress.phase, Phase::Asked | Phase::Open) {
                progress.phase = Phase::Failed(FillError::Broken("its reader is gone".into()));
            }
        });
    }

    /// Fails the fill if it has no readers, unless it is served or nearly done; from then on no reader can join.
    pub(crate) fn give_up(&self, is_nearly_done: impl FnOnce(u64) -> bool) -> bool {
        let mut progress = self.progress();
        let is_abandoned = self.readers.load(Ordering::Relaxed) == 0
            && !self.is_served.load(Ordering::Relaxed)
            && !is_nearly_done(progress.received);
        if is_abandoned {
            progress.phase = Phase::Failed(FillError::Broken("nobody reads it".into()));
        }
        is_abandoned
    }

    /// Ends when the last reader has gone.
    pub(crate) async fn abandoned(&self) {
        self.abandoned.notified().await;
    }

    /// The blocks of a complete fill, for the cache to keep.
    pub(crate) fn blocks(&self) -> Vec<Bytes> {
        self.end_block();
        self.progress().blocks.clone()
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
        // At worst, a panic leaves a missing wake behind.
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// In bytes. Each piece is a slice of a connection's read buffer, and keeps all 64 KiB of it alive, however small the
/// piece is. So pieces of less than a quarter of that are copied.
const SMALL: usize = 16 * 1024;

impl fmt::Debug for Fill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fill").field("range", &self.range).finish_non_exhaustive()
    }
}

// === impl Progress ===

impl Progress {
    /// The received bytes from `at` to the end of its block or of its chunk.
    fn from(&self, at: u64, block_size: u64) -> Option<Bytes> {
        let (block, in_block) = (at / block_size, at % block_size);
        let (first, piece) = match self.blocks.get(usize::try_from(block).ok()?) {
            Some(block) => (0, block),
            None if block > self.blocks.len() as u64 => return None,
            None => {
                let next = self.chunks.partition_point(|(first, _)| *first <= in_block);
                let (first, chunk) = self.chunks.get(next.checked_sub(1)?)?;
                (*first, chunk)
            }
        };
        let skip = usize::try_from(in_block - first).ok().filter(|skip| *skip < piece.len())?;
        Some(piece.slice(skip..))
    }
}

// === impl FillReader ===

impl FillReader {
    /// Waits until it is certain that S3 responds with this state of the object.
    pub(crate) async fn opened(&mut self) -> Result<(), FillError> {
        std::future::poll_fn(|cx| self.poll_opened(cx)).await
    }

    fn poll_opened(&mut self, cx: &Context<'_>) -> Poll<Result<(), FillError>> {
        let fill = Arc::clone(&self.fill);
        let mut progress = fill.progress();
        match &progress.phase {
            Phase::Open | Phase::Complete | Phase::Stored => Poll::Ready(Ok(())),
            Phase::Failed(error) => Poll::Ready(Err(error.clone())),
            Phase::Asked => {
                self.wait(&mut progress, cx);
                Poll::Pending
            }
        }
    }

    pub(crate) fn follows(&self, fill: &Fill) -> bool {
        std::ptr::eq(&*self.fill, fill)
    }

    /// The number of bytes that this reader still expects.
    pub(crate) fn remaining(&self) -> u64 {
        self.remaining
    }

    /// The range that this reader still expects; `None` if it has everything.
    pub(crate) fn rest(&self) -> Option<ByteRange> {
        let first = self.fill.range.first() + self.at;
        ByteRange::new(first, self.last).filter(|_| self.remaining > 0)
    }

    /// The next bytes, at most so many.
    pub(crate) fn poll_data(
        &mut self,
        at_most: usize,
        cx: &Context<'_>,
    ) -> Poll<Option<Result<Piece, FillError>>> {
        if self.remaining == 0 {
            return Poll::Ready(None);
        }
        let fill = Arc::clone(&self.fill);
        let mut progress = fill.progress();
        if let Some(mut data) = progress.from(self.at, fill.block_size) {
            data.truncate(usize::try_from(self.remaining).unwrap_or(usize::MAX).min(at_most));
            self.at += data.len() as u64;
            self.remaining -= data.len() as u64;
            return Poll::Ready(Some(Ok(Piece::Bytes(data))));
        }
        match &progress.phase {
            Phase::Failed(error) => Poll::Ready(Some(Err(error.clone()))),
            Phase::Stored => Poll::Ready(Some(Ok(Piece::Stored))),
            // A complete fill has all of its bytes.
            Phase::Complete => Poll::Ready(Some(Err(FillError::Changed))),
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

impl Drop for FillReader {
    fn drop(&mut self) {
        let progress = self.fill.progress();
        // A reader that got all of its part has not abandoned the fill: the rest of its last block is for the next one.
        if self.remaining == 0 && self.fill.range.last() - self.last < self.fill.block_size {
            self.fill.is_served.store(true, Ordering::Relaxed);
        }
        let was_last = self.fill.readers.fetch_sub(1, Ordering::Relaxed) == 1;
        drop(progress);
        if was_last {
            self.fill.abandoned.notify_one();
        }
    }
}

impl fmt::Debug for FillReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FillReader").field("remaining", &self.remaining).finish_non_exhaustive()
    }
}

// === impl FillError ===

impl fmt::Display for FillError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed => f.write_str("the object has changed since its head was read"),
            Self::TurnedAway(_) => {
                f.write_str("too much is under way for the read that this response follows")
            }
            Self::Refused(_) => f.write_str("S3 refused the read that this response follows"),
            Self::Broken(why) => write!(f, "the read that this response follows broke off: {why}"),
        }
    }
}

impl std::error::Error for FillError {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::MemoryPool, *};

    fn fill(length: u64, block_size: u64) -> Arc<Fill> {
        let range = ByteRange::new(block_size, block_size + length - 1).unwrap();
        Fill::new(range, block_size, Pages::new(1 << 20), MemoryPool::default().reserve(length))
    }

    /// All bytes that a reader can get now.
    fn read(reader: &mut FillReader) -> Vec<u8> {
        let cx = Context::from_waker(Waker::noop());
        let mut bytes = Vec::new();
        while let Poll::Ready(Some(piece)) = reader.poll_data(usize::MAX, &cx) {
            let Piece::Bytes(data) = piece.unwrap() else { break };
            assert!(!data.is_empty());
            bytes.extend_from_slice(&data);
        }
        bytes
    }

    #[test]
    fn what_has_come_is_read_at_once_and_kept_in_pages_only() {
        let fill = fill(100_000, 40_960);
        let chunk = Bytes::from(vec![7; 30_000]);
        let mut reader = fill.reader(fill.range).unwrap();
        fill.push(chunk.clone());
        assert_eq!(read(&mut reader).len(), 30_000, "before the block is complete");
        assert!(!chunk.is_unique(), "it is not copied for that");
        fill.push(chunk.slice(..10_960));
        assert!(chunk.is_unique(), "it goes when its block is complete");
        fill.push(Bytes::from(vec![7; 100_000 - 40_960]));
        let lengths: Vec<_> = fill.blocks().iter().map(Bytes::len).collect();
        assert_eq!(lengths, [40_960, 40_960, 100_000 - 81_920]);
        assert_eq!(read(&mut reader).len(), 70_000);
        assert_eq!(reader.remaining(), 0);
    }

    #[test]
    fn what_comes_in_small_pieces_keeps_no_buffer_that_they_were_read_into() {
        let fill = fill(100_000, 40_960);
        let mut reader = fill.reader(fill.range).unwrap();
        let buffer = Bytes::from(vec![7; 65_536]);
        fill.push(buffer.slice(100..1124));
        assert!(buffer.is_unique());
        assert_eq!(read(&mut reader), [7; 1024]);
    }

    #[test]
    fn what_the_store_has_is_not_kept_here_though_it_is_still_read() {
        let pool = MemoryPool::default();
        let fill = Fill::new(ByteRange::new(0, 9).unwrap(), 4, Pages::new(0), pool.reserve(10));
        let mut reader = fill.reader(fill.range).unwrap();
        fill.push(Bytes::from_static(b"012345"));
        let cx = Context::from_waker(Waker::noop());
        assert!(
            matches!(reader.poll_data(usize::MAX, &cx), Poll::Ready(Some(Ok(Piece::Bytes(data)))) if data == "0123")
        );
        fill.push(Bytes::from_static(b"6789"));
        assert_eq!(pool.reserved(), 2, "two blocks are in pages");
        let blocks = fill.blocks();
        assert_eq!(pool.reserved(), 0, "all is in pages");
        fill.hand_over();
        assert!(blocks.iter().all(Bytes::is_unique));
        assert!(matches!(reader.poll_data(usize::MAX, &cx), Poll::Ready(Some(Ok(Piece::Stored)))));
        assert_eq!(reader.rest(), ByteRange::new(4, 9));
        assert!(fill.reader(fill.range).is_none(), "a late reader looks into the store");
    }

    /// Each row: the last byte of a part that was read, and whether the fill then continues.
    #[test]
    fn who_has_all_of_a_part_wants_no_more_than_the_rest_of_its_block() {
        for (last, goes_on) in [(0, false), (11, false), (12, true), (14, true)] {
            let fill = Fill::new(
                ByteRange::new(0, 15).unwrap(),
                4,
                Pages::new(0),
                MemoryPool::default().reserve(16),
            );
            let mut reader = fill.reader(ByteRange::new(0, last).unwrap()).unwrap();
            fill.push(Bytes::from_static(b"0123456789abcde"));
            assert_eq!(read(&mut reader).len() as u64, last + 1);
            drop(reader);
            assert_eq!(fill.give_up(|_| false), !goes_on, "{last}");
        }
    }

    #[test]
    fn who_can_not_have_all_of_a_part_does_not_join() {
        let fill = fill(100, 40);
        for (first, last, is_held) in [(39, 50, false), (130, 140, false), (40, 139, true)] {
            let part = ByteRange::new(first, last).unwrap();
            assert_eq!(fill.reader(part).is_some(), is_held, "{first}-{last}");
        }
        let reader = fill.reader(fill.range);
        assert!(!fill.give_up(|_| false), "it has a reader");
        drop(reader);
        assert!(!fill.give_up(|received| received == 0), "it is nearly done");
        assert!(fill.reader(fill.range).is_some());
        assert!(fill.give_up(|_| false));
        assert!(fill.reader(fill.range).is_none(), "it was given up");
    }

    proptest! {
        /// However the bytes come, and whenever readers read them.
        #[test]
        fn every_reader_gets_its_part(
            block_size in 1_u64..40,
            chunks in prop::collection::vec(1_usize..100, 1..20),
            parts in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0_usize..20), 1..8),
        ) {
            let length: usize = chunks.iter().sum();
            let bytes: Bytes = (0..length).map(|n| u8::try_from(n % 251).unwrap()).collect();
            let fill = fill(length as u64, block_size);
            let base = fill.range.first();
            let mut readers = Vec::new();
            let mut rest = bytes.clone();
            for (n, chunk) in chunks.iter().chain(&[0]).enumerate() {
                for (a, b, _) in parts.iter().filter(|(_, _, at)| *at == n) {
                    let (a, b) = (a.index(length), b.index(length));
                    let (first, last) = (a.min(b), a.max(b));
                    let part = ByteRange::new(base + first as u64, base + last as u64).unwrap();
                    readers.push((fill.reader(part).unwrap(), Vec::new(), &bytes[first..=last]));
                }
                fill.push(rest.split_to(*chunk));
                let come = length - rest.len();
                for (reader, got, part) in &mut readers {
                    got.extend(read(reader));
                    let first = part.as_ptr() as usize - bytes.as_ptr() as usize;
                    let expected = &part[..come.saturating_sub(first).min(part.len())];
                    prop_assert!(got == expected, "all that has come: {} of {}", got.len(), expected.len());
                }
            }
            let blocks = fill.blocks();
            fill.complete();
            let (last, full) = blocks.split_last().unwrap();
            prop_assert!(full.iter().all(|block| block.len() as u64 == block_size));
            prop_assert!(!last.is_empty() && last.len() as u64 <= block_size);
            prop_assert!(blocks.concat() == bytes);
            let mut late = fill.reader(fill.range).unwrap();
            prop_assert!(read(&mut late) == bytes);
        }
    }
}
