//! The endpoint of links: asked for a key, it answers with a link to it.

use std::time::SystemTime;

use aws_smithy_types::{DateTime, date_time::Format};
use bytes::Bytes;
use http::{
    HeaderValue, Method, Request, Response, Uri,
    header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE},
};

use super::{Admission, naming::head_of};
use crate::{
    body::ObjectBody,
    config::Mount,
    error::{Failure, ProxyError, ProxyErrorKind},
    fetch::{Bucket, FetchFuture, Finish, Gate},
    links::{Choices, LinkAsk, PresignRequest, PresignedUrl, private_for},
    object::ObjectKey,
    presign::failure_of,
    request::{DownloadPolicy, ReadMethod, VersionPolicy},
};

/// A request for a link, whose object is known.
pub(crate) struct LinkFetch {
    mount: Mount,
    bucket: Bucket,
    request: PresignRequest,
    gate: Option<Box<Gate>>,
    /// That of the request for the link.
    method: ReadMethod,
    finish: Finish,
}

// === impl Mount ===

impl Mount {
    /// Selector, authorizer and resolver see the request that the link stands for: its method and its path, and the fields and
    /// extensions of the request for the link.
    pub(super) fn link<B>(&self, asked: &Request<B>, method: ReadMethod, finish: Finish) -> Admission {
        match self.named_link(asked, method) {
            Ok(fetch) => Admission::Link(Box::new(LinkFetch { finish, ..fetch })),
            Err((failure, key)) => {
                Admission::Answered(finish.apply(self.refuse(failure, method, key.as_ref())))
            }
        }
    }

    fn named_link<B>(
        &self,
        asked: &Request<B>,
        method: ReadMethod,
    ) -> Result<LinkFetch, (Failure, Option<ObjectKey>)> {
        let bad = || (ProxyError::new(ProxyErrorKind::BadQuery).into(), None);
        let ask = self.ask_of(asked).ok_or_else(bad)?;
        let stands_for = self.stands_for(asked, &ask).ok_or_else(bad)?;
        let named = self.name(&ask.rest, || head_of(&stands_for));
        let (bucket, key, _) = named.map_err(|kind| (ProxyError::new(kind).into(), None))?;
        let mount = match self.select(&stands_for) {
            Ok(mount) => mount.clone(),
            Err(failure) => return Err((failure, Some(key))),
        };
        let gate = self.gate(|| stands_for.into_parts().0);
        let (request, finish) = (ask.into_request(key), Finish::default());
        Ok(LinkFetch { mount, bucket, request, gate, method, finish })
    }

    fn ask_of<B>(&self, asked: &Request<B>) -> Option<LinkAsk> {
        let choices = Choices {
            downloads: self.0.query.downloads == DownloadPolicy::Honoured,
            versions: self.0.query.versions == VersionPolicy::Honoured,
        };
        LinkAsk::parse(asked.uri().query().unwrap_or_default(), choices).ok()
    }

    /// The request that a link stands for which the endpoint is asked for.
    pub(super) fn linked<B>(&self, asked: &Request<B>) -> Option<Request<()>> {
        self.stands_for(asked, &self.ask_of(asked)?)
    }

    /// The request that the link stands for.
    fn stands_for<B>(&self, asked: &Request<B>, ask: &LinkAsk) -> Option<Request<()>> {
        let mut parts = head_of(asked);
        parts.method = Method::from_bytes(ask.method.as_str().as_bytes()).ok()?;
        let path = format!("{}/{}", self.path().trim_end_matches('/'), ask.rest);
        let mut uri = parts.uri.into_parts();
        uri.path_and_query = Some(path.parse().ok()?);
        parts.uri = Uri::from_parts(uri).ok()?;
        Some(Request::from_parts(parts, ()))
    }
}

// === impl LinkFetch ===

impl LinkFetch {
    pub(crate) fn run(self) -> FetchFuture {
        Box::pin(self.respond())
    }

    async fn respond(mut self) -> Response<ObjectBody> {
        let finish = std::mem::take(&mut self.finish);
        let response = match self.make().await {
            Ok(response) => response,
            Err(failure) => self.mount.refuse(failure, self.method, &self.request.key),
        };
        finish.apply(response)
    }

    async fn make(&mut self) -> Result<Response<ObjectBody>, Failure> {
        let bucket = self.bucket.name().await?;
        if let Some(gate) = self.gate.take()
            && let Some(mount) = gate.open(&bucket, &self.request.key).await?
        {
            self.mount = mount;
        }
        let request = self.request.clone().bucket(bucket);
        let link = self.mount.presign(request).await.map_err(failure_of)?;
        Ok(self.answer(&link))
    }

    fn answer(&self, link: &PresignedUrl) -> Response<ObjectBody> {
        let json = Bytes::from(to_json(self.request.method.as_str(), link));
        let length = json.len();
        let mut response = Response::new(match self.method {
            ReadMethod::Get => ObjectBody::from(json),
            ReadMethod::Head => ObjectBody::Empty,
        });
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, const { HeaderValue::from_static("application/json") });
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        let cache_control = match self.request.method.reads() {
            true => private_for(link.fresh_for(self.mount.0.origin.now())),
            // Each upload asks anew, and its authorizer decides anew.
            false => const { HeaderValue::from_static("no-store") },
        };
        headers.insert(CACHE_CONTROL, cache_control);
        response
    }
}

fn to_json(method: &str, link: &PresignedUrl) -> String {
    let expires_at = timestamp(link.expires_at());
    let (url, bounded_by) = (quoted(link.url()), link.bounded_by().as_str());
    let headers = link.headers().iter().map(|(name, value)| {
        let value = value.to_str().unwrap_or_default();
        format!("\"{name}\":{}", quoted(value))
    });
    let headers = headers.collect::<Vec<_>>().join(",");
    format!(
        "{{\"method\":\"{method}\",\"url\":{url},\"headers\":{{{headers}}},\"expires_at\":\"{expires_at}\",\
         \"bounded_by\":\"{bounded_by}\"}}"
    )
}

/// Of visible ASCII and tabs, as URLs and values of fields are here.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\t', "\\t"))
}

fn timestamp(at: SystemTime) -> String {
    DateTime::from(at).fmt(Format::DateTime).unwrap_or_default()
}
