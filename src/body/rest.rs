//! The rest of an object whose body broke off.

use std::{future::Future, pin::Pin, sync::Arc};

use super::ExactBody;
use crate::{error::BoxError, object::State, request::ByteRange};

/// An object, of which S3 can be asked for the rest.
pub(crate) trait Reopen: Send + Sync {
    /// Asks S3 for the rest of a body, when it is polled: by then, the broken read is closed.
    fn reopen(self: Arc<Self>, rest: Rest) -> PartFuture;

    /// The error that a body ends in for good, and the line about it in the log.
    fn broke_off(&self, broken: Broken) -> BoxError;
}

/// S3's response to the request for a part of an object.
pub(crate) type PartFuture = Pin<Box<dyn Future<Output = Result<ExactBody, BoxError>> + Send>>;

/// What is missing of a body, and why.
#[derive(Debug)]
pub(crate) struct Rest {
    pub(crate) range: ByteRange,
    pub(crate) state: State,
    pub(crate) breaks: Breaks,
    /// Why the last read broke off.
    pub(crate) why: BoxError,
}

/// A body that breaks off for good.
#[derive(Debug)]
pub(crate) struct Broken {
    /// The offset in the object of the first byte that was not passed on.
    pub(crate) at: u64,
    /// How often its reads broke off.
    pub(crate) breaks: u32,
    /// Why the last one did.
    pub(crate) why: BoxError,
    /// Why the rest could not be read, if it was asked for.
    pub(crate) asked: Option<BoxError>,
}

/// How often the reads of a body broke off.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Breaks {
    pub(crate) in_all: u32,
    /// With little progress in between.
    pub(crate) in_a_row: u32,
    /// In bytes, at the last one.
    remaining: u64,
}

/// In bytes: a read that brought so much was worth its request.
const PROGRESS: u64 = 1024 * 1024;

// === impl Breaks ===

impl Breaks {
    pub(super) fn add(&mut self, remaining: u64) {
        let progress = self.remaining.saturating_sub(remaining);
        self.in_a_row = if progress >= PROGRESS { 1 } else { self.in_a_row.saturating_add(1) };
        self.in_all = self.in_all.saturating_add(1);
        self.remaining = remaining;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn breaks_are_in_a_row_if_little_comes_between_them() {
        let mut breaks = Breaks::default();
        for (remaining, in_a_row, in_all) in
            [(9 * PROGRESS, 1, 1), (9 * PROGRESS - 1, 2, 2), (9 * PROGRESS - 1, 3, 3), (7 * PROGRESS, 1, 4)]
        {
            breaks.add(remaining);
            assert_eq!((breaks.in_a_row, breaks.in_all), (in_a_row, in_all), "{remaining}");
        }
    }
}
