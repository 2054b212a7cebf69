use std::{
    error::Error,
    io::{self, Write},
    time::Duration,
};

use tokio::signal::unix::{SignalKind, signal};
use tower_s3_proxy::S3ProxyLayer;

use crate::{
    args::Args,
    cache,
    demo::Demo,
    mounts::{MountArgs, Served},
    server::{Server, listen, raise_file_limit},
};

pub(crate) async fn run(args: Args) -> Result<(), Box<dyn Error>> {
    args.check()?;
    let file_limit = raise_file_limit();
    let demo = match args.source.is_demo() {
        true => Some(Demo::start(args.demo_s3).await?),
        false => None,
    };
    let mounts =
        MountArgs { source: &args.source, credentials: &args.credentials, cache: &args.cache, writes: None };
    let Served { config, cache, single, description } = mounts.load(demo.as_ref()).await?;
    let admin = cache::admin(&args.cache, cache.as_ref())?;
    let listener = listen(args.listen)
        .map_err(|why| format!("cannot listen on {}: {why}; give another --listen address", args.listen))?;
    let address = listener.local_addr()?;
    match &demo {
        // Nobody has to read it.
        Some(demo) => drop(write!(io::stdout(), "{}", demo.greeting(&format!("http://{address}")))),
        None => drop(writeln!(io::stdout(), "serving {description} on http://{address}")),
    }

    if !args.cache.warm.is_empty() {
        let (bucket, mount) = single.ok_or("--warm needs the bucket that its keys are in: give --bucket")?;
        cache::warm(&bucket, &mount, args.cache.warm)?;
    }
    let server = Server {
        layer: S3ProxyLayer::new(config),
        ping_path: args.ping_path,
        ready_path: args.ready_path,
        admin,
        drain_timeout: Duration::from_secs(args.drain_timeout),
        limits: args.limits.limits(),
        file_limit,
    };
    server.run(listener, stopped()?).await;
    Ok(())
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
