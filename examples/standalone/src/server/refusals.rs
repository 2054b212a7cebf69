use super::admission::Refusal;
use crate::throttled::Throttled;

/// What clients are refused for lack of room, as the log has it.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    pub(crate) reserve: Told,
    address: Told,
    full: Told,
    pub(crate) request: Told,
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
}

// === impl Told ===

impl Told {
    pub(crate) fn tell(&self, what: &str) {
        if let Some(count) = self.0.count(std::time::Instant::now()) {
            tracing::warn!(count, "{what}");
        }
    }
}
