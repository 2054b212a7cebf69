//! Answering a read: from the cache, through it, or from S3 alone.
//!
//! [`Fetch`] is a request for an object; a [`Read`](read::Read) has its bucket and its permission. [`answer`] decides
//! the response for an object whose head is known, and [`step`] what the cache does: both are pure.

mod answer;
mod deliver;
mod failover;
mod failure;
mod fill;
mod forward;
mod from_cache;
mod from_s3;
mod gate;
mod head_first;
mod measure;
mod object;
mod read;
mod redirect;
mod resume;
mod step;
mod store_answer;
mod through_cache;

pub(crate) use self::{
    failure::from_origin_error,
    gate::Gate,
    read::{Asks, Bucket, Elsewhere, Fetch, FetchFuture, Finish, Sources, Wanted},
    resume::as_it_comes,
};
