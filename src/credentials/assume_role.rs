use std::time::Duration;

use aws_config::sts::AssumeRoleProvider;
use aws_smithy_async::time::{SharedTimeSource, TimeSource};

use super::{
    CredentialsSource, ExternalId, RoleArn,
    assumed::Assumed,
    default_chain, session,
    source::{Signing, SourceKind},
    sts::Sts,
};
use crate::error::{ConfigError, ConfigErrorKind};

/// A role that is assumed through STS: how a bucket's owner lends access without giving keys away.
///
/// ```no_run
/// use tower_s3_proxy::credentials::{AssumeRole, ExternalId, RoleArn};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let source = AssumeRole::new(RoleArn::parse("arn:aws:iam::123456789012:role/media-reader")?)
///     .external_id(ExternalId::parse("studio:2031")?)
///     .region("us-west-2")
///     .build()
///     .await?;
/// assert_eq!(
///     source.to_string(),
///     "the role arn:aws:iam::123456789012:role/media-reader (External ID given), assumed by the default chain"
/// );
/// # Ok(())
/// # }
/// ```
///
/// For role chaining, the [source](Self::source) is the role that assumes this one.
#[must_use = "a builder does nothing before `build`"]
#[derive(Debug)]
pub struct AssumeRole {
    role: RoleArn,
    external_id: Option<ExternalId>,
    session_name: Option<String>,
    duration: Option<Duration>,
    session_policy: Option<String>,
    policy_arns: Vec<String>,
    source: Option<CredentialsSource>,
    sts: Sts,
}

// === impl AssumeRole ===

impl AssumeRole {
    /// A session of one hour with this role, assumed by the default chain's credentials.
    pub fn new(role: RoleArn) -> Self {
        Self {
            role,
            external_id: None,
            session_name: None,
            duration: None,
            session_policy: None,
            policy_arns: Vec::new(),
            source: None,
            sts: Sts::default(),
        }
    }

    /// The External ID that the role's trust policy requires (`sts:ExternalId`).
    pub fn external_id(mut self, id: ExternalId) -> Self {
        self.external_id = Some(id);
        self
    }

    /// The session name, which the role's owner sees in CloudTrail; `tower-s3-proxy` by default. 2 to 64 letters,
    /// digits and characters of `_+=,.@-`.
    pub fn session_name(mut self, name: impl Into<String>) -> Self {
        self.session_name = Some(name.into());
        self
    }

    /// How long a session lasts, in whole seconds: 15 minutes to 12 hours, at most what the role allows, and at most
    /// one hour for a role that another role assumes. STS's default is one hour.
    pub fn duration(mut self, duration: Duration) -> Self {
        self.duration = Some(duration);
        self
    }

    /// A policy that limits the session further than the role's own: JSON, at most 2048 characters.
    pub fn session_policy(mut self, json: impl Into<String>) -> Self {
        self.session_policy = Some(json.into());
        self
    }

    /// Adds a managed policy that limits the session further than the role's own; at most ten.
    pub fn policy_arn(mut self, arn: impl Into<String>) -> Self {
        self.policy_arns.push(arn.into());
        self
    }

    /// The credentials that assume the role: any source, including another role; the default chain by default.
    pub fn source(mut self, source: impl Into<CredentialsSource>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The region of the STS endpoint; by default that of the environment or the profile.
    pub fn region(mut self, name: impl Into<String>) -> Self {
        self.sts.region = Some(name.into());
        self
    }

    /// The URL of STS, for a server other than AWS's or an endpoint of your own.
    pub fn endpoint_url(mut self, url: impl Into<String>) -> Self {
        self.sts.endpoint_url = Some(url.into());
        self
    }

    /// The clock for signing requests to STS; the system's by default.
    pub fn time_source(mut self, clock: impl TimeSource + 'static) -> Self {
        self.sts.clock = Some(SharedTimeSource::new(clock));
        self
    }

    /// Checks everything without asking STS: the first need for credentials shows whether the role can be assumed.
    ///
    /// # Errors
    ///
    /// [`ConfigErrorKind::InvalidValue`] if STS would refuse the session name, the duration, a policy or the URL;
    /// [`ConfigErrorKind::Contradiction`] if the source signs nothing, or is a role and the duration is above one hour;
    /// [`ConfigErrorKind::Missing`] if no region is known; [`ConfigErrorKind::Tls`] if the system has no trusted
    /// certificates.
    pub async fn build(self) -> Result<CredentialsSource, ConfigError> {
        let is_chained = self.source.as_ref().is_some_and(|source| source.kind().is_session());
        let name = session::session_name(self.session_name)?;
        session::check_duration(self.duration, is_chained)?;
        session::check_policy(self.session_policy.as_deref())?;
        session::check_policy_arns(&self.policy_arns)?;

        let sts_endpoint = self.sts.endpoint().await;
        let config = self.sts.sdk_config().await?;
        let source = match self.source {
            Some(source) => source,
            None => default_chain(config.region().map(AsRef::as_ref)).await?,
        };
        let Signing::By(provider) = source.signing() else {
            let message = "a role can't be assumed without credentials: give a source that is not anonymous";
            return Err(ConfigError::new(ConfigErrorKind::Contradiction, message));
        };

        let mut builder =
            AssumeRoleProvider::builder(self.role.as_str()).configure(&config).session_name(name);
        if let Some(id) = &self.external_id {
            builder = builder.external_id(id.as_str());
        }
        if let Some(duration) = self.duration {
            builder = builder.session_length(duration);
        }
        if let Some(policy) = self.session_policy {
            builder = builder.policy(policy);
        }
        if !self.policy_arns.is_empty() {
            builder = builder.policy_arns(self.policy_arns);
        }
        let provider = builder.build_from_provider(provider.clone()).await;
        let by = Box::new(source.kind().clone());
        let provider = Assumed::new(self.role.clone(), provider);
        let kind = SourceKind::Role { role: self.role, external_id: self.external_id, by };
        Ok(CredentialsSource::new(kind, provider).known_to(sts_endpoint))
    }
}
