//! Is the object here already? One map for whole reads, ranges and HEADs, the rules for what it keeps and for how long,
//! and the reads of S3 that fill it.
//!
//! `MountCache` is the only way in: nothing outside this folder reaches past it.

mod fill;
mod handle;
mod invalidation;
mod mount_cache;
#[cfg(feature = "purge")]
mod remote;
mod report;
mod rules;
mod store;
mod sync;

#[cfg(feature = "purge")]
pub use self::remote::{
    AdminFuture, AdminToken, CacheAdmin, ChangedObject, InvalidEvent, InvalidToken, S3Event,
};
#[cfg(test)]
pub(crate) use self::store::Marker;
#[cfg(all(feature = "__internals", feature = "purge"))]
pub(crate) use self::store::Purger;
/// For the benches.
#[cfg(feature = "__internals")]
pub(crate) use self::store::{StateId, Store, Weigh};
pub(crate) use self::{
    fill::{Fill, FillError, Lead, Segments, Source, Turn},
    handle::AskedAt,
    invalidation::Invalidation,
    mount_cache::{Limits, MountCache},
    report::{Report, ServedAs},
    rules::{
        CacheStatus, Detail, Directives, Forward, FreshnessPolicy, Heuristic, Reason, RequestControl, State,
    },
    store::{Asked, Found, Head, ObjectId, ObjectRef},
};
pub use self::{
    handle::{Cache, CacheBuilder},
    rules::{CacheTtl, ClientControl},
    store::{CacheSnapshot, PurgeMode, PurgeTarget},
};
