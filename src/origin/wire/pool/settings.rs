use std::time::Duration;

use crate::origin::wire::DialSettings;

#[derive(Debug, Clone)]
pub(crate) struct PoolSettings {
    pub(crate) dial: DialSettings,
    /// From TCP's connection to the end of TLS's handshake.
    pub(crate) tls_timeout: Duration,
    /// From sending the request to the first byte of the response's body.
    pub(crate) response_timeout: Duration,
    /// From one piece of a body to the next.
    pub(crate) read_timeout: Duration,
    /// For each host, idle ones included.
    pub(crate) max_connections: usize,
    /// For each host.
    pub(crate) max_idle: usize,
    pub(crate) idle_timeout: Duration,
    /// From its opening to the last request that it serves.
    pub(crate) max_age: Duration,
}

/// The clock reaches no further than that for sure.
pub(super) const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
