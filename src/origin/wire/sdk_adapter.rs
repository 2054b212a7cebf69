use std::sync::Arc;

use aws_smithy_runtime_api::client::{
    http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
    runtime_components::RuntimeComponents,
};
use aws_smithy_types::body::SdkBody;
use http::{
    HeaderValue, Request, Uri,
    header::HOST,
    uri::{Authority, PathAndQuery, Scheme},
};
use http_body_util::{BodyExt, Full, Limited};

use super::{Pools, Reuse, Unreached, Upload, WireError, WireErrorKind};
use crate::error::BoxError;

/// Our pool as an HTTP client of the SDK: S3's other operations, STS, SSO and the metadata services use the same TLS
/// stack, so that no second one is built.
#[derive(Debug, Clone)]
pub(crate) struct PooledClient(Arc<Pools>);

// === impl PooledClient ===

impl PooledClient {
    pub(crate) fn new(pools: Pools) -> Self {
        Self(Arc::new(pools))
    }

    async fn send(pools: Arc<Pools>, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let mut request = request.try_into_http1x().map_err(user)?;
        let uri = request.uri().clone();
        let scheme = uri.scheme().cloned().unwrap_or(Scheme::HTTPS);
        let Some(authority) = uri.authority() else { return Err(user("the request names no host")) };
        let port = authority.port_u16().unwrap_or(if scheme == Scheme::HTTPS { 443 } else { 80 });
        let pool = pools.pool(&scheme, authority.host(), port);

        if !request.headers().contains_key(HOST) {
            request.headers_mut().insert(HOST, HeaderValue::try_from(authority.as_str()).map_err(user)?);
        }
        let path = uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
        *request.uri_mut() = Uri::from(path);

        let (parts, body) = request.into_parts();
        let sent = match body.try_clone() {
            Some(again) => {
                let mut again = Request::from_parts(parts.clone(), again);
                match pool.send(&mut Request::from_parts(parts, body), Reuse::Allowed).await {
                    Err(WireError { kind: WireErrorKind::Stale, .. }) => {
                        pool.send(&mut again, Reuse::Fresh).await
                    }
                    sent => sent,
                }
            }
            // A body that comes as it is sent takes any time, and is sent once.
            None => {
                let body = Upload::new(body);
                let sent = body.sent();
                pool.upload(Request::from_parts(parts, SdkBody::from_body_1_x(body)), &sent).await
            }
        };
        let (parts, body) = sent.map_err(|why| connector_error(authority, why))?.into_parts();
        let body = Limited::new(body, ANSWER_LIMIT).collect().await.map_err(ConnectorError::io)?;
        // As an unread body: the SDK logs the bytes of others at level TRACE, and STS's bytes contain keys.
        let body = SdkBody::from_body_1_x(Full::new(body.to_bytes()));
        HttpResponse::try_from(http::Response::from_parts(parts, body)).map_err(user)
    }
}

/// Responses of credential services are a few KiB, a page of a listing is 2 MiB at most.
const ANSWER_LIMIT: usize = 4 << 20;

fn user(error: impl Into<BoxError>) -> ConnectorError {
    ConnectorError::user(error.into())
}

fn connector_error(authority: &Authority, error: WireError) -> ConnectorError {
    let kind = error.kind;
    let unreached = Unreached::new(authority, error).into();
    match kind {
        WireErrorKind::Timeout => ConnectorError::timeout(unreached),
        WireErrorKind::Stale
        | WireErrorKind::Connect
        | WireErrorKind::Overloaded
        | WireErrorKind::Broken
        | WireErrorKind::Unfinished => ConnectorError::io(unreached),
    }
}

impl HttpClient for PooledClient {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for PooledClient {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::new(Self::send(Arc::clone(&self.0), request))
    }
}
