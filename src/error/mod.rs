//! Why a configuration is refused, and why a request is answered with an error.

mod chain;
mod config;
mod failure;
mod proxy;
mod tally;

pub(crate) use self::{chain::in_one_line, failure::Failure, tally::Tally};
pub use self::{
    config::{ConfigError, ConfigErrorKind},
    proxy::{BoxError, ProxyError, ProxyErrorKind},
};
