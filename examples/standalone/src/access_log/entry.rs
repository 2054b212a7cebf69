use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use http::{
    HeaderValue, Method, Request, Response, StatusCode, Uri, Version,
    header::{REFERER, USER_AGENT},
};
use tower_s3_proxy::cache::CacheUse;

use super::AccessLog;

/// What is known of a request. Its line is written when this is dropped, whatever has become of it.
#[derive(Debug)]
pub(crate) struct Entry {
    log: Arc<AccessLog>,
    since: Instant,
    pub(super) begun: SystemTime,
    pub(super) client: Option<IpAddr>,
    pub(super) method: Method,
    pub(super) target: Uri,
    pub(super) version: Version,
    pub(super) referer: Option<HeaderValue>,
    pub(super) agent: Option<HeaderValue>,
    /// `None` while there is no response.
    pub(super) answer: Option<Answered>,
    /// Of the body, handed to the connection.
    pub(super) bytes: u64,
    pub(super) ending: Ending,
    pub(super) total: Duration,
}

/// The head of the response.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) status: StatusCode,
    pub(super) cache: CacheUse,
    pub(super) mount: Option<String>,
    pub(super) s3_request_id: Option<HeaderValue>,
    pub(super) first_byte: Duration,
}

/// How a response ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Complete,
    /// Its client left, or was left.
    CutOff,
    /// S3 broke off.
    Failed,
}

// === impl Entry ===

impl Entry {
    pub(crate) fn begin<B>(log: &Arc<AccessLog>, client: Option<IpAddr>, request: &Request<B>) -> Box<Self> {
        let field = |name| request.headers().get(name).cloned();
        Box::new(Self {
            log: Arc::clone(log),
            since: Instant::now(),
            begun: SystemTime::now(),
            client,
            method: request.method().clone(),
            target: request.uri().clone(),
            version: request.version(),
            referer: field(REFERER),
            agent: field(USER_AGENT),
            answer: None,
            bytes: 0,
            ending: Ending::CutOff,
            total: Duration::ZERO,
        })
    }

    /// The head of the response is there; it is of this mount.
    pub(crate) fn answered<B>(&mut self, response: &Response<B>, mount: Option<&str>) {
        self.answer = Some(Answered {
            status: response.status(),
            cache: CacheUse::of(response.headers()),
            mount: mount.map(str::to_owned),
            s3_request_id: response.headers().get("x-amz-request-id").cloned(),
            first_byte: self.since.elapsed(),
        });
        if self.method == Method::HEAD {
            // Nobody takes its body.
            self.ending = Ending::Complete;
        }
    }

    pub(crate) fn sent(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }

    pub(crate) fn ended(&mut self, ending: Ending) {
        if self.ending != Ending::Failed {
            self.ending = ending;
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.total = self.since.elapsed();
        self.log.write(self);
    }
}
