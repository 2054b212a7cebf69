use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame};

use crate::{
    error::BoxError,
    origin::{End, WireBody},
};

/// The bytes of an object that a client was promised: no more, and no less without an error.
#[derive(Debug)]
pub(crate) struct Stretch {
    body: WireBody,
    remaining: u64,
    /// Boxed: S3's body mostly is the stretch.
    care: Option<Box<Care>>,
}

/// What has to be minded where it is not.
#[derive(Debug, Default)]
struct Care {
    /// So many bytes stand before the stretch.
    skip: u64,
    /// The last bytes, until S3's body has ended behind them; `None` if that need not be awaited.
    held_back: Option<Bytes>,
}

/// S3's body was not as long as it had to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WrongLength {
    Missing(u64),
    Surplus,
}

// === impl Stretch ===

impl Stretch {
    pub(crate) fn new(body: WireBody, skip: u64, length: u64, end: End) -> Self {
        let held_back = match end {
            End::Told => None,
            End::Awaited => Some(Bytes::new()),
        };
        let needs_care = skip > 0 || held_back.is_some();
        let care = needs_care.then(|| Box::new(Care { skip, held_back }));
        Self { body, remaining: length, care }
    }

    pub(super) fn remaining(&self) -> u64 {
        self.remaining
    }

    pub(crate) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        while self.remaining > 0 {
            let frame = ready!(Pin::new(&mut self.body).poll_frame(cx)).transpose()?;
            let Some(frame) = frame else { return Poll::Ready(Some(self.end())) };
            // Trailers are fields of S3's that no policy has let through.
            let Ok(data) = frame.into_data() else { continue };
            let taken = match &mut self.care {
                Some(care) => care.take(data, self.remaining)?,
                None => data,
            };
            let data = first(taken, self.remaining);
            if !data.is_empty() {
                self.remaining -= data.len() as u64;
                return Poll::Ready(Some(Ok(Frame::data(data))));
            }
        }
        Poll::Ready(None)
    }

    /// The last bytes, if S3's body ended where it had to.
    fn end(&mut self) -> Result<Frame<Bytes>, BoxError> {
        let last = self.care.take().and_then(|care| care.held_back).unwrap_or_default();
        match self.remaining - last.len() as u64 {
            0 => {
                self.remaining = 0;
                Ok(Frame::data(last))
            }
            missing => Err(WrongLength::Missing(missing).into()),
        }
    }
}

/// The first of the bytes, at most so many.
fn first(mut data: Bytes, at_most: u64) -> Bytes {
    data.truncate(usize::try_from(at_most).unwrap_or(usize::MAX));
    data
}

// === impl Care ===

impl Care {
    /// What of a frame can be sent now.
    fn take(&mut self, mut data: Bytes, remaining: u64) -> Result<Bytes, WrongLength> {
        let skipped = self.skip.min(data.len() as u64);
        self.skip -= skipped;
        // No more than the frame's length, which is a usize.
        data.advance(usize::try_from(skipped).unwrap_or(usize::MAX));
        let Some(last) = &mut self.held_back else { return Ok(data) };
        let length = data.len() as u64;
        match remaining - last.len() as u64 {
            missing if length > missing => Err(WrongLength::Surplus),
            missing if length == missing && length > 0 => {
                *last = data;
                Ok(Bytes::new())
            }
            _ => Ok(data),
        }
    }
}

// === impl WrongLength ===

impl fmt::Display for WrongLength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(bytes) => write!(f, "the origin ended the object {bytes} bytes early"),
            Self::Surplus => f.write_str("the origin sent more than the part asked for"),
        }
    }
}

impl std::error::Error for WrongLength {}
