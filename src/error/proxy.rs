use std::{error::Error as StdError, fmt, sync::Arc};

use http::StatusCode;

/// An error of any kind, as `tower` and `http-body` users pass them on.
pub type BoxError = Box<dyn StdError + Send + Sync>;

/// Why the proxy responded with an error. That response carries it in its extensions.
///
/// The service itself never fails because of S3: it responds with an error. A layer around it can look here:
///
/// ```
/// use http::Response;
/// use tower_s3_proxy::{ProxyError, ProxyErrorKind};
///
/// fn is_outage<B>(response: &Response<B>) -> bool {
///     response.extensions().get::<ProxyError>().is_some_and(|error| error.kind() == ProxyErrorKind::Credentials)
/// }
/// ```
#[derive(Clone)]
pub struct ProxyError(Arc<Inner>);

struct Inner {
    kind: ProxyErrorKind,
    /// In place of the kind's own.
    status: Option<StatusCode>,
    id: String,
    origin_code: Option<String>,
    source: Option<BoxError>,
}

/// What went wrong, by what to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProxyErrorKind {
    /// 404: there is no such object, or S3 denied it and the mount reports that as "not found". Nothing to do.
    NotFound,
    /// 403: S3 denied the object, and the mount reports that. Check the policies of the role and of the bucket.
    Forbidden,
    /// 403: the object is archived (Glacier, Deep Archive) and must be restored first.
    Archived,
    /// 400: the path cannot name a key. The client must change it.
    BadRequest,
    /// 400: a parameter of the query is not allowed here (`partNumber`, `response-content-type` and the like), or its
    /// value is malformed. The client must leave it out; `response-content-disposition` can be allowed
    /// ([`allow_downloads`](crate::MountBuilder::allow_downloads)).
    BadQuery,
    /// 400: the client sent its own key to decrypt the object (SSE-C), which the proxy never passes on. The client must
    /// leave it out; a mount can have a key ([`customer_key`](crate::MountBuilder::customer_key)).
    CustomerKey,
    /// 400: the query is that of a presigned link, and no link of S3 looks like this: a parameter is missing, malformed, given
    /// twice, or asks for more than an object. The client must ask for a new link.
    MalformedLink,
    /// 403: the link is for another bucket or region, or for a key outside of the mount.
    ForeignLink,
    /// 403: the link has expired. The client must ask for a new one.
    ExpiredLink,
    /// 403: the mount serves presigned links alone ([`PresignedRequests`](crate::presigned::PresignedRequests)), and this is none.
    LinkRequired,
    /// 400: a request that writes has a field that is not for clients here, or a condition that S3 can't check. The log says which
    /// ([`Writes`](crate::writes::Writes)).
    BadField,
    /// 400: the body of a request that writes does not match the checksum that came with it. Nothing was stored.
    BadDigest,
    /// 411: a request that writes says nothing of the length of its body, not even that there is none. The client must send
    /// `Content-Length`.
    LengthRequired,
    /// 413: the body is larger than the mount stores ([`Writes::max_size`](crate::writes::Writes::max_size)).
    TooLarge,
    /// 415: the mount does not store this content type ([`Writes::content_type`](crate::writes::Writes::content_type)).
    UnsupportedType,
    /// 412: the object exists, and the mount overwrites nothing ([`Writes::allow_overwrite`](crate::writes::Writes::allow_overwrite)).
    Exists,
    /// 409: another request writes the same object at the same time. The client can try again.
    Conflict,
    /// 408: the client did not send the rest of its request.
    UnfinishedRequest,
    /// 405: a mount serves only GET, HEAD and OPTIONS, and PUT, POST and DELETE where [clients](crate::writes::Writes) or
    /// [links](crate::presigned::PresignedRequests) may write.
    MethodNotAllowed,
    /// 412: the client's `If-Match`, `If-None-Match` or `If-Unmodified-Since` does not hold.
    PreconditionFailed,
    /// 416: the client's range lies outside the object.
    RangeNotSatisfiable,
    /// 503: the credentials provider has no credentials. Look at its error in the log.
    Credentials,
    /// 502: S3 refuses the credentials, the signature or the clock. Check keys, session token and time.
    OriginRefused,
    /// 502: the bucket does not exist, is in a region that S3 does not name, its encryption key can't be used, or that
    /// key is not the one that encrypts the objects ([`customer_key`](crate::MountBuilder::customer_key)). Check the
    /// configuration.
    OriginMisconfigured,
    /// 503: S3 asks for fewer requests, or has a fault. Try again later.
    OriginBusy,
    /// 503: S3 failed many times in a row, and is asked again in a moment
    /// ([`CircuitBreaker`](crate::resilience::CircuitBreaker)). The failures before have lines of their own in the log.
    OriginUnavailable,
    /// 503: as many requests to S3 are in flight as the mount allows
    /// ([`max_in_flight`](crate::MountBuilder::max_in_flight)), or as many connections are open as its transport allows. Try
    /// again in a second; if it goes on, raise the limit.
    Overloaded,
    /// 503, or 429 if the mount says so: S3 has been asked for as much as the mount's
    /// [budget](crate::resilience::Budget) allows on this day. Wait for the next day, or raise the budget.
    BudgetUsedUp,
    /// 502: no connection, or a response that is not HTTP or does not match the request.
    OriginBroken,
    /// 504: no response in time.
    OriginTimeout,
    /// 503: the bucket resolver failed.
    Resolver,
    /// 403, or the denial's own status: the mount's authorizer or selector turned the client away.
    Denied,
    /// 403: a page of a site that may not embed objects of the mount asked for it ([`Hotlinks`](crate::access::Hotlinks)).
    Hotlinked,
    /// 503: the mount's authorizer failed, or named a credential set that the mount does not have.
    Authorizer,
    /// 504: the client required a response from the cache alone, and there is none.
    NotCached,
}

// === impl ProxyError ===

impl ProxyError {
    pub(crate) fn new(kind: ProxyErrorKind) -> Self {
        Self::with(kind, None, None)
    }

    /// A client that is turned away with this status.
    pub(crate) fn denied(status: StatusCode) -> Self {
        Self::with_status(ProxyErrorKind::Denied, status, None)
    }

    /// One of another status than its kind.
    pub(crate) fn with_status(kind: ProxyErrorKind, status: StatusCode, source: Option<BoxError>) -> Self {
        let id = new_id();
        Self(Arc::new(Inner { kind, status: Some(status), id, origin_code: None, source }))
    }

    /// One that has its line in the log already, under this id.
    #[cfg(feature = "s3-clients")]
    pub(crate) fn told_as(kind: ProxyErrorKind, id: String) -> Self {
        Self(Arc::new(Inner { kind, status: None, id, origin_code: None, source: None }))
    }

    pub(crate) fn from_origin_code(kind: ProxyErrorKind, code: String) -> Self {
        Self::with(kind, (!code.is_empty()).then_some(code), None)
    }

    pub(crate) fn from_source(kind: ProxyErrorKind, source: impl Into<BoxError>) -> Self {
        Self::with(kind, None, Some(source.into()))
    }

    fn with(kind: ProxyErrorKind, origin_code: Option<String>, source: Option<BoxError>) -> Self {
        Self(Arc::new(Inner { kind, status: None, id: new_id(), origin_code, source }))
    }

    /// What went wrong.
    pub fn kind(&self) -> ProxyErrorKind {
        self.0.kind
    }

    /// The status that the client got.
    pub fn status(&self) -> StatusCode {
        self.0.status.unwrap_or(self.0.kind.status())
    }

    /// The id that is in the response and in the log: 16 hexadecimal digits.
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// S3's own error code, if S3 responded with one. Clients do not see it.
    pub fn origin_code(&self) -> Option<&str> {
        self.0.origin_code.as_deref()
    }
}

fn new_id() -> String {
    format!("{:016x}", fastrand::u64(..))
}

impl fmt::Display for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.kind.phrase())
    }
}

impl fmt::Debug for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProxyError")
            .field("kind", &self.0.kind)
            .field("id", &self.0.id)
            .field("origin_code", &self.0.origin_code)
            .field("source", &self.0.source)
            .finish()
    }
}

impl StdError for ProxyError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

// === impl ProxyErrorKind ===

impl ProxyErrorKind {
    /// The status that a client gets.
    pub fn status(self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Forbidden
            | Self::Archived
            | Self::Denied
            | Self::Hotlinked
            | Self::ForeignLink
            | Self::ExpiredLink
            | Self::LinkRequired => StatusCode::FORBIDDEN,
            Self::BadRequest
            | Self::BadQuery
            | Self::BadField
            | Self::BadDigest
            | Self::CustomerKey
            | Self::MalformedLink => StatusCode::BAD_REQUEST,
            Self::LengthRequired => StatusCode::LENGTH_REQUIRED,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Conflict => StatusCode::CONFLICT,
            Self::UnfinishedRequest => StatusCode::REQUEST_TIMEOUT,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::PreconditionFailed | Self::Exists => StatusCode::PRECONDITION_FAILED,
            Self::RangeNotSatisfiable => StatusCode::RANGE_NOT_SATISFIABLE,
            Self::Credentials
            | Self::OriginBusy
            | Self::OriginUnavailable
            | Self::BudgetUsedUp
            | Self::Overloaded
            | Self::Resolver
            | Self::Authorizer => StatusCode::SERVICE_UNAVAILABLE,
            Self::OriginRefused | Self::OriginMisconfigured | Self::OriginBroken => StatusCode::BAD_GATEWAY,
            Self::OriginTimeout | Self::NotCached => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// A word for machines, stable across releases.
    pub fn code(self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::Forbidden => "forbidden",
            Self::Archived => "archived",
            Self::BadRequest => "bad_request",
            Self::BadQuery => "bad_query",
            Self::CustomerKey => "customer_key",
            Self::MalformedLink => "malformed_link",
            Self::ForeignLink => "foreign_link",
            Self::ExpiredLink => "expired_link",
            Self::LinkRequired => "link_required",
            Self::UnfinishedRequest => "unfinished_request",
            Self::BadField => "bad_field",
            Self::BadDigest => "bad_digest",
            Self::LengthRequired => "length_required",
            Self::TooLarge => "too_large",
            Self::UnsupportedType => "unsupported_type",
            Self::Exists => "exists",
            Self::Conflict => "conflict",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::PreconditionFailed => "precondition_failed",
            Self::RangeNotSatisfiable => "range_not_satisfiable",
            Self::Credentials => "credentials_unavailable",
            Self::OriginRefused => "origin_refused",
            Self::OriginMisconfigured => "origin_misconfigured",
            Self::OriginBusy => "origin_busy",
            Self::OriginUnavailable => "origin_unavailable",
            Self::Overloaded => "overloaded",
            Self::BudgetUsedUp => "budget_used_up",
            Self::OriginBroken => "origin_broken",
            Self::OriginTimeout => "origin_timeout",
            Self::Resolver => "bucket_unresolved",
            Self::Denied => "denied",
            Self::Hotlinked => "hotlinked",
            Self::Authorizer => "authorizer_failed",
            Self::NotCached => "not_cached",
        }
    }

    /// A phrase for people that says nothing about the bucket.
    pub(crate) fn phrase(self) -> &'static str {
        match self {
            Self::NotFound => "there is no such object",
            Self::Forbidden => "access to the object is denied",
            Self::Archived => "the object is archived and must be restored first",
            Self::BadRequest => "the path cannot name an object",
            Self::BadQuery => "a query parameter, or its value, is not allowed here",
            Self::CustomerKey => "this server does not decrypt objects with a client's key",
            Self::MalformedLink => "the link is malformed",
            Self::ForeignLink => "the link is for another place",
            Self::ExpiredLink => "the link has expired",
            Self::LinkRequired => "only presigned links are served here",
            Self::UnfinishedRequest => "the rest of the request did not come",
            Self::BadField => "a field of the request is not allowed here",
            Self::BadDigest => "the body does not match its checksum",
            Self::LengthRequired => "the length of the body is missing",
            Self::TooLarge => "the body is larger than what is stored here",
            Self::UnsupportedType => "this content type is not stored here",
            Self::Exists => "the object exists, and nothing is overwritten here",
            Self::Conflict => "another request writes the object at the moment",
            Self::MethodNotAllowed => "the method is not allowed here",
            Self::PreconditionFailed => "a precondition of the request does not hold",
            Self::RangeNotSatisfiable => "the range lies outside the object",
            Self::Credentials => "the proxy has no credentials for the storage at the moment",
            Self::OriginRefused | Self::OriginMisconfigured => "the storage refused the proxy",
            Self::OriginBusy => "the storage is busy",
            Self::OriginUnavailable => "the storage is not available at the moment",
            Self::Overloaded => "too many requests to the storage are in flight",
            Self::BudgetUsedUp => "the storage is not asked for more today",
            Self::OriginBroken => "the storage gave no usable response",
            Self::OriginTimeout => "the storage did not respond in time",
            Self::Resolver => "the storage is not known at the moment",
            Self::Denied => "the request is not allowed",
            Self::Hotlinked => "pages of other sites may not embed this",
            Self::Authorizer => "access to the object cannot be checked at the moment",
            Self::NotCached => "the cache has no response to this request",
        }
    }

    /// Whether the fault is on our side or S3's, so that an operator should hear of it.
    pub(crate) fn is_fault(self) -> bool {
        // The budget has its own lines.
        self.status().is_server_error() && !matches!(self, Self::NotCached | Self::BudgetUsedUp)
    }
}
