//! What is counted of requests and of S3's answers, for the program's recorder of [metrics](https://docs.rs/metrics).
//!
//! Each mount has one [`Meter`]. Its handles are made when they are first used, and kept: no request looks up a label. Without
//! the feature `metrics` a meter is nothing, and costs nothing.

mod cache_use;
#[cfg(feature = "metrics")]
pub(crate) mod families;
mod labels;
#[cfg_attr(not(feature = "metrics"), path = "silent.rs")]
mod recording;
#[cfg(feature = "metrics")]
mod totals;

pub use self::cache_use::CacheUse;
#[cfg(feature = "metrics")]
pub use self::families::describe;
#[cfg(feature = "metrics")]
pub(crate) use self::totals::Totals;
pub(crate) use self::{
    labels::{Operation, Outcome},
    recording::{Begun, BodyMeter, Meter},
};
