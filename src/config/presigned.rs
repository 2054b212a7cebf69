use std::time::SystemTime;

use http::{HeaderValue, Method};

use crate::{
    error::{ConfigError, ConfigErrorKind},
    links::AcceptedLinks,
    request::{Methods, SignedAnswer, SignedRequest, SignedUrl},
};

/// Requests by presigned URLs of S3 that lead here: somebody made them for S3's host, and put this proxy's in its place.
///
/// They go on to S3 as they came, path and query byte for byte, with the `Host` that was signed: S3 checks the signature, and
/// does what its maker may do. Nothing is signed here, so that a mount that serves nothing else needs no credentials. See the
/// [guide](crate::guide::presigned).
///
/// ```
/// use tower_s3_proxy::{BucketName, Mount, presigned::{PresignedRequests, UnsignedRequests}};
///
/// let links = PresignedRequests::new().allow_writes(true).unsigned(UnsignedRequests::Refused);
/// let mount = Mount::builder(BucketName::parse("studio-media")?).region("us-west-2").presigned(links).build()?;
/// # let _ = mount;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "it does nothing before `MountBuilder::presigned`"]
#[derive(Debug, Clone)]
pub struct PresignedRequests {
    methods: Methods,
    unsigned: UnsignedRequests,
    answers: LinkAnswers,
    host: Option<String>,
}

/// Who answers a link that reads, on a mount with [`PresignedRequests`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum LinkAnswers {
    /// S3, each time.
    #[default]
    S3,
    /// S3 the first time. When it has accepted a link, the mount answers that very link until it expires, as any request for the
    /// object: from its cache, and read by its own credentials. Links for a version, with `response-…` parameters, or that cover
    /// fields other than `Host` still go to S3 each time.
    Cache,
}

/// What a mount with [`PresignedRequests`] does with requests that nobody signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum UnsignedRequests {
    /// Reads them with its own credentials, as ever.
    #[default]
    Served,
    /// 403.
    Refused,
}

/// The same, checked.
#[derive(Debug)]
pub(crate) struct PresignedPolicy {
    pub(crate) methods: Methods,
    pub(crate) unsigned: UnsignedRequests,
    /// The links that the cache may answer; `None` if S3 answers each.
    accepted: Option<AcceptedLinks>,
    /// In place of the endpoint's.
    pub(crate) host: Option<HeaderValue>,
}

// === impl PresignedRequests ===

impl PresignedRequests {
    /// Links that read, beside requests that nobody signed.
    pub fn new() -> Self {
        Self {
            methods: Methods::READS,
            unsigned: UnsignedRequests::default(),
            answers: LinkAnswers::default(),
            host: None,
        }
    }

    /// Passes on links that write, too: PUT and DELETE of an object, and the requests of a multipart upload. Off by default:
    /// the method gets 405.
    pub fn allow_writes(mut self, on: bool) -> Self {
        self.methods = if on { Methods::ALL } else { Methods::READS };
        self
    }

    /// What becomes of requests without a signature.
    pub fn unsigned(mut self, unsigned: UnsignedRequests) -> Self {
        self.unsigned = unsigned;
        self
    }

    /// Who answers links that read: S3 each time, by default.
    pub fn answers(mut self, answers: LinkAnswers) -> Self {
        self.answers = answers;
        self
    }

    /// The `Host` for which the links were made, with its port if it was signed, in place of the one of the bucket's endpoint:
    /// `studio-media.s3.amazonaws.com`, say, where the endpoint is `studio-media.s3.us-west-2.amazonaws.com`.
    pub fn host(mut self, host: impl Into<String>) -> Self {
        self.host = Some(host.into());
        self
    }

    /// Whether credentials are of no use.
    pub(super) fn signs_nothing(&self) -> bool {
        self.unsigned == UnsignedRequests::Refused && self.answers == LinkAnswers::S3
    }

    pub(super) fn answers_from_cache(&self) -> bool {
        self.answers == LinkAnswers::Cache
    }

    pub(super) fn check(&self) -> Result<PresignedPolicy, ConfigError> {
        let host = match &self.host {
            None => None,
            Some(host) => {
                let proper = |host: &&String| {
                    host.parse::<http::uri::Authority>()
                        .is_ok_and(|authority| !authority.as_str().contains('@'))
                };
                let value = Some(host).filter(proper).and_then(|host| HeaderValue::from_str(host).ok());
                Some(value.ok_or_else(|| {
                    let message = format!("the host of presigned requests {host:?}: give a name, with its port if that was signed");
                    ConfigError::new(ConfigErrorKind::InvalidValue, message)
                })?)
            }
        };
        let accepted = (self.answers == LinkAnswers::Cache).then(AcceptedLinks::default);
        Ok(PresignedPolicy { methods: self.methods, unsigned: self.unsigned, accepted, host })
    }
}

impl Default for PresignedRequests {
    fn default() -> Self {
        Self::new()
    }
}

// === impl PresignedPolicy ===

impl PresignedPolicy {
    /// Whether S3 has answered this very link with the object before, so that the cache may.
    pub(crate) fn has_accepted(
        &self,
        method: &Method,
        url: &SignedUrl,
        path_and_query: &str,
        now: SystemTime,
    ) -> bool {
        let accepted = self.accepted.as_ref().filter(|_| is_of_object(url));
        accepted.is_some_and(|links| links.contain(method, path_and_query, now))
    }

    /// S3 has answered a link with the object.
    pub(crate) fn accept(&self, method: &Method, url: &SignedUrl, path_and_query: &str) {
        if let Some(links) = self.accepted.as_ref().filter(|_| is_of_object(url)) {
            links.add(method, path_and_query, url.expires_at);
        }
    }
}

fn is_of_object(url: &SignedUrl) -> bool {
    url.asks == SignedRequest::Read && url.answer == SignedAnswer::Object
}
