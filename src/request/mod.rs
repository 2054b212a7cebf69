//! What does the client ask of the object? Pure.

mod conditions;
mod disposition;
mod query;
mod question;
mod range;
mod read;

pub(crate) use conditions::{Conditions, ForS3, IfRange, Verdict};
pub(crate) use disposition::{Disposition, DispositionKind, DownloadName};
pub(crate) use query::{DownloadPolicy, Query, QueryPolicy, VersionPolicy};
pub(crate) use question::{Purpose, Question};
pub(crate) use range::{ByteRange, ContentRange, RangeSpec, Ranges, Resolved, Span, spans};
pub(crate) use read::{ALLOW, AskedMethod, Opening, ReadMethod, ReadRequest};
