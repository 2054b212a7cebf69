use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame};

use crate::{error::BoxError, origin::WireBody};

/// The bytes of an object that a client was promised: no more, and no less without an error.
#[derive(Debug)]
pub(crate) struct Stretch {
    body: WireBody,
    /// What S3 sends before them.
    skip: u64,
    remaining: u64,
}

/// S3 ended the body before it was whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Truncated {
    missing: u64,
}

// === impl Stretch ===

impl Stretch {
    pub(crate) fn new(body: WireBody, skip: u64, length: u64) -> Self {
        Self { body, skip, remaining: length }
    }

    pub(super) fn remaining(&self) -> u64 {
        self.remaining
    }

    pub(super) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        while self.remaining > 0 {
            let Some(frame) = ready!(Pin::new(&mut self.body).poll_frame(cx)).transpose()? else {
                return Poll::Ready(Some(Err(Truncated { missing: self.remaining }.into())));
            };
            // Trailers are fields of S3's that no policy has let through.
            let Ok(mut data) = frame.into_data() else { continue };
            if let Some(rest) = self.skip.checked_sub(data.len() as u64) {
                self.skip = rest;
                continue;
            }
            // Both are less than the frame's length, which is a usize.
            data.advance(usize::try_from(self.skip).unwrap_or(usize::MAX));
            self.skip = 0;
            data.truncate(usize::try_from(self.remaining).unwrap_or(usize::MAX));
            self.remaining -= data.len() as u64;
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        Poll::Ready(None)
    }
}

// === impl Truncated ===

impl fmt::Display for Truncated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the origin ended the object {} bytes early", self.missing)
    }
}

impl std::error::Error for Truncated {}
