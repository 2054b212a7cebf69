//! The crate's own files, and stand-ins for the parts of other files that they use.

#[path = "../../src/cache/store/epochs.rs"]
#[allow(dead_code, reason = "the crate's")]
mod epochs;
#[path = "../../src/cache/fill/flights.rs"]
mod flights;
#[path = "../../src/cache/store/pages.rs"]
#[allow(dead_code, reason = "the crate's")]
mod pages;
#[path = "../../src/cache/fill/reservation.rs"]
#[allow(dead_code, reason = "the crate's")]
mod reservation;
#[path = "../../src/cache/fill/progress.rs"]
#[allow(dead_code, reason = "the crate's")]
mod progress;
#[path = "../../src/cache/fill/fills.rs"]
#[allow(dead_code, reason = "the crate's")]
mod fills;
#[path = "../../src/cache/fill/segments.rs"]
#[allow(dead_code, reason = "the crate's")]
mod segments;
pub(crate) mod sync;

pub(crate) use self::{
    epochs::Epochs,
    fills::{Fills, Gathered},
    flights::{Flights, Turn},
    pages::Pages,
    progress::{Fill, FillError, FillReader, Piece},
    reservation::{MemoryPool, Reservation},
    segments::{Segments, Source},
};
use crate::object::{BucketName, ObjectKey};

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct ObjectId(pub(crate) u32);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct StateId(pub(crate) u32);

#[derive(Debug, Clone, Copy)]
#[allow(dead_code, reason = "of the same shape as the crate's")]
pub(crate) enum Purge<'a> {
    Key { bucket: &'a BucketName, key: &'a ObjectKey },
    KeyOfAny { key: &'a ObjectKey },
    Prefix { bucket: &'a BucketName, prefix: &'a str },
    Everything,
}
