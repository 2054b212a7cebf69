//! The layer as users meet it: in real stacks, over real sockets, in front of an S3 server that checks signatures.

// Allowed in tests by clippy.toml, which knows the test functions but not their helpers.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod access;
mod admin;
mod authorized;
mod cache;
mod cache_ttl;
mod compression;
mod cors;
mod cost;
mod diagnosis;
mod differential;
mod explain;
mod express;
mod http_cache_suite;
mod hotlinks;
mod keys;
mod links;
mod listings;
mod log_in;
mod log;
mod logging;
mod lying;
mod metrics;
mod moto;
mod origin_limits;
mod policies;
mod presigned;
mod query;
mod reloading;
mod rates;
mod resilience;
mod roles;
mod s3_clients;
mod seaweedfs;
mod semantics;
mod send_buffer;
mod serving;
mod setups;
mod stacks;
mod streaming;
mod support;
mod terms;
mod transport;
mod websites;
mod writes;
