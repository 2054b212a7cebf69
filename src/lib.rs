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
//! # The way of a request
//!
//! ```text
//!            ┌────────── S3Proxy::call ──────────┐
//! request ──▶│ route    is it a mount's?         │── no ──▶ inner service, untouched
//!            │          which bucket, which key? │
//!            │ request  what is asked?           │── refused ──▶ 404, 405, 400
//!            │ access   by whose credentials?    │── turned away ──▶ 401, 403, …
//!            │ cache    is it in memory, fresh?  │── all of it ──▶ the answer, without a wait
//!            └─────────────────┬─────────────────┘
//!                              ▼ one boxed future
//!              cache     which bytes are missing? who reads them already?
//!                              │
//!              origin    where is the bucket? whose signature? which connection?
//!                              │
//!              response  which fields may the client see? what about caching, errors?
//!                              │
//! response ◀── body: the frames as they come from S3, read as the client takes them, and slices of what is in memory
//! ```
//!
//! The cache is there for the mounts that are given one ([`MountBuilder::cache`]). A mount with an
//! [`Authorizer`](MountBuilder::authorize) waits for it before it looks into the cache.
//!
//! A request that no mount claims is passed on without a box, a lock or an allocation. Errors of S3 are answers of the
//! proxy, with a [`ProxyError`] in the response's extensions; the service's error is the inner service's alone.
//!
//! The proxy runs on a Tokio runtime.
//!
//! # Features
//!
//! | feature | on by default | what it adds |
//! |---|---|---|
//! | `aws-config` | yes | the SDK's credential chain: [`credentials::default_chain`] and its like |
//! | `diagnosis` | no | each step of the way to a bucket, tried and explained: `Mount::diagnose` |
//! | `policies` | no | the policies that a mount needs, for AWS and compatible servers: `PolicyRequest` |
//! | `purge` | no | purging the cache by S3's events and over HTTP: `S3Event`, `CacheAdmin` |
//! | `toml` | no | configuration as TOML: `ConfigFile`, `S3ProxyConfig::from_toml` |

#![cfg_attr(docsrs, feature(doc_cfg))]

// In the order in which a request passes them: a stage imports only stages before it, and CI checks that.
pub mod error;
mod object;
mod terms;
mod route;
mod request;
mod origin;
pub mod credentials;
pub mod access;
pub mod cache;
pub mod response;
mod body;
mod config;
#[cfg(feature = "policies")]
pub mod policies;
mod fetch;
pub mod warm;
mod proxy;
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

#[cfg(feature = "toml")]
pub use self::config::ConfigFile;
#[doc(inline)]
pub use self::{
    bucket::BucketName,
    cache::Cache,
    config::{Mount, MountBuilder, S3ProxyConfig},
    cors::Cors,
    error::{ConfigError, ConfigErrorKind, ProxyError, ProxyErrorKind},
    service::{S3Proxy, S3ProxyLayer},
};

/// The README's examples, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeDoctests;
