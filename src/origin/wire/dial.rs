//! From the name of a host to a connection: its addresses, and which of them answers first.

mod addresses;
mod avoided;
mod error;
mod race;
mod socket;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    net::{TcpStream, lookup_host},
    time::{Instant, timeout_at},
};

use self::{addresses::order, race::race};
pub(super) use self::{avoided::Avoided, error::DialError};

/// Connects to one host.
pub(super) struct Dialer {
    host: String,
    port: u16,
    settings: DialSettings,
    avoided: Arc<Avoided>,
    names: Names,
}

#[derive(Debug, Clone)]
pub(crate) struct DialSettings {
    /// DNS and TCP, over all addresses.
    pub(crate) connect_timeout: Duration,
    /// How long a connection is silent before TCP asks whether the other side is there. Zero: it never asks.
    pub(crate) tcp_keep_alive: Duration,
    /// How long the other side may leave what was sent without an acknowledgement. Zero: as long as the system lets it.
    pub(crate) tcp_user_timeout: Duration,
}

/// A TCP connection, and the address at its other end.
pub(super) struct Line {
    pub(super) tcp: TcpStream,
    pub(super) peer: SocketAddr,
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
    pub(super) fn new((host, port): (&str, u16), settings: DialSettings, avoided: Arc<Avoided>) -> Self {
        Self { host: host.to_owned(), port, settings, avoided, names: Names::System }
    }

    /// With addresses that DNS need not know.
    #[cfg(test)]
    pub(super) fn knowing(self, addresses: Vec<SocketAddr>) -> Self {
        Self { names: Names::Known(addresses), ..self }
    }

    /// The host and port that are dialled.
    #[cfg(feature = "diagnosis")]
    pub(super) fn target(&self) -> (&str, u16) {
        (&self.host, self.port)
    }

    /// Connects to the address that answers first, within the limit.
    pub(super) async fn connect(&self) -> Result<Line, DialError> {
        let limit = self.settings.connect_timeout;
        let deadline = Instant::now() + limit;
        let found =
            timeout_at(deadline, self.look_up()).await.map_err(|_| DialError::NoAddressInTime(limit))?;
        let found = found.map_err(DialError::LookUp)?;
        let line = race(&self.in_order(found), deadline, limit, &self.avoided).await?;
        socket::set_up(&line.tcp, &self.settings);
        Ok(line)
    }

    pub(super) async fn look_up(&self) -> io::Result<Vec<SocketAddr>> {
        match &self.names {
            Names::System => Ok(lookup_host((self.host.as_str(), self.port)).await?.collect()),
            #[cfg(test)]
            Names::Known(addresses) => Ok(addresses.clone()),
        }
    }

    fn in_order(&self, found: Vec<SocketAddr>) -> Vec<SocketAddr> {
        let avoided = self.avoided.now();
        order(found, |address| avoided.since(address), &mut fastrand::Rng::new())
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
