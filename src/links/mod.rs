//! Links to objects: URLs that S3 itself answers, for a while, whoever has them.
//!
//! [`Mount::presign`](crate::Mount::presign) makes them, by a mount's [`LinkPolicy`]. The
//! [guide](crate::guide::presigning) has examples.

mod accepted;
mod ask;
mod cloudfront;
mod error;
mod fields;
mod life;
mod link;
mod memory;
mod policy;
mod public_host;
mod redirect;
mod request;

pub(crate) use self::{
    accepted::AcceptedLinks,
    ask::{Choices, LinkAsk},
    cloudfront::{Covered, Distribution, SourceNetwork},
    life::{Limits, SEVEN_DAYS},
    link::private_for,
    memory::{LinkMemory, Remembered},
    policy::Links,
    public_host::PublicHost,
    redirect::{Redirected, Redirects},
};
pub use self::{
    cloudfront::{CloudFront, CloudFrontKey, InvalidCloudFrontKey},
    error::{PresignError, PresignErrorKind},
    fields::{Checksum, ResponseField},
    link::{BoundedBy, PresignedUrl},
    policy::{Askers, LinkPolicy},
    redirect::Redirect,
    request::{LinkMethod, PresignRequest},
};
