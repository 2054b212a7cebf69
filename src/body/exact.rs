use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use http_body::Frame;

use super::rest::{Breaks, Broken, PartFuture, Reopen, Rest};
use crate::{
    error::BoxError,
    object::State,
    origin::{End, Pace, WireBody},
    request::ByteRange,
};

/// The bytes of an object that a client was promised: no more, and no less without an error.
///
/// If S3 breaks off, the rest is asked for.
pub(crate) struct ExactBody {
    source: Source,
    remaining: u64,
    /// Boxed, since S3's body is usually exact already.
    trim: Option<Box<Trim>>,
    /// `None` if nobody can ask for the rest.
    reader: Option<Reader>,
}

enum Source {
    Open(WireBody),
    /// The rest, after S3 broke off.
    Awaited(PartFuture),
}

/// What the rest is asked for with.
struct Reader {
    object: Arc<dyn Reopen>,
    state: State,
    /// The offset in the object of the last byte that was promised.
    last: u64,
    breaks: Breaks,
}

/// What to trim where it is not.
#[derive(Debug, Default)]
struct Trim {
    /// The number of bytes before the exact ones.
    skip: u64,
    /// The last bytes, held until S3's body has ended after them; `None` if that end need not be awaited.
    held_back: Option<Bytes>,
}

/// S3's body had the wrong length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WrongLength {
    Missing(u64),
    Surplus,
}

// === impl ExactBody ===

impl ExactBody {
    pub(crate) fn new(body: WireBody, skip: u64, length: u64, end: End) -> Self {
        let held_back = match end {
            End::Told => None,
            End::Awaited => Some(Bytes::new()),
        };
        let needs_trim = skip > 0 || held_back.is_some();
        let trim = needs_trim.then(|| Box::new(Trim { skip, held_back }));
        Self { source: Source::Open(body), remaining: length, trim, reader: None }
    }

    /// The same bytes, which end at `last` of this state of the object: if S3 breaks off, the rest is asked for there.
    pub(crate) fn of(self, object: Arc<dyn Reopen>, state: State, last: u64) -> Self {
        Self { reader: Some(Reader { object, state, last, breaks: Breaks::default() }), ..self }
    }

    /// All of the bytes, if they have come already: nothing is left to break off.
    pub(super) fn take_whole(&mut self) -> Option<Bytes> {
        match (&mut self.source, &self.trim) {
            (Source::Open(body), None) => body.take_whole(self.remaining),
            (Source::Open(_), Some(_)) | (Source::Awaited(_), _) => None,
        }
    }

    pub(super) fn remaining(&self) -> u64 {
        self.remaining
    }

    pub(crate) fn poll_frame(
        &mut self,
        pace: Pace,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let polled = ready!(self.poll_bytes(pace, cx));
        if let Some(Err(_)) = &polled {
            // Nothing follows an error.
            self.remaining = 0;
        }
        Poll::Ready(polled.map(|data| data.map(Frame::data)))
    }

    fn poll_bytes(&mut self, pace: Pace, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BoxError>>> {
        while self.remaining > 0 {
            let body = match &mut self.source {
                Source::Open(body) => body,
                Source::Awaited(part) => {
                    let part = ready!(part.as_mut().poll(cx))?;
                    self.go_on(part)?;
                    continue;
                }
            };
            let frame = match ready!(body.poll_at(pace, cx)) {
                Some(Ok(frame)) => frame,
                Some(Err(why)) => {
                    self.reopen(why)?;
                    continue;
                }
                None => match self.end() {
                    Ok(last) => return Poll::Ready(Some(Ok(last))),
                    Err(missing) => {
                        self.reopen(missing.into())?;
                        continue;
                    }
                },
            };
            // Trailers are fields of S3 that no policy has let through.
            let Ok(data) = frame.into_data() else { continue };
            let taken = match &mut self.trim {
                Some(trim) => trim.take(data, self.remaining).map_err(|why| self.broke_off(why.into()))?,
                None => data,
            };
            let data = first(taken, self.remaining);
            if !data.is_empty() {
                self.remaining -= data.len() as u64;
                return Poll::Ready(Some(Ok(data)));
            }
        }
        Poll::Ready(None)
    }

    /// The last bytes, if S3's body ended where it should.
    fn end(&mut self) -> Result<Bytes, WrongLength> {
        let last = self.trim.take().and_then(|trim| trim.held_back).unwrap_or_default();
        match self.remaining - last.len() as u64 {
            0 => {
                self.remaining = 0;
                Ok(last)
            }
            missing => Err(WrongLength::Missing(missing)),
        }
    }

    /// Asks for the rest, if that is possible.
    fn reopen(&mut self, why: BoxError) -> Result<(), BoxError> {
        let remaining = self.remaining;
        let Some(Reader { object, state, last, breaks }) = &mut self.reader else { return Err(why) };
        // Of what was promised, the first of these bytes has not been passed on.
        let first = (*last + 1).checked_sub(remaining);
        let Some(range) = first.and_then(|first| ByteRange::new(first, *last)) else { return Err(why) };
        breaks.add(remaining);
        let rest = Rest { range, state: state.clone(), breaks: *breaks, why };
        self.source = Source::Awaited(Arc::clone(object).reopen(rest));
        Ok(())
    }

    /// The error for a body that is of no use, and of which nothing more is asked for.
    fn broke_off(&self, why: BoxError) -> BoxError {
        let Some(Reader { object, last, breaks, .. }) = &self.reader else { return why };
        let at = (*last + 1).saturating_sub(self.remaining);
        object.broke_off(Broken { at, breaks: breaks.in_all + 1, why, asked: None })
    }

    fn go_on(&mut self, part: Self) -> Result<(), BoxError> {
        if part.remaining != self.remaining {
            return Err(self.broke_off(WrongLength::Missing(self.remaining).into()));
        }
        self.source = part.source;
        self.trim = part.trim;
        Ok(())
    }
}

/// The first bytes, at most this many.
fn first(mut data: Bytes, at_most: u64) -> Bytes {
    data.truncate(usize::try_from(at_most).unwrap_or(usize::MAX));
    data
}

impl fmt::Debug for ExactBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExactBody").field("remaining", &self.remaining).finish_non_exhaustive()
    }
}

// === impl Trim ===

impl Trim {
    /// The part of a frame that can be sent now.
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
            Self::Surplus => f.write_str("the origin sent more than the requested part"),
        }
    }
}

impl std::error::Error for WrongLength {}

#[cfg(test)]
mod tests;
