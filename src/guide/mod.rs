//! The guide: what the proxy does and how to use it, by subject.
//!
//! Start with [embedding] for a program of your own, or with [standalone] for the ready-made one.
//!
//! | chapter | subject |
//! |---|---|
//! | [embedding] | layer and service, several mounts, fallback to your own routes |
//! | [setups] | five set-ups, whole: a file, its policies, how to try it |
//! | [buckets] | bucket names and ARNs, endpoints, connections and time-outs |
//! | [credentials] | sources, roles, refresh |
//! | [access] | private objects: authorizers and credential sets |
//! | [log_in] | log-in without code: a service in front, users with passwords, links of the proxy's own |
//! | [keys] | from a path to a key; prefixes and cache-bust segments |
//! | [requests] | query parameters, ranges, conditions, and what S3 sees |
//! | [headers] | header fields, `Cache-Control`, content types |
//! | [cors] | pages of other origins |
//! | [cache] | what is kept, warming, purging, `Cache-Status`, memory |
//! | [encryption] | KMS, customer keys, and the other terms of a bucket |
//! | [errors] | every status, ids, the log |
//! | [observability] | metrics, a dashboard, the access log |
//! | [options] | every option: key, method, flag, default |
//! | [migration] | from another proxy: what its options are here |
//! | [website_modes] | S3's website endpoint and other proxies, request by request and option by option |
//! | [websites] | index documents, folders, error pages, releases, rules for fields and redirects |
//! | [listings] | folders as pages and as JSON |
//! | [writes] | PUT and DELETE by the mount's own credentials |
//! | [presigned] | links that were made for S3, passed on |
//! | [resilience] | what becomes of a response when S3 fails |
//! | [s3_clients] | SDKs, the AWS CLI, rclone, DuckDB, with keys of the proxy's own |
//! | [presigning] | links that S3 itself answers: made here, for a while |
//! | [limits] | what bounds clients, S3, memory and the log, and what is seen of that |
//! | [standalone] | flags, the configuration file, health checks, signals |
//! | [diagnosis] | `check`: why does the bucket not answer? |
//! | [policies] | the policies that a mount needs |

// In each file the links between chapters lead to the other files. Here they lead to the other modules: of two
// definitions of a link, the first counts.

#[doc = include_str!("links.md")]
#[doc = include_str!("embedding.md")]
///
/// In the reference: [`S3ProxyLayer`](crate::S3ProxyLayer), [`S3Proxy`](crate::S3Proxy),
/// [`S3ProxyConfig`](crate::S3ProxyConfig), [`Mount`](crate::Mount), [`MountBuilder`](crate::MountBuilder),
/// [`Fallback`](crate::response::Fallback), [`service`](crate::service).
pub mod embedding {}

#[doc = include_str!("links.md")]
#[doc = include_str!("setups.md")]
pub mod setups {}

#[doc = include_str!("links.md")]
#[doc = include_str!("buckets.md")]
///
/// In the reference: [`Mount`](crate::Mount), [`BucketName`](crate::BucketName),
/// [`BucketResolver`](crate::bucket::BucketResolver), [`MountBuilder::connect_to`](crate::MountBuilder::connect_to),
/// [`MountBuilder::sdk_config`](crate::MountBuilder::sdk_config),
/// [`Transport`](crate::Transport).
pub mod buckets {}

#[doc = include_str!("links.md")]
#[doc = include_str!("credentials.md")]
///
/// In the reference: [`credentials`](mod@crate::credentials),
/// [`MountBuilder::credentials`](crate::MountBuilder::credentials),
/// [`MountBuilder::anonymous`](crate::MountBuilder::anonymous).
pub mod credentials {}

#[doc = include_str!("links.md")]
#[doc = include_str!("access.md")]
///
/// In the reference: [`access`](mod@crate::access), [`MountBuilder::authorize`](crate::MountBuilder::authorize),
/// [`MountBuilder::select_credentials`](crate::MountBuilder::select_credentials),
/// [`MountBuilder::credential_set`](crate::MountBuilder::credential_set),
/// [`MountBuilder::downstream_caching`](crate::MountBuilder::downstream_caching).
pub mod access {}

#[doc = include_str!("links.md")]
#[doc = include_str!("log_in.md")]
///
/// In the reference: [`ForwardAuth`](crate::access::ForwardAuth),
/// [`MountBuilder::forward_auth`](crate::MountBuilder::forward_auth), `access::Users`, `MountBuilder::users`,
/// [`OwnLinks`](crate::access::OwnLinks), [`OwnLink`](crate::access::OwnLink),
/// [`MountBuilder::own_links`](crate::MountBuilder::own_links), [`Mount::own_link`](crate::Mount::own_link).
pub mod log_in {}

#[doc = include_str!("links.md")]
#[doc = include_str!("observability.md")]
///
/// In the reference: [`S3ProxyLayer::mounts`](crate::S3ProxyLayer::mounts), [`Mount::origin`](crate::Mount::origin),
/// [`Mount::held_credentials`](crate::Mount::held_credentials), [`Cache::snapshot`](crate::Cache::snapshot),
/// [`CacheUse`](crate::cache::CacheUse).
pub mod observability {}

#[doc = include_str!("links.md")]
#[doc = include_str!("keys.md")]
///
/// In the reference: [`ObjectKey`](crate::bucket::ObjectKey), [`BadPathAnswer`](crate::response::BadPathAnswer),
/// [`MountBuilder::prefix`](crate::MountBuilder::prefix),
/// [`MountBuilder::cache_bust_segment`](crate::MountBuilder::cache_bust_segment).
pub mod keys {}

#[doc = include_str!("links.md")]
#[doc = include_str!("requests.md")]
///
/// In the reference: [`MountBuilder::allow_versions`](crate::MountBuilder::allow_versions),
/// [`MountBuilder::allow_downloads`](crate::MountBuilder::allow_downloads).
pub mod requests {}

#[doc = include_str!("links.md")]
#[doc = include_str!("headers.md")]
///
/// In the reference: [`CacheControlRule`](crate::response::CacheControlRule),
/// [`ContentTypeFix`](crate::response::ContentTypeFix),
/// [`MountBuilder::forward_response_header`](crate::MountBuilder::forward_response_header),
/// [`MountBuilder::metadata_header`](crate::MountBuilder::metadata_header).
pub mod headers {}

#[doc = include_str!("links.md")]
#[doc = include_str!("cors.md")]
///
/// In the reference: [`Cors`](crate::Cors), [`MountBuilder::cors`](crate::MountBuilder::cors).
pub mod cors {}

#[doc = include_str!("links.md")]
#[doc = include_str!("cache.md")]
///
/// In the reference: [`Cache`](crate::Cache), [`cache`](mod@crate::cache), [`warm`](crate::warm),
/// [`MountBuilder::cache`](crate::MountBuilder::cache), [`MountBuilder::cache_ttl`](crate::MountBuilder::cache_ttl),
/// [`MountBuilder::cache_heuristic`](crate::MountBuilder::cache_heuristic).
pub mod cache {}

#[doc = include_str!("links.md")]
#[doc = include_str!("encryption.md")]
///
/// In the reference: [`encryption`](mod@crate::encryption), [`Grant`](crate::bucket::Grant),
/// [`AccountId`](crate::bucket::AccountId), [`MountBuilder::customer_key`](crate::MountBuilder::customer_key),
/// [`MountBuilder::requester_pays`](crate::MountBuilder::requester_pays).
pub mod encryption {}

#[doc = include_str!("links.md")]
#[doc = include_str!("errors.md")]
///
/// In the reference: [`ProxyErrorKind`](crate::ProxyErrorKind), [`ProxyError`](crate::ProxyError),
/// [`ErrorFormat`](crate::response::ErrorFormat), [`DeniedAnswer`](crate::response::DeniedAnswer).
pub mod errors {}

#[doc = include_str!("links.md")]
#[doc = include_str!("standalone.md")]
///
/// In the reference: `ConfigFile`, [`S3ProxyConfig`](crate::S3ProxyConfig).
pub mod standalone {}

#[doc = include_str!("links.md")]
#[doc = include_str!("diagnosis.md")]
///
/// In the reference: `Mount::diagnose`, and the module `diagnosis` of the crate.
pub mod diagnosis {}

#[doc = include_str!("links.md")]
#[doc = include_str!("policies.md")]
///
/// In the reference: `PolicyRequest`, in the module `policies` of the crate.
pub mod policies {}

#[doc = include_str!("links.md")]
#[doc = include_str!("options.md")]
pub mod options {}

#[doc = include_str!("links.md")]
#[doc = include_str!("migration.md")]
pub mod migration {}

#[doc = include_str!("links.md")]
#[doc = include_str!("website_modes.md")]
///
/// In the reference: [`Website::from_bucket`](crate::website::Website::from_bucket).
pub mod website_modes {}

#[doc = include_str!("links.md")]
#[doc = include_str!("websites.md")]
///
/// In the reference: [`Website`](crate::website::Website), [`MountBuilder::website`](crate::MountBuilder::website).
pub mod websites {}

#[doc = include_str!("links.md")]
#[doc = include_str!("listings.md")]
///
/// In the reference: `MountBuilder::listing`, and the module `listing` of the crate.
pub mod listings {}

#[doc = include_str!("links.md")]
#[doc = include_str!("writes.md")]
///
/// In the reference: [`Writes`](crate::writes::Writes), [`MountBuilder::writes`](crate::MountBuilder::writes).
pub mod writes {}

#[doc = include_str!("links.md")]
#[doc = include_str!("presigned.md")]
///
/// In the reference: [`presigned`](mod@crate::presigned), [`MountBuilder::presigned`](crate::MountBuilder::presigned).
pub mod presigned {}

#[doc = include_str!("links.md")]
#[doc = include_str!("s3_clients.md")]
///
/// In the reference: `clients::ClientKeys`, `MountBuilder::client_keys`.
pub mod s3_clients {}

#[doc = include_str!("links.md")]
#[doc = include_str!("resilience.md")]
///
/// In the reference: [`resilience`](mod@crate::resilience), [`MountBuilder::retry`](crate::MountBuilder::retry),
/// [`MountBuilder::circuit_breaker`](crate::MountBuilder::circuit_breaker),
/// [`MountBuilder::hedge`](crate::MountBuilder::hedge), [`MountBuilder::replica`](crate::MountBuilder::replica),
/// [`Mount::origin`](crate::Mount::origin).
pub mod resilience {}

#[doc = include_str!("links.md")]
#[doc = include_str!("presigning.md")]
///
/// In the reference: [`links`](mod@crate::links), [`Mount::presign`](crate::Mount::presign),
/// [`MountBuilder::links`](crate::MountBuilder::links).
pub mod presigning {}

#[doc = include_str!("links.md")]
#[doc = include_str!("limits.md")]
///
/// In the reference: [`Transport`](crate::Transport), [`Cache`](crate::Cache), [`Budget`](crate::resilience::Budget).
pub mod limits {}
