//! Where credentials come from: keys, the AWS default chain, profiles, roles, web identities, metadata services.
//!
//! [`MountBuilder::credentials`](crate::MountBuilder::credentials) takes every [`ProvideCredentials`] of the SDK:
//! [`Credentials`] themselves for fixed keys, the providers of `aws-config`, or your own (see
//! `examples/credentials.rs`). The functions and builders of this module make sources that can describe themselves.
//!
//! | credentials of | source |
//! |---|---|
//! | nobody: the bucket is public | [`CredentialsSource::anonymous`] |
//! | a user, with keys | [`fixed`] |
//! | a function of the program | [`from_fn`] |
//! | whatever is found | `default_chain` |
//! | environment variables | `from_environment` |
//! | a profile of the AWS CLI | `from_profile` |
//! | a role, of any account | `AssumeRole` |
//! | a role, by a token of OpenID Connect; IRSA on EKS | `WebIdentity` |
//! | an ECS task, or EKS Pod Identity | `from_container` |
//! | an EC2 instance | `from_instance` |
//! | a command that prints them | `from_process` |
//!
//! [`AwsSettings`] are the region and the endpoint URL that stand beside the credentials in a profile.
//!
//! Those from `default_chain` on need the feature `aws-config` (on by default), and use the proxy's own HTTP and TLS
//! stack.

#[cfg(feature = "aws-config")]
mod ambient;
#[cfg(feature = "aws-config")]
mod assume_role;
#[cfg(feature = "aws-config")]
mod assumed;
#[cfg(feature = "aws-config")]
mod chain;
mod external_id;
mod role_arn;
#[cfg(feature = "aws-config")]
mod session;
#[cfg(feature = "aws-config")]
mod settings;
mod source;
#[cfg(feature = "aws-config")]
mod sts;
#[cfg(feature = "aws-config")]
mod web_identity;

#[cfg(all(test, feature = "aws-config"))]
mod tests;

pub use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, SharedCredentialsProvider, error::CredentialsError, future},
};

pub(crate) use self::source::Signing;
#[cfg(feature = "toml")]
pub(crate) use self::source::from_keys;
#[cfg(feature = "aws-config")]
pub use self::{
    assume_role::AssumeRole,
    chain::{default_chain, from_container, from_environment, from_instance, from_process, from_profile},
    settings::{AwsSetting, AwsSettings},
    web_identity::WebIdentity,
};
pub use self::{
    external_id::{ExternalId, InvalidExternalId},
    role_arn::{InvalidRoleArn, RoleArn},
    source::{CredentialsSource, fixed, from_fn},
};
pub use crate::origin::HeldCredentials;
