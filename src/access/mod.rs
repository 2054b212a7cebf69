//! Who can have an object: authorizers, credential sets, and the selectors that choose between them.
//!
//! The [guide](crate::guide::access) has examples.

mod authorizer;
mod client_address;
mod credential_set;
mod decision;
mod downstream;
mod forward_auth;
mod guard;
mod selector;

#[cfg(feature = "listing")]
pub use self::authorizer::AccessTarget;
pub use self::{
    authorizer::{AccessRequest, Authorizer},
    client_address::ClientAddress,
    credential_set::{CredentialSet, CredentialSetName, InvalidCredentialSetName},
    decision::{Access, Denial, InvalidDenial},
    downstream::DownstreamCaching,
    forward_auth::{DecidesBy, ForwardAuth},
    selector::{CredentialSelector, RequestHead},
};
pub(crate) use self::{
    credential_set::CacheShare,
    forward_auth::{Asker, client_fields},
    guard::{Guard, Passed, Verdict, VerdictFuture},
};
