mod access;
mod answers;
mod assemble;
mod cache;
mod directory;
#[cfg(feature = "listing")]
mod listing;
mod links;
mod origin;
mod own_links;
mod resilience;
mod terms;
mod website;
mod writes;

use std::time::Duration;

use aws_smithy_async::time::SharedTimeSource;

use self::terms::Terms;
use super::{AccessRules, PresignedRequests, Replica, Website, Writes};
#[cfg(feature = "users")]
use crate::access::Users;
#[cfg(feature = "s3-clients")]
use crate::clients::ClientKeys;
#[cfg(feature = "listing")]
use crate::listing::Listing;
use crate::{
    access::{CredentialSet, ForwardAuth, Hotlinks, OwnLinks},
    cache::{Cache, CacheTtl, Heuristic, MountCache},
    credentials::CredentialsSource,
    links::LinkPolicy,
    object::BucketName,
    origin::{Addressing, Budget, CircuitBreaker, Hedging, InFlightLimits, RetryPolicy, Transport},
    request::{DownloadPolicy, QueryPolicy, VersionPolicy},
    response::{Answers, CacheControlRule, ContentTypeFix, Cors},
    route::{BucketResolver, DotSegments},
};

/// Builds a [`Mount`](crate::Mount). Nothing is checked before [`build`](Self::build), which names the first error.
#[must_use = "a builder does nothing before `build`"]
#[derive(Debug)]
pub struct MountBuilder {
    bucket: BucketChoice,
    path: String,
    host: Option<String>,
    prefix: String,
    cache_bust_segment: bool,
    dot_segments: DotSegments,
    /// Everything except the endpoint URL, which is parsed when the mount is built.
    addressing: Addressing,
    endpoint_url: Option<String>,
    connect_to: Option<String>,
    credentials: Option<CredentialsSource>,
    transport: Transport,
    in_flight: InFlightLimits,
    retry: RetryPolicy,
    circuit_breaker: CircuitBreaker,
    hedging: Option<Hedging>,
    budget: Option<Budget>,
    replica: Option<Replica>,
    clock: SharedTimeSource,
    cache_control_rules: Vec<CacheControlRule>,
    default_cache_control: Option<String>,
    override_cache_control: Option<String>,
    forwarded_headers: Vec<String>,
    metadata_headers: Vec<(String, String)>,
    cors: Option<Cors>,
    content_type: ContentTypeFix,
    content_types: Vec<(String, String)>,
    answers: Answers,
    query: QueryPolicy,
    cache: Option<Cache>,
    /// The part of it that a mount before this one has filled, with the same objects.
    stored: Option<MountCache>,
    cache_ttl: Option<Duration>,
    cache_ttl_rules: Vec<CacheTtl>,
    cache_heuristic: Option<Heuristic>,
    links: Option<LinkPolicy>,
    credential_sets: Vec<CredentialSet>,
    access: AccessRules,
    forward_auth: Option<ForwardAuth>,
    own_links: Option<OwnLinks>,
    #[cfg(feature = "users")]
    users: Option<(Users, String)>,
    hotlinks: Option<Hotlinks>,
    max_bytes_per_second: Option<u64>,
    presigned: Option<PresignedRequests>,
    writes: Option<Writes>,
    website: Option<Website>,
    #[cfg(feature = "listing")]
    listing: Option<Listing>,
    #[cfg(feature = "s3-clients")]
    client_keys: Option<ClientKeys>,
    terms: Terms,
}

#[derive(Debug)]
enum BucketChoice {
    Fixed(BucketName),
    FromPath(Vec<String>),
    Resolver(BucketResolver),
}

// === impl MountBuilder ===

/// # Paths and keys
impl MountBuilder {
    pub(super) fn fixed(bucket: BucketName) -> Self {
        Self::new(BucketChoice::Fixed(bucket))
    }

    pub(super) fn from_path(allowed: Vec<String>) -> Self {
        Self::new(BucketChoice::FromPath(allowed))
    }

    pub(super) fn resolved(resolver: BucketResolver) -> Self {
        Self::new(BucketChoice::Resolver(resolver))
    }

    fn new(bucket: BucketChoice) -> Self {
        Self {
            bucket,
            path: "/".to_owned(),
            host: None,
            prefix: String::new(),
            cache_bust_segment: false,
            dot_segments: DotSegments::default(),
            addressing: Addressing::default(),
            endpoint_url: None,
            connect_to: None,
            credentials: None,
            transport: Transport::shared(),
            in_flight: InFlightLimits::default(),
            retry: RetryPolicy::default(),
            circuit_breaker: CircuitBreaker::default(),
            hedging: None,
            budget: None,
            replica: None,
            clock: SharedTimeSource::default(),
            cache_control_rules: Vec::new(),
            default_cache_control: None,
            override_cache_control: None,
            forwarded_headers: Vec::new(),
            metadata_headers: Vec::new(),
            cors: None,
            content_type: ContentTypeFix::default(),
            content_types: Vec::new(),
            answers: Answers::default(),
            query: QueryPolicy::default(),
            cache: None,
            stored: None,
            cache_ttl: None,
            cache_ttl_rules: Vec::new(),
            cache_heuristic: None,
            links: None,
            credential_sets: Vec::new(),
            access: AccessRules::default(),
            forward_auth: None,
            own_links: None,
            #[cfg(feature = "users")]
            users: None,
            hotlinks: None,
            max_bytes_per_second: None,
            presigned: None,
            writes: None,
            website: None,
            #[cfg(feature = "listing")]
            listing: None,
            #[cfg(feature = "s3-clients")]
            client_keys: None,
            terms: Terms::default(),
        }
    }

    /// The path of the mount, `/` by default. `/media` serves `/media/…`.
    pub fn at(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// Serves only requests for this host name (without a port, case-insensitive).
    pub fn host(mut self, name: impl Into<String>) -> Self {
        self.host = Some(name.into());
        self
    }

    /// A prefix of every key: `website` maps `/a.jpg` to the key `website/a.jpg`. A request cannot leave it.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Drops a first segment after the mount (and after a bucket from the path) of the form `--[0-9A-Za-z._-]+` from
    /// the key, so that `/media/--2/a.jpg` is a new URL for the object `a.jpg`, also in the mount's own cache. Off by
    /// default.
    ///
    /// Unless S3 or an overriding rule says otherwise, such a response has `Cache-Control: max-age=31536000, immutable`
    /// (RFC 8246), whatever the mount's defaults are.
    pub fn cache_bust_segment(mut self, on: bool) -> Self {
        self.cache_bust_segment = on;
        self
    }

    /// Drops segments `.` from paths, so that `/apt/./Packages` names the object `Packages`, as apt asks for it if a flat
    /// repository is given as `deb URL ./`. Off by default: such a path is refused, since browsers never send it, and some
    /// servers behind would resolve it. A segment `..` is always refused.
    pub fn drop_dot_segments(mut self, on: bool) -> Self {
        self.dot_segments = if on { DotSegments::Dropped } else { DotSegments::Refused };
        self
    }

    /// Lets requests use `?versionId=`. Off by default: it needs the permission `s3:GetObjectVersion`, and shows
    /// objects that were overwritten or deleted. A value that cannot be a version id is 404.
    ///
    /// A version never changes, so its responses are `immutable`, like those with a [cache-bust
    /// segment](Self::cache_bust_segment), except for the version `null`.
    pub fn allow_versions(mut self, on: bool) -> Self {
        self.query.versions = if on { VersionPolicy::Honoured } else { VersionPolicy::Ignored };
        self
    }

    /// Lets requests ask for an object as a download. Off by default.
    ///
    /// - `?download` stores it under the last segment of its key, `?download=NAME` under that name.
    /// - `?response-content-disposition=VALUE` is for URLs that were made for S3: `attachment` or `inline`, with
    ///   `filename` or `filename*` (RFC 6266). Other parameters are dropped, and a malformed value is 400.
    ///
    /// Of the two, the first counts, and a `+` in the value is a space. The field is written anew: separators in names
    /// become `_`, control characters are dropped, names end after 255 bytes. `inline` does not undo a stored
    /// `attachment`, which may keep an upload from becoming a page of yours.
    ///
    /// S3 does not see it. All other `response-…` parameters of S3 are always refused with 400, and so is this one if
    /// downloads are off.
    pub fn allow_downloads(mut self, on: bool) -> Self {
        self.query.downloads = if on { DownloadPolicy::Honoured } else { DownloadPolicy::Refused };
        self
    }
}
