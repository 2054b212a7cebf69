//! Single requests for a diagnosis: the origin learns nothing from the response, and repeats nothing.

use std::{io, net::SocketAddr, time::SystemTime};

use aws_sdk_sts::config::{BehaviorVersion, Region, retry::RetryConfig};
use aws_smithy_async::rt::sleep::TokioSleep;
use http::{HeaderMap, StatusCode};

use super::{
    CredentialCache, EndpointUrl, OriginError, Refusal, S3Origin, Target, Timestamp, TlsFault, WireClient,
    endpoint::EndpointError,
    s3::Sent,
    transport::trusted,
    wire::{DialError, Line, Pool, PooledClient, Reuse, Wire},
};
use crate::{error::ConfigError, object::BucketName, request::Question, terms::TermFields};

/// A response of S3, without the object's bytes.
#[derive(Debug)]
pub(crate) struct Probe {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// The refusal, if the response is not a success.
    pub(crate) refusal: Option<Refusal>,
}

/// The way to a bucket.
#[derive(Debug)]
pub(crate) struct Route {
    /// The prefix of the objects' URLs.
    pub(crate) url: String,
    /// The host of the URL, without the port.
    pub(crate) host: String,
    pub(crate) is_tls: bool,
    /// The region that the proxy now uses.
    pub(crate) region: String,
    /// `None` if an HTTP client of the program connects.
    pool: Option<Pool>,
}

// === impl S3Origin ===

impl S3Origin {
    /// The credentials that sign requests; `None` if there are none.
    pub(crate) fn credential_cache(&self) -> Option<&CredentialCache> {
        self.credentials.as_ref()
    }

    /// The time of this machine, without the correction to S3's.
    pub(crate) fn machine_time(&self) -> SystemTime {
        self.clock.uncorrected()
    }

    pub(crate) fn way(&self, bucket: &BucketName) -> Result<Route, EndpointError> {
        let place = self.place(bucket)?;
        let endpoint = &place.endpoint;
        Ok(Route {
            url: format!(
                "{}://{}{}",
                endpoint.scheme,
                String::from_utf8_lossy(endpoint.host_header.as_bytes()),
                endpoint.base_path
            ),
            host: endpoint.host.clone(),
            is_tls: endpoint.scheme == http::uri::Scheme::HTTPS,
            region: place.region.clone(),
            pool: match &place.wire {
                Wire::Pool(pool) => Some(pool.clone()),
                Wire::Sdk(_) => None,
            },
        })
    }

    /// Requests the head of the bucket without a signature, to learn the kind of server and its time.
    pub(crate) async fn contact(&self, bucket: &BucketName) -> Result<Probe, OriginError> {
        let place = self.place(bucket).map_err(OriginError::Endpoint)?;
        let path = format!("{}/", place.endpoint.base_path);
        let at = Timestamp::new(self.now());
        let mut request =
            place.endpoint.request(&Question::head(), path, None, &TermFields::default(), &at)?;
        let answer =
            place.wire.send(&place.endpoint, &mut request, Reuse::Fresh).await.map_err(OriginError::Wire)?;
        Ok(Probe { status: answer.status(), headers: answer.headers().clone(), refusal: None })
    }

    /// Requests the first byte of an object, without reading it.
    pub(crate) async fn ask_once(&self, target: Target<'_>) -> Result<Probe, OriginError> {
        let Sent { answer, .. } = self.send(target, &Question::check(), Reuse::Allowed).await?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let refusal = match status.is_success() {
            true => None,
            false => Some(Refusal::read(answer).await),
        };
        Ok(Probe { status, headers, refusal })
    }

    /// A client of STS with the same credentials; `None` if nothing is signed. It never uses `connect_to`, which leads
    /// to S3.
    pub(crate) fn sts(&self, url: Option<&str>) -> Result<Option<aws_sdk_sts::Client>, ConfigError> {
        let Some(credentials) = &self.credentials else { return Ok(None) };
        let config = aws_sdk_sts::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(self.addressing.region.clone()))
            .use_fips(self.addressing.fips)
            .credentials_provider(credentials.clone())
            .retry_config(RetryConfig::disabled())
            .time_source(self.clock.clone())
            .sleep_impl(TokioSleep::new());
        let url = url.map(|url| EndpointUrl::parse("the STS endpoint URL", url)).transpose()?;
        let config = match &url {
            Some(url) => config.endpoint_url(url.to_string()),
            None => config,
        };
        let config = match &self.client {
            WireClient::Sdk(client) => config.http_client(client.client.clone()),
            WireClient::Pools(pools) => {
                let pools = pools.clone().connecting_to(None);
                let pools = match pools.has_tls() || url.as_ref().is_some_and(|url| !url.is_tls()) {
                    true => pools,
                    false => pools.with_tls(Some(trusted()?)),
                };
                config.http_client(PooledClient::new(pools))
            }
        };
        Ok(Some(aws_sdk_sts::Client::from_conf(config.build())))
    }
}

// === impl Route ===

impl Route {
    /// The host and port that connections go to; `None` if a client of the program decides that.
    pub(crate) fn address(&self) -> Option<(&str, u16)> {
        self.pool.as_ref().map(Pool::address)
    }

    pub(crate) async fn look_up(&self) -> io::Result<Vec<SocketAddr>> {
        match &self.pool {
            Some(pool) => pool.look_up().await,
            None => Ok(Vec::new()),
        }
    }

    /// The proxy on the way, without its credentials.
    pub(crate) fn proxy(&self) -> Option<String> {
        self.pool.as_ref()?.proxy().map(ToString::to_string)
    }

    pub(crate) async fn connect(&self, addresses: Vec<SocketAddr>) -> Result<Line, DialError> {
        match &self.pool {
            Some(pool) => pool.connect_to(addresses).await,
            None => Err(DialError::NoAddress),
        }
    }

    pub(crate) async fn shake_hands(&self, line: Line) -> Result<String, TlsFault> {
        match &self.pool {
            Some(pool) => pool.shake_hands(line).await,
            None => Err(TlsFault::Other("this is not the built-in connection pool".to_owned())),
        }
    }
}
