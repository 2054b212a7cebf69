//! The nouns: what an object is called and where it lives. Pure values without I/O.

mod bucket;
mod key;

pub use bucket::{BucketName, InvalidBucketName};
pub use key::{InvalidKey, ObjectKey};
pub(crate) use key::{MAX_KEY_BYTES, has_dot_segment};
