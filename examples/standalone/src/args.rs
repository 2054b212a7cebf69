use std::{net::SocketAddr, num::NonZeroUsize, path::PathBuf, time::Duration};

use clap::{ArgGroup, Parser, Subcommand};

use crate::{
    cache::{parse_bytes, parse_time},
    commands::{check::CheckArgs, policies::PoliciesArgs},
    option::MountOption,
};

/// Serves a private S3 bucket over HTTP.
///
/// Without arguments it serves a demo: an S3 server starts in this process, so that no AWS account is needed. With
/// --bucket, --bucket-from-path or --config it serves what these name; credentials come from the AWS environment
/// variables, profile files, web identity, or container and instance metadata, as with every AWS tool.
#[derive(Debug, Parser)]
#[command(name = "tower-s3-proxy", version, max_term_width = 110, args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    /// Where to listen
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    pub(crate) listen: SocketAddr,

    #[command(flatten)]
    pub(crate) source: SourceArgs,

    #[command(flatten)]
    pub(crate) credentials: CredentialsArgs,

    #[command(flatten)]
    pub(crate) cache: CacheArgs,

    /// Worker threads; as many as processors by default
    #[arg(long, value_name = "N", help_heading = "The process")]
    pub(crate) threads: Option<NonZeroUsize>,

    /// Where to answer that the process lives, without asking S3; empty for nowhere
    #[arg(long, value_name = "PATH", default_value = "/ping", help_heading = "The process")]
    pub(crate) ping_path: String,

    /// Where to answer whether credentials are valid and the buckets reachable; empty for nowhere
    #[arg(long, value_name = "PATH", default_value = "/ready", help_heading = "The process")]
    pub(crate) ready_path: String,

    /// How long requests in flight may take after SIGTERM or Ctrl-C, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30, help_heading = "The process")]
    pub(crate) drain_timeout: u64,
}

/// What the program does besides serving.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Take each step of the way to the buckets, and say of the one that fails why
    ///
    /// Exits with 0 if nothing fails, with 1 if something does, and with 2 if nothing could be tried. Reads one byte of one
    /// object at most, and writes nothing without --write-probe. Without --bucket, --bucket-from-path or --config it looks
    /// at the demo's own bucket.
    Check(CheckArgs),
    /// Print the policies that the mounts need, of roles, buckets and keys
    Policies(PoliciesArgs),
}

/// Which bucket, and where it is.
#[derive(Debug, Default, clap::Args)]
#[command(group(ArgGroup::new("source").args(["bucket", "bucket_from_path"])))]
pub(crate) struct SourceArgs {
    /// The bucket to serve (a name, an access-point alias or an ARN)
    #[arg(long, value_name = "BUCKET", help_heading = "What to serve")]
    pub(crate) bucket: Option<String>,

    /// Take the bucket from the first path segment, if it matches this glob; may be repeated
    #[arg(long, value_name = "GLOB", help_heading = "What to serve")]
    pub(crate) bucket_from_path: Vec<String>,

    /// The path to serve it at [default: /]
    #[arg(long, value_name = "PATH", requires = "source", help_heading = "What to serve")]
    pub(crate) mount: Option<String>,

    /// Serve only the keys below this prefix, which URLs leave out
    #[arg(long, value_name = "PREFIX", requires = "source", help_heading = "What to serve")]
    pub(crate) prefix: Option<String>,

    /// Read mounts from a TOML file instead of the flags
    #[arg(long, value_name = "FILE", conflicts_with = "source", help_heading = "What to serve")]
    pub(crate) config: Option<PathBuf>,

    /// Set any key of a [[mount]] of a file, like fallback=inner or cors.max_age_secs=60; can be repeated
    ///
    /// Keys of the tables [cache] and [credentials.NAME] begin with the table, like cache.negative_ttl_ms=1000. VALUE is
    /// TOML if it can be, and else text: quote a text of digits, like -o 'prefix="2031"'. ${NAME} in it stands for the
    /// environment variable, so that secrets stay off the command line.
    #[arg(
        short = 'o',
        value_name = "KEY=VALUE",
        value_parser = MountOption::parse,
        conflicts_with = "config",
        help_heading = "What to serve"
    )]
    pub(crate) option: Vec<MountOption>,

    /// The URL of an S3-compatible server [env: AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL]
    #[arg(long, value_name = "URL", requires = "source", help_heading = "Where S3 is")]
    pub(crate) endpoint: Option<String>,

    /// The bucket's region [env: AWS_REGION, AWS_DEFAULT_REGION]
    #[arg(long, value_name = "REGION", requires = "source", help_heading = "Where S3 is")]
    pub(crate) region: Option<String>,

    /// Put the bucket into the path instead of the host name
    #[arg(long, requires = "source", help_heading = "Where S3 is")]
    pub(crate) path_style: bool,

    /// Connect to this host or address while Host and SNI keep naming the endpoint (VPC endpoint, PrivateLink)
    #[arg(long, value_name = "ADDR", requires = "source", help_heading = "Where S3 is")]
    pub(crate) connect_to: Option<String>,

    /// Sign nothing: the bucket is public
    #[arg(long, requires = "source", help_heading = "Where S3 is")]
    pub(crate) anonymous: bool,

    /// Pay for the requests to a bucket whose owner does not (Requester Pays)
    #[arg(long, requires = "source", conflicts_with = "anonymous", help_heading = "Where S3 is")]
    pub(crate) requester_pays: bool,

    /// The account that the bucket has to be of, 12 digits: S3 denies everything if it is of another
    #[arg(long, value_name = "ACCOUNT", requires = "source", help_heading = "Where S3 is")]
    pub(crate) expected_bucket_owner: Option<String>,

    /// Cache-Control for objects that have none
    #[arg(long, value_name = "VALUE", requires = "source", help_heading = "What clients see")]
    pub(crate) default_cache_control: Option<String>,

    /// Cache-Control for all objects
    #[arg(long, value_name = "VALUE", requires = "source", help_heading = "What clients see")]
    pub(crate) override_cache_control: Option<String>,

    /// Pass on S3's response fields that match this glob, like x-amz-meta-*; may be repeated
    #[arg(long, value_name = "GLOB", requires = "source", help_heading = "What clients see")]
    pub(crate) forward_response_header: Vec<String>,

    /// Let pages of this origin read answers (CORS): an origin, a glob like https://*.example.com, or * for any; may be
    /// repeated
    #[arg(long, value_name = "ORIGIN", requires = "source", help_heading = "What clients see")]
    pub(crate) cors_origin: Vec<String>,
}

/// Whose signature S3 gets to see.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct CredentialsArgs {
    /// Take the credentials from this profile of ~/.aws/config and ~/.aws/credentials
    #[arg(
        long,
        value_name = "NAME",
        requires = "source",
        conflicts_with = "anonymous",
        help_heading = "Whose credentials"
    )]
    pub(crate) profile: Option<String>,

    /// Assume this role (its ARN) through STS, with the credentials that there are otherwise
    #[arg(
        long,
        value_name = "ARN",
        requires = "source",
        conflicts_with = "anonymous",
        help_heading = "Whose credentials"
    )]
    pub(crate) role_arn: Option<String>,

    /// What the role's owner wants to hear when it is assumed
    #[arg(long, value_name = "ID", requires = "role_arn", help_heading = "Whose credentials")]
    pub(crate) external_id: Option<String>,

    /// What the role's owner sees in CloudTrail [default: tower-s3-proxy]
    #[arg(long, value_name = "NAME", requires = "role_arn", help_heading = "Whose credentials")]
    pub(crate) role_session_name: Option<String>,
}

/// What is kept in memory.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct CacheArgs {
    /// Keep objects in memory, in this many bytes, like 512MiB; a file has a table [cache] for that
    #[arg(long, value_name = "BYTES", value_parser = parse_bytes, conflicts_with = "config", help_heading = "The cache")]
    pub(crate) cache_size: Option<u64>,

    /// The largest object whose bytes are kept; 64MiB by default, or a quarter of the cache
    #[arg(long, value_name = "BYTES", value_parser = parse_bytes, requires = "cache_size", conflicts_with = "config", help_heading = "The cache")]
    pub(crate) cache_max_object: Option<u64>,

    /// How long objects are fresh (seconds, or like 10s, 5m, 1h), instead of what Cache-Control and Expires say
    #[arg(long, value_name = "TIME", value_parser = parse_time, requires = "cache_size", conflicts_with = "config", help_heading = "The cache")]
    pub(crate) cache_ttl: Option<Duration>,

    /// In what pieces objects are kept and ranges are read; 128KiB by default
    #[arg(long, value_name = "BYTES", value_parser = parse_bytes, requires = "cache_size", conflicts_with = "config", help_heading = "The cache")]
    pub(crate) cache_block: Option<u64>,

    /// Read the objects whose keys begin with this (the prefix of --prefix included) into the cache at the start; can be
    /// repeated
    #[arg(
        long,
        value_name = "PREFIX",
        requires = "cache_size",
        conflicts_with_all = ["bucket_from_path", "config"],
        help_heading = "The cache"
    )]
    pub(crate) warm: Vec<String>,

    /// Where to purge the cache and see its counters (PATH/purge, PATH/events, PATH/stats), for those who know the token
    /// in the environment variable CACHE_ADMIN_TOKEN; nowhere by default
    #[arg(long, value_name = "PATH", help_heading = "The cache")]
    pub(crate) cache_admin_path: Option<String>,
}

impl Args {
    /// What the parser can't see.
    pub(crate) fn check(&self) -> Result<(), String> {
        for (flag, path) in [("--ping-path", &self.ping_path), ("--ready-path", &self.ready_path)] {
            if !path.is_empty() && !path.starts_with('/') {
                return Err(format!("{flag} {path}: must begin with \"/\", or be empty for nowhere"));
            }
        }
        if !self.ping_path.is_empty() && self.ping_path == self.ready_path {
            return Err("--ping-path and --ready-path are the same: give each a path of its own".to_owned());
        }
        if let Some(path) = &self.cache.cache_admin_path
            && (!path.starts_with('/') || path.ends_with('/'))
        {
            return Err(format!("--cache-admin-path {path}: must begin with \"/\", and not end with it"));
        }
        Ok(())
    }
}

impl SourceArgs {
    /// Whether nothing is named that could be served.
    pub(crate) fn is_demo(&self) -> bool {
        self.bucket.is_none()
            && self.bucket_from_path.is_empty()
            && self.config.is_none()
            && !self.option.iter().any(MountOption::is_bucket)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::CommandFactory;

    use super::*;

    const OPTIONS: &str = include_str!("../../../src/guide/options.md");

    /// Those of the process and of what it does besides serving mounts.
    const OTHERS: [&str; 8] = [
        "--cache-admin-path",
        "--config",
        "--drain-timeout",
        "--listen",
        "--ping-path",
        "--ready-path",
        "--threads",
        "--warm",
    ];

    #[test]
    fn the_tables_of_the_options_list_the_flags_of_a_mount() {
        let rows = OPTIONS.lines().filter(|line| line.starts_with("| `"));
        let listed: BTreeSet<_> = rows
            .flat_map(|row| row.split('`'))
            .filter(|cell| cell.starts_with("--"))
            .chain(OTHERS)
            .map(str::to_owned)
            .collect();
        let command = Args::command();
        let flags = command.get_arguments().filter_map(|flag| flag.get_long());
        let flags: BTreeSet<_> = flags.map(|flag| format!("--{flag}")).collect();
        assert_eq!(flags.difference(&listed).collect::<Vec<_>>(), [""; 0], "not in options.md");
        assert_eq!(listed.difference(&flags).collect::<Vec<_>>(), [""; 0], "no flags");
    }
}
