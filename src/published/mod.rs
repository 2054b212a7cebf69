//! What the owner of a website has put into the bucket about it: which release is current. Pure, but for [`Watched`].

mod deployed;
mod hashed;
mod watched;

pub(crate) use self::{
    deployed::{Deployed, ReleaseId, release_ids},
    hashed::is_hashed,
    watched::{Look, Watched},
};
