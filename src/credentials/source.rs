use std::{any::Any, fmt};

use aws_credential_types::{
    Credentials,
    credential_fn::provide_credentials_fn,
    provider::{ProvideCredentials, SharedCredentialsProvider, error::CredentialsError, future},
};

use super::{ExternalId, RoleArn};

/// Where the credentials of a mount come from: any provider of the SDK, and a description of it.
///
/// Every [`ProvideCredentials`] converts into one. The functions of this [module](crate::credentials) make sources that
/// describe themselves, for diagnosis and policies.
///
/// ```
/// use tower_s3_proxy::credentials::{self, Credentials, CredentialsSource};
///
/// let source = CredentialsSource::from(Credentials::new("AKIDEXAMPLE", "not-a-secret", None, None, "example"));
/// assert_eq!(source.to_string(), "a provider of the program");
/// assert_eq!(credentials::from_environment().to_string(), "environment variables");
/// ```
#[derive(Clone)]
pub struct CredentialsSource {
    kind: SourceKind,
    signing: Signing,
    /// The URL of the STS that knows them, if that is not AWS's own.
    #[cfg(feature = "aws-config")]
    #[cfg_attr(not(feature = "diagnosis"), expect(dead_code, reason = "only the diagnosis asks it"))]
    sts_endpoint: Option<String>,
}

/// The description of a source, for people. Holds no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SourceKind {
    Anonymous,
    Keys,
    #[cfg(feature = "aws-config")]
    DefaultChain,
    #[cfg(feature = "aws-config")]
    Environment,
    #[cfg(feature = "aws-config")]
    Profile(String),
    #[cfg(feature = "aws-config")]
    Role {
        role: RoleArn,
        external_id: Option<ExternalId>,
        by: Box<SourceKind>,
    },
    #[cfg(feature = "aws-config")]
    WebIdentity(RoleArn),
    #[cfg(feature = "aws-config")]
    Container,
    #[cfg(feature = "aws-config")]
    Instance,
    #[cfg(feature = "aws-config")]
    Process,
    Custom,
}

/// Whose signature requests bear.
#[derive(Clone)]
pub(crate) enum Signing {
    /// None: the bucket is public.
    Anonymous,
    By(SharedCredentialsProvider),
}

/// Takes an empty session token for none. Files, processes and metadata services of others write one, and S3 refuses it.
#[derive(Debug)]
struct TokenOrNone(SharedCredentialsProvider);

/// Keys that never change. `session_token` is `None` for those of an IAM user.
///
/// ```
/// use tower_s3_proxy::credentials;
///
/// let source = credentials::fixed("AKIDEXAMPLE", "not-a-secret", None);
/// assert_eq!(source.to_string(), "fixed keys");
/// ```
pub fn fixed(
    access_key_id: impl Into<String>,
    secret_access_key: impl Into<String>,
    session_token: Option<String>,
) -> CredentialsSource {
    from_keys(Credentials::new(access_key_id, secret_access_key, session_token, None, "fixed keys"))
}

pub(crate) fn from_keys(keys: Credentials) -> CredentialsSource {
    CredentialsSource::new(SourceKind::Keys, keys)
}

/// An async function of yours, called when credentials are needed and again before they expire.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use tower_s3_proxy::credentials::{self, Credentials};
///
/// # async fn log_in() -> std::io::Result<(String, String)> { unimplemented!() }
/// let source = credentials::from_fn(|| async {
///     let (id, secret) = log_in().await.map_err(credentials::CredentialsError::provider_error)?;
///     let expiry = SystemTime::now() + Duration::from_secs(3600);
///     Ok(Credentials::new(id, secret, None, Some(expiry), "vault"))
/// });
/// # let _ = source;
/// ```
pub fn from_fn<F, Fut>(provide: F) -> CredentialsSource
where
    F: Fn() -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Credentials, CredentialsError>> + Send + 'static,
{
    CredentialsSource::new(SourceKind::Custom, provide_credentials_fn(provide))
}

// === impl CredentialsSource ===

impl CredentialsSource {
    /// Signs nothing: for a public bucket.
    pub fn anonymous() -> Self {
        Self::of(SourceKind::Anonymous, Signing::Anonymous)
    }

    pub(super) fn new(kind: SourceKind, provider: impl ProvideCredentials + 'static) -> Self {
        let provider = match (&provider as &dyn Any).downcast_ref::<SharedCredentialsProvider>() {
            Some(shared) => shared.clone(),
            None => SharedCredentialsProvider::new(provider),
        };
        Self::of(kind, Signing::By(SharedCredentialsProvider::new(TokenOrNone(provider))))
    }

    fn of(kind: SourceKind, signing: Signing) -> Self {
        Self {
            kind,
            signing,
            #[cfg(feature = "aws-config")]
            sts_endpoint: None,
        }
    }

    #[cfg(feature = "aws-config")]
    pub(super) fn known_to(self, sts_endpoint: Option<String>) -> Self {
        Self { sts_endpoint, ..self }
    }

    #[cfg(feature = "diagnosis")]
    pub(crate) fn sts_endpoint(&self) -> Option<&str> {
        #[cfg(feature = "aws-config")]
        return self.sts_endpoint.as_deref();
        #[cfg(not(feature = "aws-config"))]
        None
    }

    /// The role that signs, if the source [assumes](super::AssumeRole) one.
    pub fn role_arn(&self) -> Option<&RoleArn> {
        match &self.kind {
            #[cfg(feature = "aws-config")]
            SourceKind::Role { role, .. } | SourceKind::WebIdentity(role) => Some(role),
            _ => None,
        }
    }

    /// The External ID with which the source assumes its role, if any.
    pub fn external_id(&self) -> Option<&ExternalId> {
        match &self.kind {
            #[cfg(feature = "aws-config")]
            SourceKind::Role { external_id, .. } => external_id.as_ref(),
            _ => None,
        }
    }

    #[cfg(feature = "aws-config")]
    pub(super) fn kind(&self) -> &SourceKind {
        &self.kind
    }

    pub(crate) fn signing(&self) -> &Signing {
        &self.signing
    }
}

impl<P: ProvideCredentials + 'static> From<P> for CredentialsSource {
    fn from(provider: P) -> Self {
        Self::new(SourceKind::Custom, provider)
    }
}

impl fmt::Display for CredentialsSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.kind, f)
    }
}

impl fmt::Debug for CredentialsSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CredentialsSource").field(&self.kind).finish()
    }
}

// === impl TokenOrNone ===

impl TokenOrNone {
    fn mend(credentials: Credentials) -> Credentials {
        if credentials.session_token() != Some("") {
            return credentials;
        }
        let mut mended = Credentials::builder()
            .access_key_id(credentials.access_key_id())
            .secret_access_key(credentials.secret_access_key())
            .provider_name("a provider with an empty session token");
        mended.set_expiry(credentials.expiry());
        mended.set_account_id(credentials.account_id().cloned());
        mended.build()
    }
}

impl ProvideCredentials for TokenOrNone {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async { self.0.provide_credentials().await.map(Self::mend) })
    }

    fn fallback_on_interrupt(&self) -> Option<Credentials> {
        // The wrapper itself has no fallback, but the wrapped provider may have one.
        self.0.as_ref().fallback_on_interrupt().map(Self::mend)
    }
}

// === impl SourceKind ===

#[cfg(feature = "aws-config")]
impl SourceKind {
    /// Whether its credentials certainly belong to a session: a role that they assume is then a chained role.
    pub(super) fn is_session(&self) -> bool {
        match self {
            Self::Role { .. } | Self::WebIdentity(_) | Self::Container | Self::Instance => true,
            Self::Anonymous
            | Self::Keys
            | Self::DefaultChain
            | Self::Environment
            | Self::Profile(_)
            | Self::Process
            | Self::Custom => false,
        }
    }
}

impl fmt::Display for SourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous => f.write_str("none: requests are not signed"),
            Self::Keys => f.write_str("fixed keys"),
            #[cfg(feature = "aws-config")]
            Self::DefaultChain => f.write_str("the default chain"),
            #[cfg(feature = "aws-config")]
            Self::Environment => f.write_str("environment variables"),
            #[cfg(feature = "aws-config")]
            Self::Profile(name) => write!(f, "the profile {name:?}"),
            #[cfg(feature = "aws-config")]
            Self::Role { role, external_id, by } => {
                let given = if external_id.is_some() { " (External ID given)" } else { "" };
                write!(f, "the role {role}{given}, assumed by {by}")
            }
            #[cfg(feature = "aws-config")]
            Self::WebIdentity(role) => write!(f, "the role {role}, assumed by a web identity"),
            #[cfg(feature = "aws-config")]
            Self::Container => f.write_str("the container's credentials"),
            #[cfg(feature = "aws-config")]
            Self::Instance => f.write_str("the instance's metadata"),
            #[cfg(feature = "aws-config")]
            Self::Process => f.write_str("a process"),
            Self::Custom => f.write_str("a provider of the program"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Hanging;

    impl ProvideCredentials for Hanging {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            future::ProvideCredentials::new(std::future::pending())
        }

        fn fallback_on_interrupt(&self) -> Option<Credentials> {
            Some(Credentials::new("AKIDLAST", "not-a-secret", Some(String::new()), None, "last"))
        }
    }

    #[test]
    fn what_a_provider_falls_back_on_is_kept() {
        for source in [
            CredentialsSource::from(Hanging),
            CredentialsSource::from(SharedCredentialsProvider::new(Hanging)),
        ] {
            let Signing::By(provider) = source.signing() else { panic!("it signs") };
            let last = provider.as_ref().fallback_on_interrupt();
            assert_eq!(last.as_ref().map(Credentials::access_key_id), Some("AKIDLAST"));
            assert_eq!(last.as_ref().and_then(Credentials::session_token), None);
        }
    }

    #[tokio::test]
    async fn an_empty_session_token_is_none_and_the_rest_stays() {
        let expiry = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(4_000_000_000);
        for (token, expected) in [(Some(""), None), (Some("token"), Some("token")), (None, None)] {
            let keys = Credentials::new(
                "AKIDEXAMPLE",
                "not-a-secret",
                token.map(str::to_owned),
                Some(expiry),
                "test",
            );
            let Signing::By(provider) = CredentialsSource::from(keys).signing().clone() else {
                panic!("it signs")
            };
            let got = provider.provide_credentials().await.unwrap();
            assert_eq!(got.session_token(), expected, "{token:?}");
            assert_eq!((got.access_key_id(), got.secret_access_key()), ("AKIDEXAMPLE", "not-a-secret"));
            assert_eq!(got.expiry(), Some(expiry));
        }
    }
}
