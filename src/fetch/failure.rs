use http::{
    HeaderValue, Response, StatusCode,
    header::{ACCEPT_RANGES, CONTENT_RANGE, RETRY_AFTER},
};

use tokio::time::Instant;

use super::{
    object::{BYTES, Object},
    read::Read,
};
use crate::{
    access::Denial,
    body::ObjectBody,
    cache::{CacheStatus, Forward, Reason, Report},
    config::Mount,
    error::{Failure, ProxyError, ProxyErrorKind, in_one_line},
    object::{BucketName, ObjectKey},
    origin::{Absence, Mismatch, OriginError, Refusal, S3ErrorCode, Target},
    request::ReadMethod,
    response::{self, DeniedAnswer},
    route::BucketSource,
};

// === impl Mount ===

impl Mount {
    /// The response to a failed request, and the one line about it in the log.
    pub(crate) fn error_response(
        &self,
        error: ProxyError,
        method: ReadMethod,
        key: Option<&ObjectKey>,
    ) -> Response<ObjectBody> {
        let (id, kind, code) = (error.id(), error.kind(), error.origin_code());
        let (mount, key_text) = (&self.0.path, key.map(ObjectKey::as_str));
        let source = match kind {
            // The cause was logged when they failed to load, and is the same for every request.
            ProxyErrorKind::Credentials => Some(format!(
                "no credentials from {}; why is logged where they failed to load",
                self.0.credentials
            )),
            _ => std::error::Error::source(&error).map(in_one_line),
        };
        if kind == ProxyErrorKind::Overloaded {
            tracing::debug!(id, kind = kind.code(), %mount, key = key_text, source, "{error}");
            if let Some(count) = self.0.tallies.turned_away.add(Instant::now()) {
                tracing::warn!(count, %mount, source, "turned away: too many requests to S3 are in flight");
            }
        } else if kind.is_fault()
            && let Some(count) = self.0.tallies.faults.add(Instant::now())
        {
            // Of those that had no line of this level.
            let count = (count > 1).then_some(count);
            tracing::error!(id, kind = kind.code(), code, %mount, key = key_text, source, count, "{error}");
        } else {
            // A client can be refused as often as it likes.
            tracing::debug!(id, kind = kind.code(), code, %mount, key = key_text, source, "{error}");
        }
        let cache_control = self.0.cache_control.for_error(error.status(), key);
        response::error_response(error, self.0.answers.errors, method, cache_control).map(ObjectBody::from)
    }

    /// The response to a failed read of an object, if the request names one.
    pub(crate) fn refuse<'k>(
        &self,
        failure: Failure,
        method: ReadMethod,
        key: impl Into<Option<&'k ObjectKey>>,
    ) -> Response<ObjectBody> {
        let Failure { error, total, retry_after, headers: more } = failure;
        let mut response = self.error_response(error, method, key.into());
        let headers = response.headers_mut();
        if let Some(total) = total {
            let value = format!("bytes */{total}");
            headers.insert(CONTENT_RANGE, HeaderValue::try_from(value).expect("digits are ASCII"));
            headers.insert(ACCEPT_RANGES, BYTES);
        }
        if let Some(value) = retry_after {
            headers.insert(RETRY_AFTER, value);
        }
        if let Some(more) = more {
            headers.extend(*more);
        }
        response
    }

    /// An error, with a `Cache-Status` that says that the cache had no response.
    pub(super) fn answer_failure(
        &self,
        failure: Failure,
        method: ReadMethod,
        key: &ObjectKey,
    ) -> Response<ObjectBody> {
        let cache = self.0.cache.as_ref().filter(|_| !failure.is_unasked());
        let mut response = self.refuse(failure, method, key);
        if let Some(cache) = cache {
            let status = CacheStatus::forward(Forward::new(Reason::Miss));
            cache.report(&mut response, Report::of(status));
        }
        response
    }

    /// Maps S3's errors to the client's: the one place that decides this.
    pub(crate) fn error_kind(
        &self,
        status: StatusCode,
        code: S3ErrorCode,
        absence: Option<Absence>,
    ) -> ProxyErrorKind {
        match code {
            S3ErrorCode::NoSuchKey | S3ErrorCode::NoSuchVersion | S3ErrorCode::DeleteMarker => {
                ProxyErrorKind::NotFound
            }
            S3ErrorCode::NoSuchBucket => match self.0.bucket {
                BucketSource::Fixed(_) => ProxyErrorKind::OriginMisconfigured,
                BucketSource::FromPath(_) | BucketSource::Resolver(_) => ProxyErrorKind::NotFound,
            },
            S3ErrorCode::AccessDenied => self.denied_kind(absence),
            S3ErrorCode::InvalidObjectState => ProxyErrorKind::Archived,
            S3ErrorCode::Credentials | S3ErrorCode::ClockSkewed => ProxyErrorKind::OriginRefused,
            S3ErrorCode::WrongRegion
            | S3ErrorCode::Encryption
            | S3ErrorCode::InvalidRequest
            | S3ErrorCode::SetUp => ProxyErrorKind::OriginMisconfigured,
            S3ErrorCode::Busy => ProxyErrorKind::OriginBusy,
            // The client's own conditions and ranges are decided on the object's fields. This error is about ours.
            S3ErrorCode::PreconditionFailed | S3ErrorCode::InvalidRange => ProxyErrorKind::OriginBroken,
            S3ErrorCode::UnusableKey | S3ErrorCode::InvalidArgument => self.0.answers.bad_path.kind(),
            // What S3 says of a key, in words of its own, any visitor can make it say: that is no fault.
            S3ErrorCode::Unknown if status == StatusCode::FORBIDDEN => self.denied_kind(absence),
            S3ErrorCode::Unknown if is_about_key(status) => match status {
                StatusCode::BAD_REQUEST | StatusCode::URI_TOO_LONG => self.0.answers.bad_path.kind(),
                _ => ProxyErrorKind::NotFound,
            },
            S3ErrorCode::Unknown | S3ErrorCode::Other => match status {
                StatusCode::NOT_FOUND | StatusCode::GONE => ProxyErrorKind::NotFound,
                StatusCode::URI_TOO_LONG => self.0.answers.bad_path.kind(),
                // Without a code, a denied object looks like refused credentials, which must never be 404.
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => ProxyErrorKind::OriginRefused,
                StatusCode::REQUEST_TIMEOUT
                | StatusCode::TOO_MANY_REQUESTS
                | StatusCode::INTERNAL_SERVER_ERROR
                | StatusCode::SERVICE_UNAVAILABLE => ProxyErrorKind::OriginBusy,
                StatusCode::GATEWAY_TIMEOUT => ProxyErrorKind::OriginTimeout,
                status if status.is_redirection() => ProxyErrorKind::OriginMisconfigured,
                _ => ProxyErrorKind::OriginBroken,
            },
        }
    }

    /// The client's error for an object that S3 denies.
    fn denied_kind(&self, absence: Option<Absence>) -> ProxyErrorKind {
        match (self.0.answers.denied, absence) {
            (DeniedAnswer::Forbidden, _) | (DeniedAnswer::Auto, Some(Absence::Told)) => {
                ProxyErrorKind::Forbidden
            }
            (DeniedAnswer::NotFound, _) | (DeniedAnswer::Auto, Some(Absence::Hidden) | None) => {
                ProxyErrorKind::NotFound
            }
        }
    }

    /// The error for a refusal, where no further request is possible.
    pub(crate) fn to_failure(&self, refusal: Refusal) -> Failure {
        let kind = self.error_kind(refusal.status, refusal.code, None);
        let retry_after = refusal.retry_after.filter(|_| kind == ProxyErrorKind::OriginBusy);
        let error = ProxyError::from_origin_code(kind, refusal.body.code);
        Failure { retry_after, ..error.into() }
    }

    /// S3's response for keys that do not exist, if an error's kind depends on it.
    pub(crate) async fn absence(&self, bucket: &BucketName) -> Option<Absence> {
        if self.0.answers.denied != DeniedAnswer::Auto {
            return None;
        }
        let key = self.0.keys.absent_key(fastrand::u64(..))?;
        self.0.origin.absence(Target { bucket, key: &key, version: None }).await
    }
}

// === impl Read ===

impl Read {
    /// The client's error for S3's refusal; the log has S3's own message.
    pub(super) async fn explain(&self, refusal: Refusal) -> Failure {
        let Object { mount, bucket, edition, .. } = &*self.object;
        let is_unknown = refusal.code == S3ErrorCode::Unknown;
        let is_denial = is_unknown && refusal.status == StatusCode::FORBIDDEN;
        let absence = match refusal.code {
            S3ErrorCode::AccessDenied => mount.absence(bucket).await,
            _ if is_denial => mount.absence(bucket).await,
            _ => None,
        };
        let mut kind = mount.error_kind(refusal.status, refusal.code, absence);
        // An impossible version, or a delete marker on a server that does not say so.
        let is_about_version =
            refusal.code == S3ErrorCode::InvalidArgument || refusal.status == StatusCode::METHOD_NOT_ALLOWED;
        if edition.version.is_some() && is_about_version {
            kind = ProxyErrorKind::NotFound;
        }
        let error = ProxyError::from_origin_code(kind, refusal.body.code);
        let (id, status) = (error.id(), refusal.status.as_u16());
        let detail: String = refusal.body.message.chars().take(MOST_TOLD).collect();
        let request_id = refusal.request_id.filter(|request_id| request_id.len() <= MOST_TOLD);
        let likely = mount.0.origin.terms.why_denied().filter(|_| refusal.code == S3ErrorCode::AccessDenied);
        // A client can ask for missing and denied objects as often as it likes. A code that we don't know may be about more
        // than the key.
        let is_of_use = kind.is_fault() || likely.is_some() || is_unknown;
        if is_of_use && mount.0.tallies.refusals.add(Instant::now()).is_some() {
            tracing::info!(id, status, ?request_id, ?detail, likely, %bucket, "S3 refused");
        } else {
            tracing::debug!(id, status, ?request_id, ?detail, likely, %bucket, "S3 refused");
        }
        let retry_after = refusal.retry_after.filter(|_| kind == ProxyErrorKind::OriginBusy);
        Failure { retry_after, ..error.into() }
    }
}

// === impl Failure ===

impl Failure {
    /// The failure for a denied client.
    pub(crate) fn denied(denial: Denial) -> Self {
        let error = ProxyError::denied(denial.status());
        Self { headers: Some(Box::new(denial.into_headers())), ..error.into() }
    }

    pub(super) fn mismatch(mismatch: Mismatch) -> Self {
        ProxyError::from_source(ProxyErrorKind::OriginBroken, mismatch).into()
    }
}

pub(crate) fn from_origin_error(error: OriginError) -> Failure {
    let mut retry_after = None;
    let kind = match &error {
        OriginError::Credentials(_) => ProxyErrorKind::Credentials,
        OriginError::Endpoint(_) => ProxyErrorKind::OriginMisconfigured,
        OriginError::Unwritable(_) => ProxyErrorKind::OriginRefused,
        OriginError::Overload(_) => ProxyErrorKind::Overloaded,
        OriginError::LeftAlone { until_probe } => {
            retry_after = Some(HeaderValue::from(until_probe.as_secs().saturating_add(1)));
            ProxyErrorKind::OriginUnavailable
        }
        OriginError::UsedUp(why) => {
            let until_next_day = HeaderValue::from(why.until_next_day.as_secs().saturating_add(1));
            let (kind, status) = (ProxyErrorKind::BudgetUsedUp, why.status);
            let error = ProxyError::with_status(kind, status, Some(error.into()));
            return Failure { retry_after: Some(until_next_day), ..error.into() };
        }
        OriginError::Wire(_) if error.is_overload() => ProxyErrorKind::Overloaded,
        OriginError::Wire(_) if error.is_unfinished() => ProxyErrorKind::UnfinishedRequest,
        OriginError::Wire(_) if error.timed_out() => ProxyErrorKind::OriginTimeout,
        OriginError::Wire(_) => ProxyErrorKind::OriginBroken,
    };
    Failure { retry_after, ..ProxyError::from_source(kind, error).into() }
}

/// Whether a refusal with this status can be the key's, and not the fault of whoever asks.
fn is_about_key(status: StatusCode) -> bool {
    status.is_client_error()
        && !matches!(
            status,
            StatusCode::UNAUTHORIZED
                | StatusCode::PROXY_AUTHENTICATION_REQUIRED
                | StatusCode::REQUEST_TIMEOUT
                | StatusCode::PRECONDITION_FAILED
                | StatusCode::RANGE_NOT_SATISFIABLE
                | StatusCode::MISDIRECTED_REQUEST
                | StatusCode::TOO_MANY_REQUESTS
        )
}

/// In characters, of what S3 says: the log is ours.
const MOST_TOLD: usize = 200;
