//! Who is let in, without code of the embedder's.

mod forward_auth;
mod own_links;
mod service;
mod users;
