//! The contents of a bucket: objects with their headers, and delete markers.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use std::{fs, io};

use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_TYPE, EXPIRES,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use md5::{Digest, Md5};

use crate::customer_key;

/// The result of [`Store::put`](crate::Store::put).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PutResult {
    /// The entity tag, with its quotes.
    pub etag: String,
    /// The version, if the bucket keeps versions.
    pub version_id: Option<String>,
}

/// The current version of an object, as [`Store::object`](crate::Store::object) finds it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StoredObject {
    /// The entity tag, with its quotes.
    pub etag: String,
    /// The version, if the bucket keeps versions.
    pub version_id: Option<String>,
    /// When it was written, in whole seconds.
    pub last_modified: SystemTime,
    /// The headers it was stored with.
    pub headers: HeaderMap,
    /// The whole body.
    pub bytes: Bytes,
}

/// The headers that are stored with an object and returned with each read of it.
///
/// ```
/// use demo_s3::ObjectAttributes;
/// use http::{HeaderName, HeaderValue};
///
/// let attributes = ObjectAttributes::new()
///     .content_type(HeaderValue::from_static("text/css"))
///     .cache_control(HeaderValue::from_static("max-age=60"))
///     .header(
///         HeaderName::from_static("x-amz-meta-owner"),
///         HeaderValue::from_static("docs"),
///     );
/// assert!(format!("{attributes:?}").contains("x-amz-meta-owner"));
/// ```
#[derive(Clone, Debug, Default)]
pub struct ObjectAttributes {
    pub(crate) headers: HeaderMap,
    pub(crate) last_modified: Option<SystemTime>,
}

/// Checksums are returned only when the reader asks for them (`x-amz-checksum-mode`).
pub(crate) const CHECKSUMS: [HeaderName; 5] = [
    HeaderName::from_static("x-amz-checksum-crc32"),
    HeaderName::from_static("x-amz-checksum-crc32c"),
    HeaderName::from_static("x-amz-checksum-crc64nvme"),
    HeaderName::from_static("x-amz-checksum-sha1"),
    HeaderName::from_static("x-amz-checksum-sha256"),
];

const KEPT: [HeaderName; 11] = [
    customer_key::ALGORITHM,
    customer_key::KEY_MD5,
    CACHE_CONTROL,
    CONTENT_DISPOSITION,
    CONTENT_LANGUAGE,
    CONTENT_TYPE,
    EXPIRES,
    HeaderName::from_static("x-amz-server-side-encryption"),
    HeaderName::from_static("x-amz-server-side-encryption-aws-kms-key-id"),
    HeaderName::from_static("x-amz-server-side-encryption-bucket-key-enabled"),
    WEBSITE_REDIRECT,
];

const WEBSITE_REDIRECT: HeaderName = HeaderName::from_static("x-amz-website-redirect-location");
const STORAGE_CLASS: HeaderName = HeaderName::from_static("x-amz-storage-class");

// === impl ObjectAttributes ===

impl ObjectAttributes {
    /// No headers: the type is then `binary/octet-stream`, as with S3.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets `Content-Type`.
    pub fn content_type(self, value: HeaderValue) -> Self {
        self.header(CONTENT_TYPE, value)
    }

    /// Sets `Cache-Control`.
    pub fn cache_control(self, value: HeaderValue) -> Self {
        self.header(CACHE_CONTROL, value)
    }

    /// Sets `Content-Encoding`.
    pub fn content_encoding(self, value: HeaderValue) -> Self {
        self.header(CONTENT_ENCODING, value)
    }

    /// Sets `Content-Disposition`.
    pub fn content_disposition(self, value: HeaderValue) -> Self {
        self.header(CONTENT_DISPOSITION, value)
    }

    /// Sets `Content-Language`.
    pub fn content_language(self, value: HeaderValue) -> Self {
        self.header(CONTENT_LANGUAGE, value)
    }

    /// Sets `Expires`, any text: S3 returns it as it was stored.
    pub fn expires(self, value: HeaderValue) -> Self {
        self.header(EXPIRES, value)
    }

    /// Sets `x-amz-website-redirect-location`.
    pub fn website_redirect(self, value: HeaderValue) -> Self {
        self.header(WEBSITE_REDIRECT, value)
    }

    /// Encrypts it with a key that every read must bring (SSE-C).
    pub fn customer_key(self, key: &[u8; 32]) -> Self {
        customer_key::kept(key).into_iter().fold(self, |this, (name, value)| this.header(name, value))
    }

    /// Sets any header that reads return: `x-amz-meta-*`, `x-amz-storage-class`, a checksum.
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// Sets when the object was last modified (in whole seconds), instead of now.
    pub fn last_modified(mut self, at: SystemTime) -> Self {
        self.last_modified = Some(at);
        self
    }

    /// The headers of an upload that belong to the object, with the trailers of its body.
    pub(crate) fn of_upload(headers: &HeaderMap, trailers: Option<&HeaderMap>) -> Self {
        let mut kept = HeaderMap::new();
        for name in KEPT.iter().chain(&CHECKSUMS) {
            let found = headers.get(name).or_else(|| trailers?.get(name));
            if let Some(value) = found {
                kept.insert(name, value.clone());
            }
        }
        for (name, value) in headers {
            if name.as_str().starts_with("x-amz-meta-") {
                kept.append(name, value.clone());
            }
        }
        if let Some(class) = headers.get(&STORAGE_CLASS)
            && class != "STANDARD"
        {
            kept.insert(STORAGE_CLASS, class.clone());
        }
        if let Some(codings) = stored_codings(headers) {
            kept.insert(CONTENT_ENCODING, codings);
        }
        Self { headers: kept, last_modified: None }
    }
}

/// `aws-chunked` frames the upload and is not a property of the object.
fn stored_codings(headers: &HeaderMap) -> Option<HeaderValue> {
    let codings = headers.get(CONTENT_ENCODING)?.to_str().ok()?;
    let kept: Vec<&str> = codings
        .split(',')
        .map(str::trim)
        .filter(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case("aws-chunked"))
        .collect();
    if kept.is_empty() {
        return None;
    }
    HeaderValue::from_str(&kept.join(",")).ok()
}

/// One version of a key.
#[derive(Clone, Debug)]
pub(crate) struct Version {
    /// `None` is the null version.
    pub(crate) id: Option<String>,
    pub(crate) modified: SystemTime,
    /// `None` is a delete marker.
    pub(crate) object: Option<Arc<Object>>,
}

#[derive(Debug)]
pub(crate) struct Object {
    pub(crate) content: Content,
    pub(crate) headers: HeaderMap,
    /// The sizes of the parts of a multipart upload, else empty.
    pub(crate) parts: Vec<u64>,
}

#[derive(Clone, Debug)]
pub(crate) enum Content {
    Memory {
        bytes: Bytes,
        /// Without quotes.
        etag: String,
    },
    /// Read again with each request, so that an edited file is an edited object.
    File(PathBuf),
}

/// What a read must know before it opens the body.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub(crate) len: u64,
    /// Without quotes.
    pub(crate) etag: String,
    /// In whole seconds.
    pub(crate) modified: SystemTime,
}

// === impl Version ===

impl Version {
    pub(crate) fn id_or_null(&self) -> String {
        self.id.clone().unwrap_or_else(|| "null".to_owned())
    }
}

// === impl Object ===

impl Object {
    pub(crate) fn facts(&self, modified: SystemTime) -> io::Result<Facts> {
        match &self.content {
            Content::Memory { bytes, etag } => Ok(Facts { len: length(bytes), etag: etag.clone(), modified }),
            Content::File(path) => Facts::of_file(&fs::metadata(path)?),
        }
    }

    pub(crate) fn read_all(&self) -> io::Result<Bytes> {
        match &self.content {
            Content::Memory { bytes, .. } => Ok(bytes.clone()),
            Content::File(path) => fs::read(path).map(Bytes::from),
        }
    }
}

// === impl Content ===

impl Content {
    pub(crate) fn memory(bytes: Bytes) -> Self {
        let etag = md5_hex(&bytes);
        Self::Memory { bytes, etag }
    }

    pub(crate) fn file(path: &Path) -> Self {
        Self::File(path.to_owned())
    }
}

// === impl Facts ===

impl Facts {
    pub(crate) fn of_file(metadata: &fs::Metadata) -> io::Result<Self> {
        let modified = metadata.modified()?;
        let age = since_epoch(modified);
        // Not the digest of the content: that would read every file. S3 only promises that a tag changes with the
        // content.
        let etag = md5_hex(format!("{}-{}", metadata.len(), age.as_nanos()).as_bytes());
        Ok(Self { len: metadata.len(), etag, modified: whole_seconds(modified) })
    }
}

pub(crate) fn md5_hex(data: &[u8]) -> String {
    hex(&Md5::digest(data))
}

/// The tag of an object made of parts: the digest of the digests, and how many.
pub(crate) fn multipart_etag<'a>(digests: impl ExactSizeIterator<Item = &'a [u8; 16]>) -> String {
    let count = digests.len();
    let mut md5 = Md5::new();
    for digest in digests {
        md5.update(digest);
    }
    format!("{}-{count}", hex(&md5.finalize()))
}

pub(crate) fn md5(data: &[u8]) -> [u8; 16] {
    Md5::digest(data).into()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// HTTP dates know no fraction; S3 keeps none either.
pub(crate) fn whole_seconds(at: SystemTime) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(since_epoch(at).as_secs())
}

pub(crate) fn since_epoch(at: SystemTime) -> Duration {
    at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

pub(crate) fn length(bytes: &Bytes) -> u64 {
    u64::try_from(bytes.len()).expect("a length in memory fits 64 bits")
}
