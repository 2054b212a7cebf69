use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};

use super::limits::Timeouts;

/// Whether a connection is read to its end after the last response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Closing {
    AtOnce,
    /// If the client may still send something, for this time at most.
    Lingers(Duration),
}

/// Reads and drops what a client sends after its last response, until it closes the connection, too.
///
/// The kernel resets a connection that is closed while something is unread, or comes later. A client that is still
/// sending its request's body can lose the response by that (RFC 9112 §9.6).
#[derive(Debug)]
pub(crate) struct Linger {
    /// How much can still be read, in bytes.
    left: usize,
    end: Instant,
    alarm: Pin<Box<Sleep>>,
}

/// In bytes. Beyond it the client is told by a reset.
const MOST: usize = 2 * 1024 * 1024;

/// Without a byte from the client.
const SILENCE: Duration = Duration::from_secs(2);

/// What an HTTP/1 client gets to send the rest of a request that was answered before its end.
const LINGER: Duration = Duration::from_secs(10);

// === impl Closing ===

impl Closing {
    pub(crate) fn lingers(timeouts: &Timeouts) -> Self {
        Self::Lingers(LINGER.min(timeouts.idle))
    }
}

// === impl Linger ===

impl Linger {
    /// For this time at most.
    pub(crate) fn new(time: Duration) -> Self {
        let now = Instant::now();
        let end = now + time;
        Self { left: MOST, end, alarm: Box::pin(sleep_until(end.min(now + SILENCE))) }
    }

    /// Waits for the end. The stream has been shut down for writing.
    pub(crate) fn poll(&mut self, stream: &mut (impl AsyncRead + Unpin), cx: &mut Context<'_>) -> Poll<()> {
        let mut buffer = [0; 4096];
        loop {
            let mut buffer = ReadBuf::new(&mut buffer);
            match Pin::new(&mut *stream).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Pending => return self.alarm.as_mut().poll(cx),
            }
            let now = Instant::now();
            self.left = self.left.saturating_sub(buffer.filled().len());
            if buffer.filled().is_empty() || self.left == 0 || now >= self.end {
                return Poll::Ready(());
            }
            self.alarm.as_mut().reset(self.end.min(now + SILENCE));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::{
        io::{AsyncWriteExt, duplex},
        time::sleep,
    };

    use super::*;

    /// How long it lingers, in seconds, if the client sends so many bytes each second.
    async fn lingers(bytes: usize, seconds: usize) -> u64 {
        let (mut client, mut server) = duplex(MOST);
        tokio::spawn(async move {
            for _ in 0..seconds {
                let _ = client.write_all(&vec![0; bytes]).await;
                sleep(Duration::from_secs(1)).await;
            }
            match bytes {
                0 => std::future::pending().await,
                _ => drop(client),
            }
        });
        let begin = Instant::now();
        let mut linger = Linger::new(Duration::from_secs(10));
        poll_fn(|cx| linger.poll(&mut server, cx)).await;
        begin.elapsed().as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_can_send_the_rest_and_not_for_ever() {
        for (bytes, seconds, expected) in
            [(1, 5, 5), (100_000, 5, 5), (1, 1000, 10), (MOST / 4, 1000, 3), (0, 0, 2)]
        {
            assert_eq!(lingers(bytes, seconds).await, expected, "{bytes} bytes a second");
        }
    }
}
