use std::{fmt, time::Duration};

use super::{
    budget::UsedUp,
    credentials::CredentialsUnavailable,
    endpoint::EndpointError,
    in_flight::Overload,
    wire::{WireError, WireErrorKind},
};
use crate::error::BoxError;

/// Why there is no response from S3 at all.
#[derive(Debug)]
pub(crate) enum OriginError {
    Credentials(CredentialsUnavailable),
    Endpoint(EndpointError),
    Overload(Overload),
    /// S3 failed again and again, and is asked again later.
    LeftAlone {
        until_probe: Duration,
    },
    /// S3 has been asked for as much as it may be on this day.
    UsedUp(UsedUp),
    Wire(WireError),
    /// The request can't be written: the credentials contain bytes that no field may contain.
    Unwritable(BoxError),
}

// === impl OriginError ===

impl OriginError {
    pub(super) fn unwritable(error: impl Into<BoxError>) -> Self {
        Self::Unwritable(error.into())
    }

    /// Every connection that there can be is busy.
    pub(crate) fn is_overload(&self) -> bool {
        matches!(self, Self::Wire(error) if error.kind == WireErrorKind::Overloaded)
    }

    /// The client did not send the rest of its request.
    pub(crate) fn is_unfinished(&self) -> bool {
        matches!(self, Self::Wire(error) if error.kind == WireErrorKind::Unfinished)
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
            Self::Overload(_) => "the request to the origin was not sent",
            Self::LeftAlone { .. } => "the origin fails again and again, and is left alone for a moment",
            Self::UsedUp(_) => "the origin is not asked for more on this day",
            Self::Wire(_) => "the origin could not be reached",
            Self::Unwritable(_) => "the request to the origin could not be written",
        })
    }
}

impl std::error::Error for OriginError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Credentials(error) => Some(error),
            Self::Endpoint(error) => Some(error),
            Self::Overload(error) => Some(error),
            Self::LeftAlone { .. } => None,
            Self::UsedUp(why) => Some(why),
            Self::Wire(error) => Some(error),
            Self::Unwritable(error) => Some(error.as_ref()),
        }
    }
}
