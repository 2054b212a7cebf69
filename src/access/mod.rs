//! Stage 3: may this client have the object, and with whose credentials is S3 asked?

mod authorizer;
mod credential_set;
mod decision;
mod selector;

pub(crate) use self::credential_set::CacheShare;
pub use self::{
    authorizer::{AccessRequest, Authorizer},
    credential_set::{CredentialSet, CredentialSetName, InvalidCredentialSetName},
    decision::{Access, Denial, InvalidDenial},
    selector::{CredentialSelector, RequestHead},
};
