//! Folders as pages and as JSON.

mod access;
mod folders;
mod names;
mod pages;
mod remembered;
mod trouble;
mod writes;

use std::time::Duration;

use demo_s3::DemoS3;
use http::{Request, Response};
use serde_json::Value;
use tower_s3_proxy::{MountBuilder, S3Proxy, listing::Listing};

use crate::support::{Answer, BUCKET, ask, get, mount, request, s3};

const BROWSER: (&str, &str) = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
const JSON: (&str, &str) = ("accept", "application/json");
const LONG: Duration = Duration::from_secs(3600);

/// A bucket with some folders below `site/`.
async fn bucket_of_files() -> DemoS3 {
    let s3 = s3().await;
    for key in [
        "site/a.txt",
        "site/docs/README.md",
        "site/docs/deep/er/x.bin",
        "site/docs/film.webm",
        "site/docs/picture.png",
        "site/empty/",
        "site/.git/config",
        "site/tmp/only.tmp",
        "outside/secret.txt",
    ] {
        let body = if key.ends_with('/') { String::new() } else { format!("# {key}") };
        s3.store().put(BUCKET, key, body.into());
    }
    s3
}

fn at(s3: &DemoS3, listing: Listing) -> MountBuilder {
    mount(s3).at("/www").prefix("site").listing(listing)
}

/// The lists that S3 was asked for.
fn lists(s3: &DemoS3) -> Vec<String> {
    let of_list = s3.log().into_iter().map(|seen| seen.uri).filter(|uri| uri.contains("list-type=2"));
    of_list.collect()
}

async fn json(service: &S3Proxy, path: &str) -> Value {
    let answer = ask(service, request("GET", path, &[JSON])).await;
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    serde_json::from_slice(&answer.body).unwrap()
}

/// The names of a page, those of folders with a slash.
fn names(page: &Value) -> Vec<String> {
    let entries = page["entries"].as_array().unwrap().iter();
    let name = |entry: &Value| {
        let slash = if entry["type"] == "folder" { "/" } else { "" };
        format!("{}{slash}", entry["name"].as_str().unwrap())
    };
    entries.map(name).collect()
}

async fn html(service: &S3Proxy, path: &str) -> Answer {
    ask(service, request("GET", path, &[BROWSER])).await
}

/// A template that says its entries.
fn plain(page: &tower_s3_proxy::listing::ListingPage) -> Response<bytes::Bytes> {
    let names: Vec<_> = page.entries().iter().map(|entry| entry.href()).collect();
    Response::new(format!("{} {}", page.path(), names.join(" ")).into())
}

fn with_user(path: &str, user: &str) -> Request<http_body_util::Empty<bytes::Bytes>> {
    request("GET", path, &[JSON, ("x-user", user)])
}

fn status(answer: &Answer) -> u16 {
    answer.status.as_u16()
}

async fn get_status(service: &S3Proxy, path: &str) -> u16 {
    status(&ask(service, get(path)).await)
}
