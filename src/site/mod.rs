//! Which objects a path of a website can mean, one after the other. Pure.

mod plan;

pub(crate) use self::plan::{Aim, Candidate, Form, first, navigates, plan, with_slash};
