use std::sync::{
    LazyLock,
    atomic::{AtomicU64, Ordering},
};

use http::HeaderValue;
use sha2::{Digest, Sha256};

use crate::object::{BucketName, CacheBust, Edition, ObjectKey, VersionId};

/// Identifies an object. Mounts that must not share objects have different scopes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct ObjectId {
    pub(crate) scope: u32,
    pub(crate) bucket: BucketName,
    pub(crate) key: ObjectKey,
    pub(crate) edition: Edition,
}

/// A borrowed [`ObjectId`], so that a lookup allocates nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ObjectRef<'a> {
    pub(crate) scope: u32,
    pub(crate) bucket: &'a BucketName,
    pub(crate) key: &'a ObjectKey,
    pub(crate) edition: &'a Edition,
}

/// One state of one object: one set of bytes. Blocks belong to a state, so that two versions never mix.
///
/// The id of a state with a strong entity tag derives from its name, so that one process can find what another one has
/// stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct StateId([u64; 2]);

/// The properties that tell a state from the object's other states.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StateName<'a> {
    /// A strong entity tag.
    pub(crate) tag: &'a HeaderValue,
    /// In bytes.
    pub(crate) length: u64,
    pub(crate) last_modified: Option<&'a HeaderValue>,
    /// Counts the purges of the object, so that bytes stored before one are not found after it.
    pub(crate) epoch: u64,
}

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
    /// The state of an object with this name.
    pub(crate) fn of(object: ObjectRef<'_>, name: StateName<'_>) -> Self {
        let ObjectRef { scope, bucket, key, edition } = object;
        let version = edition.version.as_ref().map(VersionId::as_str);
        let bust = edition.bust.as_ref().map(CacheBust::as_str);
        let mut digest = Sha256::new();
        digest.update(scope.to_be_bytes());
        digest.update(name.epoch.to_be_bytes());
        digest.update(name.length.to_be_bytes());
        let texts =
            [Some(bucket.as_str()), Some(key.as_str()), version, bust].map(|text| text.map(str::as_bytes));
        let values = [Some(name.tag), name.last_modified].map(|value| value.map(HeaderValue::as_bytes));
        for bytes in texts.into_iter().chain(values) {
            // Each part has its length in front, so that no two names have the same bytes.
            digest.update(bytes.map_or(u64::MAX, |bytes| bytes.len() as u64).to_be_bytes());
            digest.update(bytes.unwrap_or_default());
        }
        let digest = digest.finalize();
        let (words, _) = digest.as_chunks::<8>();
        let word = |n: usize| words.get(n).map_or(0, |word| u64::from_be_bytes(*word));
        Self([word(0), word(1)])
    }

    /// A state without a strong entity tag, known only from the one response that brought it.
    pub(crate) fn unique() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        static PROCESS: LazyLock<u64> = LazyLock::new(|| fastrand::u64(..));
        Self([*PROCESS, LAST.fetch_add(1, Ordering::Relaxed)])
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
    fn a_state_without_a_name_is_like_no_other() {
        assert_ne!(StateId::unique(), StateId::unique());
    }

    #[test]
    fn a_state_is_the_same_in_every_process_and_no_other_is() {
        let (bucket, key) = (BucketName::parse("studio-media").unwrap(), ObjectKey::new("a").unwrap());
        let (tag, date) =
            (HeaderValue::from_static("\"1\""), HeaderValue::from_static("Thu, 01 Jan 1970 00:00:00 GMT"));
        let plain = Edition::default();
        let object = ObjectRef { scope: 0, bucket: &bucket, key: &key, edition: &plain };
        let name = StateName { tag: &tag, length: 10, last_modified: Some(&date), epoch: 0 };
        let state = StateId::of(object, name);
        assert_eq!(
            state,
            StateId([10_894_483_190_260_739_184, 6_318_337_901_523_307_553]),
            "the same as ever"
        );
        let version = Edition { version: Some(VersionId::decode("null").unwrap()), bust: None };
        let bust = Edition { version: None, bust: CacheBust::split("--null/a").0 };
        let other_bucket = BucketName::parse("studio-docs").unwrap();
        let other_key = ObjectKey::new("a\"1\"").unwrap();
        let other_tag = HeaderValue::from_static("\"2\"");
        for other in [
            StateId::of(ObjectRef { scope: 1, ..object }, name),
            StateId::of(ObjectRef { bucket: &other_bucket, ..object }, name),
            StateId::of(ObjectRef { key: &other_key, ..object }, name),
            StateId::of(ObjectRef { edition: &version, ..object }, name),
            StateId::of(ObjectRef { edition: &bust, ..object }, name),
            StateId::of(object, StateName { tag: &other_tag, ..name }),
            StateId::of(object, StateName { length: 11, ..name }),
            StateId::of(object, StateName { last_modified: None, ..name }),
            StateId::of(object, StateName { epoch: 1, ..name }),
        ] {
            assert_ne!(state, other);
        }
    }
}
