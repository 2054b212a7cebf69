//! Faults on demand.

use http::StatusCode;
use s3s::{S3Error, S3ErrorCode};
use tokio::sync::watch;

/// The error with which an object answers, see [`Store::deny`](crate::Store::deny).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Denial {
    /// 403 `AccessDenied`: no right to the object.
    AccessDenied,
    /// 403 `AccessDenied` with S3's message that a key of KMS may not be used.
    KeyDenied,
    /// 403 `InvalidObjectState`: archived and not restored.
    InvalidObjectState,
    /// 403 `SignatureDoesNotMatch`.
    SignatureDoesNotMatch,
    /// 400 `ExpiredToken`: temporary credentials have run out.
    ExpiredToken,
    /// 400 `RequestTimeout`: S3 waited too long for the client.
    RequestTimeout,
    /// 500 `InternalError`.
    InternalError,
    /// 503 `ServiceUnavailable`.
    ServiceUnavailable,
    /// 503 `SlowDown`: too many requests.
    SlowDown,
    /// Any other code with any status.
    Other {
        /// The code of the error document.
        code: &'static str,
        /// The status of the response.
        status: StatusCode,
    },
}

/// Keeps back the reads of an object until it is dropped, see [`Store::hold`](crate::Store::hold).
#[derive(Debug)]
#[must_use = "dropping it lets the reads go on"]
pub struct Hold {
    _open: watch::Sender<()>,
}

/// The faults of one key.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults {
    pub(crate) denial: Option<Denial>,
    /// How often the denial still applies; `None` is for ever.
    pub(crate) denials_left: Option<u32>,
    pub(crate) break_off: Option<BreakOff>,
    pub(crate) hold: Option<watch::Receiver<()>>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct BreakOff {
    pub(crate) after: u64,
    pub(crate) times_left: u32,
}

// === impl Hold ===

impl Hold {
    pub(crate) fn new() -> (Self, watch::Receiver<()>) {
        let (sender, receiver) = watch::channel(());
        (Self { _open: sender }, receiver)
    }
}

// === impl Denial ===

impl From<Denial> for S3Error {
    fn from(denial: Denial) -> Self {
        let (code, message) = match denial {
            Denial::AccessDenied => (S3ErrorCode::AccessDenied, "Access Denied"),
            Denial::KeyDenied => (
                S3ErrorCode::AccessDenied,
                "User: arn:aws:sts::123456789012:assumed-role/media-reader/proxy is not authorized to perform: kms:Decrypt \
                 on resource: arn:aws:kms:us-west-2:210987654321:key/1234abcd-12ab-34cd-56ef-1234567890ab because no \
                 resource-based policy allows the kms:Decrypt action",
            ),
            Denial::InvalidObjectState => {
                (S3ErrorCode::InvalidObjectState, "The operation is not valid for the object's storage class")
            }
            Denial::SignatureDoesNotMatch => (
                S3ErrorCode::SignatureDoesNotMatch,
                "The request signature we calculated does not match the signature you provided.",
            ),
            Denial::ExpiredToken => (S3ErrorCode::ExpiredToken, "The provided token has expired."),
            Denial::RequestTimeout => (
                S3ErrorCode::RequestTimeout,
                "Your socket connection to the server was not read from or written to within the timeout period.",
            ),
            Denial::InternalError => {
                (S3ErrorCode::InternalError, "We encountered an internal error. Please try again.")
            }
            Denial::ServiceUnavailable => {
                (S3ErrorCode::ServiceUnavailable, "Service is unable to handle request.")
            }
            Denial::SlowDown => (S3ErrorCode::SlowDown, "Please reduce your request rate."),
            Denial::Other { code, status } => {
                let code = S3ErrorCode::from_bytes(code.as_bytes()).unwrap_or(S3ErrorCode::InternalError);
                let mut error = S3Error::new(code);
                error.set_status_code(status);
                return error;
            }
        };
        S3Error::with_message(code, message)
    }
}

// === impl Faults ===

impl Faults {
    pub(crate) fn take_denial(&mut self) -> Option<Denial> {
        let denial = self.denial?;
        match &mut self.denials_left {
            None => Some(denial),
            Some(0) => None,
            Some(left) => {
                *left -= 1;
                Some(denial)
            }
        }
    }

    pub(crate) fn take_break_off(&mut self) -> Option<u64> {
        let fault = self.break_off.as_mut()?;
        fault.times_left = fault.times_left.checked_sub(1)?;
        Some(fault.after)
    }
}
