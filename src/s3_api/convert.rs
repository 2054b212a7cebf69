//! Between the SDK's types and those of `s3s`.

use std::time::SystemTime;

use aws_smithy_types::DateTime;
use s3s::dto::{ETag, Timestamp};

pub(super) fn timestamp(time: DateTime) -> Option<Timestamp> {
    SystemTime::try_from(time).ok().map(Timestamp::from)
}

/// As S3 tells it, in quotes; some servers leave them out.
pub(super) fn tag(text: &str) -> ETag {
    ETag::parse_http_header(text.as_bytes())
        .unwrap_or_else(|_| ETag::Strong(text.trim_matches('"').to_owned()))
}
