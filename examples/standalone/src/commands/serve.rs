use std::{error::Error, time::Duration};

use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use tower_s3_proxy::{S3ProxyLayer, bucket::Grant};

use crate::{
    args::{Args, SourceArgs},
    cache,
    demo::Demo,
    mounts::{self, Served},
    server::Server,
};

pub(crate) async fn run(args: Args) -> Result<(), Box<dyn Error>> {
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
