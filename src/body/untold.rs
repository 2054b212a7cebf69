use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::rest::{Broken, Reopen};
use crate::{
    error::BoxError,
    origin::{Pace, WireBody},
};

/// An object whose length S3 does not tell. Its framing shows whether it came whole; the rest of it can't be asked for.
pub(crate) struct UntoldBody {
    body: WireBody,
    object: Arc<dyn Reopen>,
    /// In bytes.
    passed: u64,
}

// === impl UntoldBody ===

impl UntoldBody {
    pub(crate) fn new(body: WireBody, object: Arc<dyn Reopen>) -> Self {
        Self { body, object, passed: 0 }
    }

    pub(super) fn poll_frame(
        &mut self,
        pace: Pace,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Poll::Ready(match ready!(self.body.poll_at(pace, cx)) {
            Some(Ok(frame)) => {
                self.passed += frame.data_ref().map_or(0, |data| data.len() as u64);
                // Trailers are fields of S3 that no policy has let through; they end a body.
                Some(frame).filter(Frame::is_data).map(Ok)
            }
            Some(Err(why)) => {
                let broken = Broken { at: self.passed, breaks: 1, why, asked: None };
                Some(Err(self.object.broke_off(broken)))
            }
            None => None,
        })
    }

    pub(super) fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl fmt::Debug for UntoldBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UntoldBody").field("passed", &self.passed).finish_non_exhaustive()
    }
}
