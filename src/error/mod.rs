//! Errors: why a configuration is refused ([`ConfigError`]), and why a request fails ([`ProxyError`]).

mod chain;
mod config;
mod failure;
mod proxy;
mod tally;

pub(crate) use self::{chain::in_one_line, failure::Failure, tally::Tallies};
pub use self::{
    config::{ConfigError, ConfigErrorKind},
    proxy::{BoxError, ProxyError, ProxyErrorKind},
};
