use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::BufMut;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{
    activity::Activity,
    detect::FirstBytes,
    flood::Flood,
    linger::{Closing, Linger},
    socket::Socket,
};

/// The connection of a client, which notes what is read and written.
#[derive(Debug)]
pub(crate) struct ClientStream {
    socket: Socket,
    first: FirstBytes,
    activity: Arc<Activity>,
    flood: Flood,
    closing: Closing,
    /// Once it is shut down.
    linger: Option<Linger>,
    /// As in `activity`, which is only written when it changes.
    is_blocked: bool,
}

/// What one system call reads of an upload, in bytes. With more each upload holds more, for no less time; with 64 KiB one of
/// 1 MiB took a fifth more.
const READ: usize = 128 * 1024;

// === impl ClientStream ===

impl ClientStream {
    /// Reads these bytes first, and then what the connection has.
    pub(crate) fn new(socket: Socket, first: FirstBytes, activity: Arc<Activity>) -> Self {
        activity.note_read(first.unread().len());
        let (flood, closing) = (Flood::unbounded(), Closing::AtOnce);
        Self { socket, first, activity, flood, closing, linger: None, is_blocked: false }
    }

    /// Once it is known what is spoken.
    pub(crate) fn bound(&mut self, flood: Flood, closing: Closing) {
        (self.flood, self.closing) = (flood, closing);
    }

    fn write(
        &mut self,
        ask_kernel: impl FnOnce(&Socket) -> io::Result<usize>,
        poll: impl FnOnce(Pin<&mut Socket>) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        let written = match self.is_blocked && self.activity.take_probe() {
            true => match ask_kernel(&self.socket) {
                // To be woken when the socket is ready.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => poll(Pin::new(&mut self.socket)),
                written => Poll::Ready(written),
            },
            false => poll(Pin::new(&mut self.socket)),
        };
        if self.is_blocked != written.is_pending() {
            self.is_blocked = written.is_pending();
            self.activity.set_blocked(self.is_blocked);
        }
        if let Poll::Ready(Ok(bytes)) = written {
            self.activity.note_written(bytes);
            self.flood.wrote(bytes);
        }
        written
    }
}

impl ClientStream {
    /// Reads no more than [`READ`], however much room there is.
    fn poll_read_some(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.socket.poll_read_ready(cx))?;
            match self.socket.try_read_buf(&mut buffer.limit(READ)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return Poll::Ready(read.map(drop)),
            }
        }
    }
}

impl AsyncRead for ClientStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let me = &mut *self;
        if me.first.read_into(buffer) > 0 {
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        match buffer.remaining() > READ {
            true => ready!(me.poll_read_some(cx, buffer))?,
            false => ready!(Pin::new(&mut me.socket).poll_read(cx, buffer))?,
        }
        let read = buffer.filled().len() - before;
        me.activity.note_read(read);
        me.flood.read(read, || me.activity.seen().requests.begun())?;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for ClientStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.write(|socket| SockRef::from(socket).send(bytes), |socket| socket.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.write(
            |socket| SockRef::from(socket).send_vectored(slices),
            |socket| socket.poll_write_vectored(cx, slices),
        )
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let me = &mut *self;
        if me.linger.is_none() {
            ready!(Pin::new(&mut me.socket).poll_shutdown(cx))?;
        }
        match me.closing {
            Closing::Lingers(time) if me.activity.seen().expects_more() => {
                me.linger.get_or_insert_with(|| Linger::new(time)).poll(&mut me.socket, cx).map(Ok)
            }
            Closing::Lingers(_) | Closing::AtOnce => Poll::Ready(Ok(())),
        }
    }
}

impl Drop for ClientStream {
    fn drop(&mut self) {
        // Else the kernel kept what nobody takes, up to megabytes, and offered it for minutes.
        if self.activity.is_reset() {
            self.socket.set_zero_linger();
        }
    }
}
