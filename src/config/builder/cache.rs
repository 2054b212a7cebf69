//! What is kept in memory, and for how long.

use std::time::Duration;

use super::MountBuilder;
use crate::cache::{Cache, CacheTtl, Heuristic};

impl MountBuilder {
    /// Keeps objects in this cache. Mounts that share one share its budget, not its objects.
    pub fn cache(mut self, cache: &Cache) -> Self {
        self.cache = Some(cache.clone());
        self
    }

    /// How long objects in the cache are fresh, in place of what `Cache-Control` and `Expires` say of that. Clients are
    /// told the latter. `no-store`, `private` and `no-cache` hold all the same.
    pub fn cache_ttl(mut self, ttl: Duration) -> Self {
        self.cache_ttl = Some(ttl);
        self
    }

    /// Adds a rule for how long objects in the cache are fresh. The first that fits wins; they stand before
    /// [`cache_ttl`](Self::cache_ttl).
    pub fn cache_ttl_rule(mut self, rule: CacheTtl) -> Self {
        self.cache_ttl_rules.push(rule);
        self
    }

    /// Takes objects for fresh of which nothing says how long they are: for this share, in percent, of the time since
    /// they were last modified, and for `cap` at most (RFC 9111 §4.2.2; 10 percent is customary). Without it, S3 is asked
    /// each time whether such an object is still the one.
    pub fn cache_heuristic(mut self, percent: u8, cap: Duration) -> Self {
        self.cache_heuristic = Some(Heuristic { percent: percent.into(), cap });
        self
    }
}
