use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, PoisonError, RwLock, atomic::AtomicBool},
    time::{Duration, SystemTime},
};

use aws_smithy_async::time::TimeSource;
use http::{
    HeaderMap, Response, StatusCode,
    header::{CONTENT_LENGTH, TRANSFER_ENCODING},
};

use super::{
    Addressing, CredentialCache, EndpointUrl, HeldCredentials, Identity, OriginClock, OriginError, Pools,
    Refusal, Timestamp, WireBody,
    absent_keys::AbsentKeys,
    budget::{ByteCount, Level},
    endpoint::{AuthScheme, Endpoint, EndpointError},
    in_flight::InFlight,
    recovery::Explainer,
    resilience::{Breaker, Resilience, Turn, is_failure},
    wire::{Reuse, SdkClient, Wire, WireErrorKind},
};
use crate::{
    explained::{self, Ask},
    meter::{Meter, Operation, Outcome},
    object::{BucketName, ObjectKey, VersionId},
    request::{Purpose, Question},
    terms::{BucketTerms, TermFields},
};

/// The read lane: signed GETs and HEADs of the objects of one mount.
pub(crate) struct S3Origin {
    pub(super) addressing: Addressing,
    /// The source of credentials. `None` for a public bucket: nothing is signed.
    pub(super) credentials: Option<CredentialCache>,
    pub(super) client: WireClient,
    pub(super) in_flight: InFlight,
    pub(crate) resilience: Arc<Resilience>,
    pub(super) clock: OriginClock,
    pub(crate) terms: BucketTerms,
    /// The fields of `terms`.
    term_fields: TermFields,
    pub(super) explainer: Explainer,
    /// The server has said that it does not implement `If-Match`.
    pub(crate) lacks_if_match: AtomicBool,
    /// The endpoints resolved so far. Those of fixed buckets are resolved when the configuration is built.
    places: RwLock<HashMap<BucketName, Arc<BucketEndpoint>>>,
}

/// The client that sends requests.
#[derive(Debug, Clone)]
pub(crate) enum WireClient {
    Pools(Pools),
    Sdk(SdkClient),
}

/// The object of a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target<'a> {
    pub(crate) bucket: &'a BucketName,
    pub(crate) key: &'a ObjectKey,
    pub(crate) version: Option<&'a VersionId>,
}

/// S3's response to a request.
#[derive(Debug)]
pub(crate) enum Answer {
    /// An object, or a part of one: any successful status.
    Found(Response<WireBody>),
    NotModified(Response<WireBody>),
    Refused(Refusal),
}

/// A bucket's endpoint, the client for it, and what the proxy has learnt of it.
pub(super) struct BucketEndpoint {
    pub(super) region: String,
    pub(super) endpoint: Endpoint,
    /// The origin's credentials, or those of a session with the bucket.
    pub(super) credentials: Option<CredentialCache>,
    pub(super) wire: Wire,
    pub(super) breaker: Breaker,
    pub(super) absent_keys: AbsentKeys,
}

/// A response as received, and how its request was signed.
pub(super) struct Sent {
    pub(super) answer: Response<WireBody>,
    pub(super) identity: Option<Arc<Identity>>,
    pub(super) place: Arc<BucketEndpoint>,
    /// The time of the request, by the clock of signatures.
    pub(super) at: SystemTime,
}

// === impl S3Origin ===

impl S3Origin {
    pub(crate) fn new(
        addressing: Addressing,
        credentials: Option<CredentialCache>,
        client: WireClient,
        in_flight: InFlight,
        resilience: Arc<Resilience>,
        clock: OriginClock,
        terms: BucketTerms,
    ) -> Self {
        let term_fields = terms.fields();
        Self {
            addressing,
            credentials,
            client,
            in_flight,
            resilience,
            clock,
            terms,
            term_fields,
            explainer: Explainer::default(),
            lacks_if_match: AtomicBool::new(false),
            places: RwLock::default(),
        }
    }

    /// The meter of its mount.
    pub(crate) fn meter(&self) -> &Meter {
        &self.resilience.meter
    }

    /// The access key that signs; `None` if nothing is signed.
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

    /// Resolves a bucket's endpoint now, so that a wrong configuration is refused when it is built.
    pub(crate) fn locate(&self, bucket: &BucketName) -> Result<AuthScheme, EndpointError> {
        self.place(bucket).map(|place| place.endpoint.auth)
    }

    /// Whether any request could travel over TLS.
    pub(crate) fn needs_tls(addressing: &Addressing) -> bool {
        addressing.endpoint_url.as_ref().is_none_or(EndpointUrl::is_tls)
    }

    /// How endpoints are resolved.
    #[cfg(feature = "policies")]
    pub(crate) fn addressing(&self) -> &Addressing {
        &self.addressing
    }

    /// Whether the endpoints are AWS's own, not one that the configuration names.
    /// The region of the configuration.
    #[cfg(feature = "s3-clients")]
    pub(crate) fn region(&self) -> &str {
        &self.addressing.region
    }

    pub(crate) fn is_aws(&self) -> bool {
        self.addressing.endpoint_url.is_none()
    }

    /// The time by S3's clock.
    pub(crate) fn now(&self) -> SystemTime {
        self.clock.now()
    }

    /// Sends a request to S3 and waits for the head of the response. If a refusal says how to correct the request,
    /// repeats it once.
    pub(super) async fn attempt(
        &self,
        target: Target<'_>,
        question: &Question,
        reuse: Reuse,
    ) -> Result<Answer, OriginError> {
        let sent = self.send(target, question, reuse).await?;
        match sent.answer.status() {
            status if status.is_success() => Ok(Answer::Found(sent.answer)),
            StatusCode::NOT_MODIFIED => Ok(Answer::NotModified(sent.answer)),
            // Boxed, to keep the future of an object small.
            _ => Box::pin(self.recover(target, question, sent)).await,
        }
    }

    /// Sends a request once, or twice if a kept connection turns out to be closed. All that reads objects of the mount comes
    /// here: requests of clients, fills of the cache, and refreshes in the background.
    pub(super) async fn send(
        &self,
        target: Target<'_>,
        question: &Question,
        mut reuse: Reuse,
    ) -> Result<Sent, OriginError> {
        let place = self.place(target.bucket).map_err(OriginError::Endpoint)?;
        let pass = place.breaker.admit().map_err(|left| self.left_alone(left))?;
        let mut permit = None;
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
                permit = Some(self.in_flight.begin(question.purpose).await.map_err(OriginError::Overload)?);
                self.spend(target.bucket, question.purpose)?;
            }
            let path_and_query = place.endpoint.path_and_query(target.key, target.version);
            let at = Timestamp::new(now);
            let endpoint = &place.endpoint;
            let mut request =
                endpoint.request(question, path_and_query, identity.as_deref(), &self.term_fields, &at)?;
            let asking = self.meter().ask(Operation::of_object(request.method()));
            match place.wire.send(endpoint, &mut request, reuse).await {
                Err(error) if error.kind == WireErrorKind::Stale => reuse = Reuse::Fresh,
                Err(error) => {
                    explained::note(|facts| {
                        facts.asks.push(self.asked(
                            target,
                            question,
                            now,
                            Err(crate::error::in_one_line(&error)),
                        ));
                    });
                    asking.ended(error.outcome());
                    // No free connection says nothing of S3.
                    if error.kind != WireErrorKind::Overloaded {
                        self.turned(pass.failed(), target.bucket);
                    }
                    if error.kind == WireErrorKind::Connect && place.region != self.addressing.region {
                        // The learnt endpoint is of no use: the next request starts over.
                        self.forget_place(target.bucket);
                    }
                    return Err(OriginError::Wire(error));
                }
                Ok(mut answer) => {
                    explained::note(|facts| {
                        let asked = self.asked(target, question, now, Ok(answer.status().as_u16()));
                        let request_id = answer.headers().get("x-amz-request-id").cloned();
                        facts.asks.push(Ask { request_id, ..asked });
                    });
                    asking.ended(Outcome::answered(answer.status()));
                    if is_failure(answer.status()) {
                        answer.body().avoid_peer();
                        self.turned(pass.failed(), target.bucket);
                    } else {
                        self.turned(pass.succeeded(), target.bucket);
                    }
                    mend_length(answer.headers_mut());
                    answer.body_mut().measure(self.meter());
                    answer.body_mut().hold(permit, self.byte_count());
                    return Ok(Sent { answer, identity, place, at: now });
                }
            }
        }
    }

    /// A request of this time, for an explanation.
    fn asked(
        &self,
        target: Target<'_>,
        question: &Question,
        at: SystemTime,
        answer: Result<u16, String>,
    ) -> Ask {
        Ask {
            method: question.method.as_str(),
            bucket: target.bucket.to_string(),
            key: target.key.as_str().to_owned(),
            range: question.range.map(|range| range.header_value()),
            took: self.now().duration_since(at).unwrap_or_default(),
            answer,
            request_id: None,
            code: None,
        }
    }

    /// Counts a request, if the budget has room for it.
    pub(super) fn spend(&self, bucket: &BucketName, purpose: Purpose) -> Result<(), OriginError> {
        let spending = self.resilience.spending.as_ref();
        spending
            .map_or(Ok(()), |spending| spending.admit(self.now(), purpose, bucket))
            .map_err(OriginError::UsedUp)
    }

    /// How much of the budget is spent.
    pub(crate) fn level(&self) -> Level {
        let spending = self.resilience.spending.as_ref();
        spending.map_or(Level::Plenty, |spending| spending.level(self.now()))
    }

    /// Whether the budget has room for a request that is counted when it is sent.
    pub(crate) fn may_spend(&self) -> Result<(), OriginError> {
        let spending = self.resilience.spending.as_ref();
        spending.map_or(Ok(()), |spending| spending.check(self.now())).map_err(OriginError::UsedUp)
    }

    /// Counts the bytes of a body. Boxed: most mounts have no budget.
    pub(super) fn byte_count(&self) -> Option<Box<ByteCount>> {
        self.resilience.spending.as_ref().map(|spending| Box::new(spending.byte_count()))
    }

    /// Whether the circuit breaker of any bucket is open.
    pub(crate) fn is_left_alone(&self) -> bool {
        let places = self.places.read().unwrap_or_else(PoisonError::into_inner);
        places.values().any(|place| place.breaker.is_open())
    }

    /// The credentials at hand; `None` if there are none yet, or nothing is signed.
    pub(crate) fn held_credentials(&self) -> Option<HeldCredentials> {
        self.credentials.as_ref()?.held()
    }

    pub(super) fn left_alone(&self, until_probe: Duration) -> OriginError {
        self.resilience.counters.refused();
        OriginError::LeftAlone { until_probe }
    }

    pub(super) fn turned(&self, turn: Option<Turn>, bucket: &BucketName) {
        match turn {
            None => {}
            Some(Turn::Opened) => {
                self.resilience.counters.opened();
                tracing::error!(%bucket, "S3 fails again and again: only probes are sent to it until one succeeds");
            }
            Some(Turn::Closed) => tracing::warn!(%bucket, "S3 answers again"),
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

    /// Uses this region for the bucket from now on.
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
            breaker: Breaker::new(self.resilience.breaker.clone()),
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

/// Keeps `Content-Length` only where it gives the body's length (RFC 9112 §6.3): one number, and no transfer coding.
fn mend_length(headers: &mut HeaderMap) {
    let mut lines = headers.get_all(CONTENT_LENGTH).iter();
    let Some(first) = lines.next() else { return };
    let is_number = first.to_str().is_ok_and(|text| text.parse::<u64>().is_ok() && !text.starts_with('+'));
    if !is_number || lines.next().is_some() || headers.contains_key(TRANSFER_ENCODING) {
        headers.remove(CONTENT_LENGTH);
    }
}

/// Only the allow-list's globs limit the bucket names in requests. Resolving an endpoint again is cheap.
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
