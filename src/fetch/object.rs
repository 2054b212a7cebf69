use std::{
    fmt,
    sync::{Arc, atomic::Ordering},
    time::SystemTime,
};

use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{ACCEPT_RANGES, CONTENT_RANGE, CONTENT_TYPE},
};

use crate::{
    body::ExactBody,
    cache::{MountCache, ObjectRef},
    config::Mount,
    object::{BucketName, Edition, ObjectKey, State},
    origin::{Answer, Asked, BodyLength, Extent, Mismatch, OriginError, Refusal, S3ErrorCode},
    request::{ByteRange, Purpose, Question},
};

/// One object of a mount: requests it from S3, and reads ranges of a known state.
///
/// Every read of S3 for a request goes through it: plain reads, cache fills, and the parts of a multipart response. It
/// outlives the request if others follow its read.
pub(crate) struct Object {
    pub(super) mount: Mount,
    pub(super) bucket: BucketName,
    pub(super) key: ObjectKey,
    pub(super) edition: Edition,
}

/// What to do if S3 sends the whole object in response to a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// Cut out the range, if it begins near enough.
    Any,
    /// Cut the range out of small objects only: of a large one, each range would read all of it.
    Small,
}

/// Why a part could not be read.
#[derive(Debug)]
pub(super) enum PartError {
    /// The object has a new state.
    Changed,
    Refused(Box<Refusal>),
    /// S3 sends the whole object, which is too large to cut the part out of.
    NoRanges,
    Mismatch(Mismatch),
    Origin(OriginError),
}

// === impl Object ===

impl Object {
    /// Reads a range of exactly this state. If S3 breaks off, the rest is asked for.
    pub(super) async fn part(
        self: &Arc<Self>,
        range: ByteRange,
        of: &State,
        cut: Cut,
        purpose: Purpose,
    ) -> Result<ExactBody, PartError> {
        let body = self.read(range, of, cut, purpose).await?;
        Ok(self.body(body, of.clone(), range.last()))
    }

    /// A body that ends at `last` of this state, and of which the rest is asked for if S3 breaks off.
    pub(super) fn body(self: &Arc<Self>, body: ExactBody, of: State, last: u64) -> ExactBody {
        let object: Arc<Self> = Arc::clone(self);
        body.of(object, of, last)
    }

    pub(super) async fn read(
        &self,
        range: ByteRange,
        of: &State,
        cut: Cut,
        purpose: Purpose,
    ) -> Result<ExactBody, PartError> {
        let question = Question::part(range, of.tag(), purpose);
        let answer = match self.ask_pinned(&question).await.map_err(PartError::Origin)? {
            Answer::Found(answer) => answer,
            Answer::NotModified(_) => return Err(PartError::Mismatch(Mismatch::UNASKED)),
            Answer::Refused(refusal) => {
                return Err(match refusal.code {
                    S3ErrorCode::PreconditionFailed | S3ErrorCode::InvalidRange => PartError::Changed,
                    _ => PartError::Refused(Box::new(refusal)),
                });
            }
        };
        let (head, body) = answer.into_parts();
        if !of.is(&head.headers) {
            return Err(PartError::Changed);
        }
        let is_whole = head.status == StatusCode::OK && !head.headers.contains_key(CONTENT_RANGE);
        if is_whole && cut == Cut::Small && of.total > SMALL {
            return Err(PartError::NoRanges);
        }
        let asked = Asked { range: question.range, total: Some(of.total) };
        let extent = Extent::of(asked, head.status, &head.headers, BodyLength::of(&head, &body));
        match extent.map_err(PartError::Mismatch)? {
            Extent::Part { range: held, skip, end, .. } if held == range => {
                Ok(ExactBody::new(body, skip, range.len(), end))
            }
            Extent::Part { .. } | Extent::Whole { .. } | Extent::Unsatisfiable { .. } => {
                Err(PartError::Changed)
            }
        }
    }

    /// Asks with `If-Match`, unless the server says that it does not implement it. The tag of its response tells the same.
    async fn ask_pinned(&self, question: &Question) -> Result<Answer, OriginError> {
        let lacks_if_match = &self.mount.0.origin.lacks_if_match;
        if !lacks_if_match.load(Ordering::Relaxed) {
            match self.ask(question).await? {
                Answer::Refused(refusal)
                    if refusal.status == StatusCode::NOT_IMPLEMENTED && question.has_conditions() =>
                {
                    lacks_if_match.store(true, Ordering::Relaxed);
                    tracing::debug!(bucket = %self.bucket, "the server does not implement If-Match: tags are compared here");
                }
                answer => return Ok(answer),
            }
        }
        self.ask(&question.unconditional()).await
    }

    pub(super) fn cache(&self) -> Option<&MountCache> {
        self.mount.0.cache.as_ref()
    }

    /// Its identity in the cache.
    pub(super) fn in_cache(&self, cache: &MountCache) -> ObjectRef<'_> {
        cache.object(&self.bucket, &self.key, &self.edition)
    }

    pub(super) fn now(&self) -> SystemTime {
        self.mount.0.origin.now()
    }

    /// The fields of a 200 to any client.
    pub(super) fn fields(&self, origin: &HeaderMap) -> HeaderMap {
        let mount = &self.mount.0;
        let mut headers = mount.headers.select(origin);
        let stored = headers.remove(CONTENT_TYPE);
        let content_type = mount.content_types.apply(&self.key, stored);
        mount.cache_control.apply(&self.key, &self.edition, content_type.as_ref(), &mut headers);
        if let Some(content_type) = content_type {
            headers.insert(CONTENT_TYPE, content_type);
        }
        headers.remove(CONTENT_RANGE);
        // The proxy makes ranges itself, whatever the server behind it says.
        headers.insert(ACCEPT_RANGES, BYTES);
        headers
    }
}

/// In bytes.
const SMALL: u64 = 1024 * 1024;

/// The one range unit in use (RFC 9110 §14.1).
pub(super) const BYTES: HeaderValue = HeaderValue::from_static("bytes");

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Object").field("bucket", &self.bucket).field("key", &self.key).finish_non_exhaustive()
    }
}

// === impl PartError ===

impl fmt::Display for PartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed => f.write_str("the object has changed since its head was read"),
            Self::Refused(refusal) => write!(f, "S3 refused a part of the object: {}", refusal.status),
            Self::NoRanges | Self::Origin(_) | Self::Mismatch(_) => {
                f.write_str("a part of the object could not be read")
            }
        }
    }
}

impl std::error::Error for PartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Origin(error) => Some(error),
            Self::Mismatch(mismatch) => Some(mismatch),
            Self::Changed | Self::Refused(_) | Self::NoRanges => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_smithy_runtime_api::client::{
        http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn},
        orchestrator::{HttpRequest, HttpResponse},
    };
    use aws_smithy_types::body::SdkBody;
    use http::header::ETAG;
    use http_body_util::BodyExt;

    use super::*;
    use crate::{
        body::{ObjectBody, ResponseBody},
        origin::Transport,
    };

    /// S3's response to any request.
    type Reply = (u16, &'static [(&'static str, &'static str)], &'static str);

    #[derive(Debug)]
    struct Replies(Reply);

    impl HttpConnector for Replies {
        fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
            let (status, fields, body) = self.0;
            let reply = http::Response::builder().status(status);
            let reply = fields.iter().fold(reply, |reply, (name, value)| reply.header(*name, *value));
            let reply = reply.body(SdkBody::from(body)).unwrap();
            HttpConnectorFuture::ready(Ok(HttpResponse::try_from(reply).unwrap()))
        }
    }

    fn object(reply: Reply) -> Object {
        let client = http_client_fn(move |_, _| SharedHttpConnector::new(Replies(reply)));
        let mount = Mount::builder(BucketName::parse("studio-media").unwrap())
            .region("us-west-2")
            .anonymous()
            .transport(&Transport::builder().http_client(client).build().unwrap())
            .build()
            .unwrap();
        let key = ObjectKey::new("a").unwrap();
        Object { mount, bucket: BucketName::parse("studio-media").unwrap(), key, edition: Edition::default() }
    }

    /// The bytes, or why there are none.
    async fn read(reply: Reply, total: u64, cut: Cut) -> Result<String, String> {
        let state = State::of(&HeaderMap::from_iter([(ETAG, HeaderValue::from_static("\"1\""))]), total);
        let part =
            Arc::new(object(reply)).part(ByteRange::new(2, 5).unwrap(), &state, cut, Purpose::Begin).await;
        match part {
            Ok(body) => {
                let body = ResponseBody::<SdkBody>::object(ObjectBody::Exact(Box::new(body))).collect().await;
                Ok(String::from_utf8(body.unwrap().to_bytes().to_vec()).unwrap())
            }
            Err(PartError::Refused(refusal)) => Err(format!("refused: {}", refusal.status)),
            Err(why) => Err(format!("{why:?}")),
        }
    }

    #[tokio::test]
    async fn a_part_is_of_the_very_state_or_it_is_none() {
        const TAG: (&str, &str) = ("etag", "\"1\"");
        const OTHER: (&str, &str) = ("etag", "\"2\"");
        const RANGE: (&str, &str) = ("content-range", "bytes 2-5/10");
        let large = SMALL + 1;
        for (reply, total, cut, expected) in [
            ((206, &[TAG, RANGE][..], "cdef"), 10, Cut::Any, Ok("cdef")),
            // From a server without ranges, cut out.
            ((200, &[TAG], "abcdefghij"), 10, Cut::Any, Ok("cdef")),
            ((200, &[TAG], "abcdefghij"), 10, Cut::Small, Ok("cdef")),
            ((200, &[TAG, ("content-length", "1048577")], ""), large, Cut::Small, Err("NoRanges")),
            // Another state.
            ((206, &[OTHER, RANGE], "cdef"), 10, Cut::Any, Err("Changed")),
            ((206, &[("etag", "W/\"1\""), RANGE], "cdef"), 10, Cut::Any, Err("Changed")),
            ((206, &[RANGE], "cdef"), 10, Cut::Any, Err("Changed")),
            ((206, &[TAG, ("content-range", "bytes 2-5/11")], "cdef"), 10, Cut::Any, Err("Mismatch")),
            ((412, &[], "<Error><Code>PreconditionFailed</Code></Error>"), 10, Cut::Any, Err("Changed")),
            ((416, &[], "<Error><Code>InvalidRange</Code></Error>"), 10, Cut::Any, Err("Changed")),
            ((304, &[TAG], ""), 10, Cut::Any, Err("Mismatch")),
            // Another part.
            ((206, &[TAG, ("content-range", "bytes 3-6/10")], "defg"), 10, Cut::Any, Err("Mismatch")),
            ((206, &[TAG, ("content-range", "bytes 2-4/10")], "cde"), 10, Cut::Any, Err("Mismatch")),
            // No part at all.
            ((503, &[], "<Error><Code>SlowDown</Code></Error>"), 10, Cut::Any, Err("refused: 503")),
            ((403, &[], "<Error><Code>AccessDenied</Code></Error>"), 10, Cut::Any, Err("refused: 403")),
        ] {
            let got = read(reply, total, cut).await;
            let is_it = match (&got, expected) {
                (Ok(got), Ok(expected)) => got == expected,
                (Err(got), Err(expected)) => got.starts_with(expected),
                (Ok(_), Err(_)) | (Err(_), Ok(_)) => false,
            };
            assert!(is_it, "{reply:?} of {total}, {cut:?}: {got:?} and not {expected:?}");
        }
    }
}
