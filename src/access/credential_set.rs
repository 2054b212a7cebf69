use std::{fmt, str::FromStr, sync::Arc};

use crate::credentials::CredentialsSource;

/// Credentials of a mount besides its own, for the requests that a [selector](crate::access::CredentialSelector) or an
/// [authorizer](crate::access::Authorizer) assigns to them: one set for each tenant, say.
///
/// The cache keeps objects that were read with them apart from all others, so that nobody gets what S3 would have
/// denied to them.
///
/// ```
/// use tower_s3_proxy::{access::CredentialSet, credentials::Credentials};
///
/// let keys = Credentials::new("AKIDEXAMPLE", "not-a-secret", None, None, "example");
/// let acme = CredentialSet::new("acme".parse()?, keys);
/// assert_eq!(acme.name().as_str(), "acme");
/// # Ok::<(), tower_s3_proxy::access::InvalidCredentialSetName>(())
/// ```
#[derive(Debug, Clone)]
pub struct CredentialSet {
    pub(crate) name: CredentialSetName,
    pub(crate) source: CredentialsSource,
    pub(crate) cache: CacheShare,
}

/// The name of a [`CredentialSet`]: 1 to 128 visible ASCII characters.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct CredentialSetName(Arc<str>);

/// A text that can't be a [`CredentialSetName`].
#[derive(Clone, PartialEq, Eq)]
pub struct InvalidCredentialSetName(Box<str>);

/// The part of the cache that belongs to a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CacheShare {
    Own,
    /// The part of the mount's own credentials.
    Mount,
}

// === impl CredentialSet ===

impl CredentialSet {
    /// Credentials under a name.
    pub fn new(name: CredentialSetName, source: impl Into<CredentialsSource>) -> Self {
        Self { name, source: source.into(), cache: CacheShare::Own }
    }

    /// Shares the cache's objects with the mount's own credentials, and with the other sets that do so. Only for
    /// credentials to which S3 allows the same objects: each serves what another of them has read.
    #[must_use]
    pub fn share_cache(mut self) -> Self {
        self.cache = CacheShare::Mount;
        self
    }

    /// The name that selectors and authorizers use.
    pub fn name(&self) -> &CredentialSetName {
        &self.name
    }
}

// === impl CredentialSetName ===

impl CredentialSetName {
    /// Takes a name.
    ///
    /// # Errors
    ///
    /// [`InvalidCredentialSetName`] if it is empty, longer than 128 bytes, or has characters other than visible ASCII.
    pub fn parse(name: impl Into<String>) -> Result<Self, InvalidCredentialSetName> {
        let name = name.into();
        let is_name = (1..=128).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic());
        if is_name { Ok(Self(name.into())) } else { Err(InvalidCredentialSetName(name.into())) }
    }

    /// The name as given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for CredentialSetName {
    type Err = InvalidCredentialSetName;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::parse(name)
    }
}

impl fmt::Display for CredentialSetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for CredentialSetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

// === impl InvalidCredentialSetName ===

impl fmt::Display for InvalidCredentialSetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a credential set's name must be 1 to 128 visible ASCII characters")
    }
}

/// With the rule, since a `main` that returns the error prints this.
impl fmt::Debug for InvalidCredentialSetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InvalidCredentialSetName({:?}: {self})", self.0)
    }
}

impl std::error::Error for InvalidCredentialSetName {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_visible() {
        for (name, is_name) in [
            ("acme", true),
            ("arn:aws:iam::123456789012:role/acme", true),
            (&"x".repeat(128), true),
            ("", false),
            ("a b", false),
            ("ümlaut", false),
            ("a\n", false),
            (&"x".repeat(129), false),
        ] {
            assert_eq!(CredentialSetName::parse(name).is_ok(), is_name, "{name:?}");
        }
    }
}
