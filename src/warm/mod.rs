//! Warming: objects read into the cache before a client asks for them, by key or by prefix.

#[cfg(feature = "purge")]
mod order;
mod readers;
mod warming;

pub use self::warming::{WarmError, WarmFailure, WarmReport, WarmTarget, Warming};
