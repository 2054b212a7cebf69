//! Sessions with directory buckets: S3 Express One Zone accepts signatures by credentials that the bucket itself
//! issues, and that last for five minutes ([S3 API,
//! CreateSession](https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateSession.html)).

use std::fmt;

use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, SharedCredentialsProvider, error::CredentialsError, future},
};
use aws_sdk_s3::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    operation::create_session::CreateSessionError,
    types::{SessionCredentials, SessionMode},
};
use aws_smithy_async::time::SharedTimeSource;

use super::{AuthScheme, CredentialCache, RefreshPolicy, S3ErrorCode, S3Origin, sdk_error::call_refusal};
use crate::{object::BucketName, terms::Grant};

/// Opens sessions with one bucket.
struct Sessions {
    client: Client,
    bucket: BucketName,
    mode: SessionMode,
    /// The credentials that open the sessions.
    credentials: CredentialCache,
}

impl S3Origin {
    /// The credentials that sign the reads of a bucket.
    pub(super) fn credentials_for(
        &self,
        bucket: &BucketName,
        auth: AuthScheme,
        region: &str,
    ) -> Option<CredentialCache> {
        let credentials = self.credentials.clone()?;
        match auth {
            AuthScheme::Credentials => Some(credentials),
            AuthScheme::Session => {
                let mode = match self.terms.grant {
                    Grant::Read => SessionMode::ReadOnly,
                    Grant::ReadWrite => SessionMode::ReadWrite,
                };
                let client = self.client_in(region, None);
                let sessions = Sessions { client, bucket: bucket.clone(), mode, credentials };
                let provider = SharedCredentialsProvider::new(sessions);
                let clock = SharedTimeSource::new(self.clock.clone());
                Some(CredentialCache::new(provider, clock, RefreshPolicy::HALFWAY))
            }
        }
    }
}

// === impl Sessions ===

impl Sessions {
    async fn open(&self) -> Result<Credentials, CredentialsError> {
        let used = match self.credentials.at_hand() {
            Some(identity) => identity,
            None => self.credentials.fetch().await.map_err(CredentialsError::not_loaded)?,
        };
        let mut opened = self.ask().await;
        if let Err(why) = &opened
            && why.code().is_some_and(|code| S3ErrorCode::parse(code) == S3ErrorCode::Credentials)
            && self.credentials.renew(&used).await.map_err(CredentialsError::not_loaded)?
        {
            opened = self.ask().await;
        }
        let session = opened.map_err(|why| CredentialsError::provider_error(self.refusal(&why)))?;
        let session = session.ok_or_else(|| CredentialsError::unhandled("the session has no credentials"))?;
        let expiry = session.expiration.try_into().map_err(CredentialsError::unhandled)?;
        Ok(Credentials::new(
            session.access_key_id,
            session.secret_access_key,
            Some(session.session_token),
            Some(expiry),
            "S3 Express session",
        ))
    }

    async fn ask(&self) -> Result<Option<SessionCredentials>, SdkError<CreateSessionError>> {
        let request = self.client.create_session().bucket(self.bucket.as_str());
        Ok(request.session_mode(self.mode.clone()).send().await?.credentials)
    }

    fn refusal(&self, error: &SdkError<CreateSessionError>) -> String {
        let why = call_refusal(error, "s3express:CreateSession");
        format!("no session with the bucket {}: {why}", self.bucket)
    }
}

impl ProvideCredentials for Sessions {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.open())
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions")
            .field("bucket", &self.bucket)
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}
