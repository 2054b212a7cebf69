//! Links of the proxy's own: a token in the path that opens what is below a prefix for a while.

mod keyring;
mod link;
mod token;

use std::fmt;

pub(crate) use self::keyring::{Keyring, Place};
pub(crate) use self::link::OwnLinkFault;
pub use self::link::{OwnLink, OwnLinkError};
use crate::error::{ConfigError, ConfigErrorKind};

/// Links by which whoever has one reads the objects below a prefix, for a while and without a log-in.
///
/// The token is a segment of the path, `/media/t/TOKEN/films/a/index.m3u8`: what a playlist, a page or a map names relatively
/// is below the same token. [`Mount::own_link`](crate::Mount::own_link) makes them.
///
/// ```
/// use std::time::Duration;
///
/// use tower_s3_proxy::{
///     BucketName, Mount,
///     access::{LinkKey, OwnLink, OwnLinks, Unlinked},
/// };
///
/// let links = OwnLinks::new(LinkKey::new("2031", "a secret of at least 16 bytes")).unlinked(Unlinked::Refused);
/// let mount = Mount::builder(BucketName::parse("studio-media")?)
///     .at("/media")
///     .region("us-west-2")
///     .anonymous()
///     .own_links(links)
///     .build()?;
/// let path = mount.own_link(&OwnLink::to("films/a/").lasts(Duration::from_secs(3600)))?;
/// assert!(path.starts_with("/media/t/2031.") && path.ends_with("/films/a/"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// See the [guide](crate::guide::log_in).
#[must_use = "it has no effect before `MountBuilder::own_links`"]
#[derive(Debug, Clone)]
pub struct OwnLinks {
    segment: String,
    /// The first signs.
    keys: Vec<LinkKey>,
    unlinked: Unlinked,
}

/// A key that signs links, or still opens those that it has signed.
#[derive(Clone)]
pub struct LinkKey {
    id: String,
    secret: String,
}

/// What becomes of requests without a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Unlinked {
    /// They are served to whom the mount's log-in, authorizer or selector lets in. A mount without any is refused: everybody
    /// could do without a link.
    #[default]
    Served,
    /// 403: the mount has nothing but links.
    Refused,
}

// === impl OwnLinks ===

impl OwnLinks {
    /// Links that this key signs.
    pub fn new(key: LinkKey) -> Self {
        Self { segment: "t".to_owned(), keys: vec![key], unlinked: Unlinked::default() }
    }

    /// Adds a key that signs nothing any more, and whose links still open: the one before.
    pub fn key(mut self, key: LinkKey) -> Self {
        self.keys.push(key);
        self
    }

    /// The segment of the path before the token; `t` by default. Keys that begin with it are reached by links alone.
    pub fn segment(mut self, segment: impl Into<String>) -> Self {
        self.segment = segment.into();
        self
    }

    /// What becomes of requests without a link.
    pub fn unlinked(mut self, unlinked: Unlinked) -> Self {
        self.unlinked = unlinked;
        self
    }

    pub(crate) fn answers_unlinked(&self) -> bool {
        self.unlinked == Unlinked::Served
    }

    /// The segment, checked.
    pub(crate) fn parse_segment(&self) -> Result<&str, ConfigError> {
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-_~".contains(&b);
        match (1..=32).contains(&self.segment.len()) && self.segment.bytes().all(is_plain) {
            true => Ok(&self.segment),
            false => {
                let why = "must be 1 to 32 ASCII letters, digits, \"-\", \"_\" and \"~\"";
                Err(ConfigError::invalid("the segment of own links", &self.segment, why))
            }
        }
    }

    pub(crate) fn keyring(&self, place: Place) -> Result<Keyring, ConfigError> {
        for (n, key) in self.keys.iter().enumerate() {
            key.check()?;
            if self.keys.iter().take(n).any(|other| other.id == key.id) {
                let message = format!("two keys of own links have the id {:?}: give each its own", key.id);
                return Err(ConfigError::new(ConfigErrorKind::Contradiction, message));
            }
        }
        Ok(Keyring::new(self.keys.clone(), place))
    }
}

// === impl LinkKey ===

impl LinkKey {
    /// A key by its id, which stands in each token, and its secret: 32 random bytes in any text form, say
    /// `openssl rand -base64 32`.
    pub fn new(id: impl Into<String>, secret: impl Into<String>) -> Self {
        Self { id: id.into(), secret: secret.into() }
    }

    fn check(&self) -> Result<(), ConfigError> {
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-_".contains(&b);
        if !(1..=16).contains(&self.id.len()) || !self.id.bytes().all(is_plain) {
            let why = "must be 1 to 16 ASCII letters, digits, \"-\" and \"_\"";
            return Err(ConfigError::invalid("the id of a key of own links", &self.id, why));
        }
        if self.secret.len() < SHORTEST || self.secret.trim() != self.secret {
            let message = format!(
                "the secret of the key {:?} of own links: give at least {SHORTEST} bytes, without spaces around them, as \
                 `openssl rand -base64 32` makes them",
                self.id
            );
            return Err(ConfigError::new(ConfigErrorKind::InvalidValue, message));
        }
        Ok(())
    }
}

const SHORTEST: usize = 16;

/// Without the secret.
impl fmt::Debug for LinkKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LinkKey").field("id", &self.id).finish_non_exhaustive()
    }
}
