use std::{sync::Arc, time::Duration};

use http::HeaderValue;

use super::{SitePolicy, releases::ReleasePolicy};
use crate::{
    object::ObjectKey,
    published::{BucketSite, Deployed, FieldRules, Redirects, Watched},
};

/// The part of a website that the bucket decides, and that can change while it is served.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) releases: Option<ReleasePolicy>,
    /// The files of rules where there are no releases, if the site has rules.
    pub(crate) rules: Option<[ObjectKey; 2]>,
    pub(crate) source: SiteSource,
    /// How long what is known is taken as it is.
    pub(crate) refresh: Duration,
    pub(crate) watched: Watched<Snapshot>,
}

/// Which configuration a website has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SiteSource {
    Mount,
    /// The bucket's own.
    Bucket,
}

/// What the bucket says of a website. A request takes it once, so that no response mixes two of them.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    pub(crate) deployed: Option<Seen<Deployed>>,
    pub(crate) rules: Option<RuleFiles>,
    pub(crate) of_bucket: Option<OfBucket>,
}

/// The website configuration of the bucket. `None` if it has none: then there are objects, and nothing else.
#[derive(Debug)]
pub(crate) struct OfBucket {
    pub(crate) site: Option<BucketSite>,
    /// The part of it that any website has.
    pub(crate) policy: SitePolicy,
}

/// The files `_headers` and `_redirects`.
#[derive(Debug)]
pub(crate) struct RuleFiles {
    pub(crate) fields: RuleFile<FieldRules>,
    pub(crate) redirects: RuleFile<Redirects>,
}

#[derive(Debug)]
pub(crate) struct RuleFile<T> {
    pub(crate) key: ObjectKey,
    pub(crate) seen: Arc<Seen<T>>,
}

/// What was read from an object, and the tag of the object.
#[derive(Debug, Clone)]
pub(crate) struct Seen<T> {
    pub(crate) tag: Option<HeaderValue>,
    pub(crate) value: T,
}

/// A snapshot, and what a request looks at in it.
#[derive(Debug, Clone, Default)]
pub(crate) struct View {
    pub(crate) snapshot: Arc<Snapshot>,
    /// The current one is 0; those before it follow.
    pub(crate) release: usize,
    /// The page that a rule has for what is missing.
    pub(crate) missing_page: Option<String>,
}

// === impl Live ===

impl Live {
    /// The objects of which a purge tells that something has changed.
    pub(crate) fn objects(&self) -> impl Iterator<Item = &ObjectKey> {
        // The files of rules of a release are in its folder, which never changes.
        let rules = self.rules.iter().flatten().filter(|_| self.releases.is_none());
        self.releases.iter().map(|releases| &releases.current).chain(rules)
    }
}

// === impl Snapshot ===

impl Snapshot {
    /// What the paths of a release have in front; empty without releases.
    pub(crate) fn folder(&self, site: &SitePolicy, release: usize) -> Option<String> {
        let releases = site.live.as_ref().and_then(|live| live.releases.as_ref());
        let Some(releases) = releases else { return Some(String::new()) };
        releases.folder(&self.deployed.as_ref()?.value, release)
    }
}

// === impl RuleFiles ===

impl RuleFiles {
    pub(crate) const NAMES: [&str; 2] = ["_headers", "_redirects"];

    pub(crate) fn keys(&self) -> [&ObjectKey; 2] {
        [&self.fields.key, &self.redirects.key]
    }
}

// === impl View ===

impl View {
    /// What the paths of the site have in front; empty without releases.
    pub(crate) fn folder(&self, site: &SitePolicy) -> Option<String> {
        self.snapshot.folder(site, self.release)
    }
}
