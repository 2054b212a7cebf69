//! Requests that go on to S3 as their clients signed them, and S3's responses to them.
//!
//! [`RelayedLink`] is what a signed URL names on a mount; [`fields`] says which fields go on, in both directions: both are pure.

mod fields;
mod link;
mod relayed;

pub(crate) use self::{link::RelayedLink, relayed::Relay};
