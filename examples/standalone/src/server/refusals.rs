use std::time::Instant;

use tower_s3_proxy::ProxyError;

use super::admission::Refusal;
use crate::throttled::Throttled;

/// What clients are refused for lack of room, as the log has it.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    pub(crate) reserve: Told,
    address: Told,
    full: Told,
    pub(crate) request: Told,
    ready: Throttled,
}

/// One line of them.
#[derive(Debug, Default)]
pub(crate) struct Told(Throttled);

// === impl Refusals ===

impl Refusals {
    /// Tells of a connection that was closed at once.
    pub(crate) fn connection(&self, refusal: Refusal) {
        match refusal {
            Refusal::Address => {
                self.address.tell("connections closed: their address has --max-connections-per-address");
            }
            Refusal::Full => {
                self.full.tell(
                    "connections closed: --max-connections and the reserve for health checks are reached",
                );
            }
        }
    }

    /// Tells why the proxy is not ready: anybody can ask for that.
    pub(crate) fn not_ready(&self, error: &ProxyError) {
        if let Some(count) = self.ready.count(Instant::now()) {
            tracing::error!(
                id = error.id(),
                code = error.origin_code(),
                ?error,
                count,
                "not ready: `check`, with the same flags, tells why"
            );
        }
    }
}

// === impl Told ===

impl Told {
    pub(crate) fn tell(&self, what: &str) {
        if let Some(count) = self.0.count(Instant::now()) {
            tracing::warn!(count, "{what}");
        }
    }
}
