//! What becomes of an error of the SDK's client.

use std::error::Error;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use http::StatusCode;
use s3s::{S3Error, S3ErrorCode};

use super::answer;
use crate::{
    config::Mount,
    error::{Failure, ProxyError, ProxyErrorKind},
    object::ObjectKey,
    origin::{S3ErrorCode as Known, kind_without_answer},
};

/// The client's own fault, which it is told by S3's code; or one of the proxy or S3, which is the operator's to know.
pub(super) fn retold<E>(mount: &Mount, key: Option<&ObjectKey>, error: SdkError<E, HttpResponse>) -> S3Error
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    let status = error.raw_response().and_then(|raw| StatusCode::from_u16(raw.status().as_u16()).ok());
    let code = error.as_service_error().and_then(|error| error.meta().code().map(str::to_owned));
    let (Some(status), Some(code)) = (status, code) else {
        let kind = kind_without_answer(&error);
        return answer::failed(mount, ProxyError::from_source(kind, error).into(), key);
    };
    if let Some((_, message)) = OF_THE_CLIENT.iter().find(|(known, _)| *known == code) {
        let code = S3ErrorCode::from_bytes(code.as_bytes()).unwrap_or(S3ErrorCode::InvalidRequest);
        let mut told = S3Error::with_message(code, *message);
        told.set_status_code(status);
        return told;
    }
    let kind = match Known::parse(&code) {
        // Nobody guesses at keys by a write or a list: who may do it is told why it fails.
        Known::AccessDenied => ProxyErrorKind::Forbidden,
        known => mount.error_kind(status, known, None),
    };
    answer::failed(mount, Failure::from(ProxyError::from_origin_code(kind, code)), key)
}

/// Codes that are about the client's request, and what they say.
const OF_THE_CLIENT: [(&str, &str); 23] = [
    ("BadDigest", "the body is not the one that its digest is of"),
    ("ConditionalRequestConflict", "another request changes the object at the same time"),
    ("EntityTooLarge", "the object would be too large"),
    ("EntityTooSmall", "a part besides the last is too small"),
    ("InvalidArgument", "an argument is not valid"),
    ("InvalidDigest", "the digest is not valid"),
    ("InvalidEncryptionAlgorithmError", "the encryption is not valid"),
    ("InvalidObjectState", "the object is archived and must be restored first"),
    ("InvalidPart", "a part is missing, or is not the one that was stored"),
    ("InvalidPartOrder", "the parts are not in the order of their numbers"),
    ("InvalidRequest", "S3 refuses the request"),
    ("InvalidStorageClass", "the storage class is not valid"),
    ("InvalidTag", "a tag is not valid"),
    ("KeyTooLongError", "the key is too long"),
    ("MalformedXML", "the document of the request is malformed"),
    ("MetadataTooLarge", "the metadata are too large"),
    ("NotImplemented", "the bucket's server does not do this"),
    ("NoSuchKey", "there is no such object"),
    ("NoSuchUpload", "there is no such upload"),
    ("NoSuchVersion", "there is no such version"),
    ("OperationAborted", "another operation on the object is under way"),
    ("PreconditionFailed", "a precondition of the request does not hold"),
    ("XAmzContentSHA256Mismatch", "the body is not the one that was signed"),
];
