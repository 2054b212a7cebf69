//! The files `_headers` and `_redirects` of a website: what Netlify and Cloudflare Pages have in common.

mod headers;
mod pattern;
mod redirects;
mod target;

use std::fmt;

pub(crate) use self::{
    headers::FieldRules,
    redirects::{Outcome, Redirects},
    target::{IN_PATH, Place},
};

/// A line of such a file that has no effect, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Complaint {
    /// From 1.
    pub(crate) line: usize,
    pub(crate) why: Why,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Why {
    TooLong,
    TooMany(usize),
    /// The file has a form that this one of its lines does not.
    Form(&'static str),
    Status(String),
    FieldName(String),
    FieldValue(String),
    /// A field that a site can't set.
    Reserved(String),
}

// === impl Why ===

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => f.write_str("the line is too long"),
            Self::TooMany(most) => write!(f, "no more than {most} rules of this kind have an effect"),
            Self::Form(why) => f.write_str(why),
            Self::Status(status) => {
                write!(f, "{status:?} must be one of 200, 301, 302, 303, 307, 308 and 404")
            }
            Self::FieldName(name) => write!(f, "{name:?} is no name of a field"),
            Self::FieldValue(name) => write!(f, "the value of {name} is empty, or not a text of a field"),
            Self::Reserved(name) => write!(f, "a website can't set {name}"),
        }
    }
}
