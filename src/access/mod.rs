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
mod hotlinks;
mod own_links;
mod random;
mod selector;
#[cfg(feature = "users")]
mod users;
#[cfg(any(feature = "users", all(feature = "toml", feature = "s3-clients")))]
mod watched_file;

#[cfg(feature = "listing")]
pub use self::authorizer::AccessTarget;
#[cfg(feature = "users")]
pub use self::users::{User, Users};
#[cfg(all(feature = "toml", feature = "s3-clients"))]
pub(crate) use self::watched_file::WatchedFile;
pub use self::{
    authorizer::{AccessRequest, Authorizer},
    client_address::ClientAddress,
    credential_set::{CredentialSet, CredentialSetName, InvalidCredentialSetName},
    decision::{Access, Denial, InvalidDenial},
    downstream::DownstreamCaching,
    forward_auth::{DecidesBy, ForwardAuth},
    hotlinks::{Hotlinks, NoneGiven},
    own_links::{LinkKey, OwnLink, OwnLinkError, OwnLinks, Unlinked},
    selector::{CredentialSelector, RequestHead},
};
pub(crate) use self::{
    credential_set::CacheShare,
    forward_auth::{Asker, client_fields},
    guard::{Guard, Passed, Verdict, VerdictFuture},
    hotlinks::HotlinkRule,
    own_links::{Keyring, OwnLinkFault, Place},
};
