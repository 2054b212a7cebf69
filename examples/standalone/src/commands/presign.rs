//! `presign`: a link to an object.

use std::{
    error::Error,
    io::{self, Write},
    time::{Duration, SystemTime},
};

use clap::ValueEnum;
use tower_s3_proxy::{
    BucketName, Mount, S3ProxyConfig,
    bucket::ObjectKey,
    links::{BoundedBy, LinkMethod, PresignRequest, PresignedUrl},
};

use crate::{
    args::{CacheArgs, CredentialsArgs, SourceArgs},
    cache::parse_time,
    mounts::MountArgs,
};

/// Print a link to an object: a URL that S3 itself answers, for a while, whoever has it.
///
/// The URL alone is on standard output; what bounds its life, and the fields that an upload must have, are on standard error.
/// S3 is not asked, so the object need not exist. A link that writes needs -o links.grant=read-write -o grant=read-write.
#[derive(Debug, clap::Args)]
pub(crate) struct PresignArgs {
    /// The key as S3 has it, with the prefix of --prefix
    #[arg(value_name = "KEY")]
    key: String,

    /// The method that the link is for
    #[arg(
        long,
        ignore_case = true,
        value_name = "METHOD",
        value_enum,
        default_value_t,
        help_heading = "The link"
    )]
    method: Method,

    /// How long it is valid: seconds, or like 15m, 4h [default: as long as the mount's policy and the credentials allow]
    #[arg(long, value_name = "TIME", value_parser = parse_time, help_heading = "The link")]
    expires: Option<Duration>,

    /// Make the response a download under this name; without a name, under the last segment of the key
    #[arg(long, value_name = "NAME", num_args = 0..=1, require_equals = true, default_missing_value = "", help_heading = "The link")]
    download: Option<String>,

    /// The version of the object
    #[arg(long, value_name = "ID", help_heading = "The link")]
    version_id: Option<String>,

    /// The Content-Type that an upload must have
    #[arg(long, value_name = "TYPE", help_heading = "The link")]
    content_type: Option<String>,

    /// The length that an upload must have, in bytes
    #[arg(long, value_name = "BYTES", help_heading = "The link")]
    content_length: Option<u64>,

    /// The bucket of the link, where requests name it (--bucket-from-path)
    #[arg(long, value_name = "BUCKET", help_heading = "The link")]
    for_bucket: Option<String>,

    #[command(flatten)]
    source: SourceArgs,

    #[command(flatten)]
    credentials: CredentialsArgs,

    #[command(flatten)]
    cache: CacheArgs,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum Method {
    #[default]
    Get,
    Head,
    Put,
    Delete,
}

pub(crate) async fn run(args: PresignArgs) -> Result<(), Box<dyn Error>> {
    if args.source.is_demo() {
        let message =
            "nothing is named for which to make a link: give --bucket, --bucket-from-path or --config";
        return Err(message.into());
    }
    let mounts =
        MountArgs { source: &args.source, credentials: &args.credentials, cache: &args.cache, writes: None };
    let served = mounts.load(None).await?;
    let link = only(&served.config)?.presign(args.request()?).await?;
    // Nobody has to read it.
    let _ = write!(io::stderr(), "{}", told(&link, SystemTime::now()));
    super::print(&format!("{}\n", link.url()))?;
    Ok(())
}

pub(super) fn only(config: &S3ProxyConfig) -> Result<&Mount, String> {
    match config.mounts() {
        [mount] => Ok(mount),
        mounts => {
            let paths: Vec<_> = mounts.iter().map(Mount::path).collect();
            Err(format!("the file has several mounts: give --mount with one of {}", paths.join(", ")))
        }
    }
}

impl PresignArgs {
    fn request(&self) -> Result<PresignRequest, Box<dyn Error>> {
        let key = ObjectKey::new(self.key.as_str()).map_err(|why| format!("{}: {why}", self.key))?;
        let mut request = PresignRequest::new(self.method.into(), key);
        if let Some(name) = &self.for_bucket {
            request = request.bucket(BucketName::parse(name).map_err(|why| format!("--for-bucket: {why}"))?);
        }
        if let Some(life) = self.expires {
            request = request.expires_in(life);
        }
        request = with(request, self.download.as_ref(), PresignRequest::download);
        request = with(request, self.version_id.as_ref(), PresignRequest::version);
        request = with(request, self.content_type.as_ref(), PresignRequest::content_type);
        if let Some(bytes) = self.content_length {
            request = request.content_length(bytes);
        }
        Ok(request)
    }
}

fn with(
    request: PresignRequest,
    value: Option<&String>,
    method: impl FnOnce(PresignRequest, String) -> PresignRequest,
) -> PresignRequest {
    match value {
        Some(value) => method(request, value.clone()),
        None => request,
    }
}

/// What the URL does not say.
fn told(link: &PresignedUrl, now: SystemTime) -> String {
    let by = match link.bounded_by() {
        BoundedBy::Request => "as --expires asks",
        BoundedBy::Policy => "the longest life by the mount's policy (links.longest_secs)",
        BoundedBy::Signature => "as long as S3 accepts a signature in a URL",
        BoundedBy::Credentials => "as long as the credentials are valid, less a minute",
        _ => link.bounded_by().as_str(),
    };
    let left = link.expires_at().duration_since(now).unwrap_or_default().as_millis().div_ceil(1000);
    let mut told = format!("valid for {left} s: {by}\n");
    for (name, value) in link.headers() {
        told.push_str(&format!("send with it: {name}: {}\n", value.to_str().unwrap_or_default()));
    }
    told
}

impl From<Method> for LinkMethod {
    fn from(method: Method) -> Self {
        match method {
            Method::Get => Self::Get,
            Method::Head => Self::Head,
            Method::Put => Self::Put,
            Method::Delete => Self::Delete,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{args::Command, command};

    fn args(line: &[&str]) -> Result<PresignArgs, String> {
        let line =
            ["tower-s3-proxy", "presign", "--bucket=studio-media", "--region=us-west-2"].iter().chain(line);
        match command::parse(line).map_err(|why| why.to_string())?.command {
            Some(Command::Presign(args)) => Ok(args),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_flags_are_those_of_the_link() {
        let key = || ObjectKey::new("films/a b.mp4").unwrap();
        for (line, expected) in [
            (&[][..], PresignRequest::get(key())),
            (&["--method=head", "--version-id=1"], PresignRequest::head(key()).version("1")),
            (&["--expires=15m"], PresignRequest::get(key()).expires_in(Duration::from_secs(900))),
            (&["--download"], PresignRequest::get(key()).download("")),
            (&["--download=x.mp4"], PresignRequest::get(key()).download("x.mp4")),
            (
                &["--method=put", "--content-type=video/mp4", "--content-length=7"],
                PresignRequest::put(key()).content_type("video/mp4").content_length(7),
            ),
            (&["--method=delete", "--for-bucket=other"], {
                PresignRequest::delete(key()).bucket(BucketName::parse("other").unwrap())
            }),
        ] {
            let args = args(&[&["films/a b.mp4"], line].concat()).unwrap();
            assert_eq!(args.request().unwrap(), expected, "{line:?}");
        }
        assert!(args(&[]).unwrap_err().contains("<KEY>"));
        assert!(args(&["a", "--method=post"]).unwrap_err().contains("get, head, put, delete"));
        let bad = args(&["a/../b"]).unwrap().request().unwrap_err().to_string();
        assert!(bad.starts_with("a/../b: "), "{bad}");
    }

    #[tokio::test]
    async fn the_demo_has_no_links() {
        let line = ["tower-s3-proxy", "presign", "a"];
        let Some(Command::Presign(args)) = command::parse(line).unwrap().command else {
            panic!("it is a link")
        };
        let refusal = run(args).await.unwrap_err().to_string();
        assert!(refusal.contains("give --bucket"), "{refusal}");
    }
}
