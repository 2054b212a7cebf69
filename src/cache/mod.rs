//! Is it here already? One map for whole reads, ranges and HEADs, what may be in it and for how long, and the
//! reads of S3 that fill it.

#[cfg(feature = "purge")]
mod admin;
mod control;
mod counters;
mod epochs;
#[cfg(feature = "purge")]
mod event;
mod flights;
mod freshen;
mod freshness;
mod handle;
mod head;
mod id;
mod invalidation;
mod memory;
mod pages;
mod purge;
mod request_control;
mod rooms;
mod run;
mod runs;
mod segments;
mod status;
mod store;
mod sync;
mod ttl;

#[cfg(feature = "purge")]
pub(crate) use self::purge::Purger;
#[cfg(feature = "purge")]
pub use self::{
    admin::{AdminFuture, AdminToken, CacheAdmin, InvalidToken},
    event::{ChangedObject, InvalidEvent, S3Event},
};
pub(crate) use self::{
    control::{CDN_CACHE_CONTROL, Members as Directives},
    counters::Counters,
    epochs::Epochs,
    flights::{Flights, Lead, Turn},
    freshen::merged,
    freshness::{Heuristic, Lifetime, State, Storability},
    handle::AskedAt,
    head::{Asked, Found, Head, Marker},
    id::{ObjectId, ObjectRef, StateId},
    invalidation::Invalidation,
    memory::{INLINE, Memory},
    pages::{Pages, page_size},
    request_control::RequestControl,
    rooms::{Room, Rooms},
    run::{Run, RunError, RunReader},
    runs::{Gathered, Runs},
    segments::Segments,
    status::{CacheStatus, Detail, Forward, Outcome, Reason},
    store::{Purge, Store, Usage, Weigh},
    ttl::FreshnessPolicy,
};
pub use self::{
    counters::CacheSnapshot,
    handle::{Cache, CacheBuilder},
    purge::{PurgeMode, PurgeTarget},
    request_control::ClientControl,
    ttl::CacheTtl,
};
