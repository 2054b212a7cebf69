use std::sync::Arc;

use http::Method;

#[cfg(feature = "toml")]
use super::Loaded;
#[cfg(feature = "policies")]
use super::SiteSource;
use super::{Linked, MountBuilder, PresignedPolicy, Replica, SitePolicy, WritePolicy};
#[cfg(feature = "s3-clients")]
use crate::clients::ClientKeys;
#[cfg(feature = "listing")]
use crate::listing::MountListing;
use crate::{
    access::{Authorizer, CredentialSelector, CredentialSetName, DownstreamCaching, Guard, HotlinkRule},
    body::{ByteRate, SendBuffer},
    cache::{Invalidation, Memory, MountCache},
    credentials::CredentialsSource,
    error::{ConfigError, Tallies},
    links::Links,
    object::{BucketName, ObjectKey},
    origin::{BudgetSnapshot, HeldCredentials, OriginSnapshot, S3Origin},
    request::{Methods, QueryPolicy},
    response::{Answers, CacheControlPolicy, ContentTypes, CorsPolicy, Fallback, HeaderPolicy},
    route::{BucketResolver, BucketSource, HostName, KeyMapping, MountPath},
    terms::{Encryption, Grant},
};

/// The configuration of an [`S3ProxyLayer`](crate::S3ProxyLayer): one or many [`Mount`]s.
///
/// A single mount is also a configuration: `S3ProxyLayer::new(mount)`.
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
    /// Invariant: the most specific first; no two have the same host and path.
    pub(crate) mounts: Vec<Mount>,
    pub(crate) send_buffer: Option<SendBuffer>,
    /// If it comes from a file.
    #[cfg(feature = "toml")]
    pub(crate) loaded: Arc<Loaded>,
}

/// A bucket, or a part of one, at a path: its endpoint, the access to it, and the responses that clients see.
///
/// [`Mount::builder`] builds it; clones share connections and credentials.
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
    pub(crate) content_types: ContentTypes,
    pub(crate) answers: Answers,
    pub(crate) query: QueryPolicy,
    pub(crate) links: Links,
    pub(crate) cache: Option<MountCache>,
    pub(crate) tallies: Tallies,
    pub(crate) replica: Option<Replica>,
    pub(crate) access: AccessRules,
    /// Whose pages may embed objects.
    pub(crate) hotlinks: Option<HotlinkRule>,
    /// Of all responses together.
    pub(crate) rate: Option<ByteRate>,
    /// For requests that their clients signed.
    pub(crate) presigned: Option<PresignedPolicy>,
    /// By which others read, too.
    pub(crate) own_links: Option<Linked>,
    /// What clients may write.
    pub(crate) writes: Option<WritePolicy>,
    /// Of a mount that is a website.
    pub(crate) website: Option<SitePolicy>,
    /// Where folders are shown.
    #[cfg(feature = "listing")]
    pub(crate) listing: Option<MountListing>,
    /// For requests that S3 clients signed for the proxy.
    #[cfg(feature = "s3-clients")]
    pub(crate) client_keys: Option<ClientKeys>,
    /// The source of `origin`'s credentials.
    pub(crate) credentials: CredentialsSource,
    pub(crate) grant: Grant,
    /// The same mount with other credentials, each with its own origin and part of the cache. These have no sets.
    pub(crate) sets: Vec<(CredentialSetName, Mount)>,
}

/// Decides access to the objects of a mount.
#[derive(Debug, Clone, Default)]
pub(crate) struct AccessRules {
    pub(crate) selector: Option<CredentialSelector>,
    pub(crate) authorizer: Option<Authorizer>,
    /// Asked about a request before all others.
    pub(crate) guard: Option<Guard>,
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
        Ok(Self { mounts, ..Self::default() })
    }

    /// Bounds what a response holds while its client is slow. Without it, the server alone does.
    #[must_use]
    pub fn send_buffer(self, buffer: SendBuffer) -> Self {
        Self { send_buffer: Some(buffer), ..self }
    }

    /// The configuration with those of its mounts alone that this is true of.
    #[must_use]
    pub fn retain(mut self, keep: impl FnMut(&Mount) -> bool) -> Self {
        self.mounts.retain(keep);
        self
    }

    /// The mounts, in the order in which they are tried.
    pub fn mounts(&self) -> &[Mount] {
        &self.mounts
    }
}

impl From<Mount> for S3ProxyConfig {
    fn from(mount: Mount) -> Self {
        Self { mounts: vec![mount], ..Self::default() }
    }
}

// === impl Mount ===

impl Mount {
    /// Builds a mount of one bucket.
    pub fn builder(bucket: BucketName) -> MountBuilder {
        MountBuilder::fixed(bucket)
    }

    /// Builds a mount whose bucket is the first segment of the path after the mount, if one of these globs matches its
    /// name: `*` is any run of characters, `?` one, `{a,b}` either. Case matters.
    ///
    /// Bucket names are global: anyone may create a public bucket that matches a wide glob, and your server would serve
    /// it. Only a glob that ends in `--x-s3` matches a directory bucket.
    pub fn bucket_from_path<G: Into<String>>(allowed: impl IntoIterator<Item = G>) -> MountBuilder {
        MountBuilder::from_path(allowed.into_iter().map(Into::into).collect())
    }

    /// Builds a mount whose bucket a function of yours names.
    pub fn bucket_from(resolver: BucketResolver) -> MountBuilder {
        MountBuilder::resolved(resolver)
    }

    /// The same mount with the credentials of one of its [sets](MountBuilder::credential_set), to [warm](Self::warm)
    /// that set's part of the cache.
    pub fn with_credentials(&self, set: &CredentialSetName) -> Option<&Mount> {
        self.0.sets.iter().find_map(|(name, mount)| (name == set).then_some(mount))
    }

    /// Whether the two are clones of one mount, as those of a reloaded configuration are that are as before.
    pub fn is_clone_of(&self, other: &Mount) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The keys of S3 clients, if it has them.
    #[cfg(feature = "s3-clients")]
    pub fn client_keys(&self) -> Option<&ClientKeys> {
        self.0.client_keys.as_ref()
    }

    /// The users who log in to it, if it has them.
    #[cfg(feature = "users")]
    pub fn users(&self) -> Option<&crate::access::Users> {
        self.0.access.guard.as_ref().and_then(Guard::users)
    }

    /// Its path: `/`, or without a slash at the end.
    pub fn path(&self) -> &str {
        self.0.path.as_str()
    }

    /// The source of its credentials.
    pub fn credentials(&self) -> &CredentialsSource {
        &self.0.credentials
    }

    /// The permissions that its credentials should have.
    pub fn grant(&self) -> Grant {
        self.0.grant
    }

    /// The methods that it answers.
    pub(crate) fn methods(&self) -> Methods {
        let of_links = self.0.presigned.as_ref().map_or(Methods::READS, |presigned| presigned.methods);
        self.0.writes.as_ref().map_or(Methods::READS, |writes| writes.methods).or(of_links)
    }

    /// Whether it has a use for a [`ClientAddress`](crate::access::ClientAddress) in the extensions of a request.
    pub(crate) fn wants_client_address(&self) -> bool {
        // A link can be for a network.
        self.0.own_links.is_some() || self.0.access.guard.as_ref().is_some_and(Guard::wants_client_address)
    }

    /// What it met with S3 since it was built.
    pub fn origin(&self) -> OriginSnapshot {
        let Self(parts) = self;
        OriginSnapshot {
            is_open: parts.origin.is_left_alone(),
            ..parts.origin.resilience.counters.snapshot()
        }
    }

    /// How old the credentials at hand are, and how long they are valid. `None` if none were needed yet, or the bucket is
    /// public.
    pub fn held_credentials(&self) -> Option<HeldCredentials> {
        self.0.origin.held_credentials()
    }

    /// The path, behind the host if it has one: its name in metrics and logs.
    pub fn label(&self) -> String {
        format!("{}{}", self.0.host.as_ref().map_or("", HostName::as_str), self.0.path)
    }

    /// What it has spent of its budget on this day; `None` if it has no [budget](crate::MountBuilder::budget).
    pub fn budget(&self) -> Option<BudgetSnapshot> {
        let origin = &self.0.origin;
        origin.resilience.spending.as_ref().map(|spending| spending.snapshot(origin.now()))
    }

    /// The service that answers where its bucket has nothing to serve.
    pub fn fallback(&self) -> Fallback {
        self.0.answers.fallback
    }

    /// The encryption of its bucket's objects, if the configuration names it.
    pub fn encryption(&self) -> Option<&Encryption> {
        self.0.origin.terms.encryption.as_ref()
    }

    /// What a request with this method makes the mount forget, if it remembers anything. Without a bucket, that of all.
    pub(crate) fn invalidation(
        &self,
        method: &Method,
        bucket: Option<BucketName>,
        key: ObjectKey,
    ) -> Option<Invalidation> {
        Invalidation::of(method, self.0.memory()?, bucket, key)
    }

    pub(super) fn place(&self) -> (Option<&HostName>, &MountPath) {
        (self.0.host.as_ref(), &self.0.path)
    }
}

// === impl MountParts ===

impl MountParts {
    /// Which website configuration it has, or would have.
    #[cfg(feature = "policies")]
    pub(crate) fn site_source(&self) -> SiteSource {
        let live = self.website.as_ref().and_then(|site| site.live.as_ref());
        live.map_or(SiteSource::Mount, |live| live.source)
    }

    /// What of the bucket is remembered for it, if anything is.
    pub(crate) fn memory(&self) -> Option<Memory> {
        #[cfg(feature = "listing")]
        if let (None, Some(listing)) = (&self.cache, &self.listing) {
            return Some(Memory::Lists(Arc::clone(&listing.folders)));
        }
        self.cache.as_ref().map(Memory::from)
    }

    /// Whether clients can ask for lists of the bucket.
    #[cfg(feature = "policies")]
    pub(crate) fn lists(&self) -> bool {
        #[cfg(feature = "s3-clients")]
        if self.client_keys.is_some() {
            return true;
        }
        #[cfg(feature = "listing")]
        if self.listing.is_some() {
            return true;
        }
        false
    }
}

// === impl AccessRules ===

impl AccessRules {
    /// How caches in front may treat the responses.
    pub(crate) fn downstream(&self) -> DownstreamCaching {
        if self.knows_who_asks() { self.downstream } else { DownstreamCaching::AsStored }
    }

    /// Whether responses depend on the client, by what runs before the cache.
    pub(crate) fn knows_who_asks(&self) -> bool {
        self.selector.is_some() || self.authorizer.is_some() || self.guard.is_some()
    }
}
