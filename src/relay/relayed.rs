use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, Uri};
use http_body::Body;

use super::{RelayedLink, fields};
use crate::{
    body::ObjectBody,
    cache::PendingChange,
    config::Mount,
    error::{BoxError, Failure, ProxyError, ProxyErrorKind},
    fetch::{FetchFuture, Finish, Gate, as_it_comes, from_origin_error},
    origin::Upload,
    request::ReadMethod,
};

/// A request that goes to S3 as it was signed.
pub(crate) struct Relay {
    pub(crate) mount: Mount,
    pub(crate) link: RelayedLink,
    pub(crate) method: Method,
    /// The client's.
    pub(crate) headers: HeaderMap,
    /// The gate that must allow it first.
    pub(crate) gate: Option<Box<Gate>>,
    pub(crate) finish: Finish,
}

// === impl Relay ===

impl Relay {
    pub(crate) fn run<B>(self: Box<Self>, body: B) -> FetchFuture
    where
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let upload = Upload::new(body);
        Box::pin(self.respond(upload))
    }

    async fn respond(mut self: Box<Self>, upload: Upload) -> Response<ObjectBody> {
        let finish = std::mem::take(&mut self.finish);
        let response = match self.relay(upload).await {
            Ok(response) => response,
            Err(failure) => {
                let method = ReadMethod::try_from(&self.method).unwrap_or(ReadMethod::Get);
                self.mount.refuse(failure, method, &self.link.key)
            }
        };
        finish.apply(response)
    }

    async fn relay(&mut self, upload: Upload) -> Result<Response<ObjectBody>, Failure> {
        let Self { mount, link, method, headers, gate, .. } = self;
        if let Some(gate) = gate.take() {
            gate.open(&link.bucket, &link.key).await?;
        }
        if fields::copies(headers) {
            return Err(ProxyError::new(ProxyErrorKind::MalformedLink).into());
        }
        let mut request = Request::new(upload);
        *request.method_mut() = method.clone();
        *request.uri_mut() = Uri::try_from(&link.path_and_query)
            .map_err(|why| ProxyError::from_source(ProxyErrorKind::MalformedLink, why))?;
        *request.headers_mut() = fields::to_s3(method, headers, &link.url.signature);
        let host = mount.0.presigned.as_ref().and_then(|presigned| presigned.host.as_ref());
        let changes = mount.invalidation(method, Some(link.bucket.clone()), link.key.clone());
        let changes = PendingChange::of(changes);
        let answer = mount.0.origin.relay(&link.bucket, host, request).await.map_err(from_origin_error)?;
        let status = answer.status();
        changes.answered(status);
        if fields::leads_away(status) {
            // It names another host, which is not the client's to go to.
            let why = format!("S3 redirects ({status}): is the mount's region that of the bucket?");
            return Err(ProxyError::from_source(ProxyErrorKind::OriginMisconfigured, why).into());
        }
        // A 304 would do as well, and a client that gets one has had the object before.
        if status.is_success()
            && let Some(policy) = &mount.0.presigned
        {
            policy.accept(method, &link.url, &link.path_and_query);
        }
        let (head, body) = answer.into_parts();
        let body = match *method == Method::HEAD {
            true => ObjectBody::Untold,
            false => as_it_comes(body, mount.clone(), link.bucket.clone(), link.key.clone()),
        };
        let mut response = Response::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = fields::to_client(&head.headers, mount.0.cors.is_some());
        Ok(response)
    }
}
