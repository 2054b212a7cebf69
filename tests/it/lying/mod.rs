//! An origin that has one object and serves it as S3 does, except for the lies that a test requests.
//!
//! Nothing here shares code with the proxy or with `demo_s3`: it is a third opinion on the protocol, written on a bare
//! socket, so that it can also send what no HTTP library would. Everything that arrives is recorded before it is
//! parsed; bytes that follow a request are recorded as the next one.

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
