//! An origin that knows one object and serves it as S3 does, except for the lies that it is told to tell.
//!
//! Nothing here shares code with the proxy or with `demo_s3`: it is a third opinion on the protocol, written on a bare
//! socket, so that it can also say what no HTTP library lets one say. Whatever arrives is recorded before it is
//! understood; bytes that follow a request are recorded as the next one.

mod answer;
mod condition;
mod date;
mod lie;
mod object;
mod range;
mod refusal;
mod reply;
mod seen;
mod server;

pub(crate) use self::{
    date::http_date,
    lie::{Framed, Lie, Mangled, Often, RETRY_AFTER, RegionHint, Which},
    object::{KEY, Object},
    seen::Seen,
    server::LyingOrigin,
};
