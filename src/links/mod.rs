//! Links to objects: URLs that S3 itself answers, for a while, whoever has them.
//!
//! [`Mount::presign`](crate::Mount::presign) makes them, by a mount's [`LinkPolicy`]. The
//! [guide](crate::guide::presigning) has examples.

mod error;
mod life;
mod link;
mod memory;
mod policy;
mod public_host;
mod request;

pub use self::{
    error::{PresignError, PresignErrorKind},
    link::{BoundedBy, PresignedUrl},
    policy::LinkPolicy,
    request::{Checksum, LinkMethod, PresignRequest, ResponseField},
};
pub(crate) use self::{
    life::{Limits, SEVEN_DAYS},
    memory::{LinkMemory, Remembered},
    policy::Links,
    public_host::PublicHost,
};
