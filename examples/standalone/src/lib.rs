//! A standalone S3 proxy: the server around [`tower_s3_proxy`], with the demo, the diagnosis and the policies.
//!
//! [`main`] is the whole program. The binary `tower-s3-proxy` and the example `standalone` of the library call it.

mod access_log;
mod args;
mod cache;
mod command;
mod commands;
mod config_text;
mod demo;
mod explain;
mod http_client;
mod inherited;
mod listen;
mod log;
mod metrics;
mod mounts;
mod option;
mod program;
mod reload;
mod server;
mod server_table;
mod settings;
mod signals;
mod throttled;
mod tls;
mod watched;

pub use self::program::main;
