use std::fmt;

use globset::{Glob, GlobSet, GlobSetBuilder};
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{
        ACCEPT_ENCODING, ACCEPT_RANGES, ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, AGE,
        CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH,
        CONTENT_LOCATION, CONTENT_RANGE, CONTENT_TYPE, DATE, ETAG, EXPIRES, LAST_MODIFIED, ORIGIN, VARY,
    },
};

use super::list::without;
use crate::{
    object::EntityTag,
    origin::{is_nominated, is_of_connection},
};

/// Where an object of a website is instead: for the mount, and not for clients.
pub(crate) const WEBSITE_REDIRECT: HeaderName = HeaderName::from_static("x-amz-website-redirect-location");

/// Selects the fields of S3 that clients see: those of the object itself, and those that the mount also allows.
#[derive(Debug, Clone, Default)]
pub(crate) struct HeaderPolicy {
    forwarded: GlobSet,
    /// From `x-amz-meta-…` to the field that carries it.
    metadata: Vec<(HeaderName, HeaderName)>,
    readers: Readers,
    redirects: ObjectRedirects,
}

/// Whether the mount itself wants to know where an object is instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum ObjectRedirects {
    #[default]
    Ignored,
    Followed,
}

/// Whom the fields are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Readers {
    #[default]
    Web,
    /// S3 clients, too, which read metadata, checksums and more from S3's own fields. Those are kept, and hidden from the web.
    #[cfg(feature = "s3-clients")]
    S3Clients,
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
            let invalid = |why: &globset::ErrorKind| {
                InvalidHeaderRule(format!("forward_response_header {glob:?}: {why}"))
            };
            set.add(Glob::new(&glob.to_ascii_lowercase()).map_err(|error| invalid(error.kind()))?);
        }
        let forwarded = set.build().map_err(|error| InvalidHeaderRule(error.to_string()))?;
        let metadata = metadata.iter().map(|(from, to)| metadata_rule(from, to)).collect::<Result<_, _>>()?;
        Ok(Self { forwarded, metadata, ..Self::default() })
    }

    /// The fields of a response that carries an object, or would for GET.
    pub(crate) fn select(&self, origin: &HeaderMap) -> HeaderMap {
        self.filter(origin, is_object_field)
    }

    /// The fields of a 304: those of a 200, without those that describe the content (RFC 9110 §15.4.5).
    pub(crate) fn select_for_not_modified(&self, origin: &HeaderMap) -> HeaderMap {
        self.filter(origin, |name| is_object_field(name) && !is_content_field(name))
    }

    /// The fields of a 304, given those of the 200.
    pub(crate) fn without_content(fields: &HeaderMap) -> HeaderMap {
        let kept = fields.iter().filter(|(name, _)| !is_content_field(name));
        kept.map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    fn filter(&self, origin: &HeaderMap, is_selected: impl Fn(&HeaderName) -> bool) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(16);
        for (name, value) in origin {
            if (is_selected(name) || self.forwards(name, origin))
                && let Some(value) = mended(name, value)
            {
                headers.append(name, value);
            }
        }
        for (from, to) in &self.metadata {
            if let Some(value) = origin.get(from)
                && !is_nominated(from, origin)
            {
                headers.insert(to, value.clone());
            }
        }
        headers
    }

    /// The same, with [`WEBSITE_REDIRECT`].
    pub(crate) fn for_websites(self) -> Self {
        Self { redirects: ObjectRedirects::Followed, ..self }
    }

    /// The same, for S3 clients as well.
    #[cfg(feature = "s3-clients")]
    pub(crate) fn for_s3_clients(self) -> Self {
        Self { readers: Readers::S3Clients, ..self }
    }

    /// Whether objects have fields that are for S3 clients alone.
    #[cfg(feature = "s3-clients")]
    pub(crate) fn has_more_for_s3_clients(&self) -> bool {
        match self.readers {
            Readers::Web => false,
            Readers::S3Clients => true,
        }
    }

    /// Removes what is for S3 clients alone.
    #[cfg(feature = "s3-clients")]
    pub(crate) fn hide_from_web(&self, headers: &mut HeaderMap) {
        let is_hidden = |name: &&HeaderName| {
            is_for_s3_clients(name)
                && !self.forwarded.is_match(name.as_str())
                && !self.metadata.iter().any(|(_, to)| to == *name)
        };
        let hidden: Vec<_> = headers.keys().filter(is_hidden).cloned().collect();
        for name in hidden {
            headers.remove(name);
        }
    }

    fn is_chosen(&self, name: &HeaderName) -> bool {
        let is_for_others = match self.readers {
            Readers::Web => false,
            #[cfg(feature = "s3-clients")]
            Readers::S3Clients => is_for_s3_clients(name),
        };
        // Not a glob: each response of S3 has fields that would be matched with it.
        let is_redirect = self.redirects == ObjectRedirects::Followed && *name == WEBSITE_REDIRECT;
        is_for_others || is_redirect || (!self.forwarded.is_empty() && self.forwarded.is_match(name.as_str()))
    }

    fn forwards(&self, name: &HeaderName, origin: &HeaderMap) -> bool {
        self.is_chosen(name) && !is_ours(name) && !is_object_field(name) && !is_nominated(name, origin)
    }
}

fn metadata_rule(from: &str, to: &str) -> Result<(HeaderName, HeaderName), InvalidHeaderRule> {
    let from = from.to_ascii_lowercase();
    let full = if from.starts_with("x-amz-meta-") { from } else { format!("x-amz-meta-{from}") };
    let name = |text: &str| {
        HeaderName::try_from(text).map_err(|_| InvalidHeaderRule(format!("{text:?} is not a field name")))
    };
    let (from, to) = (name(&full)?, name(to)?);
    if is_ours(&to) || is_object_field(&to) {
        return Err(InvalidHeaderRule(format!("{to} is set by the proxy itself and can't carry metadata")));
    }
    Ok((from, to))
}

/// Fields of the object in S3's own namespace. Those of the request, and of keys that clients have no part in, are not.
#[cfg(feature = "s3-clients")]
fn is_for_s3_clients(name: &HeaderName) -> bool {
    name.as_str().starts_with("x-amz-")
        && !["x-amz-request-id", "x-amz-id-2", "x-amz-request-charged"].contains(&name.as_str())
        && !name.as_str().starts_with("x-amz-server-side-encryption-")
}

fn is_object_field(name: &HeaderName) -> bool {
    OBJECT_FIELDS.contains(name)
}

fn is_content_field(name: &HeaderName) -> bool {
    CONTENT_FIELDS.contains(name)
}

/// Fields of the connection (RFC 9110 §7.6.1), of the framing, or of CORS, which the mount decides. No rule can take
/// them from S3.
fn is_ours(name: &HeaderName) -> bool {
    is_of_connection(name)
        || [CONTENT_LENGTH, CONTENT_RANGE].contains(name)
        || name.as_str().starts_with("access-control-")
}

/// A value of S3, corrected for clients; `None` if nothing is left of it.
fn mended(name: &HeaderName, value: &HeaderValue) -> Option<HeaderValue> {
    if name == ETAG {
        Some(EntityTag::mended(value).unwrap_or_else(|| value.clone()))
    } else if name == VARY {
        without(value, is_unknown_to_s3)
    } else if name == CONTENT_ENCODING {
        // `aws-chunked` is from an upload in chunks that the server did not decode: clients cannot decode it (S3 API,
        // PutObject). `identity` should not be sent (RFC 9110 §8.4.1), and some clients refuse it.
        without(value, |coding| {
            [&b"aws-chunked"[..], b"identity"].iter().any(|name| coding.eq_ignore_ascii_case(name))
        })
    } else if name == X_AMZ_EXPIRATION && value == "NotImplemented" {
        // From directory buckets, which have no such thing (S3 API, GetObject).
        None
    } else {
        Some(value.clone())
    }
}

/// Whether a member of `Vary` names a client's field that S3 never gets, so that no response can vary by it.
fn is_unknown_to_s3(member: &[u8]) -> bool {
    UNKNOWN_TO_S3.iter().any(|name| name.as_str().as_bytes().eq_ignore_ascii_case(member))
}

const UNKNOWN_TO_S3: [HeaderName; 4] =
    [ORIGIN, ACCESS_CONTROL_REQUEST_METHOD, ACCESS_CONTROL_REQUEST_HEADERS, ACCEPT_ENCODING];

const X_AMZ_EXPIRATION: HeaderName = HeaderName::from_static("x-amz-expiration");

const OBJECT_FIELDS: [HeaderName; 15] = [
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
    AGE,
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

// === impl InvalidHeaderRule ===

impl fmt::Display for InvalidHeaderRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for InvalidHeaderRule {}

#[cfg(test)]
mod tests {
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
    fn the_widest_glob_passes_neither_cors_nor_what_is_for_the_connection() {
        let policy = HeaderPolicy::new(&["*".to_owned()], &[]).unwrap();
        let mut origin = origin();
        for (name, value) in [
            ("connection", "X-Hop, , x-Once,etag"),
            ("x-hop", "1"),
            ("x-once", "1"),
            ("x-end", "1"),
            ("access-control-allow-credentials", "true"),
            ("access-control-expose-headers", "x-end"),
            ("access-control-of-tomorrow", "1"),
            ("proxy-connection", "close"),
        ] {
            origin.append(name, HeaderValue::from_static(value));
        }
        let expected = [
            "cache-control",
            "content-length",
            "content-type",
            "date",
            "etag",
            "last-modified",
            "server",
            "set-cookie",
            "x-amz-meta-title",
            "x-amz-request-id",
            "x-amz-storage-class",
            "x-end",
        ];
        assert_eq!(names(&policy.select(&origin)), expected);
    }

    #[test]
    fn what_stands_for_no_value_is_not_passed_on() {
        let policy = HeaderPolicy::new(&["x-amz-*".to_owned()], &[]).unwrap();
        let passes = |value| {
            let origin = HeaderMap::from_iter([(X_AMZ_EXPIRATION, HeaderValue::from_static(value))]);
            !policy.select(&origin).is_empty()
        };
        assert!(!passes("NotImplemented"));
        assert!(passes("expiry-date=\"Fri, 21 Dec 2029 00:00:00 GMT\", rule-id=\"1\""));
    }

    #[test]
    fn fields_are_mended_only_where_they_need_it() {
        for (name, stored, sent) in [
            // RFC 9110 §8.8.3.
            ("etag", "\"abc-2\"", &["\"abc-2\""][..]),
            ("etag", "W/\"abc\"", &["W/\"abc\""]),
            ("etag", "\"\"", &["\"\""]),
            ("etag", "abc-2", &["\"abc-2\""]),
            ("etag", "W/abc", &["W/\"abc\""]),
            ("etag", "abc,def", &["\"abc,def\""]),
            ("etag", "\u{e4}", &["\"\u{e4}\""]),
            ("etag", "a b", &["a b"]),
            ("etag", "\"abc", &["\"abc"]),
            ("etag", "", &[""]),
            ("etag", "W/", &["W/"]),
            ("vary", "Accept-Language", &["Accept-Language"]),
            ("vary", "*", &["*"]),
            ("vary", "Origin, Access-Control-Request-Headers, Access-Control-Request-Method", &[]),
            ("vary", "origin,Accept-Language , ACCEPT-ENCODING, X-A", &["Accept-Language, X-A"]),
            ("vary", "Origin\nAccept-Language\nAccept-Encoding", &["Accept-Language"]),
            ("vary", "X-Origin", &["X-Origin"]),
            ("content-encoding", "gzip", &["gzip"]),
            ("content-encoding", "aws-chunked", &[]),
            ("content-encoding", "AWS-Chunked,gzip", &["gzip"]),
            ("content-encoding", "br,  aws-chunked", &["br"]),
            ("content-encoding", "gzip , br", &["gzip , br"]),
            ("content-encoding", "aws-chunked\ngzip", &["gzip"]),
            ("content-encoding", "identity", &[]),
            ("content-encoding", "Identity,gzip", &["gzip"]),
            ("content-encoding", "aws-chunked, identity", &[]),
            ("content-encoding", "identity-x", &["identity-x"]),
            ("age", "60", &["60"]),
        ] {
            let name = HeaderName::from_static(name);
            let lines = stored.split('\n').map(|line| (name.clone(), HeaderValue::try_from(line).unwrap()));
            let headers = HeaderPolicy::default().select(&lines.collect());
            let got: Vec<_> = headers.get_all(&name).iter().map(|value| value.as_bytes()).collect();
            let sent: Vec<_> = sent.iter().map(|line| line.as_bytes()).collect();
            assert_eq!(got, sent, "{name}: {stored:?}");
        }
    }

    #[test]
    fn a_304_has_the_mended_tag_too() {
        let origin = HeaderMap::from_iter([(ETAG, HeaderValue::from_static("abc")), (AGE, 7.into())]);
        let headers = HeaderPolicy::default().select_for_not_modified(&origin);
        assert_eq!((&headers[ETAG], &headers[AGE]), (&"\"abc\"".parse().unwrap(), &7.into()));
    }

    #[test]
    fn metadata_may_not_become_a_field_that_is_ours() {
        for to in [
            "content-length",
            "Transfer-Encoding",
            "etag",
            "connection",
            "Vary",
            "age",
            "Access-Control-Allow-Origin",
            "access-control-of-tomorrow",
            "not a name",
            "",
        ] {
            let rule = [("title".to_owned(), to.to_owned())];
            assert!(HeaderPolicy::new(&[], &rule).is_err(), "{to}");
        }
        let refusal = HeaderPolicy::new(&["X-A[".to_owned()], &[]).unwrap_err();
        assert!(refusal.to_string().starts_with("forward_response_header \"X-A[\": "), "{refusal}");
    }
}
