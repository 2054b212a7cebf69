//! The response with a page.

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Response, StatusCode,
    header::{
        CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, TRANSFER_ENCODING, VARY,
        X_CONTENT_TYPE_OPTIONS,
    },
};
use sha2::{Digest, Sha256};

use super::{ListPolicy, ListingHtml, ListingPage};
use crate::{
    body::ObjectBody,
    error::{Failure, ProxyError, ProxyErrorKind},
    object::Validators,
    request::{ReadMethod, ReadRequest, Verdict},
};

/// A page as it is sent with 200, or whatever a template says.
#[derive(Debug)]
pub(crate) struct Rendered(Response<Bytes>);

// === impl Rendered ===

impl Rendered {
    pub(crate) fn html(html: ListingHtml) -> Self {
        let mut response = Response::new(Bytes::from(html.text));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, const { HeaderValue::from_static("text/html; charset=utf-8") });
        headers.insert(CONTENT_SECURITY_POLICY, html.policy);
        Self(response)
    }

    pub(crate) fn json(json: Vec<u8>) -> Self {
        let mut response = Response::new(Bytes::from(json));
        let json = const { HeaderValue::from_static("application/json") };
        response.headers_mut().insert(CONTENT_TYPE, json);
        Self(response)
    }
}

/// The page of the embedder's template, if there is one.
pub(crate) fn of_template(policy: &ListPolicy, page: &ListingPage) -> Option<Rendered> {
    policy.template.as_ref().map(|template| Rendered(template.make(page)))
}

/// The response to a request: the page, its head, or 304.
///
/// # Errors
///
/// 412 (RFC 9110 §13.2.2).
pub(crate) fn respond(
    rendered: Rendered,
    read: &ReadRequest,
    cache_control: HeaderValue,
) -> Result<Response<ObjectBody>, Failure> {
    let (mut head, body) = rendered.0.into_parts();
    let headers = &mut head.headers;
    headers.append(VARY, const { HeaderValue::from_static("Accept") });
    headers.entry(CACHE_CONTROL).or_insert(cache_control);
    headers.insert(X_CONTENT_TYPE_OPTIONS, const { HeaderValue::from_static("nosniff") });
    headers.remove(TRANSFER_ENCODING);
    if head.status == StatusCode::OK {
        headers.entry(ETAG).or_insert_with(|| tag(&body));
        match read.conditions.evaluate(Validators::of(headers)) {
            Verdict::Proceed => {}
            Verdict::NotModified => return Ok(not_modified(headers)),
            Verdict::Failed => return Err(ProxyError::new(ProxyErrorKind::PreconditionFailed).into()),
        }
    }
    headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    let body = match read.method {
        ReadMethod::Get => ObjectBody::from(body),
        ReadMethod::Head => ObjectBody::Empty,
    };
    Ok(Response::from_parts(head, body))
}

/// Of the same bytes it is the same.
fn tag(body: &[u8]) -> HeaderValue {
    let hash = Sha256::digest(body);
    let text: String = hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    HeaderValue::try_from(format!("\"{text}\"")).expect("digits are ASCII")
}

/// RFC 9110 §15.4.5.
fn not_modified(fields: &HeaderMap) -> Response<ObjectBody> {
    let mut response = Response::new(ObjectBody::Empty);
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    for name in [CACHE_CONTROL, ETAG, VARY] {
        for value in fields.get_all(&name) {
            response.headers_mut().append(name.clone(), value.clone());
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use http::header::IF_NONE_MATCH;

    use super::*;

    fn ask(method: ReadMethod, tag: Option<&HeaderValue>) -> ReadRequest {
        let fields = tag.map(|tag| (IF_NONE_MATCH, tag.clone()));
        ReadRequest::new(method, &fields.into_iter().collect())
    }

    fn rendered(text: &str) -> Rendered {
        Rendered::json(text.as_bytes().to_vec())
    }

    #[test]
    fn a_page_has_a_tag_and_is_sent_when_it_has_changed() {
        let short = || HeaderValue::from_static("max-age=5");
        let first = respond(rendered("a"), &ask(ReadMethod::Get, None), short()).unwrap();
        let tag = first.headers()[ETAG].clone();
        let same = respond(rendered("a"), &ask(ReadMethod::Get, Some(&tag)), short()).unwrap();
        assert_eq!((same.status().as_u16(), &same.headers()[ETAG]), (304, &tag));
        assert!(!same.headers().contains_key(CONTENT_TYPE) && same.headers().contains_key(VARY));
        let other = respond(rendered("b"), &ask(ReadMethod::Get, Some(&tag)), short()).unwrap();
        assert_eq!(other.status(), 200);
        let head = respond(rendered("abc"), &ask(ReadMethod::Head, None), short()).unwrap();
        assert_eq!(head.headers()[CONTENT_LENGTH], "3");
        assert!(matches!(head.body(), ObjectBody::Empty));
    }

    #[test]
    fn a_template_keeps_its_fields() {
        let mut response = Response::new(Bytes::from_static(b"a"));
        *response.status_mut() = StatusCode::IM_A_TEAPOT;
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        let sent =
            respond(Rendered(response), &ask(ReadMethod::Get, None), HeaderValue::from_static("x")).unwrap();
        assert_eq!(sent.status(), 418);
        assert_eq!(sent.headers()[CACHE_CONTROL], "no-store");
        assert!(!sent.headers().contains_key(ETAG));
    }
}
