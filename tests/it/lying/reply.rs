use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::StatusCode;
use tokio::{io::AsyncWriteExt, net::TcpStream};

/// An answer, with all that is wrong about it.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) fields: Vec<(String, String)>,
    pub(super) body: Bytes,
    pub(super) framing: Framing,
    pub(super) ending: Ending,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    Length,
    Chunked,
    ChunkedBeside(usize),
    UntilClose,
    Coded(&'static str),
    /// No length and no body: 304, or a HEAD that says less than it could.
    Nothing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Clean,
    Surplus,
    /// After that many bytes of the body.
    Closed(usize),
    Reset(usize),
}

/// What becomes of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Connection {
    Kept,
    Closed,
}

// === impl Reply ===

impl Reply {
    pub(super) fn new(status: u16, body: impl Into<Bytes>) -> Self {
        let (framing, ending) = (Framing::Length, Ending::Clean);
        Self { status, fields: Vec::new(), body: body.into(), framing, ending }
    }

    pub(super) fn say(&mut self, name: &str, value: impl Into<String>) {
        self.fields.push((name.to_owned(), value.into()));
    }

    pub(super) fn unsay(&mut self, name: &str) {
        self.fields.retain(|(other, _)| other != name);
    }

    /// Writes it out, as far as it goes; `sent` counts the bytes of the body.
    pub(super) async fn write(
        self,
        stream: &mut TcpStream,
        is_head: bool,
        sent: &AtomicU64,
    ) -> std::io::Result<Connection> {
        let mut out = self.head();
        let is_chunked = matches!(self.framing, Framing::Chunked | Framing::ChunkedBeside(_));
        let has_body = !is_head && self.framing != Framing::Nothing;
        let (cut, is_cut) = match self.ending {
            Ending::Closed(at) | Ending::Reset(at) if has_body => (at.min(self.body.len()), true),
            Ending::Clean | Ending::Surplus | Ending::Closed(_) | Ending::Reset(_) => {
                (self.body.len(), false)
            }
        };
        if has_body {
            // One write for the head and the first piece, so that nothing in between gives a reader time to act.
            for piece in self.body[..cut].chunks(PIECE) {
                if is_chunked {
                    out.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
                }
                out.extend_from_slice(piece);
                if is_chunked {
                    out.extend_from_slice(b"\r\n");
                }
                if out.len() >= PIECE {
                    stream.write_all(&out).await?;
                    out.clear();
                }
                sent.fetch_add(piece.len() as u64, Ordering::Relaxed);
            }
            if is_chunked && !is_cut {
                out.extend_from_slice(b"0\r\n\r\n");
            }
        }
        if self.ending == Ending::Surplus {
            out.extend_from_slice(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil");
        }
        stream.write_all(&out).await?;
        if let Ending::Reset(_) = self.ending {
            stream.set_zero_linger()?;
        }
        let closes = is_cut || matches!(self.framing, Framing::UntilClose | Framing::Coded(_));
        Ok(if closes { Connection::Closed } else { Connection::Kept })
    }

    fn head(&self) -> Vec<u8> {
        let reason = StatusCode::from_u16(self.status).unwrap().canonical_reason().unwrap_or("Odd");
        let mut head = format!("HTTP/1.1 {} {reason}\r\n", self.status);
        for (name, value) in &self.fields {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        match self.framing {
            Framing::Length => head.push_str(&format!("content-length: {}\r\n", self.body.len())),
            Framing::Chunked => head.push_str("transfer-encoding: chunked\r\n"),
            Framing::ChunkedBeside(length) => {
                head.push_str(&format!("transfer-encoding: chunked\r\ncontent-length: {length}\r\n"));
            }
            Framing::UntilClose => head.push_str("connection: close\r\n"),
            Framing::Coded(coding) => {
                head.push_str(&format!("transfer-encoding: {coding}\r\nconnection: close\r\n"));
            }
            Framing::Nothing => {}
        }
        head.push_str("\r\n");
        head.into_bytes()
    }
}

const PIECE: usize = 64 * 1024;
