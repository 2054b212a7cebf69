//! Encryption with keys that customers keep: the checks, without encrypting anything.
//!
//! An object keeps the algorithm and the digest of its key among its headers, as S3 shows them with each read.

use base64_simd::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};
use s3s::{S3Result, s3_error};

use crate::object::md5;

pub(crate) const ALGORITHM: HeaderName =
    HeaderName::from_static("x-amz-server-side-encryption-customer-algorithm");
pub(crate) const KEY_MD5: HeaderName =
    HeaderName::from_static("x-amz-server-side-encryption-customer-key-md5");
const KEY: HeaderName = HeaderName::from_static("x-amz-server-side-encryption-customer-key");

/// The headers that an object encrypted by this key keeps.
pub(crate) fn kept(key: &[u8; 32]) -> [(HeaderName, HeaderValue); 2] {
    let digest = HeaderValue::try_from(STANDARD.encode_to_string(md5(key))).expect("Base64 is visible ASCII");
    [(ALGORITHM, HeaderValue::from_static("AES256")), (KEY_MD5, digest)]
}

/// The headers of a request: all three, or none.
pub(crate) fn check_form(request: &HeaderMap) -> S3Result<()> {
    let values = [ALGORITHM, KEY, KEY_MD5].map(|name| request.get(name).and_then(|v| v.to_str().ok()));
    let (algorithm, key, digest) = match values {
        [None, None, None] => return Ok(()),
        [Some(algorithm), Some(key), Some(digest)] => (algorithm, key, digest),
        _ => {
            return Err(s3_error!(
                InvalidArgument,
                "Requests specifying Server Side Encryption with Customer provided keys must provide an appropriate secret key."
            ));
        }
    };
    if algorithm != "AES256" {
        return Err(s3_error!(
            InvalidArgument,
            "The requested encryption algorithm is not valid, must be AES256."
        ));
    }
    let key = STANDARD.decode_to_vec(key).ok().filter(|key| key.len() == 32);
    let key = key.ok_or_else(|| {
        s3_error!(InvalidArgument, "The secret key was invalid for the specified algorithm.")
    })?;
    if STANDARD.encode_to_string(md5(&key)) == digest {
        return Ok(());
    }
    Err(s3_error!(
        InvalidArgument,
        "The calculated MD5 hash of the key did not match the hash that was provided."
    ))
}

/// Whether a read with these headers may have an object with those.
pub(crate) fn check_read(request: &HeaderMap, object: &HeaderMap) -> S3Result<()> {
    check_form(request)?;
    match (request.get(KEY_MD5), object.get(KEY_MD5)) {
        (None, None) => Ok(()),
        (Some(given), Some(kept)) if given == kept => Ok(()),
        (Some(_), Some(_)) => Err(s3_error!(AccessDenied, "Access Denied")),
        (Some(_), None) => {
            Err(s3_error!(InvalidRequest, "The encryption parameters are not applicable to this object."))
        }
        (None, Some(_)) => Err(s3_error!(
            InvalidRequest,
            "The object was stored using a form of Server Side Encryption. The correct parameters must be provided to retrieve the object."
        )),
    }
}
