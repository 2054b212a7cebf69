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

    /// Goes on with what a mount before this one has stored: the two would store the same.
    #[cfg(feature = "toml")]
    pub(in crate::config) fn going_on_with(mut self, stored: &crate::cache::MountCache) -> Self {
        self.stored = Some(stored.clone());
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BucketName, ConfigErrorKind, Mount};

    #[test]
    fn a_lifetime_in_a_cache_needs_a_cache() {
        type Row = (fn(MountBuilder) -> MountBuilder, &'static str);
        let rows: [Row; 3] = [
            (|mount| mount.cache_ttl(SECOND), "cache_ttl without a cache"),
            (|mount| mount.cache_ttl_rule(CacheTtl::new(SECOND)), "cache_ttl_rule without a cache"),
            (|mount| mount.cache_heuristic(10, SECOND), "cache_heuristic without a cache"),
        ];
        let mount =
            || Mount::builder(BucketName::parse("studio-media").unwrap()).region("us-west-2").anonymous();
        let cache = Cache::builder(1 << 20).build().unwrap();
        for (change, message) in rows {
            let refusal = change(mount()).build().unwrap_err();
            assert_eq!(refusal.kind(), ConfigErrorKind::Contradiction);
            assert!(refusal.to_string().starts_with(message), "{refusal}");
            assert!(change(mount()).cache(&cache).build().is_ok(), "{message}");
        }
    }

    const SECOND: Duration = Duration::from_secs(1);
}
