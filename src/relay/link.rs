use std::time::SystemTime;

use http::Method;

use crate::{
    config::{Mount, PresignedPolicy},
    error::ProxyErrorKind,
    object::{BucketName, ObjectKey},
    request::{InvalidSignedUrl, Signature, SignedRequest, SignedUrl},
    route::{BucketSource, KeyMapping, split_bucket},
};

/// A signed URL, and the object of a mount that it names.
#[derive(Debug)]
pub(crate) struct RelayedLink {
    pub(crate) bucket: BucketName,
    pub(crate) key: ObjectKey,
    /// As S3 gets them, and as they were signed.
    pub(crate) path_and_query: String,
    pub(crate) url: SignedUrl,
}

/// Why a signed URL is not passed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LinkRefusal {
    Malformed(InvalidSignedUrl),
    /// Another bucket, region or prefix.
    Foreign(&'static str),
    Expired,
    /// It writes, and the mount lets nobody write.
    Writes,
}

// === impl RelayedLink ===

impl RelayedLink {
    /// The link that a request is, by what follows the mount's path (without the slash) and its query. `None` without a signature.
    pub(crate) fn find(
        mount: &Mount,
        policy: &PresignedPolicy,
        method: &Method,
        rest: &str,
        query: Option<&str>,
    ) -> Result<Option<Self>, LinkRefusal> {
        let Some(url) = SignedUrl::parse(method, query).map_err(LinkRefusal::Malformed)? else {
            return Ok(None);
        };
        if url.asks == SignedRequest::Write && !policy.methods.write() {
            return Err(LinkRefusal::Writes);
        }
        let bucket = match &mount.0.bucket {
            BucketSource::Fixed(name) => name.clone(),
            BucketSource::FromPath(allowed) => {
                split_bucket(allowed, rest).ok_or(LinkRefusal::Foreign("another bucket"))?.0
            }
            // The configuration has none.
            BucketSource::Resolver(_) => return Err(LinkRefusal::Foreign("a bucket without a name")),
        };
        let place =
            mount.0.origin.signed_place(&bucket).map_err(|_| LinkRefusal::Foreign("another bucket"))?;
        let raw_key = match place.base_path.strip_prefix('/') {
            None => Some(rest),
            Some(base) => rest.strip_prefix(base).and_then(|rest| rest.strip_prefix('/')),
        };
        let key = raw_key.and_then(|raw| KeyMapping::default().key(raw).ok());
        let key = key.ok_or(LinkRefusal::Foreign("another bucket, or no key"))?;
        if !key.as_str().starts_with(mount.0.keys.prefix()) {
            return Err(LinkRefusal::Foreign("a key outside of the prefix"));
        }
        if let Signature::V4 { region, service, .. } = &url.signature
            && !place.scope.is(region, service)
        {
            return Err(LinkRefusal::Foreign("another region, or another service than S3"));
        }
        let path_and_query = match query {
            Some(query) => format!("/{rest}?{query}"),
            None => format!("/{rest}"),
        };
        let link = Self { bucket, key, path_and_query, url };
        if link.has_expired(mount.0.origin.now()) { Err(LinkRefusal::Expired) } else { Ok(Some(link)) }
    }

    fn has_expired(&self, now: SystemTime) -> bool {
        self.url.expires_at <= now
    }
}

// === impl LinkRefusal ===

impl LinkRefusal {
    pub(crate) fn kind(&self) -> ProxyErrorKind {
        match self {
            Self::Malformed(InvalidSignedUrl::Method) | Self::Writes => ProxyErrorKind::MethodNotAllowed,
            Self::Malformed(_) => ProxyErrorKind::MalformedLink,
            Self::Foreign(_) => ProxyErrorKind::ForeignLink,
            Self::Expired => ProxyErrorKind::ExpiredLink,
        }
    }
}

impl std::fmt::Display for LinkRefusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Malformed(why) => write!(f, "{why}"),
            Self::Foreign(what) => write!(f, "it is for {what}"),
            Self::Expired => f.write_str("it has expired"),
            Self::Writes => f.write_str("it writes, and nobody can write here"),
        }
    }
}

impl std::error::Error for LinkRefusal {}
