mod assemble;

use std::{fmt, time::Duration};

use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_smithy_async::time::{SharedTimeSource, TimeSource};
use aws_smithy_runtime_api::client::http::{HttpClient, SharedHttpClient};
use aws_types::SdkConfig;

use super::{BadPathAnswer, DeniedAnswer, Miss};
use crate::{
    BucketResolver,
    cache::{Cache, CacheTtl, Heuristic},
    object::BucketName,
    origin::Addressing,
    request::{DownloadPolicy, QueryPolicy, VersionPolicy},
    response::{CacheRule, ContentTypeFix, Cors, ErrorFormat},
};

/// Collects what a [`Mount`](crate::Mount) is made of. Nothing is checked before [`build`](Self::build), which names
/// what is wrong.
#[must_use = "a builder does nothing before `build`"]
#[derive(Debug)]
pub struct MountBuilder {
    bucket: BucketChoice,
    path: String,
    host: Option<String>,
    prefix: String,
    cache_bust_segment: bool,
    addressing: Addressing,
    connect_to: Option<String>,
    credentials: CredentialsChoice,
    http_client: Option<SharedHttpClient>,
    clock: SharedTimeSource,
    connect_timeout: Duration,
    response_timeout: Duration,
    max_idle_connections: usize,
    cache_rules: Vec<CacheRule>,
    default_cache_control: Option<String>,
    override_cache_control: Option<String>,
    forwarded_headers: Vec<String>,
    metadata_headers: Vec<(String, String)>,
    cors: Option<Cors>,
    content_type: ContentTypeFix,
    query: QueryPolicy,
    denied: DeniedAnswer,
    bad_path: BadPathAnswer,
    miss: Miss,
    errors: ErrorFormat,
    cache: Option<Cache>,
    cache_ttl: Option<Duration>,
    cache_ttl_rules: Vec<CacheTtl>,
    cache_heuristic: Option<Heuristic>,
}

#[derive(Debug)]
enum BucketChoice {
    Fixed(BucketName),
    FromPath(Vec<String>),
    Resolver(BucketResolver),
}

enum CredentialsChoice {
    None,
    Anonymous,
    Provider(SharedCredentialsProvider),
}

// === impl MountBuilder ===

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
            addressing: Addressing::default(),
            connect_to: None,
            credentials: CredentialsChoice::None,
            http_client: None,
            clock: SharedTimeSource::default(),
            connect_timeout: CONNECT_TIMEOUT,
            response_timeout: RESPONSE_TIMEOUT,
            max_idle_connections: MAX_IDLE_CONNECTIONS,
            cache_rules: Vec::new(),
            default_cache_control: None,
            override_cache_control: None,
            forwarded_headers: Vec::new(),
            metadata_headers: Vec::new(),
            cors: None,
            content_type: ContentTypeFix::default(),
            query: QueryPolicy::default(),
            denied: DeniedAnswer::default(),
            bad_path: BadPathAnswer::default(),
            miss: Miss::default(),
            errors: ErrorFormat::default(),
            cache: None,
            cache_ttl: None,
            cache_ttl_rules: Vec::new(),
            cache_heuristic: None,
        }
    }

    // --- which requests, which objects ---

    /// The path of the mount, `/` by default. `/media` answers to `/media/…`.
    pub fn at(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// Answers only to requests for this host name (without a port; case does not matter).
    pub fn host(mut self, name: impl Into<String>) -> Self {
        self.host = Some(name.into());
        self
    }

    /// A prefix that stands before every key: `website` maps `/a.jpg` to the key `website/a.jpg`. A request cannot
    /// leave it.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Drops a first segment after the mount (and after a bucket from the path) of the form `--[0-9A-Za-z._-]+` from
    /// the key, so that `/media/--2/a.jpg` is a new URL for the object `a.jpg`, in the mount's own cache too. Off by
    /// default.
    ///
    /// Where neither S3 nor a rule that overrides it says something else, such an answer is
    /// `Cache-Control: max-age=31536000, immutable` (RFC 8246), whatever the mount's defaults are.
    pub fn cache_bust_segment(mut self, on: bool) -> Self {
        self.cache_bust_segment = on;
        self
    }

    /// Understands `?versionId=` of a request. Off by default: it needs the permission `s3:GetObjectVersion`, and shows
    /// what was overwritten or deleted. What cannot be a version id is answered with 404.
    ///
    /// A version never changes, so its answers are `immutable` as those behind a
    /// [cache-bust segment](Self::cache_bust_segment), but for the version `null`.
    pub fn allow_versions(mut self, on: bool) -> Self {
        self.query.versions = if on { VersionPolicy::Honoured } else { VersionPolicy::Ignored };
        self
    }

    /// Lets requests ask for an object as a download. Off by default.
    ///
    /// - `?download` stores it under the last segment of its key, `?download=NAME` under that name.
    /// - `?response-content-disposition=VALUE` is for URLs that were made for S3: `attachment` or `inline`, with
    ///   `filename` or `filename*` (RFC 6266). Other parameters are dropped, and what is malformed is answered with 400.
    ///
    /// Of both the first counts, and a `+` in the value is a space. The field is written anew: separators in names become
    /// `_`, control characters are dropped, names end after 255 bytes. `inline` does not undo a stored `attachment`,
    /// which may be what keeps an upload from being a page of yours.
    ///
    /// S3 does not learn of it. All other `response-…` parameters of S3 are refused with 400 in any case, and this one,
    /// too, if downloads are off.
    pub fn allow_downloads(mut self, on: bool) -> Self {
        self.query.downloads = if on { DownloadPolicy::Honoured } else { DownloadPolicy::Refused };
        self
    }

    // --- where the bucket is ---

    /// The region of the bucket, like `us-west-2`. Needed, unless [`sdk_config`](Self::sdk_config) brings one.
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.addressing.region = region.into();
        self
    }

    /// The URL of an S3-compatible server, instead of AWS: `http://127.0.0.1:9000`.
    pub fn endpoint_url(mut self, url: impl Into<String>) -> Self {
        self.addressing.endpoint_url = Some(url.into());
        self
    }

    /// Puts the bucket into the path instead of the host name. Bucket names with dots are put there by themselves, since
    /// no certificate fits their host names.
    pub fn path_style(mut self, on: bool) -> Self {
        self.addressing.path_style = on;
        self
    }

    /// Uses the FIPS endpoint of the region.
    pub fn fips(mut self, on: bool) -> Self {
        self.addressing.fips = on;
        self
    }

    /// Uses the endpoint that IPv6 reaches, too.
    pub fn dual_stack(mut self, on: bool) -> Self {
        self.addressing.dual_stack = on;
        self
    }

    /// Uses S3 Transfer Acceleration; it has to be enabled on the bucket.
    pub fn accelerate(mut self, on: bool) -> Self {
        self.addressing.accelerate = on;
        self
    }

    /// Connects to this host or address (`host`, `host:port`) while `Host` and SNI keep naming the endpoint: the way
    /// through a VPC endpoint or PrivateLink.
    pub fn connect_to(mut self, address: impl Into<String>) -> Self {
        self.connect_to = Some(address.into());
        self
    }

    /// Takes region, endpoint URL, FIPS, dual stack, credentials and time source from a configuration of the SDK, as far
    /// as it has them. Not its HTTP client: every loaded configuration has one, and the built-in pool is cheaper; see
    /// [`http_client`](Self::http_client).
    pub fn sdk_config(mut self, config: &SdkConfig) -> Self {
        if let Some(region) = config.region() {
            self.addressing.region = region.to_string();
        }
        if let Some(url) = config.endpoint_url() {
            self.addressing.endpoint_url = Some(url.to_owned());
        }
        self.addressing.fips = config.use_fips().unwrap_or(self.addressing.fips);
        self.addressing.dual_stack = config.use_dual_stack().unwrap_or(self.addressing.dual_stack);
        if let Some(provider) = config.credentials_provider() {
            self.credentials = CredentialsChoice::Provider(provider);
        }
        if let Some(clock) = config.time_source() {
            self.clock = clock;
        }
        self
    }

    // --- who may read it ---

    /// Whose signature S3 gets to see: any credentials provider of the SDK, or your own. It is asked ahead of expiry, by
    /// one task at a time, and never while a request waits if the old credentials are still good.
    pub fn credentials(mut self, provider: impl ProvideCredentials + 'static) -> Self {
        self.credentials = CredentialsChoice::Provider(SharedCredentialsProvider::new(provider));
        self
    }

    /// Signs nothing: the bucket is public.
    pub fn anonymous(mut self) -> Self {
        self.credentials = CredentialsChoice::Anonymous;
        self
    }

    // --- how S3 is asked ---

    /// An HTTP client of the SDK instead of the built-in connection pool: one with a proxy or a TLS stack of its own, or
    /// one that records and replays. It applies the time-outs below by itself, as its documentation says.
    pub fn http_client(mut self, client: impl HttpClient + 'static) -> Self {
        self.http_client = Some(SharedHttpClient::new(client));
        self
    }

    /// The clock that signatures and expiry go by; the system's by default.
    pub fn time_source(mut self, clock: impl TimeSource + 'static) -> Self {
        self.clock = SharedTimeSource::new(clock);
        self
    }

    /// How long DNS, TCP and TLS may take together; 3 s by default.
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.connect_timeout = limit;
        self
    }

    /// How long S3 may take from a request to the head of its answer; 30 s by default.
    pub fn response_timeout(mut self, limit: Duration) -> Self {
        self.response_timeout = limit;
        self
    }

    /// How many connections to a host are kept for later; 256 by default.
    pub fn max_idle_connections(mut self, limit: usize) -> Self {
        self.max_idle_connections = limit;
        self
    }

    // --- what clients see ---

    /// The value of `Cache-Control` for objects about whose caching S3 says nothing. Stands behind the rules of that
    /// kind ([`CacheRule::default_to`]).
    pub fn default_cache_control(mut self, value: impl Into<String>) -> Self {
        self.default_cache_control = Some(value.into());
        self
    }

    /// The value of `Cache-Control` for all objects, whatever S3 says. Stands behind the rules of that kind
    /// ([`CacheRule::override_with`]), and goes before every default.
    pub fn override_cache_control(mut self, value: impl Into<String>) -> Self {
        self.override_cache_control = Some(value.into());
        self
    }

    /// Adds a rule for `Cache-Control`. Overrides go before defaults; among each, the first that fits wins.
    pub fn cache_rule(mut self, rule: CacheRule) -> Self {
        self.cache_rules.push(rule);
        self
    }

    /// Passes on those of S3's fields that the glob matches, besides the object's own: `x-amz-storage-class`,
    /// `x-amz-meta-*`. Fields of the connection and S3's own CORS are never passed on.
    pub fn forward_response_header(mut self, glob: impl Into<String>) -> Self {
        self.forwarded_headers.push(glob.into());
        self
    }

    /// Passes a value of the object's metadata on as a field: `("title", "X-Title")` for `x-amz-meta-title`. Whoever may
    /// upload can set that field.
    pub fn metadata_header(mut self, metadata: impl Into<String>, field: impl Into<String>) -> Self {
        self.metadata_headers.push((metadata.into(), field.into()));
        self
    }

    /// Which pages of other origins may read the answers. None by default, and S3's own CORS never reaches a client.
    ///
    /// With it the mount answers every preflight for its paths, also where other methods go to the inner service
    /// ([`Miss::ToInner`]). What the inner service answers is left as it is.
    pub fn cors(mut self, cors: Cors) -> Self {
        self.cors = Some(cors);
        self
    }

    /// What to do about objects without a useful content type.
    pub fn content_type(mut self, fix: ContentTypeFix) -> Self {
        self.content_type = fix;
        self
    }

    /// What clients are told about an object that S3 denies.
    pub fn denied(mut self, answer: DeniedAnswer) -> Self {
        self.denied = answer;
        self
    }

    /// What clients are told about a path that cannot name a key.
    pub fn bad_path(mut self, answer: BadPathAnswer) -> Self {
        self.bad_path = answer;
        self
    }

    /// Who answers what the bucket cannot.
    pub fn miss(mut self, miss: Miss) -> Self {
        self.miss = miss;
        self
    }

    /// How errors are told.
    pub fn error_format(mut self, format: ErrorFormat) -> Self {
        self.errors = format;
        self
    }

    /// Keeps objects in this cache. Mounts that share one share its budget, not its objects.
    pub fn cache(mut self, cache: &Cache) -> Self {
        self.cache = Some(cache.clone());
        self
    }

    /// How long objects in the cache are fresh, in place of what `Cache-Control` and `Expires` say of that. Clients are
    /// told the latter. `no-store`, `private` and `no-cache` hold all the same.
    pub fn cache_ttl(mut self, ttl: Duration) -> Self {
        self.cache_ttl = Some(ttl);
        self
    }

    /// Adds a rule for how long objects in the cache are fresh. The first that fits wins; they stand before
    /// [`cache_ttl`](Self::cache_ttl).
    pub fn cache_ttl_rule(mut self, rule: CacheTtl) -> Self {
        self.cache_ttl_rules.push(rule);
        self
    }

    /// Takes objects for fresh of which nothing says how long they are: for this share, in percent, of the time since
    /// they were last modified, and for `cap` at most (RFC 9111 §4.2.2; 10 percent is customary). Without it, S3 is asked
    /// each time whether such an object is still the one.
    pub fn cache_heuristic(mut self, percent: u8, cap: Duration) -> Self {
        self.cache_heuristic = Some(Heuristic { percent: percent.into(), cap });
        self
    }
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(30);
const MAX_IDLE_CONNECTIONS: usize = 256;

// === impl CredentialsChoice ===

impl fmt::Debug for CredentialsChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Anonymous => "Anonymous",
            Self::Provider(_) => "Provider",
        })
    }
}
