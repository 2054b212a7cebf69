//! The fields of responses, made from S3's.

use http::{
    HeaderMap, HeaderValue, Response, StatusCode,
    header::{ACCEPT_RANGES, CACHE_CONTROL, CONTENT_RANGE, CONTENT_TYPE, EXPIRES},
};

use super::read::Read;
use crate::{
    body::ObjectBody,
    config::Mount,
    object::{Edition, ObjectKey, Validators},
    request::Verdict,
    response::{Applies, apply_disposition},
};

impl Mount {
    /// The fields of a 200 to any client.
    pub(super) fn object_fields(&self, key: &ObjectKey, edition: &Edition, origin: &HeaderMap) -> HeaderMap {
        let mut headers = self.0.headers.select(origin);
        let stored = headers.remove(CONTENT_TYPE);
        let content_type = self.0.answers.content_type.apply(key, stored);
        self.0.cache_control.apply(key, edition, content_type.as_ref(), &mut headers);
        if let Some(content_type) = content_type {
            headers.insert(CONTENT_TYPE, content_type);
        }
        headers.remove(CONTENT_RANGE);
        // The proxy makes ranges itself, whatever the server behind it says.
        headers.insert(ACCEPT_RANGES, BYTES);
        headers
    }
}

impl Read {
    /// The fields of a 200 to this request, and of a 206 except for the part's own.
    pub(super) fn fields(&self, origin: &HeaderMap) -> HeaderMap {
        let mut headers = self.object.fields(origin);
        if let Some(disposition) = &self.wanted.disposition {
            apply_disposition(disposition, &self.object.key, &mut headers);
        }
        headers
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
}

/// Whether a GET would be refused (S3 API, HeadObject). S3 still responds to HEAD, but HEAD must match GET (RFC 9110
/// §9.3.2).
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

/// The one range unit in use (RFC 9110 §14.1).
pub(super) const BYTES: HeaderValue = HeaderValue::from_static("bytes");
