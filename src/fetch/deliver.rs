use http::{
    HeaderMap, HeaderValue, Response, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_RANGE},
};

use super::{
    answer::{Decided, decide},
    fields::{is_archived, respond},
    read::Read,
};
use crate::{
    body::{ExactBody, ObjectBody},
    error::{Failure, ProxyError, ProxyErrorKind},
    origin::{Asked, BodyLength, Extent, Mismatch, WireBody},
    response::HeaderPolicy,
};

/// Why a response of S3 is not what the client gets.
pub(super) enum Doubt {
    /// The client gets an error.
    Settled(Box<Failure>),
    /// The response is for another state of the object than the one that `If-Range` names.
    OtherState,
    Mismatch(Mismatch),
}

impl Read {
    /// Turns S3's response with an object, or with a part of it, into the client's.
    pub(super) fn deliver(
        &self,
        answer: Response<WireBody>,
        asked: Asked,
    ) -> Result<Response<ObjectBody>, Doubt> {
        let (origin, body) = answer.into_parts();
        let read = &self.wanted.read;
        if let Decided::NotModified = decide(read, &origin.headers)? {
            return Ok(self.not_modified(&origin.headers));
        }
        let fits = asked.range.is_none()
            || read.if_range.as_ref().is_none_or(|if_range| if_range.fits(&origin.headers));
        let asked = if fits { asked } else { Asked { range: None, ..asked } };
        let length = BodyLength::of(&origin, &body);
        let extent = Extent::of(asked, origin.status, &origin.headers, length)
            .map_err(|mismatch| if fits { Doubt::Mismatch(mismatch) } else { Doubt::OtherState })?;
        let mut headers = self.fields(&origin.headers);
        let (status, body) = match extent {
            Extent::Whole { length: Some(length), end } => {
                (StatusCode::OK, ObjectBody::Exact(ExactBody::new(body, 0, length, end)))
            }
            Extent::Whole { length: None, .. } => (StatusCode::OK, ObjectBody::Wire(body)),
            Extent::Part { range, total, skip, end } => {
                headers.insert(CONTENT_LENGTH, HeaderValue::from(range.len()));
                headers.insert(CONTENT_RANGE, range.content_range(total));
                let body = ExactBody::new(body, skip, range.len(), end);
                (StatusCode::PARTIAL_CONTENT, ObjectBody::Exact(body))
            }
            Extent::Unsatisfiable { total } => return Err(Failure::unsatisfiable(total).into()),
        };
        Ok(respond(status, headers, body))
    }

    /// The response to HEAD, given the object's head.
    pub(super) fn head(&self, origin: &HeaderMap) -> Result<Response<ObjectBody>, Failure> {
        match decide(&self.wanted.read, origin)? {
            Decided::NotModified => Ok(self.not_modified(origin)),
            Decided::Proceed if is_archived(origin) => Err(ProxyError::new(ProxyErrorKind::Archived).into()),
            Decided::Proceed => {
                let body = match origin.contains_key(CONTENT_LENGTH) {
                    true => ObjectBody::Empty,
                    false => ObjectBody::Untold,
                };
                Ok(respond(StatusCode::OK, self.fields(origin), body))
            }
        }
    }

    /// A 304 carries the caching fields that the 200 would carry (RFC 9110 §15.4.5); here the fields of the 200 are
    /// known.
    fn not_modified(&self, origin: &HeaderMap) -> Response<ObjectBody> {
        let fields = HeaderPolicy::without_content(&self.object.fields(origin));
        respond(StatusCode::NOT_MODIFIED, fields, ObjectBody::Empty)
    }
}

// === impl Doubt ===

impl From<Failure> for Doubt {
    fn from(failure: Failure) -> Self {
        Self::Settled(Box::new(failure))
    }
}
