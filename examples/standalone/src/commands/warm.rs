//! `warm`: objects into the cache of a running instance.

use std::{
    error::Error,
    io::{self, IsTerminal},
    time::{Duration, Instant},
};

use http::Method;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use indicatif::{HumanBytes, HumanCount, ProgressBar};
use serde_json::Value;

use super::print;
use crate::{
    cache::token,
    http_client::{InstanceArgs, encoded},
};

/// Read the objects with these prefixes into the cache of a running instance, which must have --cache-admin-path, and wait for
/// it. Ctrl-C ends it. The token is in the environment variable CACHE_ADMIN_TOKEN, as for the instance.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tower-s3-proxy warm posters/ trailers/2031/
  tower-s3-proxy warm --url https://media.studio.example/_cache --bucket studio-media posters/")]
pub(crate) struct WarmArgs {
    #[command(flatten)]
    instance: InstanceArgs,

    /// The bucket [default: the one of the instance, if it has but one]
    #[arg(long, value_name = "BUCKET")]
    bucket: Option<String>,

    /// Keys that begin like this, as S3 has them, with the prefix of --prefix; \"\" is all
    #[arg(value_name = "PREFIX", required = true)]
    prefixes: Vec<String>,
}

/// Where no one watches, a line comes so often.
const LINE_EVERY: Duration = Duration::from_secs(5);

pub(crate) async fn run(args: WarmArgs) -> Result<(), Box<dyn Error>> {
    let token = token()?;
    let mut failed = 0;
    for prefix in &args.prefixes {
        let bucket = args.bucket.as_ref().map(|bucket| format!("&bucket={}", encoded(bucket)));
        let order = format!("/warm?prefix={}{}", encoded(prefix), bucket.unwrap_or_default());
        let answer = args.instance.ask(Method::POST, &order, &token).await?;
        failed += follow(prefix, answer.into_body()).await?;
    }
    if failed > 0 {
        return Err(format!("{failed} objects could not be read: the log of the proxy says why").into());
    }
    Ok(())
}

/// Shows the progress to its end. Returns how many objects could not be read.
async fn follow(prefix: &str, mut body: Incoming) -> Result<u64, Box<dyn Error>> {
    let bar = io::stderr().is_terminal().then(ProgressBar::new_spinner);
    if let Some(bar) = &bar {
        bar.enable_steady_tick(Duration::from_millis(100));
    }
    let mut told = Instant::now();
    let mut pending = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| "the proxy has closed the connection before the end")?;
        pending.extend_from_slice(frame.data_ref().map_or(&[], |data| &data[..]));
        while let Some(end) = pending.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = pending.drain(..=end).collect();
            let line: Value = serde_json::from_slice(&line)?;
            let text = format!("{prefix:?}: {}", in_words(&line));
            if line.get("done").is_some() {
                if let Some(bar) = &bar {
                    bar.finish_and_clear();
                }
                return end_of(&line, &text);
            }
            match &bar {
                Some(bar) => bar.set_message(text),
                None if told.elapsed() >= LINE_EVERY => {
                    told = Instant::now();
                    eprintln!("{text}");
                }
                None => {}
            }
        }
    }
    Err("the proxy has closed the connection before the end".into())
}

fn end_of(line: &Value, text: &str) -> Result<u64, Box<dyn Error>> {
    if let Some(error) = line.get("error").and_then(Value::as_str) {
        return Err(format!("{text}; {error}").into());
    }
    let is_full = line.get("full").and_then(Value::as_bool) == Some(true);
    print(&format!("{text}{}\n", if is_full { "; the cache is full" } else { "" }))?;
    Ok(count(line, "failed"))
}

fn in_words(line: &Value) -> String {
    let mut words = format!(
        "{} read, {} were there, {}",
        HumanCount(count(line, "kept")),
        HumanCount(count(line, "fresh")),
        HumanBytes(count(line, "bytes"))
    );
    for (name, what) in
        [("too_large", "too large"), ("not_kept", "not kept"), ("missing", "missing"), ("failed", "failed")]
    {
        match count(line, name) {
            0 => {}
            count => words.push_str(&format!(", {} {what}", HumanCount(count))),
        }
    }
    words
}

fn count(line: &Value, name: &str) -> u64 {
    line.get(name).and_then(Value::as_u64).unwrap_or_default()
}
