//! The bucket's endpoint, and the way to it.

use std::time::Duration;

use aws_smithy_async::time::{SharedTimeSource, TimeSource};
use aws_types::{SdkConfig, service_config::ServiceConfigKey};

use super::MountBuilder;
#[cfg(feature = "aws-config")]
use crate::credentials::AwsSettings;
use crate::origin::Transport;

/// # Where the bucket is
impl MountBuilder {
    /// The region of the bucket, like `us-west-2`. Required, unless [`sdk_config`](Self::sdk_config) has one.
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.addressing.region = region.into();
        self
    }

    /// The URL of an S3-compatible server, instead of AWS: `http://127.0.0.1:9000`.
    pub fn endpoint_url(mut self, url: impl Into<String>) -> Self {
        self.endpoint_url = Some(url.into());
        self
    }

    /// Puts the bucket into the path instead of the host name. Bucket names with dots go there automatically, since no
    /// certificate matches their host names.
    pub fn path_style(mut self, on: bool) -> Self {
        self.addressing.path_style = on;
        self
    }

    /// Uses the FIPS endpoint of the region.
    pub fn fips(mut self, on: bool) -> Self {
        self.addressing.fips = on;
        self
    }

    /// Uses the endpoint that IPv6 also reaches.
    pub fn dual_stack(mut self, on: bool) -> Self {
        self.addressing.dual_stack = on;
        self
    }

    /// Uses S3 Transfer Acceleration, which must be enabled on the bucket.
    pub fn accelerate(mut self, on: bool) -> Self {
        self.addressing.accelerate = on;
        self
    }

    /// Connects to this host or address (`host`, `host:port`) while `Host` and SNI still name the endpoint: for a VPC
    /// endpoint or PrivateLink.
    pub fn connect_to(mut self, address: impl Into<String>) -> Self {
        self.connect_to = Some(address.into());
        self
    }

    /// Takes region, endpoint URL, FIPS, dual stack, credentials and time source from a configuration of the SDK, as
    /// far as it has them. Its HTTP client is ignored: every loaded configuration has one, and the built-in pool is
    /// cheaper; see [`TransportBuilder::http_client`](crate::transport::TransportBuilder::http_client).
    pub fn sdk_config(mut self, config: &SdkConfig) -> Self {
        if let Some(region) = config.region().filter(|region| !region.as_ref().is_empty()) {
            self.addressing.region = region.to_string();
        }
        if let Some(url) = endpoint_url(config) {
            self.endpoint_url = Some(url);
        }
        self.addressing.fips = config.use_fips().unwrap_or(self.addressing.fips);
        self.addressing.dual_stack = config.use_dual_stack().unwrap_or(self.addressing.dual_stack);
        if let Some(provider) = config.credentials_provider() {
            self.credentials = Some(provider.into());
        }
        if let Some(clock) = config.time_source() {
            self.clock = clock;
        }
        self
    }

    /// Takes region and endpoint URL from the environment and the AWS profile, as far as these name them.
    #[cfg(feature = "aws-config")]
    pub fn aws_settings(mut self, settings: &AwsSettings) -> Self {
        if let Some(region) = settings.region() {
            self.addressing.region = region.value().to_owned();
        }
        if let Some(url) = settings.endpoint_url() {
            self.endpoint_url = Some(url.value().to_owned());
        }
        self
    }

    /// The clock for signatures and expiry; the system's by default.
    pub fn time_source(mut self, clock: impl TimeSource + 'static) -> Self {
        self.clock = SharedTimeSource::new(clock);
        self
    }

    /// The transport of the requests: connections, certificates and time-outs. By default the one that mounts without
    /// their own share.
    pub fn transport(mut self, transport: &Transport) -> Self {
        self.transport = transport.clone();
        self
    }

    /// The number of requests to S3 that can be in flight at a time; 4096 by default. One is in flight from its sending until
    /// S3's response has been read, or is dropped. Reads for clients, fills of the cache and refreshes in the background
    /// count, and [credential sets](Self::credential_set) count together. What is answered from the cache does not.
    ///
    /// Beyond that, requests [wait](Self::max_queued). A response that has begun and needs S3 again waits however many do: for
    /// as long as the [response time-out](crate::transport::TransportBuilder::response_timeout), and for one request of the
    /// queue at most.
    pub fn max_in_flight(mut self, limit: usize) -> Self {
        self.in_flight.max_in_flight = limit;
        self
    }

    /// The number of requests that wait until fewer are [in flight](Self::max_in_flight); 256 by default, and 0 if none shall
    /// wait. Beyond that, clients get 503 at once ([`ProxyErrorKind::Overloaded`](crate::ProxyErrorKind::Overloaded)), or
    /// what is stale in the cache and may stand in.
    pub fn max_queued(mut self, limit: usize) -> Self {
        self.in_flight.max_queued = limit;
        self
    }

    /// How long a request [waits](Self::max_queued) until it is answered with 503; 1 s by default.
    pub fn queue_timeout(mut self, limit: Duration) -> Self {
        self.in_flight.queue_timeout = limit;
        self
    }
}

/// The endpoint URL that the SDK's own client of S3 would use: that of a program, of `AWS_ENDPOINT_URL_S3` or of the
/// profile's `services`, and then the one for all services.
fn endpoint_url(config: &SdkConfig) -> Option<String> {
    let general = config.endpoint_url().map(str::to_owned);
    let of_s3 = || {
        let key =
            ServiceConfigKey::builder().service_id("S3").env("AWS_ENDPOINT_URL").profile("endpoint_url");
        config.service_config()?.load_config(key.build().ok()?)
    };
    let url = match config.get_origin("endpoint_url").is_client_config() {
        true => general,
        false => of_s3().filter(|url| !url.is_empty()).or(general),
    };
    url.filter(|url| !url.is_empty())
}

#[cfg(test)]
mod tests {
    use aws_types::{origin::Origin, service_config::LoadServiceConfig};

    use super::*;

    /// What the environment and the profile say of S3.
    #[derive(Debug)]
    struct Said(Option<&'static str>);

    impl LoadServiceConfig for Said {
        fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
            (key.service_id() == "S3").then_some(self.0?.to_owned())
        }
    }

    #[test]
    fn a_configuration_of_the_sdk_has_the_endpoint_of_its_own_client() {
        let (program, variable) = (Origin::shared_config, Origin::shared_environment_variable);
        for (general, origin, of_s3, expected) in [
            (None, variable(), None, None),
            (Some("http://all"), variable(), None, Some("http://all")),
            (Some("http://all"), variable(), Some("http://s3"), Some("http://s3")),
            (Some("http://program"), program(), Some("http://s3"), Some("http://program")),
            (None, variable(), Some("http://s3"), Some("http://s3")),
            (Some("http://all"), variable(), Some(""), Some("http://all")),
            (Some(""), variable(), Some(""), None),
        ] {
            let mut builder = SdkConfig::builder().service_config(Said(of_s3));
            builder.set_endpoint_url(general.map(str::to_owned));
            builder.insert_origin("endpoint_url", origin);
            assert_eq!(endpoint_url(&builder.build()).as_deref(), expected, "{general:?} {of_s3:?}");
        }
    }
}
