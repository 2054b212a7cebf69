//! Purges from outside: over HTTP, and by S3's event notifications.

mod admin;
mod event;

pub use self::{
    admin::{AdminFuture, AdminToken, CacheAdmin, InvalidToken},
    event::{ChangedObject, InvalidEvent, S3Event},
};
use super::store::{PurgeMode, PurgeTarget, Purger};
