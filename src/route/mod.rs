//! Is the request for a mount, and which bucket and key does it name? Pure.

mod bucket_source;
mod host;
mod key_mapping;
mod mount_path;

pub use bucket_source::BucketResolver;
pub(crate) use bucket_source::{BucketSource, split_bucket};
pub(crate) use host::HostName;
pub(crate) use key_mapping::{DotSegments, KeyMapping};
pub(crate) use mount_path::MountPath;
