//! Objects into the cache before anybody asks for them, the way that requests take.

mod readers;
mod warming;

pub use self::warming::{WarmError, WarmFailure, WarmReport, WarmTarget, Warming};
