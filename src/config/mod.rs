//! The configuration: mounts, assembled from values that other modules parse.

mod builder;
#[cfg(feature = "toml")]
mod file;
mod mount;
mod replica;

#[cfg(feature = "toml")]
pub use self::file::ConfigFile;
pub(crate) use self::mount::{AccessRules, MountParts};
pub use self::{
    builder::MountBuilder,
    mount::{Mount, S3ProxyConfig},
    replica::{AbsentObject, Replica, ReplicaCache},
};
