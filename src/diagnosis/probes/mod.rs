//! The questions: each asks, and lets a plain function make lines of the answer.

pub(super) mod contact;
pub(super) mod credentials;
pub(super) mod identity;
pub(super) mod list;
pub(super) mod network;
pub(super) mod place;
pub(super) mod read;
pub(super) mod settings;
pub(super) mod write;
