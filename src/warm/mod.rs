//! Reads objects into the cache before a client asks for them, the same way as requests do.

mod readers;
mod warming;

pub use self::warming::{WarmError, WarmFailure, WarmReport, WarmTarget, Warming};
