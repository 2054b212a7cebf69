//! What the owner of a website has put into the bucket about it: which release is current, and rules for fields and redirects.
//! Pure, but for [`Watched`].

mod deployed;
mod hashed;
mod rules;
mod watched;

pub(crate) use self::{
    deployed::{Deployed, ReleaseId, release_ids},
    hashed::is_hashed,
    rules::{Complaint, FieldRules, Outcome, Place, Redirects},
    watched::{Look, Watched},
};
