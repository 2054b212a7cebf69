//! Reads whose bytes do not pass the proxy: 307 to a link (RFC 9110 §15.4.8), which keeps method, ranges and conditions.

use http::{
    HeaderMap, HeaderValue, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_LENGTH, LOCATION},
};

use super::{
    answer::respond,
    read::{Elsewhere, Fetch, Read},
};
use crate::{
    body::ObjectBody,
    error::{Failure, ProxyError, ProxyErrorKind},
    links::{LinkMethod, PresignErrorKind, PresignRequest, Redirected, ResponseField, private_for},
    origin::{Answer, content_length},
    presign::failure_of,
    request::{Question, ReadMethod},
    response::disposition_field,
};

impl Fetch {
    /// Whether the object may be elsewhere, so that the cache is not asked for a response.
    pub(crate) fn may_redirect(&self) -> bool {
        let redirects = &self.mount.0.links.redirects;
        self.wanted.asks.elsewhere == Elsewhere::ByRule
            && !redirects.is_empty()
            && redirects.of(&self.key) != Redirected::Never
    }
}

impl Read {
    pub(super) fn may_redirect(&self) -> bool {
        self.wanted.asks.elsewhere == Elsewhere::ByRule && !self.object.mount.0.links.redirects.is_empty()
    }

    /// `None` if the response is not a redirect. The client may have the object.
    pub(super) async fn redirect(&self) -> Result<Option<Response<ObjectBody>>, Failure> {
        match self.object.mount.0.links.redirects.of(&self.object.key) {
            Redirected::Never => return Ok(None),
            Redirected::Always => {}
            Redirected::FromSize(least) => {
                if self.size().await.is_none_or(|size| size < least) {
                    return Ok(None);
                }
            }
        }
        let mount = &self.object.mount;
        let link = match mount.presign(self.link()).await {
            Ok(link) => link,
            // A set of the mount without credentials: the object is served from here.
            Err(why) if why.kind() == PresignErrorKind::Unsigned => return Ok(None),
            Err(why) => return Err(failure_of(why)),
        };
        let mut headers = HeaderMap::with_capacity(3);
        let mut location = HeaderValue::from_str(link.url())
            .map_err(|why| ProxyError::from_source(ProxyErrorKind::OriginMisconfigured, why))?;
        location.set_sensitive(true);
        headers.insert(LOCATION, location);
        headers.insert(CACHE_CONTROL, private_for(link.fresh_for(self.object.now())));
        headers.insert(CONTENT_LENGTH, HeaderValue::from(0));
        Ok(Some(respond(StatusCode::TEMPORARY_REDIRECT, headers, ObjectBody::Empty)))
    }

    /// In bytes, by the cache's head or by S3's. `None` if it is not known: then the read itself says why.
    async fn size(&self) -> Option<u64> {
        let cache = self.object.cache();
        let head = cache.and_then(|cache| cache.lookup(self.object.in_cache(cache)));
        if let Some(found) = head.as_ref().and_then(|head| head.found()) {
            return Some(found.total);
        }
        match self.object.ask(&Question::head()).await {
            Ok(Answer::Found(answer)) => content_length(answer.headers()),
            Ok(Answer::NotModified(_) | Answer::Refused(_)) | Err(_) => None,
        }
    }

    fn link(&self) -> PresignRequest {
        let object = &self.object;
        let method = match self.wanted.read.method {
            ReadMethod::Get => LinkMethod::Get,
            ReadMethod::Head => LinkMethod::Head,
        };
        let mut request = PresignRequest::new(method, object.key.clone()).bucket(object.bucket.clone());
        if let Some(version) = &object.edition.version {
            request = request.version(version.as_str());
        }
        match &self.wanted.disposition {
            Some(asked) => {
                let field = disposition_field(asked, &object.key);
                // Printable ASCII by construction.
                request
                    .respond_with(ResponseField::ContentDisposition, field.to_str().unwrap_or("attachment"))
            }
            None => request,
        }
    }
}
