use std::{
    fmt,
    net::IpAddr,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use hmac::{Hmac, KeyInit, Mac};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::Sha256;

use super::{
    LinkKey, OwnLink, OwnLinkError,
    link::OwnLinkFault,
    token::{Code, Terms, Token},
};
use crate::object::{MAX_KEY_BYTES, has_dot_segment};

/// The keys of a mount's links. Clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Keyring(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// Invariant: at least one, each with an id of its own.
    keys: Vec<LinkKey>,
    place: Place,
}

/// What a link is for, besides a prefix: it opens nothing else.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) host: String,
    /// Of the mount.
    pub(crate) path: String,
    /// Empty where the path names it.
    pub(crate) bucket: String,
    /// Of the mount's keys.
    pub(crate) prefix: String,
    /// Which of several forms an object is stored in is no other object: `.br`, say.
    pub(crate) suffixes: Vec<&'static str>,
}

/// Why a link does not open. Its holder is not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shut {
    Malformed,
    UnknownKey,
    /// It was made for another place, or by nobody who has the key.
    Forged,
    Expired,
    /// The object is not below the prefix.
    Outside,
    /// The client is elsewhere, or nobody knows where.
    Network,
}

// === impl Keyring ===

impl Keyring {
    pub(super) fn new(keys: Vec<LinkKey>, place: Place) -> Self {
        Self(Arc::new(Shared { keys, place }))
    }

    /// The token of a link, and the prefix as a path has it.
    pub(crate) fn sign(&self, link: &OwnLink, now: SystemTime) -> Result<(String, String), OwnLinkError> {
        let prefix = parse_prefix(&link.prefix)?;
        let network = link.parse_network()?;
        let life = || OwnLinkError(OwnLinkFault::Life);
        let expires = now.checked_add(link.life).filter(|_| link.life.as_secs() > 0).ok_or_else(life)?;
        let expires = u32::try_from(seconds(expires)).map_err(|_| life())?;
        let invalid = || OwnLinkError(OwnLinkFault::Prefix(link.prefix.clone()));
        let terms = Terms { expires, prefix: u16::try_from(prefix.len()).map_err(|_| invalid())?, network };
        // Invariant: there is one.
        let key = self.0.keys.first().ok_or(OwnLinkError(OwnLinkFault::NoKeys))?;
        let code = self.mac(key, &terms, prefix).finalize().into_bytes();
        let code: Code = code.first_chunk().copied().unwrap_or_default();
        let token = Token { id: &key.id, terms, code };
        Ok((token.to_text(), utf8_percent_encode(prefix, IN_PATH).to_string()))
    }

    /// Whether a token opens an object, by its key below the mount.
    pub(crate) fn open(
        &self,
        token: &str,
        name: &str,
        client: Option<IpAddr>,
        now: SystemTime,
    ) -> Result<(), Shut> {
        let token = Token::parse(token).ok_or(Shut::Malformed)?;
        let key = self.0.keys.iter().find(|key| key.id == token.id).ok_or(Shut::UnknownKey)?;
        let prefix = name.get(..usize::from(token.terms.prefix)).ok_or(Shut::Outside)?;
        // In constant time.
        let mac = self.mac(key, &token.terms, prefix);
        mac.verify_truncated_left(&token.code).map_err(|_| Shut::Forged)?;
        if seconds(now) >= u64::from(token.terms.expires) {
            return Err(Shut::Expired);
        }
        if !self.covers(prefix, name) {
            return Err(Shut::Outside);
        }
        match token.terms.network {
            Some(network) if !client.is_some_and(|client| network.contains(&client.to_canonical())) => {
                Err(Shut::Network)
            }
            Some(_) | None => Ok(()),
        }
    }

    /// A prefix of a folder is for what is below it, and every other for one object.
    fn covers(&self, prefix: &str, name: &str) -> bool {
        let Some(rest) = name.strip_prefix(prefix) else { return false };
        prefix.is_empty() || prefix.ends_with('/') || rest.is_empty() || self.0.place.suffixes.contains(&rest)
    }

    /// With each length in front, no two links have the same bytes.
    fn mac(&self, key: &LinkKey, terms: &Terms, prefix: &str) -> Hmac<Sha256> {
        let Place { host, path, bucket, prefix: keys, .. } = &self.0.place;
        // Invariant: HMAC takes a key of any length.
        let mut mac = <Hmac<Sha256>>::new_from_slice(key.secret.as_bytes()).expect("a key of any length");
        let terms = terms.to_bytes();
        for part in
            [KIND, key.id.as_bytes(), host.as_bytes(), path.as_bytes(), bucket.as_bytes(), keys.as_bytes()]
                .into_iter()
                .chain([terms.as_slice(), prefix.as_bytes()])
        {
            mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            mac.update(part);
        }
        mac
    }
}

/// The secret may sign other things elsewhere.
const KIND: &[u8] = b"tower-s3-proxy own link 1";

/// Slashes are slashes.
const IN_PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

fn seconds(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn parse_prefix(prefix: &str) -> Result<&str, OwnLinkError> {
    if prefix == "/" {
        return Ok("");
    }
    let proper = (1..=MAX_KEY_BYTES).contains(&prefix.len())
        && !prefix.starts_with('/')
        && !prefix.contains('\0')
        && !has_dot_segment(prefix);
    if proper { Ok(prefix) } else { Err(OwnLinkError(OwnLinkFault::Prefix(prefix.to_owned()))) }
}

// === impl Shut ===

impl fmt::Display for Shut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "no token",
            Self::UnknownKey => "a key that the mount does not have",
            Self::Forged => "a code that the key did not make for this",
            Self::Expired => "expired",
            Self::Outside => "another object",
            Self::Network => "another network",
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn place(path: &str) -> Place {
        Place {
            host: String::new(),
            path: path.to_owned(),
            bucket: "media".to_owned(),
            prefix: String::new(),
            suffixes: vec![".br"],
        }
    }

    fn keyring(keys: &[(&str, &str)], place: Place) -> Keyring {
        Keyring::new(keys.iter().map(|(id, secret)| LinkKey::new(*id, *secret)).collect(), place)
    }

    fn now() -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(2_000_000_000)
    }

    const ONE: (&str, &str) = ("one", "0123456789abcdef");
    const TWO: (&str, &str) = ("two", "fedcba9876543210");

    #[test]
    fn a_link_opens_what_is_below_its_prefix_and_nothing_else() {
        let keys = keyring(&[ONE], place("/"));
        for (prefix, name, expected) in [
            ("films/a/", "films/a/index.m3u8", Ok(())),
            ("films/a/", "films/a/", Ok(())),
            ("films/a/", "films/a/b/c", Ok(())),
            ("films/a/", "films/a", Err(Shut::Outside)),
            ("films/a/", "films/ab/c", Err(Shut::Forged)),
            ("films/a/", "films/b/index.m3u8", Err(Shut::Forged)),
            ("films/a/", "", Err(Shut::Outside)),
            ("/", "anything", Ok(())),
            ("/", "", Ok(())),
            ("films/a", "films/a", Ok(())),
            ("films/a", "films/a.br", Ok(())),
            ("films/a", "films/a.gz", Err(Shut::Outside)),
            ("films/a", "films/a/b", Err(Shut::Outside)),
            ("films/a", "films/ab", Err(Shut::Outside)),
            ("fílms/", "fílms/a", Ok(())),
            // The length of the prefix ends within a character.
            ("films/", "filmsü/a", Err(Shut::Outside)),
        ] {
            let (token, _) = keys.sign(&OwnLink::to(prefix), now()).unwrap();
            assert_eq!(keys.open(&token, name, None, now()), expected, "{prefix} {name}");
        }
    }

    #[test]
    fn a_link_is_for_its_place_its_time_and_its_keys() {
        let keys = keyring(&[ONE, TWO], place("/media"));
        let (token, path) = keys.sign(&OwnLink::to("a b/ü/").lasts(Duration::from_secs(60)), now()).unwrap();
        assert_eq!(path, "a%20b/%C3%BC/");
        let open =
            |keys: &Keyring, at: u64| keys.open(&token, "a b/ü/x", None, now() + Duration::from_secs(at));
        assert_eq!(open(&keys, 0), Ok(()));
        assert_eq!(open(&keys, 59), Ok(()));
        assert_eq!(open(&keys, 60), Err(Shut::Expired));
        let host = Place { host: "b.test".to_owned(), ..place("/media") };
        let bucket = Place { bucket: "other".to_owned(), ..place("/media") };
        let prefix = Place { prefix: "x/".to_owned(), ..place("/media") };
        for (keys, expected) in [
            (keyring(&[TWO, ONE], place("/media")), Ok(())),
            (keyring(&[TWO], place("/media")), Err(Shut::UnknownKey)),
            (keyring(&[("one", "another secret of 16")], place("/media")), Err(Shut::Forged)),
            (keyring(&[ONE], place("/other")), Err(Shut::Forged)),
            (keyring(&[ONE], host), Err(Shut::Forged)),
            (keyring(&[ONE], bucket), Err(Shut::Forged)),
            (keyring(&[ONE], prefix), Err(Shut::Forged)),
        ] {
            assert_eq!(open(&keys, 0), expected, "{keys:?}");
        }
    }

    #[test]
    fn no_bit_of_a_token_can_be_changed() {
        let keys = keyring(&[ONE], place("/"));
        let link = OwnLink::to("a/").network("192.0.2.0/24");
        let (token, _) = keys.sign(&link, now()).unwrap();
        let client = Some("192.0.2.7".parse().unwrap());
        assert_eq!(keys.open(&token, "a/b", client, now()), Ok(()));
        for at in 0..token.len() {
            for other in ["A", "B", "-", "9", "."] {
                let mut changed = token.clone();
                changed.replace_range(at..=at, other);
                if changed != token {
                    assert!(keys.open(&changed, "a/b", client, now()).is_err(), "{at} {other}");
                }
            }
        }
    }

    #[test]
    fn a_link_opens_from_its_network() {
        let keys = keyring(&[ONE], place("/"));
        for (network, client, expected) in [
            ("192.0.2.0/24", Some("192.0.2.7"), Ok(())),
            ("192.0.2.0/24", Some("::ffff:192.0.2.7"), Ok(())),
            ("192.0.2.9/24", Some("192.0.2.7"), Ok(())),
            ("192.0.2.0/24", Some("192.0.3.7"), Err(Shut::Network)),
            ("192.0.2.0/24", Some("2001:db8::1"), Err(Shut::Network)),
            ("192.0.2.0/24", None, Err(Shut::Network)),
            ("192.0.2.7", Some("192.0.2.7"), Ok(())),
            ("192.0.2.7", Some("192.0.2.8"), Err(Shut::Network)),
            ("2001:db8::/33", Some("2001:db8:7fff::1"), Ok(())),
            ("2001:db8::/33", Some("2001:db8:8000::1"), Err(Shut::Network)),
            ("0.0.0.0/0", Some("192.0.2.7"), Ok(())),
        ] {
            let (token, _) = keys.sign(&OwnLink::to("/").network(network), now()).unwrap();
            let client = client.map(|client| client.parse().unwrap());
            assert_eq!(keys.open(&token, "a", client, now()), expected, "{network} {client:?}");
        }
    }

    #[test]
    fn a_link_that_could_not_open_is_not_made() {
        let keys = keyring(&[ONE], place("/"));
        for (link, hint) in [
            (OwnLink::to(""), "the prefix \"\""),
            (OwnLink::to("/films/"), "without one in front"),
            (OwnLink::to("films/../"), "dot segments"),
            (OwnLink::to("x".repeat(1025)), "the prefix"),
            (OwnLink::to("a").lasts(Duration::from_millis(999)), "at least a second"),
            (OwnLink::to("a").lasts(Duration::from_secs(1 << 40)), "before the year 2106"),
            (OwnLink::to("a").lasts(Duration::MAX), "before the year 2106"),
            (OwnLink::to("a").network("studio"), "the network \"studio\""),
            (OwnLink::to("a").network("192.0.2.0/33"), "the network"),
        ] {
            let why = keys.sign(&link, now()).unwrap_err().to_string();
            assert!(why.contains(hint), "{why}");
        }
    }
}
