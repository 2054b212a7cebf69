//! Stage 4: get it from S3: where the bucket is, whose signature, over which wire.

mod credentials;
mod endpoint;
mod s3_error;
mod sigv4;
mod wire;

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use aws_smithy_async::time::SharedTimeSource;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri,
    header::{AUTHORIZATION, HOST, USER_AGENT},
};

pub(crate) use self::{
    credentials::{CredentialCache, CredentialsUnavailable, Identity},
    endpoint::Addressing,
    s3_error::{S3ErrorBody, S3ErrorCode},
    sigv4::{Signable, SigningKey, Timestamp},
    wire::{ConnectTo, PoolSettings, Pools, SdkClient, WireBody, WireError, tls_connector},
};
use self::{
    endpoint::{Endpoint, EndpointError},
    sigv4::{UNSIGNED_PAYLOAD, X_AMZ_CONTENT_SHA256},
    wire::{Reuse, Wire, WireErrorKind},
};
use crate::{
    error::BoxError,
    object::{BucketName, ObjectKey},
    request::{ReadRequest, VersionId},
};
#[cfg(feature = "__internals")]
pub(crate) use sigv4::SigningScope;
#[cfg(feature = "aws-config")]
pub(crate) use wire::PooledClient;

/// The read lane: signed GETs and HEADs of the objects of one mount.
pub(crate) struct S3Origin {
    addressing: Addressing,
    /// `None` for a public bucket: nothing is signed.
    credentials: Option<CredentialCache>,
    client: WireClient,
    clock: SharedTimeSource,
    /// Places found so far. Fixed buckets are found when the configuration is built.
    places: RwLock<HashMap<BucketName, Arc<Place>>>,
}

/// What requests are sent with.
#[derive(Debug, Clone)]
pub(crate) enum WireClient {
    Pools(Pools),
    Sdk(SdkClient),
}

/// A bucket's endpoint and what carries requests to it.
struct Place {
    endpoint: Endpoint,
    wire: Wire,
}

/// Why S3 gave no answer at all.
#[derive(Debug)]
pub(crate) enum OriginError {
    Credentials(CredentialsUnavailable),
    Endpoint(EndpointError),
    Wire(WireError),
    /// The request can't be written down: the credentials hold bytes that no header may hold.
    Unwritable(BoxError),
}

// === impl S3Origin ===

impl S3Origin {
    pub(crate) fn new(
        addressing: Addressing,
        credentials: Option<CredentialCache>,
        client: WireClient,
        clock: SharedTimeSource,
    ) -> Self {
        Self { addressing, credentials, client, clock, places: RwLock::default() }
    }

    /// Whose signature S3 gets to see; `None` if nothing is signed.
    #[cfg(test)]
    pub(crate) async fn access_key_id(&self) -> Option<String> {
        let identity = self.credentials.as_ref()?.fetch().await.expect("the test has credentials");
        Some(identity.credentials().access_key_id().to_owned())
    }

    /// Whether there are credentials, or none are needed.
    pub(crate) async fn has_credentials(&self) -> Result<(), OriginError> {
        match &self.credentials {
            Some(cache) if cache.current(self.clock.now()).is_none() => {
                cache.fetch().await.map(drop).map_err(OriginError::Credentials)
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Finds a bucket's place now, so that a wrong configuration is refused when it is built.
    pub(crate) fn locate(&self, bucket: &BucketName) -> Result<(), EndpointError> {
        self.place(bucket).map(drop)
    }

    /// Whether any request could travel over TLS.
    pub(crate) fn needs_tls(addressing: &Addressing) -> bool {
        !addressing.endpoint_url.as_deref().is_some_and(|url| url.starts_with("http:"))
    }

    /// Asks S3 for one object and waits for the head of its answer, whatever its status.
    pub(crate) async fn read(
        &self,
        bucket: &BucketName,
        key: &ObjectKey,
        version: Option<&VersionId>,
        read: &ReadRequest,
    ) -> Result<Response<WireBody>, OriginError> {
        let place = self.place(bucket).map_err(OriginError::Endpoint)?;
        let mut reuse = Reuse::Allowed;
        loop {
            let now = self.clock.now();
            let identity = match &self.credentials {
                Some(cache) => Some(match cache.current(now) {
                    Some(identity) => identity,
                    None => Box::pin(cache.fetch()).await.map_err(OriginError::Credentials)?,
                }),
                None => None,
            };
            let path_and_query = place.endpoint.path_and_query(key, version);
            let request =
                place.endpoint.request(read, path_and_query, identity.as_deref(), &Timestamp::new(now))?;
            match place.wire.send(&place.endpoint, request, reuse).await {
                Err(error) if error.kind == WireErrorKind::Stale => reuse = Reuse::Fresh,
                sent => return sent.map_err(OriginError::Wire),
            }
        }
    }

    fn place(&self, bucket: &BucketName) -> Result<Arc<Place>, EndpointError> {
        if let Some(place) = self.places.read().unwrap_or_else(PoisonError::into_inner).get(bucket) {
            return Ok(Arc::clone(place));
        }
        let endpoint = self.addressing.resolve(bucket)?;
        let wire = match &self.client {
            WireClient::Pools(pools) => {
                Wire::Pool(pools.pool(&endpoint.scheme, &endpoint.host, endpoint.port))
            }
            WireClient::Sdk(client) => Wire::Sdk(client.clone()),
        };
        let place = Arc::new(Place { endpoint, wire });
        let mut places = self.places.write().unwrap_or_else(PoisonError::into_inner);
        if places.len() >= MAX_PLACES {
            places.clear();
        }
        places.insert(bucket.clone(), Arc::clone(&place));
        Ok(place)
    }
}

/// Bucket names that requests bring are bounded only by the allow-list's globs. Finding a place again is cheap.
const MAX_PLACES: usize = 256;

impl fmt::Debug for S3Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Origin")
            .field("addressing", &self.addressing)
            .field("credentials", &self.credentials)
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}

// === impl Endpoint ===

impl Endpoint {
    /// The request as it goes over the wire, signed if there is an identity.
    fn request(
        &self,
        read: &ReadRequest,
        path_and_query: String,
        identity: Option<&Identity>,
        at: &Timestamp,
    ) -> Result<Request<()>, OriginError> {
        let mut fields: Vec<(HeaderName, HeaderValue)> = Vec::with_capacity(FIELDS);
        // Invariant: in the order of their names, as the signature wants them.
        fields.push((HOST, self.host_header.clone()));
        fields.extend(read.fields().map(|(name, value)| (name, value.clone())));
        let mut authorization = None;
        if let Some(identity) = identity {
            fields.push((X_AMZ_CONTENT_SHA256, const { HeaderValue::from_static(UNSIGNED_PAYLOAD) }));
            let date = HeaderValue::from_str(at.as_str()).map_err(OriginError::unwritable)?;
            fields.push((X_AMZ_DATE, date));
            if let Some(token) = identity.credentials().session_token() {
                let mut token = HeaderValue::from_str(token).map_err(OriginError::unwritable)?;
                token.set_sensitive(true);
                fields.push((X_AMZ_SECURITY_TOKEN, token));
            }
            let (path, query) = path_and_query.split_once('?').unwrap_or((&path_and_query, ""));
            let signable = Signable { method: read.method.as_str(), path, query, headers: &fields };
            let value = self.signing_key(identity, at).authorization(at, &signable);
            let mut value = HeaderValue::try_from(value).map_err(OriginError::unwritable)?;
            value.set_sensitive(true);
            authorization = Some(value);
        }

        let mut headers = HeaderMap::with_capacity(FIELDS);
        for (name, value) in fields {
            headers.append(name, value);
        }
        headers.insert(USER_AGENT, AGENT);
        if let Some(value) = authorization {
            headers.insert(AUTHORIZATION, value);
        }
        let mut request = Request::new(());
        *request.method_mut() = Method::from(read.method);
        *request.uri_mut() = Uri::try_from(path_and_query).map_err(OriginError::unwritable)?;
        *request.headers_mut() = headers;
        Ok(request)
    }

    /// The day's signing key, derived when the day or the credentials changed.
    fn signing_key(&self, identity: &Identity, at: &Timestamp) -> Arc<SigningKey> {
        let kept = self.signing_key.load_full().filter(|key| key.serves(identity, at));
        kept.unwrap_or_else(|| {
            let key = Arc::new(SigningKey::derive(identity, &self.scope, at));
            self.signing_key.store(Some(Arc::clone(&key)));
            key
        })
    }
}

/// Room for every field that a read can have.
const FIELDS: usize = 12;

const X_AMZ_DATE: HeaderName = HeaderName::from_static("x-amz-date");
const X_AMZ_SECURITY_TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");

/// Shown in S3's access log. Not signed, as in the SDKs.
const AGENT: HeaderValue = HeaderValue::from_static(concat!("tower-s3-proxy/", env!("CARGO_PKG_VERSION")));

// === impl OriginError ===

impl OriginError {
    fn unwritable(error: impl Into<BoxError>) -> Self {
        Self::Unwritable(error.into())
    }

    pub(crate) fn timed_out(&self) -> bool {
        matches!(self, Self::Wire(error) if error.kind == WireErrorKind::Timeout)
    }
}

impl fmt::Display for OriginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Credentials(_) => "no credentials",
            Self::Endpoint(_) => "the bucket has no endpoint",
            Self::Wire(_) => "the origin could not be asked",
            Self::Unwritable(_) => "the request to the origin could not be written",
        })
    }
}

impl std::error::Error for OriginError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Credentials(error) => Some(error),
            Self::Endpoint(error) => Some(error),
            Self::Wire(error) => Some(error),
            Self::Unwritable(error) => Some(error.as_ref()),
        }
    }
}
