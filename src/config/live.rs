use std::{sync::Arc, time::Duration};

use http::HeaderValue;

use super::{SitePolicy, releases::ReleasePolicy};
use crate::{
    object::ObjectKey,
    published::{Deployed, Watched},
};

/// The part of a website that the bucket decides, and that can change while it is served.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) releases: Option<ReleasePolicy>,
    /// How long what is known is taken as it is.
    pub(crate) refresh: Duration,
    pub(crate) watched: Watched<Snapshot>,
}

/// What the bucket says of a website. A request takes it once, so that no response mixes two of them.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    pub(crate) deployed: Option<Seen<Deployed>>,
}

/// What was read from an object, and the tag of the object.
#[derive(Debug, Clone)]
pub(crate) struct Seen<T> {
    pub(crate) tag: Option<HeaderValue>,
    pub(crate) value: T,
}

/// A snapshot, and the release in it that a request looks at.
#[derive(Debug, Clone)]
pub(crate) struct View {
    pub(crate) snapshot: Arc<Snapshot>,
    /// The current one is 0; those before it follow.
    pub(crate) release: usize,
}

// === impl Live ===

impl Live {
    /// The objects of which a purge tells that something has changed.
    pub(crate) fn objects(&self) -> impl Iterator<Item = &ObjectKey> {
        self.releases.iter().map(|releases| &releases.current)
    }
}

// === impl View ===

impl View {
    /// What the paths of the site have in front; empty without releases.
    pub(crate) fn folder(&self, site: &SitePolicy) -> Option<String> {
        let releases = site.live.as_ref().and_then(|live| live.releases.as_ref());
        let Some(releases) = releases else { return Some(String::new()) };
        releases.folder(&self.snapshot.deployed.as_ref()?.value, self.release)
    }
}
