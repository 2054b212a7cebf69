use std::{
    array,
    hash::{DefaultHasher, Hash, Hasher},
    sync::atomic::{AtomicU64, Ordering},
};

use super::store::Purge;

/// Counts changes below folders, so that a list from before a change is not shown after it.
///
/// A folder is what keys have in common up to a slash; the empty one has all of a bucket. Each shares its count with others,
/// whatever their buckets: to list again does no harm.
#[derive(Debug)]
pub(crate) struct Folders {
    all: AtomicU64,
    slots: [AtomicU64; SLOTS],
}

/// One for each value of a byte.
const SLOTS: usize = 1 << 8;

// === impl Folders ===

impl Folders {
    /// While it stays the same, nothing in the folder has changed that the proxy has heard of.
    pub(crate) fn of(&self, folder: &str) -> u64 {
        // Neither ever decreases, so the sum is the same only if both are.
        self.all.load(Ordering::SeqCst) + self.slot(folder).load(Ordering::SeqCst)
    }

    /// Something was purged, or has changed.
    pub(super) fn changed(&self, what: Purge<'_>) {
        match what {
            // The folders above show it, too, if the object is the first or the last in its own.
            Purge::Key { key, .. } | Purge::KeyOfAny { key } => {
                let ends = key.as_str().match_indices('/').map(|(at, _)| at + 1);
                for end in [0].into_iter().chain(ends) {
                    let folder = key.as_str().get(..end).unwrap_or_default();
                    self.slot(folder).fetch_add(1, Ordering::SeqCst);
                }
            }
            Purge::Prefix { .. } | Purge::Everything => drop(self.all.fetch_add(1, Ordering::SeqCst)),
        }
    }

    fn slot(&self, folder: &str) -> &AtomicU64 {
        let mut hasher = DefaultHasher::new();
        folder.hash(&mut hasher);
        let [low, ..] = hasher.finish().to_le_bytes();
        self.slots.get(usize::from(low)).unwrap_or(&self.all)
    }
}

impl Default for Folders {
    fn default() -> Self {
        Self { all: AtomicU64::new(0), slots: array::from_fn(|_| AtomicU64::new(0)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::{BucketName, ObjectKey};

    #[test]
    fn a_change_counts_for_the_folders_above_it() {
        let folders = Folders::default();
        let bucket = BucketName::parse("studio-media").unwrap();
        let key = ObjectKey::new("a/b/c.txt").unwrap();
        let known = ["", "a/", "a/b/", "a/b/c.txt/", "z/"];
        for (what, changed) in [
            (Purge::Key { bucket: &bucket, key: &key }, &known[..3]),
            (Purge::KeyOfAny { key: &key }, &known[..3]),
            (Purge::Prefix { bucket: &bucket, prefix: "x" }, &known),
            (Purge::Everything, &known),
        ] {
            let before = known.map(|folder| folders.of(folder));
            folders.changed(what);
            for (folder, before) in known.into_iter().zip(before) {
                assert_eq!(folders.of(folder) != before, changed.contains(&folder), "{what:?} {folder:?}");
            }
        }
    }
}
