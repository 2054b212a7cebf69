//! What is kept in memory, and for how long.

use std::time::Duration;

use super::MountBuilder;
use crate::cache::{Cache, CacheTtl, Heuristic};

/// # The cache
impl MountBuilder {
    /// Keeps objects in this cache. Mounts that share one share its budget, not its objects.
    pub fn cache(mut self, cache: &Cache) -> Self {
        self.cache = Some(cache.clone());
        self
    }

    /// How long objects in the cache are fresh, in place of the lifetime of `Cache-Control` and `Expires`. Clients
    /// still get the latter. It does not override `no-store`, `private` and `no-cache`.
    pub fn cache_ttl(mut self, ttl: Duration) -> Self {
        self.cache_ttl = Some(ttl);
        self
    }

    /// Adds a rule for how long objects in the cache are fresh. The first that matches wins; rules precede
    /// [`cache_ttl`](Self::cache_ttl).
    pub fn cache_ttl_rule(mut self, rule: CacheTtl) -> Self {
        self.cache_ttl_rules.push(rule);
        self
    }

    /// Treats objects without any lifetime as fresh for this share, in percent, of the time since they were last
    /// modified, and for `cap` at most (RFC 9111 §4.2.2; 10 percent is customary). Without it, such objects are
    /// revalidated with S3 each time.
    pub fn cache_heuristic(mut self, percent: u8, cap: Duration) -> Self {
        self.cache_heuristic = Some(Heuristic { percent: percent.into(), cap });
        self
    }
}
