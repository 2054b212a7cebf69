//! The in-memory cache: its size, how long objects are fresh, purging and counters.
//!
//! [`Cache::builder`] makes one, and [`MountBuilder::cache`](crate::MountBuilder::cache) gives it to a mount. One map serves
//! whole reads, ranges and HEADs. The [guide](crate::guide::cache) has the rules.

// `MountCache` is the only way in: nothing outside this folder reaches past it.

mod fill;
#[cfg(feature = "listing")]
mod folders;
mod handle;
mod invalidation;
#[cfg(feature = "metrics")]
mod metrics;
mod mount_cache;
#[cfg(feature = "purge")]
mod remote;
mod report;
mod rules;
mod store;
mod sync;

#[cfg(feature = "listing")]
pub(crate) use self::folders::Folders;
#[cfg(feature = "metrics")]
pub(crate) use self::metrics::report;
#[cfg(feature = "purge")]
pub use self::remote::{
    AdminBody, AdminFuture, AdminToken, CacheAdmin, ChangedObject, InvalidEvent, InvalidToken, S3Event,
};
#[cfg(feature = "purge")]
pub(crate) use self::remote::{WarmRun, Warmer};
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
    invalidation::{Invalidation, Memory, PendingChange},
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
pub use crate::meter::CacheUse;
