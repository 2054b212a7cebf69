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
    cache, client_keys,
    demo::Demo,
    log::Log,
    mounts::{MountArgs, Served},
    server::{Ended, Role, Server, Shares, listen, raise_file_limit},
    signals::Signals,
};

pub(crate) async fn run(args: Args, dropped_lines: ErrorCounter) -> Result<(), Box<dyn Error>> {
    args.check()?;
    let buffer = args.limits.send_buffer()?;
    tokio::spawn(Log::tell_of_dropped_lines(dropped_lines));
    let asked = args.limits.max_connections;
    let shares = Shares::of(raise_file_limit(), asked);
    shares.tell(asked);
    Transport::limit_open_connections(shares.to_s3)?;
    let demo = match args.source.is_demo() {
        true => Some(Demo::start(args.demo_s3).await?),
        false => None,
    };
    let mounts =
        MountArgs { source: &args.source, credentials: &args.credentials, cache: &args.cache, writes: None };
    let Served { config, cache, single, description } = mounts.load(demo.as_ref()).await?;
    let admin = cache::admin(&args.cache, cache.as_ref())?;
    let role = match args.tls.load()? {
        Some(tls) => {
            tls.watch();
            Role::Https(Arc::new(tls))
        }
        None => Role::Http,
    };
    // Before clients are told the address, and can be in the middle of something.
    let signals = Signals::listen()?;
    let listener = listen(args.listen)
        .map_err(|why| format!("cannot listen on {}: {why}; give another --listen address", args.listen))?;
    let address = listener.local_addr()?;
    let url = format!("{}://{address}", role.scheme());
    let mut listeners = vec![(listener, role)];
    if let Some(plain) = args.tls.redirect_http {
        let listener = listen(plain).map_err(|why| {
            format!("cannot listen on {plain}: {why}; give another --redirect-http address")
        })?;
        tracing::info!(address = %listener.local_addr()?, "plain HTTP is redirected to HTTPS");
        listeners.push((listener, Role::Redirect { port: address.port() }));
    }
    match &demo {
        // Nobody has to read it.
        Some(demo) => drop(write!(io::stdout(), "{}", demo.greeting(&url))),
        None => drop(writeln!(io::stdout(), "serving {description} on {url}")),
    }

    if !args.cache.warm.is_empty() {
        let (bucket, mount) = single.ok_or("--warm needs the bucket that its keys are in: give --bucket")?;
        cache::warm(&bucket, &mount, args.cache.warm)?;
    }
    client_keys::watch(&config);
    let server = Server {
        layer: S3ProxyLayer::new(config.send_buffer(buffer)),
        ping_path: args.ping_path,
        ready_path: args.ready_path,
        admin,
        fields: args.response_header.into_iter().collect(),
        drain_timeout: Duration::from_secs(args.drain_timeout),
        limits: args.limits.limits(),
        shares,
    };
    match server.run(listeners, signals).await {
        Ended::Drained => Ok(()),
        Ended::Cut => Err("requests in flight were cut off".into()),
    }
}
