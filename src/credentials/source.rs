use std::fmt;

use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};

/// Where the credentials of a mount come from: any provider of the SDK, together with what is known of it.
///
/// Every [`ProvideCredentials`] becomes one; the functions of this [module](crate::credentials) make such that can say
/// what they are, which diagnosis and policies tell.
///
/// ```
/// use tower_s3_proxy::credentials::{Credentials, CredentialsSource};
///
/// let source = CredentialsSource::from(Credentials::new("AKIDEXAMPLE", "not-a-secret", None, None, "example"));
/// assert_eq!(source.to_string(), "a provider of the program");
/// ```
#[derive(Clone)]
pub struct CredentialsSource {
    kind: SourceKind,
    signing: Signing,
}

/// What a source is, for people. Holds no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SourceKind {
    Anonymous,
    #[cfg(feature = "aws-config")]
    DefaultChain,
    #[cfg(feature = "aws-config")]
    Environment,
    #[cfg(feature = "aws-config")]
    Profile(String),
    Custom,
}

/// Whose signature requests bear.
#[derive(Clone)]
pub(crate) enum Signing {
    /// None: the bucket is public.
    Anonymous,
    By(SharedCredentialsProvider),
}

// === impl CredentialsSource ===

impl CredentialsSource {
    /// Signs nothing: for a public bucket.
    pub fn anonymous() -> Self {
        Self { kind: SourceKind::Anonymous, signing: Signing::Anonymous }
    }

    #[cfg(feature = "aws-config")]
    pub(super) fn new(kind: SourceKind, provider: impl ProvideCredentials + 'static) -> Self {
        Self { kind, signing: Signing::By(SharedCredentialsProvider::new(provider)) }
    }

    pub(crate) fn signing(&self) -> &Signing {
        &self.signing
    }
}

impl<P: ProvideCredentials + 'static> From<P> for CredentialsSource {
    fn from(provider: P) -> Self {
        let signing = Signing::By(SharedCredentialsProvider::new(provider));
        Self { kind: SourceKind::Custom, signing }
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

// === impl SourceKind ===

impl fmt::Display for SourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous => f.write_str("none: requests are not signed"),
            #[cfg(feature = "aws-config")]
            Self::DefaultChain => f.write_str("the default chain"),
            #[cfg(feature = "aws-config")]
            Self::Environment => f.write_str("environment variables"),
            #[cfg(feature = "aws-config")]
            Self::Profile(name) => write!(f, "the profile {name:?}"),
            Self::Custom => f.write_str("a provider of the program"),
        }
    }
}
