use std::{
    error::Error,
    io::{self, Write},
    num::NonZeroUsize,
    process::ExitCode,
};

use tokio::runtime;

use crate::{
    args::Command,
    command,
    commands::{check, explain, init, link, manual, policies, presign, purge, serve, user, warm},
    log::Log,
};

/// Runs the program with the arguments of the process.
pub fn main() -> ExitCode {
    let mut args = command::parse(std::env::args_os()).unwrap_or_else(|why| why.exit());
    let log = Log::start(args.log_format);
    let (outcome, failure) = match args.command.take() {
        Some(Command::Check(args)) => (block_on(None, check::run(args)), check::CANNOT_RUN),
        Some(Command::Policies(args)) => (block_on(None, policies::run(args)).map(|()| 0), 1),
        Some(Command::Presign(args)) => (block_on(None, presign::run(args)).map(|()| 0), 1),
        Some(Command::Link(args)) => (block_on(None, link::run(args)).map(|()| 0), 1),
        Some(Command::User(args)) => (block_on(None, user::run(args)).map(|()| 0), 1),
        Some(Command::Purge(args)) => (block_on(None, purge::run(args)).map(|()| 0), 1),
        Some(Command::Warm(args)) => (block_on(None, warm::run(args)).map(|()| 0), 1),
        Some(Command::Explain(args)) => (block_on(None, explain::run(args)).map(|()| 0), 1),
        Some(Command::Init(args)) => (init::run(&args).map(|()| 0), 1),
        Some(Command::Completions(args)) => (manual::complete(&args, command::command()).map(|()| 0), 1),
        Some(Command::Man(args)) => (manual::page(&args, &command::command()).map(|()| 0), 1),
        None => (block_on(args.threads, serve::run(args, log.dropped())).map(|()| 0), 1),
    };
    // Before the last words: they come behind the log.
    drop(log);
    let code = outcome.unwrap_or_else(|error| {
        // Nobody has to read it.
        let _ = writeln!(io::stderr(), "error: {error}");
        failure
    });
    code.into()
}

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
