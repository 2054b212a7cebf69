//! Access rules: who may do what.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::{S3Auth, SecretKey};
use s3s::{S3Error, S3Result, s3_error};

/// The access key of a server without explicit keys.
pub const DEMO_ACCESS_KEY: &str = "AKIADEMODEMODEMODEMO";
/// The secret key of [`DEMO_ACCESS_KEY`].
pub const DEMO_SECRET_KEY: &str = "demo-secret-key-that-protects-nothing";

/// A pair of keys that the server accepts, perhaps only with a session token.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    access_key: String,
    secret_key: String,
    session_token: Option<String>,
    /// As a policy would say it.
    prefix: String,
    listing: Listing,
}

/// Whether a policy allows `s3:ListBucket`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Listing {
    Allowed,
    Denied,
}

/// The rules of one server.
#[derive(Debug, Default)]
pub(crate) struct Access {
    pub(crate) region: Option<String>,
    pub(crate) public_buckets: HashSet<String>,
    pub(crate) owner: Option<String>,
    pub(crate) requester_pays: HashSet<String>,
    known: RwLock<HashMap<String, Known>>,
}

/// Lets `s3s` ask the shared rules.
#[derive(Clone, Debug)]
pub(crate) struct Gate(pub(crate) Arc<Access>);

#[derive(Debug)]
struct Known {
    credential: Credential,
    expired: bool,
}

const EXPECTED_OWNER: HeaderName = HeaderName::from_static("x-amz-expected-bucket-owner");
const REQUEST_PAYER: HeaderName = HeaderName::from_static("x-amz-request-payer");

// === impl Credential ===

impl Credential {
    /// Long-term keys.
    pub fn new(access_key: impl Into<String>, secret_key: impl Into<String>) -> Self {
        Self {
            access_key: access_key.into(),
            secret_key: secret_key.into(),
            session_token: None,
            prefix: String::new(),
            listing: Listing::Allowed,
        }
    }

    /// Makes them temporary keys, valid only together with this token.
    pub fn with_session_token(mut self, token: impl Into<String>) -> Self {
        self.session_token = Some(token.into());
        self
    }

    /// Denies every object whose key does not begin with this.
    pub fn only_below(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Takes `s3:ListBucket` away: keys are not listed, and missing ones are 403 as denied ones are.
    pub fn without_listing(mut self) -> Self {
        self.listing = Listing::Denied;
        self
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("access_key", &self.access_key)
            .field("temporary", &self.session_token.is_some())
            .finish_non_exhaustive()
    }
}

// === impl Access ===

impl Access {
    pub(crate) fn add(&self, credential: Credential) {
        let known = Known { credential, expired: false };
        self.known
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(known.credential.access_key.clone(), known);
    }

    pub(crate) fn expire(&self, access_key: &str) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.get_mut(access_key) {
            known.expired = true;
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.with_known(HashMap::is_empty)
    }

    /// The terms of the bucket's owner, and the owner that a request expects. Without an owner, no expectation is met.
    pub(crate) fn admit_on_terms(&self, bucket: &str, headers: &HeaderMap) -> S3Result<()> {
        let is_owner = headers.get(EXPECTED_OWNER).is_none_or(|expected| {
            self.owner.as_ref().is_some_and(|owner| expected.as_bytes() == owner.as_bytes())
        });
        let is_paid = !self.requester_pays.contains(bucket)
            || headers.get(REQUEST_PAYER).is_some_and(|payer| payer == "requester");
        if is_owner && is_paid { Ok(()) } else { Err(s3_error!(AccessDenied, "Access Denied")) }
    }

    /// Checks what the signature does not cover: the key's token, and the region.
    pub(crate) fn admit(&self, access_key: &str, uri: &Uri, headers: &HeaderMap) -> S3Result<()> {
        check_signed(headers)?;
        self.check_region(uri, headers)?;
        let token = parameter(uri, headers, "x-amz-security-token", "X-Amz-Security-Token");
        self.with_known(|known| match known.get(access_key) {
            None => Err(unknown_key()),
            Some(known) if known.expired => Err(s3_error!(ExpiredToken, "The provided token has expired.")),
            Some(known) => match (&known.credential.session_token, token) {
                (None, None) => Ok(()),
                (Some(expected), Some(token)) if *expected == token => Ok(()),
                // S3 does not know temporary keys without their token.
                (Some(_), None) => Err(unknown_key()),
                (_, Some(_)) => {
                    Err(s3_error!(InvalidToken, "The provided token is malformed or otherwise invalid."))
                }
            },
        })
    }

    /// Whether a policy would allow anything at all with the object.
    pub(crate) fn admit_to(&self, access_key: &str, key: &str) -> S3Result<()> {
        let is_allowed = self.with_known(|known| {
            known.get(access_key).is_some_and(|known| key.starts_with(&known.credential.prefix))
        });
        if is_allowed { Ok(()) } else { Err(s3_error!(AccessDenied, "Access Denied")) }
    }

    pub(crate) fn may_list(&self, access_key: &str) -> bool {
        self.with_known(|known| {
            known.get(access_key).is_none_or(|known| known.credential.listing == Listing::Allowed)
        })
    }

    fn check_region(&self, uri: &Uri, headers: &HeaderMap) -> S3Result<()> {
        let Some(expected) = &self.region else {
            return Ok(());
        };
        let scope = parameter(uri, headers, "authorization", "X-Amz-Credential");
        let signed_for = scope.as_deref().and_then(|scope| {
            let scope = scope.split_once("Credential=").map_or(scope, |(_, rest)| rest);
            scope.split(['/', ',']).nth(2)
        });
        if signed_for == Some(expected) {
            return Ok(());
        }
        let signed_for = signed_for.unwrap_or_default();
        let mut error = s3_error!(
            AuthorizationHeaderMalformed,
            "The authorization header is malformed; the region '{signed_for}' is wrong; expecting '{expected}'"
        );
        error.set_headers(region_headers(expected));
        Err(error)
    }

    fn with_known<T>(&self, f: impl FnOnce(&HashMap<String, Known>) -> T) -> T {
        f(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Every `x-amz-` header of a request must be signed.
fn check_signed(headers: &HeaderMap) -> S3Result<()> {
    let authorization = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let Some((_, rest)) = authorization.and_then(|text| text.split_once("SignedHeaders=")) else {
        // A presigned URL: its parameters are in the query.
        return Ok(());
    };
    let signed: Vec<_> = rest.split(',').next().unwrap_or_default().trim().split(';').collect();
    let mut names = headers.keys().map(HeaderName::as_str).filter(|name| name.starts_with("x-amz-"));
    match names.find(|name| !signed.contains(name)) {
        None => Ok(()),
        Some(_) => {
            Err(s3_error!(AccessDenied, "There were headers present in the request which were not signed"))
        }
    }
}

fn region_headers(region: &str) -> HeaderMap {
    let mut headers = error_headers();
    if let Ok(region) = HeaderValue::from_str(region) {
        headers.insert(HeaderName::from_static("x-amz-bucket-region"), region);
    }
    headers
}

/// `s3s` replaces its own headers by those of an error.
pub(crate) fn error_headers() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    headers
}

/// A parameter of the signature: in a header, or in the query of a presigned URL.
fn parameter(uri: &Uri, headers: &HeaderMap, header: &str, query: &str) -> Option<String> {
    if let Some(value) = headers.get(header) {
        return value.to_str().ok().map(str::to_owned);
    }
    form_urlencoded::parse(uri.query()?.as_bytes())
        .find(|(name, _)| name == query)
        .map(|(_, value)| value.into_owned())
}

fn unknown_key() -> S3Error {
    s3_error!(InvalidAccessKeyId, "The AWS Access Key Id you provided does not exist in our records.")
}

// === impl Gate ===

#[async_trait::async_trait]
impl S3Auth for Gate {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        self.0.with_known(|known| {
            let known = known.get(access_key).ok_or_else(unknown_key)?;
            Ok(SecretKey::from(known.credential.secret_key.as_str()))
        })
    }
}

#[async_trait::async_trait]
impl S3Access for Gate {
    async fn check(&self, cx: &mut S3AccessContext<'_>) -> S3Result<()> {
        match cx.credentials() {
            Some(keys) => {
                self.0.admit(&keys.access_key, cx.uri(), cx.headers())?;
                let is_listing = cx.s3_op().name().starts_with("List")
                    || matches!(cx.s3_op().name(), "HeadBucket" | "GetBucketWebsite");
                if is_listing && !self.0.may_list(&keys.access_key) {
                    return Err(s3_error!(AccessDenied, "Access Denied"));
                }
                if let Some(bucket) = cx.s3_path().get_bucket_name() {
                    self.0.admit_on_terms(bucket, cx.headers())?;
                }
                cx.s3_path().as_object().map_or(Ok(()), |(_, key)| self.0.admit_to(&keys.access_key, key))
            }
            None => Err(s3_error!(AccessDenied, "Access Denied")),
        }
    }
}
