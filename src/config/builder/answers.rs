//! What clients see.

use super::MountBuilder;
use crate::response::{
    BadPathAnswer, CacheControlRule, ContentTypeFix, Cors, DeniedAnswer, ErrorFormat, Fallback,
};

/// # What clients see
impl MountBuilder {
    /// The value of `Cache-Control` for objects to which S3 gives neither `Cache-Control` nor `Expires`. Comes after
    /// the rules of its kind ([`CacheControlRule::default_to`]).
    pub fn default_cache_control(mut self, value: impl Into<String>) -> Self {
        self.default_cache_control = Some(value.into());
        self
    }

    /// The value of `Cache-Control` for all objects, whatever S3 says. Comes after the rules of its kind
    /// ([`CacheControlRule::override_with`]), and precedes every default.
    pub fn override_cache_control(mut self, value: impl Into<String>) -> Self {
        self.override_cache_control = Some(value.into());
        self
    }

    /// Adds a rule for `Cache-Control`. Overrides precede defaults; among each, the first that matches wins.
    pub fn cache_control_rule(mut self, rule: CacheControlRule) -> Self {
        self.cache_control_rules.push(rule);
        self
    }

    /// Forwards S3's fields that the glob matches, besides the object's own: `x-amz-storage-class`, `x-amz-meta-*`.
    /// Fields of the connection and S3's own CORS fields are never forwarded.
    pub fn forward_response_header(mut self, glob: impl Into<String>) -> Self {
        self.forwarded_headers.push(glob.into());
        self
    }

    /// Forwards a value of the object's metadata as a field: `("title", "X-Title")` for `x-amz-meta-title`. Anyone who
    /// can upload can set that field.
    pub fn metadata_header(mut self, metadata: impl Into<String>, field: impl Into<String>) -> Self {
        self.metadata_headers.push((metadata.into(), field.into()));
        self
    }

    /// The pages of other origins that may read the responses. None by default, and S3's own CORS never reaches a
    /// client.
    ///
    /// With it the mount answers every preflight for its paths, even where other methods go to the inner service
    /// ([`Fallback::Inner`]). The inner service's responses stay as they are.
    pub fn cors(mut self, cors: Cors) -> Self {
        self.cors = Some(cors);
        self
    }

    /// How many bytes a second the mount sends, all responses together; without limit by default. At least 1 KiB.
    pub fn max_bytes_per_second(mut self, bytes: u64) -> Self {
        self.max_bytes_per_second = Some(bytes);
        self
    }

    /// The treatment of objects without a useful content type.
    pub fn content_type(mut self, fix: ContentTypeFix) -> Self {
        self.content_type = fix;
        self
    }

    /// The type of objects without a useful one whose keys end in `.` and this extension, in either case: `("vrm",
    /// "model/gltf-binary")`. It precedes the proxy's own table.
    pub fn content_type_of(mut self, extension: impl Into<String>, value: impl Into<String>) -> Self {
        self.content_types.push((extension.into(), value.into()));
        self
    }

    /// The response for an object that S3 denies.
    pub fn denied(mut self, answer: DeniedAnswer) -> Self {
        self.answers.denied = answer;
        self
    }

    /// The response for a path that cannot name a key.
    pub fn bad_path(mut self, answer: BadPathAnswer) -> Self {
        self.answers.bad_path = answer;
        self
    }

    /// The service that answers requests that the bucket cannot serve; none by default.
    pub fn fallback(mut self, fallback: Fallback) -> Self {
        self.answers.fallback = fallback;
        self
    }

    /// The form of an error's body.
    pub fn error_format(mut self, format: ErrorFormat) -> Self {
        self.answers.errors = format;
        self
    }
}
