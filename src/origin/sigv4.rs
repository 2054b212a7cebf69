//! Signature Version 4 for reads and for links: few fields, no payload, the signing key kept for the day.
//!
//! Follows [S3's "Authenticating requests using the Authorization
//! header"](https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html) and ["Using query
//! parameters"](https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html): the path is signed as it
//! is sent (encoded once, not normalised), which is specific to S3.

use std::{
    fmt,
    time::{SystemTime, UNIX_EPOCH},
};

use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderName, HeaderValue};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use super::credentials::Identity;

/// The region and service for which a signature is valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SigningScope {
    region: String,
    service: String,
}

/// A time in SigV4's form: `20130524T000000Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Timestamp {
    text: [u8; 16],
}

/// A signing key, valid for one day, one scope and one set of credentials.
pub(crate) struct SigningKey {
    generation: u64,
    day: [u8; 8],
    /// `AWS4-HMAC-SHA256 Credential=AKID/20130524/us-east-1/s3/aws4_request, SignedHeaders=`
    authorization_prefix: String,
    /// `20130524/us-east-1/s3/aws4_request`
    credential_scope: String,
    mac: Hmac<Sha256>,
}

/// The signed parts of a request. Invariant: `headers` are sorted by name and no name occurs twice.
pub(crate) struct Signable<'r> {
    pub(crate) method: &'r str,
    /// Encoded, as sent.
    pub(crate) path: &'r str,
    /// Encoded, sorted, as sent; empty for none.
    pub(crate) query: &'r str,
    pub(crate) headers: &'r [(HeaderName, HeaderValue)],
}

/// The payload of a read is empty and the connection protects the rest.
pub(crate) const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";

// === impl SigningScope ===

impl SigningScope {
    pub(crate) fn new(region: &str, service: &str) -> Self {
        Self { region: region.to_owned(), service: service.to_owned() }
    }

    #[cfg(test)]
    pub(crate) fn region(&self) -> &str {
        &self.region
    }

    pub(crate) fn is(&self, region: &str, service: &str) -> bool {
        self.region == region && self.service == service
    }
}

// === impl Timestamp ===

impl Timestamp {
    pub(crate) fn new(at: SystemTime) -> Self {
        // S3 refuses a clock before 1970 or after 9999 as skewed, whatever is written here.
        let secs = at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let at = i64::try_from(secs)
            .ok()
            .and_then(|secs| OffsetDateTime::from_unix_timestamp(secs).ok())
            .unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let mut text = *b"0000-0-0T000000Z";
        let year = u32::try_from(at.year()).unwrap_or(0);
        let fields = [
            (0, year / 100),
            (2, year % 100),
            (4, u32::from(u8::from(at.month()))),
            (6, u32::from(at.day())),
            (9, u32::from(at.hour())),
            (11, u32::from(at.minute())),
            (13, u32::from(at.second())),
        ];
        for (start, value) in fields {
            for (place, divisor) in text.iter_mut().skip(start).zip([10, 1]) {
                *place = b'0' + u8::try_from(value / divisor % 10).expect("a digit fits a byte");
            }
        }
        Self { text }
    }

    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.text).expect("digits, T and Z are ASCII")
    }

    fn day(&self) -> &[u8; 8] {
        self.text.first_chunk().expect("a timestamp begins with its day")
    }
}

// === impl SigningKey ===

impl SigningKey {
    /// Four chained HMACs, which caching this key saves for each request.
    pub(crate) fn derive(identity: &Identity, scope: &SigningScope, at: &Timestamp) -> Self {
        let day = *at.day();
        let credentials = identity.credentials();
        let day_text = std::str::from_utf8(&day).expect("a day is digits");
        let mut key = hmac(format!("AWS4{}", credentials.secret_access_key()).as_bytes(), &day);
        for part in [scope.region.as_str(), &scope.service, "aws4_request"] {
            key = hmac(&key, part.as_bytes());
        }
        let credential_scope = format!("{day_text}/{}/{}/aws4_request", scope.region, scope.service);
        Self {
            generation: identity.generation(),
            day,
            authorization_prefix: format!(
                "{BEFORE_CREDENTIAL}{}/{credential_scope}{BEHIND_CREDENTIAL}",
                credentials.access_key_id()
            ),
            credential_scope,
            mac: new_mac(&key),
        }
    }

    /// Whether the key serves these credentials at this time.
    pub(crate) fn serves(&self, identity: &Identity, at: &Timestamp) -> bool {
        self.generation == identity.generation() && &self.day == at.day()
    }

    /// The value of `Authorization`, without allocating anything but that value.
    pub(crate) fn authorization(&self, at: &Timestamp, request: &Signable<'_>) -> String {
        let names_len: usize = request.headers.iter().map(|(name, _)| name.as_str().len() + 1).sum();
        let mut authorization =
            String::with_capacity(self.authorization_prefix.len() + names_len + ", Signature=".len() + 64);
        authorization.push_str(&self.authorization_prefix);
        let digest = request.digest(&mut authorization);
        authorization.push_str(", Signature=");
        authorization.push_str(hex(&self.seal(at, digest), &mut [0; 64]));
        authorization
    }

    /// The value of `X-Amz-Signature` for a URL whose query has all other parameters.
    pub(crate) fn signature(&self, at: &Timestamp, request: &Signable<'_>) -> String {
        let digest = request.digest(&mut String::new());
        hex(&self.seal(at, digest), &mut [0; 64]).to_owned()
    }

    /// The value of `X-Amz-Credential`: the access key and the scope.
    pub(crate) fn credential(&self) -> &str {
        let prefix = self.authorization_prefix.strip_prefix(BEFORE_CREDENTIAL);
        prefix.and_then(|rest| rest.strip_suffix(BEHIND_CREDENTIAL)).unwrap_or_default()
    }

    /// Signs the digest of a canonical request.
    fn seal(&self, at: &Timestamp, digest: [u8; 32]) -> [u8; 32] {
        let mut mac = self.mac.clone();
        for part in [ALGORITHM, "\n", at.as_str(), "\n", &self.credential_scope, "\n"] {
            mac.update(part.as_bytes());
        }
        mac.update(hex(&digest, &mut [0; 64]).as_bytes());
        mac.finalize().into_bytes().into()
    }
}

pub(crate) const ALGORITHM: &str = "AWS4-HMAC-SHA256";

const BEFORE_CREDENTIAL: &str = "AWS4-HMAC-SHA256 Credential=";
const BEHIND_CREDENTIAL: &str = ", SignedHeaders=";

// === impl Signable ===

impl Signable<'_> {
    /// The digest of the canonical request. Appends the names of the fields, as `SignedHeaders` has them.
    fn digest(&self, names: &mut String) -> [u8; 32] {
        let mut canonical = Sha256::new();
        for part in [self.method, "\n", self.path, "\n", self.query, "\n"] {
            canonical.update(part);
        }
        let mut payload_hash: &[u8] = UNSIGNED_PAYLOAD.as_bytes();
        let names_start = names.len();
        for (name, value) in self.headers {
            if name == X_AMZ_CONTENT_SHA256 {
                payload_hash = value.as_bytes();
            }
            canonical.update(name.as_str());
            canonical.update(b":");
            update_trimmed(&mut canonical, value.as_bytes());
            canonical.update(b"\n");
            if names.len() > names_start {
                names.push(';');
            }
            names.push_str(name.as_str());
        }
        canonical.update(b"\n");
        canonical.update(names.get(names_start..).unwrap_or_default());
        canonical.update(b"\n");
        canonical.update(payload_hash);
        canonical.finalize().into()
    }
}

pub(crate) const X_AMZ_CONTENT_SHA256: HeaderName = HeaderName::from_static("x-amz-content-sha256");

/// A field value in SigV4's form: outer spaces dropped, runs of spaces reduced to one.
fn update_trimmed(hash: &mut Sha256, value: &[u8]) {
    let value = trim_spaces(value);
    if !value.windows(2).any(|pair| pair == b"  ") {
        return hash.update(value);
    }
    let mut words = value.split(|b| *b == b' ').filter(|word| !word.is_empty());
    if let Some(first) = words.next() {
        hash.update(first);
    }
    for word in words {
        hash.update(b" ");
        hash.update(word);
    }
}

fn trim_spaces(mut value: &[u8]) -> &[u8] {
    while let [b' ', rest @ ..] | [rest @ .., b' '] = value {
        value = rest;
    }
    value
}

fn hex<'b>(digest: &[u8; 32], buffer: &'b mut [u8; 64]) -> &'b str {
    base16ct::lower::encode_str(digest, buffer).expect("64 digits hold 32 bytes")
}

fn new_mac(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes a key of any length")
}

fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    new_mac(key).chain_update(message).finalize().into_bytes().into()
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("scope", &self.credential_scope).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
