//! The store: a head for each object, and blocks of its bytes, within one budget.

mod counters;
mod entry;
mod epochs;
mod head;
mod id;
mod map;
mod pages;
mod purge;

#[cfg(feature = "purge")]
pub(crate) use self::purge::Purger;
pub use self::{
    counters::CacheSnapshot,
    purge::{PurgeMode, PurgeTarget},
};
pub(crate) use self::{
    counters::Counters,
    epochs::Epochs,
    head::{Asked, Found, Head, INLINE, Marker},
    id::{ObjectId, ObjectRef, StateId, StateName},
    map::{Purge, Store, Usage, Weigh},
    pages::{Pages, page_size},
};
use super::sync;
