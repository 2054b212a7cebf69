//! A standalone S3 proxy. Without arguments it serves a demo that needs no AWS account:
//!
//!     cargo run --example standalone
//!
//! For a bucket of yours (credentials as with every AWS tool; `--help` has the rest):
//!
//!     cargo run --example standalone -- --bucket my-bucket --region us-west-2
//!
//! The permissions it needs:
//!
//!     cargo run --example standalone -- policies --bucket my-bucket --region us-west-2
//!
//! If the bucket does not answer, this explains why:
//!
//!     cargo run --example standalone -- check --bucket my-bucket --region us-west-2
//!
//! The program is the package in `standalone/`: `cargo install --path examples/standalone` installs it as `tower-s3-proxy`.

use std::process::ExitCode;

fn main() -> ExitCode {
    tower_s3_proxy_server::main()
}
