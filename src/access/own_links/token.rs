//! The token of a link, as text. Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use ipnet::IpNet;

/// What a token says. Nothing of it counts before its code is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Terms {
    /// In seconds since 1970.
    pub(super) expires: u32,
    /// Of the prefix, in bytes. The prefix itself is in the path behind the token.
    pub(super) prefix: u16,
    pub(super) network: Option<IpNet>,
}

/// A token: `ID.TERMS-AND-CODE`, the second part in Base64 for URLs.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Token<'t> {
    pub(super) id: &'t str,
    pub(super) terms: Terms,
    pub(super) code: Code,
}

/// Half of an HMAC-SHA-256 (RFC 2104 §5).
pub(super) type Code = [u8; 16];

// === impl Terms ===

impl Terms {
    /// One spelling for each value.
    pub(super) fn to_bytes(self) -> Vec<u8> {
        let (kind, network) = match self.network {
            None => (ANY, Vec::new()),
            Some(IpNet::V4(net)) => (V4, of_network(net.prefix_len(), &net.network().octets())),
            Some(IpNet::V6(net)) => (V6, of_network(net.prefix_len(), &net.network().octets())),
        };
        let mut bytes = vec![kind];
        bytes.extend(self.expires.to_be_bytes());
        bytes.extend(self.prefix.to_be_bytes());
        bytes.extend(network);
        bytes
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let (kind, rest) = bytes.split_first()?;
        let (expires, rest) = rest.split_first_chunk()?;
        let (prefix, rest) = rest.split_first_chunk()?;
        let network = match *kind {
            ANY => None,
            V4 => Some(IpNet::new(IpAddr::V4(Ipv4Addr::from(padded(rest)?)), *rest.first()?).ok()?),
            V6 => Some(IpNet::new(IpAddr::V6(Ipv6Addr::from(padded(rest)?)), *rest.first()?).ok()?),
            _ => return None,
        };
        let terms =
            Self { expires: u32::from_be_bytes(*expires), prefix: u16::from_be_bytes(*prefix), network };
        (terms.to_bytes() == bytes).then_some(terms)
    }
}

const ANY: u8 = 0;
const V4: u8 = 4;
const V6: u8 = 6;

/// The length of the network's prefix, and as many bytes as it covers.
fn of_network(length: u8, octets: &[u8]) -> Vec<u8> {
    let mut bytes = vec![length];
    bytes.extend(octets.iter().take(usize::from(length).div_ceil(8)));
    bytes
}

/// The bytes behind the length, as an address.
fn padded<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
    let mut address = [0; N];
    let given = bytes.get(1..)?;
    address.get_mut(..given.len())?.copy_from_slice(given);
    Some(address)
}

// === impl Token ===

impl<'t> Token<'t> {
    pub(super) fn parse(text: &'t str) -> Option<Self> {
        let (id, rest) = text.split_once('.')?;
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(rest).ok()?;
        let (terms, code) = bytes.split_last_chunk()?;
        Some(Self { id, terms: Terms::parse(terms)?, code: *code })
    }

    pub(super) fn to_text(&self) -> String {
        let mut bytes = self.terms.to_bytes();
        bytes.extend(self.code);
        format!("{}.{}", self.id, BASE64_URL_SAFE_NO_PAD.encode(bytes))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn networks() -> impl Strategy<Value = Option<IpNet>> {
        let v4 = (any::<u32>(), 0..=32u8).prop_map(|(bits, length)| {
            IpNet::new(IpAddr::V4(Ipv4Addr::from_bits(bits)), length).unwrap().trunc()
        });
        let v6 = (any::<u128>(), 0..=128u8).prop_map(|(bits, length)| {
            IpNet::new(IpAddr::V6(Ipv6Addr::from_bits(bits)), length).unwrap().trunc()
        });
        prop_oneof![Just(None), v4.prop_map(Some), v6.prop_map(Some)]
    }

    proptest! {
        #[test]
        fn a_token_is_read_as_it_was_written(expires: u32, prefix: u16, network in networks(), code: Code) {
            let token = Token { id: "k1", terms: Terms { expires, prefix, network }, code };
            let text = token.to_text();
            prop_assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)), "{}", text);
            prop_assert_eq!(Token::parse(&text), Some(token));
        }

        #[test]
        fn what_is_read_has_one_spelling(
            kind in prop::sample::select(vec![ANY, V4, V6, 1]),
            length in 0..=33u8,
            rest in prop::collection::vec(any::<u8>(), 0..8),
        ) {
            let bytes = [&[kind, 0, 0, 0, 1, 0, 8, length][..], &rest, &[7; 16]].concat();
            let text = format!("k1.{}", BASE64_URL_SAFE_NO_PAD.encode(bytes));
            if let Some(token) = Token::parse(&text) {
                prop_assert_eq!(token.to_text(), text);
            }
        }
    }

    #[test]
    fn a_token_is_short() {
        for (network, length) in [(None, 34), (Some("192.0.2.0/24"), 39), (Some("2001:db8::/32"), 41)] {
            let network = network.map(|text| text.parse().unwrap());
            let token = Token { id: "k1", terms: Terms { expires: 1, prefix: 8, network }, code: [7; 16] };
            assert_eq!(token.to_text().len(), length, "{network:?}");
        }
    }

    #[test]
    fn what_is_no_token_is_not_read() {
        let good = Token { id: "k1", terms: Terms { expires: 1, prefix: 8, network: None }, code: [7; 16] };
        let good = good.to_text();
        for text in [
            "",
            ".",
            "k1",
            "k1.",
            "k1.AAAA",
            &good[..good.len() - 1],
            &format!("{good}="),
            &format!("{good}A"),
        ] {
            assert_eq!(Token::parse(text), None, "{text}");
        }
    }
}
