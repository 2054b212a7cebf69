//! Stage 2: what is asked of the object? Pure.

mod method;
mod query;
mod read;

pub(crate) use method::{ALLOW, AskedMethod};
pub(crate) use query::{VersionId, VersionPolicy};
pub(crate) use read::{ReadMethod, ReadRequest};
