//! What the owner of a website has put into the bucket about it: which release is current, rules for fields and redirects, and the
//! website configuration of the bucket itself. Pure, but for [`Watched`].

mod bucket_site;
mod deployed;
mod hashed;
mod rules;
mod watched;

pub(crate) use self::{
    bucket_site::BucketSite,
    deployed::{Deployed, ReleaseId, release_ids},
    hashed::is_hashed,
    rules::{Complaint, FieldRules, Outcome, Place, Redirects},
    watched::{Look, Watched},
};
