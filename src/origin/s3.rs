use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, PoisonError, RwLock},
    time::SystemTime,
};

use aws_smithy_async::time::TimeSource;
use http::{
    HeaderMap, Response, StatusCode,
    header::{CONTENT_LENGTH, TRANSFER_ENCODING},
};

use super::{
    Addressing, CredentialCache, EndpointUrl, Identity, OriginClock, OriginError, Pools, Refusal, Timestamp,
    WireBody,
    absent_keys::AbsentKeys,
    endpoint::{AuthScheme, Endpoint, EndpointError},
    in_flight::InFlight,
    recovery::Explainer,
    wire::{Reuse, SdkClient, Wire, WireErrorKind},
};
use crate::{
    object::{BucketName, ObjectKey, VersionId},
    request::Question,
    terms::{BucketTerms, TermFields},
};

/// The read lane: signed GETs and HEADs of the objects of one mount.
pub(crate) struct S3Origin {
    pub(super) addressing: Addressing,
    /// What credentials are asked for. `None` for a public bucket: nothing is signed.
    pub(super) credentials: Option<CredentialCache>,
    pub(super) client: WireClient,
    in_flight: InFlight,
    pub(super) clock: OriginClock,
    pub(crate) terms: BucketTerms,
    /// Of `terms`.
    term_fields: TermFields,
    pub(super) explainer: Explainer,
    /// Places found so far. Fixed buckets are found when the configuration is built.
    places: RwLock<HashMap<BucketName, Arc<BucketEndpoint>>>,
}

/// What requests are sent with.
#[derive(Debug, Clone)]
pub(crate) enum WireClient {
    Pools(Pools),
    Sdk(SdkClient),
}

/// Which object is meant.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target<'a> {
    pub(crate) bucket: &'a BucketName,
    pub(crate) key: &'a ObjectKey,
    pub(crate) version: Option<&'a VersionId>,
}

/// What S3 says to a question.
#[derive(Debug)]
pub(crate) enum Answer {
    /// An object, or a part of one: any status of success.
    Found(Response<WireBody>),
    NotModified(Response<WireBody>),
    Refused(Refusal),
}

/// A bucket's endpoint, what carries requests to it, and what was learnt of it.
pub(super) struct BucketEndpoint {
    pub(super) region: String,
    pub(super) endpoint: Endpoint,
    /// Those of the origin, or of a session with the bucket.
    pub(super) credentials: Option<CredentialCache>,
    pub(super) wire: Wire,
    pub(super) absent_keys: AbsentKeys,
}

/// An answer as it came, and what it was asked with.
pub(super) struct Sent {
    pub(super) answer: Response<WireBody>,
    pub(super) identity: Option<Arc<Identity>>,
    pub(super) place: Arc<BucketEndpoint>,
    /// When it was asked, by the clock that the signature goes by.
    pub(super) at: SystemTime,
}

// === impl S3Origin ===

impl S3Origin {
    pub(crate) fn new(
        addressing: Addressing,
        credentials: Option<CredentialCache>,
        client: WireClient,
        in_flight: InFlight,
        clock: OriginClock,
        terms: BucketTerms,
    ) -> Self {
        let term_fields = terms.fields();
        Self {
            addressing,
            credentials,
            client,
            in_flight,
            clock,
            terms,
            term_fields,
            explainer: Explainer::default(),
            places: RwLock::default(),
        }
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
            Some(cache) if cache.current(self.now()).is_none() => {
                cache.fetch().await.map(drop).map_err(OriginError::Credentials)
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Finds a bucket's place now, so that a wrong configuration is refused when it is built.
    pub(crate) fn locate(&self, bucket: &BucketName) -> Result<AuthScheme, EndpointError> {
        self.place(bucket).map(|place| place.endpoint.auth)
    }

    /// Whether any request could travel over TLS.
    pub(crate) fn needs_tls(addressing: &Addressing) -> bool {
        addressing.endpoint_url.as_ref().is_none_or(EndpointUrl::is_tls)
    }

    /// How buckets are found.
    #[cfg(feature = "policies")]
    pub(crate) fn addressing(&self) -> &Addressing {
        &self.addressing
    }

    /// Whether buckets are where AWS has them, and not at an endpoint that the configuration names.
    pub(crate) fn is_aws(&self) -> bool {
        self.addressing.endpoint_url.is_none()
    }

    /// The time, as S3's clock has it.
    pub(crate) fn now(&self) -> SystemTime {
        self.clock.now()
    }

    /// Asks S3 and waits for the head of its answer. What a refusal teaches is heeded, once.
    pub(crate) async fn read(&self, target: Target<'_>, question: &Question) -> Result<Answer, OriginError> {
        let sent = self.send(target, question).await?;
        match sent.answer.status() {
            status if status.is_success() => Ok(Answer::Found(sent.answer)),
            StatusCode::NOT_MODIFIED => Ok(Answer::NotModified(sent.answer)),
            // Boxed, so that the future of an object is not as large as theirs.
            _ => Box::pin(self.recover(target, question, sent)).await,
        }
    }

    /// Asks S3 once, or twice if a kept connection turns out to be closed. Whatever reads objects of the mount comes here:
    /// requests of clients, fills of the cache, and what is refreshed in the background.
    pub(super) async fn send(&self, target: Target<'_>, question: &Question) -> Result<Sent, OriginError> {
        let place = self.place(target.bucket).map_err(OriginError::Endpoint)?;
        let (mut reuse, mut permit) = (Reuse::Allowed, None);
        loop {
            let now = self.now();
            let identity = match &place.credentials {
                Some(cache) => Some(match cache.current(now) {
                    Some(identity) => identity,
                    None => Box::pin(cache.fetch()).await.map_err(OriginError::Credentials)?,
                }),
                None => None,
            };
            if permit.is_none() {
                permit = Some(self.in_flight.begin().await.map_err(OriginError::Overload)?);
            }
            let path_and_query = place.endpoint.path_and_query(target.key, target.version);
            let at = Timestamp::new(now);
            let endpoint = &place.endpoint;
            let request =
                endpoint.request(question, path_and_query, identity.as_deref(), &self.term_fields, &at)?;
            match place.wire.send(&place.endpoint, request, reuse).await {
                Err(error) if error.kind == WireErrorKind::Stale => reuse = Reuse::Fresh,
                Ok(mut answer) => {
                    mend_length(answer.headers_mut());
                    answer.body_mut().hold(permit);
                    return Ok(Sent { answer, identity, place, at: now });
                }
                Err(error) => {
                    if error.kind == WireErrorKind::Connect && place.region != self.addressing.region {
                        // Learnt, but of no use: the next request begins anew.
                        self.forget_place(target.bucket);
                    }
                    return Err(OriginError::Wire(error));
                }
            }
        }
    }

    pub(super) fn place(&self, bucket: &BucketName) -> Result<Arc<BucketEndpoint>, EndpointError> {
        if let Some(place) = self.places.read().unwrap_or_else(PoisonError::into_inner).get(bucket) {
            return Ok(Arc::clone(place));
        }
        self.put_place(bucket, &self.addressing)
    }

    fn forget_place(&self, bucket: &BucketName) {
        self.places.write().unwrap_or_else(PoisonError::into_inner).remove(bucket);
    }

    /// From now on the bucket is asked for in this region.
    pub(super) fn relocate(&self, bucket: &BucketName, region: &str) -> Result<(), EndpointError> {
        let addressing = Addressing { region: region.to_owned(), ..self.addressing.clone() };
        self.put_place(bucket, &addressing).map(drop)
    }

    fn put_place(
        &self,
        bucket: &BucketName,
        addressing: &Addressing,
    ) -> Result<Arc<BucketEndpoint>, EndpointError> {
        let endpoint = addressing.resolve(bucket)?;
        let wire = match &self.client {
            WireClient::Pools(pools) => {
                Wire::Pool(pools.pool(&endpoint.scheme, &endpoint.host, endpoint.port))
            }
            WireClient::Sdk(client) => Wire::Sdk(client.clone()),
        };
        let region = addressing.region.clone();
        let credentials = self.credentials_for(bucket, endpoint.auth, &region);
        let place = Arc::new(BucketEndpoint {
            region,
            endpoint,
            credentials,
            wire,
            absent_keys: AbsentKeys::default(),
        });
        let mut places = self.places.write().unwrap_or_else(PoisonError::into_inner);
        if places.len() >= MAX_PLACES {
            places.clear();
        }
        places.insert(bucket.clone(), Arc::clone(&place));
        Ok(place)
    }
}

// === impl BucketEndpoint ===

impl BucketEndpoint {
    pub(super) fn auth(&self) -> AuthScheme {
        self.endpoint.auth
    }
}

/// Leaves `Content-Length` only where it says how long the body is (RFC 9112 §6.3): one number, and no transfer coding.
fn mend_length(headers: &mut HeaderMap) {
    let mut lines = headers.get_all(CONTENT_LENGTH).iter();
    let Some(first) = lines.next() else { return };
    let is_number = first.to_str().is_ok_and(|text| text.parse::<u64>().is_ok() && !text.starts_with('+'));
    if !is_number || lines.next().is_some() || headers.contains_key(TRANSFER_ENCODING) {
        headers.remove(CONTENT_LENGTH);
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
            .field("in_flight", &self.in_flight)
            .finish_non_exhaustive()
    }
}
