//! The configuration: mounts, assembled from values that other modules parse.

mod builder;
#[cfg(feature = "toml")]
mod file;
mod mount;
mod presigned;
mod replica;
mod website;
mod writes;

#[cfg(feature = "toml")]
pub use self::file::ConfigFile;
pub use self::{
    builder::MountBuilder,
    mount::{Mount, S3ProxyConfig},
    presigned::{LinkAnswers, PresignedRequests, UnsignedRequests},
    replica::{AbsentObject, Replica, ReplicaCache},
    website::{Precompressed, Website},
    writes::{Writers, Writes},
};
pub(crate) use self::{
    mount::{AccessRules, MountParts},
    presigned::PresignedPolicy,
    website::{CleanUrls, SitePolicy},
    writes::{MAX_PUT, Overwrite, WritePolicy},
};
