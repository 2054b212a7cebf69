//! The synchronisation primitives of the single flight, in one place: `models/` builds the same code over the
//! primitives of a model checker.

pub(crate) use std::sync::{Mutex, MutexGuard, PoisonError, atomic};

pub(crate) use tokio::sync::{Notify, watch};
