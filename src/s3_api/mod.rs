//! What S3 clients with keys of the proxy's own are answered: S3's protocol, with a mount as the bucket.
//!
//! [`strict`] and the crate `s3s` decide whether a request is its key's. Reads of an object then take the same lane and cache
//! as those of the web; everything else goes to S3 through the SDK's client, with the mount's credentials.

mod answer;
mod buckets;
mod call;
mod change;
mod codes;
mod convert;
mod fields;
mod list;
mod multipart;
mod names;
mod operations;
mod put;
mod read;
mod scope;
mod sdk_error;
mod strict;
mod upload;
mod verify;
mod version_2;
mod window;

pub(crate) use self::{answer::refuse, call::ApiCall, scope::Scope};
