use std::{sync::Arc, time::Duration};

use super::MountBuilder;
use crate::{
    access::{Authorizer, CredentialSelector, CredentialSetName, DownstreamCaching},
    cache::MountCache,
    credentials::CredentialsSource,
    error::{ConfigError, Tally},
    object::BucketName,
    origin::S3Origin,
    request::QueryPolicy,
    response::{Answers, CacheControlPolicy, CorsPolicy, HeaderPolicy},
    route::{BucketResolver, BucketSource, HostName, KeyMapping, MountPath},
    terms::{Encryption, Grant},
};

/// What an [`S3ProxyLayer`](crate::S3ProxyLayer) serves: one or many [`Mount`]s.
///
/// A single mount is a configuration, too: `S3ProxyLayer::new(mount)`.
///
/// ```
/// use tower_s3_proxy::{BucketName, Mount, S3ProxyConfig};
///
/// let media = Mount::builder(BucketName::parse("studio-media")?).at("/media").region("us-west-2").anonymous();
/// let docs = Mount::builder(BucketName::parse("studio-docs")?).at("/docs").region("eu-central-1").anonymous();
/// let config = S3ProxyConfig::new([media.build()?, docs.build()?])?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct S3ProxyConfig {
    /// Invariant: the most specific first; no two answer to the same host and path.
    pub(crate) mounts: Vec<Mount>,
}

/// A bucket, or a part of one, at a path: where it is, who may read it, and what clients see of it.
///
/// Built by [`Mount::builder`]; clones share connections and credentials.
#[derive(Debug, Clone)]
pub struct Mount(pub(crate) Arc<MountParts>);

#[derive(Debug)]
pub(crate) struct MountParts {
    pub(crate) host: Option<HostName>,
    pub(crate) path: MountPath,
    pub(crate) bucket: BucketSource,
    pub(crate) keys: KeyMapping,
    pub(crate) origin: S3Origin,
    pub(crate) headers: HeaderPolicy,
    pub(crate) cache_control: CacheControlPolicy,
    pub(crate) cors: Option<CorsPolicy>,
    pub(crate) answers: Answers,
    pub(crate) query: QueryPolicy,
    pub(crate) cache: Option<MountCache>,
    /// Requests that were answered with 503, since enough was asked of S3.
    pub(crate) turned_away: Tally,
    /// How long S3 may be silent while the cache is filled.
    pub(crate) silence: Duration,
    pub(crate) access: AccessRules,
    /// Of `origin`.
    pub(crate) credentials: CredentialsSource,
    pub(crate) grant: Grant,
    /// The same mount by other credentials, with an origin and a part of the cache of its own. These have no sets.
    pub(crate) sets: Vec<(CredentialSetName, Mount)>,
}

/// Who may have the objects of a mount.
#[derive(Debug, Clone, Default)]
pub(crate) struct AccessRules {
    pub(crate) selector: Option<CredentialSelector>,
    pub(crate) authorizer: Option<Authorizer>,
    pub(crate) downstream: DownstreamCaching,
}

// === impl S3ProxyConfig ===

impl S3ProxyConfig {
    /// A configuration of these mounts. A request goes to the mount that names its host, before those that name
    /// none, and among these to the one with the longest path.
    ///
    /// # Errors
    ///
    /// [`ConfigErrorKind::DuplicateMount`](crate::ConfigErrorKind::DuplicateMount) if two mounts have the same host and path.
    pub fn new(mounts: impl IntoIterator<Item = Mount>) -> Result<Self, ConfigError> {
        let mut mounts: Vec<_> = mounts.into_iter().collect();
        for (n, mount) in mounts.iter().enumerate() {
            if mounts.iter().take(n).any(|other| mount.place() == other.place()) {
                return Err(ConfigError::duplicate(&mount.0.path));
            }
        }
        mounts.sort_by_key(|mount| (mount.0.host.is_none(), std::cmp::Reverse(mount.0.path.depth())));
        Ok(Self { mounts })
    }

    /// The mounts, in the order in which they are tried.
    pub fn mounts(&self) -> &[Mount] {
        &self.mounts
    }
}

impl From<Mount> for S3ProxyConfig {
    fn from(mount: Mount) -> Self {
        Self { mounts: vec![mount] }
    }
}

// === impl Mount ===

impl Mount {
    /// Begins a mount of one bucket.
    pub fn builder(bucket: BucketName) -> MountBuilder {
        MountBuilder::fixed(bucket)
    }

    /// Begins a mount whose bucket is the first segment of the path after the mount, if one of these globs matches
    /// its name: `*` is any run of characters, `?` one, `{a,b}` either.
    ///
    /// Bucket names are global: anyone may create a public bucket that fits a wide glob, and be served by you.
    pub fn bucket_from_path<G: Into<String>>(allowed: impl IntoIterator<Item = G>) -> MountBuilder {
        MountBuilder::from_path(allowed.into_iter().map(Into::into).collect())
    }

    /// Begins a mount whose bucket is named by a function of yours.
    pub fn bucket_from(resolver: BucketResolver) -> MountBuilder {
        MountBuilder::resolved(resolver)
    }

    /// The same mount by the credentials of one of its [sets](MountBuilder::credential_set), to
    /// [warm](Self::warm) its part of the cache.
    pub fn with_credentials(&self, set: &CredentialSetName) -> Option<&Mount> {
        self.0.sets.iter().find_map(|(name, mount)| (name == set).then_some(mount))
    }

    /// Where its credentials come from.
    pub fn credentials(&self) -> &CredentialsSource {
        &self.0.credentials
    }

    /// What its credentials are meant to be allowed to do.
    pub fn grant(&self) -> Grant {
        self.0.grant
    }

    /// How the objects of its bucket are encrypted, if that was said.
    pub fn encryption(&self) -> Option<&Encryption> {
        self.0.origin.terms.encryption.as_ref()
    }

    pub(super) fn place(&self) -> (Option<&HostName>, &MountPath) {
        (self.0.host.as_ref(), &self.0.path)
    }
}

// === impl AccessRules ===

impl AccessRules {
    /// What caches in front may keep.
    pub(crate) fn downstream(&self) -> DownstreamCaching {
        if self.knows_who_asks() { self.downstream } else { DownstreamCaching::AsStored }
    }

    /// Whether answers depend on who asks, by a decision of the user's that comes before the cache.
    pub(crate) fn knows_who_asks(&self) -> bool {
        self.selector.is_some() || self.authorizer.is_some()
    }
}
