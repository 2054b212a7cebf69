//! Tower middleware that mounts a private S3 bucket into any `tower`, `axum` or `hyper` stack.

#![cfg_attr(docsrs, feature(doc_cfg))]

// In the order in which a request passes them.
mod body;
mod config;
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
    response::{CacheRule, ContentTypeFix, ErrorFormat},
    route::BucketResolver,
    service::{NotFound, S3Proxy},
};
