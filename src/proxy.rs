use std::{borrow::Cow, future::Future, pin::Pin, time::Duration};

use bytes::Bytes;
use http::{
    HeaderValue, Request, Response, StatusCode,
    header::{
        ACCEPT_RANGES, ALLOW as ALLOW_FIELD, CACHE_CONTROL, CONTENT_RANGE, CONTENT_TYPE, ETAG, EXPIRES,
        RETRY_AFTER,
    },
    request,
};
use http_body_util::{BodyExt, Limited};

use crate::{
    body::ObjectBody,
    config::{BadPathAnswer, DeniedAnswer, Miss, Mount, S3ProxyConfig},
    error::{ProxyError, ProxyErrorKind},
    object::{BucketName, InvalidKey, ObjectKey},
    origin::{OriginError, S3ErrorBody, S3ErrorCode, WireBody},
    request::{ALLOW, AskedMethod, ReadMethod, ReadRequest, VersionId, VersionPolicy},
    response::{Applies, error_response},
    route::{BucketResolver, BucketSource, split_bucket},
};

/// What the services of a layer share.
#[derive(Debug)]
pub(crate) struct Proxy {
    mounts: Vec<Mount>,
}

/// What becomes of a request, as far as it can be said without waiting.
pub(crate) enum Admission {
    NotOurs,
    Answered(Response<ObjectBody>),
    Fetch(Fetch),
    FetchOrInner(Fetch),
}

/// A read that S3 has to be asked for.
pub(crate) struct Fetch {
    mount: Mount,
    bucket: Bucket,
    key: ObjectKey,
    version: Option<VersionId>,
    read: ReadRequest,
}

enum Bucket {
    Named(BucketName),
    Asked(BucketResolver, Box<request::Parts>),
}

pub(crate) type FetchFuture = Pin<Box<dyn Future<Output = Response<ObjectBody>> + Send>>;

// === impl Proxy ===

impl Proxy {
    pub(crate) fn new(config: S3ProxyConfig) -> Self {
        Self { mounts: config.mounts }
    }

    /// Decides at once whether a request is ours, and which object it asks for.
    pub(crate) fn admit<B>(&self, request: &Request<B>) -> Admission {
        let Some((mount, rest)) = self.claim(request) else { return Admission::NotOurs };
        let method = match AskedMethod::from(request.method()) {
            AskedMethod::Read(method) => method,
            AskedMethod::Options | AskedMethod::NotAllowed if mount.0.miss == Miss::ToInner => {
                return Admission::NotOurs;
            }
            AskedMethod::Options => return Admission::Answered(options()),
            AskedMethod::NotAllowed => return Admission::Answered(mount.method_not_allowed()),
        };
        match mount.name(rest, request) {
            Ok((bucket, key)) => {
                let version = match mount.0.versions {
                    VersionPolicy::Ignored => None,
                    VersionPolicy::Honoured => VersionId::from_query(request.uri().query()),
                };
                let read = ReadRequest::new(method, request.headers());
                let fetch = Fetch { mount: mount.clone(), bucket, key, version, read };
                match mount.0.miss {
                    Miss::Answered => Admission::Fetch(fetch),
                    Miss::ToInner => Admission::FetchOrInner(fetch),
                }
            }
            Err(kind) => match (kind, mount.0.miss) {
                (ProxyErrorKind::NotFound, Miss::ToInner) => Admission::NotOurs,
                _ => Admission::Answered(mount.error(ProxyError::new(kind), method, None)),
            },
        }
    }

    /// The mount that wants the request, and what its path says behind the mount.
    fn claim<'p, B>(&self, request: &'p Request<B>) -> Option<(&Mount, &'p str)> {
        let path = request.uri().path();
        self.mounts.iter().find_map(|mount| {
            let rest = mount.0.path.strip(path)?;
            let is_for_host =
                mount.0.host.as_ref().is_none_or(|host| host.is_target_of(request.uri(), request.headers()));
            is_for_host.then_some((mount, rest))
        })
    }

    pub(crate) async fn ready(&self) -> Result<(), ProxyError> {
        for mount in &self.mounts {
            match &mount.0.bucket {
                BucketSource::Fixed(bucket) => mount.probe(bucket).await?,
                BucketSource::FromPath(_) | BucketSource::Resolver(_) => {
                    mount.0.origin.has_credentials().await.map_err(from_origin_error)?;
                }
            }
        }
        Ok(())
    }
}

// === impl Mount ===

impl Mount {
    /// Which object the rest of a path names; else the kind of error that it is.
    fn name<B>(&self, rest: &str, request: &Request<B>) -> Result<(Bucket, ObjectKey), ProxyErrorKind> {
        let (bucket, rest) = match &self.0.bucket {
            BucketSource::Fixed(name) => (Bucket::Named(name.clone()), rest),
            BucketSource::FromPath(allowed) => {
                let (name, rest) = split_bucket(allowed, rest).ok_or(ProxyErrorKind::NotFound)?;
                (Bucket::Named(name), rest)
            }
            BucketSource::Resolver(resolver) => {
                (Bucket::Asked(resolver.clone(), Box::new(head_of(request))), rest)
            }
        };
        let key = self.0.keys.key(rest).map_err(|why| match (why, self.0.bad_path) {
            (InvalidKey::Empty, _) | (_, BadPathAnswer::NotFound) => ProxyErrorKind::NotFound,
            (_, BadPathAnswer::BadRequest) => ProxyErrorKind::BadRequest,
        })?;
        Ok((bucket, key))
    }

    fn method_not_allowed(&self) -> Response<ObjectBody> {
        let error = ProxyError::new(ProxyErrorKind::MethodNotAllowed);
        let mut response = self.error(error, ReadMethod::Get, None);
        response.headers_mut().insert(ALLOW_FIELD, ALLOW);
        response
    }

    /// The answer to a failed request, and the one line about it in the log.
    fn error(&self, error: ProxyError, method: ReadMethod, key: Option<&ObjectKey>) -> Response<ObjectBody> {
        let (id, kind, code) = (error.id(), error.kind(), error.origin_code());
        let (mount, key_text) = (&self.0.path, key.map(ObjectKey::as_str));
        let source = std::error::Error::source(&error).map(|_| chain(&error));
        if kind.is_fault() {
            tracing::error!(id, kind = kind.code(), code, %mount, key = key_text, source, "{error}");
        } else {
            tracing::info!(id, kind = kind.code(), code, %mount, key = key_text, source, "{error}");
        }
        let cache_control = self.0.cache.for_error(error.kind().status(), key);
        error_response(error, self.0.errors, method, cache_control)
    }

    /// The kind of error that an S3 error is to the client: the one place where that is decided.
    fn error_kind(&self, status: StatusCode, code: S3ErrorCode) -> ProxyErrorKind {
        match code {
            S3ErrorCode::NoSuchKey | S3ErrorCode::NoSuchVersion => ProxyErrorKind::NotFound,
            S3ErrorCode::NoSuchBucket => match self.0.bucket {
                BucketSource::Fixed(_) => ProxyErrorKind::OriginMisconfigured,
                BucketSource::FromPath(_) | BucketSource::Resolver(_) => ProxyErrorKind::NotFound,
            },
            S3ErrorCode::AccessDenied => match self.0.denied {
                DeniedAnswer::NotFound => ProxyErrorKind::NotFound,
                DeniedAnswer::Forbidden => ProxyErrorKind::Forbidden,
            },
            S3ErrorCode::InvalidObjectState => ProxyErrorKind::Archived,
            S3ErrorCode::Credentials => ProxyErrorKind::OriginRefused,
            S3ErrorCode::WrongRegion => ProxyErrorKind::OriginMisconfigured,
            S3ErrorCode::Busy => ProxyErrorKind::OriginBusy,
            S3ErrorCode::Other => match status {
                StatusCode::NOT_FOUND | StatusCode::GONE => ProxyErrorKind::NotFound,
                // Without a code nobody can tell a denied object from refused credentials; never 404 for the latter.
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => ProxyErrorKind::OriginRefused,
                StatusCode::PRECONDITION_FAILED => ProxyErrorKind::PreconditionFailed,
                StatusCode::RANGE_NOT_SATISFIABLE => ProxyErrorKind::RangeNotSatisfiable,
                StatusCode::TOO_MANY_REQUESTS
                | StatusCode::INTERNAL_SERVER_ERROR
                | StatusCode::SERVICE_UNAVAILABLE => ProxyErrorKind::OriginBusy,
                StatusCode::GATEWAY_TIMEOUT => ProxyErrorKind::OriginTimeout,
                status if status.is_redirection() => ProxyErrorKind::OriginMisconfigured,
                _ => ProxyErrorKind::OriginBroken,
            },
        }
    }

    /// Asks for one byte of a key that need not exist: any answer about the key shows that S3 takes our requests.
    async fn probe(&self, bucket: &BucketName) -> Result<(), ProxyError> {
        let key = self.0.keys.key(PROBE_KEY).map_err(|_| ProxyError::new(ProxyErrorKind::BadRequest))?;
        let read = ReadRequest::first_byte();
        let answer = self.0.origin.read(bucket, &key, None, &read).await.map_err(from_origin_error)?;
        if answer.status().is_success() {
            return Ok(());
        }
        let refusal = Refusal::read(answer).await;
        match self.error_kind(refusal.status, refusal.code) {
            ProxyErrorKind::NotFound | ProxyErrorKind::Forbidden | ProxyErrorKind::RangeNotSatisfiable => {
                Ok(())
            }
            kind => Err(ProxyError::from_origin_code(kind, refusal.body.code)),
        }
    }
}

const PROBE_KEY: &str = "tower-s3-proxy-ready";

fn options() -> Response<ObjectBody> {
    let mut response = Response::new(ObjectBody::Empty);
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().insert(ALLOW_FIELD, ALLOW);
    response
}

/// The head of a request, for a resolver: the request itself has to stay whole for the inner service.
fn head_of<B>(request: &Request<B>) -> request::Parts {
    let mut head = Request::new(());
    *head.method_mut() = request.method().clone();
    *head.uri_mut() = request.uri().clone();
    *head.version_mut() = request.version();
    *head.headers_mut() = request.headers().clone();
    *head.extensions_mut() = request.extensions().clone();
    head.into_parts().0
}

// === impl Fetch ===

impl Fetch {
    pub(crate) fn run(self) -> FetchFuture {
        Box::pin(self.respond())
    }

    async fn respond(self) -> Response<ObjectBody> {
        match self.object().await {
            Ok(response) => response,
            Err(error) => self.refuse(error),
        }
    }

    /// The way of a miss, from the bucket's name to the answer's head.
    async fn object(&self) -> Result<Response<ObjectBody>, Failure> {
        let bucket = self.bucket().await?;
        let answer = self.ask(&bucket, &self.read).await?;
        match answer.status() {
            StatusCode::OK | StatusCode::PARTIAL_CONTENT => Ok(self.found(answer)),
            // Boxed, so that the future of an object is not as large as theirs.
            StatusCode::NOT_MODIFIED => Box::pin(self.not_modified(&bucket, answer)).await,
            _ => Err(Box::pin(self.refused(&bucket, answer)).await),
        }
    }

    async fn bucket(&self) -> Result<Cow<'_, BucketName>, Failure> {
        match &self.bucket {
            Bucket::Named(name) => Ok(Cow::Borrowed(name)),
            Bucket::Asked(resolver, head) => match resolver.resolve(head.as_ref().clone()).await {
                Ok(Some(name)) => Ok(Cow::Owned(name)),
                Ok(None) => Err(ProxyError::new(ProxyErrorKind::NotFound).into()),
                Err(error) => Err(ProxyError::from_source(ProxyErrorKind::Resolver, error).into()),
            },
        }
    }

    async fn ask(&self, bucket: &BucketName, read: &ReadRequest) -> Result<Response<WireBody>, Failure> {
        let origin = &self.mount.0.origin;
        let answer = origin.read(bucket, &self.key, self.version.as_ref(), read).await;
        answer.map_err(|error| from_origin_error(error).into())
    }

    fn found(&self, answer: Response<WireBody>) -> Response<ObjectBody> {
        let (origin, body) = answer.into_parts();
        let mount = &self.mount.0;
        let mut headers = mount.headers.select(&origin.headers);
        let stored = headers.remove(CONTENT_TYPE);
        let content_type = mount.content_type.apply(&self.key, stored);
        mount.cache.apply(&self.key, content_type.as_ref(), &mut headers);
        if let Some(content_type) = content_type {
            headers.insert(CONTENT_TYPE, content_type);
        }
        headers.entry(ACCEPT_RANGES).or_insert(BYTES);

        let mut response = Response::new(match self.read.method {
            ReadMethod::Get => ObjectBody::Wire(body),
            ReadMethod::Head => ObjectBody::Empty,
        });
        *response.status_mut() = origin.status;
        *response.headers_mut() = headers;
        response
    }

    /// A 304 carries the fields of caching that a 200 would carry (RFC 9110 §15.4.5).
    ///
    /// S3's own 304 has neither `Cache-Control` nor a content type. Where the policy depends on them, the object's head
    /// is asked for: a default in place of a stored value would make every cache forget that value.
    async fn not_modified(
        &self,
        bucket: &BucketName,
        answer: Response<WireBody>,
    ) -> Result<Response<ObjectBody>, Failure> {
        let (origin, _) = answer.into_parts();
        let mount = &self.mount.0;
        let mut headers = mount.headers.select_for_not_modified(&origin.headers);
        match mount.cache.on_key_alone(&self.key) {
            Applies::Nothing => {}
            Applies::Value(value) => {
                headers.insert(CACHE_CONTROL, value.clone());
                // As on a 200: what S3 says of freshness does not count beside an override.
                headers.remove(EXPIRES);
            }
            Applies::Depends => {
                let head = ReadRequest::head_of(origin.headers.get(ETAG));
                // Gone, changed or out of reach in between: the next request will tell.
                if let Ok(answer) = self.ask(bucket, &head).await
                    && answer.status() == StatusCode::OK
                {
                    let full = answer.headers();
                    headers = mount.headers.select_for_not_modified(full);
                    let stored = full.get(CONTENT_TYPE).cloned();
                    let content_type = mount.content_type.apply(&self.key, stored);
                    mount.cache.apply(&self.key, content_type.as_ref(), &mut headers);
                }
            }
        }
        let mut response = Response::new(ObjectBody::Empty);
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        *response.headers_mut() = headers;
        Ok(response)
    }

    /// What S3's refusal is to the client.
    async fn refused(&self, bucket: &BucketName, answer: Response<WireBody>) -> Failure {
        let mut refusal = Refusal::read(answer).await;
        let is_mute = refusal.body.code.is_empty()
            && matches!(
                refusal.status,
                StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN
            );
        // An answer to HEAD has no body, and 403 means a denied object or refused credentials: a GET tells which
        // (S3 API, HeadObject: "it's not possible to retrieve the exact exception").
        if is_mute && self.read.method == ReadMethod::Head {
            match self.ask(bucket, &ReadRequest::first_byte()).await {
                Ok(answer) if !answer.status().is_success() => refusal = Refusal::read(answer).await,
                Ok(_) => {}
                Err(failure) => return failure,
            }
        }
        let kind = self.mount.error_kind(refusal.status, refusal.code);
        let content_range = (kind == ProxyErrorKind::RangeNotSatisfiable).then_some(refusal.content_range);
        let retry_after = (kind == ProxyErrorKind::OriginBusy).then_some(refusal.retry_after);
        let error = ProxyError::from_origin_code(kind, refusal.body.code);
        let (id, request_id, detail) = (error.id(), refusal.request_id, refusal.body.message);
        tracing::info!(id, status = refusal.status.as_u16(), ?request_id, ?detail, %bucket, "S3 refused");
        Failure { error, content_range: content_range.flatten(), retry_after: retry_after.flatten() }
    }

    fn refuse(&self, failure: Failure) -> Response<ObjectBody> {
        let Failure { error, content_range, retry_after } = failure;
        let mut response = self.mount.error(error, self.read.method, Some(&self.key));
        let headers = response.headers_mut();
        if let Some(value) = content_range {
            headers.insert(CONTENT_RANGE, value);
        }
        if let Some(value) = retry_after {
            headers.insert(RETRY_AFTER, value);
        }
        response
    }
}

/// The one range unit that S3 knows.
const BYTES: HeaderValue = HeaderValue::from_static("bytes");

/// An error on its way to the client, with the fields that belong to it.
struct Failure {
    error: ProxyError,
    /// `bytes */N` of a 416 (RFC 9110 §15.5.17).
    content_range: Option<HeaderValue>,
    /// S3's own wish, which goes before ours.
    retry_after: Option<HeaderValue>,
}

impl From<ProxyError> for Failure {
    fn from(error: ProxyError) -> Self {
        Self { error, content_range: None, retry_after: None }
    }
}

fn from_origin_error(error: OriginError) -> ProxyError {
    let kind = match &error {
        OriginError::Credentials(_) => ProxyErrorKind::Credentials,
        OriginError::Endpoint(_) => ProxyErrorKind::OriginMisconfigured,
        OriginError::Unwritable(_) => ProxyErrorKind::OriginRefused,
        OriginError::Wire(_) if error.timed_out() => ProxyErrorKind::OriginTimeout,
        OriginError::Wire(_) => ProxyErrorKind::OriginBroken,
    };
    ProxyError::from_source(kind, error)
}

/// An error and its causes, for the log.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// An answer of S3 that is neither an object nor a 304.
struct Refusal {
    status: StatusCode,
    code: S3ErrorCode,
    body: S3ErrorBody,
    content_range: Option<HeaderValue>,
    retry_after: Option<HeaderValue>,
    /// What AWS asks for when it is asked for help.
    request_id: Option<HeaderValue>,
}

// === impl Refusal ===

impl Refusal {
    /// Reads the error document, as far as it is there and of a sane size.
    async fn read(answer: Response<WireBody>) -> Self {
        let (head, body) = answer.into_parts();
        let read = tokio::time::timeout(REFUSAL_TIMEOUT, Limited::new(body, REFUSAL_LIMIT).collect());
        let document: Bytes = match read.await {
            Ok(Ok(body)) => body.to_bytes(),
            Ok(Err(_)) | Err(_) => Bytes::new(),
        };
        let body = S3ErrorBody::parse(&document);
        Self {
            status: head.status,
            code: S3ErrorCode::parse(&body.code),
            body,
            content_range: head.headers.get(CONTENT_RANGE).cloned(),
            retry_after: head.headers.get(RETRY_AFTER).cloned(),
            request_id: head.headers.get("x-amz-request-id").cloned(),
        }
    }
}

const REFUSAL_LIMIT: usize = 64 * 1024;
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(5);
