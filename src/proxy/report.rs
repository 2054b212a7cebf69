//! What the recorder of metrics is told when it is read.

use super::Proxy;
use crate::{
    cache::Cache,
    config::Mount,
    meter::families::{
        BREAKER_OPEN, BREAKER_OPENED, BREAKER_REFUSED, CREDENTIALS_AGE, CREDENTIALS_LEFT, FAILED_OVER,
        S3_BROKEN, S3_HEDGES, S3_HEDGES_WON, S3_RESUMES, S3_RETRIES,
    },
};

// === impl Proxy ===

impl Proxy {
    /// Each mount, and each cache once, however many mounts share it.
    pub(crate) fn report(&self) {
        self.mounts.iter().for_each(Mount::report);
        let mut caches: Vec<&Cache> = Vec::new();
        for cache in self.mounts.iter().filter_map(|mount| mount.0.cache.as_ref()) {
            if !caches.iter().any(|known| known.is_same(cache.cache())) {
                caches.push(cache.cache());
            }
        }
        crate::cache::report(&caches);
    }
}

// === impl Mount ===

impl Mount {
    fn report(&self) {
        let (meter, origin) = (self.0.origin.meter(), self.origin());
        for (name, total) in [
            (S3_RETRIES, origin.retried),
            (S3_RESUMES, origin.resumed),
            (S3_BROKEN, origin.broken),
            (S3_HEDGES, origin.hedged),
            (S3_HEDGES_WON, origin.hedges_won),
            (FAILED_OVER, origin.failed_over),
            (BREAKER_OPENED, origin.opened),
            (BREAKER_REFUSED, origin.refused),
        ] {
            meter.total(name, total);
        }
        meter.level(BREAKER_OPEN, f64::from(u8::from(origin.is_open)));
        if let Some(held) = self.held_credentials() {
            meter.level(CREDENTIALS_AGE, held.age.as_secs_f64());
            if let Some(left) = held.time_to_expiry {
                meter.level(CREDENTIALS_LEFT, left.as_secs_f64());
            }
        }
    }
}
