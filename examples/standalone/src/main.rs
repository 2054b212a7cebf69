//! The binary `tower-s3-proxy`: `cargo install --path examples/standalone`.

use std::process::ExitCode;

fn main() -> ExitCode {
    tower_s3_proxy_server::main()
}
