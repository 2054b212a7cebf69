use std::{error::Error, num::NonZeroUsize, process::ExitCode};

use tokio::runtime;
use tracing_subscriber::EnvFilter;

use crate::{
    args::Command,
    command,
    commands::{check, policies, serve},
};

/// Runs the program with the arguments of the process.
pub fn main() -> ExitCode {
    let mut args = command::parse(std::env::args_os()).unwrap_or_else(|why| why.exit());
    let log = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT_LOG));
    tracing_subscriber::fmt().with_env_filter(log).with_writer(std::io::stderr).init();
    let (outcome, failure) = match args.command.take() {
        Some(Command::Check(args)) => (block_on(None, check::run(args)), check::CANNOT_RUN),
        Some(Command::Policies(args)) => (block_on(None, policies::run(args)).map(|()| 0), 1),
        None => (block_on(args.threads, serve::run(args)).map(|()| 0), 1),
    };
    let code = outcome.unwrap_or_else(|error| {
        eprintln!("error: {error}");
        failure
    });
    code.into()
}

/// Of the SDK's sources of credentials, `aws_config` tells whole structures over many lines; the library says the same in one.
const DEFAULT_LOG: &str = "info,s3s=off,aws_config=error";

fn block_on<T>(
    threads: Option<NonZeroUsize>,
    work: impl Future<Output = Result<T, Box<dyn Error>>>,
) -> Result<T, Box<dyn Error>> {
    let threads = threads.map_or_else(std::thread::available_parallelism, Ok)?.get();
    let mut runtime = match threads {
        // One thread needs no work stealing, and no wake-ups across threads.
        1 => runtime::Builder::new_current_thread(),
        _ => runtime::Builder::new_multi_thread(),
    };
    runtime.worker_threads(threads).enable_all().build()?.block_on(work)
}
