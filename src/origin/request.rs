use std::sync::Arc;

use aws_smithy_types::body::SdkBody;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Uri,
    header::{AUTHORIZATION, HOST, USER_AGENT},
};

use super::{
    Identity, OriginError, Signable, SigningKey, Timestamp,
    endpoint::Endpoint,
    sigv4::{UNSIGNED_PAYLOAD, X_AMZ_CONTENT_SHA256},
};
use crate::{request::Question, terms::TermFields};

impl Endpoint {
    /// The request as sent, signed if there is an identity.
    pub(super) fn request(
        &self,
        question: &Question,
        path_and_query: String,
        identity: Option<&Identity>,
        terms: &TermFields,
        at: &Timestamp,
    ) -> Result<Request<SdkBody>, OriginError> {
        let room = FIELDS + terms.len();
        let mut fields: Vec<(HeaderName, HeaderValue)> = Vec::with_capacity(room);
        // Invariant: sorted by name, as the signature requires.
        fields.push((HOST, self.host_header.clone()));
        fields.extend(question.fields());
        let mut authorization = None;
        if let Some(identity) = identity {
            fields.push((X_AMZ_CONTENT_SHA256, const { HeaderValue::from_static(UNSIGNED_PAYLOAD) }));
            let date = HeaderValue::from_str(at.as_str()).map_err(OriginError::unwritable)?;
            fields.push((X_AMZ_DATE, date));
            fields.extend_from_slice(terms.before_token());
            if let Some(token) = identity.credentials().session_token() {
                let mut token = HeaderValue::from_str(token).map_err(OriginError::unwritable)?;
                token.set_sensitive(true);
                fields.push((self.auth.token_field(), token));
            }
            fields.extend_from_slice(terms.after_token());
            let (path, query) = path_and_query.split_once('?').unwrap_or((&path_and_query, ""));
            let signable = Signable { method: question.method.as_str(), path, query, headers: &fields };
            let value = self.signing_key(identity, at).authorization(at, &signable);
            let mut value = HeaderValue::try_from(value).map_err(OriginError::unwritable)?;
            value.set_sensitive(true);
            authorization = Some(value);
        } else {
            fields.extend_from_slice(terms.before_token());
            fields.extend_from_slice(terms.after_token());
        }

        let mut request = Request::new(SdkBody::empty());
        *request.method_mut() = Method::from(question.method);
        *request.uri_mut() = Uri::try_from(path_and_query).map_err(OriginError::unwritable)?;
        *request.headers_mut() = to_send(fields, authorization);
        Ok(request)
    }

    /// The head of a request that changes an object, signed if there is an identity. The fields come in any order, each once.
    pub(super) fn change(
        &self,
        method: &Method,
        path_and_query: &str,
        mut fields: Vec<(HeaderName, HeaderValue)>,
        payload: HeaderValue,
        identity: Option<&Identity>,
        at: &Timestamp,
    ) -> Result<Request<()>, OriginError> {
        fields.push((HOST, self.host_header.clone()));
        let mut authorization = None;
        if let Some(identity) = identity {
            fields.push((X_AMZ_CONTENT_SHA256, payload));
            fields.push((X_AMZ_DATE, HeaderValue::from_str(at.as_str()).map_err(OriginError::unwritable)?));
            if let Some(token) = identity.credentials().session_token() {
                let mut token = HeaderValue::from_str(token).map_err(OriginError::unwritable)?;
                token.set_sensitive(true);
                fields.push((self.auth.token_field(), token));
            }
            fields.sort_unstable_by(|(one, _), (other, _)| one.as_str().cmp(other.as_str()));
            let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
            let signable = Signable { method: method.as_str(), path, query, headers: &fields };
            let value = self.signing_key(identity, at).authorization(at, &signable);
            let mut value = HeaderValue::try_from(value).map_err(OriginError::unwritable)?;
            value.set_sensitive(true);
            authorization = Some(value);
        }
        let mut request = Request::new(());
        *request.method_mut() = method.clone();
        *request.uri_mut() = Uri::try_from(path_and_query).map_err(OriginError::unwritable)?;
        *request.headers_mut() = to_send(fields, authorization);
        Ok(request)
    }

    /// The day's signing key, derived when the day or the credentials changed.
    pub(super) fn signing_key(&self, identity: &Identity, at: &Timestamp) -> Arc<SigningKey> {
        let kept = self.signing_key.load_full().filter(|key| key.serves(identity, at));
        kept.unwrap_or_else(|| {
            let key = Arc::new(SigningKey::derive(identity, &self.scope, at));
            self.signing_key.store(Some(Arc::clone(&key)));
            key
        })
    }
}

fn to_send(fields: Vec<(HeaderName, HeaderValue)>, authorization: Option<HeaderValue>) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(fields.len() + 2);
    for (name, value) in fields {
        headers.append(name, value);
    }
    headers.insert(USER_AGENT, AGENT);
    if let Some(value) = authorization {
        headers.insert(AUTHORIZATION, value);
    }
    headers
}

/// Room for every field that a read can have, except those of the terms.
const FIELDS: usize = 12;

const X_AMZ_DATE: HeaderName = HeaderName::from_static("x-amz-date");

/// Shown in S3's access log. Not signed, as in the SDKs.
pub(super) const AGENT: HeaderValue =
    HeaderValue::from_static(concat!("tower-s3-proxy/", env!("CARGO_PKG_VERSION")));
