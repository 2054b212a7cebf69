//! Small objects that the proxy reads for itself.

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{ETAG, IF_NONE_MATCH},
};
use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};

use super::super::is_missing;
use crate::{
    body::ResponseBody,
    cache::RequestControl,
    config::Mount,
    error::{ProxyError, ProxyErrorKind},
    fetch::{Asks, Bucket, Elsewhere, Fetch, Finish, Wanted},
    object::{Edition, ObjectKey},
    request::{ReadMethod, ReadRequest},
    route::BucketSource,
};

/// A small object, read again.
pub(super) enum Reading {
    /// It has the tag that is known.
    Same,
    Missing,
    Unreadable(&'static str, Option<HeaderValue>),
    Text(String, Option<HeaderValue>),
}

/// In bytes. The message of [`Mount::read_text`] says the same.
const MAX_TEXT: usize = 64 * 1024;

// === impl Mount ===

impl Mount {
    /// Reads a small object as S3 has it now, unless it has this tag.
    pub(super) async fn read_text(
        &self,
        key: &ObjectKey,
        known: Option<&HeaderValue>,
    ) -> Result<Reading, ProxyError> {
        let BucketSource::Fixed(bucket) = &self.0.bucket else { return Err(unasked()) };
        let condition: HeaderMap = known.map(|tag| (IF_NONE_MATCH, tag.clone())).into_iter().collect();
        let fetch = Fetch {
            mount: self.clone(),
            bucket: Bucket::Named(bucket.clone()),
            key: key.clone(),
            edition: Edition::default(),
            wanted: Wanted {
                read: ReadRequest::new(ReadMethod::Get, &condition),
                disposition: None,
                asks: Asks { control: AS_IT_IS_NOW, elsewhere: Elsewhere::Never },
            },
            gate: None,
            finish: Finish::default(),
        };
        let response = fetch.run().await;
        if is_missing(&response) {
            return Ok(Reading::Missing);
        }
        match (response.status(), response.extensions().get::<ProxyError>()) {
            (StatusCode::NOT_MODIFIED, _) => return Ok(Reading::Same),
            (StatusCode::OK, _) => {}
            (_, Some(error)) => return Err(error.clone()),
            (_, None) => return Err(ProxyError::new(ProxyErrorKind::OriginBroken)),
        }
        let (head, body) = response.into_parts();
        let tag = head.headers.get(ETAG).cloned();
        let body = ResponseBody::<Empty<Bytes>>::object(body);
        let bytes = match Limited::new(body, MAX_TEXT).collect().await {
            Ok(bytes) => bytes.to_bytes(),
            Err(why) if why.is::<LengthLimitError>() => {
                return Ok(Reading::Unreadable("it is larger than 64 KiB", tag));
            }
            Err(why) => return Err(ProxyError::from_source(ProxyErrorKind::OriginBroken, why)),
        };
        Ok(match String::from_utf8(bytes.into()) {
            Ok(text) => Reading::Text(text, tag),
            Err(_) => Reading::Unreadable("it is not UTF-8", tag),
        })
    }
}

/// Only what S3 says now, by one request, and nothing in its place. What is parsed here need not be stored there.
const AS_IT_IS_NOW: RequestControl = RequestControl {
    no_cache: true,
    no_store: true,
    only_if_cached: false,
    max_age: None,
    min_fresh: None,
    max_stale: Some(0),
    stale_if_error: Some(0),
};

/// An answer to a question that was not asked.
pub(super) fn unasked() -> ProxyError {
    ProxyError::new(ProxyErrorKind::OriginBroken)
}
