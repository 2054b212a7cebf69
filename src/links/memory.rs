use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::SystemTime,
};

use quick_cache::sync::Cache;

use super::{PresignRequest, PresignedUrl};
use crate::object::BucketName;

/// The links that were made, for equal requests: a browser caches what it reads by the same URL.
#[derive(Default)]
pub(crate) struct LinkMemory(OnceLock<Cache<LinkId, Arc<Remembered>>>);

/// A link, and what it was signed with.
pub(crate) struct Remembered {
    pub(crate) link: PresignedUrl,
    /// That of the credentials.
    pub(crate) generation: u64,
}

type LinkId = (BucketName, PresignRequest);

/// Of about 2 KiB each, if the credentials have a session token.
const LINKS: usize = 4096;

// === impl LinkMemory ===

impl LinkMemory {
    /// The link for a request, if enough of its life is left. One of credentials that were replaced is not handed out again:
    /// S3 may have refused them.
    pub(crate) fn recall(&self, id: &LinkId, generation: u64, now: SystemTime) -> Option<PresignedUrl> {
        let held = self.0.get()?.get(id)?;
        let is_fresh = held.generation == generation && now < held.link.renewed_at;
        is_fresh.then(|| held.link.clone())
    }

    pub(crate) fn keep(&self, id: LinkId, made: Remembered) {
        self.0.get_or_init(|| Cache::new(LINKS)).insert(id, Arc::new(made));
    }
}

impl fmt::Debug for LinkMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkMemory")
    }
}
