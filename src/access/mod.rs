//! Who can have an object: authorizers, credential sets, and the selectors that choose between them.
//!
//! The [guide](crate::guide::access) has examples.

mod authorizer;
mod credential_set;
mod decision;
mod downstream;
mod selector;

#[cfg(feature = "listing")]
pub use self::authorizer::AccessTarget;
pub(crate) use self::credential_set::CacheShare;
pub use self::{
    authorizer::{AccessRequest, Authorizer},
    credential_set::{CredentialSet, CredentialSetName, InvalidCredentialSetName},
    decision::{Access, Denial, InvalidDenial},
    downstream::DownstreamCaching,
    selector::{CredentialSelector, RequestHead},
};
