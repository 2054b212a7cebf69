//! The crate's own files, and stand-ins for what they name of the others.

#[path = "../../src/cache/epochs.rs"]
#[allow(dead_code, reason = "the crate's")]
mod epochs;
#[path = "../../src/cache/flights.rs"]
mod flights;
#[path = "../../src/cache/pages.rs"]
#[allow(dead_code, reason = "the crate's")]
mod pages;
#[path = "../../src/cache/rooms.rs"]
#[allow(dead_code, reason = "the crate's")]
mod rooms;
#[path = "../../src/cache/run.rs"]
#[allow(dead_code, reason = "the crate's")]
mod run;
#[path = "../../src/cache/runs.rs"]
#[allow(dead_code, reason = "the crate's")]
mod runs;
#[path = "../../src/cache/segments.rs"]
#[allow(dead_code, reason = "the crate's")]
mod segments;
pub(crate) mod sync;

pub(crate) use self::{
    epochs::Epochs,
    flights::{Flights, Turn},
    pages::Pages,
    rooms::{Room, Rooms},
    run::{Run, RunError, RunReader},
    runs::{Gathered, Runs},
    segments::Segments,
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
