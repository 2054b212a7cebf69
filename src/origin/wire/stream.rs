use std::{
    fmt, io,
    net::SocketAddr,
    pin::Pin,
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{self, pki_types::ServerName},
};

use super::{
    dial::LineIo,
    pace::{Pace, SLOW_FRAME, SharedPace},
};

/// The address that connections really go to, while `Host` and SNI still name the endpoint: for a VPC endpoint,
/// PrivateLink or a test server.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct ConnectTo {
    host: String,
    /// The endpoint's own port if none was given.
    port: Option<u16>,
}

/// A connection to an origin, read at the pace of its client.
pub(super) struct Stream {
    io: Io,
    allowance: Arc<Allowance>,
    pace: SharedPace,
}

/// With TLS or without.
enum Io {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    /// Through a proxy that is itself spoken to by TLS.
    TlsInTls(Box<TlsStream<Box<TlsStream<TcpStream>>>>),
}

/// The bytes that a connection may still bring before the head of a response is complete. Without that bound, an origin
/// that sends informational responses without end (RFC 9110 §15.2) would keep a core busy until the time-out.
#[derive(Debug)]
pub(super) struct Allowance(AtomicUsize);

/// More came than heads have.
#[derive(Debug)]
struct TooMuch;

/// The handshake did not end within this limit.
#[derive(Debug)]
struct TlsTimeout(Duration);

// === impl ConnectTo ===

impl ConnectTo {
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// The address to connect to instead of `host:port`.
    pub(super) fn target(&self, port: u16) -> (&str, u16) {
        (&self.host, self.port.unwrap_or(port))
    }
}

impl FromStr for ConnectTo {
    type Err = ();

    /// `host`, `host:port`, `1.2.3.4:port`, `[::1]:port`, or a bare IP address.
    fn from_str(text: &str) -> Result<Self, ()> {
        if let Ok(addr) = text.parse::<SocketAddr>() {
            return Ok(Self { host: addr.ip().to_string(), port: Some(addr.port()) });
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') => (host, Some(port.parse().map_err(|_| ())?)),
            _ => (text, None),
        };
        ServerName::try_from(host).map_err(|_| ())?;
        Ok(Self { host: host.to_owned(), port })
    }
}

impl fmt::Display for ConnectTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.host),
            None => f.write_str(&self.host),
        }
    }
}

// === impl Stream ===

impl Stream {
    pub(super) fn plain(line: LineIo) -> Self {
        Self::new(match line {
            LineIo::Tcp(tcp) => Io::Plain(tcp),
            LineIo::Tls(tls) => Io::Tls(tls),
        })
    }

    pub(super) async fn secured(
        line: LineIo,
        connector: &TlsConnector,
        name: ServerName<'static>,
        limit: Duration,
    ) -> io::Result<Self> {
        let late = |_| io::Error::new(io::ErrorKind::TimedOut, TlsTimeout(limit));
        let handshake = async {
            io::Result::Ok(match line {
                LineIo::Tcp(tcp) => Io::Tls(Box::new(connector.connect(name, tcp).await?)),
                LineIo::Tls(tls) => Io::TlsInTls(Box::new(connector.connect(name, tls).await?)),
            })
        };
        Ok(Self::new(timeout(limit, handshake).await.map_err(late)??))
    }

    /// The version of TLS with the host, if there is TLS.
    #[cfg(feature = "diagnosis")]
    pub(super) fn tls_version(&self) -> Option<rustls::ProtocolVersion> {
        match &self.io {
            Io::Plain(_) => None,
            Io::Tls(tls) => tls.get_ref().1.protocol_version(),
            Io::TlsInTls(tls) => tls.get_ref().1.protocol_version(),
        }
    }

    fn new(io: Io) -> Self {
        let allowance = Arc::new(Allowance(AtomicUsize::new(usize::MAX)));
        Self { io, allowance, pace: SharedPace::default() }
    }

    pub(super) fn allowance(&self) -> Arc<Allowance> {
        Arc::clone(&self.allowance)
    }

    pub(super) fn pace(&self) -> SharedPace {
        self.pace.clone()
    }
}

// === impl Io ===

impl Io {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(io) => Pin::new(io).poll_read(cx, buf),
            Self::Tls(io) => Pin::new(io).poll_read(cx, buf),
            Self::TlsInTls(io) => Pin::new(io).poll_read(cx, buf),
        }
    }

    /// Reads no more than one frame for a slow client.
    fn poll_read_slowly(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut chunk = [0; SLOW_FRAME];
        let at_most = chunk.len().min(buf.remaining());
        let mut part = ReadBuf::new(chunk.get_mut(..at_most).unwrap_or_default());
        ready!(self.poll_read(cx, &mut part))?;
        buf.put_slice(part.filled());
        Poll::Ready(Ok(()))
    }
}

// === impl Allowance ===

impl Allowance {
    /// A head is awaited.
    pub(super) fn limit(&self) {
        self.0.store(MOST_BEFORE_HEAD, Ordering::Relaxed);
    }

    /// It is there.
    pub(super) fn lift(&self) {
        self.0.store(usize::MAX, Ordering::Relaxed);
    }
}

/// In bytes. A head has 256 KiB at most, and up to two buffers of that size can come with it before it is seen to be there.
const MOST_BEFORE_HEAD: usize = 1024 * 1024;

/// The name that SNI carries and the certificate must bear.
pub(super) fn server_name(host: &str) -> Result<ServerName<'static>, rustls::pki_types::InvalidDnsNameError> {
    ServerName::try_from(bare(host).to_owned())
}

/// The host of a URL, without the brackets of an IPv6 address (RFC 3986 §3.2.2).
pub(in crate::origin) fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let left = this.allowance.0.load(Ordering::Relaxed);
        if left == 0 {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, TooMuch)));
        }
        let before = buf.remaining();
        let polled = match this.pace.get() {
            Pace::Full => this.io.poll_read(cx, buf),
            Pace::Slow => this.io.poll_read_slowly(cx, buf),
        };
        this.allowance.0.store(left.saturating_sub(before - buf.remaining()), Ordering::Relaxed);
        polled
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().io {
            Io::Plain(io) => Pin::new(io).poll_write(cx, buf),
            Io::Tls(io) => Pin::new(io).poll_write(cx, buf),
            Io::TlsInTls(io) => Pin::new(io).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().io {
            Io::Plain(io) => Pin::new(io).poll_flush(cx),
            Io::Tls(io) => Pin::new(io).poll_flush(cx),
            Io::TlsInTls(io) => Pin::new(io).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().io {
            Io::Plain(io) => Pin::new(io).poll_shutdown(cx),
            Io::Tls(io) => Pin::new(io).poll_shutdown(cx),
            Io::TlsInTls(io) => Pin::new(io).poll_shutdown(cx),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.io {
            Io::Plain(io) => io.is_write_vectored(),
            Io::Tls(io) => io.is_write_vectored(),
            Io::TlsInTls(io) => io.is_write_vectored(),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().io {
            Io::Plain(io) => Pin::new(io).poll_write_vectored(cx, bufs),
            Io::Tls(io) => Pin::new(io).poll_write_vectored(cx, bufs),
            Io::TlsInTls(io) => Pin::new(io).poll_write_vectored(cx, bufs),
        }
    }
}

// === impl TooMuch ===

impl fmt::Display for TooMuch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "more than {MOST_BEFORE_HEAD} bytes came before the head of a response")
    }
}

impl std::error::Error for TooMuch {}

// === impl TlsTimeout ===

impl fmt::Display for TlsTimeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "timed out: the TLS handshake took more than {:?}", self.0)
    }
}

impl std::error::Error for TlsTimeout {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_address_in_brackets_is_bared() {
        for (host, expected) in [("[::1]", "::1"), ("a.test", "a.test"), ("::1", "::1"), ("[", "[")] {
            assert_eq!(bare(host), expected);
        }
    }

    #[test]
    fn connect_to_takes_hosts_and_addresses() {
        for (text, expected) in [
            ("vpce-1.s3.us-east-1.vpce.amazonaws.com", ("vpce-1.s3.us-east-1.vpce.amazonaws.com", 443)),
            ("localhost:9000", ("localhost", 9000)),
            ("10.0.0.1:9000", ("10.0.0.1", 9000)),
            ("10.0.0.1", ("10.0.0.1", 443)),
            ("[::1]:9000", ("::1", 9000)),
            ("::1", ("::1", 443)),
        ] {
            assert_eq!(text.parse::<ConnectTo>().unwrap().target(443), expected, "{text}");
        }
        for text in ["", "http://x", "x:y", "a b", "x:99999", "x/y"] {
            assert!(text.parse::<ConnectTo>().is_err(), "{text}");
        }
    }
}
