//! Objects that clients write, by the mount's own credentials.
//!
//! [`fields`] decides from a request's fields what S3 gets, and is pure; [`Write`] carries it out.

mod checksum;
mod failure;
mod fields;
mod parts;
mod put;

pub(crate) use self::fields::{Asked, WriteRefusal};
pub(crate) use self::put::Write;
