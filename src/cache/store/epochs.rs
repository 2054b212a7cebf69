use std::{
    array,
    hash::{DefaultHasher, Hash, Hasher},
};

use super::{
    Purge,
    sync::atomic::{AtomicU64, Ordering},
};
use crate::object::ObjectKey;

/// How often was purged: what S3 said before a purge is not kept after it. Keys share their counts with a few others, so
/// that a purge of one costs little of what is being read of the rest.
#[derive(Debug)]
pub(crate) struct Epochs {
    all: AtomicU64,
    keys: [AtomicU64; SLOTS],
}

/// As many as a byte has values.
const SLOTS: usize = 1 << 8;

// === impl Epochs ===

impl Epochs {
    /// As long as it is the same, what S3 said of the key may be kept.
    pub(crate) fn of(&self, key: &ObjectKey) -> u64 {
        // Neither ever goes down: so the sum is the same only if both are.
        self.all.load(Ordering::SeqCst) + self.slot(key).load(Ordering::SeqCst)
    }

    /// Puts what S3 said of a key to a question that was asked at that epoch, and takes it back if there was a purge
    /// since.
    pub(crate) fn put(&self, asked: (&ObjectKey, u64), put: impl FnOnce(), take_back: impl FnOnce()) {
        let (key, epoch) = asked;
        put();
        // Afterwards: a purge that is not seen by now finds what was put.
        if self.of(key) != epoch {
            take_back();
        }
    }

    /// Purges what is there.
    pub(crate) fn purge<R>(&self, what: Purge<'_>, purge: impl FnOnce() -> R) -> R {
        // First: who puts something from now on sees it, and takes it away again.
        self.end(what);
        purge()
    }

    /// Ends those of all that is purged.
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
