//! The buckets and their contents.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::SystemTime;
use std::{fs, io};

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, LAST_MODIFIED};
use http::{HeaderName, HeaderValue};
use s3s::dto::{ETagCondition, WebsiteConfiguration};
use s3s::{S3Result, s3_error};

use crate::access::error_headers;
use crate::fault::{BreakOff, Denial, Faults, Hold};
use crate::object::{
    Content, Facts, Object, ObjectAttributes, PutResult, StoredObject, Version, md5_hex, since_epoch,
    whole_seconds,
};

/// Direct access to the server's contents, past the protocol: for tests and for seeding. Clones share it.
///
/// The methods that write create a bucket that is not there.
#[derive(Clone, Debug, Default)]
pub struct Store {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: RwLock<State>,
    faults: Mutex<HashMap<(String, String), Faults>>,
    serial: AtomicU64,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) buckets: BTreeMap<String, Bucket>,
    pub(crate) uploads: BTreeMap<String, Upload>,
}

#[derive(Debug)]
pub(crate) struct Bucket {
    pub(crate) created: SystemTime,
    pub(crate) versioning: Versioning,
    pub(crate) website: Option<WebsiteConfiguration>,
    /// Invariant: no key without a version; the last version is the current one.
    pub(crate) keys: BTreeMap<String, Vec<Version>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Versioning {
    Never,
    Enabled,
    Suspended,
}

/// A multipart upload in progress.
#[derive(Clone, Debug)]
pub(crate) struct Upload {
    pub(crate) bucket: String,
    pub(crate) key: String,
    pub(crate) attributes: ObjectAttributes,
    pub(crate) initiated: SystemTime,
    pub(crate) parts: BTreeMap<i32, Part>,
}

#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) bytes: Bytes,
    pub(crate) md5: [u8; 16],
    pub(crate) modified: SystemTime,
}

/// A version that a read can use.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) object: Arc<Object>,
    pub(crate) modified: SystemTime,
    /// The value of `x-amz-version-id`: none in a bucket that never had versions.
    pub(crate) version_id: Option<String>,
}

/// The result of a deletion.
#[derive(Clone, Debug, Default)]
pub(crate) struct Deleted {
    pub(crate) delete_marker: bool,
    pub(crate) version_id: Option<String>,
}

/// The conditions of a write.
#[derive(Clone, Debug, Default)]
pub(crate) struct WriteConditions {
    pub(crate) if_match: Option<ETagCondition>,
    pub(crate) if_none_match: Option<ETagCondition>,
}

// === impl Store: for tests and seeding ===

impl Store {
    /// Stores an object with a type guessed from its key.
    pub fn put(&self, bucket: &str, key: &str, bytes: Bytes) -> PutResult {
        self.put_with(bucket, key, bytes, guessed(key))
    }

    /// Stores an object with these headers.
    pub fn put_with(&self, bucket: &str, key: &str, bytes: Bytes, attributes: ObjectAttributes) -> PutResult {
        let content = Content::memory(bytes);
        self.put_content(bucket, key, content, attributes)
    }

    /// Stores an object whose body is read from a file with each read.
    ///
    /// # Errors
    ///
    /// If there is no such file.
    pub fn put_file(&self, bucket: &str, key: &str, path: &Path) -> io::Result<PutResult> {
        fs::metadata(path)?;
        Ok(self.put_content(bucket, key, Content::file(path), guessed(key)))
    }

    /// Deletes an object as `DeleteObject` does: with versions, by a delete marker, whose version is returned.
    pub fn delete(&self, bucket: &str, key: &str) -> Option<String> {
        self.create_bucket(bucket);
        let deleted = self.remove(bucket, key, None).ok()?;
        deleted.version_id
    }

    /// The current version of an object; `None` if there is none, or its file is gone.
    pub fn object(&self, bucket: &str, key: &str) -> Option<StoredObject> {
        let found = self.find(bucket, key, None).ok()?;
        let facts = found.object.facts(found.modified).ok()?;
        Some(StoredObject {
            etag: quoted(&facts.etag),
            version_id: found.version_id,
            last_modified: facts.modified,
            headers: found.object.headers.clone(),
            bytes: found.object.read_all().ok()?,
        })
    }

    /// The keys of a bucket that have a current version, in order.
    pub fn keys(&self, bucket: &str) -> Vec<String> {
        let state = self.read();
        let Some(bucket) = state.buckets.get(bucket) else {
            return Vec::new();
        };
        bucket.current().map(|(key, ..)| key.to_owned()).collect()
    }

    /// Creates a bucket, unless it is there.
    pub fn create_bucket(&self, bucket: &str) {
        self.write().bucket_or_new(bucket);
    }

    /// Turns versioning on, or suspends it.
    pub fn set_versioning(&self, bucket: &str, enabled: bool) {
        self.write().bucket_or_new(bucket).versioning = match enabled {
            true => Versioning::Enabled,
            false => Versioning::Suspended,
        };
    }

    /// Answers every request for this object with an error, whether or not there is such an object.
    pub fn deny(&self, bucket: &str, key: &str, denial: Denial) {
        self.with_faults(bucket, key, |faults| {
            faults.denial = Some(denial);
            faults.denials_left = None;
        });
    }

    /// Answers the next `times` requests for this object with an error.
    pub fn deny_times(&self, bucket: &str, key: &str, denial: Denial, times: u32) {
        self.with_faults(bucket, key, |faults| {
            faults.denial = Some(denial);
            faults.denials_left = Some(times);
        });
    }

    /// Breaks the connection after that many bytes of the body, in the next `times` reads of this object.
    pub fn break_off(&self, bucket: &str, key: &str, after: u64, times: u32) {
        self.with_faults(bucket, key, |faults| {
            faults.break_off = Some(BreakOff { after, times_left: times });
        });
    }

    /// Keeps back all reads of this object until the guard is dropped.
    pub fn hold(&self, bucket: &str, key: &str) -> Hold {
        let (hold, opened) = Hold::new();
        self.with_faults(bucket, key, |faults| faults.hold = Some(opened));
        hold
    }

    /// Removes the faults of this object.
    pub fn heal(&self, bucket: &str, key: &str) {
        self.faults().remove(&(bucket.to_owned(), key.to_owned()));
    }

    fn put_content(
        &self,
        bucket: &str,
        key: &str,
        content: Content,
        attributes: ObjectAttributes,
    ) -> PutResult {
        self.create_bucket(bucket);
        self.insert(bucket, key, content, attributes, Vec::new(), WriteConditions::default())
            .expect("the bucket is there and there are no conditions")
    }

    fn with_faults(&self, bucket: &str, key: &str, f: impl FnOnce(&mut Faults)) {
        let mut faults = self.faults();
        f(faults.entry((bucket.to_owned(), key.to_owned())).or_default());
    }
}

// === impl Store: for the protocol ===

impl Store {
    /// The version that a read names.
    pub(crate) fn find(&self, bucket: &str, key: &str, version_id: Option<&str>) -> S3Result<Found> {
        let state = self.read();
        let bucket = state.bucket(bucket)?;
        let versions = bucket.keys.get(key).map_or(&[][..], Vec::as_slice);
        let version = match version_id {
            None => {
                versions.last().ok_or_else(|| s3_error!(NoSuchKey, "The specified key does not exist."))?
            }
            Some(id) => versions
                .iter()
                .find(|v| v.id_or_null() == id)
                .ok_or_else(|| s3_error!(NoSuchVersion, "The specified version does not exist."))?,
        };
        let Some(object) = &version.object else {
            return Err(deleted(version, version_id.is_some()));
        };
        let version_id = match bucket.versioning {
            Versioning::Never => None,
            Versioning::Enabled | Versioning::Suspended => Some(version.id_or_null()),
        };
        Ok(Found { object: Arc::clone(object), modified: version.modified, version_id })
    }

    pub(crate) fn insert(
        &self,
        bucket: &str,
        key: &str,
        content: Content,
        attributes: ObjectAttributes,
        parts: Vec<u64>,
        conditions: WriteConditions,
    ) -> S3Result<PutResult> {
        let modified = whole_seconds(attributes.last_modified.unwrap_or_else(SystemTime::now));
        let object = Object { content, headers: attributes.headers, parts };
        let etag = object.facts(modified).map(|facts| quoted(&facts.etag)).unwrap_or_default();
        let id = self.unique();

        let mut state = self.write();
        let bucket = state.bucket_mut(bucket)?;
        conditions.check(bucket.current_facts(key).as_ref())?;
        let version_id = bucket.push(key, id, modified, Some(Arc::new(object)));
        Ok(PutResult { etag, version_id })
    }

    pub(crate) fn remove(&self, bucket: &str, key: &str, version_id: Option<&str>) -> S3Result<Deleted> {
        let id = self.unique();
        let mut state = self.write();
        let bucket = state.bucket_mut(bucket)?;
        let Some(version_id) = version_id else {
            if bucket.versioning == Versioning::Never {
                bucket.keys.remove(key);
                return Ok(Deleted::default());
            }
            let version_id = bucket.push(key, id, whole_seconds(SystemTime::now()), None);
            return Ok(Deleted { delete_marker: true, version_id });
        };
        let mut delete_marker = false;
        if let Entry::Occupied(mut versions) = bucket.keys.entry(key.to_owned()) {
            versions.get_mut().retain(|version| {
                let found = version.id_or_null() == version_id;
                delete_marker |= found && version.object.is_none();
                !found
            });
            if versions.get().is_empty() {
                versions.remove();
            }
        }
        Ok(Deleted { delete_marker, version_id: Some(version_id.to_owned()) })
    }

    /// Applies the faults of an object: waits while it is held, then perhaps refuses.
    pub(crate) async fn admit(&self, bucket: &str, key: &str) -> S3Result<()> {
        let at = (bucket.to_owned(), key.to_owned());
        let hold = self.faults().get(&at).and_then(|faults| faults.hold.clone());
        if let Some(mut hold) = hold {
            // Nothing is ever sent: this ends, with an error, when the guard is dropped.
            let _ = hold.changed().await;
        }
        let denial = self.faults().get_mut(&at).and_then(Faults::take_denial);
        denial.map_or(Ok(()), |denial| Err(denial.into()))
    }

    pub(crate) fn take_break_off(&self, bucket: &str, key: &str) -> Option<u64> {
        self.faults().get_mut(&(bucket.to_owned(), key.to_owned()))?.take_break_off()
    }

    /// An opaque name that was not used before.
    pub(crate) fn unique(&self) -> String {
        let serial = self.shared.serial.fetch_add(1, Ordering::Relaxed);
        let now = since_epoch(SystemTime::now()).as_nanos();
        md5_hex(format!("{now}-{serial}").as_bytes())
    }

    pub(crate) fn import(&self, bucket: &str, folder: &Path) -> io::Result<()> {
        self.create_bucket(bucket);
        let mut pending = vec![(folder.to_owned(), String::new())];
        while let Some((folder, prefix)) = pending.pop() {
            for entry in fs::read_dir(&folder)? {
                let entry = entry?;
                let path: PathBuf = entry.path();
                let name = entry.file_name().into_string().map_err(|name| {
                    io::Error::new(
                        io::ErrorKind::InvalidData,
                        format!("a key must be UTF-8: {}", Path::new(&name).display()),
                    )
                })?;
                let key = format!("{prefix}{name}");
                if entry.file_type()?.is_dir() {
                    pending.push((path, format!("{key}/")));
                } else if path.is_file() {
                    self.put_file(bucket, &key, &path)?;
                }
            }
        }
        Ok(())
    }

    pub(crate) fn read(&self) -> RwLockReadGuard<'_, State> {
        self.shared.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.shared.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn faults(&self) -> MutexGuard<'_, HashMap<(String, String), Faults>> {
        self.shared.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl State ===

impl State {
    pub(crate) fn bucket(&self, name: &str) -> S3Result<&Bucket> {
        self.buckets.get(name).ok_or_else(no_such_bucket)
    }

    pub(crate) fn bucket_mut(&mut self, name: &str) -> S3Result<&mut Bucket> {
        self.buckets.get_mut(name).ok_or_else(no_such_bucket)
    }

    pub(crate) fn bucket_or_new(&mut self, name: &str) -> &mut Bucket {
        self.buckets.entry(name.to_owned()).or_insert_with(|| Bucket {
            created: whole_seconds(SystemTime::now()),
            versioning: Versioning::Never,
            website: None,
            keys: BTreeMap::new(),
        })
    }
}

fn no_such_bucket() -> s3s::S3Error {
    s3_error!(NoSuchBucket, "The specified bucket does not exist")
}

// === impl Bucket ===

impl Bucket {
    /// The keys with their current objects, without those under a delete marker.
    pub(crate) fn current(&self) -> impl Iterator<Item = (&str, &Arc<Object>, SystemTime)> {
        self.keys.iter().filter_map(|(key, versions)| {
            let version = versions.last()?;
            Some((key.as_str(), version.object.as_ref()?, version.modified))
        })
    }

    fn current_facts(&self, key: &str) -> Option<Facts> {
        let version = self.keys.get(key)?.last()?;
        version.object.as_ref()?.facts(version.modified).ok()
    }

    /// Makes this the current version, and says how it is called.
    fn push(
        &mut self,
        key: &str,
        id: String,
        modified: SystemTime,
        object: Option<Arc<Object>>,
    ) -> Option<String> {
        let versioning = self.versioning;
        let versions = self.keys.entry(key.to_owned()).or_default();
        let id = match versioning {
            Versioning::Enabled => Some(id),
            Versioning::Never | Versioning::Suspended => {
                versions.retain(|version| version.id.is_some());
                None
            }
        };
        let version = Version { id, modified, object };
        let name = match versioning {
            Versioning::Never => None,
            Versioning::Enabled | Versioning::Suspended => Some(version.id_or_null()),
        };
        versions.push(version);
        name
    }
}

// === impl WriteConditions ===

impl WriteConditions {
    fn check(&self, current: Option<&Facts>) -> S3Result<()> {
        match (&self.if_match, current) {
            (None, _) => {}
            (Some(_), None) => {
                return Err(s3_error!(NoSuchKey, "The specified key does not exist."));
            }
            (Some(wanted), Some(current)) if !names(wanted, current) => {
                return Err(precondition_failed());
            }
            (Some(_), Some(_)) => {}
        }
        match (&self.if_none_match, current) {
            (Some(unwanted), Some(current)) if names(unwanted, current) => Err(precondition_failed()),
            _ => Ok(()),
        }
    }
}

fn names(condition: &ETagCondition, facts: &Facts) -> bool {
    match condition {
        ETagCondition::Any => true,
        ETagCondition::ETag(etag) => etag.value() == facts.etag,
    }
}

pub(crate) fn precondition_failed() -> s3s::S3Error {
    s3_error!(PreconditionFailed, "At least one of the pre-conditions you specified did not hold")
}

/// The answer to a read that meets a delete marker.
fn deleted(marker: &Version, by_version: bool) -> s3s::S3Error {
    let mut headers = error_headers();
    headers.insert(HeaderName::from_static("x-amz-delete-marker"), HeaderValue::from_static("true"));
    if let Ok(id) = HeaderValue::try_from(marker.id_or_null()) {
        headers.insert(HeaderName::from_static("x-amz-version-id"), id);
    }
    let mut error = match by_version {
        false => s3_error!(NoSuchKey, "The specified key does not exist."),
        true => {
            headers.insert(ALLOW, HeaderValue::from_static("DELETE"));
            if let Ok(at) = HeaderValue::try_from(httpdate::fmt_http_date(marker.modified)) {
                headers.insert(LAST_MODIFIED, at);
            }
            s3_error!(MethodNotAllowed, "The specified method is not allowed against this resource.")
        }
    };
    error.set_headers(headers);
    error
}

pub(crate) fn quoted(etag: &str) -> String {
    format!("\"{etag}\"")
}

fn guessed(key: &str) -> ObjectAttributes {
    let Some(mime) = mime_guess::from_path(key).first() else {
        return ObjectAttributes::new();
    };
    let mut attributes = ObjectAttributes::new();
    if let Ok(value) = HeaderValue::from_str(mime.as_ref()) {
        attributes.headers.insert(CONTENT_TYPE, value);
    }
    attributes
}
