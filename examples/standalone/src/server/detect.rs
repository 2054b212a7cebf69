use std::{io, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt, ReadBuf},
    time,
};

use super::limits::Timeouts;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

/// The first bytes of a connection, which the protocol is told by and which are still to be read.
#[derive(Debug, Default)]
pub(crate) struct FirstBytes {
    bytes: [u8; PREFACE.len()],
    from: usize,
    to: usize,
}

/// Why a connection has no protocol.
#[derive(Debug)]
pub(crate) enum Undetected {
    /// No byte came in time.
    Silent,
    /// What came could have become an HTTP/2 preface, and did not in time.
    Unfinished,
    /// The client has gone.
    Gone(io::Error),
}

/// What an HTTP/2 client sends first (RFC 9113 §3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Reads until the protocol is clear: at the first byte that is not the preface's, or at its end.
pub(crate) async fn detect(
    stream: &mut (impl AsyncRead + Unpin),
    timeouts: &Timeouts,
) -> Result<(Protocol, FirstBytes), Undetected> {
    let mut first = FirstBytes::default();
    within(timeouts.first_byte, Undetected::Silent, first.read_more(stream)).await?;
    let rest = async {
        loop {
            match protocol_of(first.unread()) {
                Some(protocol) => return Ok(protocol),
                None => first.read_more(stream).await?,
            }
        }
    };
    let protocol = within(timeouts.header, Undetected::Unfinished, rest).await?;
    Ok((protocol, first))
}

pub(crate) async fn within<T>(
    timeout: Duration,
    elapsed: Undetected,
    reading: impl Future<Output = io::Result<T>>,
) -> Result<T, Undetected> {
    match time::timeout(timeout, reading).await {
        Ok(read) => read.map_err(Undetected::Gone),
        Err(_) => Err(elapsed),
    }
}

/// The protocol of a connection that begins so, if that is enough to tell.
fn protocol_of(bytes: &[u8]) -> Option<Protocol> {
    match bytes == PREFACE {
        true => Some(Protocol::Http2),
        false => (!PREFACE.starts_with(bytes)).then_some(Protocol::Http1),
    }
}

// === impl FirstBytes ===

impl FirstBytes {
    /// Moves what fits into the buffer. Returns how many bytes that were.
    pub(crate) fn read_into(&mut self, buffer: &mut ReadBuf<'_>) -> usize {
        let unread = self.unread();
        let taken = unread.get(..buffer.remaining()).unwrap_or(unread);
        buffer.put_slice(taken);
        let taken = taken.len();
        self.from += taken;
        taken
    }

    pub(crate) fn unread(&self) -> &[u8] {
        self.bytes.get(self.from..self.to).unwrap_or_default()
    }

    async fn read_more(&mut self, stream: &mut (impl AsyncRead + Unpin)) -> io::Result<()> {
        match stream.read(self.bytes.get_mut(self.to..).unwrap_or_default()).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            read => {
                self.to += read;
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUTS: Timeouts = Timeouts {
        first_byte: Duration::from_secs(10),
        header: Duration::from_secs(30),
        idle: Duration::from_secs(75),
        write: Duration::from_secs(30),
    };

    #[test]
    fn one_byte_that_differs_is_enough() {
        for (bytes, protocol) in [
            (&b""[..], None),
            (b"P", None),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r", None),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Some(Protocol::Http2)),
            (b"PRI * HTTP/1.1\r\n", Some(Protocol::Http1)),
            (b"PUT /a HTTP/1.1\r\n", Some(Protocol::Http1)),
            (b"GET / HTTP/1.1\r\n", Some(Protocol::Http1)),
            (b"\r\nGET / HTTP/1.1", Some(Protocol::Http1)),
        ] {
            assert_eq!(protocol_of(bytes), protocol, "{}", bytes.escape_ascii());
        }
    }

    #[tokio::test]
    async fn what_was_read_is_read_again() {
        let text = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nand frames";
        for piece in [1, 5, 24, text.len()] {
            let (mut client, mut server) = tokio::io::duplex(piece);
            let sending = tokio::spawn(async move {
                let _ = tokio::io::AsyncWriteExt::write_all(&mut client, text).await;
            });
            let (protocol, mut first) = detect(&mut server, &TIMEOUTS).await.unwrap();
            assert_eq!(protocol, Protocol::Http2);
            let mut read = Vec::new();
            loop {
                let mut buffer = [0; 7];
                let mut buffer = ReadBuf::new(&mut buffer);
                match first.read_into(&mut buffer) {
                    0 => break,
                    _ => read.extend_from_slice(buffer.filled()),
                }
            }
            server.read_to_end(&mut read).await.unwrap();
            assert_eq!(read, text, "in pieces of {piece}");
            sending.await.unwrap();
        }
    }
}
