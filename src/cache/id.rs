use std::sync::atomic::{AtomicU64, Ordering};

use crate::object::{BucketName, Edition, ObjectKey};

/// Which object. Mounts that may not share what they read have different scopes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct ObjectId {
    pub(crate) scope: u32,
    pub(crate) bucket: BucketName,
    pub(crate) key: ObjectKey,
    pub(crate) edition: Edition,
}

/// An [`ObjectId`] that is only looked at: a lookup allocates nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ObjectRef<'a> {
    pub(crate) scope: u32,
    pub(crate) bucket: &'a BucketName,
    pub(crate) key: &'a ObjectKey,
    pub(crate) edition: &'a Edition,
}

/// One state of one object: one set of bytes. Blocks belong to a state, so that two versions never mix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct StateId(u64);

// === impl ObjectId ===

impl ObjectId {
    pub(crate) fn borrowed(&self) -> ObjectRef<'_> {
        let Self { scope, bucket, key, edition } = self;
        ObjectRef { scope: *scope, bucket, key, edition }
    }
}

// === impl ObjectRef ===

impl ObjectRef<'_> {
    pub(crate) fn to_owned(self) -> ObjectId {
        ObjectId {
            scope: self.scope,
            bucket: self.bucket.clone(),
            key: self.key.clone(),
            edition: self.edition.clone(),
        }
    }
}

// === impl StateId ===

impl StateId {
    /// One that this process has not had before.
    pub(crate) fn next() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Self(LAST.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::VersionId;

    #[test]
    fn a_reference_is_the_id_that_it_was_taken_of() {
        let id = ObjectId {
            scope: 7,
            bucket: BucketName::parse("studio-media").unwrap(),
            key: ObjectKey::new("a//b").unwrap(),
            edition: Edition { version: Some(VersionId::decode("null").unwrap()), bust: None },
        };
        assert_eq!(id.borrowed().to_owned(), id);
    }

    #[test]
    fn no_two_states_are_the_same() {
        assert_ne!(StateId::next(), StateId::next());
    }
}
