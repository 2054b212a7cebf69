use std::time::Instant;

use metrics::Counter;
use tower_s3_proxy::ProxyError;

use super::{
    admission::{Limit, Refusal},
    meters,
};
use crate::throttled::Throttled;

/// What clients are refused for lack of room, as the log has it, and the metrics.
#[derive(Debug)]
pub(crate) struct Refusals {
    reserve: ByLimit,
    closed: ByLimit,
    gave_way: Told,
    pub(crate) request: Told,
    pub(crate) rate: Told,
    ready: Throttled,
}

/// One line for each limit.
#[derive(Debug)]
struct ByLimit {
    all: Told,
    address: Told,
}

/// One line of them.
#[derive(Debug)]
pub(crate) struct Told(Throttled, Counter);

// === impl Refusals ===

impl Default for Refusals {
    fn default() -> Self {
        Self {
            reserve: ByLimit::new("connections_reserve", "address_connections_reserve"),
            closed: ByLimit::new("connections", "address_connections"),
            gave_way: Told::new("gave_way"),
            request: Told::new("requests"),
            rate: Told::new("request_rate"),
            ready: Throttled::default(),
        }
    }
}

impl Refusals {
    /// Tells of a connection beyond a limit.
    pub(crate) fn reserved(&self, limit: Limit) {
        self.reserve.of(limit).tell(match limit {
            Limit::All => "--max-connections is reached by requests: only health checks are answered",
            Limit::Address => {
                "an address has --max-connections-per-address: only health checks are answered there"
            }
        });
    }

    /// Tells of a connection that has the place of one without a request.
    pub(crate) fn gave_way(&self) {
        self.gave_way
            .tell("--max-connections is reached: connections without a request are closed for others");
    }

    /// Tells of a connection that was closed at once.
    pub(crate) fn closed(&self, refusal: Refusal) {
        let Refusal(limit) = refusal;
        self.closed.of(limit).tell(match limit {
            Limit::All => {
                "connections closed: --max-connections and the reserve for health checks are reached"
            }
            Limit::Address => {
                "connections closed: their address has --max-connections-per-address and its part of the reserve"
            }
        });
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

// === impl ByLimit ===

impl ByLimit {
    fn new(all: &'static str, address: &'static str) -> Self {
        Self { all: Told::new(all), address: Told::new(address) }
    }

    fn of(&self, limit: Limit) -> &Told {
        match limit {
            Limit::All => &self.all,
            Limit::Address => &self.address,
        }
    }
}

// === impl Told ===

impl Told {
    /// Counted by this reason.
    fn new(reason: &'static str) -> Self {
        Self(Throttled::default(), meters::refusals(reason))
    }

    pub(crate) fn tell(&self, what: &str) {
        self.1.increment(1);
        if let Some(count) = self.0.count(Instant::now()) {
            tracing::warn!(count, "{what}");
        }
    }
}
