//! Purges from outside: over HTTP, and by S3's event notifications.

mod admin;
mod event;

pub(crate) use self::admin::{WarmRun, Warmer};
pub use self::{
    admin::{AdminBody, AdminFuture, AdminToken, CacheAdmin, InvalidToken},
    event::{ChangedObject, InvalidEvent, S3Event},
};
use super::store::{PurgeMode, PurgeTarget, Purger};
