//! How often, and how fast, a client is served.

mod args;
mod requests;

pub(crate) use self::{args::RateArgs, requests::RequestRate};
