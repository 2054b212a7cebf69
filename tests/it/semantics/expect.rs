use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Empty};
use tokio::time::timeout;
use tower::ServiceExt;
use tower_s3_proxy::{ProxyError, ProxyErrorKind, S3Proxy};

use super::{
    multipart,
    origin::{LengthIs, Truth},
};
use crate::support::BUCKET;

/// Longer than anything here takes; only a hang gets there.
pub(super) const HANG: Duration = Duration::from_secs(20);

/// What a client has to get. Ranges have both ends included.
#[derive(Debug, Clone, Copy)]
pub(super) enum Expect {
    Whole,
    Part(u64, u64),
    /// Either is right.
    PartOrWhole(u64, u64),
    Parts(&'static [(u64, u64)]),
    Unsatisfiable,
    NotModified,
    Failed,
}

/// What will do as well, where an origin leaves no better way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grace {
    Never,
    /// 502, or a body that breaks off.
    Refusal,
    /// The whole object in place of a part.
    Whole,
    WholeOrRefusal,
}

/// An answer, read as far as it came.
#[derive(Debug)]
pub(super) struct Got {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) broke_off: Option<String>,
    pub(super) error: Option<ProxyError>,
}

pub(super) type Checked = Result<(), String>;

pub(super) fn ensure(holds: bool, why: impl FnOnce() -> String) -> Checked {
    if holds { Ok(()) } else { Err(why()) }
}

/// Sends a request into a service, and reads the answer to its end, clean or not.
pub(super) async fn fetch(service: &S3Proxy, request: Request<Empty<Bytes>>) -> Got {
    let response = timeout(HANG, service.clone().oneshot(request)).await.expect("no hang").unwrap();
    Got::read(response).await
}

// === impl Got ===

impl Got {
    pub(super) async fn read<B>(response: http::Response<B>) -> Self
    where
        B: http_body::Body<Data = Bytes, Error: std::fmt::Debug> + Unpin,
    {
        let (head, mut incoming) = response.into_parts();
        let mut body = BytesMut::new();
        let mut broke_off = None;
        while let Some(frame) = timeout(HANG, incoming.frame()).await.expect("no hang") {
            match frame {
                Ok(frame) => body.extend(frame.into_data().ok()),
                Err(error) => {
                    broke_off = Some(format!("{error:?}"));
                    break;
                }
            }
        }
        let error = head.extensions.get().cloned();
        Self { status: head.status.as_u16(), headers: head.headers, body: body.freeze(), broke_off, error }
    }

    pub(super) fn field(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(super) fn kind(&self) -> Option<ProxyErrorKind> {
        self.error.as_ref().map(ProxyError::kind)
    }

    fn has(&self, name: &str, value: Option<&str>) -> Checked {
        let found = self.field(name);
        ensure(found == value, || format!("{name} is {found:?} and not {value:?}"))?;
        let count = self.headers.get_all(name).iter().count();
        ensure(count <= 1, || format!("{name} is there {count} times"))
    }

    fn is(&self, status: u16) -> Checked {
        let (found, kind) = (self.status, self.kind());
        ensure(found == status, || format!("the status is {found} ({kind:?}) and not {status}"))
    }

    fn came_whole(&self) -> Checked {
        self.broke_off.as_ref().map_or(Ok(()), |why| Err(format!("the body broke off: {why}")))
    }

    /// Neither fields of S3 nor words of its error documents.
    pub(super) fn leaks_nothing(&self) -> Checked {
        for name in self.headers.keys() {
            let name = name.as_str();
            let is_foreign = ["x-amz-", "access-control-", "server", "location", "set-cookie", "www-auth"]
                .iter()
                .any(|start| name.starts_with(start));
            ensure(!is_foreign, || format!("{name} of S3 reached the client"))?;
        }
        if self.status < 400 {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&self.body);
        let words =
            ["<", "Leaked", "LEAKED", BUCKET, "evil.test", "AWS4", "xml", "127.0.0.1", "StringToSign"];
        for word in words {
            ensure(!text.contains(word), || format!("{word:?} of S3 reached the client: {text}"))?;
        }
        Ok(())
    }

    /// An answer of our own making, as every error is.
    pub(super) fn is_error(&self, status: u16) -> Checked {
        self.is(status)?;
        self.leaks_nothing()?;
        self.came_whole()?;
        self.has("cache-control", Some("no-store"))?;
        self.has("etag", None)?;
        self.has("last-modified", None)?;
        self.has("content-encoding", None)?;
        self.has("content-type", Some("text/plain; charset=utf-8"))?;
        let is_retryable = self.headers.contains_key("retry-after");
        ensure(is_retryable == (status == 503), || format!("Retry-After with {status}: {is_retryable}"))
    }
}

// === impl Expect ===

impl Expect {
    pub(super) fn verify(self, grace: Grace, truth: &Truth, method: &str, got: &Got) -> Checked {
        let exact = self.verify_exactly(truth, method, got);
        if exact.is_ok() || grace == Grace::Never {
            return exact;
        }
        let is_of_parts = match self {
            Self::Part(..) | Self::PartOrWhole(..) | Self::Parts(_) | Self::Unsatisfiable => true,
            Self::Whole | Self::NotModified | Self::Failed => false,
        };
        let may_be_whole = is_of_parts && matches!(grace, Grace::Whole | Grace::WholeOrRefusal);
        if may_be_whole && whole(truth, method, got).is_ok() {
            return Ok(());
        }
        let is_refusal = got.is_error(502).is_ok() || self.broke_off_rightly(truth, got);
        if matches!(grace, Grace::Refusal | Grace::WholeOrRefusal) && is_refusal {
            return Ok(());
        }
        exact
    }

    fn verify_exactly(self, truth: &Truth, method: &str, got: &Got) -> Checked {
        match self {
            Self::Whole => whole(truth, method, got),
            Self::Part(first, last) => part(truth, method, got, (first, last)),
            Self::PartOrWhole(first, last) if got.status == 206 => part(truth, method, got, (first, last)),
            Self::PartOrWhole(..) => whole(truth, method, got),
            Self::Parts(ranges) => parts(truth, method, got, ranges),
            Self::Unsatisfiable => unsatisfiable(truth, got),
            Self::NotModified => not_modified(truth, got),
            Self::Failed => {
                got.is_error(412)?;
                got.has("content-range", None)
            }
        }
    }

    /// Whether what broke off was right as far as it came.
    fn broke_off_rightly(self, truth: &Truth, got: &Got) -> bool {
        let expected = match self {
            Self::Part(first, last) | Self::PartOrWhole(first, last) if got.status == 206 => {
                truth.object.slice(first, last)
            }
            Self::Parts(_) if got.status == 206 => {
                let content_type = got.field("content-type").unwrap_or_default();
                let Ok(boundary) = multipart::boundary(content_type) else { return false };
                let parts = multipart::parse_as_far_as_it_goes(boundary, &got.body);
                let is_right = |part: &multipart::Part| {
                    truth.object.slice(part.first, part.last).starts_with(&part.bytes)
                };
                return got.broke_off.is_some() && parts.iter().all(is_right);
            }
            _ => truth.object.bytes.clone(),
        };
        matches!(got.status, 200 | 206) && got.broke_off.is_some() && expected.starts_with(&got.body)
    }
}

fn whole(truth: &Truth, method: &str, got: &Got) -> Checked {
    got.is(200)?;
    got.has("content-range", None)?;
    described(truth, got)?;
    got.has("content-type", truth.object.field("content-type"))?;
    content(truth, method, got, &truth.object.bytes)
}

fn part(truth: &Truth, method: &str, got: &Got, (first, last): (u64, u64)) -> Checked {
    got.is(206)?;
    described(truth, got)?;
    got.has("content-type", truth.object.field("content-type"))?;
    content(truth, method, got, &truth.object.slice(first, last))?;
    if truth.total == LengthIs::Unsaid
        && got.field("content-range") == Some(&format!("bytes {first}-{last}/*"))
    {
        return Ok(());
    }
    got.has("content-range", Some(&format!("bytes {first}-{last}/{}", truth.object.len())))
}

fn parts(truth: &Truth, method: &str, got: &Got, ranges: &[(u64, u64)]) -> Checked {
    got.is(206)?;
    described(truth, got)?;
    got.has("content-range", None)?;
    got.came_whole()?;
    let content_type = got.field("content-type").unwrap_or_default();
    let found = multipart::parse(multipart::boundary(content_type)?, &got.body)?;
    let places: Vec<_> = found.iter().map(|part| (part.first, part.last)).collect();
    ensure(places == ranges, || format!("the parts are {places:?} and not {ranges:?}"))?;
    for part in &found {
        let (place, len) = ((part.first, part.last), truth.object.len());
        ensure(part.total == len, || format!("{place:?} is said to be of {}", part.total))?;
        let is_typed = Some(part.content_type.as_str()) == truth.object.field("content-type");
        ensure(is_typed, || format!("{place:?} is said to be {}", part.content_type))?;
        let is_right = part.bytes == truth.object.slice(part.first, part.last);
        ensure(is_right, || format!("WRONG BYTES in {place:?}"))?;
    }
    let body = got.body.clone();
    content(truth, method, got, &body)
}

fn unsatisfiable(truth: &Truth, got: &Got) -> Checked {
    got.is_error(416)?;
    got.has("content-range", Some(&format!("bytes */{}", truth.object.len())))?;
    got.has("accept-ranges", Some("bytes"))
}

/// What a 200 would say of caching (RFC 9110 §15.4.5), and nothing about a content.
fn not_modified(truth: &Truth, got: &Got) -> Checked {
    got.is(304)?;
    got.leaks_nothing()?;
    got.came_whole()?;
    ensure(got.body.is_empty(), || "a 304 with a body".to_owned())?;
    got.has("etag", truth.tag.as_deref())?;
    if truth.tag.is_none() || got.headers.contains_key("last-modified") {
        got.has("last-modified", truth.last_modified.as_deref())?;
    }
    for name in ["cache-control", "expires", "vary", "content-location"] {
        got.has(name, truth.object.field(name))?;
    }
    ensure(got.headers.contains_key("date"), || "a 304 without Date".to_owned())?;
    for name in ["content-length", "content-type", "content-encoding", "content-range", "accept-ranges"] {
        got.has(name, None)?;
    }
    Ok(())
}

/// The fields that 200 and 206 have in common.
fn described(truth: &Truth, got: &Got) -> Checked {
    got.leaks_nothing()?;
    got.has("etag", truth.tag.as_deref())?;
    got.has("last-modified", truth.last_modified.as_deref())?;
    got.has("accept-ranges", Some("bytes"))?;
    for name in ["cache-control", "expires", "content-encoding", "content-disposition", "content-language"] {
        got.has(name, truth.object.field(name))?;
    }
    Ok(())
}

fn content(truth: &Truth, method: &str, got: &Got, expected: &Bytes) -> Checked {
    got.came_whole()?;
    let len = expected.len().to_string();
    if truth.length == LengthIs::Said || got.headers.contains_key("content-length") {
        got.has("content-length", Some(&len))?;
    }
    let expected = if method == "HEAD" { &Bytes::new() } else { expected };
    ensure(got.body.len() == expected.len(), || {
        format!("{} bytes came and not {}", got.body.len(), expected.len())
    })?;
    ensure(got.body == *expected, || "WRONG BYTES".to_owned())
}
