//! `check`: the way to the buckets, step by step.

use std::{
    error::Error,
    io::{self, Write},
    time::Duration,
};

use clap::builder::{PossibleValuesParser, TypedValueParser};
use tower_s3_proxy::{
    BucketName,
    bucket::ObjectKey,
    credentials::AwsSettings,
    diagnosis::{CheckName, Options, Outcome, WriteProbe},
};

use crate::{
    args::{CacheArgs, CredentialsArgs, SourceArgs},
    cache::parse_time,
    command,
    demo::Demo,
    listen,
    mounts::MountArgs,
    tls::TlsArgs,
};

/// The flags of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct CheckArgs {
    /// Print the report as JSON
    #[arg(long)]
    json: bool,

    /// The key, as S3 has it, of the object to read one byte of [default: the first of a listing]
    #[arg(long, value_name = "KEY")]
    canary: Option<String>,

    /// Write an object tower-s3-proxy-write-probe-… below the prefix, and delete it; in a file, only for mounts with grant =
    /// "read-write"
    #[arg(long)]
    write_probe: bool,

    /// The bucket to check where requests name it (--bucket-from-path)
    #[arg(long, value_name = "BUCKET")]
    for_bucket: Option<String>,

    /// Skip this step; can be repeated
    #[arg(long, value_name = "STEP", value_parser = steps())]
    skip: Vec<CheckName>,

    /// How long a response can take: seconds, or like 10s, 1m
    #[arg(long, value_name = "TIME", value_parser = parse_time, default_value = "10s")]
    timeout: Duration,

    #[command(flatten)]
    source: SourceArgs,

    #[command(flatten)]
    credentials: CredentialsArgs,

    #[command(flatten)]
    cache: CacheArgs,

    #[command(flatten)]
    tls: TlsArgs,
}

/// The exit code if nothing can be tried.
pub(crate) const CANNOT_RUN: u8 = 2;

pub(crate) async fn run(args: CheckArgs) -> Result<u8, Box<dyn Error>> {
    let options = args.options().await?;
    let demo = match args.source.is_demo() {
        true => Some(Demo::start(None).await?),
        false => None,
    };
    let mounts = MountArgs {
        source: &args.source,
        credentials: &args.credentials,
        cache: &args.cache,
        writes: args.write_probe.then_some("--write-probe"),
    };
    let served = mounts.load(demo.as_ref()).await?;
    let report = served.config.diagnose(&options).await;
    match args.json {
        true => super::print(&format!("{}\n", report.to_json()))?,
        false => super::print(&report.to_string())?,
    }
    // What clients meet has no step of its own: it is the process's, and no bucket's.
    if let Err(why) = args.of_process() {
        let _ = writeln!(io::stderr(), "error: {why}");
        return Ok(1);
    }
    Ok(match report.outcome() {
        Outcome::Fail => 1,
        _ => 0,
    })
}

impl CheckArgs {
    /// What is not of the mounts: certificates, and the tables `[server]` and `[[listen]]` of the file.
    fn of_process(&self) -> Result<(), String> {
        self.tls.check().map_err(|why| format!("TLS towards clients: {why}"))?;
        let Some(path) = &self.source.config else { return Ok(()) };
        let serving = ["tower-s3-proxy".as_ref(), "--config".as_ref(), path.as_os_str()];
        command::parse(serving)
            .map_err(|why| why.to_string().trim_start_matches("error: ").trim_end().to_owned())?;
        listen::check(path)
    }

    async fn options(&self) -> Result<Options, Box<dyn Error>> {
        let mut options = Options::new().time_limit(self.timeout);
        if let Some(key) = &self.canary {
            options =
                options.canary(ObjectKey::new(key.as_str()).map_err(|why| format!("--canary {key}: {why}"))?);
        }
        if self.write_probe {
            options = options.write_probe(WriteProbe::On);
        }
        if let Some(name) = &self.for_bucket {
            options = options.bucket(BucketName::parse(name).map_err(|why| format!("--for-bucket: {why}"))?);
        }
        let aws = AwsSettings::load(self.credentials.profile.as_deref()).await?;
        if let Some(url) = aws.sts_endpoint_url() {
            options = options.sts_endpoint_url(url.value());
        }
        Ok(self.skip.iter().fold(options, |options, name| options.skip(*name)))
    }
}

/// The names of the steps; `--help` and messages list them.
fn steps() -> impl TypedValueParser<Value = CheckName> {
    PossibleValuesParser::new(CheckName::ALL.map(CheckName::as_str)).try_map(|text| {
        let named = CheckName::ALL.into_iter().find(|name| name.as_str() == text);
        named.ok_or("no step")
    })
}
