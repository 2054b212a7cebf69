use std::{env, fmt, path::PathBuf, time::Duration};

use aws_credential_types::{
    Credentials,
    provider::{self, ProvideCredentials, error::CredentialsError, future},
};
use aws_sdk_sts::Client;

use super::{CredentialsSource, RoleArn, assumed::Assumed, session, source::SourceKind, sts::Sts};
use crate::error::{ConfigError, ConfigErrorKind};

/// A role that is assumed with a token of an identity provider, for IAM roles for service accounts (IRSA) on EKS and
/// other OpenID Connect set-ups. The token is read from its file each time.
///
/// ```no_run
/// use tower_s3_proxy::credentials::{RoleArn, WebIdentity};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let role = RoleArn::parse("arn:aws:iam::123456789012:role/media-reader")?;
/// let source = WebIdentity::new(role, "/var/run/secrets/token").region("us-west-2").build().await?;
/// # let _ = source;
/// # Ok(())
/// # }
/// ```
#[must_use = "a builder does nothing before `build`"]
#[derive(Debug)]
pub struct WebIdentity {
    role: RoleArn,
    token_file: PathBuf,
    session_name: Option<String>,
    duration: Option<Duration>,
    sts: Sts,
}

/// The SDK's own provider has no option for the endpoint or the duration.
struct Provider {
    role: RoleArn,
    token_file: PathBuf,
    session_name: String,
    duration_secs: Option<i32>,
    client: Client,
}

// === impl WebIdentity ===

impl WebIdentity {
    /// A session of one hour with this role, by the token in this file.
    pub fn new(role: RoleArn, token_file: impl Into<PathBuf>) -> Self {
        Self { role, token_file: token_file.into(), session_name: None, duration: None, sts: Sts::default() }
    }

    /// The variables that EKS sets in its pods: `AWS_ROLE_ARN`, `AWS_WEB_IDENTITY_TOKEN_FILE`, and
    /// `AWS_ROLE_SESSION_NAME` if set.
    ///
    /// # Errors
    ///
    /// [`ConfigErrorKind::Missing`] if one of the first two is not set; [`ConfigErrorKind::InvalidValue`] if the role's
    /// ARN is malformed.
    pub fn from_environment() -> Result<Self, ConfigError> {
        Self::from_variables(|name| env::var(name).ok())
    }

    fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let needed = |name: &str| {
            variable(name).filter(|value| !value.is_empty()).ok_or_else(|| {
                let message =
                    format!("{name} is not set: on EKS, the pod's service account has no role (IRSA)");
                ConfigError::new(ConfigErrorKind::Missing, message)
            })
        };
        let arn = needed("AWS_ROLE_ARN")?;
        let role = RoleArn::parse(arn.as_str())
            .map_err(|why| ConfigError::invalid("AWS_ROLE_ARN", &arn, &why).caused_by(why))?;
        let mut identity = Self::new(role, needed("AWS_WEB_IDENTITY_TOKEN_FILE")?);
        identity.session_name = variable("AWS_ROLE_SESSION_NAME").filter(|name| !name.is_empty());
        Ok(identity)
    }

    /// The session name, which the role's owner sees in CloudTrail; `tower-s3-proxy` by default. 2 to 64 letters,
    /// digits and characters of `_+=,.@-`.
    pub fn session_name(mut self, name: impl Into<String>) -> Self {
        self.session_name = Some(name.into());
        self
    }

    /// How long a session lasts, in whole seconds: 15 minutes to 12 hours, and at most what the role allows. STS's
    /// default is one hour.
    pub fn duration(mut self, duration: Duration) -> Self {
        self.duration = Some(duration);
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

    /// Checks everything except the file, which is read when credentials are needed.
    ///
    /// # Errors
    ///
    /// As [`AssumeRole::build`](super::AssumeRole::build).
    pub async fn build(self) -> Result<CredentialsSource, ConfigError> {
        let session_name = session::session_name(self.session_name)?;
        session::check_duration(self.duration, false)?;
        let duration_secs = self.duration.and_then(|duration| i32::try_from(duration.as_secs()).ok());
        let sts_endpoint = self.sts.endpoint().await;
        let client = Client::new(&self.sts.sdk_config().await?);
        let (role, token_file) = (self.role, self.token_file);
        let kind = SourceKind::WebIdentity(role.clone());
        let named = role.clone();
        let provider = Provider { role, token_file, session_name, duration_secs, client };
        Ok(CredentialsSource::new(kind, Assumed::new(named, provider)).known_to(sts_endpoint))
    }
}

// === impl Provider ===

impl Provider {
    async fn assume(&self) -> provider::Result {
        let token = tokio::fs::read_to_string(&self.token_file).await.map_err(|why| {
            let message = format!("the token file {} can't be read: {why}", self.token_file.display());
            CredentialsError::provider_error(message)
        })?;
        let assumed = self
            .client
            .assume_role_with_web_identity()
            .role_arn(self.role.as_str())
            .role_session_name(&self.session_name)
            .set_duration_seconds(self.duration_secs)
            .web_identity_token(token.trim_end())
            .send()
            .await
            .map_err(CredentialsError::provider_error)?;
        let keys = assumed
            .credentials
            .ok_or_else(|| CredentialsError::unhandled("STS's response has no credentials"))?;
        let expiry = keys.expiration.try_into().map_err(CredentialsError::unhandled)?;
        Ok(Credentials::new(
            keys.access_key_id,
            keys.secret_access_key,
            Some(keys.session_token),
            Some(expiry),
            "WebIdentity",
        ))
    }
}

impl ProvideCredentials for Provider {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.assume())
    }
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebIdentity").field("role", &self.role).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_is_told_its_role_by_variables() {
        let role = ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/pod");
        let token = ("AWS_WEB_IDENTITY_TOKEN_FILE", "/token");
        let read = |variables: &[(&str, &str)]| {
            WebIdentity::from_variables(|name| {
                let found = variables.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| (*value).to_owned())
            })
        };
        let identity = read(&[role, token, ("AWS_ROLE_SESSION_NAME", "pod-1")]).unwrap();
        assert_eq!(identity.role.name(), "pod");
        assert_eq!(identity.token_file, PathBuf::from("/token"));
        assert_eq!(identity.session_name.as_deref(), Some("pod-1"));
        for (variables, kind, message) in [
            (&[role][..], ConfigErrorKind::Missing, "AWS_WEB_IDENTITY_TOKEN_FILE is not set"),
            (&[token], ConfigErrorKind::Missing, "AWS_ROLE_ARN is not set"),
            (&[("AWS_ROLE_ARN", ""), token], ConfigErrorKind::Missing, "AWS_ROLE_ARN is not set"),
            (&[("AWS_ROLE_ARN", "pod"), token], ConfigErrorKind::InvalidValue, "must be like"),
        ] {
            let error = read(variables).unwrap_err();
            assert_eq!(error.kind(), kind, "{variables:?}");
            assert!(error.to_string().contains(message), "{error}");
        }
    }
}
