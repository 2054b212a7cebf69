use http::{
    HeaderMap, HeaderValue, Response, StatusCode,
    header::{ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, EXPIRES},
};
use httpdate::HttpDate;

use super::Fetch;
use crate::{
    body::{ObjectBody, Stretch},
    config::Mount,
    error::{Failure, ProxyError, ProxyErrorKind},
    object::{Edition, ObjectKey, Validators, http_date},
    origin::{Asked, BodyLength, Extent, Misfit, WireBody},
    request::Verdict,
    response::{Applies, apply_disposition},
};

/// Why an answer of S3 is not what the client gets.
pub(super) enum Doubt {
    /// The client gets an error.
    Settled(Box<Failure>),
    /// It is a part of another state of the object than the one that `If-Range` names.
    OtherState,
    Misfit(Misfit),
}

impl Fetch {
    /// Makes an answer with an object, or with a part of it, the client's.
    pub(super) fn deliver(
        &self,
        answer: Response<WireBody>,
        asked: Asked,
    ) -> Result<Response<ObjectBody>, Doubt> {
        let (origin, body) = answer.into_parts();
        if let Some(response) = self.without_object(&origin.headers)? {
            return Ok(response);
        }
        let fits = asked.range.is_none()
            || self.read.if_range.as_ref().is_none_or(|if_range| if_range.fits(&origin.headers));
        let asked = if fits { asked } else { Asked { range: None, ..asked } };
        let length = BodyLength::of(&origin, &body);
        let extent = Extent::of(asked, origin.status, &origin.headers, length)
            .map_err(|misfit| if fits { Doubt::Misfit(misfit) } else { Doubt::OtherState })?;
        let mut headers = self.object_fields(&origin.headers);
        let (status, body) = match extent {
            Extent::Whole { length: Some(length), end } => {
                (StatusCode::OK, ObjectBody::Stretch(Stretch::new(body, 0, length, end)))
            }
            Extent::Whole { length: None, .. } => (StatusCode::OK, ObjectBody::Wire(body)),
            Extent::Part { range, total, skip, end } => {
                headers.insert(CONTENT_LENGTH, HeaderValue::from(range.len()));
                headers.insert(CONTENT_RANGE, range.content_range(total));
                let stretch = Stretch::new(body, skip, range.len(), end);
                (StatusCode::PARTIAL_CONTENT, ObjectBody::Stretch(stretch))
            }
            Extent::Unsatisfiable { total } => return Err(Failure::unsatisfiable(total).into()),
        };
        Ok(respond(status, headers, body))
    }

    /// The answer to HEAD, given the object's head.
    pub(super) fn head(&self, origin: &HeaderMap) -> Result<Response<ObjectBody>, Failure> {
        match self.without_object(origin) {
            Ok(Some(response)) => Ok(response),
            Ok(None) if is_archived(origin) => Err(ProxyError::new(ProxyErrorKind::Archived).into()),
            Ok(None) => {
                let body = match origin.contains_key(CONTENT_LENGTH) {
                    true => ObjectBody::Empty,
                    false => ObjectBody::Untold,
                };
                Ok(respond(StatusCode::OK, self.object_fields(origin), body))
            }
            Err(failure) => Err(failure),
        }
    }

    /// What the conditions make of an object with these fields, unless they let it pass.
    pub(super) fn without_object(&self, origin: &HeaderMap) -> Result<Option<Response<ObjectBody>>, Failure> {
        if self.read.conditions.is_empty() {
            return Ok(None);
        }
        match self.read.conditions.evaluate(Validators::of(origin), self.now()) {
            Verdict::Proceed => Ok(None),
            Verdict::NotModified => Ok(Some(self.not_modified(origin))),
            Verdict::Failed => Err(ProxyError::new(ProxyErrorKind::PreconditionFailed).into()),
        }
    }

    /// S3's own 304, if it is right beyond doubt and says enough.
    ///
    /// S3 leaves out `Cache-Control`. Unless the policy has a value of its own for the key, the object's head has to be
    /// asked for: a 304 without the field would make every cache forget it (RFC 9110 §15.4.5).
    pub(super) fn confirmed(&self, origin: &HeaderMap) -> Option<Response<ObjectBody>> {
        let mount = &self.mount.0;
        let conditions = &self.read.conditions;
        let object = Validators::of(origin);
        // Every 200 of S3 has a tag.
        let is_right = !conditions.is_empty()
            && object.tag.is_some()
            && conditions.are_decided_by(object)
            && conditions.evaluate(object, self.now()) == Verdict::NotModified;
        if !is_right {
            return None;
        }
        let mut headers = mount.headers.select_for_not_modified(origin);
        match mount.cache.on_key_alone(&self.key, &self.edition) {
            Applies::Value(value) => {
                headers.insert(CACHE_CONTROL, value.clone());
                // As on a 200: what S3 says of freshness does not count beside an override.
                headers.remove(EXPIRES);
            }
            Applies::Nothing if headers.contains_key(CACHE_CONTROL) => {}
            Applies::Nothing | Applies::Depends => return None,
        }
        Some(respond(StatusCode::NOT_MODIFIED, headers, ObjectBody::Empty))
    }

    /// A 304 carries the fields of caching that the 200 would carry (RFC 9110 §15.4.5); here are those of the 200.
    fn not_modified(&self, origin: &HeaderMap) -> Response<ObjectBody> {
        let mount = &self.mount.0;
        let mut headers = mount.headers.select_for_not_modified(origin);
        let stored = origin.get(CONTENT_TYPE).cloned();
        let content_type = mount.content_type.apply(&self.key, stored);
        mount.cache.apply(&self.key, &self.edition, content_type.as_ref(), &mut headers);
        respond(StatusCode::NOT_MODIFIED, headers, ObjectBody::Empty)
    }

    /// The fields of a 200, and, but for the part's own, of a 206.
    pub(super) fn object_fields(&self, origin: &HeaderMap) -> HeaderMap {
        let mut headers = self.mount.object_fields(&self.key, &self.edition, origin);
        if let Some(disposition) = &self.disposition {
            apply_disposition(disposition, &self.key, &mut headers);
        }
        headers
    }

    pub(super) fn now(&self) -> HttpDate {
        http_date(self.mount.0.origin.now())
    }
}

/// Whether a GET would be refused (S3 API, HeadObject): S3 answers to HEAD all the same, and HEAD is to say what GET would
/// (RFC 9110 §9.3.2).
pub(super) fn is_archived(origin: &HeaderMap) -> bool {
    let text = |name| origin.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_far = matches!(text("x-amz-storage-class"), "GLACIER" | "DEEP_ARCHIVE")
        || matches!(text("x-amz-archive-status"), "ARCHIVE_ACCESS" | "DEEP_ARCHIVE_ACCESS");
    is_far && !text("x-amz-restore").contains("ongoing-request=\"false\"")
}

pub(super) fn respond(status: StatusCode, headers: HeaderMap, body: ObjectBody) -> Response<ObjectBody> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

impl Mount {
    /// The fields of a 200 to any client.
    pub(super) fn object_fields(&self, key: &ObjectKey, edition: &Edition, origin: &HeaderMap) -> HeaderMap {
        let mut headers = self.0.headers.select(origin);
        let stored = headers.remove(CONTENT_TYPE);
        let content_type = self.0.content_type.apply(key, stored);
        self.0.cache.apply(key, edition, content_type.as_ref(), &mut headers);
        if let Some(content_type) = content_type {
            headers.insert(CONTENT_TYPE, content_type);
        }
        headers.remove(CONTENT_RANGE);
        // Ranges are ours to make, whatever the server behind says of them.
        headers.insert(ACCEPT_RANGES, BYTES);
        headers
    }
}

/// The one range unit that there is (RFC 9110 §14.1).
pub(super) const BYTES: HeaderValue = HeaderValue::from_static("bytes");

// === impl Doubt ===

impl From<Failure> for Doubt {
    fn from(failure: Failure) -> Self {
        Self::Settled(Box::new(failure))
    }
}
