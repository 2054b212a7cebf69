use std::{net::SocketAddr, num::NonZeroUsize, path::PathBuf, time::Duration};

use clap::{ArgGroup, Parser, Subcommand};
use tower_s3_proxy::service::SendBuffer;

use crate::{
    access_log::AccessLogArgs,
    cache::{parse_bytes, parse_time},
    commands::{
        check::CheckArgs,
        explain::ExplainArgs,
        init::InitArgs,
        link::LinkArgs,
        manual::{CompletionsArgs, ManArgs},
        policies::PoliciesArgs,
        presign::PresignArgs,
        purge::PurgeArgs,
        user::UserArgs,
        warm::WarmArgs,
    },
    listen::{ListenArgs, parse_address},
    log::LogFormat,
    metrics::MetricsArgs,
    option::MountOption,
    server::{
        ConstantField, Limits, RateArgs, Timeouts, parse_count, parse_field, parse_header_size, parse_timeout,
    },
    tls::TlsArgs,
};

/// Serves a private S3 bucket over HTTP.
///
/// Without arguments it serves a demo, with an S3 server in this process, and needs no AWS account. --bucket,
/// --bucket-from-path and --config say what to serve instead. Credentials come from the AWS environment variables, profile
/// files, web identity, or container and instance metadata, as with every AWS tool.
#[derive(Debug, Parser)]
#[command(name = "tower-s3-proxy", version, max_term_width = 110, args_conflicts_with_subcommands = true)]
#[command(after_help = "Examples:
  tower-s3-proxy
  tower-s3-proxy --bucket studio-media --region us-west-2 --cache-size 512MiB
  tower-s3-proxy --bucket media --endpoint http://127.0.0.1:9000 --path-style
  tower-s3-proxy init --bucket studio-media --region us-west-2
  tower-s3-proxy check --config proxy.toml
  tower-s3-proxy --config proxy.toml --listen :8080")]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    #[command(flatten)]
    pub(crate) listen: ListenArgs,

    /// The address of the demo's S3 server, to read its bucket with a program of yours [default: a free port]
    #[arg(long, value_name = "ADDR", value_parser = parse_address)]
    pub(crate) demo_s3: Option<SocketAddr>,

    #[command(flatten)]
    pub(crate) source: SourceArgs,

    #[command(flatten)]
    pub(crate) credentials: CredentialsArgs,

    #[command(flatten)]
    pub(crate) cache: CacheArgs,

    #[command(flatten)]
    pub(crate) tls: TlsArgs,

    #[command(flatten)]
    pub(crate) limits: LimitArgs,

    #[command(flatten)]
    pub(crate) rates: RateArgs,

    #[command(flatten)]
    pub(crate) metrics: MetricsArgs,

    #[command(flatten)]
    pub(crate) access_log: AccessLogArgs,

    /// How the log on standard error is written; RUST_LOG sets its levels
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t, help_heading = "The process")]
    pub(crate) log_format: LogFormat,

    /// The number of worker threads [default: one for each processor]
    #[arg(long, value_name = "N", help_heading = "The process")]
    pub(crate) threads: Option<NonZeroUsize>,

    /// The path that answers as long as the process lives, without asking S3; empty for none
    #[arg(long, value_name = "PATH", default_value = "/ping", help_heading = "The process")]
    pub(crate) ping_path: String,

    /// The path that answers whether credentials are valid and the buckets reachable; empty for none
    #[arg(long, value_name = "PATH", default_value = "/ready", help_heading = "The process")]
    pub(crate) ready_path: String,

    /// A header that every response has, errors included, like "X-Content-Type-Options: nosniff"; can be repeated
    ///
    /// It comes in place of one of the same name. Refused are those that frame a response, and those that differ from one
    /// response to another.
    #[arg(long, value_name = "NAME: VALUE", value_parser = parse_field, help_heading = "The process")]
    pub(crate) response_header: Vec<ConstantField>,

    /// The time between SIGTERM or Ctrl-C and the end of listening, in seconds: --ready-path is 503, and everything else is answered
    ///
    /// For load balancers that ask now and then whether the program is ready.
    #[arg(long, value_name = "SECONDS", default_value_t = 0, help_heading = "The process")]
    pub(crate) shutdown_delay: u64,

    /// The time that requests in flight get after SIGTERM or Ctrl-C, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30, help_heading = "The process")]
    pub(crate) drain_timeout: u64,
}

/// The commands besides serving.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Try each step of the way to the buckets, and explain the first that fails
    ///
    /// Exits with 0 if nothing fails, with 1 if something does, and with 2 if nothing could be tried. Reads at most one byte
    /// of one object, and writes nothing without --write-probe. Without --bucket, --bucket-from-path or --config it checks
    /// the bucket of the demo.
    #[command(after_help = "Examples:
  tower-s3-proxy check --bucket studio-media --region us-west-2
  tower-s3-proxy check --config proxy.toml --json
  tower-s3-proxy check --bucket studio-media --access read-write -o writes.writers=anybody --write-probe")]
    Check(CheckArgs),
    /// Print the policies of roles, buckets and keys that the mounts need
    #[command(after_help = "Examples:
  tower-s3-proxy policies --bucket studio-media --region us-west-2
  tower-s3-proxy policies --config proxy.toml")]
    Policies(PoliciesArgs),
    /// Print a link to an object, which S3 itself answers for a while
    #[command(after_help = "Examples:
  tower-s3-proxy presign posters/a.jpg --bucket studio-media --region us-west-2 --expires 15m
  tower-s3-proxy presign reports/2031.pdf --config proxy.toml --download")]
    Presign(PresignArgs),
    /// Print a link by which the proxy itself serves a folder or an object for a while
    Link(LinkArgs),
    /// Print a line for the file of users, with the hash of a password
    ///
    /// The password is read from the terminal, or else from the first line of standard input.
    User(UserArgs),
    /// Drop objects from the cache of a running instance
    Purge(PurgeArgs),
    /// Read objects into the cache of a running instance
    Warm(WarmArgs),
    /// Tell why a request to a running instance got its answer
    Explain(ExplainArgs),
    /// Write a configuration file to begin with
    Init(InitArgs),
    /// Print a script that completes the command line in a shell
    Completions(CompletionsArgs),
    /// Print the manual page
    Man(ManArgs),
}

/// What clients may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum AccessArg {
    Read,
    ReadWrite,
}

/// The bucket, and where it is.
#[derive(Debug, Default, clap::Args)]
#[command(group(ArgGroup::new("source").args(["bucket", "bucket_from_path"])))]
#[command(group(ArgGroup::new("mounts").args(["bucket", "bucket_from_path", "config"]).multiple(true)))]
pub(crate) struct SourceArgs {
    /// The bucket to serve (a name, an access-point alias or an ARN)
    #[arg(long, value_name = "BUCKET", help_heading = "What to serve")]
    pub(crate) bucket: Option<String>,

    /// Take the bucket from the first path segment if it matches this glob; can be repeated
    #[arg(long, value_name = "GLOB", help_heading = "What to serve")]
    pub(crate) bucket_from_path: Vec<String>,

    /// The path to serve the bucket at [default: /]; with --config, the one mount of the file to use
    #[arg(long, value_name = "PATH", requires = "mounts", help_heading = "What to serve")]
    pub(crate) mount: Option<String>,

    /// Serve only the keys below this prefix, and leave it out of URLs
    #[arg(long, value_name = "PREFIX", requires = "source", help_heading = "What to serve")]
    pub(crate) prefix: Option<String>,

    /// Read the mounts from this TOML file instead of the flags
    #[arg(long, value_name = "FILE", conflicts_with = "source", help_heading = "What to serve")]
    pub(crate) config: Option<PathBuf>,

    /// Set a key of the file's table [[mount]], like denied=auto or allow_versions=true; can be repeated
    ///
    /// Keys of the tables [cache] and [credentials.NAME] begin with the table, like cache.negative_ttl_ms=1000. VALUE is
    /// TOML if it parses as TOML, else text: quote text that looks like a number, like -o 'prefix="2031"'. ${NAME} in it
    /// stands for the environment variable NAME, so that secrets can stay off the command line.
    #[arg(
        short = 'o',
        value_name = "KEY=VALUE",
        value_parser = MountOption::parse,
        conflicts_with = "config",
        help_heading = "What to serve"
    )]
    pub(crate) option: Vec<MountOption>,

    /// The URL of an S3-compatible server [env: AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, or the AWS profile]
    #[arg(long, value_name = "URL", requires = "source", help_heading = "Where S3 is")]
    pub(crate) endpoint: Option<String>,

    /// The bucket's region [env: AWS_REGION, AWS_DEFAULT_REGION, or the AWS profile]
    #[arg(long, value_name = "REGION", requires = "source", help_heading = "Where S3 is")]
    pub(crate) region: Option<String>,

    /// Put the bucket into the path of S3's URL instead of its host name
    #[arg(long, requires = "source", help_heading = "Where S3 is")]
    pub(crate) path_style: bool,

    /// Connect to this host or address; Host and SNI still name the endpoint (VPC endpoint, PrivateLink)
    #[arg(long, value_name = "ADDR", requires = "source", help_heading = "Where S3 is")]
    pub(crate) connect_to: Option<String>,

    /// Sign no requests: the bucket is public
    #[arg(long, requires = "source", help_heading = "Where S3 is")]
    pub(crate) anonymous: bool,

    /// Pass on presigned URLs of S3 in which this proxy's host stands in place of S3's, and nothing else: no credentials are
    /// needed. With -o presigned.writes=true those that upload, too
    #[arg(long, requires = "source", help_heading = "What to serve")]
    pub(crate) presigned: bool,

    /// Serve the mount as a website: the name of the index document of a folder; again for others, of which the first that exists
    /// is served
    #[arg(long, value_name = "NAME", requires = "source", help_heading = "What to serve")]
    pub(crate) index: Vec<String>,

    /// The page of the bucket for what is missing, below the prefix; the status stays 404
    #[arg(long, value_name = "KEY", requires = "source", help_heading = "What to serve")]
    pub(crate) not_found: Option<String>,

    /// The page of an application that has its own paths, for browsers that navigate to what is missing
    #[arg(long, value_name = "KEY", requires = "source", help_heading = "What to serve")]
    pub(crate) single_page: Option<String>,

    /// Show what is in a folder, as a page or as JSON, for paths that end with a slash
    #[arg(long, requires = "source", help_heading = "What to serve")]
    pub(crate) listing: bool,

    /// What clients may do: read, or with read-write also PUT new objects and DELETE, under the rules that -o writes.KEY=VALUE
    /// sets. There is no log-in: say -o writes.writers=anybody if nobody else reaches the proxy
    #[arg(long, value_name = "ACCESS", value_enum, requires = "source", help_heading = "What to serve")]
    pub(crate) access: Option<AccessArg>,
    /// Serve the bucket to S3 clients, too, which sign with a key of this TOML file; it is read again when it changes
    #[arg(long, value_name = "FILE", requires = "source", help_heading = "What to serve")]
    pub(crate) client_keys: Option<String>,

    /// Pay for requests and traffic of the bucket (Requester Pays)
    #[arg(long, requires = "source", conflicts_with = "anonymous", help_heading = "Where S3 is")]
    pub(crate) requester_pays: bool,

    /// The account that must own the bucket, 12 digits: if another does, S3 denies every request
    #[arg(long, value_name = "ACCOUNT", requires = "source", help_heading = "Where S3 is")]
    pub(crate) expected_bucket_owner: Option<String>,

    /// The Cache-Control of objects that have none
    #[arg(long, value_name = "VALUE", requires = "source", help_heading = "What clients see")]
    pub(crate) default_cache_control: Option<String>,

    /// The Cache-Control of all objects, whatever they have
    #[arg(long, value_name = "VALUE", requires = "source", help_heading = "What clients see")]
    pub(crate) override_cache_control: Option<String>,

    /// Forward response headers of S3 that match this glob, like x-amz-meta-*; can be repeated
    #[arg(long, value_name = "GLOB", requires = "source", help_heading = "What clients see")]
    pub(crate) forward_response_header: Vec<String>,

    /// Let pages of this origin read responses (CORS): an origin, a glob like https://*.example.com, or * for any; can be
    /// repeated
    #[arg(long, value_name = "ORIGIN", requires = "source", help_heading = "What clients see")]
    pub(crate) cors_origin: Vec<String>,
}

/// The credentials that sign requests to S3.
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

    /// Assume the role with this ARN through STS, with the credentials that would be used otherwise
    #[arg(
        long,
        value_name = "ARN",
        requires = "source",
        conflicts_with = "anonymous",
        help_heading = "Whose credentials"
    )]
    pub(crate) role_arn: Option<String>,

    /// The External ID that the trust policy of the role requires
    #[arg(long, value_name = "ID", requires = "role_arn", help_heading = "Whose credentials")]
    pub(crate) external_id: Option<String>,

    /// The name of the session in CloudTrail [default: tower-s3-proxy]
    #[arg(long, value_name = "NAME", requires = "role_arn", help_heading = "Whose credentials")]
    pub(crate) role_session_name: Option<String>,
}

/// The cache in memory.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct CacheArgs {
    /// Cache objects in memory, up to this size, like 512MiB; a file has the table [cache] instead
    #[arg(long, value_name = "BYTES", value_parser = parse_bytes, conflicts_with = "config", help_heading = "The cache")]
    pub(crate) cache_size: Option<u64>,

    /// The size of the largest object to cache [default: 64MiB, or a quarter of the cache if that is less]
    #[arg(long, value_name = "BYTES", value_parser = parse_bytes, requires = "cache_size", conflicts_with = "config", help_heading = "The cache")]
    pub(crate) cache_max_object: Option<u64>,

    /// How long objects are fresh, whatever Cache-Control and Expires say: seconds, or like 10s, 5m, 1h
    #[arg(long, value_name = "TIME", value_parser = parse_time, requires = "cache_size", conflicts_with = "config", help_heading = "The cache")]
    pub(crate) cache_ttl: Option<Duration>,

    /// The size of the blocks that objects are stored and ranges are read in [default: 128KiB]
    #[arg(long, value_name = "BYTES", value_parser = parse_bytes, requires = "cache_size", conflicts_with = "config", help_heading = "The cache")]
    pub(crate) cache_block: Option<u64>,

    /// Read the objects with this prefix into the cache at the start; it includes that of --prefix; can be repeated
    #[arg(
        long,
        value_name = "PREFIX",
        requires = "cache_size",
        conflicts_with_all = ["bucket_from_path", "config"],
        help_heading = "The cache"
    )]
    pub(crate) warm: Vec<String>,

    /// The path below which the cache is purged (purge, events) and shows its counters (stats) [default: none]
    ///
    /// Requests must carry the token from the environment variable CACHE_ADMIN_TOKEN.
    #[arg(long, value_name = "PATH", help_heading = "The cache")]
    pub(crate) cache_admin_path: Option<String>,
}

/// What clients can have.
#[derive(Debug, clap::Args)]
pub(crate) struct LimitArgs {
    /// Connections at a time; fewer if the limit of open files does not bear as many to S3
    ///
    /// Beyond it, --ping-path and --ready-path are answered on a few connections more, and everything else there is 503.
    #[arg(long, value_name = "N", value_parser = parse_count::<usize>, default_value = "4096", help_heading = "Limits")]
    pub(crate) max_connections: usize,

    /// Connections of one address at a time (IPv6: of one /64); behind a proxy, give what --max-connections has
    ///
    /// Beyond it, --ping-path and --ready-path are answered as beyond --max-connections.
    #[arg(long, value_name = "N", value_parser = parse_count::<usize>, default_value = "1024", help_heading = "Limits")]
    pub(crate) max_connections_per_address: usize,

    /// Requests at a time on one HTTP/2 connection
    #[arg(long, value_name = "N", value_parser = parse_count::<u32>, default_value = "100", help_heading = "Limits")]
    pub(crate) max_streams: u32,

    /// The size of a request's head, beyond which it is 431
    #[arg(long, value_name = "BYTES", value_parser = parse_header_size, default_value = "64KiB", help_heading = "Limits")]
    pub(crate) max_header_size: u32,

    /// The time between a connection and its first byte: seconds, or like 10s, 5m, 1h
    #[arg(long, value_name = "TIME", value_parser = parse_timeout, default_value = "10s", help_heading = "Limits")]
    pub(crate) first_byte_timeout: Duration,

    /// The time between the first byte of a request's head and its last
    #[arg(long, value_name = "TIME", value_parser = parse_timeout, default_value = "30s", help_heading = "Limits")]
    pub(crate) header_timeout: Duration,

    /// The time that a connection stays open without a request
    #[arg(long, value_name = "TIME", value_parser = parse_timeout, default_value = "75s", help_heading = "Limits")]
    pub(crate) idle_timeout: Duration,

    /// The time that a response waits for a client that takes nothing of it
    #[arg(long, value_name = "TIME", value_parser = parse_timeout, default_value = "30s", help_heading = "Limits")]
    pub(crate) write_timeout: Duration,

    /// The memory that a response to a slow client takes, with what is read from S3 for it
    #[arg(long, value_name = "BYTES", value_parser = parse_bytes, default_value = "128KiB", help_heading = "Limits")]
    pub(crate) send_buffer: u64,

    /// The memory that all responses can take beyond that while their clients keep up
    #[arg(long, value_name = "BYTES", value_parser = parse_bytes, default_value = "64MiB", help_heading = "Limits")]
    pub(crate) send_bursts: u64,
}

impl LimitArgs {
    pub(crate) fn send_buffer(&self) -> Result<SendBuffer, String> {
        let bytes = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
        SendBuffer::new(bytes(self.send_buffer), bytes(self.send_bursts))
            .map_err(|why| format!("--send-buffer: {why}"))
    }

    pub(crate) fn limits(&self, rates: &RateArgs) -> Limits {
        Limits {
            bytes_per_second: rates.max_bytes_per_second,
            per_address: self.max_connections_per_address,
            streams: self.max_streams,
            header_size: self.max_header_size,
            timeouts: Timeouts {
                first_byte: self.first_byte_timeout,
                header: self.header_timeout,
                idle: self.idle_timeout,
                write: self.write_timeout,
            },
        }
    }
}

impl Args {
    /// Checks what the parser can't.
    pub(crate) fn check(&self) -> Result<(), String> {
        for (flag, path) in [("--ping-path", &self.ping_path), ("--ready-path", &self.ready_path)] {
            if !path.is_empty() && !path.starts_with('/') {
                return Err(format!("{flag} {path}: must begin with \"/\", or be empty for none"));
            }
        }
        if !self.ping_path.is_empty() && self.ping_path == self.ready_path {
            return Err("--ping-path and --ready-path are the same: give each its own path".to_owned());
        }
        if let Some(path) = &self.cache.cache_admin_path
            && (!path.starts_with('/') || path.ends_with('/'))
        {
            return Err(format!("--cache-admin-path {path}: must begin with \"/\", and not end with it"));
        }
        if self.demo_s3.is_some() && !self.source.is_demo() {
            return Err(
                "--demo-s3 is for the demo, which serves no other bucket: leave out one of them".to_owned()
            );
        }
        Ok(())
    }
}

impl SourceArgs {
    /// Whether the arguments name nothing to serve.
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
    const LIMITS: &str = include_str!("../../../src/guide/limits.md");

    /// The flags of the process, and of its tasks besides serving mounts.
    const OTHERS: [&str; 23] = [
        "--access-log",
        "--access-log-format",
        "--cache-admin-path",
        "--client-address-field",
        "--config",
        "--demo-s3",
        "--drain-timeout",
        "--listen",
        "--log-format",
        "--metrics-listen",
        "--ping-path",
        "--proxy-protocol",
        "--ready-path",
        "--redirect-http",
        "--response-header",
        "--shutdown-delay",
        "--threads",
        "--tls-cert",
        "--tls-client-ca",
        "--tls-key",
        "--trusted-proxy",
        "--unix-mode",
        "--warm",
    ];

    #[test]
    fn limits_are_numbers_and_times_that_are_not_zero() {
        for (flags, hint) in [
            (&[][..], None),
            (&["--max-connections", "1", "--max-streams", "1"], None),
            (&["--write-timeout", "1s", "--idle-timeout", "5m", "--max-header-size", "1KiB"], None),
            (&["--max-connections", "0"], Some("give a number, at least 1")),
            (&["--max-connections=-1"], Some("give a number, at least 1")),
            (&["--max-connections-per-address", "0"], Some("give a number, at least 1")),
            (&["--max-streams", "0"], Some("give a number, at least 1")),
            (&["--max-streams", "many"], Some("give a number, at least 1")),
            (&["--max-header-size", "0"], Some("give 1KiB to 512KiB")),
            (&["--max-header-size", "1GiB"], Some("give 1KiB to 512KiB")),
            (&["--first-byte-timeout", "0"], Some("give at least 1s")),
            (&["--header-timeout", "0s"], Some("give at least 1s")),
            (&["--idle-timeout", "0"], Some("give at least 1s")),
            (&["--write-timeout", "0"], Some("give at least 1s")),
            (&["--write-timeout", "99999999999999d"], Some("give at most 365d")),
            (&["--write-timeout", "366d"], Some("give at most 365d")),
            (&["--write-timeout", "soon"], Some("give seconds")),
        ] {
            let parsed =
                Args::try_parse_from(["standalone"].iter().chain(flags)).map_err(|why| why.to_string());
            match (parsed, hint) {
                (Ok(_), None) => {}
                (Err(message), Some(hint)) => assert!(message.contains(hint), "{flags:?}: {message}"),
                (parsed, hint) => panic!("{flags:?}: {parsed:?}, not {hint:?}"),
            }
        }
    }

    #[test]
    fn the_tables_of_the_guide_list_the_flags_of_mounts_and_limits() {
        let rows = OPTIONS.lines().chain(LIMITS.lines()).filter(|line| line.starts_with("| `"));
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
