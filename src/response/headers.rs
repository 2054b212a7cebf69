use std::fmt;

use globset::{Glob, GlobSet, GlobSetBuilder};
use http::{
    HeaderMap, HeaderName,
    header::{
        ACCEPT_RANGES, CACHE_CONTROL, CONNECTION, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE,
        CONTENT_LENGTH, CONTENT_LOCATION, CONTENT_RANGE, CONTENT_TYPE, DATE, ETAG, EXPIRES, LAST_MODIFIED,
        PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE, VARY,
    },
};

/// Which of S3's fields a client sees: those of the object itself, and what the mount allows besides.
#[derive(Debug, Clone, Default)]
pub(crate) struct HeaderPolicy {
    forwarded: GlobSet,
    /// From `x-amz-meta-…` to the field that carries it.
    metadata: Vec<(HeaderName, HeaderName)>,
}

/// A name that can't be forwarded, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InvalidHeaderRule(String);

// === impl HeaderPolicy ===

impl HeaderPolicy {
    pub(crate) fn new(
        forwarded: &[String],
        metadata: &[(String, String)],
    ) -> Result<Self, InvalidHeaderRule> {
        let mut set = GlobSetBuilder::new();
        for glob in forwarded {
            let glob = Glob::new(&glob.to_ascii_lowercase());
            set.add(glob.map_err(|error| InvalidHeaderRule(error.to_string()))?);
        }
        let forwarded = set.build().map_err(|error| InvalidHeaderRule(error.to_string()))?;
        let metadata = metadata.iter().map(|(from, to)| metadata_rule(from, to)).collect::<Result<_, _>>()?;
        Ok(Self { forwarded, metadata })
    }

    /// The fields of an answer that carries an object (or would, to GET).
    pub(crate) fn select(&self, origin: &HeaderMap) -> HeaderMap {
        self.filter(origin, is_object_field)
    }

    /// The fields of a 304: what a 200 would have, without those that describe the content (RFC 9110 §15.4.5).
    pub(crate) fn select_for_not_modified(&self, origin: &HeaderMap) -> HeaderMap {
        self.filter(origin, |name| is_object_field(name) && !is_content_field(name))
    }

    fn filter(&self, origin: &HeaderMap, is_selected: impl Fn(&HeaderName) -> bool) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(16);
        for (name, value) in origin {
            if is_selected(name) || self.forwards(name) {
                headers.append(name, value.clone());
            }
        }
        for (from, to) in &self.metadata {
            if let Some(value) = origin.get(from) {
                headers.insert(to, value.clone());
            }
        }
        headers
    }

    fn forwards(&self, name: &HeaderName) -> bool {
        !self.forwarded.is_empty()
            && self.forwarded.is_match(name.as_str())
            && !is_ours(name)
            && !is_object_field(name)
    }
}

fn metadata_rule(from: &str, to: &str) -> Result<(HeaderName, HeaderName), InvalidHeaderRule> {
    let from = from.to_ascii_lowercase();
    let full = if from.starts_with("x-amz-meta-") { from } else { format!("x-amz-meta-{from}") };
    let name = |text: &str| {
        HeaderName::try_from(text).map_err(|_| InvalidHeaderRule(format!("{text:?} is no header name")))
    };
    let (from, to) = (name(&full)?, name(to)?);
    if is_ours(&to) || is_object_field(&to) {
        return Err(InvalidHeaderRule(format!("{to} is set by the proxy itself and can't carry metadata")));
    }
    Ok((from, to))
}

fn is_object_field(name: &HeaderName) -> bool {
    OBJECT_FIELDS.contains(name)
}

fn is_content_field(name: &HeaderName) -> bool {
    CONTENT_FIELDS.contains(name)
}

/// Fields of the connection, or of the framing: never taken from S3 by a rule (RFC 9110 §7.6.1).
fn is_ours(name: &HeaderName) -> bool {
    CONNECTION_FIELDS.contains(name) || matches!(name.as_str(), "keep-alive" | "proxy-connection")
}

const OBJECT_FIELDS: [HeaderName; 14] = [
    CONTENT_TYPE,
    CONTENT_LENGTH,
    ETAG,
    LAST_MODIFIED,
    ACCEPT_RANGES,
    CACHE_CONTROL,
    CONTENT_ENCODING,
    CONTENT_RANGE,
    CONTENT_DISPOSITION,
    CONTENT_LANGUAGE,
    EXPIRES,
    DATE,
    VARY,
    CONTENT_LOCATION,
];

const CONTENT_FIELDS: [HeaderName; 7] = [
    CONTENT_TYPE,
    CONTENT_LENGTH,
    ACCEPT_RANGES,
    CONTENT_ENCODING,
    CONTENT_RANGE,
    CONTENT_DISPOSITION,
    CONTENT_LANGUAGE,
];

const CONNECTION_FIELDS: [HeaderName; 9] = [
    CONNECTION,
    TRANSFER_ENCODING,
    TE,
    TRAILER,
    UPGRADE,
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    CONTENT_LENGTH,
    CONTENT_RANGE,
];

// === impl InvalidHeaderRule ===

impl fmt::Display for InvalidHeaderRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for InvalidHeaderRule {}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn origin() -> HeaderMap {
        HeaderMap::from_iter(
            [
                ("content-type", "image/png"),
                ("content-length", "3"),
                ("etag", "\"a\""),
                ("last-modified", "Wed, 21 Oct 2015 07:28:00 GMT"),
                ("cache-control", "max-age=1"),
                ("date", "Wed, 21 Oct 2015 07:28:00 GMT"),
                ("server", "AmazonS3"),
                ("x-amz-request-id", "1"),
                ("x-amz-meta-title", "Dawn"),
                ("x-amz-storage-class", "STANDARD_IA"),
                ("access-control-allow-origin", "*"),
                ("set-cookie", "a=b"),
                ("connection", "close"),
                ("keep-alive", "timeout=5"),
            ]
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))),
        )
    }

    fn names(headers: &HeaderMap) -> Vec<&str> {
        let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn only_the_objects_own_fields_pass_by_default() {
        let policy = HeaderPolicy::default();
        let expected = ["cache-control", "content-length", "content-type", "date", "etag", "last-modified"];
        assert_eq!(names(&policy.select(&origin())), expected);
        let expected = ["cache-control", "date", "etag", "last-modified"];
        assert_eq!(names(&policy.select_for_not_modified(&origin())), expected);
    }

    #[test]
    fn more_passes_by_glob_and_by_map_but_never_the_connections_own() {
        let policy = HeaderPolicy::new(
            &["X-Amz-Storage-*".to_owned(), "c*".to_owned(), "keep-*".to_owned()],
            &[("title".to_owned(), "X-Title".to_owned())],
        )
        .unwrap();
        let headers = policy.select(&origin());
        assert_eq!(headers["x-title"], "Dawn");
        assert_eq!(headers["x-amz-storage-class"], "STANDARD_IA");
        assert!(!headers.contains_key("connection") && !headers.contains_key("keep-alive"));
        assert!(!headers.contains_key("x-amz-meta-title"));
        assert_eq!(headers.get_all("content-length").iter().count(), 1);
    }

    #[test]
    fn metadata_may_not_become_a_field_that_is_ours() {
        for to in ["content-length", "Transfer-Encoding", "etag", "connection", "not a name", ""] {
            let rule = [("title".to_owned(), to.to_owned())];
            assert!(HeaderPolicy::new(&[], &rule).is_err(), "{to}");
        }
        assert!(HeaderPolicy::new(&["a[".to_owned()], &[]).is_err());
    }
}
