use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use metrics_process::Collector;
use tower_s3_proxy::S3ProxyLayer;

use crate::server;

/// The recorder of the process.
#[derive(Debug)]
pub(crate) struct Metrics {
    handle: PrometheusHandle,
    process: Collector,
}

/// In seconds: from a hit in memory to a read that gives up.
const BUCKETS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// How often the samples of histograms, which are kept one by one, are put into their buckets: at 20,000 requests a second they
/// take less than a MiB until then. Nobody may ever read the metrics.
const UPKEEP: Duration = Duration::from_secs(1);

// === impl Metrics ===

impl Metrics {
    pub(super) fn install() -> Result<Self, String> {
        let builder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &BUCKETS)
            .map_err(|why| format!("metrics can't be kept: {why}"))?;
        let handle = builder.install_recorder().map_err(|why| format!("metrics can't be kept: {why}"))?;
        tower_s3_proxy::metrics::describe();
        server::describe_metrics();
        let process = Collector::default();
        process.describe();
        Ok(Self { handle, process })
    }

    /// Everything, as Prometheus reads it.
    pub(super) fn render(&self, layer: &S3ProxyLayer) -> String {
        layer.report_metrics();
        self.process.collect();
        self.handle.render()
    }

    /// Keeps what is not read small. Does not end.
    pub(super) async fn keep_up(handle: PrometheusHandle) {
        let mut tick = tokio::time::interval(UPKEEP);
        loop {
            tick.tick().await;
            handle.run_upkeep();
        }
    }

    pub(super) fn handle(&self) -> PrometheusHandle {
        self.handle.clone()
    }
}
