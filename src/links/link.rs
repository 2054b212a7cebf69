use std::{
    fmt,
    time::{Duration, SystemTime},
};

use http::{HeaderName, HeaderValue};

/// A link: a URL that is answered until it expires, whoever has it.
///
/// `Debug` output does not show the query, which has the signature.
#[derive(Clone, PartialEq, Eq)]
pub struct PresignedUrl {
    pub(crate) url: String,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) expires_at: SystemTime,
    pub(crate) bounded_by: BoundedBy,
    /// The end of the time for which equal requests get this link.
    pub(crate) renewed_at: SystemTime,
}

/// What bounds the life of a link: the least of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BoundedBy {
    /// The expiry that was asked for.
    Request,
    /// The [longest life](super::LinkPolicy::longest) by the mount's policy.
    Policy,
    /// The seven days for which S3 accepts a signature in a URL.
    Signature,
    /// The life that the credentials have left.
    Credentials,
}

// === impl PresignedUrl ===

impl PresignedUrl {
    /// The URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The fields that a request by this link must have, each with this very value, besides `Host`: none for GET and HEAD.
    pub fn headers(&self) -> &[(HeaderName, HeaderValue)] {
        &self.headers
    }

    /// When it expires, by S3's clock.
    pub fn expires_at(&self) -> SystemTime {
        self.expires_at
    }

    /// What bounds its life.
    pub fn bounded_by(&self) -> BoundedBy {
        self.bounded_by
    }

    /// How long others can keep the link to hand it out again: as long as the mount itself does, so that nobody is left with
    /// less of its life than the [policy](super::LinkPolicy::renew_below) says.
    pub(crate) fn fresh_for(&self, now: SystemTime) -> Duration {
        self.renewed_at.duration_since(now).unwrap_or_default()
    }
}

/// The `Cache-Control` of a response that has a link: it is for its client alone, and ends before the link does.
pub(crate) fn private_for(life: Duration) -> HeaderValue {
    let value = format!("private, max-age={}", life.as_secs());
    HeaderValue::try_from(value).expect("it is visible ASCII")
}

impl fmt::Debug for PresignedUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.url.split_once('?').map_or(self.url.as_str(), |(shown, _)| shown);
        f.debug_struct("PresignedUrl")
            .field("url", &shown)
            .field("expires_at", &self.expires_at)
            .field("bounded_by", &self.bounded_by)
            .finish_non_exhaustive()
    }
}

// === impl BoundedBy ===

impl BoundedBy {
    /// A word for machines, stable across releases.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Policy => "policy",
            Self::Signature => "signature",
            Self::Credentials => "credentials",
        }
    }
}

impl fmt::Display for BoundedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
