use http::uri::Scheme;
use tokio_rustls::TlsConnector;

use crate::origin::wire::{
    ConnectTo,
    dial::{Manner, Via},
    proxy::Proxies,
    stream::bare,
};

/// The destination of connections, and how they are read: connections that differ in any of these are not
/// interchangeable.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Host {
    pub(super) scheme: Scheme,
    pub(super) name: String,
    pub(super) port: u16,
    pub(super) connect_to: Option<ConnectTo>,
    pub(super) read_buffer: ReadBuffer,
    pub(super) peer: Peer,
}

/// The read buffer of a connection, which limits how far it reads ahead of the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum ReadBuffer {
    /// Up to 256 KiB while much data comes: an object of 1 MiB takes a tenth less CPU time than with 64 KiB.
    Growing,
    /// Always 64 KiB, for reads that a cache keeps: buffers that grow and shrink leave holes in the allocator's memory.
    /// With them, a process with a cache of 256 MiB took a tenth more.
    Steady,
}

/// Who answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Peer {
    /// AWS: where an answer has no body, none comes.
    Aws,
    Other,
}

// === impl Host ===

impl Host {
    /// The host and port that connections go to, not always the endpoint's own.
    pub(super) fn address(&self) -> (&str, u16) {
        match &self.connect_to {
            Some(connect_to) => connect_to.target(self.port),
            None => (bare(&self.name), self.port),
        }
    }

    /// The proxy in between. Proxies forward requests for plain `http`, and let few ports be tunnelled to: squid and tinyproxy
    /// 443 alone, as they come. But a forwarded request has only one name for its host, which `connect_to` needs two of.
    pub(super) fn via(&self, proxies: &Proxies, tls: Option<&TlsConnector>) -> Option<Via> {
        let proxy = proxies.of(&self.scheme, self.address().0)?.clone();
        let manner = match self.scheme == Scheme::HTTP && self.connect_to.is_none() {
            true => Manner::Forward,
            false => Manner::Tunnel,
        };
        Some(Via { proxy, manner, tls: tls.cloned() })
    }
}
