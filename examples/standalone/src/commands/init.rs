//! `init`: a configuration file to begin with.

use std::{
    error::Error,
    fs::OpenOptions,
    io::{ErrorKind, Write},
    path::PathBuf,
};

use toml::Value;

use super::print;

/// Write a configuration file with a comment for each option, to be served by --config.
///
/// Values that are given here are filled in; all else is commented out.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tower-s3-proxy init --bucket studio-media --region us-west-2
  tower-s3-proxy init media.toml --bucket media --endpoint http://127.0.0.1:9000 --path-style --cache-size 512MiB
  tower-s3-proxy init - | less")]
pub(crate) struct InitArgs {
    /// The file; - is standard output
    #[arg(value_name = "FILE", default_value = "proxy.toml")]
    file: PathBuf,

    /// Overwrite the file if it exists
    #[arg(long)]
    force: bool,

    /// The bucket to serve
    #[arg(long, value_name = "BUCKET")]
    bucket: Option<String>,

    /// The path to serve it at
    #[arg(long, value_name = "PATH")]
    mount: Option<String>,

    /// Serve only the keys below this prefix, and leave it out of URLs
    #[arg(long, value_name = "PREFIX")]
    prefix: Option<String>,

    /// The bucket's region
    #[arg(long, value_name = "REGION")]
    region: Option<String>,

    /// The URL of an S3-compatible server
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,

    /// Put the bucket into the path of S3's URL instead of its host name
    #[arg(long)]
    path_style: bool,

    /// Cache objects in memory, up to this size
    #[arg(long, value_name = "BYTES")]
    cache_size: Option<String>,
}

const TEMPLATE: &str = include_str!("init.toml");

/// What stands in for a bucket that nobody has named: a file without one is none.
const NO_BUCKET: &str = "name-of-the-bucket";

pub(crate) fn run(args: &InitArgs) -> Result<(), Box<dyn Error>> {
    let text = args.text();
    if args.file.as_os_str() == "-" {
        return Ok(print(&text)?);
    }
    let file = args.file.display();
    let mut options = OpenOptions::new();
    let options = match args.force {
        true => options.write(true).create(true).truncate(true),
        false => options.write(true).create_new(true),
    };
    let mut written = options.open(&args.file).map_err(|why| match why.kind() {
        ErrorKind::AlreadyExists => {
            format!("{file} exists, and is left as it is: give another name, or --force to overwrite it")
        }
        _ => format!("{file} cannot be written: {why}"),
    })?;
    written.write_all(text.as_bytes()).map_err(|why| format!("{file} cannot be written: {why}"))?;
    let next = match args.bucket {
        Some(_) => "",
        None => "; give it the name of your bucket",
    };
    Ok(print(&format!("wrote {file}{next}\ntry it: tower-s3-proxy check --config {file}\n"))?)
}

// === impl InitArgs ===

impl InitArgs {
    fn text(&self) -> String {
        let text = |value: &String| Value::String(value.replace('$', "$$"));
        let bucket = Value::String(self.bucket.clone().unwrap_or_else(|| NO_BUCKET.to_owned()));
        let values = [
            ("bucket", Some(bucket)),
            ("path", self.mount.as_ref().map(text)),
            ("prefix", self.prefix.as_ref().map(text)),
            ("region", self.region.as_ref().map(text)),
            ("endpoint_url", self.endpoint.as_ref().map(text)),
            ("path_style", self.path_style.then_some(Value::Boolean(true))),
            ("size", self.cache_size.as_ref().map(text)),
        ];
        let lines = TEMPLATE.lines().map(|line| {
            let given = values.iter().find_map(|(key, value)| {
                line.strip_prefix(&format!("#{key} = "))
                    .and(value.as_ref())
                    .map(|value| format!("{key} = {value}"))
            });
            match line {
                "#[cache]" if self.cache_size.is_some() => "[cache]".to_owned(),
                line => given.unwrap_or_else(|| line.to_owned()),
            }
        });
        lines.map(|line| line + "\n").collect()
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use tower_s3_proxy::{ConfigFile, credentials};

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        init: InitArgs,
    }

    fn text(flags: &[&str]) -> String {
        Line::try_parse_from(["init"].iter().chain(flags)).unwrap().init.text()
    }

    /// With every option that is commented out.
    fn with_all(text: &str) -> String {
        let line = |line: &str| match line.strip_prefix('#') {
            Some(option) if !option.is_empty() && !option.starts_with(' ') => option.to_owned(),
            _ => line.to_owned(),
        };
        text.lines().map(|text| line(text) + "\n").collect()
    }

    #[test]
    fn what_is_written_is_read_with_every_option_and_with_none() {
        let sets = [
            &["--region", "us-west-2"][..],
            &["--bucket", "studio-media", "--region", "us-west-2", "--mount", "/m", "--prefix", "a$b/"],
            &[
                "--bucket",
                "media",
                "--endpoint",
                "http://127.0.0.1:9000",
                "--path-style",
                "--cache-size",
                "1GiB",
            ],
        ];
        for flags in sets {
            for text in [text(flags), with_all(&text(flags))] {
                let file = ConfigFile::parse(&text).unwrap_or_else(|why| panic!("{flags:?}: {why}\n{text}"));
                if !text.contains("\ncredentials = ") {
                    let keys = credentials::fixed("a", "b", None);
                    file.build(Some(keys)).unwrap_or_else(|why| panic!("{flags:?}: {why}\n{text}"));
                }
            }
        }
        let all = with_all(TEMPLATE);
        assert!(
            all.matches(" = ").count() > 25 && !all.contains("\n#[") && all.contains("\n[mount.budget]\n")
        );
    }

    #[test]
    fn values_that_are_given_are_filled_in() {
        let text = text(&[
            "--bucket",
            "media",
            "--endpoint",
            "http://s3.test",
            "--path-style",
            "--cache-size",
            "1GiB",
        ]);
        for line in [
            "bucket = \"media\"",
            "endpoint_url = \"http://s3.test\"",
            "path_style = true",
            "[cache]",
            "size = \"1GiB\"",
        ] {
            assert!(text.lines().any(|other| other == line), "{line}\n{text}");
        }
        assert!(text.contains("\n#path = "));
    }

    #[test]
    fn a_file_that_exists_is_overwritten_by_force_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("proxy.toml");
        let run = |more: &[&str]| {
            let line = [&["init", path.to_str().unwrap()], more].concat();
            run(&Line::try_parse_from(line).unwrap().init).map_err(|why| why.to_string())
        };
        run(&[]).unwrap();
        std::fs::write(&path, "mine").unwrap();
        assert!(run(&[]).unwrap_err().contains("--force"));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
        run(&["--force"]).unwrap();
        assert!(std::fs::read_to_string(&path).unwrap().contains("[[mount]]"));
    }
}
