//! Requests that change one object, signed by the mount's own credentials.

use std::sync::Arc;

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request,
    header::{CONTENT_ENCODING, CONTENT_LENGTH},
    uri::Scheme,
};
use http_body_util::Full;

use super::{
    Identity, OriginError, Refusal, S3Origin, Target, Timestamp, Upload,
    aws_chunked::{AwsChunked, CODING, DECODED_LENGTH, TRAILER, TRAILER_PAYLOAD},
    s3::BucketEndpoint,
    sigv4::UNSIGNED_PAYLOAD,
    terms::TellTerms,
};

/// A change of an object.
pub(crate) struct Change {
    operation: Operation,
    /// Those of the object, and the conditions: each name once.
    fields: Vec<(HeaderName, HeaderValue)>,
    payload: Payload,
    /// Whether S3 compares the body with a checksum of the client's.
    is_checked: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Put,
    Delete,
}

enum Payload {
    /// As it comes from the client: S3 can get it once.
    Stream {
        body: Upload,
        length: u64,
    },
    Whole(Bytes),
}

/// S3's answer to a change.
pub(crate) enum Changed {
    Done(HeaderMap),
    Refused(Refusal),
}

// === impl Change ===

impl Change {
    /// Writes an object of this length, as it comes from the client.
    pub(crate) fn put(fields: Vec<(HeaderName, HeaderValue)>, body: Upload, length: u64) -> Self {
        Self {
            operation: Operation::Put,
            fields,
            payload: Payload::Stream { body, length },
            is_checked: false,
        }
    }

    /// Writes an object whose bytes are at hand.
    pub(crate) fn put_whole(fields: Vec<(HeaderName, HeaderValue)>, bytes: Bytes) -> Self {
        Self { operation: Operation::Put, fields, payload: Payload::Whole(bytes), is_checked: false }
    }

    pub(crate) fn delete(fields: Vec<(HeaderName, HeaderValue)>) -> Self {
        Self { operation: Operation::Delete, fields, payload: Payload::Whole(Bytes::new()), is_checked: true }
    }

    /// Whether a checksum of the client's is among the fields.
    pub(crate) fn checked(self, is_checked: bool) -> Self {
        Self { is_checked, ..self }
    }

    /// The body, and the same change with a body that is at hand, if this one is.
    fn split(self) -> (Upload, u64, Option<Self>) {
        match self.payload {
            Payload::Stream { body, length } => (body, length, None),
            Payload::Whole(bytes) => {
                let (body, length) = (Upload::new(Full::new(bytes.clone())), bytes.len() as u64);
                (body, length, Some(Self { payload: Payload::Whole(bytes), ..self }))
            }
        }
    }
}

// === impl Operation ===

impl Operation {
    fn method(self) -> Method {
        match self {
            Self::Put => Method::PUT,
            Self::Delete => Method::DELETE,
        }
    }

    /// As the terms of a bucket know it.
    fn name(self) -> &'static str {
        match self {
            Self::Put => "PutObject",
            Self::Delete => "DeleteObject",
        }
    }
}

// === impl S3Origin ===

impl S3Origin {
    /// Changes an object, and waits for S3's answer. A refusal that says how to correct the request is followed once if the
    /// bytes are at hand.
    pub(crate) async fn change(&self, target: Target<'_>, change: Change) -> Result<Changed, OriginError> {
        let mut change = change;
        let mut is_corrected = false;
        loop {
            let place = self.place(target.bucket).map_err(OriginError::Endpoint)?;
            let now = self.now();
            let identity = self.identity(&place).await?;
            let (operation, fields, is_checked) =
                (change.operation, change.fields.clone(), change.is_checked);
            let (body, length, again) = change.split();
            let path_and_query = place.endpoint.path_and_query(target.key, None);
            let at = Timestamp::new(now);
            let terms = TellTerms::new(&self.terms);
            let mut fields: Vec<_> = fields.into_iter().chain(terms.of(operation.name()).cloned()).collect();
            // What travels in the clear is checked at its end. Nothing but a signature lets S3 believe a trailer.
            let has_trailer = !is_checked && place.endpoint.scheme == Scheme::HTTP && identity.is_some();
            let (body, payload) = match has_trailer {
                true => {
                    code(&mut fields, length)?;
                    (Upload::new(AwsChunked::new(body, length)), TRAILER_PAYLOAD)
                }
                false => (body, HeaderValue::from_static(UNSIGNED_PAYLOAD)),
            };
            let method = operation.method();
            let head =
                place.endpoint.change(&method, &path_and_query, fields, payload, identity.as_deref(), &at)?;
            let mut request = head.map(|()| body);
            announce(&mut request);
            let answer = self.send_upload(&place, target.bucket, request).await?;
            if answer.status().is_success() {
                return Ok(Changed::Done(answer.into_parts().0.headers));
            }
            let refusal = self.refusal(target.bucket, answer).await;
            // What it teaches is of use to later requests, too.
            let is_taught = self.learn(target.bucket, &refusal, &place, identity.as_ref(), now).await?;
            match again {
                Some(again) if is_taught && !is_corrected => (change, is_corrected) = (again, true),
                Some(_) | None => return Ok(Changed::Refused(refusal)),
            }
        }
    }

    /// The credentials for a bucket; `None` if nothing is signed.
    async fn identity(&self, place: &BucketEndpoint) -> Result<Option<Arc<Identity>>, OriginError> {
        let Some(cache) = &place.credentials else { return Ok(None) };
        Ok(Some(match cache.current(self.now()) {
            Some(identity) => identity,
            None => cache.fetch().await.map_err(OriginError::Credentials)?,
        }))
    }
}

/// Announces a body of this length in S3's coding, with a checksum behind it.
fn code(fields: &mut Vec<(HeaderName, HeaderValue)>, length: u64) -> Result<(), OriginError> {
    let own = fields.iter().position(|(name, _)| name == CONTENT_ENCODING).map(|at| fields.swap_remove(at).1);
    let coding = match own {
        Some(own) => HeaderValue::from_bytes(&[CODING.as_bytes(), b",", own.as_bytes()].concat()),
        None => Ok(HeaderValue::from_static(CODING)),
    };
    fields.push((CONTENT_ENCODING, coding.map_err(OriginError::unwritable)?));
    fields.push((DECODED_LENGTH, HeaderValue::from(length)));
    fields.push(TRAILER);
    Ok(())
}

/// S3 wants a length even of nothing (RFC 9110 §8.6 asks for it, too).
fn announce(request: &mut Request<Upload>) {
    if let Some(length) = http_body::Body::size_hint(request.body()).exact()
        && request.method() == Method::PUT
    {
        request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
}
