//! The way to STS, over the proxy's own HTTP and TLS stack.

use aws_smithy_async::time::SharedTimeSource;
use aws_types::{SdkConfig, region::Region};

use super::{ambient::Ambient, settings::AwsSettings};
use crate::{
    error::{ConfigError, ConfigErrorKind},
    origin::EndpointUrl,
};

/// The endpoint of STS, and the clock for its signatures.
#[derive(Debug, Default)]
pub(super) struct Sts {
    pub(super) region: Option<String>,
    pub(super) endpoint_url: Option<String>,
    pub(super) clock: Option<SharedTimeSource>,
}

/// The URL of STS for this profile, or for that of `AWS_PROFILE`. A profile that cannot be read says so when its credentials
/// are needed.
pub(super) async fn endpoint_of(ambient: &Ambient, profile: Option<&str>) -> Option<String> {
    let settings = AwsSettings::from(ambient, profile).await.ok()?;
    settings.sts_endpoint_url().map(|setting| setting.value().to_owned())
}

// === impl Sts ===

impl Sts {
    /// The URL of STS, if it is not AWS's own.
    pub(super) async fn endpoint(&self) -> Option<String> {
        match &self.endpoint_url {
            Some(url) => Some(url.clone()),
            None => endpoint_of(&Ambient::of_process().await, None).await,
        }
    }

    /// The configuration of an STS client. For options that are not set, the environment and the profile count, as for
    /// every AWS tool.
    pub(super) async fn sdk_config(self) -> Result<SdkConfig, ConfigError> {
        let mut loader = Ambient::of_process().await.loader()?.no_credentials();
        if let Some(url) = self.endpoint_url {
            let url = EndpointUrl::parse("the STS endpoint URL", url)?;
            // Servers that speak STS's protocol rarely care.
            loader = loader.endpoint_url(url.to_string()).region(Region::from_static("us-east-1"));
        }
        if let Some(region) = self.region {
            loader = loader.region(Region::new(region));
        }
        if let Some(clock) = self.clock {
            loader = loader.time_source(clock);
        }
        let config = loader.load().await;
        if config.region().is_none() {
            let message = "the region of STS is not known: give one, or set AWS_REGION";
            return Err(ConfigError::new(ConfigErrorKind::Missing, message));
        }
        Ok(config)
    }
}
