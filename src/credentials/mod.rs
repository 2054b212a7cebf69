//! Where credentials come from.
//!
//! Anything that is the SDK's [`ProvideCredentials`] fits [`MountBuilder::credentials`](crate::MountBuilder::credentials):
//! [`Credentials`] themselves for fixed keys, the providers of `aws-config`, or your own (see `examples/credentials.rs`).
//! A public bucket needs none ([`MountBuilder::anonymous`](crate::MountBuilder::anonymous)).
//!
//! With the feature `aws-config` (on by default), this module also has the SDK's usual sources, called over the proxy's
//! own HTTP and TLS stack.

#[cfg(feature = "aws-config")]
mod chain;
mod source;

pub use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, SharedCredentialsProvider, error::CredentialsError, future},
};

#[cfg(feature = "aws-config")]
pub use self::chain::{default_chain, from_environment, from_profile};
pub use self::source::CredentialsSource;
pub(crate) use self::source::Signing;
