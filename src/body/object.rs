use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use super::{ExactBody, MultipartBody, UntoldBody, bounded::BoundedBody, paced::PacedObject};
use crate::{cache::Segments, error::BoxError, origin::Pace};

/// A body that the proxy itself made.
#[derive(Debug, Default)]
pub(crate) enum ObjectBody {
    #[default]
    Empty,
    /// The body of a response to HEAD without a length: no framework must take its emptiness for a length of zero.
    Untold,
    Full(Bytes),
    /// Exactly as much of an object as was promised. Boxed, like others that are large: each layer moves the response that
    /// has it, and most objects that are small come whole with their head.
    Exact(Box<ExactBody>),
    /// An object whose length S3 did not give.
    Unmeasured(Box<UntoldBody>),
    Multipart(Box<MultipartBody>),
    /// From the cache, at least in part.
    Segments(Box<Segments>),
    /// One at the rate of its mount.
    Paced(Box<PacedObject>),
    /// One that could hold much while its client is slow.
    Bounded(Box<BoundedBody>),
    /// One that broke off, until its error is told.
    Broken(Option<BoxError>),
}

// === impl ObjectBody ===

impl ObjectBody {
    /// Exactly as much of an object as was promised. `readable` makes it go on where S3 breaks off, unless all of it has come.
    pub(crate) fn exact(mut body: ExactBody, readable: impl FnOnce(ExactBody) -> ExactBody) -> Self {
        match body.take_whole() {
            Some(whole) => whole.into(),
            None => Self::Exact(Box::new(readable(body))),
        }
    }

    pub(super) fn poll_frame(
        &mut self,
        pace: Pace,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let polled = match self {
            Self::Empty | Self::Untold => Poll::Ready(None),
            Self::Full(bytes) => {
                let bytes = std::mem::take(bytes);
                *self = Self::Empty;
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Self::Exact(body) => body.poll_frame(pace, cx),
            Self::Multipart(body) => body.poll_frame(pace, cx),
            Self::Segments(body) => body.poll_data(pace, cx).map_ok(Frame::data).map_err(Into::into),
            Self::Paced(body) => body.poll_frame(pace, cx),
            Self::Bounded(body) => body.poll_frame(cx),
            Self::Unmeasured(body) => body.poll_frame(pace, cx),
            Self::Broken(error) => return Poll::Ready(error.take().map(Err)),
        };
        if let Poll::Ready(Some(Err(error))) = polled {
            // A server that is told of an error drops the connection with all that it has not yet written, the head of the
            // answer too. So it gets to write first.
            *self = Self::Broken(Some(error));
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        polled
    }

    pub(super) fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty | Self::Untold => true,
            Self::Full(_) => false,
            Self::Exact(body) => body.remaining() == 0,
            Self::Multipart(body) => body.remaining() == 0,
            Self::Segments(body) => body.remaining() == 0,
            Self::Paced(body) => body.is_end_stream(),
            Self::Bounded(body) => body.body().is_end_stream(),
            Self::Unmeasured(body) => body.is_end_stream(),
            Self::Broken(error) => error.is_none(),
        }
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Untold | Self::Broken(_) => SizeHint::default(),
            Self::Exact(body) => SizeHint::with_exact(body.remaining()),
            Self::Multipart(body) => SizeHint::with_exact(body.remaining()),
            Self::Segments(body) => SizeHint::with_exact(body.remaining()),
            Self::Paced(body) => body.size_hint(),
            Self::Bounded(body) => body.body().size_hint(),
            Self::Unmeasured(body) => body.size_hint(),
        }
    }
}

impl From<Bytes> for ObjectBody {
    fn from(bytes: Bytes) -> Self {
        if bytes.is_empty() { Self::Empty } else { Self::Full(bytes) }
    }
}

/// Without a box if it is one piece.
impl From<Segments> for ObjectBody {
    fn from(segments: Segments) -> Self {
        match segments.into_single() {
            Ok(bytes) => bytes.map_or(Self::Empty, Self::Full),
            Err(segments) => Self::Segments(Box::new(segments)),
        }
    }
}
