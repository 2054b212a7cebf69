//! Stage 2: what is asked of the object? Pure.

mod conditions;
mod method;
mod query;
mod question;
mod range;
mod read;

pub(crate) use conditions::{Conditions, ForS3, IfRange, Verdict};
pub(crate) use method::{ALLOW, AskedMethod};
pub(crate) use query::{VersionId, VersionPolicy};
pub(crate) use question::Question;
pub(crate) use range::{ByteRange, ContentRange, RangeSpec, Ranges, Resolved};
pub(crate) use read::{Opening, ReadMethod, ReadRequest};
