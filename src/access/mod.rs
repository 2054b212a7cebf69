//! May this client have the object, and with whose credentials is S3 asked?

mod authorizer;
mod credential_set;
mod decision;
mod downstream;
mod selector;

pub(crate) use self::credential_set::CacheShare;
pub use self::{
    authorizer::{AccessRequest, Authorizer},
    credential_set::{CredentialSet, CredentialSetName, InvalidCredentialSetName},
    decision::{Access, Denial, InvalidDenial},
    downstream::DownstreamCaching,
    selector::{CredentialSelector, RequestHead},
};
