use std::net::{SocketAddr, ToSocketAddrs};

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
