//! A standalone S3 proxy. Without arguments it serves a demo that needs no AWS account:
//!
//!     cargo run --release --example standalone
//!
//! For a bucket of yours (credentials as with every AWS tool; `--help` tells the rest):
//!
//!     cargo run --release --example standalone -- --bucket my-bucket --region us-west-2
//!
//! What has to be allowed to it:
//!
//!     cargo run --release --example standalone -- policies --bucket my-bucket --region us-west-2
//!
//! Why it does not answer, if it does not:
//!
//!     cargo run --release --example standalone -- check --bucket my-bucket --region us-west-2

mod args;
mod cache;
mod check;
mod mounts;
mod policies;
mod server;

use std::{error::Error, ffi::OsString, num::NonZeroUsize, process::ExitCode, time::Duration};

use clap::Parser;
use demo_s3::DemoS3;
use tokio::{
    net::TcpListener,
    runtime,
    signal::unix::{SignalKind, signal},
};
use tower_s3_proxy::{BucketName, Mount, S3ProxyLayer, bucket::Grant, credentials::Credentials};
use tracing_subscriber::EnvFilter;

use self::{
    args::{Args, CacheArgs, Command, SourceArgs},
    mounts::Served,
    server::Server,
};

fn main() -> ExitCode {
    program(std::env::args_os()).into()
}

/// Runs the program to its end, and returns its exit code.
fn program(args: impl Iterator<Item = OsString>) -> u8 {
    let mut args = Args::parse_from(args);
    let log = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,s3s=off"));
    tracing_subscriber::fmt().with_env_filter(log).with_writer(std::io::stderr).init();
    let (outcome, failure) = match args.command.take() {
        Some(Command::Check(args)) => (block_on(None, check::run(args)), check::CANNOT_RUN),
        Some(Command::Policies(args)) => (block_on(None, policies::run(args)).map(|()| 0), 1),
        None => (block_on(args.threads, run(args)).map(|()| 0), 1),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error}");
        failure
    })
}

fn block_on<T>(
    threads: Option<NonZeroUsize>,
    work: impl Future<Output = Result<T, Box<dyn Error>>>,
) -> Result<T, Box<dyn Error>> {
    let threads = threads.map_or_else(std::thread::available_parallelism, Ok)?.get();
    let mut runtime = match threads {
        // One thread needs no work stealing, and no wake-up crosses threads.
        1 => runtime::Builder::new_current_thread(),
        _ => runtime::Builder::new_multi_thread(),
    };
    runtime.worker_threads(threads).enable_all().build()?.block_on(work)
}

async fn run(args: Args) -> Result<(), Box<dyn Error>> {
    args.check()?;
    let demo = match args.source.is_demo() {
        true => Some(Demo::start().await?),
        false => None,
    };
    let Served { config, cache, single } = match &demo {
        Some(demo) => demo.config(&args.cache)?,
        None => mounts::from_args(&args.source, &args.credentials, &args.cache, Grant::Read).await?,
    };
    let admin = cache::admin(&args.cache, cache.as_ref())?;
    let listener = TcpListener::bind(args.listen)
        .await
        .map_err(|why| format!("cannot listen on {}: {why}; give another --listen address", args.listen))?;
    let address = listener.local_addr()?;
    match &demo {
        Some(demo) => demo.greet(&format!("http://{address}")),
        None => println!("serving {} on http://{address}", describe(&args.source)),
    }

    if let Some((bucket, mount)) = single {
        cache::warm(&bucket, &mount, args.cache.warm)?;
    }
    let server = Server {
        layer: S3ProxyLayer::new(config),
        ping_path: args.ping_path,
        ready_path: args.ready_path,
        admin,
        drain_timeout: Duration::from_secs(args.drain_timeout),
    };
    server.run(listener, stopped()?).await;
    Ok(())
}

fn describe(args: &SourceArgs) -> String {
    match (&args.bucket, &args.config) {
        (Some(bucket), _) => format!("bucket {bucket} at {}", args.mount),
        (None, Some(file)) => format!("the mounts of {}", file.display()),
        (None, None) => format!("buckets {} at {}", args.bucket_from_path.join(", "), args.mount),
    }
}

/// Ready on Ctrl-C or SIGTERM.
fn stopped() -> std::io::Result<impl Future<Output = ()>> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// An S3 server in this process, over a temporary folder.
struct Demo {
    s3: DemoS3,
    _folder: tempfile::TempDir,
}

const DEMO_BUCKET: &str = "demo";

impl Demo {
    async fn start() -> std::io::Result<Self> {
        let folder = tempfile::tempdir()?;
        demo_s3::seed(folder.path()).await?;
        let s3 = DemoS3::builder().folder(DEMO_BUCKET, folder.path()).start().await?;
        Ok(Self { s3, _folder: folder })
    }

    fn config(&self, args: &CacheArgs) -> Result<Served, Box<dyn Error>> {
        let (key, secret) = (demo_s3::DEMO_ACCESS_KEY, demo_s3::DEMO_SECRET_KEY);
        let bucket = BucketName::parse(DEMO_BUCKET)?;
        let mount = Mount::builder(bucket.clone())
            .endpoint_url(self.s3.endpoint())
            .region("us-east-1")
            .path_style(true)
            .credentials(Credentials::new(key, secret, None, None, "demo"))
            .default_cache_control("public, max-age=60");
        let cache = cache::from_args(args)?;
        let mount = cache::for_mount(mount, cache.as_ref(), args).build()?;
        Ok(Served { config: mount.clone().into(), cache, single: Some((bucket, mount)) })
    }

    fn greet(&self, url: &str) {
        println!(
            "demo: an S3 server runs in this process ({}), and the proxy in front of it",
            self.s3.endpoint()
        );
        println!("\nopen   {url}/index.html\n\ntry    curl -i {url}/notes.txt");
        println!("       curl -i -r 0-99 {url}/media/clock.webm -o /dev/null -D -");
        println!(
            "       curl -i {url}/notes.txt -H \"If-None-Match: $(curl -sI {url}/notes.txt | sed -n 's/^etag: //Ip' | tr -d '\\r')\""
        );
        println!("       curl -i {url}/no-such-file");
        println!("\nstop   Ctrl-C");
    }
}
