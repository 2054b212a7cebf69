//! Where credentials come from.
//!
//! Anything that is the SDK's [`ProvideCredentials`] fits [`MountBuilder::credentials`](crate::MountBuilder::credentials):
//! [`Credentials`] themselves for fixed keys, the providers of `aws-config`, or your own (see `examples/credentials.rs`).
//! A public bucket needs none ([`MountBuilder::anonymous`](crate::MountBuilder::anonymous)).
//!
//! With the feature `aws-config` (on by default), this module also has the SDK's usual sources, called over the proxy's
//! own HTTP and TLS stack.

pub use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, SharedCredentialsProvider, error::CredentialsError, future},
};
#[cfg(feature = "aws-config")]
pub use chain::{default_chain, from_environment, from_profile};

#[cfg(feature = "aws-config")]
mod chain {
    use std::time::Duration;

    use aws_config::{
        default_provider::credentials::DefaultCredentialsChain,
        environment::EnvironmentVariableCredentialsProvider, profile::ProfileFileCredentialsProvider,
        provider_config::ProviderConfig,
    };
    use aws_credential_types::provider::SharedCredentialsProvider;
    use aws_types::region::Region;

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
    pub async fn default_chain(region: Option<&str>) -> Result<SharedCredentialsProvider, ConfigError> {
        let mut chain = DefaultCredentialsChain::builder().configure(provider_config(region).await?);
        if let Some(region) = region {
            chain = chain.region(Region::new(region.to_owned()));
        }
        Ok(SharedCredentialsProvider::new(chain.build().await))
    }

    /// `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`, read when credentials are needed.
    pub fn from_environment() -> SharedCredentialsProvider {
        SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new())
    }

    /// A profile of `~/.aws/config` and `~/.aws/credentials`.
    ///
    /// # Errors
    ///
    /// [`ConfigErrorKind::Tls`] if the system has no trusted certificates.
    pub async fn from_profile(name: &str) -> Result<SharedCredentialsProvider, ConfigError> {
        let config = provider_config(None).await?;
        let provider =
            ProfileFileCredentialsProvider::builder().profile_name(name).configure(&config).build();
        Ok(SharedCredentialsProvider::new(provider))
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
}
