//! Pure parts, exposed to the benches and fuzz targets of this repository. Not API: anything here may change at any
//! time.

use std::{sync::Arc, time::SystemTime};

use aws_credential_types::Credentials;
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{ETAG, HOST, IF_MATCH, IF_NONE_MATCH, RANGE},
};

#[cfg(feature = "purge")]
use crate::cache::{AdminToken, CacheAdmin, PurgeMode, PurgeTarget, Purger};
use crate::{
    cache::{ObjectId, ObjectRef, StateId, Store, Weigh},
    object::{BucketName, Edition, EntityTags, InvalidKey, ObjectKey, Validators},
    origin::{Identity, S3ErrorBody, Signable, SigningKey, SigningScope, Timestamp},
    request::{
        Conditions, ContentRange, Opening, RangeSpec, Ranges, ReadMethod, ReadRequest, Resolved, Verdict,
    },
    route::KeyMapping,
};

/// The key, with its prefix, that the rest of a path names.
///
/// # Errors
///
/// As for a request.
pub fn map_key(rest: &str) -> Result<ObjectKey, InvalidKey> {
    KeyMapping::default().key(rest)
}

/// The number of fields of a GET that reach S3.
pub fn read_request(headers: &HeaderMap) -> usize {
    match ReadRequest::new(ReadMethod::Get, headers).opening() {
        Opening::Ask(question) => question.fields().count(),
        Opening::HeadFirst => 0,
    }
}

/// The members of a `Range`: first and last byte of `a-b`, first of `a-`, length of `-n` as the second.
pub fn range_members(value: &HeaderValue) -> Option<Vec<(Option<u64>, Option<u64>)>> {
    let numbers = |spec: &RangeSpec| match *spec {
        RangeSpec::FromTo(first, last) => (Some(first), Some(last)),
        RangeSpec::From(first) => (Some(first), None),
        RangeSpec::Suffix(length) => (None, Some(length)),
    };
    Some(match ranges(value)? {
        Ranges::One(spec) => vec![numbers(&spec)],
        Ranges::Several(specs) => specs.iter().map(numbers).collect(),
    })
}

/// First and last byte of each part that a `Range` selects from an object of `total` bytes. `None` is the whole object;
/// an empty list is unsatisfiable. Parts at most `gap` bytes apart are joined.
pub fn range_parts(value: &HeaderValue, total: u64, gap: u64) -> Option<Vec<(u64, u64)>> {
    match ranges(value)?.resolve(total, || gap) {
        Resolved::Whole => None,
        Resolved::One(range) => Some(vec![(range.first(), range.last())]),
        Resolved::Several(parts) => {
            Some(parts.into_iter().map(|range| (range.first(), range.last())).collect())
        }
        Resolved::Unsatisfiable => Some(Vec::new()),
    }
}

fn ranges(value: &HeaderValue) -> Option<Ranges> {
    Ranges::parse(&HeaderMap::from_iter([(RANGE, value.clone())]))
}

/// First and last byte of a part, and the length of its object.
pub type Told = (Option<(u64, u64)>, Option<u64>);

/// The contents of a `Content-Range`.
pub fn content_range(value: &HeaderValue) -> Option<Told> {
    Some(match ContentRange::parse(value)? {
        ContentRange::Range { range, total } => (Some((range.first(), range.last())), total),
        ContentRange::Unsatisfied { total } => (None, Some(total)),
    })
}

/// The tags of a list, and whether they are weak; `None` is `*`.
pub fn entity_tags(list: &HeaderValue) -> Option<Vec<(bool, Vec<u8>)>> {
    match EntityTags::parse(list) {
        EntityTags::Any => None,
        EntityTags::List(tags) => Some(tags.map(|tag| (tag.is_weak(), tag.opaque().to_vec())).collect()),
    }
}

/// Whether `If-Match` lets an object with this tag pass.
pub fn if_match(list: &HeaderValue, own: &HeaderValue) -> bool {
    passes(IF_MATCH, list, own)
}

/// Whether `If-None-Match` lets an object with this tag pass.
pub fn if_none_match(list: &HeaderValue, own: &HeaderValue) -> bool {
    passes(IF_NONE_MATCH, list, own)
}

fn passes(name: HeaderName, list: &HeaderValue, own: &HeaderValue) -> bool {
    let conditions = Conditions::new(&HeaderMap::from_iter([(name, list.clone())]));
    let object = HeaderMap::from_iter([(ETAG, own.clone())]);
    let verdict = conditions.evaluate(Validators::of(&object));
    verdict == Verdict::Proceed
}

/// Code and message of an error document.
pub fn s3_error(xml: &[u8]) -> (String, String) {
    let S3ErrorBody { code, message, .. } = S3ErrorBody::parse(xml);
    (code, message)
}

/// A signer that has already derived the day's key, as a mount's has.
#[derive(Debug)]
pub struct Signer {
    key: SigningKey,
    at: Timestamp,
    headers: [(HeaderName, HeaderValue); 3],
}

// === impl Signer ===

impl Signer {
    /// Derives the key.
    pub fn new(credentials: Credentials, region: &str, at: SystemTime) -> Self {
        let at = Timestamp::new(at);
        let key = SigningKey::derive(&Identity::new(1, credentials), &SigningScope::new(region, "s3"), &at);
        let date = HeaderValue::from_str(at.as_str()).expect("a timestamp is ASCII");
        let headers = [
            (HOST, HeaderValue::from_static("s3.us-west-2.amazonaws.com")),
            (HeaderName::from_static("x-amz-content-sha256"), HeaderValue::from_static("UNSIGNED-PAYLOAD")),
            (HeaderName::from_static("x-amz-date"), date),
        ];
        Self { key, at, headers }
    }

    /// The value of `Authorization` for a GET of an encoded path.
    pub fn sign(&self, path: &str) -> String {
        let request = Signable { method: "GET", path, query: "", headers: &self.headers };
        self.key.authorization(&self.at, &request)
    }
}

/// The map of the cache, with objects whose bytes lie in their heads.
#[derive(Debug)]
pub struct CachedObjects {
    store: Store<Inline>,
    bucket: BucketName,
}

struct Inline(Bytes);

// === impl CachedObjects ===

impl CachedObjects {
    /// An empty map with room for this many bytes.
    pub fn new(budget_bytes: u64) -> Self {
        let bucket = BucketName::parse("studio-media").expect("it is a bucket's name");
        Self { store: Store::new(budget_bytes, 64 * 1024), bucket }
    }

    /// Puts an object.
    pub fn put(&self, key: ObjectKey, bytes: Bytes) {
        let id = ObjectId { scope: 0, bucket: self.bucket.clone(), key, edition: Edition::default() };
        self.store.put_head(id, Arc::new(Inline(bytes)));
    }

    /// The bytes of an object.
    pub fn get(&self, key: &ObjectKey) -> Option<Bytes> {
        let id = ObjectRef { scope: 0, bucket: &self.bucket, key, edition: &Edition::default() };
        Some(self.store.head(id)?.0.clone())
    }

    /// The weight of all entries, in bytes.
    pub fn weight(&self) -> u64 {
        self.store.usage().bytes
    }
}

// === impl Inline ===

impl Weigh for Inline {
    fn weight(&self) -> u64 {
        u64::try_from(size_of::<Self>() + self.0.len()).unwrap_or(u64::MAX)
    }

    fn state(&self) -> Option<StateId> {
        None
    }

    fn length(&self) -> u64 {
        0
    }

    fn mark_stale(&self) -> bool {
        true
    }
}

/// The admin service over a stand-in for the cache: its purges, and its counters as JSON.
#[cfg(feature = "purge")]
pub fn cache_admin(
    token: AdminToken,
    purge: impl Fn(&PurgeTarget, PurgeMode) -> usize + Send + Sync + 'static,
    stats: impl Fn() -> String + Send + Sync + 'static,
) -> CacheAdmin {
    CacheAdmin::new(token, Arc::new(ByClosure(purge)), stats)
}

#[cfg(feature = "purge")]
struct ByClosure<F>(F);

// === impl ByClosure ===

#[cfg(feature = "purge")]
impl<F: Fn(&PurgeTarget, PurgeMode) -> usize + Send + Sync> Purger for ByClosure<F> {
    fn purge(&self, target: &PurgeTarget, mode: PurgeMode) -> usize {
        (self.0)(target, mode)
    }
}
