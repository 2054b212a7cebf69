//! Pure parts, opened for the benches and fuzz targets of this repository. Not API: anything here may change at any
//! time.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use http::{HeaderMap, HeaderName, HeaderValue, header::HOST};

use crate::{
    object::{InvalidKey, ObjectKey},
    origin::{Identity, Signable, SigningKey, SigningScope, Timestamp},
    request::{Opening, ReadMethod, ReadRequest},
    route::KeyMapping,
};

/// The rest of a path to its key, behind a prefix.
///
/// # Errors
///
/// As for a request.
pub fn map_key(rest: &str) -> Result<ObjectKey, InvalidKey> {
    KeyMapping::default().key(rest)
}

/// How many fields of a GET are carried to S3.
pub fn read_request(headers: &HeaderMap) -> usize {
    match ReadRequest::new(ReadMethod::Get, headers).opening(SystemTime::now()) {
        Opening::Ask(question) => question.fields().count(),
        Opening::HeadFirst => 0,
    }
}

/// A signer with the day's key at hand, as a mount has it.
#[derive(Debug)]
pub struct Signer {
    key: SigningKey,
    at: Timestamp,
    headers: [(HeaderName, HeaderValue); 3],
}

// === impl Signer ===

impl Signer {
    /// Derives the key.
    pub fn new(credentials: Credentials, region: &str, at: SystemTime) -> Self {
        let at = Timestamp::new(at);
        let key = SigningKey::derive(&Identity::new(1, credentials), &SigningScope::new(region, "s3"), &at);
        let date = HeaderValue::from_str(at.as_str()).expect("a timestamp is ASCII");
        let headers = [
            (HOST, HeaderValue::from_static("s3.us-west-2.amazonaws.com")),
            (HeaderName::from_static("x-amz-content-sha256"), HeaderValue::from_static("UNSIGNED-PAYLOAD")),
            (HeaderName::from_static("x-amz-date"), date),
        ];
        Self { key, at, headers }
    }

    /// The value of `Authorization` for a GET of an encoded path.
    pub fn sign(&self, path: &str) -> String {
        let request = Signable { method: "GET", path, query: "", headers: &self.headers };
        self.key.authorization(&self.at, &request)
    }
}
