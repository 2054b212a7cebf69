use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use atomic_waker::AtomicWaker;
use bytes::Bytes;
use http_body::Frame;

use super::ObjectBody;
use crate::{
    error::{BoxError, ConfigError, ConfigErrorKind},
    origin::Pace,
};

/// What responses may hold in memory while their clients are slow.
///
/// A server takes bytes from a body ahead of what its client takes from it: `hyper` up to 400 KiB, by default. For a client
/// that keeps up that saves system calls. A client that does not read at all makes it a megabyte with what is read from S3.
/// With a send buffer, a response waits until its client has taken what was handed out before.
///
/// Responses that go out in bursts share what is above their own part: while many clients are slow, the others are served in
/// smaller steps. Half of it is for clients that have already taken 8 MiB of their response: those that read nothing can't
/// have all of it.
///
/// It is for programs whose server, TLS included, stands right above the layer. **Whatever collects a whole body above it, as
/// `http_body_util::BodyExt::collect` does, would wait for ever** for its own bytes to be sent.
///
/// ```
/// use tower_s3_proxy::{BucketName, Mount, S3ProxyConfig, S3ProxyLayer, service::SendBuffer};
///
/// let media = Mount::builder(BucketName::parse("studio-media")?).region("us-west-2").anonymous().build()?;
/// let buffer = SendBuffer::new(128 * 1024, 64 * 1024 * 1024)?;
/// let layer = S3ProxyLayer::new(S3ProxyConfig::from(media).send_buffer(buffer));
/// # let _ = layer;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct SendBuffer(Arc<Buffers>);

#[derive(Debug)]
struct Buffers {
    each: usize,
    bursts: usize,
    /// In bytes.
    lent: AtomicUsize,
}

/// What is known of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Client {
    /// It may read nothing: the system can have taken all that was sent so far.
    Unknown,
    /// It has taken [`PROOF`] since it was last slow.
    Reads,
}

/// A body that goes on when its client has taken what came before.
pub(crate) struct BoundedBody {
    body: ObjectBody,
    unsent: Arc<Unsent>,
    /// Bytes that can be handed out, whatever is unsent.
    burst: usize,
    /// When the last burst was all handed out.
    since: Option<Instant>,
    /// Bytes to be handed out at the slow pace before the next burst.
    slow_for: usize,
    /// Bytes that were handed out since the client was last slow.
    handed_out: usize,
}

/// What was handed out and is still held by the server. Outlives the body, whose end a slow client may wait for.
struct Unsent {
    buffer: SendBuffer,
    bytes: AtomicUsize,
    waiting: AtomicWaker,
    /// Whether it has [`BURST`] of what bursts share.
    has_loan: AtomicBool,
}

/// Bytes that the server holds.
struct Held {
    data: Bytes,
    unsent: Arc<Unsent>,
}

/// In bytes: what a response can hand out at once if its client has taken all that came before. `hyper` writes so much by
/// one system call, if it is set up for it.
const BURST: usize = 1024 * 1024;

/// A client that takes longer for a burst is slow: 10 MiB/s are a fast one's.
const BRISK: Duration = Duration::from_millis(100);

/// In bytes: what a slow client gets in small steps before it can have a burst again.
const PENALTY: usize = 16 * BURST;

/// In bytes: more than systems take for a client that reads nothing, which is 4 MiB by default on Linux (`tcp_wmem`).
const PROOF: usize = 8 * BURST;

const SMALLEST: usize = 64 * 1024;

// === impl SendBuffer ===

impl SendBuffer {
    /// At most `each` bytes for a response to a slow client, with what is read from S3 for it; and at most `bursts` bytes
    /// more for all responses together.
    ///
    /// # Errors
    ///
    /// [`ConfigErrorKind::InvalidValue`] if `each` is less than 64 KiB.
    pub fn new(each: usize, bursts: usize) -> Result<Self, ConfigError> {
        if each < SMALLEST {
            let message = format!("a send buffer of {each} bytes: give at least {SMALLEST} (64 KiB)");
            return Err(ConfigError::new(ConfigErrorKind::InvalidValue, message));
        }
        Ok(Self(Arc::new(Buffers { each, bursts, lent: AtomicUsize::new(0) })))
    }

    /// Bounds a body, unless it is so short that it need not be.
    pub(crate) fn bound(&self, body: ObjectBody) -> ObjectBody {
        let is_short = body.size_hint().exact().is_some_and(|length| length <= self.0.each as u64);
        if is_short || body.is_end_stream() {
            return body;
        }
        let unsent = Arc::new(Unsent {
            buffer: self.clone(),
            bytes: AtomicUsize::new(0),
            waiting: AtomicWaker::new(),
            has_loan: AtomicBool::new(false),
        });
        let (burst, since, slow_for, handed_out) = (0, None, 0, 0);
        ObjectBody::Bounded(Box::new(BoundedBody { body, unsent, burst, since, slow_for, handed_out }))
    }

    /// What a slow client's response hands out ahead: a quarter. Of the rest, buffers of the two connections take a part.
    fn window(&self) -> usize {
        self.0.each / 4
    }

    /// A client that stops reading keeps its burst until it is disconnected, so unknown ones can't have all of them.
    fn lend(&self, client: Client) -> bool {
        let most = match client {
            Client::Unknown => (self.0.bursts / BURST).div_ceil(2).saturating_mul(BURST),
            Client::Reads => self.0.bursts,
        };
        let take = |lent: usize| Some(lent.saturating_add(BURST)).filter(|lent| *lent <= most);
        self.0.lent.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }

    fn take_back(&self) {
        self.0.lent.fetch_sub(BURST, Ordering::Relaxed);
    }
}

// === impl BoundedBody ===

impl BoundedBody {
    pub(super) fn body(&self) -> &ObjectBody {
        &self.body
    }

    pub(super) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let pace = ready!(self.poll_pace(cx));
        let polled = ready!(self.body.poll_frame(pace, cx));
        Poll::Ready(polled.map(|frame| frame.map(|frame| frame.map_data(|data| self.hand_out(data)))))
    }

    /// Waits until more can be handed out.
    fn poll_pace(&mut self, cx: &Context<'_>) -> Poll<Pace> {
        let mut unsent = self.unsent.bytes();
        if unsent == 0 {
            // The client has taken all of it. If that took long, bursts are better spent on others.
            if self.since.take().is_some_and(|since| since.elapsed() > BRISK) {
                self.slow_for = PENALTY;
                self.handed_out = 0;
            }
            let client = if self.handed_out < PROOF { Client::Unknown } else { Client::Reads };
            self.burst = if self.slow_for == 0 && self.unsent.borrow(client) { BURST } else { 0 };
        }
        if self.burst > 0 {
            return Poll::Ready(Pace::Full);
        }
        let window = self.unsent.buffer.window();
        if unsent >= window {
            self.unsent.waiting.register(cx.waker());
            unsent = self.unsent.bytes();
        }
        if unsent >= window {
            return Poll::Pending;
        }
        self.unsent.pay_back();
        Poll::Ready(Pace::Slow)
    }

    fn hand_out(&mut self, data: Bytes) -> Bytes {
        match self.burst {
            0 => self.slow_for = self.slow_for.saturating_sub(data.len()),
            burst => {
                self.burst = burst.saturating_sub(data.len());
                self.since = (self.burst == 0).then(Instant::now);
            }
        }
        self.handed_out = self.handed_out.saturating_add(data.len());
        self.unsent.bytes.fetch_add(data.len(), Ordering::AcqRel);
        Bytes::from_owner(Held { data, unsent: Arc::clone(&self.unsent) })
    }
}

impl fmt::Debug for BoundedBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("BoundedBody").field(&self.body).finish()
    }
}

// === impl Unsent ===

impl Unsent {
    fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Acquire)
    }

    /// Whether it has a part of what bursts share. Only the body borrows and pays back.
    fn borrow(&self, client: Client) -> bool {
        if !self.has_loan.load(Ordering::Relaxed) {
            self.has_loan.store(self.buffer.lend(client), Ordering::Relaxed);
        }
        self.has_loan.load(Ordering::Relaxed)
    }

    fn pay_back(&self) {
        if self.has_loan.swap(false, Ordering::Relaxed) {
            self.buffer.take_back();
        }
    }
}

impl Drop for Unsent {
    fn drop(&mut self) {
        self.pay_back();
    }
}

// === impl Held ===

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.data
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.unsent.bytes.fetch_sub(self.data.len(), Ordering::AcqRel);
        self.unsent.waiting.wake();
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::VecDeque, task::Waker};

    use aws_smithy_types::body::SdkBody;

    use super::*;
    use crate::{
        body::ExactBody,
        cache::Segments,
        origin::{End, WireBody},
    };

    const EACH: usize = 128 * 1024;
    const FRAME: usize = 128 * 1024;

    /// A body in frames as a cache has them.
    fn body(frames: usize) -> ObjectBody {
        let mut segments = Segments::default();
        (0..frames).for_each(|_| segments.push(vec![7; FRAME].into()));
        segments.into()
    }

    /// The next frame; `None` if the body waits for its client.
    fn poll(body: &mut ObjectBody) -> Option<Bytes> {
        match body.poll_frame(Pace::Full, &mut Context::from_waker(Waker::noop())) {
            Poll::Ready(frame) => Some(frame?.unwrap().into_data().unwrap()),
            Poll::Pending => None,
        }
    }

    /// What a server takes that nobody reads from.
    fn hoard(body: &mut ObjectBody) -> Vec<Bytes> {
        std::iter::from_fn(|| poll(body)).collect()
    }

    fn length(frames: &[Bytes]) -> usize {
        frames.iter().map(Bytes::len).sum()
    }

    #[test]
    fn a_short_body_is_left_alone() {
        let buffer = SendBuffer::new(EACH, BURST).unwrap();
        assert!(!matches!(buffer.bound(body(1)), ObjectBody::Bounded(_)));
        assert!(matches!(buffer.bound(body(2)), ObjectBody::Bounded(_)));
        assert!(!matches!(buffer.bound(ObjectBody::Empty), ObjectBody::Bounded(_)));
    }

    #[test]
    fn who_keeps_up_gets_all_that_is_there_in_bursts() {
        let buffer = SendBuffer::new(EACH, BURST).unwrap();
        let mut body = buffer.bound(body(20));
        for frames in [8, 8, 4] {
            let burst = hoard(&mut body);
            assert_eq!(burst.len(), frames);
            assert!(burst.iter().all(|frame| frame.len() == FRAME));
        }
        assert!(body.is_end_stream());
        drop(body);
        assert_eq!(buffer.0.lent.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn who_does_not_is_given_little_at_a_time_and_all_in_the_end() {
        let buffer = SendBuffer::new(EACH, BURST).unwrap();
        let mut slow = buffer.bound(body(20));
        let mut held = VecDeque::from(hoard(&mut slow));
        assert_eq!(held.iter().map(Bytes::len).sum::<usize>(), BURST);
        std::thread::sleep(BRISK + Duration::from_millis(1));
        let (mut got, is_lent) = (0, || buffer.0.lent.load(Ordering::Relaxed) > 0);
        while let Some(frame) = held.pop_front() {
            got += frame.len();
            drop(frame);
            held.extend(hoard(&mut slow));
            let unsent: usize = held.iter().map(Bytes::len).sum();
            assert!(is_lent() || unsent <= EACH / 2, "{unsent}");
            assert_eq!(is_lent(), got < BURST, "as long as it holds what it has by a loan");
        }
        assert_eq!(got, 20 * FRAME);
    }

    #[test]
    fn bursts_are_bounded_all_together_and_until_they_are_sent() {
        let buffer = SendBuffer::new(EACH, 2 * BURST).unwrap();
        let mut bodies: Vec<_> = (0..50).map(|_| buffer.bound(body(8))).collect();
        let held: Vec<_> = bodies.iter_mut().map(hoard).collect();
        drop(bodies);
        let sum: usize = held.iter().map(|frames| length(frames)).sum();
        assert!(sum <= 2 * BURST + 48 * EACH / 2, "{sum}");
        assert!(
            buffer.bound(body(8)).poll_frame(Pace::Full, &mut Context::from_waker(Waker::noop())).is_ready()
        );
        let mut late = buffer.bound(body(8));
        assert!(length(&hoard(&mut late)) <= EACH / 2, "though the first two bodies have ended");
        drop(held);
        let mut next = buffer.bound(body(8));
        assert_eq!(length(&hoard(&mut next)), BURST);
    }

    #[test]
    fn those_who_read_nothing_leave_bursts_to_those_who_read() {
        let buffer = SendBuffer::new(EACH, 4 * BURST).unwrap();
        let mut unread: Vec<_> = (0..50).map(|_| buffer.bound(body(80))).collect();
        let held: Vec<_> = unread.iter_mut().map(hoard).collect();
        assert_eq!(held.iter().filter(|frames| length(frames) == BURST).count(), 2, "half of four");
        // What each has got in small steps when its first burst comes, which it then holds.
        let mut bursts = Vec::new();
        for expected in [Some(PROOF), Some(PROOF), None] {
            let mut reader = buffer.bound(body(80));
            let mut got = 0;
            let burst = loop {
                let frames = hoard(&mut reader);
                match length(&frames) {
                    0 => break None,
                    BURST => break Some((frames, got)),
                    more => got += more,
                }
            };
            assert_eq!(burst.as_ref().map(|(_, got)| got / EACH * EACH), expected, "{got}");
            bursts.push((reader, burst));
        }
    }

    #[test]
    fn what_comes_from_s3_keeps_no_larger_buffer() {
        let buffer = SendBuffer::new(EACH, 0).unwrap();
        let data = Bytes::from(vec![7; 4 * FRAME]);
        let wire = WireBody::from(SdkBody::from(data.clone()));
        let exact = ExactBody::new(wire, 0, data.len() as u64, End::Told);
        let mut body = buffer.bound(ObjectBody::Exact(Box::new(exact)));
        let frame = poll(&mut body).unwrap();
        drop(body);
        assert!(data.is_unique());
        assert!(!frame.is_empty());
    }

    #[test]
    fn a_buffer_that_is_too_small_is_refused() {
        let why = SendBuffer::new(1000, 0).unwrap_err().to_string();
        assert!(why.contains("give at least 65536"), "{why}");
    }
}
