//! Tower middleware that mounts a private S3 bucket, or a part of one, into any `tower`, `axum` or `hyper` stack.
//!
//! ```no_run
//! use axum::{Router, routing::get};
//! use tower_s3_proxy::{BucketName, Mount, S3ProxyLayer, credentials};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let media = Mount::builder(BucketName::parse("studio-media")?)
//!     .at("/media")
//!     .region("us-west-2")
//!     .credentials(credentials::default_chain(Some("us-west-2")).await?)
//!     .default_cache_control("public, max-age=3600")
//!     .build()?;
//! let app: Router = Router::new()
//!     .route("/", get(|| async { "home" }))
//!     .layer(S3ProxyLayer::new(media));
//! # Ok(())
//! # }
//! ```
//!
//! # The guide
//!
//! [`guide`] explains every subject: [embedding](guide::embedding), [buckets](guide::buckets),
//! [credentials](guide::credentials), [private objects](guide::access), [the cache](guide::cache),
//! [the standalone proxy](guide::standalone), and more. The proxy runs on a Tokio runtime.
//!
//! # Features
//!
//! | feature | on by default | what it adds |
//! |---|---|---|
//! | `aws-config` | yes | the SDK's sources of credentials, like [`credentials::default_chain`] |
//! | `diagnosis` | no | [each step of the way to a bucket](guide::diagnosis), tried and explained: `Mount::diagnose` |
//! | `explain` | no | [why a request got its answer](guide::diagnosis): `explain::Explain` |
//! | `listing` | no | [folders](guide::listings) as pages and as JSON: `listing::Listing` |
//! | `metrics` | no | [counts of requests, bytes and times](guide::observability) for the program's recorder: `metrics::describe` |
//! | `policies` | no | [the policies](guide::policies) that a mount needs: `PolicyRequest` |
//! | `purge` | no | [purging the cache](guide::cache) by S3's events and over HTTP: `S3Event`, `CacheAdmin` |
//! | `s3-clients` | no | [S3 clients](guide::s3_clients) with keys of the proxy's own: `clients::ClientKeys` |
//! | `toml` | no | [configuration as TOML](guide::standalone): `ConfigFile`, `S3ProxyConfig::from_toml` |
//! | `users` | no | [users with passwords](guide::log_in): `access::Users` |

#![cfg_attr(docsrs, feature(doc_cfg))]

// In the order in which a request passes them. A stage imports only stages before it; CI checks that.
pub mod error;
mod explained;
mod meter;
mod object;
mod terms;
mod route;
mod request;
mod origin;
pub mod credentials;
pub mod access;
#[cfg(feature = "s3-clients")]
pub mod clients;
pub mod cache;
pub mod response;
pub mod links;
mod body;
mod published;
#[cfg(feature = "listing")]
pub mod listing;
mod config;
#[cfg(feature = "policies")]
pub mod policies;
mod presign;
mod site;
mod fetch;
mod relay;
mod write;
pub mod warm;
#[cfg(feature = "s3-clients")]
mod s3_api;
mod proxy;
#[cfg(feature = "explain")]
pub mod explain;
pub mod service;
#[cfg(feature = "diagnosis")]
pub mod diagnosis;

pub mod guide;

#[cfg(feature = "__internals")]
#[doc(hidden)]
pub mod internals;

/// Names of buckets and objects, and the terms on which a bucket is used.
pub mod bucket {
    pub use crate::{
        object::{BucketName, InvalidBucketName, InvalidKey, ObjectKey},
        route::BucketResolver,
        terms::{AccountId, Grant, InvalidAccountId},
    };
}

/// Cross-origin resource sharing: the pages of other origins that can read responses.
pub mod cors {
    pub use crate::response::Cors;
}

/// Encryption of objects: by keys of S3, keys of KMS, and customer keys (SSE-C).
pub mod encryption {
    pub use crate::terms::{
        CustomerKey, Encryption, InvalidCustomerKey, InvalidKmsKeyArn, KmsEncryption, KmsKeyArn,
    };
}

/// Counts of requests, bytes and times, for the program's recorder of [`metrics`](https://docs.rs/metrics). See the
/// [guide](guide::observability).
///
/// The recorder must be installed before the mounts are built: they take their counters from it.
#[cfg(feature = "metrics")]
pub mod metrics {
    pub use crate::meter::describe;
}

/// Mounts as websites.
pub mod website {
    pub use crate::config::{Precompressed, Releases, Website};
}

/// What clients may write.
pub mod writes {
    pub use crate::config::{Writers, Writes};
}

/// Requests that others signed for S3, and that lead here: presigned links.
pub mod presigned {
    pub use crate::config::{LinkAnswers, PresignedRequests, UnsignedRequests};
}

/// What a mount does when S3 fails, or has been asked for enough: repeated reads, bodies that go on, circuit breakers,
/// budgets.
pub mod resilience {
    pub use crate::{
        config::{AbsentObject, Replica, ReplicaCache},
        origin::{
            Budget, BudgetSnapshot, CircuitBreaker, Hedging, OriginSnapshot, RetryPolicy, UsedUpAnswer,
        },
    };
}

/// The way to S3: connections, certificates and time-outs, which mounts share.
pub mod transport {
    pub use crate::origin::{Transport, TransportBuilder};
}

#[cfg(feature = "toml")]
pub use self::config::ConfigFile;
#[doc(inline)]
pub use self::{
    bucket::BucketName,
    cache::Cache,
    config::{Mount, MountBuilder, S3ProxyConfig},
    cors::Cors,
    error::{ConfigError, ConfigErrorKind, ProxyError, ProxyErrorKind},
    resilience::RetryPolicy,
    service::{S3Proxy, S3ProxyLayer},
    transport::Transport,
};

/// The README's examples, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeDoctests;
