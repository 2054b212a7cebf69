use std::time::Duration;

use aws_smithy_async::{rt::sleep::TokioSleep, time::SharedTimeSource};
use aws_smithy_runtime::client::{
    auth::no_auth::{NO_AUTH_SCHEME_ID, NoAuthScheme},
    identity::{IdentityCache, no_auth::NoAuthIdentityResolver},
    orchestrator::endpoints::StaticUriEndpointResolver,
    retries::strategy::NeverRetryStrategy,
};
use aws_smithy_runtime_api::client::{
    auth::static_resolver::StaticAuthSchemeOptionResolver,
    http::{HttpClient, HttpConnector, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector},
    orchestrator::HttpRequest,
    runtime_components::{BuildError, RuntimeComponentsBuilder},
};
use aws_smithy_types::body::SdkBody;
use http::{Request, Response, Uri, uri::PathAndQuery};

use super::{WireError, WireErrorKind};
use crate::origin::endpoint::Endpoint;

/// An HTTP client of the SDK that the program provides.
#[derive(Debug, Clone)]
pub(crate) struct SdkClient {
    pub(in crate::origin) client: SharedHttpClient,
    connector: SharedHttpConnector,
    pub(super) read_timeout: Duration,
}

// === impl SdkClient ===

impl SdkClient {
    pub(crate) fn new(
        client: &SharedHttpClient,
        connect_timeout: Duration,
        response_timeout: Duration,
        read_timeout: Duration,
        clock: SharedTimeSource,
    ) -> Result<Self, BuildError> {
        let settings = HttpConnectorSettings::builder()
            .connect_timeout(connect_timeout)
            .read_timeout(response_timeout)
            .build();
        // A connector uses the clock and the sleep; the builder requires the rest, so it gets the SDK's no-ops.
        let components = RuntimeComponentsBuilder::new("tower-s3-proxy")
            .with_http_client(Some(client.clone()))
            .with_time_source(Some(clock))
            .with_sleep_impl(Some(TokioSleep::new()))
            .with_auth_scheme_option_resolver(Some(StaticAuthSchemeOptionResolver::new(vec![
                NO_AUTH_SCHEME_ID,
            ])))
            .with_auth_scheme(NoAuthScheme::new())
            .with_identity_resolver(NO_AUTH_SCHEME_ID, NoAuthIdentityResolver::new())
            .with_identity_cache(Some(IdentityCache::no_cache()))
            .with_endpoint_resolver(Some(StaticUriEndpointResolver::http_localhost(1)))
            .with_retry_strategy(Some(NeverRetryStrategy::new()))
            .build()?;
        let connector = client.http_connector(&settings, &components);
        Ok(Self { client: client.clone(), connector, read_timeout })
    }

    pub(super) async fn send(
        &self,
        endpoint: &Endpoint,
        request: Request<SdkBody>,
    ) -> Result<Response<SdkBody>, WireError> {
        let request = to_sdk(endpoint, request)?;
        let response = self.connector.call(request).await.map_err(|error| {
            let kind = match () {
                () if error.is_timeout() => WireErrorKind::Timeout,
                () if error.is_io() => WireErrorKind::Connect,
                () => WireErrorKind::Broken,
            };
            WireError::new(kind, error)
        })?;
        response.try_into_http1x().map_err(broken)
    }
}

/// The SDK's clients need an absolute URI.
fn to_sdk(endpoint: &Endpoint, request: Request<SdkBody>) -> Result<HttpRequest, WireError> {
    let (mut parts, body) = request.into_parts();
    let path = parts.uri.into_parts().path_and_query.unwrap_or_else(|| PathAndQuery::from_static("/"));
    parts.uri = Uri::builder()
        .scheme(endpoint.scheme.clone())
        .authority(endpoint.host_header.as_bytes())
        .path_and_query(path)
        .build()
        .map_err(broken)?;
    HttpRequest::try_from(Request::from_parts(parts, body)).map_err(broken)
}

fn broken(error: impl Into<crate::error::BoxError>) -> WireError {
    WireError::new(WireErrorKind::Broken, error)
}
