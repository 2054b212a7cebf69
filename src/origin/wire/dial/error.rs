use std::{fmt, io, net::SocketAddr, time::Duration};

use http::StatusCode;

/// Why there is no connection to a host.
#[derive(Debug)]
pub(crate) enum DialError {
    LookUp(io::Error),
    NoAddressInTime(Duration),
    /// DNS knows the name, and no address of it.
    NoAddress,
    /// What the address said that was tried last.
    Refused(SocketAddr, io::Error),
    /// None of so many addresses, this one among them, answered within the limit.
    Unanswered(SocketAddr, usize, Duration),
    /// By this proxy, which has no credentials in its text.
    Tunnel(String, TunnelFault),
}

/// Why a proxy does not connect.
#[derive(Debug)]
pub(crate) enum TunnelFault {
    /// Its answer to CONNECT.
    Refused(StatusCode),
    /// It took longer than all of the connection can.
    Silent(Duration),
    Tls(io::Error),
    Broken(hyper::Error),
    /// It sent what nobody asked for, or the host has no name that can be sent to it.
    Confused,
}

// === impl DialError ===

impl fmt::Display for DialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LookUp(_) => f.write_str("the host's name was not resolved"),
            Self::NoAddressInTime(limit) => {
                write!(f, "timed out: the host's name was not resolved in {limit:?}")
            }
            Self::NoAddress => f.write_str("the host has no address"),
            Self::Refused(address, _) => write!(f, "{address} can't be reached"),
            Self::Unanswered(address, 1, limit) => {
                write!(f, "timed out: {address} did not answer in {limit:?}")
            }
            Self::Unanswered(address, tried, limit) => {
                write!(f, "timed out: none of {tried} addresses answered in {limit:?}, {address} among them")
            }
            Self::Tunnel(proxy, TunnelFault::Refused(StatusCode::PROXY_AUTHENTICATION_REQUIRED)) => {
                write!(f, "the proxy {proxy} wants other credentials than the URL of the proxy has")
            }
            Self::Tunnel(proxy, TunnelFault::Refused(status)) => {
                write!(f, "the proxy {proxy} answered CONNECT with {status}")
            }
            Self::Tunnel(proxy, TunnelFault::Silent(limit)) => {
                write!(f, "timed out: the proxy {proxy} made no connection in {limit:?}")
            }
            Self::Tunnel(proxy, TunnelFault::Tls(_)) => write!(f, "no TLS with the proxy {proxy}"),
            Self::Tunnel(proxy, TunnelFault::Broken(_)) => write!(f, "the proxy {proxy} broke off"),
            Self::Tunnel(proxy, TunnelFault::Confused) => {
                write!(f, "the proxy {proxy} can't be used for this host")
            }
        }
    }
}

impl std::error::Error for DialError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::LookUp(why) | Self::Refused(_, why) => Some(why),
            Self::Tunnel(_, TunnelFault::Tls(why)) => Some(why),
            Self::Tunnel(_, TunnelFault::Broken(why)) => Some(why),
            Self::NoAddressInTime(_)
            | Self::NoAddress
            | Self::Unanswered(..)
            | Self::Tunnel(_, TunnelFault::Refused(_) | TunnelFault::Silent(_) | TunnelFault::Confused) => {
                None
            }
        }
    }
}
