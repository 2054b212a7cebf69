//! The fields of a write that mean more than is done here. To ignore one would be to do something else than was asked.

use http::{HeaderMap, HeaderName, HeaderValue};
use s3s::{S3Error, S3ErrorCode, S3Result};

use crate::terms::CUSTOMER_KEY;

/// Refuses a write with a field that asks for what the mount decides, or for what is not done here.
pub(super) fn check(headers: &HeaderMap) -> S3Result<()> {
    let refused = headers.iter().find_map(|(name, value)| refusal(name, value));
    refused.map_or(Ok(()), |message| Err(not_implemented(message)))
}

/// As [`check`], of a read.
pub(super) fn check_read(headers: &HeaderMap) -> S3Result<()> {
    match headers.contains_key(CUSTOMER_KEY) {
        true => Err(not_implemented(ENCRYPTION)),
        false => Ok(()),
    }
}

fn refusal(name: &HeaderName, value: &HeaderValue) -> Option<&'static str> {
    let name = name.as_str().strip_prefix("x-amz-")?;
    match name {
        // Whoever can write cannot make an object public, past the proxy.
        "acl" if PRIVATE.contains(&value.as_bytes()) => None,
        "acl" => Some(
            "access control lists are not served here: the only ones are private and bucket-owner-full-control",
        ),
        // What every object has at the least.
        "server-side-encryption" if value == "AES256" => None,
        "server-side-encryption" => Some(ENCRYPTION),
        "bypass-governance-retention" | "mfa" => Some("locks of objects are not served here"),
        "expected-bucket-owner" | "source-expected-bucket-owner" => {
            Some("the bucket has no owner of its own here: leave the expected one out")
        }
        "website-redirect-location" => Some("redirects of objects are not served here"),
        "write-offset-bytes" => Some("objects are not appended to here"),
        "checksum-algorithm" | "checksum-type" | "checksum-mode" => None,
        name if name.starts_with("grant-") => Some("grants are not served here"),
        name if name.starts_with("object-lock-") => Some("locks of objects are not served here"),
        name if name.starts_with("server-side-encryption-")
            || name.starts_with("copy-source-server-side-encryption-") =>
        {
            Some(ENCRYPTION)
        }
        "trailer" => {
            let named = value.to_str().ok().and_then(|told| told.trim().strip_prefix("x-amz-checksum-"));
            (!named.is_some_and(|algorithm| CHECKSUMS.contains(&algorithm)))
                .then_some("what comes behind a body here is one checksum of a known algorithm")
        }
        name if name.starts_with("meta-") || SERVED.contains(&name) => None,
        name => match name.strip_prefix("checksum-") {
            Some(algorithm) if CHECKSUMS.contains(&algorithm) => None,
            Some(_) => Some("the algorithm of the checksum is not known here"),
            None => Some("a field x-amz-* of the request is not served here"),
        },
    }
}

/// Those that operations look at, and those that are about the request alone.
const SERVED: [&str; 20] = [
    // Of the SDK for C++, which pyarrow uses; the next of those for Java.
    "api-version",
    "te",
    "content-sha256",
    "copy-source",
    "copy-source-if-match",
    "copy-source-if-modified-since",
    "copy-source-if-none-match",
    "copy-source-if-unmodified-since",
    "copy-source-range",
    "date",
    "decoded-content-length",
    "metadata-directive",
    "mp-object-size",
    "request-payer",
    "sdk-checksum-algorithm",
    "security-token",
    "storage-class",
    "tagging",
    "tagging-directive",
    "user-agent",
];

const ENCRYPTION: &str = "the proxy decides how objects are encrypted: leave the fields about it out";
const PRIVATE: [&[u8]; 2] = [b"private", b"bucket-owner-full-control"];
const CHECKSUMS: [&str; 5] = ["crc32", "crc32c", "crc64nvme", "sha1", "sha256"];

fn not_implemented(message: &'static str) -> S3Error {
    S3Error::with_message(S3ErrorCode::NotImplemented, message)
}

/// The coding of the object, without that of its transport, which is over here.
pub(super) fn coding(field: Option<String>) -> Option<String> {
    let codings = field?;
    let kept: Vec<_> = codings
        .split(',')
        .map(str::trim)
        .filter(|coding| !coding.eq_ignore_ascii_case("aws-chunked"))
        .collect();
    Some(kept.join(", ")).filter(|kept| !kept.is_empty())
}

/// A field of the request, to be handed on as it is.
pub(super) fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_asks_for_something_else_is_refused() {
        for (name, value, is_taken) in [
            ("x-amz-acl", "private", true),
            ("x-amz-acl", "bucket-owner-full-control", true),
            ("x-amz-acl", "public-read", false),
            ("x-amz-grant-read", "uri=all", false),
            ("x-amz-server-side-encryption", "AES256", true),
            ("x-amz-server-side-encryption", "aws:kms", false),
            ("x-amz-server-side-encryption-aws-kms-key-id", "k", false),
            ("x-amz-server-side-encryption-customer-key", "k", false),
            ("x-amz-copy-source-server-side-encryption-customer-key", "k", false),
            ("x-amz-object-lock-mode", "COMPLIANCE", false),
            ("x-amz-website-redirect-location", "/", false),
            ("x-amz-write-offset-bytes", "1", false),
            ("x-amz-expected-bucket-owner", "1", false),
            ("x-amz-checksum-crc32", "AAAAAA==", true),
            ("x-amz-checksum-algorithm", "CRC32", true),
            ("x-amz-checksum-xxhash64", "x", false),
            ("x-amz-meta-acl", "public-read", true),
            ("x-amz-tagging", "a=b", true),
            ("x-amz-api-version", "2006-03-01", true),
            ("x-amz-rename-source", "a", false),
            ("x-amz-trailer", "x-amz-checksum-crc32", true),
            ("x-amz-trailer", "x-amz-checksum-sha512", false),
            ("x-amz-trailer", "x-amz-checksum-crc32,x-amz-checksum-sha256", false),
            ("x-amz-storage-class", "STANDARD_IA", true),
            ("content-type", "text/plain", true),
        ] {
            let headers = [(HeaderName::from_static(name), HeaderValue::from_static(value))];
            assert_eq!(check(&headers.into_iter().collect()).is_ok(), is_taken, "{name}: {value}");
        }
    }

    #[test]
    fn the_coding_of_the_transport_is_not_the_objects() {
        for (field, expected) in [
            ("aws-chunked", None),
            ("gzip,aws-chunked", Some("gzip")),
            ("gzip, br", Some("gzip, br")),
            ("", None),
        ] {
            assert_eq!(coding(Some(field.to_owned())).as_deref(), expected, "{field}");
        }
        assert_eq!(coding(None), None);
    }
}
