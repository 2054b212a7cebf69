use std::{
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{
            AtomicBool, AtomicU64,
            Ordering::{Acquire, Relaxed, Release},
        },
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::Instant;

use crate::{error::BoxError, meter::Meter};

/// The body of a request, which goes on to S3 as its client sends it.
pub(crate) struct Upload {
    /// Locked by nobody: HTTP clients want a body that threads could share.
    body: Mutex<ClientBody>,
    /// In bytes, if the client has told it.
    left: Option<u64>,
    sent: Arc<Sent>,
    /// Of the mount that sends it.
    meter: Option<Meter>,
}

type ClientBody = Pin<Box<dyn Body<Data = Bytes, Error = BoxError> + Send>>;

/// How far the sending of a request has come.
#[derive(Debug)]
pub(crate) struct Sent {
    begin: Instant,
    /// From the beginning to the last piece, in nanoseconds.
    last_piece: AtomicU64,
    /// Whether a piece of it was taken: then it can't be sent again.
    has_begun: AtomicBool,
    is_over: AtomicBool,
    /// Whether the client has not sent the next piece yet, or broke off.
    waits_for_client: AtomicBool,
}

/// Neither the client nor S3 moves.
#[derive(Debug)]
pub(crate) struct Stalled {
    pub(super) limit: Duration,
}

// === impl Upload ===

impl Upload {
    pub(crate) fn new<B>(body: B) -> Self
    where
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let (left, is_over) = (body.size_hint().exact(), body.is_end_stream());
        let sent = Sent::new(is_over);
        let body = Box::pin(http_body_util::BodyExt::map_err(body, Into::into));
        Self { body: Mutex::new(body), left, sent: Arc::new(sent), meter: None }
    }

    /// Counts its bytes.
    pub(in crate::origin) fn measure(&mut self, meter: &Meter) {
        self.meter = Some(meter.clone());
    }

    pub(crate) fn sent(&self) -> Arc<Sent> {
        Arc::clone(&self.sent)
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        let body = this.body.get_mut().unwrap_or_else(PoisonError::into_inner);
        let polled = body.as_mut().poll_frame(cx);
        let is_of_client = !matches!(&polled, Poll::Ready(None | Some(Ok(_))));
        this.sent.waits_for_client.store(is_of_client, Relaxed);
        let frame = ready!(polled);
        if let (Some(left), Some(Ok(frame))) = (&mut this.left, &frame) {
            *left = left.saturating_sub(frame.data_ref().map_or(0, |data| data.len() as u64));
        }
        if let (Some(meter), Some(Ok(frame))) = (&this.meter, &frame) {
            meter.sent_to_s3(frame.data_ref().map_or(0, Bytes::len));
        }
        this.sent.note(frame.is_none() || this.left == Some(0) || body.is_end_stream());
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.sent.is_over.load(Relaxed)
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

// === impl Sent ===

impl Sent {
    fn new(is_over: bool) -> Self {
        Self {
            begin: Instant::now(),
            last_piece: AtomicU64::new(0),
            has_begun: AtomicBool::new(false),
            is_over: AtomicBool::new(is_over),
            waits_for_client: AtomicBool::new(false),
        }
    }

    fn note(&self, is_over: bool) {
        let nanos = u64::try_from(self.begin.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.last_piece.store(nanos, Relaxed);
        self.has_begun.store(true, Relaxed);
        if is_over {
            self.is_over.store(true, Release);
        }
    }

    /// Whether all of it was handed over, and only the response is waited for.
    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Acquire)
    }

    /// Whether it is the client that does not go on.
    pub(super) fn waits_for_client(&self) -> bool {
        self.waits_for_client.load(Relaxed)
    }

    /// Whether nothing of the body was taken.
    pub(super) fn is_untouched(&self) -> bool {
        !self.has_begun.load(Relaxed)
    }

    /// The later of the last piece and this moment.
    pub(super) fn last_move(&self, since: Instant) -> Instant {
        since.max(self.begin + Duration::from_nanos(self.last_piece.load(Relaxed)))
    }
}

impl std::fmt::Display for Stalled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "nothing moved for {:?}", self.limit)
    }
}

impl std::error::Error for Stalled {}
