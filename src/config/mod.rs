//! The configuration: mounts, assembled from values that other modules parse.

mod builder;
#[cfg(feature = "toml")]
mod file;
mod live;
mod mount;
mod own_links;
mod presigned;
mod releases;
mod replica;
mod website;
mod writes;

#[cfg(feature = "toml")]
pub use self::file::ConfigFile;
#[cfg(feature = "toml")]
pub(crate) use self::file::Loaded;
pub use self::{
    builder::MountBuilder,
    mount::{Mount, S3ProxyConfig},
    presigned::{LinkAnswers, PresignedRequests, UnsignedRequests},
    releases::Releases,
    replica::{AbsentObject, Replica, ReplicaCache},
    website::{Precompressed, Website},
    writes::{Writers, Writes},
};
pub(crate) use self::{
    live::{Live, OfBucket, RuleFile, RuleFiles, Seen, SiteSource, Snapshot, View},
    mount::{AccessRules, MountParts},
    own_links::{BucketInPath, Linked},
    presigned::PresignedPolicy,
    releases::ReleasePolicy,
    website::{CleanUrls, SitePolicy},
    writes::{MAX_PUT, Overwrite, WritePolicy},
};
