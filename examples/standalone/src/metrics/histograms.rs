use std::{
    collections::BTreeMap,
    fmt::Write,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use metrics::{HistogramFn, Key};
use metrics_exporter_prometheus::formatting::{
    sanitize_label_key, sanitize_label_value, write_help_line, write_type_line,
};

/// Histograms of times. Each sample is in its bucket at once, where the exporter's own keep every one of them, with the time at
/// which it came, until somebody reads or a second is over: a good part of what the metrics of a request cost.
#[derive(Debug, Default)]
pub(super) struct Histograms(Mutex<BTreeMap<String, Family>>);

#[derive(Debug, Default)]
struct Family {
    what: String,
    /// By labels, as they are written.
    series: BTreeMap<String, Arc<Buckets>>,
}

/// The samples of a series.
#[derive(Debug, Default)]
pub(super) struct Buckets {
    /// Of each bucket those that are in none before it; the last has no bound.
    counts: [AtomicU64; BOUNDS.len() + 1],
    nanos: AtomicU64,
}

/// In seconds: from a hit in memory to a read that gives up.
const BOUNDS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

// === impl Histograms ===

impl Histograms {
    pub(super) fn describe(&self, name: &str, what: &str) {
        what.clone_into(&mut self.lock().entry(name.to_owned()).or_default().what);
    }

    pub(super) fn series(&self, key: &Key) -> Arc<Buckets> {
        let labels: Vec<_> = key
            .labels()
            .map(|label| {
                format!("{}=\"{}\"", sanitize_label_key(label.key()), sanitize_label_value(label.value()))
            })
            .collect();
        let mut families = self.lock();
        let family = families.entry(key.name().to_owned()).or_default();
        Arc::clone(family.series.entry(labels.join(",")).or_default())
    }

    /// In Prometheus's text format, behind what is there.
    pub(super) fn render(&self, text: &mut String) {
        for (name, Family { what, series }) in
            self.lock().iter().filter(|(_, family)| !family.series.is_empty())
        {
            write_help_line(text, name, None, None, what);
            write_type_line(text, name, None, None, "histogram");
            for (labels, buckets) in series {
                buckets.render(name, labels, text);
            }
            text.push('\n');
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Family>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Buckets ===

impl Buckets {
    fn render(&self, name: &str, labels: &str, text: &mut String) {
        let mut count = 0;
        let comma = if labels.is_empty() { "" } else { "," };
        for (n, samples) in self.counts.iter().enumerate() {
            count += samples.load(Relaxed);
            let bound = BOUNDS.get(n).map_or_else(|| "+Inf".to_owned(), f64::to_string);
            let _ = writeln!(text, "{name}_bucket{{{labels}{comma}le=\"{bound}\"}} {count}");
        }
        let sum = Duration::from_nanos(self.nanos.load(Relaxed)).as_secs_f64();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
        let _ = writeln!(text, "{name}_sum{labels} {sum}\n{name}_count{labels} {count}");
    }
}

impl HistogramFn for Buckets {
    fn record(&self, seconds: f64) {
        let at = BOUNDS.iter().position(|bound| seconds <= *bound).unwrap_or(BOUNDS.len());
        if let Some(count) = self.counts.get(at) {
            count.fetch_add(1, Relaxed);
        }
        let nanos = Duration::try_from_secs_f64(seconds).map_or(0, |time| time.as_nanos());
        self.nanos.fetch_add(u64::try_from(nanos).unwrap_or(u64::MAX), Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use metrics::{Label, Level, Metadata, Recorder};
    use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};

    use super::*;

    #[test]
    fn histograms_read_as_those_of_the_exporter() {
        let (suffix, name) = (Matcher::Suffix("_seconds".to_owned()), "s3proxy_a_seconds");
        let exporter =
            PrometheusBuilder::new().set_buckets_for_metric(suffix, &BOUNDS).unwrap().build_recorder();
        let histograms = Histograms::default();
        exporter.describe_histogram(name.into(), None, "What\nit is.".into());
        histograms.describe(name, "What\nit is.");
        // Of no series yet.
        histograms.describe("s3proxy_b_seconds", "Nothing.");
        for labels in [
            vec![],
            vec![Label::new("mount", "/a\"b\\"), Label::new("cache", "hit")],
            vec![Label::new("mount", "cdn.test/a\nb"), Label::new("cache", "miss")],
        ] {
            let key = Key::from_parts(name, labels);
            let theirs = exporter.register_histogram(&key, &Metadata::new("", Level::INFO, None));
            // Their sums are exact in both, and some are bounds.
            for seconds in [0.0, 0.0005, 0.001, 0.125, 0.25, 0.2501, 0.5, 1.0, 10.0, 10.5, 86_400.0] {
                theirs.record(seconds);
                histograms.series(&key).record(seconds);
            }
        }
        let sorted = |text: &str| {
            let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
            lines.sort();
            lines
        };
        let mut text = String::new();
        histograms.render(&mut text);
        assert_eq!(sorted(&text), sorted(&exporter.handle().render()));
    }
}
