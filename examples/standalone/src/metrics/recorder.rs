use std::sync::Arc;

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use metrics_process::Collector;
use tower_s3_proxy::S3ProxyLayer;

use super::histograms::Histograms;
use crate::server;

/// What the process has recorded.
#[derive(Debug)]
pub(crate) struct Metrics {
    handle: PrometheusHandle,
    histograms: Arc<Histograms>,
    process: Collector,
}

/// The recorder of the process: the exporter's, with histograms of our own.
struct Recording {
    exporter: PrometheusRecorder,
    histograms: Arc<Histograms>,
}

// === impl Metrics ===

impl Metrics {
    pub(super) fn install() -> Result<Self, String> {
        let exporter = PrometheusBuilder::new().build_recorder();
        let (handle, histograms) = (exporter.handle(), Arc::<Histograms>::default());
        let recording = Recording { exporter, histograms: Arc::clone(&histograms) };
        metrics::set_global_recorder(recording).map_err(|why| format!("metrics can't be kept: {why}"))?;
        tower_s3_proxy::metrics::describe();
        server::describe_metrics();
        let process = Collector::default();
        process.describe();
        Ok(Self { handle, histograms, process })
    }

    /// Everything, as Prometheus reads it.
    pub(super) fn render(&self, layer: &S3ProxyLayer) -> String {
        layer.report_metrics();
        self.process.collect();
        let mut text = self.handle.render();
        self.histograms.render(&mut text);
        text
    }
}

// === impl Recording ===

impl Recorder for Recording {
    fn describe_counter(&self, key: KeyName, unit: Option<Unit>, what: SharedString) {
        self.exporter.describe_counter(key, unit, what);
    }

    fn describe_gauge(&self, key: KeyName, unit: Option<Unit>, what: SharedString) {
        self.exporter.describe_gauge(key, unit, what);
    }

    fn describe_histogram(&self, key: KeyName, _unit: Option<Unit>, what: SharedString) {
        self.histograms.describe(key.as_str(), &what);
    }

    fn register_counter(&self, key: &Key, metadata: &Metadata<'_>) -> Counter {
        self.exporter.register_counter(key, metadata)
    }

    fn register_gauge(&self, key: &Key, metadata: &Metadata<'_>) -> Gauge {
        self.exporter.register_gauge(key, metadata)
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.histograms.series(key))
    }
}
