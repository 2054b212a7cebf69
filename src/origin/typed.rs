//! The SDK's own client for calls outside the read lane, with the same addressing, credentials, clock and connections.

use std::sync::Arc;

use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, error::CredentialsError, future},
};
use aws_sdk_s3::{
    Client, Config,
    config::{BehaviorVersion, Builder, IdentityCache, Region},
};
use aws_smithy_async::rt::sleep::TokioSleep;

use super::{
    AuthScheme, CredentialCache, EndpointUrl, S3Origin, WireClient,
    budget::CountCalls,
    endpoint::{Addressing, EndpointError},
    terms::TellTerms,
    wire::PooledClient,
};
use crate::object::BucketName;

impl S3Origin {
    /// A client for the bucket, in the region that the proxy now uses for it.
    pub(crate) fn typed_client(&self, bucket: &BucketName) -> Result<Client, EndpointError> {
        let config = self.config_for(bucket)?;
        if self.resilience.spending.is_none() {
            return Ok(Client::from_conf(config.build()));
        }
        let (resilience, clock, bucket) = (Arc::clone(&self.resilience), self.clock.clone(), bucket.clone());
        Ok(Client::from_conf(config.interceptor(CountCalls { resilience, clock, bucket }).build()))
    }

    /// The same for checks, which no budget counts.
    #[cfg(feature = "diagnosis")]
    pub(crate) fn checking_client(&self, bucket: &BucketName) -> Result<Client, EndpointError> {
        Ok(Client::from_conf(self.config_for(bucket)?.build()))
    }

    fn config_for(&self, bucket: &BucketName) -> Result<Builder, EndpointError> {
        let place = self.place(bucket)?;
        let session = match (place.auth(), &place.credentials) {
            (AuthScheme::Session, Some(session)) => Some(session.clone()),
            (AuthScheme::Session, None) | (AuthScheme::Credentials, _) => None,
        };
        Ok(self.config_in(&place.region, session))
    }

    /// A client in a region, with the origin's credentials, and with this session where a bucket needs one. It caches
    /// no credentials itself.
    pub(super) fn client_in(&self, region: &str, session: Option<CredentialCache>) -> Client {
        Client::from_conf(self.config_in(region, session).build())
    }

    fn config_in(&self, region: &str, session: Option<CredentialCache>) -> Builder {
        let Addressing { endpoint_url, path_style, fips, dual_stack, accelerate, .. } = &self.addressing;
        let mut config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(region.to_owned()))
            .force_path_style(*path_style)
            .use_fips(*fips)
            .use_dual_stack(*dual_stack)
            .accelerate(*accelerate)
            .disable_s3_express_session_auth(false)
            .identity_cache(IdentityCache::no_cache())
            .time_source(self.clock.clone())
            .sleep_impl(TokioSleep::new())
            .interceptor(TellTerms::new(&self.terms));
        config.set_endpoint_url(endpoint_url.as_ref().map(EndpointUrl::with_final_slash));
        let config = match &self.client {
            WireClient::Pools(pools) => config.http_client(PooledClient::new(pools.clone())),
            WireClient::Sdk(client) => config.http_client(client.client.clone()),
        };
        let config = match session {
            Some(session) => config.express_credentials_provider(session),
            None => config,
        };
        match &self.credentials {
            Some(credentials) => config.credentials_provider(credentials.clone()),
            None => config.allow_no_auth(),
        }
    }
}

impl ProvideCredentials for CredentialCache {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            let identity = match self.at_hand() {
                Some(identity) => identity,
                None => self.fetch().await.map_err(CredentialsError::not_loaded)?,
            };
            Ok::<Credentials, _>(identity.credentials().clone())
        })
    }
}
