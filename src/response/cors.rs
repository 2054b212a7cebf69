mod origins;
mod policy;

#[cfg(test)]
mod tests;

use std::time::Duration;

use http::{
    HeaderName, Method,
    header::{
        ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, ETAG, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH,
        IF_RANGE, IF_UNMODIFIED_SINCE, RANGE,
    },
};

pub(crate) use self::policy::{CorsGrant, CorsPolicy, InvalidCors};

/// The pages of other origins that may read a mount's responses (CORS, as in the [Fetch
/// standard](https://fetch.spec.whatwg.org/#http-cors-protocol)).
///
/// The proxy decides that itself: it answers preflights, and S3 sees no `Origin`. It does not restrict who gets a
/// response, only what a browser lets a page read.
///
/// ```
/// use std::time::Duration;
///
/// use tower_s3_proxy::{BucketName, Cors, Mount};
///
/// let cors = Cors::origins(["https://app.example.com", "https://*.preview.example.com", "http://localhost:*"])
///     .allow_header("authorization")
///     .expose_header("x-title")
///     .max_age(Duration::from_secs(600));
/// let mount = Mount::builder(BucketName::parse("studio-media")?)
///     .region("us-west-2")
///     .anonymous()
///     .cors(cors)
///     .build()?;
/// # let _ = mount;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "it does nothing before `MountBuilder::cors`"]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cors {
    pub(crate) origins: Vec<String>,
    pub(crate) methods: Vec<String>,
    pub(crate) headers: Vec<String>,
    pub(crate) exposed: Vec<String>,
    pub(crate) max_age: Duration,
    credentials: CredentialsMode,
}

/// Whether pages may send cookies and HTTP authentication, and read the response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CredentialsMode {
    Omitted,
    Allowed,
}

// === impl Cors ===

impl Cors {
    /// Pages of these origins: exact ones, as browsers send them (`https://app.example.com`, `http://localhost:3000`), or
    /// globs, in which `*` is any run of characters but `/`, `?` is one, and `{a,b}` is either.
    ///
    /// `https://*.example.com` is every host below `example.com`, but not that host itself. A port belongs to the
    /// origin: `http://localhost:*` is every port but the scheme's own, which browsers leave out. `null`, which
    /// sandboxed frames and files send, is allowed only if it is in the list. `*` alone is
    /// [`any_origin`](Self::any_origin).
    pub fn origins<O: Into<String>>(allowed: impl IntoIterator<Item = O>) -> Self {
        Self {
            origins: owned(allowed),
            methods: owned([Method::GET.as_str(), Method::HEAD.as_str()]),
            headers: owned(REQUEST_HEADERS.iter().map(HeaderName::as_str)),
            exposed: owned(EXPOSED_HEADERS.iter().map(HeaderName::as_str)),
            max_age: MAX_AGE,
            credentials: CredentialsMode::Omitted,
        }
    }

    /// Pages of every origin, without credentials.
    pub fn any_origin() -> Self {
        Self::origins([origins::ANY])
    }

    /// The methods that pages may use, instead of GET and HEAD. Only methods that the mount answers are allowed.
    pub fn methods<M: Into<String>>(mut self, methods: impl IntoIterator<Item = M>) -> Self {
        self.methods = owned(methods);
        self
    }

    /// One more request field that pages may send, besides `Range`, `If-Range`, `If-Match`, `If-None-Match`,
    /// `If-Modified-Since` and `If-Unmodified-Since`.
    pub fn allow_header(mut self, name: impl Into<String>) -> Self {
        self.headers.push(name.into());
        self
    }

    /// The request fields that pages may send, and no others. `*` is [`allow_any_header`](Self::allow_any_header).
    pub fn allow_only_headers<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.headers = owned(names);
        self
    }

    /// Pages may send any request fields: the response to a preflight allows the names that it asks for.
    pub fn allow_any_header(self) -> Self {
        self.allow_only_headers([ANY_HEADER])
    }

    /// One more response field that pages may read, besides `ETag`, `Content-Range`, `Accept-Ranges`, `Content-Length`,
    /// and those that they always may (`Cache-Control`, `Content-Language`, `Content-Type`, `Expires`,
    /// `Last-Modified`).
    pub fn expose_header(mut self, name: impl Into<String>) -> Self {
        self.exposed.push(name.into());
        self
    }

    /// The response fields that pages may read besides those that they always may, and no others.
    pub fn expose_only_headers<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.exposed = owned(names);
        self
    }

    /// How long a browser may reuse the response to a preflight, in whole seconds; one hour by default, and not at all
    /// for zero. Browsers have their own limits: two hours in Chromium, a day in Firefox.
    pub fn max_age(mut self, limit: Duration) -> Self {
        self.max_age = limit;
        self
    }

    /// Pages may send cookies and HTTP authentication, and read the responses. Needs a list of origins without `null`:
    /// otherwise any page could read what its visitor may see.
    pub fn allow_credentials(mut self) -> Self {
        self.credentials = CredentialsMode::Allowed;
        self
    }
}

fn owned<T: Into<String>>(texts: impl IntoIterator<Item = T>) -> Vec<String> {
    texts.into_iter().map(Into::into).collect()
}

/// The fields that a page's media player or cache sends with a read.
const REQUEST_HEADERS: [HeaderName; 6] =
    [RANGE, IF_MATCH, IF_NONE_MATCH, IF_MODIFIED_SINCE, IF_UNMODIFIED_SINCE, IF_RANGE];

/// The fields that a media player needs.
const EXPOSED_HEADERS: [HeaderName; 4] = [ETAG, CONTENT_RANGE, ACCEPT_RANGES, CONTENT_LENGTH];

/// Less than every browser's limit but long enough for a session: the default without the field is five seconds.
const MAX_AGE: Duration = Duration::from_secs(3600);

const ANY_HEADER: &str = "*";
