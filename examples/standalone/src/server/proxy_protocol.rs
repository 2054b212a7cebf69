use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
};

use ppp::v2::{Addresses, Command, Header, ParseError};
use tokio::io::AsyncReadExt;

use super::socket::Socket;

/// Why a connection does not say whose it is.
#[derive(Debug)]
pub(crate) enum NoHeader {
    /// It begins with something else.
    Malformed(ParseError),
    TooLong(usize),
    Gone(io::Error),
}

/// Up to the length of what follows.
const FIXED: usize = 16;

/// In bytes, the fixed part included. Addresses take 232 at most; the rest is for what proxies add, like names of TLS.
const LONGEST: usize = 4096;

/// Reads the header of the PROXY protocol, version 2, and not a byte more. Returns the address of the client, unless the proxy
/// speaks for itself, as in its health checks.
///
/// See <https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt>, section 2.2.
pub(crate) async fn read(socket: &mut Socket) -> Result<Option<IpAddr>, NoHeader> {
    let mut header = vec![0; FIXED];
    socket.read_exact(&mut header).await.map_err(NoHeader::Gone)?;
    let missing = match Header::try_from(&*header) {
        Ok(_) => 0,
        Err(ParseError::Partial(_, length)) => length,
        Err(why) => return Err(NoHeader::Malformed(why)),
    };
    if FIXED + missing > LONGEST {
        return Err(NoHeader::TooLong(FIXED + missing));
    }
    header.resize(FIXED + missing, 0);
    socket.read_exact(header.get_mut(FIXED..).unwrap_or_default()).await.map_err(NoHeader::Gone)?;
    let header = Header::try_from(&*header).map_err(NoHeader::Malformed)?;
    Ok(match (header.command, &header.addresses) {
        (Command::Proxy, Addresses::IPv4(addresses)) => {
            Some(SocketAddr::from((addresses.source_address, addresses.source_port)).ip())
        }
        (Command::Proxy, Addresses::IPv6(addresses)) => Some(addresses.source_address.into()),
        (Command::Proxy, Addresses::Unix(_) | Addresses::Unspecified) | (Command::Local, _) => None,
    })
}

// === impl NoHeader ===

impl fmt::Display for NoHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(why) => write!(f, "no header of the PROXY protocol, version 2: {why}"),
            Self::TooLong(bytes) => write!(f, "a header of the PROXY protocol with {bytes} bytes"),
            Self::Gone(why) => write!(f, "no whole header of the PROXY protocol: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use ppp::v2::{Builder, IPv4, IPv6, Protocol, Type, Version};
    use tokio::{io::AsyncWriteExt, net::UnixStream};

    use super::*;

    fn header(command: Command, addresses: impl Into<Addresses>) -> Builder {
        Builder::with_addresses(Version::Two | command, Protocol::Stream, addresses)
    }

    /// The address, or `Err`, and what is left to be read.
    async fn told(sent: &[u8]) -> (Result<Option<IpAddr>, String>, Vec<u8>) {
        let (mut proxy, ours) = UnixStream::pair().unwrap();
        let sent = sent.to_vec();
        tokio::spawn(async move { proxy.write_all(&sent).await });
        let mut socket = Socket::Unix(ours);
        let told = read(&mut socket).await.map_err(|why| why.to_string());
        let mut rest = Vec::new();
        let _ = socket.read_to_end(&mut rest).await;
        (told, rest)
    }

    #[tokio::test]
    async fn the_header_names_the_client_and_the_rest_is_the_request_s() {
        let v4 = || IPv4::new([192, 0, 2, 7], [192, 0, 2, 1], 40000, 443);
        let v6 = IPv6::new(Ipv6Addr::from_bits(7), Ipv6Addr::LOCALHOST, 40000, 443);
        let with_tlv = || header(Command::Proxy, v4()).write_tlv(Type::Authority, b"media.example");
        let rows = [
            (header(Command::Proxy, v4()).build(), Ok(Some(IpAddr::from(Ipv4Addr::new(192, 0, 2, 7))))),
            (header(Command::Proxy, v6).build(), Ok(Some(Ipv6Addr::from_bits(7).into()))),
            (with_tlv().unwrap().build(), Ok(Some(Ipv4Addr::new(192, 0, 2, 7).into()))),
            (header(Command::Local, v4()).build(), Ok(None)),
            (header(Command::Proxy, Addresses::Unspecified).build(), Ok(None)),
        ];
        for (header, address) in rows {
            let (told, rest) = told(&[&header.unwrap()[..], b"GET / HTTP/1.1\r\n"].concat()).await;
            assert_eq!(told, address);
            assert_eq!(rest, b"GET / HTTP/1.1\r\n");
        }
    }

    #[tokio::test]
    async fn what_is_no_header_is_refused() {
        let good = header(Command::Proxy, IPv4::new([192, 0, 2, 7], [192, 0, 2, 1], 1, 2)).build().unwrap();
        let mut long = good.clone();
        long[14..16].copy_from_slice(&u16::MAX.to_be_bytes());
        let mut version = good.clone();
        version[12] = 0x31;
        for (sent, hint) in [
            (&b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..], "no header of the PROXY protocol"),
            (b"PROXY TCP4 192.0.2.7 192.0.2.1 1 2\r\n", "no header of the PROXY protocol"),
            (&version, "no header of the PROXY protocol"),
            (&good[..10], "no whole header"),
            (&good[..20], "no whole header"),
            (&long, "65551 bytes"),
        ] {
            let (told, _) = told(sent).await;
            assert!(told.as_ref().is_err_and(|why| why.contains(hint)), "{told:?}");
        }
    }
}
