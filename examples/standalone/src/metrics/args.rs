use std::net::SocketAddr;

use tokio::net::TcpListener;

use super::Metrics;
use crate::{listen::parse_address, server::listen_tcp};

/// What operators see.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct MetricsArgs {
    /// Listen here for Prometheus: /metrics has the metrics, and /ping answers; nothing there is for clients
    #[arg(long, value_name = "ADDR", value_parser = parse_address, help_heading = "What operators see")]
    metrics_listen: Option<SocketAddr>,
}

// === impl MetricsArgs ===

impl MetricsArgs {
    /// Begins to count. To be called before anything is made that counts. `None` if nobody wants to know.
    pub(crate) fn start(&self) -> Result<Option<(Metrics, TcpListener)>, String> {
        let Some(address) = self.metrics_listen else { return Ok(None) };
        let listener = listen_tcp(address).map_err(|why| {
            format!("cannot listen on {address}: {why}; give another --metrics-listen address")
        })?;
        if let Ok(address) = listener.local_addr() {
            tracing::info!(%address, "metrics for Prometheus at /metrics");
        }
        Ok(Some((Metrics::install()?, listener)))
    }
}
