//! What does the client ask of the object? Pure.

mod coding;
mod conditions;
mod disposition;
mod query;
mod question;
mod range;
mod read;
mod signed_url;

pub(crate) use coding::{Coding, is_compressible};
pub(crate) use conditions::{Conditions, ForS3, IfRange, Verdict};
pub(crate) use disposition::{Disposition, DispositionKind, DownloadName};
pub(crate) use query::{DownloadPolicy, Query, QueryPolicy, VersionPolicy};
pub(crate) use question::{Purpose, Question};
pub(crate) use range::{ByteRange, ContentRange, RangeSpec, Ranges, Resolved, Span, spans};
pub(crate) use read::{AskedMethod, Methods, Opening, ReadMethod, ReadRequest};
pub(crate) use signed_url::{InvalidSignedUrl, Signature, SignedAnswer, SignedRequest, SignedUrl};
