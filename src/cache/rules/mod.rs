//! The rules of HTTP caching (RFC 9111, 5861, 9211, 9213): pure, with the time as an argument.

mod control;
mod freshen;
mod freshness;
mod request_control;
mod status;
mod ttl;

pub(crate) use self::{
    control::{CDN_CACHE_CONTROL, Members as Directives},
    freshen::merged,
    freshness::{Heuristic, Lifetime, State, Storability},
    request_control::RequestControl,
    status::{CacheStatus, Detail, Forward, Outcome, Reason},
    ttl::FreshnessPolicy,
};
pub use self::{request_control::ClientControl, ttl::CacheTtl};
