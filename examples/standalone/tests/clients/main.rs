//! The program towards clients that mean no good, over sockets: time-outs, limits, signals.

// Allowed in tests by clippy.toml, which knows the test functions but not their helpers.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod commands;
mod connections;
mod files;
mod host;
mod access_log;
mod listening;
mod log;
mod log_in;
mod metrics;
mod proxy;
mod rates;
mod reloading;
mod requests;
mod signals;
mod standstill;
mod tls;
