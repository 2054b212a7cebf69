//! `explain`: why a request got its answer.

use std::{
    env,
    error::Error,
    fmt::{self, Write},
    path::PathBuf,
};

use http::{HeaderName, HeaderValue, Request, Uri, uri::PathAndQuery};
use http_body_util::BodyExt;
use serde_json::Value;

use super::print;
use crate::{
    explain::{FIELD, TOKEN},
    http_client::InstanceArgs,
};

/// Ask a running instance for an object, and tell why it got its answer: mount, bucket and key, the verdict of each condition,
/// what the cache did, and what S3 said.
///
/// The token is in the environment variable EXPLAIN_TOKEN, as for the instance. The request is made as any other, S3 is asked,
/// and the answer is the explanation in place of the object.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tower-s3-proxy explain http://127.0.0.1:8080/media/a.jpg
  tower-s3-proxy explain https://media.studio.example/a.mp4 -H 'Range: bytes=0-99' -H 'If-None-Match: \"5d41\"'
  tower-s3-proxy explain http://127.0.0.1:8080/media/a.jpg --json | jq .s3")]
pub(crate) struct ExplainArgs {
    /// The URL of the object at the instance
    #[arg(value_name = "URL")]
    url: Uri,

    /// A field of the request, like "Range: bytes=0-99"; can be repeated
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE", value_parser = parse_field)]
    fields: Vec<(HeaderName, HeaderValue)>,

    /// Print the explanation as it comes, as JSON
    #[arg(long)]
    json: bool,

    /// Trust the certificate authorities in this PEM file, and not those of the system
    #[arg(long, value_name = "FILE")]
    cacert: Option<PathBuf>,
}

fn parse_field(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let malformed = || "give NAME: VALUE, like \"Range: bytes=0-99\"".to_owned();
    let (name, value) = text.split_once(':').ok_or_else(malformed)?;
    let name = name.trim().parse().map_err(|_| malformed())?;
    Ok((name, value.trim().parse().map_err(|_| malformed())?))
}

pub(crate) async fn run(args: ExplainArgs) -> Result<(), Box<dyn Error>> {
    let token = env::var(TOKEN).map_err(|_| {
        format!(
            "the environment variable {TOKEN} is not set: it has the token that the instance was started with"
        )
    })?;
    let instance = InstanceArgs { url: args.url, cacert: args.cacert };
    let target = instance.url.path_and_query().map_or("/", PathAndQuery::as_str);
    let request = Request::get(target).header(FIELD, token);
    let request = args.fields.iter().fold(request, |request, (name, value)| request.header(name, value));
    let answer = instance.send(request).await?;
    if !answer.headers().contains_key(FIELD) {
        return Err(format!(
            "{} explains nothing: start it with the same {TOKEN} in its environment (the answer is {})",
            instance.url,
            answer.status()
        )
        .into());
    }
    let body = answer.into_body().collect().await?.to_bytes();
    if args.json {
        return Ok(print(&String::from_utf8_lossy(&body))?);
    }
    Ok(print(&in_words(&serde_json::from_slice(&body)?)?)?)
}

/// The explanation as a person reads it.
fn in_words(told: &Value) -> Result<String, fmt::Error> {
    let at = |path: &str| told.pointer(path).filter(|value| !value.is_null());
    let text = |path: &str| at(path).map(plain).unwrap_or_default();
    let mut out = String::new();
    match at("/answer/status") {
        Some(status) => write!(out, "answer         {}", plain(status))?,
        None => write!(out, "answer         by {}", text("/answer/by"))?,
    }
    if at("/answer/error").is_some() {
        write!(out, " {}, id {}: {}", text("/answer/error"), text("/answer/id"), text("/answer/why"))?;
    }
    writeln!(out)?;
    match at("/mount") {
        None => writeln!(out, "mount          none has this host and path")?,
        Some(mount) => writeln!(out, "mount          {}", plain(mount))?,
    }
    for (name, path) in [("bucket", "/bucket"), ("key", "/key"), ("version", "/version")] {
        if let Some(value) = at(path) {
            writeln!(out, "{name:<15}{}", plain(value))?;
        }
    }
    for condition in at("/conditions").and_then(Value::as_array).into_iter().flatten() {
        let part = |name: &str| condition.get(name).map(plain).unwrap_or_default();
        writeln!(out, "condition      {}: {} — {}", part("field"), part("value"), part("verdict"))?;
    }
    if at("/range").is_some() {
        writeln!(out, "range          {} — {}", text("/range/asked"), text("/range/verdict"))?;
    }
    match at("/cache/status") {
        Some(status) => writeln!(out, "cache          {} — {}", text("/cache/why"), plain(status))?,
        None => writeln!(out, "cache          {}", text("/cache/why"))?,
    }
    if at("/cache_control/value").is_some() {
        let (value, from) = (text("/cache_control/value"), text("/cache_control/from"));
        writeln!(out, "cache-control  {value} — from {from}")?;
    }
    let asks = at("/s3").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if asks.is_empty() {
        writeln!(out, "s3             was not asked")?;
    }
    for ask in asks {
        let part = |name: &str| ask.get(name).filter(|value| !value.is_null()).map(plain);
        write!(out, "s3             {}", part("method").unwrap_or_default())?;
        write!(out, " {}/{}", part("bucket").unwrap_or_default(), part("key").unwrap_or_default())?;
        if let Some(range) = part("range") {
            write!(out, " {range}")?;
        }
        write!(out, " — {}", part("status").or_else(|| part("error")).unwrap_or_default())?;
        if let Some(code) = part("code") {
            write!(out, " {code}")?;
        }
        let took = ask.get("milliseconds").and_then(Value::as_f64).unwrap_or_default();
        write!(out, ", {took:.1} ms")?;
        if let Some(id) = part("request_id") {
            write!(out, ", request id {id}")?;
        }
        writeln!(out)?;
    }
    if at("/retries").and_then(Value::as_u64).unwrap_or_default() > 0 {
        writeln!(out, "retries        {}", text("/retries"))?;
    }
    Ok(out)
}

/// Without quotes. Control characters of a key or a field could do something to a terminal.
fn plain(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
