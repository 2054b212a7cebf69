//! The nouns: the name of an object, its place, and the validators of its states. Pure values without I/O.

mod bucket;
mod date;
mod edition;
mod entity_tag;
mod globs;
mod key;
mod state;
mod validators;
mod version_id;

pub use bucket::{BucketName, InvalidBucketName};
pub(crate) use date::{http_date, parse_date};
pub(crate) use edition::{CacheBust, Edition};
pub(crate) use entity_tag::{EntityTag, EntityTags};
pub(crate) use globs::{InvalidGlobs, ObjectGlobs, ObjectMatcher};
pub use key::{InvalidKey, ObjectKey};
pub(crate) use key::{MAX_KEY_BYTES, decode_once, has_dot_segment};
pub(crate) use state::State;
pub(crate) use validators::Validators;
pub(crate) use version_id::VersionId;
