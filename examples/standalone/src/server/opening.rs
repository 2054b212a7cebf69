use std::{
    fmt,
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::server::TlsStream;

use super::{
    activity::Activity,
    detect::{FirstBytes, Protocol, Undetected, detect, within},
    flood::Flood,
    limits::{Limits, Timeouts},
    linger::Closing,
    socket::{Socket, delegate_io},
    stream::ClientStream,
};
use crate::tls::{HTTP2, Tls};

/// A connection whose protocol is known, in the clear.
///
/// One type for both: all that answers a request exists once, however the client has come.
pub(crate) enum Opened {
    Plain(ClientStream),
    /// Boxed: it is large, and a connection without TLS has no room for it.
    Tls(Box<TlsStream<ClientStream>>),
}

/// Why a connection was not opened.
#[derive(Debug)]
pub(crate) enum Unopened {
    Undetected(Undetected),
    /// The TLS handshake failed.
    Handshake(io::Error),
    /// It did not end in time.
    SlowHandshake,
}

/// How a connection is opened.
pub(crate) struct Opening<'a> {
    pub(crate) tls: Option<&'a Tls>,
    pub(crate) limits: &'a Limits,
    /// Those of its seat.
    pub(crate) timeouts: &'a Timeouts,
    pub(crate) activity: &'a Arc<Activity>,
}

// === impl Opening ===

impl Opening<'_> {
    /// Finds out what is spoken: by the first bytes, or by what the TLS handshake agreed upon (ALPN).
    pub(crate) async fn open(&self, socket: Socket) -> Result<(Protocol, Opened), Unopened> {
        match self.tls {
            None => self.open_plain(socket).await.map_err(Unopened::Undetected),
            Some(tls) => Box::pin(self.open_tls(tls, socket)).await,
        }
    }

    async fn open_plain(&self, mut socket: Socket) -> Result<(Protocol, Opened), Undetected> {
        let (protocol, first) = detect(&mut socket, self.timeouts).await?;
        let mut stream = ClientStream::new(socket, first, Arc::clone(self.activity));
        self.bound(&mut stream, protocol);
        Ok((protocol, Opened::Plain(stream)))
    }

    async fn open_tls(&self, tls: &Tls, socket: Socket) -> Result<(Protocol, Opened), Unopened> {
        let readable = within(self.timeouts.first_byte, Undetected::Silent, socket.readable());
        readable.await.map_err(Unopened::Undetected)?;
        let stream = ClientStream::new(socket, FirstBytes::default(), Arc::clone(self.activity));
        let handshake = tokio::time::timeout(self.timeouts.header, tls.acceptor().accept(stream));
        let handshake = handshake.await.map_err(|_| Unopened::SlowHandshake)?;
        let mut stream = handshake.map_err(Unopened::Handshake)?;
        let (socket, session) = stream.get_mut();
        // HTTP/2 over TLS is agreed upon, and not known beforehand (RFC 9113 §3.2).
        let protocol = if session.alpn_protocol() == Some(HTTP2) { Protocol::Http2 } else { Protocol::Http1 };
        self.bound(socket, protocol);
        // The client has sent no part of a request yet.
        self.activity.note_handshake();
        Ok((protocol, Opened::Tls(Box::new(stream))))
    }

    fn bound(&self, stream: &mut ClientStream, protocol: Protocol) {
        let (flood, closing) = match protocol {
            Protocol::Http1 => (Flood::unbounded(), Closing::lingers(self.timeouts)),
            Protocol::Http2 => (Flood::new(self.limits.header_size), Closing::AtOnce),
        };
        stream.bound(flood, closing);
    }
}

delegate_io!(Opened { Plain, Tls });

// === impl Unopened ===

impl fmt::Display for Unopened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Undetected(Undetected::Silent) => f.write_str("no byte within --first-byte-timeout"),
            Self::Undetected(Undetected::Unfinished) => {
                f.write_str("no end of the HTTP/2 preface within --header-timeout")
            }
            Self::Undetected(Undetected::Gone(error)) => write!(f, "{error}"),
            Self::Handshake(error) => write!(f, "TLS handshake: {error}"),
            Self::SlowHandshake => f.write_str("no end of the TLS handshake within --header-timeout"),
        }
    }
}
