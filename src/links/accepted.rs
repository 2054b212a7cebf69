use std::{fmt, sync::OnceLock, time::SystemTime};

use http::Method;
use quick_cache::sync::Cache;
use sha2::{Digest, Sha256};

/// The links that S3 has accepted, until they expire: whoever has one of them may have the object.
#[derive(Default)]
pub(crate) struct AcceptedLinks(OnceLock<Cache<[u8; 32], SystemTime>>);

/// Of less than 100 bytes each.
const LINKS: usize = 16_384;

// === impl AcceptedLinks ===

impl AcceptedLinks {
    /// S3 has answered this link with the object.
    pub(crate) fn add(&self, method: &Method, path_and_query: &str, expires_at: SystemTime) {
        self.0.get_or_init(|| Cache::new(LINKS)).insert(digest(method, path_and_query), expires_at);
    }

    pub(crate) fn contain(&self, method: &Method, path_and_query: &str, now: SystemTime) -> bool {
        let Some(links) = self.0.get() else { return false };
        links.get(&digest(method, path_and_query)).is_some_and(|expires_at| now < expires_at)
    }
}

/// Every byte of a link counts, its signature included. It is kept nowhere.
fn digest(method: &Method, path_and_query: &str) -> [u8; 32] {
    Sha256::new()
        .chain_update(method.as_str())
        .chain_update(" ")
        .chain_update(path_and_query)
        .finalize()
        .into()
}

impl fmt::Debug for AcceptedLinks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AcceptedLinks")
    }
}
