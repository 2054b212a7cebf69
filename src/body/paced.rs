use std::{
    fmt,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep_until};

use super::ObjectBody;
use crate::{
    error::{BoxError, ConfigError, ConfigErrorKind},
    origin::Pace,
};

/// How many bytes a second bodies send: all that share it, together, first come, first served.
///
/// [`PacedBody`] sends by it, and [`MountBuilder::max_bytes_per_second`](crate::MountBuilder::max_bytes_per_second) makes one for
/// a mount. Nothing is copied: what is too large to be sent at once is sent in slices of itself.
#[derive(Debug, Clone)]
pub struct ByteRate(Arc<Rate>);

#[derive(Debug)]
struct Rate {
    per_second: u64,
    /// In bytes: the most that is sent at once.
    piece: usize,
    since: Instant,
    /// When the next byte is due: in nanoseconds.
    next: AtomicU64,
}

pin_project! {
    /// A body that sends at a [`ByteRate`], or as it comes.
    pub struct PacedBody<B> {
        #[pin]
        body: B,
        pacing: Option<Box<Pacing>>,
    }
}

/// An object at the rate of its mount.
#[derive(Debug)]
pub(crate) struct PacedObject {
    body: ObjectBody,
    pacing: Pacing,
}

/// What a body has read and not yet sent.
struct Pacing {
    rate: ByteRate,
    /// A piece whose time is that of the timer.
    due: Option<Bytes>,
    /// What is behind it.
    rest: Bytes,
    timer: Option<Pin<Box<Sleep>>>,
}

/// A piece that is due within this time is sent at once: a timer has no finer steps, and one for each piece would cost more
/// than the piece.
const SLACK: Duration = Duration::from_millis(50);

/// In bytes.
const SMALLEST_PIECE: u64 = 1024;
const LARGEST_PIECE: u64 = 256 * 1024;

// === impl ByteRate ===

impl ByteRate {
    /// So many bytes a second.
    ///
    /// # Errors
    ///
    /// [`ConfigErrorKind::InvalidValue`] if it is less than 1 KiB: no client would wait for that.
    pub fn new(bytes_per_second: u64) -> Result<Self, ConfigError> {
        if bytes_per_second < SMALLEST_PIECE {
            let message =
                format!("{bytes_per_second} bytes a second: give at least {SMALLEST_PIECE} (1 KiB)");
            return Err(ConfigError::new(ConfigErrorKind::InvalidValue, message));
        }
        let piece = (bytes_per_second / 20).clamp(SMALLEST_PIECE, LARGEST_PIECE);
        Ok(Self(Arc::new(Rate {
            per_second: bytes_per_second,
            piece: usize::try_from(piece).unwrap_or(usize::MAX),
            since: Instant::now(),
            next: AtomicU64::new(0),
        })))
    }

    pub(crate) fn pace(&self, body: ObjectBody) -> ObjectBody {
        if body.is_end_stream() {
            return body;
        }
        ObjectBody::Paced(Box::new(PacedObject { body, pacing: Pacing::new(self) }))
    }

    /// Takes the place of so many bytes in the queue. `None` if they are due.
    fn take_place(&self, bytes: usize) -> Option<Instant> {
        let Rate { per_second, since, next, .. } = &*self.0;
        let now = nanos(since.elapsed());
        let nanos_each = 1_000_000_000_u128 * bytes as u128 / u128::from(*per_second);
        let takes = u64::try_from(nanos_each).unwrap_or(u64::MAX);
        let behind = |next: u64| Some(next.max(now).saturating_add(takes));
        let before = next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, behind).unwrap_or(now);
        (before > now.saturating_add(nanos(SLACK))).then(|| *since + Duration::from_nanos(before))
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

// === impl Pacing ===

impl Pacing {
    fn new(rate: &ByteRate) -> Self {
        Self { rate: rate.clone(), due: None, rest: Bytes::new(), timer: None }
    }

    /// The next piece; `next` polls the body itself.
    fn poll_frame<E>(
        &mut self,
        cx: &mut Context<'_>,
        next: impl FnOnce(&mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, E>>>,
    ) -> Poll<Option<Result<Frame<Bytes>, E>>> {
        if self.due.is_some() {
            if let Some(timer) = &mut self.timer {
                ready!(timer.as_mut().poll(cx));
            }
            return Poll::Ready(self.due.take().map(|piece| Ok(Frame::data(piece))));
        }
        if self.rest.is_empty() {
            match ready!(next(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.rest = data,
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                end => return Poll::Ready(end),
            }
        }
        let piece = self.rest.split_to(self.rest.len().min(self.rate.0.piece));
        let Some(at) = self.rate.take_place(piece.len()) else {
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        };
        self.due = Some(piece);
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(at)));
        timer.as_mut().reset(at);
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(self.due.take().map(|piece| Ok(Frame::data(piece))))
    }

    /// In bytes.
    fn held(&self) -> u64 {
        (self.rest.len() + self.due.as_ref().map_or(0, Bytes::len)) as u64
    }
}

impl fmt::Debug for Pacing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pacing").field("rate", &self.rate).field("held", &self.held()).finish_non_exhaustive()
    }
}

// === impl PacedObject ===

impl PacedObject {
    pub(super) fn poll_frame(
        &mut self,
        pace: Pace,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Self { body, pacing } = self;
        pacing.poll_frame(cx, |cx| body.poll_frame(pace, cx))
    }

    pub(super) fn is_end_stream(&self) -> bool {
        self.pacing.held() == 0 && self.body.is_end_stream()
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        with_held(&self.body.size_hint(), self.pacing.held())
    }
}

// === impl PacedBody ===

impl<B> PacedBody<B> {
    /// Sends a body at this rate; without one, as it comes, and at no cost.
    pub fn new(body: B, rate: Option<&ByteRate>) -> Self {
        Self { body, pacing: rate.map(|rate| Box::new(Pacing::new(rate))) }
    }
}

impl<B: Body<Data = Bytes>> Body for PacedBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.project();
        match this.pacing {
            None => this.body.poll_frame(cx),
            Some(pacing) => pacing.poll_frame(cx, |cx| this.body.poll_frame(cx)),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.pacing.as_ref().is_none_or(|pacing| pacing.held() == 0) && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        match &self.pacing {
            None => self.body.size_hint(),
            Some(pacing) => with_held(&self.body.size_hint(), pacing.held()),
        }
    }
}

impl<B> fmt::Debug for PacedBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PacedBody").field("pacing", &self.pacing).finish_non_exhaustive()
    }
}

fn with_held(rest: &SizeHint, held: u64) -> SizeHint {
    let mut hint = SizeHint::new();
    hint.set_lower(rest.lower().saturating_add(held));
    if let Some(upper) = rest.upper() {
        hint.set_upper(upper.saturating_add(held));
    }
    hint
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt, Full};

    use super::*;

    const KIB: usize = 1024;

    async fn read(mut body: PacedBody<Full<Bytes>>) -> Vec<Bytes> {
        let mut pieces = Vec::new();
        while let Some(frame) = body.frame().await {
            pieces.push(frame.unwrap().into_data().unwrap());
        }
        pieces
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_takes_as_long_as_its_rate_says_and_nothing_is_copied() {
        let data = Bytes::from(vec![7; 1024 * KIB]);
        let rate = ByteRate::new(256 * KIB as u64).unwrap();
        let body = PacedBody::new(Full::new(data.clone()), Some(&rate));
        assert_eq!(body.size_hint().exact(), Some(1024 * KIB as u64));
        let begun = Instant::now();
        let pieces = read(body).await;
        let seconds = begun.elapsed().as_secs_f64();
        assert!((3.8..4.1).contains(&seconds), "{seconds}");
        assert!(pieces.len() > 20, "{}", pieces.len());
        let mut at = data.as_ptr();
        for piece in &pieces {
            assert_eq!(piece.as_ptr(), at, "a slice of the same memory");
            at = piece.as_ptr_range().end;
        }
        assert_eq!(at, data.as_ptr_range().end);
    }

    #[tokio::test(start_paused = true)]
    async fn bodies_with_one_rate_share_it() {
        let rate = ByteRate::new(100 * KIB as u64).unwrap();
        let begun = Instant::now();
        let body = || PacedBody::new(Full::new(Bytes::from(vec![7; 50 * KIB])), Some(&rate));
        let _ = tokio::join!(read(body()), read(body()), read(body()), read(body()));
        let seconds = begun.elapsed().as_secs_f64();
        assert!((1.8..2.1).contains(&seconds), "{seconds}");
        tokio::time::advance(Duration::from_secs(100)).await;
        let begun = Instant::now();
        read(body()).await;
        assert!(begun.elapsed().as_secs_f64() > 0.3, "what was not sent meanwhile is not made up for");
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_rate_a_body_comes_as_it_is() {
        let begun = Instant::now();
        let data = Bytes::from(vec![7; 1024 * KIB]);
        assert_eq!(read(PacedBody::new(Full::new(data.clone()), None)).await, [data]);
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_of_a_body_is_told_when_all_of_it_is_sent() {
        let rate = ByteRate::new(KIB as u64).unwrap();
        let mut body = PacedBody::new(Full::new(Bytes::from(vec![7; 3 * KIB])), Some(&rate));
        for left in [2, 1, 0] {
            body.frame().await.unwrap().unwrap();
            assert_eq!(body.size_hint().exact(), Some(left * KIB as u64));
            assert_eq!(body.is_end_stream(), left == 0);
        }
        assert!(body.frame().await.is_none());
    }

    #[test]
    fn a_rate_that_nobody_would_wait_for_is_refused() {
        assert!(ByteRate::new(1023).unwrap_err().to_string().contains("at least 1024"));
    }
}
