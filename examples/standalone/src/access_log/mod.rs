//! The access log: a line for each request, when its response has ended.

mod args;
mod entry;
mod format;
mod moment;
mod redact;
mod text;
mod writer;

pub(crate) use self::{
    args::AccessLogArgs,
    entry::{Ending, Entry},
    writer::AccessLog,
};
