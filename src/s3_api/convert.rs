//! Between the SDK's types and those of `s3s`.

use std::time::SystemTime;

use aws_smithy_types::DateTime;
use s3s::dto::{ETag, Timestamp};
use time::OffsetDateTime;

pub(super) fn timestamp(time: DateTime) -> Option<Timestamp> {
    SystemTime::try_from(time).ok().map(Timestamp::from)
}

pub(super) fn date(time: Timestamp) -> DateTime {
    DateTime::from(SystemTime::from(OffsetDateTime::from(time)))
}

/// As S3 tells it, in quotes; some servers leave them out.
pub(super) fn tag(text: &str) -> ETag {
    ETag::parse_http_header(text.as_bytes())
        .unwrap_or_else(|_| ETag::Strong(text.trim_matches('"').to_owned()))
}

/// Sets what a request of the SDK says of an object besides its bytes.
macro_rules! described {
    ($request:expr, $input:ident) => {
        $request
            .set_cache_control($input.cache_control)
            .set_content_disposition($input.content_disposition)
            .set_content_encoding(coding($input.content_encoding))
            .set_content_language($input.content_language)
            .set_content_type($input.content_type)
            .set_expires($input.expires.map(date))
            .set_metadata($input.metadata)
            .set_storage_class($input.storage_class.map(|class| StorageClass::from(class.as_str())))
            .set_tagging($input.tagging)
    };
}

/// A request to S3, or a part named in one, with the checksums that the client sent.
macro_rules! with_sums {
    ($request:expr, $input:ident) => {
        $request
            .set_checksum_crc32($input.checksum_crc32)
            .set_checksum_crc32_c($input.checksum_crc32c)
            .set_checksum_crc64_nvme($input.checksum_crc64nvme)
            .set_checksum_sha1($input.checksum_sha1)
            .set_checksum_sha256($input.checksum_sha256)
    };
}

/// A value of `s3s` with the checksums of one of the SDK, and, with two dots, with what is not named left out.
macro_rules! summed {
    ($type:ident from $told:ident { $($field:ident: $value:expr),* $(, ..$rest:expr)? }) => {
        $type {
            checksum_crc32: $told.checksum_crc32().map(str::to_owned),
            checksum_crc32c: $told.checksum_crc32_c().map(str::to_owned),
            checksum_crc64nvme: $told.checksum_crc64_nvme().map(str::to_owned),
            checksum_sha1: $told.checksum_sha1().map(str::to_owned),
            checksum_sha256: $told.checksum_sha256().map(str::to_owned),
            $($field: $value,)*
            $(..$rest)?
        }
    };
}

pub(super) use {described, summed, with_sums};
