//! The probes: each sends a request, and a pure function makes lines of the response.

pub(super) mod contact;
pub(super) mod credentials;
pub(super) mod identity;
pub(super) mod list;
pub(super) mod network;
pub(super) mod place;
pub(super) mod read;
pub(super) mod settings;
pub(super) mod website;
pub(super) mod write;
