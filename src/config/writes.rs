use std::{sync::Arc, time::Duration};

use http::HeaderValue;
use tokio::sync::Semaphore;

use crate::{
    error::{ConfigError, ConfigErrorKind},
    object::{ObjectGlobs, ObjectMatcher},
    origin::{MAX_PARTS, PART_SIZE},
    request::Methods,
    route::{DotSegments, KeyMapping},
};

/// What clients may write on a mount: PUT stores an object, by the mount's own credentials. Without it a mount only reads.
///
/// ```
/// use tower_s3_proxy::{BucketName, Mount, access::{Access, Authorizer}, writes::Writes};
///
/// let thumbnails = Writes::new().below("data/").max_size(20 << 20).content_type("image/*");
/// # let authorizer = Authorizer::new(|_| async { Ok(Access::Allow) });
/// let mount = Mount::builder(BucketName::parse("studio-media")?)
///     .region("us-west-2")
///     .writes(thumbnails)
///     .authorize(authorizer);
/// # let _ = mount;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// See the [guide](crate::guide::writes).
#[must_use = "it does nothing before `MountBuilder::writes`"]
#[derive(Debug, Clone)]
pub struct Writes {
    below: String,
    max_size: u64,
    overwrite: bool,
    delete: bool,
    writers: Writers,
    content_types: Vec<String>,
    metadata: Option<Vec<String>>,
    storage_class: Option<String>,
    memory: u64,
}

/// Who may write on a mount with [`Writes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Writers {
    /// The clients that the mount's authorizer or selector lets do it. A mount without either is refused.
    #[default]
    Authorized,
    /// Anybody who reaches the proxy, on a mount without an authorizer.
    Anybody,
}

/// The same, checked.
#[derive(Debug)]
pub(crate) struct WritePolicy {
    /// Of every key that is written: the mount's prefix, and what `below` adds.
    pub(crate) prefix: String,
    pub(crate) max_size: u64,
    pub(crate) overwrite: Overwrite,
    pub(crate) methods: Methods,
    content_types: Vec<ObjectMatcher>,
    metadata: Option<Vec<String>>,
    pub(crate) storage_class: Option<HeaderValue>,
    /// A permit for each part that can be in memory.
    pub(crate) memory: Arc<Semaphore>,
    /// How long a client may send nothing.
    pub(crate) silence: Duration,
}

/// What becomes of a PUT to an object that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Overwrite {
    Allowed,
    /// 412.
    Refused,
}

/// What S3 takes in one request ([S3 user guide, "Amazon S3 multipart upload
/// limits"](https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html)).
pub(crate) const MAX_PUT: u64 = 5 * 1024 * 1024 * 1024;

// === impl Writes ===

impl Writes {
    /// New objects anywhere on the mount, of at most 5 GiB. Nothing is overwritten or deleted.
    pub fn new() -> Self {
        Self {
            below: String::new(),
            max_size: MAX_PUT,
            overwrite: false,
            delete: false,
            writers: Writers::default(),
            content_types: Vec::new(),
            metadata: None,
            storage_class: None,
            memory: 64 * 1024 * 1024,
        }
    }

    /// Only keys with this prefix, behind the mount's own: `data` is for `data/…`. Elsewhere PUT and DELETE get 405.
    pub fn below(mut self, prefix: impl Into<String>) -> Self {
        self.below = prefix.into();
        self
    }

    /// The largest object, in bytes; 5 GiB by default, and at most 78 GiB. A larger one gets 413.
    pub fn max_size(mut self, bytes: u64) -> Self {
        self.max_size = bytes;
        self
    }

    /// Lets a PUT replace an object. Off by default: each PUT asks S3 to write only what does not exist, and the client gets
    /// 412. A server that does not know [conditional
    /// writes](https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html) may overwrite in spite of that.
    pub fn allow_overwrite(mut self, on: bool) -> Self {
        self.overwrite = on;
        self
    }

    /// Lets DELETE remove objects. Off by default: the method gets 405.
    pub fn allow_delete(mut self, on: bool) -> Self {
        self.delete = on;
        self
    }

    /// Who may write.
    pub fn writers(mut self, writers: Writers) -> Self {
        self.writers = writers;
        self
    }

    /// Adds a glob for the types that may be stored, like `image/*`. Any, without this call. Another type gets 415.
    pub fn content_type(mut self, glob: impl Into<String>) -> Self {
        self.content_types.push(glob.into());
        self
    }

    /// Adds a name of metadata that clients may give: `author` for `x-amz-meta-author`. Any, without this call. Other metadata
    /// gets 400.
    pub fn metadata(mut self, name: impl Into<String>) -> Self {
        self.metadata.get_or_insert_default().push(name.into().to_ascii_lowercase());
        self
    }

    /// Lets clients give no metadata.
    pub fn no_metadata(mut self) -> Self {
        self.metadata.get_or_insert_default();
        self
    }

    /// The storage class of new objects, like `INTELLIGENT_TIERING`; the bucket's own, without this call.
    pub fn storage_class(mut self, class: impl Into<String>) -> Self {
        self.storage_class = Some(class.into());
        self
    }

    /// The memory for uploads whose length nobody knows before their end, in bytes: 64 MiB by default. Each takes 8 MiB, and
    /// more as long as there is some, to send its parts beside each other. An upload that finds none waits, and gets 503 with
    /// `Retry-After` in the end. Other uploads stream through, and take none.
    pub fn memory(mut self, bytes: u64) -> Self {
        self.memory = bytes;
        self
    }

    pub(super) fn writers_are(&self, writers: Writers) -> bool {
        self.writers == writers
    }

    /// On a mount with this prefix, whose clients may be silent for so long.
    pub(super) fn check(&self, prefix: &str, silence: Duration) -> Result<WritePolicy, ConfigError> {
        let invalid = |message: String| ConfigError::new(ConfigErrorKind::InvalidValue, message);
        let below = KeyMapping::new(&self.below, false, DotSegments::Refused)
            .map_err(|why| ConfigError::invalid("the prefix of writes", &self.below, why))?;
        let largest = MAX_PARTS * PART_SIZE as u64;
        if self.max_size == 0 || self.max_size > largest {
            let message =
                format!("the largest object to be written has {} bytes: give 1 to {largest}", self.max_size);
            return Err(invalid(message));
        }
        let parts =
            usize::try_from(self.memory / PART_SIZE as u64).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        if parts == 0 {
            return Err(invalid(format!(
                "the memory of writes has {} bytes: give at least {PART_SIZE}",
                self.memory
            )));
        }
        let globs = self.content_types.iter().map(|glob| {
            let globs = ObjectGlobs { key: None, content_type: Some(glob.clone()) };
            globs.compile().map_err(|why| invalid(format!("a content type of writes: {why}")))
        });
        Ok(WritePolicy {
            prefix: format!("{prefix}{}", below.prefix()),
            max_size: self.max_size,
            overwrite: if self.overwrite { Overwrite::Allowed } else { Overwrite::Refused },
            methods: if self.delete { Methods::PUT_AND_DELETE } else { Methods::PUT },
            content_types: globs.collect::<Result<_, _>>()?,
            metadata: self.metadata.clone(),
            storage_class: self.storage_class.as_deref().map(parse_class).transpose()?,
            memory: Arc::new(Semaphore::new(parts)),
            silence,
        })
    }
}

impl Default for Writes {
    fn default() -> Self {
        Self::new()
    }
}

fn parse_class(name: &str) -> Result<HeaderValue, ConfigError> {
    let is_name = !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_uppercase() || matches!(byte, b'_' | b'0'..=b'9'));
    let value = HeaderValue::from_str(name).ok().filter(|_| is_name);
    value.ok_or_else(|| {
        ConfigError::invalid("the storage class", name, "must be a name of S3's, like \"STANDARD_IA\"")
    })
}

// === impl WritePolicy ===

impl WritePolicy {
    /// Whether an object of this type may be stored. None has no type at all: S3 gives it one.
    pub(crate) fn takes_type(&self, content_type: Option<&HeaderValue>) -> bool {
        let of_s3 = const { HeaderValue::from_static("binary/octet-stream") };
        let content_type = content_type.unwrap_or(&of_s3);
        self.content_types.is_empty()
            || self.content_types.iter().any(|glob| glob.fits_type(Some(content_type)))
    }

    /// Whether clients may give metadata of this name, without `x-amz-meta-`.
    pub(crate) fn takes_metadata(&self, name: &str) -> bool {
        self.metadata.as_ref().is_none_or(|names| names.iter().any(|known| known == name))
    }
}
