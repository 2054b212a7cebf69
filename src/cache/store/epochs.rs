use std::{
    array,
    hash::{DefaultHasher, Hash, Hasher},
};

use super::{
    Purge,
    sync::atomic::{AtomicU64, Ordering},
};
use crate::object::ObjectKey;

/// Counts purges, so that a response of S3 from before a purge is not stored after it. Each key shares its count with a
/// few others, so that a purge of one key affects few reads of other keys.
#[derive(Debug)]
pub(crate) struct Epochs {
    all: AtomicU64,
    keys: [AtomicU64; SLOTS],
}

/// One for each value of a byte.
const SLOTS: usize = 1 << 8;

// === impl Epochs ===

impl Epochs {
    /// While it stays the same, S3's response about the key may be stored.
    pub(crate) fn of(&self, key: &ObjectKey) -> u64 {
        // Neither ever decreases, so the sum is the same only if both are.
        self.all.load(Ordering::SeqCst) + self.slot(key).load(Ordering::SeqCst)
    }

    /// Stores S3's response to a request that was made at that epoch, and takes it back if there was a purge since.
    pub(crate) fn put(&self, asked: (&ObjectKey, u64), put: impl FnOnce(), take_back: impl FnOnce()) {
        let (key, epoch) = asked;
        put();
        // Afterwards: a purge that is not visible by now will find the stored response.
        if self.of(key) != epoch {
            take_back();
        }
    }

    /// Purges what is stored.
    pub(crate) fn purge<R>(&self, what: Purge<'_>, purge: impl FnOnce() -> R) -> R {
        // First: a thread that stores something from now on sees the new epoch, and takes it back.
        self.end(what);
        purge()
    }

    /// Advances the epochs of everything that is purged.
    fn end(&self, what: Purge<'_>) {
        let count = match what {
            Purge::Key { key, .. } | Purge::KeyOfAny { key } => self.slot(key),
            Purge::Prefix { .. } | Purge::Everything => &self.all,
        };
        count.fetch_add(1, Ordering::SeqCst);
    }

    fn slot(&self, key: &ObjectKey) -> &AtomicU64 {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let [low, ..] = hasher.finish().to_le_bytes();
        self.keys.get(usize::from(low)).unwrap_or(&self.all)
    }
}

impl Default for Epochs {
    fn default() -> Self {
        Self { all: AtomicU64::new(0), keys: array::from_fn(|_| AtomicU64::new(0)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::BucketName;

    #[test]
    fn a_purge_ends_the_epoch_of_what_it_names() {
        let epochs = Epochs::default();
        let bucket = BucketName::parse("studio-media").unwrap();
        let keys: Vec<_> = (0..100).map(|n| ObjectKey::new(format!("{n}")).unwrap()).collect();
        let key = &keys[0];
        for (what, at_least, at_most) in [
            (Purge::Key { bucket: &bucket, key }, 1, 10),
            (Purge::KeyOfAny { key }, 1, 10),
            (Purge::Prefix { bucket: &bucket, prefix: "0" }, 100, 100),
            (Purge::Everything, 100, 100),
        ] {
            let before: Vec<_> = keys.iter().map(|key| epochs.of(key)).collect();
            epochs.end(what);
            assert_ne!(epochs.of(key), before[0], "{what:?}");
            let ended = keys.iter().zip(before).filter(|(key, before)| epochs.of(key) != *before).count();
            assert!((at_least..=at_most).contains(&ended), "{what:?}: {ended}");
        }
    }
}
