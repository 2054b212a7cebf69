use std::{
    fmt,
    time::{Duration, SystemTime},
};

use http::{HeaderMap, HeaderValue, header::CONTENT_TYPE};

use super::{
    control::CDN_CACHE_CONTROL,
    freshness::{Heuristic, Lifetime, Storability},
};
use crate::object::{InvalidGlobs, ObjectGlobs, ObjectKey, ObjectMatcher};

/// How long objects are fresh in a cache, and which objects.
///
/// It replaces the lifetime of `Cache-Control` and `Expires` for the cache; clients still get the latter. It does not
/// override `no-store`, `private` and `no-cache`. With zero, objects are revalidated with S3 each time.
///
/// ```
/// use std::time::Duration;
/// use tower_s3_proxy::cache::CacheTtl;
///
/// let rules = [
///     CacheTtl::new(Duration::from_secs(86_400)).key("assets/**"),
///     CacheTtl::new(Duration::from_secs(3_600)).content_type("image/*"),
/// ];
/// # let _ = rules;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheTtl {
    ttl: Duration,
    globs: ObjectGlobs,
}

/// A mount's options for how long objects are fresh. The first rule that matches wins.
#[derive(Debug, Clone)]
pub(crate) struct FreshnessPolicy {
    rules: Vec<(ObjectMatcher, Duration)>,
    heuristic: Option<Heuristic>,
}

/// An invalid policy, and why it is invalid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum InvalidFreshness {
    Glob(InvalidGlobs),
    Percent(u32),
}

// === impl CacheTtl ===

impl CacheTtl {
    /// This long, for all objects.
    pub fn new(ttl: Duration) -> Self {
        Self { ttl, globs: ObjectGlobs::default() }
    }

    /// Only for keys that the glob matches, as in [`CacheControlRule::key`](crate::response::CacheControlRule::key).
    #[must_use]
    pub fn key(mut self, glob: impl Into<String>) -> Self {
        self.globs.key = Some(glob.into());
        self
    }

    /// Only for content types that the glob matches, without parameters: `image/*`, `text/html`. The type is the one
    /// that clients get.
    #[must_use]
    pub fn content_type(mut self, glob: impl Into<String>) -> Self {
        self.globs.content_type = Some(glob.into());
        self
    }
}

// === impl FreshnessPolicy ===

impl FreshnessPolicy {
    pub(crate) fn new<'r>(
        rules: impl IntoIterator<Item = &'r CacheTtl>,
        heuristic: Option<Heuristic>,
    ) -> Result<Self, InvalidFreshness> {
        if let Some(Heuristic { percent, .. }) = heuristic
            && !(1..=100).contains(&percent)
        {
            return Err(InvalidFreshness::Percent(percent));
        }
        let compile = |rule: &CacheTtl| Ok((rule.globs.compile()?, rule.ttl));
        let rules =
            rules.into_iter().map(compile).collect::<Result<_, _>>().map_err(InvalidFreshness::Glob)?;
        Ok(Self { rules, heuristic })
    }

    /// The lifetime of an object with these fields; `None` if it must not be stored. `fields` are the client's,
    /// `targeted` is S3's field for caches like this one, if there is one.
    pub(crate) fn lifetime(
        &self,
        key: &ObjectKey,
        fields: &HeaderMap,
        targeted: Option<&HeaderValue>,
        requested_at: SystemTime,
        received_at: SystemTime,
    ) -> Option<Lifetime> {
        let ttl = self.ttl(key, fields.get(CONTENT_TYPE));
        let told = targeted.map(|targeted| {
            let mut told = fields.clone();
            told.insert(CDN_CACHE_CONTROL, targeted.clone());
            told
        });
        let (fields, targets) = (told.as_ref().unwrap_or(fields), &[CDN_CACHE_CONTROL]);
        match Lifetime::of(fields, targets, ttl, self.heuristic, requested_at, received_at) {
            Storability::Store(lifetime) => Some(lifetime),
            Storability::Never(_) => None,
        }
    }

    /// The lifetime in place of S3's. `content_type` is the client's.
    fn ttl(&self, key: &ObjectKey, content_type: Option<&HeaderValue>) -> Option<Duration> {
        let fitting = self.rules.iter().find(|(objects, _)| objects.fits(key, content_type));
        fitting.map(|(_, ttl)| *ttl)
    }
}

// === impl InvalidFreshness ===

impl fmt::Display for InvalidFreshness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Glob(why) => write!(f, "a rule for the time to live: {why}"),
            Self::Percent(percent) => write!(f, "heuristic freshness of {percent} percent: give 1 to 100"),
        }
    }
}

impl std::error::Error for InvalidFreshness {}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_first_rule_that_fits_wins() {
        let rules = [
            CacheTtl::new(seconds(1)).key("assets/**"),
            CacheTtl::new(seconds(2)).key("*.html").content_type("text/*"),
            CacheTtl::new(seconds(3)).content_type("image/*"),
        ];
        let general = CacheTtl::new(seconds(4));
        let without = FreshnessPolicy::new(&rules, None).unwrap();
        let with = FreshnessPolicy::new(rules.iter().chain([&general]), None).unwrap();
        for (key, content_type, ttl) in [
            ("assets/a.html", Some("text/html"), Some(1)),
            ("x/a.html", Some("text/html; charset=utf-8"), Some(2)),
            ("x/a.html", Some("image/png"), Some(3)),
            ("x/a.html", None, None),
            ("x/a.txt", Some("text/plain"), None),
        ] {
            let content_type = content_type.map(HeaderValue::from_static);
            let key = ObjectKey::new(key).unwrap();
            assert_eq!(without.ttl(&key, content_type.as_ref()), ttl.map(seconds), "{key} {content_type:?}");
            let ttl = ttl.unwrap_or(4);
            assert_eq!(with.ttl(&key, content_type.as_ref()), Some(seconds(ttl)), "{key} {content_type:?}");
        }
    }

    #[test]
    fn senseless_policies_are_refused() {
        let broken = CacheTtl::new(seconds(1)).key("a[");
        assert!(matches!(FreshnessPolicy::new([&broken], None), Err(InvalidFreshness::Glob(_))));
        for percent in [0, 101] {
            let heuristic = Heuristic { percent, cap: seconds(1) };
            let refused = FreshnessPolicy::new([], Some(heuristic)).unwrap_err();
            assert_eq!(refused, InvalidFreshness::Percent(percent));
            assert!(refused.to_string().contains(&format!("{percent} percent")), "{refused}");
        }
    }
}
