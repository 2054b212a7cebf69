use std::{
    io::IoSlice,
    sync::{
        Arc, OnceLock,
        atomic::{
            AtomicU64,
            Ordering::{Acquire, Relaxed, Release},
        },
    },
    task::{Context, Poll},
};

use atomic_waker::AtomicWaker;
use bytes::Buf;

use super::admission::StreamSeat;

/// How much of an HTTP/2 response's body the server was handed, and how much of that it has sent.
///
/// HTTP/2 lets the client say for each response how much it takes (RFC 9113 §5.2), so that a connection on which much is
/// sent tells nothing about the single response.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// In bytes, like the next.
    handed: AtomicU64,
    taken: AtomicU64,
    /// Woken when all is taken.
    waiting: AtomicWaker,
    /// The request's place, which what is not taken keeps.
    seat: OnceLock<StreamSeat>,
}

/// Data of a body, which notes how much of it is sent.
#[derive(Debug)]
pub(crate) struct Counted<D: Buf> {
    data: D,
    progress: Option<Arc<Progress>>,
}

// === impl Progress ===

impl Progress {
    pub(crate) fn keep(&self, seat: StreamSeat) {
        // A request takes one place, once.
        let _ = self.seat.set(seat);
    }

    /// Bytes sent so far.
    pub(crate) fn taken(&self) -> u64 {
        self.taken.load(Acquire)
    }

    /// Bytes that wait for the client.
    pub(crate) fn untaken(&self) -> u64 {
        self.handed.load(Relaxed).saturating_sub(self.taken())
    }

    /// Waits until nothing waits for the client.
    pub(crate) fn poll_taken(&self, cx: &Context<'_>) -> Poll<()> {
        if self.untaken() > 0 {
            self.waiting.register(cx.waker());
        }
        match self.untaken() {
            0 => Poll::Ready(()),
            _ => Poll::Pending,
        }
    }

    fn take(&self, bytes: usize) {
        self.taken.fetch_add(bytes as u64, Release);
    }
}

// === impl Counted ===

impl<D: Buf> Counted<D> {
    pub(crate) fn new(data: D, progress: Option<&Arc<Progress>>) -> Self {
        if let Some(progress) = progress {
            progress.handed.fetch_add(data.remaining() as u64, Relaxed);
        }
        Self { data, progress: progress.cloned() }
    }
}

impl<D: Buf> Buf for Counted<D> {
    fn remaining(&self) -> usize {
        self.data.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.data.chunk()
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        self.data.chunks_vectored(slices)
    }

    fn advance(&mut self, bytes: usize) {
        self.data.advance(bytes);
        if let Some(progress) = &self.progress {
            progress.take(bytes);
        }
    }
}

impl<D: Buf> Drop for Counted<D> {
    fn drop(&mut self) {
        if let Some(progress) = &self.progress {
            // What the client will never take: its request is over.
            progress.take(self.data.remaining());
            if progress.untaken() == 0 {
                progress.waiting.wake();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use bytes::Bytes;

    use super::*;

    #[test]
    fn what_is_sent_or_dropped_is_no_longer_waited_for() {
        let progress = Arc::new(Progress::default());
        let cx = Context::from_waker(Waker::noop());
        assert!(progress.poll_taken(&cx).is_ready());
        let [mut first, second] =
            [100, 50].map(|size| Counted::new(Bytes::from(vec![0; size]), Some(&progress)));
        assert_eq!((progress.taken(), progress.untaken()), (0, 150));
        first.advance(30);
        assert_eq!((first.remaining(), progress.taken(), progress.untaken()), (70, 30, 120));
        assert!(progress.poll_taken(&cx).is_pending());
        drop(second);
        assert_eq!(progress.untaken(), 70);
        first.advance(70);
        drop(first);
        assert_eq!((progress.taken(), progress.untaken()), (150, 0));
        assert!(progress.poll_taken(&cx).is_ready());
    }
}
