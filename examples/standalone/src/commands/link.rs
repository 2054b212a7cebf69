//! `link`: a link of the proxy's own.

use std::{error::Error, time::Duration};

use tower_s3_proxy::access::OwnLink;

use super::{presign::only, print};
use crate::{
    args::{CacheArgs, CredentialsArgs, SourceArgs},
    cache::parse_time,
    mounts::MountArgs,
};

/// Print a link by which the proxy serves what is below a prefix, for a while, to whoever has it.
///
/// The mount needs keys for it: the table [mount.own_links] of the file. Nothing is asked, so nothing need exist there.
#[derive(Debug, clap::Args)]
pub(crate) struct LinkArgs {
    /// The folder, with a slash at its end, or the key of one object; both without the mount's own prefix. "/" is everything
    #[arg(value_name = "PREFIX")]
    below: String,

    /// How long it opens: seconds, or like 15m, 4h
    #[arg(long, value_name = "TIME", value_parser = parse_time, default_value = "1h", help_heading = "The link")]
    expires: Duration,

    /// The network that it opens from, like 192.0.2.0/24 or 2001:db8::/32
    #[arg(long, value_name = "NETWORK", help_heading = "The link")]
    network: Option<String>,

    /// What clients reach the proxy by, to print the whole URL, like https://media.studio.example
    #[arg(long, value_name = "URL", default_value = "", help_heading = "The link")]
    base: String,

    #[command(flatten)]
    source: SourceArgs,

    #[command(flatten)]
    credentials: CredentialsArgs,

    #[command(flatten)]
    cache: CacheArgs,
}

pub(crate) async fn run(args: LinkArgs) -> Result<(), Box<dyn Error>> {
    if args.source.is_demo() {
        return Err(
            "no mount is named whose link it is: give --config, or --bucket with -o own_links.…".into()
        );
    }
    let mounts =
        MountArgs { source: &args.source, credentials: &args.credentials, cache: &args.cache, writes: None };
    let served = mounts.load(None).await?;
    let mut link = OwnLink::to(args.below).lasts(args.expires);
    if let Some(network) = args.network {
        link = link.network(network);
    }
    let path = only(&served.config)?.own_link(&link)?;
    print(&format!("{}{path}\n", args.base.trim_end_matches('/')))?;
    Ok(())
}
