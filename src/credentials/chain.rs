//! The SDK's usual sources, over the proxy's own HTTP and TLS stack.

use std::time::Duration;

use aws_config::{
    credential_process::CredentialProcessProvider,
    ecs::EcsCredentialsProvider,
    environment::EnvironmentVariableCredentialsProvider,
    imds::{self, credentials::ImdsCredentialsProvider},
    profile::ProfileFileCredentialsProvider,
    provider_config::ProviderConfig,
};
use aws_types::{SdkConfig, region::Region};

use super::{CredentialsSource, ambient::Ambient, source::SourceKind, sts::endpoint_of};
use crate::{
    error::{ConfigError, ConfigErrorKind},
    origin::{
        DialSettings, EndpointUrl, PoolSettings, PooledClient, Pools, TCP_KEEP_ALIVE, TCP_USER_TIMEOUT,
        proxies_of_environment, trusted,
    },
};

/// The SDK's default chain: environment, profile files, web identity, ECS and EKS containers, EC2 instance metadata.
///
/// `region` is that of the STS endpoint; `None` leaves it to the environment and the profile.
///
/// # Errors
///
/// [`ConfigErrorKind::Tls`](crate::ConfigErrorKind::Tls) if the system has no trusted certificates. Missing credentials
/// show only when they are first needed.
pub async fn default_chain(region: Option<&str>) -> Result<CredentialsSource, ConfigError> {
    let ambient = Ambient::of_process().await;
    let loader = ambient.loader()?;
    let loader = match region {
        Some(region) => loader.region(Region::new(region.to_owned())),
        None => loader,
    };
    let source = found(SourceKind::DefaultChain, &loader.load().await)?;
    Ok(source.known_to(endpoint_of(&ambient, None).await))
}

/// The credentials of a loaded configuration.
fn found(kind: SourceKind, config: &SdkConfig) -> Result<CredentialsSource, ConfigError> {
    let provider = config.credentials_provider().ok_or_else(|| {
        ConfigError::new(ConfigErrorKind::Missing, "the SDK's configuration has no source of credentials")
    })?;
    Ok(CredentialsSource::new(kind, provider))
}

/// `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`, read when credentials are needed.
pub fn from_environment() -> CredentialsSource {
    CredentialsSource::new(SourceKind::Environment, EnvironmentVariableCredentialsProvider::new())
}

/// A profile of `~/.aws/config` and `~/.aws/credentials`: keys, a role with its `source_profile`, a web identity, or a
/// `credential_process`. One with SSO needs the feature `sso` of `aws-config`.
///
/// # Errors
///
/// [`ConfigErrorKind::Tls`](crate::ConfigErrorKind::Tls) if the system has no trusted certificates.
pub async fn from_profile(name: &str) -> Result<CredentialsSource, ConfigError> {
    let (kind, ambient) = (SourceKind::Profile(name.to_owned()), Ambient::of_process().await);
    let sts_endpoint = endpoint_of(&ambient, Some(name)).await;
    if ambient.is_filtered() {
        // The SDK's provider for a profile reads the environment of the process, with its empty variables.
        let source = found(kind, &ambient.loader_of_profile(name)?.load().await)?;
        return Ok(source.known_to(sts_endpoint));
    }
    let config = ProviderConfig::default().with_http_client(http_client()?).load_default_region().await;
    let mut provider = ProfileFileCredentialsProvider::builder().profile_name(name).configure(&config);
    if let Some(files) = ambient.files() {
        provider = provider.profile_files(files.clone());
    }
    Ok(CredentialsSource::new(kind, provider.build()).known_to(sts_endpoint))
}

/// The credentials that the platform offers to a container: an ECS task role, or EKS Pod Identity.
/// `AWS_CONTAINER_CREDENTIALS_RELATIVE_URI` or `AWS_CONTAINER_CREDENTIALS_FULL_URI`, with the token of
/// `AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE` or `AWS_CONTAINER_AUTHORIZATION_TOKEN`, are read when credentials are
/// needed.
///
/// # Errors
///
/// [`ConfigErrorKind::Tls`](crate::ConfigErrorKind::Tls) if the system has no trusted certificates.
pub fn from_container() -> Result<CredentialsSource, ConfigError> {
    let config = ProviderConfig::default().with_http_client(http_client()?);
    let provider = EcsCredentialsProvider::builder().configure(&config).build();
    Ok(CredentialsSource::new(SourceKind::Container, provider))
}

/// The role of an EC2 instance, from its metadata service (IMDSv2: never without a token).
///
/// `endpoint_url` is the URL of that service, if neither `AWS_EC2_METADATA_SERVICE_ENDPOINT` nor the usual address is
/// right.
///
/// # Errors
///
/// [`ConfigErrorKind::InvalidValue`](crate::ConfigErrorKind::InvalidValue) for a malformed URL;
/// [`ConfigErrorKind::Tls`](crate::ConfigErrorKind::Tls) if the system has no trusted certificates.
pub fn from_instance(endpoint_url: Option<&str>) -> Result<CredentialsSource, ConfigError> {
    let config = ProviderConfig::default().with_http_client(http_client()?);
    let mut client = imds::Client::builder().configure(&config);
    if let Some(url) = endpoint_url {
        const FIELD: &str = "the metadata endpoint URL";
        let url = EndpointUrl::parse(FIELD, url)?.to_string();
        let invalid = |why| ConfigError::invalid(FIELD, &url, &why).caused_by(why);
        client = client.endpoint(&url).map_err(invalid)?;
    }
    let provider = ImdsCredentialsProvider::builder().configure(&config).imds_client(client.build()).build();
    Ok(CredentialsSource::new(SourceKind::Instance, provider))
}

/// A command that prints credentials in the form of `credential_process` (AWS SDKs and Tools Reference Guide, "Process
/// credential provider"). `sh -c` runs it when credentials are needed.
///
/// If it fails, its standard error is logged.
pub fn from_process(command: impl Into<String>) -> CredentialsSource {
    CredentialsSource::new(SourceKind::Process, CredentialProcessProvider::new(command.into()))
}

pub(super) fn http_client() -> Result<PooledClient, ConfigError> {
    let settings = PoolSettings {
        // The metadata service is on the same machine, or absent.
        dial: DialSettings {
            connect_timeout: Duration::from_secs(2),
            tcp_keep_alive: TCP_KEEP_ALIVE,
            tcp_user_timeout: TCP_USER_TIMEOUT,
        },
        tls_timeout: Duration::from_secs(2),
        response_timeout: Duration::from_secs(5),
        read_timeout: Duration::from_secs(5),
        max_connections: 16,
        max_idle: 1,
        idle_timeout: Duration::from_secs(10),
        max_age: Duration::from_secs(60),
    };
    let pools = Pools::new(settings).with_tls(Some(trusted()?)).through(proxies_of_environment()?);
    Ok(PooledClient::new(pools))
}
