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
//!            └─────────────────┬─────────────────┘
//!                              ▼ one boxed future
//!              origin    where is the bucket? whose signature? which connection?
//!                              │
//!              response  which fields may the client see? what about caching, errors?
//!                              │
//! response ◀── body: the frames as they come from S3, read as the client takes them
//! ```
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
//! | `serde` | no | configuration as TOML: `ConfigFile`, `S3ProxyConfig::from_toml` |

#![cfg_attr(docsrs, feature(doc_cfg))]

// In the order in which a request passes them.
mod body;
mod config;
mod fetch;
mod future;
mod layer;
mod origin;
mod proxy;
mod request;
mod response;
mod route;
mod service;

pub mod credentials;
mod error;
#[cfg(feature = "__internals")]
#[doc(hidden)]
pub mod internals;
mod object;

#[cfg(feature = "serde")]
pub use self::config::ConfigFile;
pub use self::{
    body::ResponseBody,
    config::{
        BadPathAnswer, ConfigError, ConfigErrorKind, DeniedAnswer, Miss, Mount, MountBuilder, S3ProxyConfig,
    },
    error::{BoxError, ProxyError, ProxyErrorKind},
    future::ResponseFuture,
    layer::S3ProxyLayer,
    object::{BucketName, InvalidBucketName, InvalidKey, ObjectKey},
    response::{CacheRule, ContentTypeFix, Cors, ErrorFormat},
    route::BucketResolver,
    service::{NotFound, S3Proxy},
};

/// The README's examples, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeDoctests;
