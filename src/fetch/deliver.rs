use std::sync::Arc;

use http::{
    HeaderMap, HeaderValue, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, EXPIRES},
};

use super::{
    answer::{Decided, decide, respond},
    object::Object,
    read::Read,
};
use crate::{
    body::{ExactBody, ObjectBody, UntoldBody},
    error::{Failure, ProxyError, ProxyErrorKind},
    object::{State, Validators},
    origin::{Asked, BodyLength, Extent, Mismatch, WireBody},
    request::Verdict,
    response::{Applies, HeaderPolicy, apply_disposition},
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
                let body = ExactBody::new(body, 0, length, end);
                (StatusCode::OK, self.body(body, &origin.headers, length, length.saturating_sub(1)))
            }
            Extent::Whole { length: None, .. } => {
                let object: Arc<Object> = Arc::clone(&self.object);
                let body = Box::new(UntoldBody::new(body, object));
                (StatusCode::OK, ObjectBody::Unmeasured(body))
            }
            Extent::Part { range, total, skip, end } => {
                headers.insert(CONTENT_LENGTH, HeaderValue::from(range.len()));
                headers.insert(CONTENT_RANGE, range.content_range(total));
                let body = ExactBody::new(body, skip, range.len(), end);
                (StatusCode::PARTIAL_CONTENT, self.body(body, &origin.headers, total, range.last()))
            }
            Extent::Unsatisfiable { total } => return Err(Failure::unsatisfiable(total).into()),
        };
        Ok(respond(status, headers, body))
    }

    /// The body of a response that ends at `last` of an object with these fields and `total` bytes.
    fn body(&self, body: ExactBody, origin: &HeaderMap, total: u64, last: u64) -> ObjectBody {
        ObjectBody::exact(body, |body| self.object.body(body, State::of(origin, total), last))
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

    /// S3's own 304, if it is certainly right and has all fields.
    ///
    /// S3 leaves out `Cache-Control`. Unless the policy has its own value for the key, the object's head must be
    /// requested: a 304 without the field would make every cache forget it (RFC 9110 §15.4.5).
    pub(super) fn confirmed(&self, origin: &HeaderMap) -> Option<Response<ObjectBody>> {
        let mount = &self.object.mount.0;
        let conditions = &self.wanted.read.conditions;
        let object = Validators::of(origin);
        // Every 200 of S3 has a tag.
        let is_right = !conditions.is_empty()
            && object.tag.is_some()
            && conditions.are_decided_by(object)
            && conditions.evaluate(object) == Verdict::NotModified;
        if !is_right {
            return None;
        }
        let mut headers = mount.headers.select_for_not_modified(origin);
        match mount.cache_control.on_key_alone(&self.object.key, &self.object.edition) {
            Applies::Value(value) => {
                headers.insert(CACHE_CONTROL, value.clone());
                // As on a 200: S3's freshness does not count beside an override.
                headers.remove(EXPIRES);
            }
            Applies::Nothing if headers.contains_key(CACHE_CONTROL) => {}
            Applies::Nothing | Applies::Depends => return None,
        }
        Some(respond(StatusCode::NOT_MODIFIED, headers, ObjectBody::Empty))
    }

    /// The fields of a 200 to this request, and of a 206 except for the part's own.
    pub(super) fn fields(&self, origin: &HeaderMap) -> HeaderMap {
        let mut headers = self.object.fields(origin);
        if let Some(disposition) = &self.wanted.disposition {
            apply_disposition(disposition, &self.object.key, &mut headers);
        }
        headers
    }
}

/// Whether a GET would be refused (S3 API, HeadObject). S3 still responds to HEAD, but HEAD must match GET (RFC 9110
/// §9.3.2).
pub(super) fn is_archived(origin: &HeaderMap) -> bool {
    let text = |name| origin.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_far = matches!(text("x-amz-storage-class"), "GLACIER" | "DEEP_ARCHIVE")
        || matches!(text("x-amz-archive-status"), "ARCHIVE_ACCESS" | "DEEP_ARCHIVE_ACCESS");
    is_far && !text("x-amz-restore").contains("ongoing-request=\"false\"")
}

// === impl Doubt ===

impl From<Failure> for Doubt {
    fn from(failure: Failure) -> Self {
        Self::Settled(Box::new(failure))
    }
}
