use std::{
    error::Error,
    io::{self, Write},
    sync::Arc,
    time::Duration,
};

use tower_s3_proxy::{S3ProxyLayer, Transport};
use tracing_appender::non_blocking::ErrorCounter;

use crate::{
    args::Args,
    cache::{self, Admin},
    demo::Demo,
    explain,
    listen::Bound,
    log::Log,
    mounts::{MountArgs, Served},
    reload::{ConfigPath, ReloadRequests, Reloading},
    server::{Ended, Server, Shares, raise_file_limit},
    signals::{Hangups, Signals},
};

pub(crate) async fn run(args: Args, dropped_lines: ErrorCounter) -> Result<(), Box<dyn Error>> {
    args.check()?;
    let buffer = args.limits.send_buffer()?;
    tokio::spawn(Log::tell_of_dropped_lines(dropped_lines));
    let asked = args.limits.max_connections;
    let shares = Shares::of(raise_file_limit(), asked);
    shares.tell(asked);
    Transport::limit_open_connections(shares.to_s3)?;
    let metrics = args.metrics.start()?;
    let access_log = args.access_log.open()?;
    let demo = match args.source.is_demo() {
        true => Some(Demo::start(args.demo_s3).await?),
        false => None,
    };
    let mounts =
        MountArgs { source: &args.source, credentials: &args.credentials, cache: &args.cache, writes: None };
    let Served { config, cache, single, description } = mounts.load(demo.as_ref()).await?;
    let layer = S3ProxyLayer::new(config.clone().send_buffer(buffer.clone()));
    let (reloads, queue) = ReloadRequests::new();
    let admin = Admin::of(&args.cache, cache.as_ref(), &layer, reloads)?.map(Arc::new);
    // Before clients are told the address, and can be in the middle of something.
    let (signals, hangups) = (Signals::listen()?, Hangups::listen()?);
    let file = args.source.config.clone().map(|path| ConfigPath { path, only: args.source.mount.clone() });
    let Bound { url, bindings } =
        args.listen.bind(&args.tls, file.as_ref().map(|file| file.path.as_path()))?;
    match &demo {
        // Nobody has to read it.
        Some(demo) => drop(write!(io::stdout(), "{}", demo.greeting(&url, args.tls.certificate()))),
        None => drop(writeln!(io::stdout(), "serving {description} on {url}")),
    }

    if !args.cache.warm.is_empty() {
        let (bucket, mount) = single.ok_or("--warm needs the bucket that its keys are in: give --bucket")?;
        cache::warm(&bucket, &mount, args.cache.warm)?;
    }
    let reloading = Reloading::new(file, layer.clone(), config, buffer, admin.clone());
    let server = Server {
        layer,
        ping_path: args.ping_path,
        ready_path: args.ready_path,
        admin,
        fields: args.response_header.into_iter().collect(),
        shutdown_delay: Duration::from_secs(args.shutdown_delay),
        drain_timeout: Duration::from_secs(args.drain_timeout),
        limits: args.limits.limits(&args.rates),
        requests: args.rates.requests(),
        explain: explain::token()?,
        trusted: args.listen.trusted(),
        shares,
        access_log,
    };
    tokio::spawn(reloading.when_asked(hangups, queue));
    if let Some((metrics, listener)) = metrics {
        metrics.serve(listener, server.layer.clone());
    }
    match server.run(bindings, signals).await {
        Ended::Drained => Ok(()),
        Ended::Cut => Err("requests in flight were cut off".into()),
    }
}
