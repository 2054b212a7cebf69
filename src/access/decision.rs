use std::fmt;

use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{LOCATION, WWW_AUTHENTICATE},
};

use super::CredentialSetName;

/// Whether a client may have an object, and with whose credentials the proxy requests it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Access {
    /// Serves the object with the credentials that the request has so far: the mount's own, or those that its
    /// [selector](crate::MountBuilder::select_credentials) named.
    Allow,
    /// Serves the object with the credentials of this [set](crate::MountBuilder::credential_set). If the mount has no
    /// such set, the response is 503.
    AllowAs(CredentialSetName),
    /// Turns the client away, before the cache or S3 is asked.
    Deny(Denial),
}

/// How a client is turned away: a status from 300 on, and fields.
///
/// The body is the mount's usual one for errors. No cache keeps it: it has `Cache-Control: no-store`, unless a rule of
/// the mount gives its status another value.
///
/// ```
/// use http::{HeaderValue, StatusCode};
/// use tower_s3_proxy::access::Denial;
///
/// let log_in = Denial::redirect(HeaderValue::from_static("/login"));
/// let token = Denial::unauthorized(HeaderValue::from_static("Bearer"));
/// assert_eq!(token.status(), StatusCode::UNAUTHORIZED);
/// assert!(Denial::try_from(StatusCode::OK).is_err());
/// ```
#[derive(Debug, Clone)]
pub struct Denial {
    /// Invariant: 3xx without 304, 4xx or 5xx.
    status: StatusCode,
    headers: HeaderMap,
}

/// A status that is not a denial: below 300, or 304.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct InvalidDenial(StatusCode);

// === impl Denial ===

impl Denial {
    /// 403.
    pub fn forbidden() -> Self {
        Self::new(StatusCode::FORBIDDEN)
    }

    /// 404: the client does not learn whether there is such an object.
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND)
    }

    /// 401, with a challenge (RFC 9110 §11.6.1): `Bearer`, `Basic realm="media"`.
    pub fn unauthorized(challenge: HeaderValue) -> Self {
        Self::new(StatusCode::UNAUTHORIZED).with_header(WWW_AUTHENTICATE, challenge)
    }

    /// 303 to a log-in page, which the browser requests by GET.
    pub fn redirect(location: HeaderValue) -> Self {
        Self::new(StatusCode::SEE_OTHER).with_header(LOCATION, location)
    }

    /// Adds a field to the response.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// The status of the response.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    pub(crate) fn into_headers(self) -> HeaderMap {
        self.headers
    }

    fn new(status: StatusCode) -> Self {
        Self { status, headers: HeaderMap::new() }
    }
}

impl TryFrom<StatusCode> for Denial {
    type Error = InvalidDenial;

    fn try_from(status: StatusCode) -> Result<Self, InvalidDenial> {
        if status.as_u16() < 300 || status == StatusCode::NOT_MODIFIED {
            return Err(InvalidDenial(status));
        }
        Ok(Self::new(status))
    }
}

// === impl InvalidDenial ===

impl fmt::Display for InvalidDenial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the status {} is not a denial: give one from 300 on, but not 304", self.0.as_u16())
    }
}

/// With the rule, since a `main` that returns the error prints this.
impl fmt::Debug for InvalidDenial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InvalidDenial({self})")
    }
}

impl std::error::Error for InvalidDenial {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_turns_away_is_a_denial() {
        for (status, is_denial) in [
            (100, false),
            (200, false),
            (206, false),
            (302, true),
            (304, false),
            (401, true),
            (404, true),
            (451, true),
            (503, true),
        ] {
            let denial = Denial::try_from(StatusCode::from_u16(status).unwrap());
            assert_eq!(denial.is_ok(), is_denial, "{status}");
        }
    }
}
