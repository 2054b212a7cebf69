//! Answers in S3's dialect.

use http::{
    HeaderMap, HeaderName, HeaderValue, Response, StatusCode,
    header::{ALLOW, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, RETRY_AFTER},
};
use quick_xml::escape::escape;
use s3s::{S3Error, S3ErrorCode};

use super::codes;
use crate::{
    body::ObjectBody,
    config::Mount,
    error::{Failure, ProxyError},
    object::ObjectKey,
    origin::S3ErrorBody,
    request::ReadMethod,
};

/// The code, and what is said about it. The text is ours: S3's own names accounts, roles and buckets.
struct Document {
    code: String,
    message: String,
}

/// A refusal that asks nobody.
pub(crate) fn refuse(code: S3ErrorCode, message: &'static str, method: ReadMethod) -> Response<ObjectBody> {
    refused(&S3Error::with_message(code, message), method)
}

/// As [`refuse`], and the line about it in the log.
pub(super) fn refused(refusal: &S3Error, method: ReadMethod) -> Response<ObjectBody> {
    let status = refusal.status_code().unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let document = Document {
        code: refusal.code().as_str().to_owned(),
        message: refusal.message().unwrap_or_default().to_owned(),
    };
    tell(&document, status, None, method)
}

/// An error of `s3s`, or of an operation.
pub(super) fn from_s3s(answer: &Response<s3s::Body>, method: ReadMethod) -> Response<ObjectBody> {
    let status = answer.status();
    let S3ErrorBody { code, message, .. } = S3ErrorBody::parse(&answer.body().bytes().unwrap_or_default());
    let message = if message.is_empty() { codes::message(&code).to_owned() } else { message };
    let id = answer.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok()).map(str::to_owned);
    let mut response = tell(&Document { code, message }, status, id, method);
    for name in [RETRY_AFTER, ALLOW] {
        if let Some(value) = answer.headers().get(&name) {
            response.headers_mut().insert(name, value.clone());
        }
    }
    response
}

/// An answer that is no error.
pub(super) fn whole(answer: Response<s3s::Body>) -> Response<ObjectBody> {
    answer.map(|body| ObjectBody::from(body.bytes().unwrap_or_default()))
}

/// An error of the lane: that of a web read, retold.
pub(super) fn retold(response: Response<ObjectBody>, method: ReadMethod) -> Response<ObjectBody> {
    let Some(error) = response.extensions().get::<ProxyError>().cloned() else { return response };
    let (code, status) = match error.status() {
        // A denial that says that there is nothing.
        StatusCode::NOT_FOUND => (S3ErrorCode::NoSuchKey, StatusCode::NOT_FOUND),
        _ => codes::code(error.kind()),
    };
    let document = Document { code: code.as_str().to_owned(), message: error.to_string() };
    let kept = [RETRY_AFTER, CONTENT_RANGE];
    let fields =
        kept.into_iter().filter_map(|name| response.headers().get(&name).cloned().map(|v| (name, v)));
    let mut retold = document.respond(status, error.id(), method);
    retold.headers_mut().extend(fields);
    retold.extensions_mut().insert(error);
    retold
}

/// An error on the way to S3, for an operation. It gets its line in the log, with the id that the client gets.
pub(super) fn failed(mount: &Mount, failure: Failure, key: Option<&ObjectKey>) -> S3Error {
    let response = match key {
        Some(key) => mount.refuse(failure, ReadMethod::Get, key),
        None => mount.error_response(failure.error, ReadMethod::Get, None),
    };
    let Some(error) = response.extensions().get::<ProxyError>() else {
        return S3Error::new(S3ErrorCode::InternalError);
    };
    let (code, status) = match error.status() {
        StatusCode::NOT_FOUND => (S3ErrorCode::NoSuchKey, StatusCode::NOT_FOUND),
        _ => codes::code(error.kind()),
    };
    let mut told = S3Error::with_message(code, error.to_string());
    told.set_status_code(status);
    let id = HeaderValue::from_str(error.id()).ok().map(|id| (REQUEST_ID, id));
    let retry_after = response.headers().get(RETRY_AFTER).cloned().map(|after| (RETRY_AFTER, after));
    told.set_headers(id.into_iter().chain(retry_after).collect());
    told
}

/// With an id, it is in the log already.
fn tell(
    document: &Document,
    status: StatusCode,
    id: Option<String>,
    method: ReadMethod,
) -> Response<ObjectBody> {
    let kind = codes::kind(status);
    let error = match id {
        Some(id) => ProxyError::told_as(kind, id),
        None => {
            let error = ProxyError::new(kind);
            let Document { code, message } = document;
            tracing::debug!(id = error.id(), code, "a request of an S3 client is refused: {message}");
            error
        }
    };
    let mut response = document.respond(status, error.id(), method);
    response.extensions_mut().insert(error);
    response
}

// === impl Document ===

impl Document {
    fn respond(&self, status: StatusCode, id: &str, method: ReadMethod) -> Response<ObjectBody> {
        let Self { code, message } = self;
        let (code, message) = (escape(code), escape(message));
        let xml = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message><RequestId>{id}</RequestId></Error>"
        );
        let mut headers = HeaderMap::with_capacity(4);
        headers.insert(CONTENT_TYPE, const { HeaderValue::from_static("application/xml") });
        if let Ok(id) = HeaderValue::from_str(id) {
            headers.insert(REQUEST_ID, id);
        }
        let body = match method {
            ReadMethod::Get => {
                headers.insert(CONTENT_LENGTH, HeaderValue::from(xml.len()));
                ObjectBody::from(bytes::Bytes::from(xml))
            }
            ReadMethod::Head => ObjectBody::Untold,
        };
        let mut response = Response::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        response
    }
}

const REQUEST_ID: HeaderName = HeaderName::from_static("x-amz-request-id");
