//! `purge`: objects out of the cache of a running instance.

use std::{error::Error, fmt::Write};

use http::Method;
use http_body_util::BodyExt;

use super::print;
use crate::{
    cache::token,
    http_client::{InstanceArgs, encoded},
};

/// Drop objects from the cache of a running instance, which must have --cache-admin-path. The token is in the environment
/// variable CACHE_ADMIN_TOKEN, as for the instance.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tower-s3-proxy purge --key posters/a.jpg
  tower-s3-proxy purge --url https://media.studio.example/_cache --prefix posters/ --soft
  tower-s3-proxy purge --all")]
#[command(group(clap::ArgGroup::new("target").args(["key", "prefix", "all"]).required(true)))]
pub(crate) struct PurgeArgs {
    #[command(flatten)]
    instance: InstanceArgs,

    /// The bucket [default: the one of the instance, if it has but one]
    #[arg(long, value_name = "BUCKET", conflicts_with = "all")]
    bucket: Option<String>,

    /// The key of an object, as S3 has it; all of its versions
    #[arg(long, value_name = "KEY")]
    key: Option<String>,

    /// All keys that begin like this
    #[arg(long, value_name = "PREFIX")]
    prefix: Option<String>,

    /// Everything, of all buckets
    #[arg(long)]
    all: bool,

    /// Keep the objects, and ask S3 at the next request whether they have changed
    #[arg(long)]
    soft: bool,
}

pub(crate) async fn run(args: PurgeArgs) -> Result<(), Box<dyn Error>> {
    let token = token()?;
    let answer = args.instance.ask(Method::POST, &args.order()?, &token).await?;
    let body = answer.into_body().collect().await?.to_bytes();
    let told: serde_json::Value = serde_json::from_slice(&body)?;
    let purged = told.get("purged").and_then(serde_json::Value::as_u64);
    let purged =
        purged.ok_or_else(|| format!("{} is no admin interface of tower-s3-proxy", args.instance.url))?;
    Ok(print(&format!("{purged} object{} purged\n", if purged == 1 { "" } else { "s" }))?)
}

// === impl PurgeArgs ===

impl PurgeArgs {
    fn order(&self) -> Result<String, std::fmt::Error> {
        let mut order = "/purge?".to_owned();
        for (name, value) in [("bucket", &self.bucket), ("key", &self.key), ("prefix", &self.prefix)] {
            if let Some(value) = value {
                write!(order, "{name}={}&", encoded(value))?;
            }
        }
        order.push_str(if self.all { "all&" } else { "" });
        order.push_str(if self.soft { "soft" } else { "" });
        Ok(order.trim_end_matches('&').to_owned())
    }
}
