//! Warming by request.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

use super::{WarmError, WarmReport, WarmTarget};
use crate::{
    cache::{CacheAdmin, PurgeTarget, WarmRun, Warmer},
    config::Mount,
    error::in_one_line,
    object::BucketName,
};

/// The mounts that there are now.
struct ByMounts<F>(F);

impl CacheAdmin {
    /// Takes `POST /warm`, too, for the mounts that `mounts` names when it is asked, like
    /// [`S3ProxyLayer::mounts`](crate::S3ProxyLayer::mounts); and no parameter `bucket` is needed where they have one and the
    /// same.
    #[must_use]
    pub fn with_mounts(self, mounts: impl Fn() -> Vec<Mount> + Send + Sync + 'static) -> Self {
        self.with_warmer(Arc::new(ByMounts(mounts)))
    }
}

impl<F: Fn() -> Vec<Mount> + Send + Sync> Warmer for ByMounts<F> {
    fn only_bucket(&self) -> Option<BucketName> {
        let mounts = (self.0)();
        let mut buckets = mounts.iter().map(|mount| mount.0.bucket.fixed());
        let first = buckets.next()??;
        buckets.all(|other| other == Some(first)).then(|| first.clone())
    }

    fn warm(&self, target: PurgeTarget) -> Result<WarmRun, String> {
        let target = match target {
            PurgeTarget::Object { bucket, key } => WarmTarget::Keys { bucket, keys: vec![key] },
            PurgeTarget::Prefix { bucket, prefix } => WarmTarget::Prefix { bucket, prefix },
            PurgeTarget::Everything => return Err("give a key or a prefix to warm".to_owned()),
        };
        // Of several mounts of the bucket, the first that serves the keys and has a cache.
        let mut refusal = None;
        let warming = (self.0)().into_iter().find_map(|mount| {
            mount.warm(target.clone()).map_err(|why| refusal.get_or_insert(why.to_string()).len()).ok()
        });
        let Some(warming) = warming else {
            return Err(refusal.unwrap_or_else(|| "there is no mount".to_owned()));
        };
        let so_far = Arc::new(Mutex::new(WarmReport::default()));
        let noted = Arc::clone(&so_far);
        let warming = warming.on_progress(move |report| {
            // Without the failures, which take an allocation each.
            let counts = WarmReport { failures: Vec::new(), ..*report };
            *noted.lock().unwrap_or_else(PoisonError::into_inner) = counts;
        });
        Ok(WarmRun {
            run: Box::pin(async move { last(&warming.run().await).to_string() }),
            so_far: Box::new(move || {
                counts(&so_far.lock().unwrap_or_else(PoisonError::into_inner)).to_string()
            }),
        })
    }
}

/// The last line says how it ended.
fn last(ended: &Result<WarmReport, WarmError>) -> Value {
    let (report, error) = match ended {
        Ok(report) => (report, None),
        Err(why) => (why.report(), Some(in_one_line(why))),
    };
    let mut line = counts(report);
    if let Some(line) = line.as_object_mut() {
        line.insert("done".to_owned(), error.is_none().into());
        line.insert("full".to_owned(), report.is_full.into());
        if let Some(error) = error {
            line.insert("error".to_owned(), error.into());
        }
        let failure = |failure: &super::WarmFailure| json!({ "key": failure.key.as_str(), "error": failure.error.to_string() });
        line.insert("failures".to_owned(), report.failures.iter().map(failure).collect());
    }
    line
}

fn counts(report: &WarmReport) -> Value {
    let WarmReport { kept, fresh, too_large, not_kept, missing, failed, bytes, .. } = report;
    json!({
        "kept": kept,
        "fresh": fresh,
        "too_large": too_large,
        "not_kept": not_kept,
        "missing": missing,
        "failed": failed,
        "bytes": bytes,
    })
}
