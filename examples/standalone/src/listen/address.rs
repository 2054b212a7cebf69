use std::{
    fmt,
    net::{SocketAddr, ToSocketAddrs},
    path::PathBuf,
    str::FromStr,
};

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ListenAddress {
    Tcp(SocketAddr),
    /// A socket file.
    Unix(PathBuf),
    /// The sockets that systemd hands over, of this name or all.
    Systemd(Option<String>),
}

// === impl ListenAddress ===

impl FromStr for ListenAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match (text, text.strip_prefix("unix:"), text.strip_prefix("systemd:")) {
            ("systemd", ..) => Ok(Self::Systemd(None)),
            (_, _, Some(name)) if !name.is_empty() => Ok(Self::Systemd(Some(name.to_owned()))),
            (_, Some(path), _) if !path.is_empty() => Ok(Self::Unix(path.into())),
            _ => parse_address(text)
                .map(Self::Tcp)
                .map_err(|why| format!("{why}; or unix:PATH, systemd, or systemd:NAME")),
        }
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Systemd(None) => f.write_str("systemd"),
            Self::Systemd(Some(name)) => write!(f, "systemd:{name}"),
        }
    }
}

/// An address to listen on: `127.0.0.1:8080`, `localhost:8080`, or `:8080` for every IPv4 address of the machine.
pub(crate) fn parse_address(text: &str) -> Result<SocketAddr, String> {
    let named = match text.strip_prefix(':') {
        Some(port) => format!("0.0.0.0:{port}"),
        None => text.to_owned(),
    };
    let malformed = || "give ADDRESS:PORT, like 127.0.0.1:8080".to_owned();
    let (host, port) = named.rsplit_once(':').ok_or_else(malformed)?;
    if host.is_empty() || port.parse::<u16>().is_err() {
        return Err(malformed());
    }
    let mut found: Vec<_> = match named.to_socket_addrs() {
        Ok(found) => found.collect(),
        Err(why) => return Err(format!("{host:?} has no address ({why}): {}", malformed())),
    };
    // Of `localhost` resolvers name ::1 first, also where containers have no IPv6.
    found.sort_by_key(SocketAddr::is_ipv6);
    found.first().copied().ok_or_else(malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_are_addresses_files_or_systemd_s() {
        for (text, shown) in [
            (":8090", Some("0.0.0.0:8090")),
            ("[::]:443", Some("[::]:443")),
            ("unix:/run/proxy.sock", Some("unix:/run/proxy.sock")),
            ("unix:proxy.sock", Some("unix:proxy.sock")),
            ("systemd", Some("systemd")),
            ("systemd:https", Some("systemd:https")),
            ("unix:", None),
            ("systemd:", None),
            ("8080", None),
        ] {
            match (text.parse::<ListenAddress>(), shown) {
                (Ok(parsed), Some(shown)) => assert_eq!(parsed.to_string(), shown, "{text}"),
                (Err(why), None) => {
                    assert!(why.contains("unix:PATH, systemd, or systemd:NAME"), "{text}: {why}");
                }
                (parsed, shown) => panic!("{text:?}: {parsed:?}, not {shown:?}"),
            }
        }
    }

    #[test]
    fn an_address_has_a_port_and_perhaps_a_host() {
        for (text, address) in [
            ("127.0.0.1:8080", Some("127.0.0.1:8080")),
            ("[::1]:8080", Some("[::1]:8080")),
            ("localhost:8091", Some("127.0.0.1:8091")),
            (":8090", Some("0.0.0.0:8090")),
            ("127.0.0.1:0", Some("127.0.0.1:0")),
            ("127.0.0.1", None),
            ("8080", None),
            (":", None),
            ("", None),
            ("127.0.0.1:", None),
            ("127.0.0.1:http", None),
            ("127.0.0.1:65536", None),
            ("::1", None),
            ("http://127.0.0.1:8080", None),
        ] {
            match (parse_address(text), address) {
                (Ok(parsed), Some(address)) => assert_eq!(parsed.to_string(), address, "{text}"),
                (Err(why), None) => {
                    assert!(why.contains("give ADDRESS:PORT, like 127.0.0.1:8080"), "{text}: {why}");
                }
                (parsed, address) => panic!("{text:?}: {parsed:?}, not {address:?}"),
            }
        }
    }
}
