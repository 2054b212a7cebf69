//! An HTTP service besides S3, over the same kind of connections.

use std::sync::Arc;

use aws_smithy_types::body::SdkBody;
use http::{HeaderValue, Request, Response, Uri, header::HOST, uri::Scheme};

use super::{
    Upload, WireBody, WireError, WireErrorKind,
    pool::{Pool, Pools, Reuse},
};

/// A client for one service. Clones share its connections.
#[derive(Debug, Clone)]
pub(crate) struct ServiceClient {
    pool: Pool,
    host: HeaderValue,
    /// Of the service's URL: with a query, if it has one.
    path: Arc<str>,
}

// === impl ServiceClient ===

impl ServiceClient {
    /// `None` if the URL has no host. Its scheme is `http` or `https`.
    pub(crate) fn new(pools: &Pools, url: &Uri) -> Option<Self> {
        let scheme = url.scheme().unwrap_or(&Scheme::HTTP);
        let default = if *scheme == Scheme::HTTPS { 443 } else { 80 };
        let pool = pools.pool(scheme, url.host()?, url.port_u16().unwrap_or(default));
        let host = HeaderValue::try_from(url.authority()?.as_str()).ok()?;
        let path = url.path_and_query().map_or("/", |path| path.as_str()).into();
        Some(Self { pool, host, path })
    }

    /// Sends a GET of the URL without a body, and waits for the head of the answer. It is sent again if a kept connection
    /// turns out to be closed.
    pub(crate) async fn get(&self, head: &Request<()>) -> Result<Response<WireBody>, WireError> {
        let mut reuse = Reuse::Allowed;
        loop {
            let mut request = Request::new(SdkBody::empty());
            *request.headers_mut() = head.headers().clone();
            *request.uri_mut() = self.path.parse().unwrap_or_default();
            request.headers_mut().insert(HOST, self.host.clone());
            match self.pool.send(&mut request, reuse).await {
                Err(error) if error.kind == WireErrorKind::Stale && reuse == Reuse::Allowed => {
                    reuse = Reuse::Fresh;
                }
                answered => return answered.map(|response| response.map(WireBody::from)),
            }
        }
    }

    /// Sends a request as it is, `Host` included, and waits for the head of the answer.
    pub(crate) async fn forward(&self, request: Request<Upload>) -> Result<Response<WireBody>, WireError> {
        let sent = request.body().sent();
        let answered = self.pool.upload(request.map(SdkBody::from_body_1_x), &sent).await;
        answered.map(|response| response.map(WireBody::from))
    }
}
