//! The SDK's usual sources, asked over the proxy's own HTTP and TLS stack.

use std::time::Duration;

use aws_config::{
    default_provider::credentials::DefaultCredentialsChain,
    environment::EnvironmentVariableCredentialsProvider, profile::ProfileFileCredentialsProvider,
    provider_config::ProviderConfig,
};
use aws_types::region::Region;

use super::{CredentialsSource, source::SourceKind};
use crate::{
    config::{ConfigError, ConfigErrorKind},
    origin::{PoolSettings, PooledClient, Pools, tls_connector},
};

/// The SDK's default chain: environment, profile files, web identity, ECS and EKS containers, EC2 instance metadata.
///
/// `region` is where STS is asked; `None` leaves it to the environment and the profile.
///
/// # Errors
///
/// [`ConfigErrorKind::Tls`] if the system has no trusted certificates. Whether there are credentials shows when
/// they are first needed.
pub async fn default_chain(region: Option<&str>) -> Result<CredentialsSource, ConfigError> {
    let mut chain = DefaultCredentialsChain::builder().configure(provider_config(region).await?);
    if let Some(region) = region {
        chain = chain.region(Region::new(region.to_owned()));
    }
    Ok(CredentialsSource::new(SourceKind::DefaultChain, chain.build().await))
}

/// `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`, read when credentials are needed.
pub fn from_environment() -> CredentialsSource {
    CredentialsSource::new(SourceKind::Environment, EnvironmentVariableCredentialsProvider::new())
}

/// A profile of `~/.aws/config` and `~/.aws/credentials`.
///
/// # Errors
///
/// [`ConfigErrorKind::Tls`] if the system has no trusted certificates.
pub async fn from_profile(name: &str) -> Result<CredentialsSource, ConfigError> {
    let config = provider_config(None).await?;
    let provider = ProfileFileCredentialsProvider::builder().profile_name(name).configure(&config).build();
    Ok(CredentialsSource::new(SourceKind::Profile(name.to_owned()), provider))
}

async fn provider_config(region: Option<&str>) -> Result<ProviderConfig, ConfigError> {
    let tls = tls_connector()
        .map_err(|why| ConfigError::new(ConfigErrorKind::Tls, why.to_string()).caused_by(why))?;
    let settings = PoolSettings {
        connect_to: None,
        // The metadata service is on the same machine, or absent.
        connect_timeout: Duration::from_secs(2),
        response_timeout: Duration::from_secs(5),
        max_idle: 1,
        idle_timeout: Duration::from_secs(10),
    };
    let client = PooledClient::new(Pools::new(settings, Some(tls)));
    let config = ProviderConfig::default().with_http_client(client);
    Ok(match region {
        Some(region) => config.with_region(Some(Region::new(region.to_owned()))),
        None => config.load_default_region().await,
    })
}
