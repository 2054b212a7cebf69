//! Who is let in, without code of the embedder's.

mod forward_auth;
mod service;
mod users;
