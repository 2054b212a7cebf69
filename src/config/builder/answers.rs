//! What clients see.

use super::MountBuilder;
use crate::response::{
    BadPathAnswer, CacheControlRule, ContentTypeFix, Cors, DeniedAnswer, ErrorFormat, Fallback,
};

impl MountBuilder {
    /// The value of `Cache-Control` for objects about whose caching S3 says nothing. Stands behind the rules of that
    /// kind ([`CacheControlRule::default_to`]).
    pub fn default_cache_control(mut self, value: impl Into<String>) -> Self {
        self.default_cache_control = Some(value.into());
        self
    }

    /// The value of `Cache-Control` for all objects, whatever S3 says. Stands behind the rules of that kind
    /// ([`CacheControlRule::override_with`]), and goes before every default.
    pub fn override_cache_control(mut self, value: impl Into<String>) -> Self {
        self.override_cache_control = Some(value.into());
        self
    }

    /// Adds a rule for `Cache-Control`. Overrides go before defaults; among each, the first that fits wins.
    pub fn cache_control_rule(mut self, rule: CacheControlRule) -> Self {
        self.cache_control_rules.push(rule);
        self
    }

    /// Passes on those of S3's fields that the glob matches, besides the object's own: `x-amz-storage-class`,
    /// `x-amz-meta-*`. Fields of the connection and S3's own CORS are never passed on.
    pub fn forward_response_header(mut self, glob: impl Into<String>) -> Self {
        self.forwarded_headers.push(glob.into());
        self
    }

    /// Passes a value of the object's metadata on as a field: `("title", "X-Title")` for `x-amz-meta-title`. Whoever may
    /// upload can set that field.
    pub fn metadata_header(mut self, metadata: impl Into<String>, field: impl Into<String>) -> Self {
        self.metadata_headers.push((metadata.into(), field.into()));
        self
    }

    /// Which pages of other origins may read the answers. None by default, and S3's own CORS never reaches a client.
    ///
    /// With it the mount answers every preflight for its paths, also where other methods go to the inner service
    /// ([`Fallback::Inner`]). What the inner service answers is left as it is.
    pub fn cors(mut self, cors: Cors) -> Self {
        self.cors = Some(cors);
        self
    }

    /// What to do about objects without a useful content type.
    pub fn content_type(mut self, fix: ContentTypeFix) -> Self {
        self.answers.content_type = fix;
        self
    }

    /// What clients are told about an object that S3 denies.
    pub fn denied(mut self, answer: DeniedAnswer) -> Self {
        self.answers.denied = answer;
        self
    }

    /// What clients are told about a path that cannot name a key.
    pub fn bad_path(mut self, answer: BadPathAnswer) -> Self {
        self.answers.bad_path = answer;
        self
    }

    /// The service that answers where the bucket has nothing to serve; none by default.
    pub fn fallback(mut self, fallback: Fallback) -> Self {
        self.answers.fallback = fallback;
        self
    }

    /// How errors are told.
    pub fn error_format(mut self, format: ErrorFormat) -> Self {
        self.answers.errors = format;
        self
    }
}
