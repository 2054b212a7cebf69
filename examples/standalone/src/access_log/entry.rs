use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use http::{HeaderName, Method, Request, Response, StatusCode};
use tower_s3_proxy::cache::CacheUse;

use super::{AccessLog, format::Format, moment::Moment};

/// What is known of a request. Its line is written when this is dropped, whatever has become of it.
///
/// Each part is text as soon as it is known: nothing of the head is kept, and the line is formatted once.
#[derive(Debug)]
pub(crate) struct Entry {
    log: Arc<AccessLog>,
    since: Instant,
    /// In the order in which they become known: the opening, the fields, the identifier that S3 gave.
    text: Vec<u8>,
    opening_end: usize,
    fields_end: usize,
    is_head: bool,
    /// `None` while there is no response.
    status: Option<StatusCode>,
    /// Of the body, handed to the connection.
    bytes: u64,
    ending: Ending,
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

/// In bytes: most lines are shorter.
const USUAL: usize = 512;

/// Of a client that left before there was a response, as nginx has it.
const NO_ANSWER: u16 = 499;

const S3_REQUEST_ID: HeaderName = HeaderName::from_static("x-amz-request-id");

// === impl Entry ===

impl Entry {
    pub(crate) fn begin<B>(log: &Arc<AccessLog>, client: Option<IpAddr>, request: &Request<B>) -> Box<Self> {
        let since = Instant::now();
        let format = log.format();
        let mut text = Vec::with_capacity(USUAL);
        Moment::at(since, |moment| format.opening(moment, client, request, &mut text));
        let opening_end = text.len();
        format.request_fields(request.headers(), &mut text);
        Box::new(Self {
            log: Arc::clone(log),
            since,
            opening_end,
            fields_end: text.len(),
            text,
            is_head: *request.method() == Method::HEAD,
            status: None,
            bytes: 0,
            ending: Ending::CutOff,
        })
    }

    /// The head of the response is there; it is of this mount.
    pub(crate) fn answered<B>(&mut self, response: &Response<B>, mount: Option<&str>) {
        let (format, text) = (self.log.format(), &mut self.text);
        self.status = Some(response.status());
        if format != Format::Common {
            let headers = response.headers();
            format.answer(mount, CacheUse::of(headers), self.since.elapsed(), text);
            self.fields_end = text.len();
            if let Some(id) = headers.get(S3_REQUEST_ID) {
                format.s3_request_id(id, text);
            }
        }
        if self.is_head {
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

    fn write(&mut self) -> Option<()> {
        let (format, text) = (self.log.format(), &mut self.text);
        if self.status.is_none() {
            format.no_answer(text);
            self.fields_end = text.len();
        }
        // Behind what is known already, so that the log only copies while it holds its lock.
        let id_end = text.len();
        format.outcome(self.status.map_or(NO_ANSWER, |status| status.as_u16()), self.bytes, text);
        let outcome_end = text.len();
        let total = if format == Format::Common { Duration::ZERO } else { self.since.elapsed() };
        format.end(total, self.ending, text);
        let part = |range: std::ops::Range<usize>| self.text.get(range);
        self.log.write(&[
            part(0..self.opening_end)?,
            part(id_end..outcome_end)?,
            part(self.opening_end..self.fields_end)?,
            part(outcome_end..self.text.len())?,
            part(self.fields_end..id_end)?,
            format.close(),
        ]);
        Some(())
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        // The marks are within the text.
        let _ = self.write();
    }
}
