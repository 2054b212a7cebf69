use std::fmt;

use http::{HeaderMap, HeaderValue, StatusCode, header::CACHE_CONTROL, header::EXPIRES};

use crate::object::{Edition, ObjectGlobs, ObjectKey, ObjectMatcher};

/// A value for `Cache-Control`, and the responses that get it.
///
/// Every condition of a rule must hold. A rule without a status is for responses that carry an object (200, 206) or
/// confirm one (304); a rule with a status is for that status alone.
///
/// ```
/// use tower_s3_proxy::response::CacheControlRule;
///
/// let rules = [
///     CacheControlRule::override_with("public, max-age=31536000, immutable").key("assets/**"),
///     CacheControlRule::default_to("public, max-age=86400").content_type("image/*"),
///     CacheControlRule::override_with("max-age=10").status(404),
/// ];
/// # let _ = rules;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheControlRule {
    value: String,
    mode: Mode,
    globs: ObjectGlobs,
    status: Option<u16>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// If S3 says nothing about caching.
    Default,
    /// Whatever S3 says.
    Override,
}

/// The rules of a mount: overrides precede defaults; among each, the first that matches wins.
#[derive(Debug, Clone, Default)]
pub(crate) struct CacheControlPolicy {
    rules: Vec<Rule>,
}

#[derive(Debug, Clone)]
struct Rule {
    value: HeaderValue,
    mode: Mode,
    objects: ObjectMatcher,
    status: Option<StatusCode>,
}

/// The value that a policy gives to a response whose content type is not known.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Applies<'p> {
    Value(&'p HeaderValue),
    /// It depends on the object's stored fields.
    Depends,
    Nothing,
}

/// An invalid rule, and why it is invalid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InvalidCacheControlRule(String);

// === impl CacheControlRule ===

impl CacheControlRule {
    /// A value for responses to which S3 gives neither `Cache-Control` nor `Expires`.
    pub fn default_to(value: impl Into<String>) -> Self {
        Self::new(value.into(), Mode::Default)
    }

    /// A value that replaces S3's; a stored `Expires` is dropped, since it would contradict the value.
    pub fn override_with(value: impl Into<String>) -> Self {
        Self::new(value.into(), Mode::Override)
    }

    fn new(value: String, mode: Mode) -> Self {
        Self { value, mode, globs: ObjectGlobs::default(), status: None }
    }

    /// Only for keys that the glob matches: `*` and `?` stay within a segment, `**` spans segments, `{a,b}` and
    /// `[a-z]` are alternatives. A glob without a slash is matched against the last segment (`*.html`). Case
    /// matters, as it does to S3.
    ///
    /// The key is S3's, with the mount's prefix.
    #[must_use]
    pub fn key(mut self, glob: impl Into<String>) -> Self {
        self.globs.key = Some(glob.into());
        self
    }

    /// Only for content types that the glob matches, without parameters and in lower case: `image/*`, `text/html`.
    #[must_use]
    pub fn content_type(mut self, glob: impl Into<String>) -> Self {
        self.globs.content_type = Some(glob.into());
        self
    }

    /// Only for error responses with this status (400 to 599).
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    fn compile(self) -> Result<Rule, InvalidCacheControlRule> {
        let invalid = |why: String| InvalidCacheControlRule(why);
        let value = HeaderValue::try_from(&self.value)
            .ok()
            .filter(|value| value.to_str().is_ok_and(|text| !text.trim().is_empty()))
            .ok_or_else(|| {
                invalid(format!("{:?} is not a field value: give directives like \"max-age=60\"", self.value))
            })?;
        let status = self.status.map(|status| match StatusCode::from_u16(status) {
            Ok(status) if status.is_client_error() || status.is_server_error() => Ok(status),
            _ => Err(invalid(format!("{status} is not an error status: give one of 400 to 599"))),
        });
        if status.is_some() && self.globs.content_type.is_some() {
            return Err(invalid("a rule with a status can't have a content type".to_owned()));
        }
        let objects = self.globs.compile().map_err(|why| invalid(why.to_string()))?;
        Ok(Rule { value, mode: self.mode, objects, status: status.transpose()? })
    }
}

// === impl CacheControlPolicy ===

impl CacheControlPolicy {
    pub(crate) fn new(
        rules: impl IntoIterator<Item = CacheControlRule>,
    ) -> Result<Self, InvalidCacheControlRule> {
        let rules = rules.into_iter().map(CacheControlRule::compile).collect::<Result<_, _>>()?;
        Ok(Self { rules })
    }

    /// Applies the policy to the fields of a response that carries or confirms an object. `content_type` is the type
    /// that a 200 would have. The mount's default does not apply to an edition that can't change.
    pub(crate) fn apply(
        &self,
        key: &ObjectKey,
        edition: &Edition,
        content_type: Option<&HeaderValue>,
        headers: &mut HeaderMap,
    ) {
        let mut fitting =
            self.rules.iter().filter(|rule| rule.status.is_none() && rule.objects.fits(key, content_type));
        if let Some(rule) = fitting.clone().find(|rule| rule.mode == Mode::Override) {
            headers.insert(CACHE_CONTROL, rule.value.clone());
            headers.remove(EXPIRES);
        } else if headers.contains_key(CACHE_CONTROL) || headers.contains_key(EXPIRES) {
            // S3's value precedes every default.
        } else if edition.is_immutable() {
            headers.insert(CACHE_CONTROL, IMMUTABLE);
        } else if let Some(rule) = fitting.next() {
            headers.insert(CACHE_CONTROL, rule.value.clone());
        }
    }

    /// Where the `Cache-Control` of such a response comes from, in words.
    #[cfg(feature = "explain")]
    pub(crate) fn origin_of(&self, key: &ObjectKey, edition: &Edition, headers: &HeaderMap) -> String {
        let (value, content_type) = (headers.get(CACHE_CONTROL), headers.get(http::header::CONTENT_TYPE));
        let mut fitting = (1..)
            .zip(&self.rules)
            .filter(|(_, rule)| rule.status.is_none() && rule.objects.fits(key, content_type));
        if let Some((number, _)) = fitting.clone().find(|(_, rule)| rule.mode == Mode::Override) {
            return format!("rule {number} of the mount, which overrides what S3 has");
        }
        match (value, fitting.next()) {
            (None, _) => "nothing: neither S3 nor a rule has one".to_owned(),
            (Some(value), _) if edition.is_immutable() && value == IMMUTABLE => {
                "the version or the cache-bust segment in the URL".to_owned()
            }
            (Some(value), Some((number, rule))) if *value == rule.value => {
                format!("rule {number} of the mount, for objects without one")
            }
            (Some(_), _) => "the object in S3".to_owned(),
        }
    }

    /// The value by the key alone, where neither the stored type nor the stored fields are known.
    pub(crate) fn on_key_alone(&self, key: &ObjectKey, edition: &Edition) -> Applies<'_> {
        let mut fitting =
            self.rules.iter().filter(|rule| rule.status.is_none() && rule.objects.fits_key(key)).peekable();
        if fitting.peek().is_none() && !edition.is_immutable() {
            return Applies::Nothing;
        }
        match fitting.find(|rule| rule.mode == Mode::Override) {
            Some(rule) if !self.has_type_rules() => Applies::Value(&rule.value),
            _ => Applies::Depends,
        }
    }

    /// The value for an error response.
    pub(crate) fn for_error(&self, status: StatusCode, key: Option<&ObjectKey>) -> HeaderValue {
        let fits_key = |rule: &&Rule| match key {
            Some(key) => rule.objects.fits_key(key),
            None => rule.objects.is_for_all_keys(),
        };
        let rule = self.rules.iter().filter(|rule| rule.status == Some(status)).find(fits_key);
        rule.map_or(NO_STORE, |rule| rule.value.clone())
    }

    fn has_type_rules(&self) -> bool {
        self.rules.iter().any(|rule| rule.objects.asks_for_type())
    }
}

/// A year, which stands for "for ever" (RFC 8246 §2).
const IMMUTABLE: HeaderValue = HeaderValue::from_static("max-age=31536000, immutable");

/// An error may be over in a moment; otherwise caches could keep a 404 by heuristics (RFC 9111 §4.2.2).
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

// === impl InvalidCacheControlRule ===

impl fmt::Display for InvalidCacheControlRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for InvalidCacheControlRule {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::CacheBust;

    fn policy() -> CacheControlPolicy {
        CacheControlPolicy::new([
            CacheControlRule::override_with("immutable").key("assets/**"),
            CacheControlRule::override_with("html").key("*.html"),
            CacheControlRule::override_with("css").content_type("text/css"),
            CacheControlRule::default_to("image").content_type("image/*"),
            CacheControlRule::override_with("gone").status(404).key("old/**"),
            CacheControlRule::override_with("missing").status(404),
            CacheControlRule::default_to("default"),
        ])
        .unwrap()
    }

    #[test]
    fn the_first_override_wins_then_what_is_stored_then_the_first_default() {
        for (key, content_type, stored, expires, sent) in [
            ("assets/x/a.js", "text/javascript", Some("stored"), true, "immutable"),
            ("assets/x/a.html", "text/html", None, false, "immutable"),
            ("a.html", "text/html", None, false, "html"),
            ("x/y/a.html", "text/html", Some("stored"), false, "html"),
            ("a.css", "Text/CSS; charset=utf-8", Some("stored"), false, "css"),
            ("a.png", "image/png", None, false, "image"),
            ("a.png", "image/png", Some("stored"), false, "stored"),
            ("a.txt", "text/plain", None, false, "default"),
            ("old/a.txt", "text/plain", None, false, "default"),
        ] {
            let mut headers = HeaderMap::new();
            headers.extend(stored.map(|value| (CACHE_CONTROL, HeaderValue::from_static(value))));
            headers.extend(expires.then(|| (EXPIRES, HeaderValue::from_static("0"))));
            let key = ObjectKey::new(key).unwrap();
            policy().apply(
                &key,
                &Edition::default(),
                Some(&HeaderValue::from_static(content_type)),
                &mut headers,
            );
            assert_eq!(headers[CACHE_CONTROL], sent, "{key}");
            assert!(!headers.contains_key(EXPIRES), "{key}: an override drops Expires");
        }
    }

    #[test]
    fn a_stored_expires_stands_against_a_default() {
        let mut headers = HeaderMap::from_iter([(EXPIRES, HeaderValue::from_static("soon"))]);
        let policy = CacheControlPolicy::new([CacheControlRule::default_to("default")]).unwrap();
        policy.apply(&ObjectKey::new("a").unwrap(), &Edition::default(), None, &mut headers);
        assert!(!headers.contains_key(CACHE_CONTROL) && headers.contains_key(EXPIRES));
    }

    #[test]
    fn an_edition_that_cannot_change_has_a_default_of_its_own() {
        let immutable = Edition { bust: CacheBust::split("--2/a").0, ..Edition::default() };
        let key = ObjectKey::new("a").unwrap();
        let policy = |rules: Vec<CacheControlRule>| CacheControlPolicy::new(rules).unwrap();
        for (rules, stored, sent) in [
            (vec![], None, "max-age=31536000, immutable"),
            (vec![CacheControlRule::default_to("max-age=60")], None, "max-age=31536000, immutable"),
            (vec![CacheControlRule::override_with("max-age=60")], None, "max-age=60"),
            (vec![], Some("private, max-age=5"), "private, max-age=5"),
        ] {
            let policy = policy(rules);
            let stored = stored.map(|value| (CACHE_CONTROL, HeaderValue::from_static(value)));
            let mut headers: HeaderMap = stored.into_iter().collect();
            policy.apply(&key, &immutable, None, &mut headers);
            assert_eq!(headers[CACHE_CONTROL], sent);
        }
        assert_eq!(policy(vec![]).on_key_alone(&key, &immutable), Applies::Depends);
    }

    #[test]
    fn errors_are_not_stored_unless_a_rule_says_so() {
        let policy = policy();
        let key = |key| ObjectKey::new(key).unwrap();
        assert_eq!(policy.for_error(StatusCode::NOT_FOUND, Some(&key("old/a"))), "gone");
        assert_eq!(policy.for_error(StatusCode::NOT_FOUND, Some(&key("a"))), "missing");
        assert_eq!(policy.for_error(StatusCode::NOT_FOUND, None), "missing");
        assert_eq!(policy.for_error(StatusCode::BAD_GATEWAY, Some(&key("a"))), "no-store");
    }

    #[test]
    fn on_the_key_alone_only_an_override_is_certain() {
        let key = ObjectKey::new("a.html").unwrap();
        let on = |rules: Vec<CacheControlRule>| CacheControlPolicy::new(rules).unwrap();
        let certain =
            on(vec![CacheControlRule::default_to("d"), CacheControlRule::override_with("o").key("*.html")]);
        assert_eq!(
            certain.on_key_alone(&key, &Edition::default()),
            Applies::Value(&HeaderValue::from_static("o"))
        );
        assert_eq!(
            on(vec![CacheControlRule::default_to("d")]).on_key_alone(&key, &Edition::default()),
            Applies::Depends
        );
        assert_eq!(policy().on_key_alone(&key, &Edition::default()), Applies::Depends);
        assert_eq!(
            on(vec![CacheControlRule::override_with("o").key("*.js")])
                .on_key_alone(&key, &Edition::default()),
            Applies::Nothing
        );
    }

    #[test]
    fn senseless_rules_are_refused() {
        for rule in [
            CacheControlRule::default_to(""),
            CacheControlRule::default_to("a\nb"),
            CacheControlRule::default_to("a").key("a["),
            CacheControlRule::default_to("a").status(200),
            CacheControlRule::default_to("a").status(404).content_type("image/*"),
        ] {
            assert!(CacheControlPolicy::new([rule.clone()]).is_err(), "{rule:?}");
        }
    }
}
