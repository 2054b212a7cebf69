use std::{
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

use http::{HeaderMap, HeaderName, header::FORWARDED};
use ipnet::IpNet;

/// The proxies in front whose word counts about the addresses of their clients, and the field that they give it in.
#[derive(Debug, Clone, Default)]
pub(crate) struct TrustedProxies {
    pub(crate) networks: Vec<TrustedProxy>,
    pub(crate) field: AddressField,
}

/// Where the requests of a connection come from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin {
    /// The other end, unless that is one of a Unix socket.
    pub(crate) peer: Option<IpAddr>,
    /// Whether it is a proxy whose word counts.
    pub(crate) is_trusted: bool,
}

/// Proxies whose word counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TrustedProxy {
    Network(IpNet),
    /// Those that connect over Unix sockets.
    Unix,
}

/// The field that names clients. Only one is read: a proxy that writes one passes on what its clients write into the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum AddressField {
    #[default]
    XForwardedFor,
    /// RFC 7239
    Forwarded,
}

// === impl TrustedProxies ===

impl TrustedProxies {
    /// Whether the other end of a connection is such a proxy; without an address it is that of a Unix socket.
    pub(crate) fn trust(&self, peer: Option<IpAddr>) -> bool {
        self.networks.iter().any(|trusted| match (trusted, peer) {
            (TrustedProxy::Network(network), Some(peer)) => network.contains(&peer.to_canonical()),
            (TrustedProxy::Unix, None) => true,
            (TrustedProxy::Network(_), None) | (TrustedProxy::Unix, Some(_)) => false,
        })
    }

    /// The address that a request over a proxy comes from: the last in the field that is not one of a proxy's. What stands
    /// before it is the word of clients.
    pub(crate) fn client(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> Option<IpAddr> {
        let name = match self.field {
            AddressField::XForwardedFor => X_FORWARDED_FOR,
            AddressField::Forwarded => FORWARDED,
        };
        let lines: Vec<&str> =
            headers.get_all(name).iter().map(|line| line.to_str().unwrap_or_default()).collect();
        let mut known = peer;
        for element in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
            let address = match self.field {
                AddressField::XForwardedFor => address_of(element),
                AddressField::Forwarded => for_parameter(element).and_then(address_of),
            };
            // Who is hidden (`unknown`, `_name`), or malformed, is not known better than the proxy before it.
            let Some(address) = address else { break };
            known = Some(address);
            if !self.trust(known) {
                break;
            }
        }
        known
    }
}

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The value of `for` in an element (RFC 7239 §4). A comma or a semicolon in quotes is in no address.
fn for_parameter(element: &str) -> Option<&str> {
    element.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then(|| value.trim().trim_matches('"'))
    })
}

/// An address, with or without a port, and that of IPv6 in brackets or without.
fn address_of(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address = IpAddr::from_str(bare).ok();
    address
        .or_else(|| SocketAddr::from_str(text).ok().map(|address| address.ip()))
        .map(|address| address.to_canonical())
}

// === impl TrustedProxy ===

impl FromStr for TrustedProxy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "unix" {
            return Ok(Self::Unix);
        }
        let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        network
            .map(|network| Self::Network(network.trunc()))
            .map_err(|_| "give a network like 10.0.0.0/8, an address, or unix".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(field: AddressField, peer: Option<&str>, lines: &[&str]) -> String {
        let networks = ["10.0.0.0/8", "2001:db8:1::/48", "unix"].map(|text| text.parse().unwrap());
        let proxies = TrustedProxies { networks: networks.to_vec(), field };
        let mut headers = HeaderMap::new();
        for line in lines {
            let name = match field {
                AddressField::XForwardedFor => "x-forwarded-for",
                AddressField::Forwarded => "forwarded",
            };
            headers.append(name, line.parse().unwrap());
        }
        let peer = peer.map(|peer| peer.parse().unwrap());
        proxies.client(peer, &headers).map_or_else(|| "unix".to_owned(), |address| address.to_string())
    }

    #[test]
    fn the_last_address_that_is_no_proxy_s_is_the_client_s() {
        use AddressField::{Forwarded, XForwardedFor};

        let proxy = Some("10.0.0.1");
        for (field, peer, lines, expected) in [
            (XForwardedFor, proxy, &[][..], "10.0.0.1"),
            (XForwardedFor, proxy, &["192.0.2.7"], "192.0.2.7"),
            (XForwardedFor, proxy, &["198.51.100.1, 192.0.2.7"], "192.0.2.7"),
            (XForwardedFor, proxy, &["198.51.100.1", "192.0.2.7, 10.0.0.2"], "192.0.2.7"),
            (XForwardedFor, proxy, &["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
            (XForwardedFor, proxy, &["192.0.2.7:4711"], "192.0.2.7"),
            (XForwardedFor, proxy, &["2001:db8::7"], "2001:db8::7"),
            (XForwardedFor, proxy, &["[2001:db8::7]:4711"], "2001:db8::7"),
            (XForwardedFor, proxy, &["::ffff:192.0.2.7"], "192.0.2.7"),
            (XForwardedFor, proxy, &["192.0.2.7, unknown"], "10.0.0.1"),
            (XForwardedFor, proxy, &["192.0.2.7, , 10.0.0.2"], "10.0.0.2"),
            (XForwardedFor, proxy, &["localhost"], "10.0.0.1"),
            (XForwardedFor, None, &[], "unix"),
            (XForwardedFor, None, &["192.0.2.7"], "192.0.2.7"),
            (Forwarded, proxy, &["for=192.0.2.7;proto=https"], "192.0.2.7"),
            (Forwarded, proxy, &["for=198.51.100.1, For=\"192.0.2.7:80\""], "192.0.2.7"),
            (Forwarded, proxy, &["proto=https;for=\"[2001:db8::7]:4711\""], "2001:db8::7"),
            (Forwarded, proxy, &["for=192.0.2.7, for=10.0.0.2"], "192.0.2.7"),
            (Forwarded, proxy, &["for=_hidden"], "10.0.0.1"),
            (Forwarded, proxy, &["by=192.0.2.7"], "10.0.0.1"),
        ] {
            assert_eq!(client(field, peer, lines), expected, "{field:?} {lines:?}");
        }
    }

    #[test]
    fn proxies_are_networks_addresses_or_unix_sockets() {
        for (text, peer, is_trusted) in [
            ("10.0.0.0/8", Some("10.200.0.1"), true),
            ("10.1.2.3/8", Some("10.200.0.1"), true),
            ("10.0.0.0/8", Some("::ffff:10.0.0.1"), true),
            ("10.0.0.0/8", Some("11.0.0.1"), false),
            ("192.0.2.7", Some("192.0.2.7"), true),
            ("192.0.2.7", Some("192.0.2.8"), false),
            ("2001:db8::/32", Some("2001:db8:7::1"), true),
            ("unix", None, true),
            ("unix", Some("127.0.0.1"), false),
            ("0.0.0.0/0", None, false),
        ] {
            let networks = vec![text.parse().unwrap()];
            let proxies = TrustedProxies { networks, field: AddressField::default() };
            assert_eq!(proxies.trust(peer.map(|peer| peer.parse().unwrap())), is_trusted, "{text} {peer:?}");
        }
        for text in ["", "10.0.0.0/33", "all", "proxy.example"] {
            assert!(text.parse::<TrustedProxy>().unwrap_err().contains("give a network"), "{text}");
        }
    }
}
