use std::{env, error::Error, path::Path};

use toml::Value;
use tower_s3_proxy::{
    BucketName, Cache, ConfigFile, Mount, S3ProxyConfig,
    credentials::{AwsSetting, AwsSettings},
    response::Fallback,
};

use crate::{
    args::{AccessArg, CacheArgs, CredentialsArgs, SourceArgs},
    config_text,
    demo::Demo,
    settings::Settings,
};

/// The mounts to serve.
pub(crate) struct Served {
    pub(crate) config: S3ProxyConfig,
    pub(crate) cache: Option<Cache>,
    /// The mount, if there is one bucket.
    pub(crate) single: Option<(BucketName, Mount)>,
    /// A short description.
    pub(crate) description: String,
}

/// The arguments that describe mounts.
pub(crate) struct MountArgs<'a> {
    pub(crate) source: &'a SourceArgs,
    pub(crate) credentials: &'a CredentialsArgs,
    pub(crate) cache: &'a CacheArgs,
    /// The flag that requests the permission to write, if given. In a file, the mounts have their own grants.
    pub(crate) writes: Option<&'static str>,
}

// === impl MountArgs ===

impl MountArgs<'_> {
    /// The mounts of the file, or else the one of flags and options, or else that of the demo.
    pub(crate) async fn load(&self, demo: Option<&Demo>) -> Result<Served, Box<dyn Error>> {
        if let Some(path) = &self.source.config {
            return from_file(path, self.source.mount.as_deref(), None).await;
        }
        let mut settings = self.settings()?;
        match demo {
            Some(demo) => demo.set(&mut settings),
            None => {
                // The profile of the credentials is that of the bucket's place, too, as for every AWS tool.
                let aws = AwsSettings::load(settings.text("credentials.profile.profile")).await?;
                let told = |setting: Option<&AwsSetting>| {
                    setting.map(|setting| (setting.origin().to_string(), setting.value().to_owned()))
                };
                add_defaults(&mut settings, told(aws.endpoint_url()), told(aws.region()));
            }
        }
        let file = settings.read(|name| env::var(name).ok())?;
        if !settings.has("region") {
            let message = "the bucket's region is not known: give --region, set AWS_REGION, or name it in the AWS profile";
            return Err(message.into());
        }
        let cache = file.cache().cloned();
        let config = file.load().await?;
        if has_inner_fallback(&config) {
            return Err(format!(
                "-o fallback: {NO_SERVICE}; leave it out, and objects that do not exist are 404"
            )
            .into());
        }
        let bucket = settings.text("bucket").and_then(|name| BucketName::parse(name).ok());
        let single = bucket.zip(config.mounts().first().cloned());
        Ok(Served { config, cache, single, description: describe(&settings) })
    }

    /// The settings from flags and options alone.
    pub(crate) fn settings(&self) -> Result<Settings, String> {
        let mut settings = Settings::default();
        self.source.set(&mut settings)?;
        self.credentials.set(&mut settings)?;
        self.cache.set(&mut settings)?;
        if let Some(flag) = self.writes {
            settings.set(flag, "grant", "read-write")?;
        }
        for option in &self.source.option {
            settings.option(option)?;
        }
        // Each of its options switches it on as well.
        if self.source.listing && !settings.has_below("listing") {
            settings.set("--listing", "listing", toml::Table::new())?;
        }
        if self.source.access == Some(AccessArg::Read) && settings.has_below("writes") {
            return Err(
                "--access read and -o writes.… contradict each other: leave out one of them".to_owned()
            );
        }
        Ok(settings)
    }
}

/// Whether a mount hands on what it cannot serve.
fn has_inner_fallback(config: &S3ProxyConfig) -> bool {
    config.mounts().iter().any(|mount| mount.fallback() == Fallback::Inner)
}

const NO_SERVICE: &str = "\"inner\" is for a program of yours, and the standalone has no service behind it";

/// With `only`, the mount at this path alone; with `before`, what has not changed is taken over from it.
pub(crate) async fn from_file(
    path: &Path,
    only: Option<&str>,
    before: Option<&S3ProxyConfig>,
) -> Result<Served, Box<dyn Error>> {
    let in_file = |why| format!("{}: {why}", path.display());
    let text = config_text::read(path).map_err(|why| format!("{}: {why}", path.display()))?;
    let parsed = match before {
        Some(before) => ConfigFile::parse_after(&text, before),
        None => ConfigFile::parse(&text),
    };
    let file = parsed.map_err(in_file)?;
    let cache = file.cache().cloned();
    let mut config = file.load().await.map_err(in_file)?;
    if let Some(only) = only {
        config = at(config, only).map_err(|why| format!("--mount {only}: {} {why}", path.display()))?;
    }
    if has_inner_fallback(&config) {
        // A program may share the file.
        tracing::warn!(file = %path.display(), "fallback = {NO_SERVICE}: objects that do not exist are 404");
    }
    Ok(Served { config, cache, single: None, description: format!("the mounts of {}", path.display()) })
}

/// The mount at a path, or those, if several hosts have one there.
fn at(config: S3ProxyConfig, path: &str) -> Result<S3ProxyConfig, String> {
    let is_there = |mount: &Mount| mount.path() == path;
    if !config.mounts().iter().any(is_there) {
        let paths: Vec<_> = config.mounts().iter().map(Mount::path).collect();
        return Err(format!("has no mount there: give one of {}", paths.join(", ")));
    }
    Ok(config.retain(is_there))
}

/// Adds what the environment and the AWS profile say and nothing else sets, each with where it is written.
fn add_defaults(
    settings: &mut Settings,
    endpoint_url: Option<(String, String)>,
    region: Option<(String, String)>,
) {
    for (key, told) in [("endpoint_url", endpoint_url), ("region", region)] {
        if let Some((origin, value)) = told {
            settings.set_default(&origin, key, value);
        }
    }
    if settings.has("endpoint_url") {
        // Servers that speak S3's protocol rarely care; this is their usual name.
        settings.set_default("", "region", "us-east-1");
    }
}

fn describe(settings: &Settings) -> String {
    let path = settings.text("path").unwrap_or("/");
    match settings.text("bucket") {
        Some(bucket) => format!("bucket {bucket} at {path}"),
        None => format!("buckets of the path at {path}"),
    }
}

// === what flags set ===

impl SourceArgs {
    fn set(&self, settings: &mut Settings) -> Result<(), String> {
        let texts = [
            ("--bucket", "bucket", &self.bucket),
            ("--mount", "path", &self.mount),
            ("--prefix", "prefix", &self.prefix),
            ("--endpoint", "endpoint_url", &self.endpoint),
            ("--region", "region", &self.region),
            ("--connect-to", "connect_to", &self.connect_to),
            ("--client-keys", "client_keys", &self.client_keys),
            ("--expected-bucket-owner", "expected_bucket_owner", &self.expected_bucket_owner),
            ("--not-found", "website.not_found", &self.not_found),
            ("--single-page", "website.single_page", &self.single_page),
            ("--default-cache-control", "default_cache_control", &self.default_cache_control),
            ("--override-cache-control", "override_cache_control", &self.override_cache_control),
        ];
        let lists = [
            ("--bucket-from-path", "buckets_from_path", &self.bucket_from_path),
            ("--forward-response-header", "forward_response_headers", &self.forward_response_header),
            ("--cors-origin", "cors.origins", &self.cors_origin),
            ("--index", "website.index", &self.index),
        ];
        let switches = [
            ("--path-style", "path_style", self.path_style),
            ("--anonymous", "anonymous", self.anonymous),
            ("--requester-pays", "requester_pays", self.requester_pays),
        ];
        set_texts(settings, texts)?;
        if self.presigned {
            settings.set("--presigned", "presigned.unsigned", "refused")?;
        }
        if self.access == Some(AccessArg::ReadWrite) {
            settings.set("--access", "writes.delete", true)?;
        }
        for (flag, key, list) in lists.into_iter().filter(|(_, _, list)| !list.is_empty()) {
            settings.set(flag, key, list.clone())?;
        }
        for (flag, key, _) in switches.into_iter().filter(|(_, _, is_on)| *is_on) {
            settings.set(flag, key, true)?;
        }
        Ok(())
    }
}

impl CredentialsArgs {
    fn set(&self, settings: &mut Settings) -> Result<(), String> {
        if self.profile.is_some() {
            settings.set("--profile", "credentials.profile.type", "profile")?;
        }
        if self.role_arn.is_some() {
            settings.set("--role-arn", "credentials.role.type", "assume-role")?;
            if self.profile.is_some() {
                settings.set("--profile", "credentials.role.source", "profile")?;
            }
        }
        match (&self.profile, &self.role_arn) {
            (_, Some(_)) => settings.set("--role-arn", "credentials", "role")?,
            (Some(_), None) => settings.set("--profile", "credentials", "profile")?,
            (None, None) => {}
        }
        let texts = [
            ("--profile", "credentials.profile.profile", &self.profile),
            ("--role-arn", "credentials.role.role_arn", &self.role_arn),
            ("--external-id", "credentials.role.external_id", &self.external_id),
            ("--role-session-name", "credentials.role.session_name", &self.role_session_name),
        ];
        set_texts(settings, texts)
    }
}

impl CacheArgs {
    fn set(&self, settings: &mut Settings) -> Result<(), String> {
        let numbers = [
            ("--cache-size", "cache.size", self.cache_size),
            ("--cache-max-object", "cache.max_object", self.cache_max_object),
            ("--cache-block", "cache.block", self.cache_block),
            ("--cache-ttl", "cache_ttl_secs", self.cache_ttl.map(|ttl| ttl.as_secs())),
        ];
        for (flag, key, number) in numbers {
            if let Some(number) = number {
                let number = i64::try_from(number).map_err(|_| format!("{flag}: {number} is too large"))?;
                settings.set(flag, key, Value::Integer(number))?;
            }
        }
        Ok(())
    }
}

fn set_texts<const N: usize>(
    settings: &mut Settings,
    texts: [(&str, &str, &Option<String>); N],
) -> Result<(), String> {
    for (flag, key, text) in texts {
        if let Some(text) = text {
            settings.set(flag, key, text.as_str())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::Args;

    fn settings(flags: &[&str]) -> Settings {
        let args = Args::try_parse_from(["tower-s3-proxy"].iter().chain(flags)).unwrap();
        let (source, credentials) = (&args.source, &args.credentials);
        MountArgs { source, credentials, cache: &args.cache, writes: None }.settings().unwrap()
    }

    #[test]
    fn every_flag_is_a_key_that_the_reader_takes() {
        let role = "arn:aws:iam::111122223333:role/media-reader";
        let where_it_is = [
            "--mount=/media",
            "--prefix=films",
            "--endpoint=https://s3.example.com",
            "--region=us-west-2",
            "--path-style",
            "--connect-to=127.0.0.1:9000",
            "--requester-pays",
            "--expected-bucket-owner=111122223333",
        ];
        let what_clients_see = [
            "--default-cache-control=max-age=60",
            "--override-cache-control=max-age=30",
            "--forward-response-header=x-amz-meta-*",
            "--forward-response-header=x-amz-storage-class",
            "--cors-origin=*",
        ];
        let cache =
            ["--cache-size=64MiB", "--cache-max-object=8MiB", "--cache-block=64KiB", "--cache-ttl=5m"];
        for (source, needs_default) in [
            (&["--bucket=media"][..], true),
            (&["--bucket-from-path=media-*", "--bucket-from-path=docs"], true),
            (&["--bucket=media", "--profile=studio"], false),
            (&["--bucket=media", "--role-arn", role, "--external-id=studio:2031"], false),
            (&["--bucket=media", "--role-arn", role, "--profile=studio", "--role-session-name=proxy"], false),
        ] {
            let settings = settings(&[source, &where_it_is, &what_clients_see, &cache].concat());
            let file = settings.read(|_| None).unwrap();
            assert_eq!(file.needs_default_credentials(), needs_default, "{source:?}");
            assert!(file.cache().is_some());
        }
        let anonymous = settings(&["--bucket=media", "--region=us-west-2", "--anonymous"]);
        assert!(anonymous.read(|_| None).unwrap().build(None).is_ok());
        let presigned = settings(&["--bucket=media", "--region=us-west-2", "--presigned"]);
        assert!(presigned.read(|_| None).unwrap().build(None).is_ok(), "they need no credentials either");
    }

    #[test]
    fn listings_are_on_by_the_flag_or_by_any_of_their_options() {
        for (flags, shown) in [
            (&[][..], "listing: None"),
            (&["--listing"], "page_size: 1000"),
            (&["-o", "listing.page_size=7"], "page_size: 7"),
            (&["--listing", "-o", "listing.page_size=7"], "page_size: 7"),
        ] {
            let settings =
                settings(&[&["--bucket=media", "--region=us-west-2", "--anonymous"], flags].concat());
            let config = settings.read(|_| None).unwrap().build(None).unwrap();
            let told = format!("{config:?}");
            assert!(told.contains(shown), "{flags:?}: {told}");
        }
    }

    #[tokio::test]
    async fn what_has_no_service_behind_it_falls_back_on_none() {
        let keys = ["-o", "access_key_id=a", "-o", "secret_access_key=b"];
        for (fallback, hint) in
            [("none", None), ("inner", Some("-o fallback: \"inner\" is for a program of yours"))]
        {
            let option = format!("fallback={fallback}");
            let flags = [&["--bucket=media", "--region=us-west-2", "-o", &option], &keys[..]].concat();
            let args = Args::try_parse_from(["tower-s3-proxy"].iter().chain(&flags)).unwrap();
            let (source, credentials) = (&args.source, &args.credentials);
            let mounts = MountArgs { source, credentials, cache: &args.cache, writes: None };
            match (mounts.load(None).await.map_err(|why| why.to_string()), hint) {
                (Ok(_), None) => {}
                (Err(why), Some(hint)) => assert!(why.starts_with(hint), "{why}"),
                (loaded, _) => panic!("{option}: {:?}", loaded.map(|served| served.config)),
            }
        }
        // A file may be a program's, too.
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("proxy.toml");
        std::fs::write(
            &file,
            "[[mount]]\nbucket = \"media\"\nregion = \"us-west-2\"\nanonymous = true\nfallback = \"inner\"\n",
        )
        .unwrap();
        assert!(from_file(&file, None, None).await.is_ok());
    }

    #[tokio::test]
    async fn with_a_file_the_flag_mount_picks_one_of_its_mounts() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("proxy.toml");
        let mount = |path: &str, host: &str| {
            format!(
                "[[mount]]\npath = \"{path}\"\n{host}bucket = \"media\"\nregion = \"us-west-2\"\nanonymous = true\n"
            )
        };
        let other_host = mount("/docs", "host = \"docs.test\"\n");
        std::fs::write(&file, [mount("/", ""), mount("/docs", ""), other_host].concat()).unwrap();
        for (only, paths) in
            [(None, Ok(3)), (Some("/"), Ok(1)), (Some("/docs"), Ok(2)), (Some("/doc"), Err(()))]
        {
            match (from_file(&file, only, None).await, paths) {
                (Ok(served), Ok(paths)) => assert_eq!(served.config.mounts().len(), paths, "{only:?}"),
                (Err(why), Err(())) => {
                    assert!(why.to_string().contains("give one of /docs, "), "{why}");
                }
                (loaded, _) => panic!("{only:?}: {:?}", loaded.map(|served| served.config)),
            }
        }
        for (line, is_good) in [
            (&["--config=proxy.toml", "--mount=/docs"][..], true),
            (&["--bucket=media", "--mount=/docs"], true),
            (&["--mount=/docs"], false),
            (&["--config=proxy.toml", "--prefix=x"], false),
        ] {
            let parsed = Args::try_parse_from(["tower-s3-proxy"].iter().chain(line));
            assert_eq!(parsed.is_ok(), is_good, "{line:?}");
        }
    }

    #[test]
    fn the_environment_says_what_flags_and_options_do_not() {
        let told = |value: &str| Some(("AWS".to_owned(), value.to_owned()));
        let (url, region) = (|| told("http://aws"), || told("aws"));
        for (flags, aws_url, aws_region, endpoint_is, region_is) in [
            (&[][..], None, None, None, None),
            (&[], None, region(), None, Some("aws")),
            (&["--region=flag"], None, region(), None, Some("flag")),
            (&["-o", "region=option"], None, region(), None, Some("option")),
            (&[], url(), None, Some("http://aws"), Some("us-east-1")),
            (&["--endpoint=flag"], url(), region(), Some("flag"), Some("aws")),
            (&["-o", "endpoint_url=option"], url(), None, Some("option"), Some("us-east-1")),
        ] {
            let mut settings = settings(&[&["--bucket=media"], flags].concat());
            let row = format!("{flags:?} {aws_url:?} {aws_region:?}");
            add_defaults(&mut settings, aws_url, aws_region);
            let set = (settings.text("endpoint_url"), settings.text("region"));
            assert_eq!(set, (endpoint_is, region_is), "{row}");
        }
    }
}
