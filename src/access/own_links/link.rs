use std::{
    fmt,
    net::{AddrParseError, IpAddr},
    time::Duration,
};

use ipnet::IpNet;

/// What a link of the proxy's own opens, and for how long.
///
/// ```
/// use std::time::Duration;
///
/// use tower_s3_proxy::access::OwnLink;
///
/// let folder = OwnLink::to("films/a/").lasts(Duration::from_secs(4 * 3600)).network("192.0.2.0/24");
/// let one_object = OwnLink::to("films/b.mp4");
/// # let _ = (folder, one_object);
/// ```
#[must_use = "it is no link before `Mount::own_link`"]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnLink {
    pub(super) prefix: String,
    pub(super) life: Duration,
    pub(super) network: Option<String>,
}

/// Why there is no such link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnLinkError(pub(crate) OwnLinkFault);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum OwnLinkFault {
    NoKeys,
    Prefix(String),
    Life,
    Network(String),
}

// === impl OwnLink ===

impl OwnLink {
    /// A link to what is below this prefix, which ends with a slash, or to the one object of this key. Both are as a path below
    /// the mount names them, decoded: without the mount's own prefix, and with the bucket if the path names it. `/` is
    /// everything. It lasts an hour.
    pub fn to(prefix: impl Into<String>) -> Self {
        Self { prefix: prefix.into(), life: Duration::from_secs(60 * 60), network: None }
    }

    /// How long it opens, in whole seconds.
    pub fn lasts(mut self, life: Duration) -> Self {
        self.life = life;
        self
    }

    /// The network from which it opens, like `192.0.2.0/24`, `2001:db8::/32` or one address: by the
    /// [address of the client](crate::access::ClientAddress), without which it opens nothing.
    pub fn network(mut self, network: impl Into<String>) -> Self {
        self.network = Some(network.into());
        self
    }

    pub(super) fn parse_network(&self) -> Result<Option<IpNet>, OwnLinkError> {
        let Some(text) = &self.network else { return Ok(None) };
        let parsed = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        let invalid = |_: AddrParseError| OwnLinkError(OwnLinkFault::Network(text.clone()));
        parsed.map(|network| Some(network.trunc())).map_err(invalid)
    }
}

// === impl OwnLinkError ===

impl fmt::Display for OwnLinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            OwnLinkFault::NoKeys => f.write_str("the mount has no own links: give it a key (own_links)"),
            OwnLinkFault::Prefix(prefix) => write!(
                f,
                "the prefix {prefix:?}: must be \"/\" for everything, or the key of an object, or end with a slash, without one \
                 in front and without dot segments"
            ),
            OwnLinkFault::Life => {
                f.write_str("the life of a link must be at least a second, and end before the year 2106")
            }
            OwnLinkFault::Network(network) => {
                write!(
                    f,
                    "the network {network:?}: must be like \"192.0.2.0/24\", \"2001:db8::/32\" or an address"
                )
            }
        }
    }
}

impl std::error::Error for OwnLinkError {}
