//! The body of an object on its way out.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use tokio::fs::File;
use tokio::io::{AsyncRead, ReadBuf};

use crate::object::length;

/// How much goes out in one frame.
const CHUNK: usize = 256 * 1024;

/// Slices of what is in memory (no copy), or reads from an open file.
#[derive(Debug)]
pub(crate) struct ObjectBody {
    source: Source,
    /// What is still to come, by the length that was promised.
    remaining: u64,
    cut: Cut,
}

#[derive(Debug)]
enum Source {
    Memory(Bytes),
    File { file: File, buffer: BytesMut },
}

/// Whether the body breaks off, see [`Store::break_off`](crate::Store::break_off).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    Never,
    After(u64),
    /// Everything is sent; one more turn lets the connection flush it before it breaks.
    Flushing,
    Due,
}

// === impl ObjectBody ===

impl ObjectBody {
    pub(crate) fn memory(bytes: Bytes) -> Self {
        let remaining = length(&bytes);
        Self { source: Source::Memory(bytes), remaining, cut: Cut::Never }
    }

    /// The file stands at the first byte to send.
    pub(crate) fn file(file: File, len: u64) -> Self {
        Self { source: Source::File { file, buffer: BytesMut::new() }, remaining: len, cut: Cut::Never }
    }

    pub(crate) fn break_off_after(mut self, after: Option<u64>) -> Self {
        if let Some(after) = after {
            self.cut = Cut::After(after);
        }
        self
    }

    fn most(&self) -> usize {
        let most = match self.cut {
            Cut::After(left) => self.remaining.min(left),
            Cut::Never | Cut::Flushing | Cut::Due => self.remaining,
        };
        usize::try_from(most).unwrap_or(usize::MAX).min(CHUNK)
    }
}

impl Body for ObjectBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let this = &mut *self;
        match this.cut {
            Cut::Never => {}
            Cut::After(0) => {
                this.cut = Cut::Flushing;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Cut::After(_) => {}
            Cut::Flushing => {
                this.cut = Cut::Due;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Cut::Due => return Poll::Ready(Some(Err(io::ErrorKind::ConnectionReset.into()))),
        }
        if this.remaining == 0 {
            return Poll::Ready(None);
        }
        let most = this.most();
        let data = match &mut this.source {
            Source::Memory(bytes) => bytes.split_to(most),
            Source::File { file, buffer } => ready!(poll_read(file, buffer, most, cx))?,
        };
        let sent = length(&data);
        this.remaining -= sent;
        if let Cut::After(left) = &mut this.cut {
            *left -= sent;
        }
        Poll::Ready(Some(Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        self.remaining == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.remaining)
    }
}

fn poll_read(
    file: &mut File,
    buffer: &mut BytesMut,
    most: usize,
    cx: &mut Context<'_>,
) -> Poll<io::Result<Bytes>> {
    buffer.resize(most, 0);
    let mut target = ReadBuf::new(buffer);
    ready!(Pin::new(file).poll_read(cx, &mut target))?;
    let filled = target.filled().len();
    if filled == 0 {
        // Shorter than its metadata said: the length is promised, so this cannot end well.
        return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
    }
    Poll::Ready(Ok(buffer.split_to(filled).freeze()))
}
