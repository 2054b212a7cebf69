use metrics::{Counter, Gauge, Unit, counter, describe_counter, describe_gauge, gauge};

/// What is counted of connections.
#[derive(Debug)]
pub(crate) struct Meters {
    accepted: Counter,
    open: Gauge,
    handshakes: Counter,
    failed_handshakes: Counter,
}

/// A connection, counted until it is dropped.
#[derive(Debug)]
pub(crate) struct OpenConnection(Gauge);

const ACCEPTED: &str = "s3proxy_connections_total";
const OPEN: &str = "s3proxy_connections_open";
const HANDSHAKES: &str = "s3proxy_tls_handshakes_total";
const REFUSALS: &str = "s3proxy_refusals_total";

/// Tells the recorder what each family is.
pub(crate) fn describe_metrics() {
    describe_counter!(ACCEPTED, Unit::Count, "Connections of clients that were let in.");
    describe_gauge!(OPEN, Unit::Count, "Connections of clients now.");
    describe_counter!(HANDSHAKES, Unit::Count, "TLS handshakes with clients.");
    describe_counter!(REFUSALS, Unit::Count, "Connections and requests that were refused for lack of room.");
}

/// Counts what is refused for this reason.
pub(super) fn refusals(reason: &'static str) -> Counter {
    counter!(REFUSALS, "reason" => reason)
}

// === impl Meters ===

impl Default for Meters {
    fn default() -> Self {
        Self {
            accepted: counter!(ACCEPTED),
            open: gauge!(OPEN),
            handshakes: counter!(HANDSHAKES, "outcome" => "ok"),
            failed_handshakes: counter!(HANDSHAKES, "outcome" => "failed"),
        }
    }
}

impl Meters {
    pub(super) fn connection(&self) -> OpenConnection {
        self.accepted.increment(1);
        self.open.increment(1);
        OpenConnection(self.open.clone())
    }

    pub(super) fn handshake(&self, is_done: bool) {
        let counter = if is_done { &self.handshakes } else { &self.failed_handshakes };
        counter.increment(1);
    }
}

// === impl OpenConnection ===

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.decrement(1);
    }
}
