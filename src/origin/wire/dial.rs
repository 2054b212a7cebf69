//! From the name of a host to a connection: its addresses, and which of them answers first.

mod addresses;
mod avoided;
mod error;
mod race;
mod socket;
mod tunnel;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use http::uri::Authority;
use tokio::{
    net::{TcpStream, lookup_host},
    time::{Instant, timeout_at},
};
use tokio_rustls::{TlsConnector, client::TlsStream};

pub(super) use self::avoided::Avoided;
pub(crate) use self::error::DialError;
use self::{addresses::order, error::TunnelFault, race::race, tunnel::tunnel};
use super::{
    proxy::{Proxy, Security, bracketed},
    stream::server_name,
};

/// Connects to one host.
pub(super) struct Dialer {
    host: String,
    port: u16,
    via: Option<Via>,
    settings: DialSettings,
    avoided: Arc<Avoided>,
    names: Names,
}

/// A proxy in between.
pub(super) struct Via {
    pub(super) proxy: Proxy,
    pub(super) manner: Manner,
    /// For a proxy that is spoken to by TLS.
    pub(super) tls: Option<TlsConnector>,
}

/// What a proxy is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// A connection to the host, by CONNECT.
    Tunnel,
    /// The answer to each request.
    Forward,
}

#[derive(Debug, Clone)]
pub(crate) struct DialSettings {
    /// DNS and TCP, over all addresses, and whatever a proxy takes to connect.
    pub(crate) connect_timeout: Duration,
    /// How long a connection is silent before TCP asks whether the other side is there. Zero: it never asks.
    pub(crate) tcp_keep_alive: Duration,
    /// How long the other side may leave what was sent without an acknowledgement. Zero: as long as the system lets it.
    pub(crate) tcp_user_timeout: Duration,
}

/// A connection on which a host, or a proxy that stands for it, takes bytes.
pub(crate) struct Line {
    pub(super) io: LineIo,
    /// The address at the other end of TCP: the proxy's, if there is one.
    pub(crate) peer: SocketAddr,
}

pub(super) enum LineIo {
    Tcp(TcpStream),
    /// To a proxy.
    Tls(Box<TlsStream<TcpStream>>),
}

/// What the addresses of a host come from.
enum Names {
    /// The operating system, which keeps them as long as it sees fit.
    System,
    #[cfg(test)]
    Known(Vec<SocketAddr>),
}

// === impl Dialer ===

impl Dialer {
    pub(super) fn new(
        (host, port): (&str, u16),
        via: Option<Via>,
        settings: DialSettings,
        avoided: Arc<Avoided>,
    ) -> Self {
        Self { host: host.to_owned(), port, via, settings, avoided, names: Names::System }
    }

    /// With addresses that DNS need not know.
    #[cfg(test)]
    pub(super) fn knowing(self, addresses: Vec<SocketAddr>) -> Self {
        Self { names: Names::Known(addresses), ..self }
    }

    /// The host and port that are dialled: those of the proxy, if there is one.
    pub(super) fn target(&self) -> (&str, u16) {
        match &self.via {
            Some(Via { proxy, .. }) => (&proxy.host, proxy.port),
            None => (&self.host, self.port),
        }
    }

    /// Connects to the address that answers first, within the limit.
    pub(super) async fn connect(&self) -> Result<Line, DialError> {
        let limit = self.settings.connect_timeout;
        let deadline = Instant::now() + limit;
        let found =
            timeout_at(deadline, self.look_up()).await.map_err(|_| DialError::NoAddressInTime(limit))?;
        self.reach(found.map_err(DialError::LookUp)?, deadline).await
    }

    pub(super) async fn look_up(&self) -> io::Result<Vec<SocketAddr>> {
        match &self.names {
            Names::System => Ok(lookup_host(self.target()).await?.collect()),
            #[cfg(test)]
            Names::Known(addresses) => Ok(addresses.clone()),
        }
    }

    /// Connects to one of these addresses, which are the host's or its proxy's.
    async fn reach(&self, found: Vec<SocketAddr>, deadline: Instant) -> Result<Line, DialError> {
        let limit = self.settings.connect_timeout;
        let (tcp, peer) = race(&self.in_order(found), deadline, limit, &self.avoided).await?;
        socket::set_up(&tcp, &self.settings);
        let Some(via) = &self.via else { return Ok(Line { io: LineIo::Tcp(tcp), peer }) };
        let asked = match timeout_at(deadline, self.ask(via, tcp)).await {
            Ok(asked) => asked,
            Err(_) => Err(TunnelFault::Silent(limit)),
        };
        match asked {
            Ok(io) => Ok(Line { io, peer }),
            Err(why) => Err(DialError::Tunnel(via.proxy.to_string(), why)),
        }
    }

    /// Has the proxy make the connection its host's.
    async fn ask(&self, via: &Via, tcp: TcpStream) -> Result<LineIo, TunnelFault> {
        let Via { proxy, manner, tls } = via;
        let host = format!("{}:{}", bracketed(&self.host), self.port);
        let host = Authority::try_from(host).map_err(|_| TunnelFault::Confused)?;
        match (proxy.security, tls) {
            (Security::Plain, _) => Ok(LineIo::Tcp(match manner {
                Manner::Tunnel => tunnel(tcp, proxy, &host).await?,
                Manner::Forward => tcp,
            })),
            (Security::Tls, None) => Err(TunnelFault::Confused),
            (Security::Tls, Some(tls)) => {
                let name = server_name(&proxy.host).map_err(|_| TunnelFault::Confused)?;
                let secured = Box::new(tls.connect(name, tcp).await.map_err(TunnelFault::Tls)?);
                Ok(LineIo::Tls(match manner {
                    Manner::Tunnel => tunnel(secured, proxy, &host).await?,
                    Manner::Forward => secured,
                }))
            }
        }
    }

    fn in_order(&self, found: Vec<SocketAddr>) -> Vec<SocketAddr> {
        let avoided = self.avoided.now();
        order(found, |address| avoided.since(address), &mut fastrand::Rng::new())
    }

    /// Connects to one of these addresses, within the limit.
    #[cfg(feature = "diagnosis")]
    pub(super) async fn connect_to(&self, found: Vec<SocketAddr>) -> Result<Line, DialError> {
        self.reach(found, Instant::now() + self.settings.connect_timeout).await
    }

    #[cfg(feature = "diagnosis")]
    pub(super) fn proxy(&self) -> Option<&Proxy> {
        self.via.as_ref().map(|via| &via.proxy)
    }

    /// Tries the address after the others for a while.
    pub(super) fn avoid(&self, address: SocketAddr) {
        self.avoided.add(address);
    }

    #[cfg(test)]
    pub(super) fn avoids(&self, address: &SocketAddr) -> bool {
        self.avoided.now().since(address).is_some()
    }
}

#[cfg(test)]
mod tests;
