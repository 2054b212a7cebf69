use std::{
    future::poll_fn,
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    task::{Poll, Waker},
};

use super::watch::Reason;

/// What happens on a connection, as its parts note it and its [`Watch`](super::watch::Watch) reads it, and what the watch
/// asks of it.
///
/// Nobody looks at a clock here: the watch compares what it sees now and then. Nothing else depends on the order in
/// which the numbers are seen, so that they are relaxed.
#[derive(Debug, Default)]
pub(crate) struct Activity {
    /// Requests, as [`Requests`] packs them.
    requests: AtomicU64,
    /// Bytes read. The connection's stream is the only writer of this and of the next three.
    read: AtomicU64,
    /// Bytes handed to the kernel.
    written: AtomicU64,
    /// Whether something waits to be written because the kernel takes nothing.
    blocked: AtomicBool,
    /// How much had been read when the last request began.
    read_at_request: AtomicU64,
    /// Whether the last request has a body.
    has_body: AtomicBool,
    /// Whether the next write is to ask the kernel, whatever the readiness of the socket.
    probe: AtomicBool,
    /// Whether to drop what waits in the kernel when the connection is closed.
    reset: AtomicBool,
    /// Why the connection is to be closed.
    verdict: OnceLock<Reason>,
    /// Of the task of the connection. It stays when the task is woken, so that it is set only when it changes.
    task: Mutex<Option<Waker>>,
}

/// The state of a connection at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) requests: Requests,
    pub(crate) read: u64,
    pub(crate) written: u64,
    pub(crate) blocked: bool,
    /// Whether bytes have come since the last request began: a part of the next head, over HTTP/1.
    pub(crate) has_begun_head: bool,
    has_body: bool,
}

/// How many requests have begun (40 bits, wrapping), and how many are open (24 bits): one atomic operation for a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Requests(pub(crate) u64);

// === impl Activity ===

impl Activity {
    pub(crate) fn note_read(&self, bytes: usize) {
        add(&self.read, bytes);
    }

    /// What was read was the TLS handshake, and no part of a request.
    pub(crate) fn note_handshake(&self) {
        self.read_at_request.store(self.read.load(Relaxed), Relaxed);
    }

    pub(crate) fn note_written(&self, bytes: usize) {
        add(&self.written, bytes);
    }

    pub(crate) fn is_blocked(&self) -> bool {
        self.blocked.load(Relaxed)
    }

    pub(crate) fn set_blocked(&self, blocked: bool) {
        self.blocked.store(blocked, Relaxed);
    }

    /// A request begins. Returns how many were open before.
    pub(crate) fn begin(&self) -> u64 {
        self.read_at_request.store(self.read.load(Relaxed), Relaxed);
        Requests(self.requests.fetch_add(Requests::BEGUN | Requests::OPEN, Relaxed)).open()
    }

    /// Notes whether a body belongs to the request that has begun.
    pub(crate) fn set_body(&self, has_body: bool) {
        self.has_body.store(has_body, Relaxed);
    }

    pub(crate) fn end(&self) {
        self.requests.fetch_sub(Requests::OPEN, Relaxed);
    }

    /// Lets the next write ask the kernel.
    pub(crate) fn probe(&self) {
        self.probe.store(true, Relaxed);
        self.wake();
    }

    pub(crate) fn take_probe(&self) -> bool {
        self.probe.swap(false, Relaxed)
    }

    /// Lets the connection be closed.
    pub(crate) fn close(&self, reason: Reason) {
        // The first reason stays.
        let _ = self.verdict.set(reason);
        self.wake();
    }

    pub(crate) fn verdict(&self) -> Option<Reason> {
        self.verdict.get().copied()
    }

    /// Waits until the connection is to be closed.
    pub(crate) async fn closed(&self) -> Reason {
        poll_fn(|cx| {
            self.register(cx.waker());
            self.verdict().map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }

    /// Lets the connection be reset when it is closed.
    pub(crate) fn reset(&self) {
        self.reset.store(true, Relaxed);
    }

    pub(crate) fn is_reset(&self) -> bool {
        self.reset.load(Relaxed)
    }

    /// Lets the watch wake this task.
    pub(crate) fn register(&self, task: &Waker) {
        *self.task.lock().unwrap_or_else(PoisonError::into_inner) = Some(task.clone());
    }

    fn wake(&self) {
        if let Some(task) = &*self.task.lock().unwrap_or_else(PoisonError::into_inner) {
            task.wake_by_ref();
        }
    }

    pub(crate) fn seen(&self) -> Seen {
        let read = self.read.load(Relaxed);
        Seen {
            requests: Requests(self.requests.load(Relaxed)),
            read,
            written: self.written.load(Relaxed),
            blocked: self.is_blocked(),
            has_begun_head: read != self.read_at_request.load(Relaxed),
            has_body: self.has_body.load(Relaxed),
        }
    }
}

/// There is one writer: no read-modify-write is needed.
fn add(number: &AtomicU64, bytes: usize) {
    number.store(number.load(Relaxed).wrapping_add(bytes as u64), Relaxed);
}

// === impl Seen ===

impl Seen {
    /// Whether the client may still send what belongs to the last request, over HTTP/1.
    pub(crate) fn expects_more(&self) -> bool {
        self.has_body || self.has_begun_head
    }
}

// === impl Requests ===

impl Requests {
    const OPEN: u64 = 1;
    const BEGUN: u64 = 1 << 24;
    const MASK: u64 = (1 << 24) - 1;

    /// Requests whose response has not been handed over to its end.
    pub(crate) fn open(self) -> u64 {
        self.0 & Self::MASK
    }

    /// Requests so far, wrapping.
    pub(crate) fn begun(self) -> u64 {
        self.0 >> 24
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_apart() {
        let activity = Activity::default();
        let counts = || {
            let requests = activity.seen().requests;
            (requests.begun(), requests.open())
        };
        assert_eq!(activity.begin(), 0);
        assert_eq!(activity.begin(), 1);
        assert_eq!(counts(), (2, 2));
        activity.end();
        activity.end();
        assert_eq!(counts(), (2, 0));
        activity.requests.store(!Requests::MASK, Relaxed);
        activity.begin();
        assert_eq!(counts(), (0, 1), "the count of begun requests wraps, and leaves the other alone");
    }

    #[test]
    fn a_handshake_begins_no_head() {
        let activity = Activity::default();
        activity.note_read(517);
        activity.note_handshake();
        assert!(!activity.seen().has_begun_head);
        activity.note_read(1);
        assert!(activity.seen().has_begun_head);
    }

    #[test]
    fn a_head_has_begun_when_bytes_come_after_a_request() {
        let activity = Activity::default();
        assert!(!activity.seen().has_begun_head);
        activity.note_read(5);
        assert!(activity.seen().has_begun_head);
        activity.begin();
        assert!(!activity.seen().has_begun_head);
        activity.note_read(1);
        assert!(activity.seen().has_begun_head);
    }
}
