use std::fmt;

use crate::error::BoxError;

/// Why a request got no answer.
#[derive(Debug)]
pub(crate) struct WireError {
    pub(crate) kind: WireErrorKind,
    source: BoxError,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WireErrorKind {
    /// A kept connection broke before the head of an answer was complete: a read is safe to send again.
    Stale,
    Connect,
    /// As many connections are open as there can be, and busy.
    Overloaded,
    Timeout,
    /// The connection broke, or what came is not HTTP.
    Broken,
}

// === impl WireError ===

impl WireError {
    pub(super) fn new(kind: WireErrorKind, source: impl Into<BoxError>) -> Self {
        Self { kind, source: source.into() }
    }
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            WireErrorKind::Stale => "the kept connection was closed",
            WireErrorKind::Connect => "no connection to the origin",
            WireErrorKind::Overloaded => "no connection to the origin is free",
            WireErrorKind::Timeout => "the origin did not answer in time",
            WireErrorKind::Broken => "the exchange with the origin broke off",
        })
    }
}

impl std::error::Error for WireError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(self.source.as_ref())
    }
}
