//! The rules of HTTP caching (RFC 9111, 5861, 9211, 9213): pure, with the time as an argument.

mod control;
mod freshen;
mod freshness;
mod status;
mod ttl;

pub use self::{control::ClientControl, ttl::CacheTtl};
pub(crate) use self::{
    control::{CDN_CACHE_CONTROL, Members as Directives, RequestControl},
    freshen::merged,
    freshness::{Heuristic, Lifetime, State},
    status::{CacheStatus, Detail, Forward, Outcome, Reason},
    ttl::FreshnessPolicy,
};
