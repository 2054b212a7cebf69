//! Compares a body with the checksums that its client gave, before there is an object.

use http::HeaderMap;
use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum, Crc32, Crc32c, Crc64Nvme, Sha1, Sha256};
use s3s::{S3Result, s3_error};

use crate::object::md5;

/// Refuses other bytes than those of the checksums, in fields or behind the body, and of the digest.
pub(crate) fn verify(
    headers: &HeaderMap,
    trailers: Option<&HeaderMap>,
    digest: Option<&str>,
    bytes: &[u8],
) -> S3Result<()> {
    match digest.map(|told| base64_simd::STANDARD.decode_to_vec(told).unwrap_or_default()) {
        Some(digest) if digest.len() != 16 => return Err(s3_error!(InvalidDigest)),
        Some(digest) if digest != md5(bytes) => return Err(s3_error!(BadDigest)),
        Some(_) | None => {}
    }
    let told = |name: &str| headers.get(name).or_else(|| trailers?.get(name));
    let mut hasher = ChecksumHasher {
        crc32: told("x-amz-checksum-crc32").map(|_| Crc32::new()),
        crc32c: told("x-amz-checksum-crc32c").map(|_| Crc32c::new()),
        sha1: told("x-amz-checksum-sha1").map(|_| Sha1::new()),
        sha256: told("x-amz-checksum-sha256").map(|_| Sha256::new()),
        crc64nvme: told("x-amz-checksum-crc64nvme").map(|_| Crc64Nvme::new()),
    };
    hasher.update(bytes);
    let seen = hasher.finalize();
    let all = [
        ("x-amz-checksum-crc32", seen.checksum_crc32),
        ("x-amz-checksum-crc32c", seen.checksum_crc32c),
        ("x-amz-checksum-sha1", seen.checksum_sha1),
        ("x-amz-checksum-sha256", seen.checksum_sha256),
        ("x-amz-checksum-crc64nvme", seen.checksum_crc64nvme),
    ];
    let is_other = |(name, seen): &(&str, Option<String>)| {
        seen.as_ref().is_some_and(|seen| told(name).is_some_and(|told| told.as_bytes() != seen.as_bytes()))
    };
    match all.iter().find(|checksum| is_other(checksum)) {
        Some((name, _)) => Err(s3_error!(BadDigest, "The {name} you specified did not match the body.")),
        None => Ok(()),
    }
}
