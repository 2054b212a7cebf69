//! The configuration: mounts, assembled from values that other modules parse.

mod builder;
#[cfg(feature = "toml")]
mod file;
mod mount;
mod presigned;
mod replica;

#[cfg(feature = "toml")]
pub use self::file::ConfigFile;
pub use self::{
    builder::MountBuilder,
    mount::{Mount, S3ProxyConfig},
    presigned::{PresignedRequests, UnsignedRequests},
    replica::{AbsentObject, Replica, ReplicaCache},
};
pub(crate) use self::{
    mount::{AccessRules, MountParts},
    presigned::PresignedPolicy,
};
