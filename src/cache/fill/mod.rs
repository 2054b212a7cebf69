//! Reads of S3 that many requests share: the single flight for an object's head, and fills, which other requests
//! follow.

mod fills;
mod flights;
mod progress;
mod reservation;
mod segments;

pub(crate) use self::{
    fills::{Fills, Gathered},
    flights::{Flights, Lead, Turn},
    progress::{Fill, FillError, FillReader},
    reservation::{MemoryPool, Reservation},
    segments::{Segments, Source},
};
use super::{
    store::{ObjectId, Pages, StateId},
    sync,
};
