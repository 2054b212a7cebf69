use std::time::Duration;

use crate::cache::{parse_bytes, parse_time};

/// What clients can have of the server.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Connections of one address at a time.
    pub(crate) per_address: usize,
    /// Requests at a time on one HTTP/2 connection.
    pub(crate) streams: u32,
    /// The size of a request's head, in bytes.
    pub(crate) header_size: u32,
    pub(crate) timeouts: Timeouts,
    /// Of one connection.
    pub(crate) bytes_per_second: Option<u64>,
}

/// How long a state of a connection can last.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timeouts {
    /// Between the connection and its first byte.
    pub(crate) first_byte: Duration,
    /// Between the first byte of a head and its last.
    pub(crate) header: Duration,
    /// Without a request.
    pub(crate) idle: Duration,
    /// While something waits to be written, and the client takes nothing.
    pub(crate) write: Duration,
}

// === impl Timeouts ===

impl Timeouts {
    /// Those of a connection beyond the limit, where there is only a health check to be answered.
    pub(crate) fn reserved(self) -> Self {
        let short = Duration::from_secs(2);
        Self {
            first_byte: self.first_byte.min(short),
            header: self.header.min(short),
            idle: self.idle.min(short),
            write: self.write.min(short),
        }
    }
}

/// A number of things that must not be none.
pub(crate) fn parse_count<N: TryFrom<u32>>(text: &str) -> Result<N, String> {
    let count = text.parse::<u32>().ok().filter(|count| *count > 0);
    count.and_then(|count| N::try_from(count).ok()).ok_or_else(|| "give a number, at least 1".to_owned())
}

/// A time-out that ends.
pub(crate) fn parse_timeout(text: &str) -> Result<Duration, String> {
    match parse_time(text)? {
        Duration::ZERO => Err("nothing can be done in no time: give at least 1s".to_owned()),
        // Later than this a clock can't tell.
        time if time > YEAR => Err("give at most 365d".to_owned()),
        time => Ok(time),
    }
}

const YEAR: Duration = Duration::from_secs(365 * 86_400);

/// The size of a head, between what a simple request needs and what a connection's buffer holds.
pub(crate) fn parse_header_size(text: &str) -> Result<u32, String> {
    let size = u32::try_from(parse_bytes(text)?).unwrap_or(u32::MAX);
    match (1024..=512 * 1024).contains(&size) {
        true => Ok(size),
        false => Err("give 1KiB to 512KiB".to_owned()),
    }
}
