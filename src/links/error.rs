use std::fmt;

use crate::error::BoxError;

/// Why there is no link.
pub struct PresignError {
    kind: PresignErrorKind,
    message: String,
    source: Option<BoxError>,
}

/// What is in the way of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PresignErrorKind {
    /// The expiry is less than a second: ask for more.
    Expiry,
    /// The key is not below the mount's prefix.
    Key,
    /// The mount does not use the bucket, or has many and the request names none.
    Bucket,
    /// The link would write, and the mount's [policy](super::LinkPolicy::grant) grants that to no link.
    NotGranted,
    /// A value is malformed, or has no meaning for a link of this method.
    Field,
    /// The mount signs nothing, since its bucket is public: the object's URL needs no signature.
    Unsigned,
    /// The mount's objects have a [customer key](crate::MountBuilder::customer_key), which whoever uses a link would need.
    CustomerKey,
    /// There are no credentials, or they expire too soon for a link.
    Credentials,
    /// The bucket has no endpoint, or the key of a CloudFront link does not sign.
    Endpoint,
}

// === impl PresignError ===

impl PresignError {
    /// What is in the way.
    pub fn kind(&self) -> PresignErrorKind {
        self.kind
    }

    pub(crate) fn new(kind: PresignErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    pub(crate) fn caused_by(mut self, source: impl Into<BoxError>) -> Self {
        self.source = Some(source.into());
        self
    }
}

impl fmt::Display for PresignError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// The message, since a `main` that returns the error prints this; `{:#?}` shows the fields.
impl fmt::Debug for PresignError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !f.alternate() {
            return fmt::Display::fmt(self, f);
        }
        f.debug_struct("PresignError")
            .field("kind", &self.kind)
            .field("message", &self.message)
            .field("source", &self.source)
            .finish()
    }
}

impl std::error::Error for PresignError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
