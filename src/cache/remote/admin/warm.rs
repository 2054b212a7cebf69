use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use crate::{cache::PurgeTarget, error::BoxError, object::BucketName};

/// What objects are read by into the cache. A stage behind this one knows the mounts.
pub(crate) trait Warmer: Send + Sync {
    /// The bucket, if there is but one.
    fn only_bucket(&self) -> Option<BucketName>;

    /// Begins to read what the target names.
    ///
    /// # Errors
    ///
    /// Why it cannot be read, for the client.
    fn warm(&self, target: PurgeTarget) -> Result<WarmRun, String>;
}

/// A warming that goes on while it is polled.
pub(crate) struct WarmRun {
    /// Its last line.
    pub(crate) run: Pin<Box<dyn Future<Output = String> + Send>>,
    /// A line about what has been done so far.
    pub(crate) so_far: Box<dyn Fn() -> String + Send>,
}

/// The body of a [`CacheAdmin`](crate::cache::CacheAdmin)'s response.
pub struct AdminBody(Kind);

enum Kind {
    Whole(Full<Bytes>),
    /// Boxed: rare, and large beside the other.
    Warming(Box<WarmLines>),
}

/// The progress of a warming as lines of JSON. The reads are made as the client takes the lines, and end when it is gone.
struct WarmLines {
    /// `None` once the last line is sent.
    run: Option<WarmRun>,
    tick: Interval,
    _place: WarmPlace,
}

/// One of the few warmings at a time.
pub(super) struct WarmPlace(Arc<AtomicUsize>);

/// At a time. Each reads eight objects at once.
const MOST: usize = 4;

const LINE_EVERY: Duration = Duration::from_millis(500);

// === impl WarmPlace ===

impl WarmPlace {
    /// `None` if there are as many as there can be.
    pub(super) fn take(places: &Arc<AtomicUsize>) -> Option<Self> {
        let next = |taken: usize| (taken < MOST).then(|| taken + 1);
        places.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).ok()?;
        Some(Self(Arc::clone(places)))
    }
}

impl Drop for WarmPlace {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

// === impl AdminBody ===

impl AdminBody {
    pub(super) fn warming(run: WarmRun, place: WarmPlace) -> Self {
        let mut tick = interval_at(Instant::now() + LINE_EVERY, LINE_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self(Kind::Warming(Box::new(WarmLines { run: Some(run), tick, _place: place })))
    }
}

impl From<String> for AdminBody {
    fn from(text: String) -> Self {
        Self(Kind::Whole(Full::from(text)))
    }
}

impl Default for AdminBody {
    fn default() -> Self {
        Self(Kind::Whole(Full::default()))
    }
}

impl Body for AdminBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match &mut self.get_mut().0 {
            Kind::Whole(body) => Pin::new(body).poll_frame(cx).map_err(|never| match never {}),
            Kind::Warming(lines) => lines.poll_line(cx).map(|line| line.map(|line| Ok(Frame::data(line)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Whole(body) => body.is_end_stream(),
            Kind::Warming(lines) => lines.run.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Whole(body) => body.size_hint(),
            Kind::Warming(_) => SizeHint::default(),
        }
    }
}

impl fmt::Debug for AdminBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            Kind::Whole(_) => "AdminBody::Whole",
            Kind::Warming(_) => "AdminBody::Warming",
        })
    }
}

// === impl WarmLines ===

impl WarmLines {
    fn poll_line(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let Some(warming) = &mut self.run else { return Poll::Ready(None) };
        let line = match warming.run.as_mut().poll(cx) {
            Poll::Ready(last) => {
                self.run = None;
                last
            }
            Poll::Pending if self.tick.poll_tick(cx).is_ready() => (warming.so_far)(),
            Poll::Pending => return Poll::Pending,
        };
        Poll::Ready(Some(Bytes::from(line + "\n")))
    }
}
