use std::{fmt, net::SocketAddr};

use crate::{error::BoxError, meter::Outcome};

/// Why a request got no response.
#[derive(Debug)]
pub(crate) struct WireError {
    pub(crate) kind: WireErrorKind,
    /// The address that the connection led to, if there was one.
    pub(crate) peer: Option<SocketAddr>,
    source: BoxError,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WireErrorKind {
    /// A kept connection broke before the head of a response was complete: a read can safely be repeated.
    Stale,
    Connect,
    /// As many connections are open as there can be, and busy.
    Overloaded,
    Timeout,
    /// The connection broke, or the response is not HTTP.
    Broken,
    /// The client did not send the rest of its request.
    Unfinished,
}

// === impl WireError ===

impl WireError {
    pub(in crate::origin) fn new(kind: WireErrorKind, source: impl Into<BoxError>) -> Self {
        Self { kind, peer: None, source: source.into() }
    }

    /// As it is counted.
    pub(in crate::origin) fn outcome(&self) -> Outcome {
        match self.kind {
            WireErrorKind::Connect => Outcome::Unreachable,
            WireErrorKind::Overloaded => Outcome::Overload,
            WireErrorKind::Timeout => Outcome::Timeout,
            WireErrorKind::Stale | WireErrorKind::Broken => Outcome::Broken,
            WireErrorKind::Unfinished => Outcome::Abandoned,
        }
    }

    pub(super) fn of(self, peer: SocketAddr) -> Self {
        Self { peer: Some(peer), ..self }
    }
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            WireErrorKind::Stale => "the kept connection was closed",
            WireErrorKind::Connect => "no connection",
            WireErrorKind::Overloaded => "no connection is free",
            WireErrorKind::Timeout => "no response in time",
            WireErrorKind::Broken => "the exchange broke off",
            WireErrorKind::Unfinished => "the client did not send the rest of the request",
        })?;
        match self.peer {
            Some(peer) => write!(f, " ({peer})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for WireError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(self.source.as_ref())
    }
}
