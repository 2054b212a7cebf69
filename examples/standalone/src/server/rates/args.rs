use std::num::NonZeroU32;

use tower_s3_proxy::service::ByteRate;

use super::RequestRate;
use crate::{cache::parse_bytes, server::parse_count};

/// Rates of clients.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct RateArgs {
    /// Requests a second of one address (IPv6: of one /64), beyond which they are 429 [default: without limit]
    ///
    /// --ping-path and --ready-path are answered all the same.
    #[arg(long, value_name = "N", value_parser = parse_rate, help_heading = "Limits")]
    pub(crate) max_requests_per_second: Option<NonZeroU32>,

    /// Requests that an address can make at once if it made none before [default: ten seconds' worth]
    #[arg(long, value_name = "N", value_parser = parse_rate, requires = "max_requests_per_second", help_heading = "Limits")]
    pub(crate) request_burst: Option<NonZeroU32>,

    /// Bytes a second of one connection, all its responses together [default: without limit]
    #[arg(long, value_name = "BYTES", value_parser = parse_byte_rate, help_heading = "Limits")]
    pub(crate) max_bytes_per_second: Option<u64>,
}

// === impl RateArgs ===

impl RateArgs {
    pub(crate) fn requests(&self) -> Option<RequestRate> {
        let each = self.max_requests_per_second?;
        Some(RequestRate::new(each, self.request_burst.unwrap_or_else(|| each.saturating_mul(BURST_SECONDS))))
    }
}

const BURST_SECONDS: NonZeroU32 = NonZeroU32::new(10).expect("it is not 0");

fn parse_rate(text: &str) -> Result<NonZeroU32, String> {
    let rate: u32 = parse_count(text)?;
    NonZeroU32::new(rate).ok_or_else(|| "give a number, at least 1".to_owned())
}

fn parse_byte_rate(text: &str) -> Result<u64, String> {
    let bytes = parse_bytes(text)?;
    // Each connection has one of its own.
    ByteRate::new(bytes).map(|_| bytes).map_err(|_| "give at least 1KiB".to_owned())
}
