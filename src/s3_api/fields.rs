//! The fields of a request that mean more than is done here. To ignore one would be to do something else than was asked.

use http::HeaderMap;
use s3s::{S3Error, S3ErrorCode, S3Result};

use crate::terms::CUSTOMER_KEY;

/// Refuses a read with a key of the client's own.
pub(super) fn check_read(headers: &HeaderMap) -> S3Result<()> {
    match headers.contains_key(CUSTOMER_KEY) {
        true => Err(S3Error::with_message(S3ErrorCode::NotImplemented, ENCRYPTION)),
        false => Ok(()),
    }
}

const ENCRYPTION: &str = "the proxy decides how objects are encrypted: leave the fields about it out";
