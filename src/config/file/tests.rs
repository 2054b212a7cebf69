mod budget;
mod cache;
mod defaults;
mod guide;
mod loaded_again;
mod log_in;
mod old_names;
mod options;
mod parts;
mod refusals;
mod replica;
mod secrets;
mod terms;

use std::{error::Error, time::Duration};

use aws_credential_types::Credentials;

use super::*;
use crate::{
    BucketName, Cache, ConfigError, ConfigErrorKind, Cors, Mount, S3ProxyConfig, Transport,
    access::{Hotlinks, NoneGiven},
    cache::{CacheTtl, ClientControl},
    credentials::CredentialsSource,
    resilience::{AbsentObject, Budget, CircuitBreaker, Hedging, ReplicaCache, RetryPolicy, UsedUpAnswer},
    response::{BadPathAnswer, CacheControlRule, ContentTypeFix, DeniedAnswer, ErrorFormat, Fallback},
};

const FULL: &str = r#"
region = "eu-central-1"

[cache]
size = "${SIZE}"
max_object = "8 MiB"
block = 65536
negative_ttl_ms = 500
background_fill_threshold = 50
stale_if_error_after_ms = 1000
clients = "ignored"

[[mount]]
path = "/media"
host = "media.example.com"
bucket = "studio-media"
prefix = "website"
cache_bust_segment = true
drop_dot_segments = true
allow_versions = true
allow_downloads = true
region = "${REGION}"
endpoint_url = "http://127.0.0.1:9000"
path_style = true
connect_to = "127.0.0.1:9001"
access_key_id = "${MEDIA_KEY}"
secret_access_key = "${MEDIA_SECRET}"
session_token = "${MEDIA_TOKEN}"
transport = { connect_timeout_ms = 1500, tls_timeout_ms = 2500, response_timeout_ms = 10000, read_timeout_ms = 20000, max_connections = 64, max_idle_connections = 8, max_connection_age_secs = 90, tcp_keep_alive_secs = 45, tcp_user_timeout_secs = 25 }
max_in_flight = 32
max_queued = 16
queue_timeout_ms = 250
retry = { max_attempts = 3, first_pause_ms = 20, longest_pause_ms = 500, deadline_ms = 4000 }
circuit_breaker = { failures = 7, interval_ms = 300 }
budget = { requests = 1000, bytes = "2GiB", day_begins = "06:30", near = 80, answer = "429" }
hotlinks = { allow = ["studio.example", "${FIELD}"], none_given = false }
max_bytes_per_second = "10MiB"
hedge = { quantile = 0.9, at_least_ms = 5, per_thousand = 20 }
default_cache_control = "max-age=60"
override_cache_control = "max-age=30"
cache_ttl_secs = 600
cache_heuristic = { percent = 10, cap_secs = 3600 }
forward_response_headers = ["x-amz-storage-class", "x-amz-meta-*"]
metadata_headers = { title = "X-Title", artist = "${FIELD}" }
content_type = "as-stored"
denied = "forbidden"
bad_path = "bad-request"
fallback = "inner"
errors = "problem-json"

[[mount.cache_control_rule]]
override = "public, max-age=31536000, immutable"
key = "assets/**"

[[mount.cache_control_rule]]
default = "max-age=86400"
content_type = "image/*"

[[mount.cache_control_rule]]
override = "max-age=10"
status = 404

[[mount.cache_ttl_rule]]
ttl_secs = 86400
key = "assets/**"
content_type = "image/*"

[[mount.cache_ttl_rule]]
ttl_secs = 0
key = "${FIELD}/*"

[mount.cors]
origins = ["https://app.example.com", "${ORIGIN}"]
methods = ["GET"]
headers = ["range", "authorization"]
expose = ["etag", "x-title"]
max_age_secs = 600
credentials = true

[[mount]]
buckets_from_path = ["media-*", "docs"]
fips = true
dual_stack = true
anonymous = true

[[mount]]
path = "/fast"
bucket = "studio-fast"
accelerate = true
cache = false

[mount.cors]
origins = ["*"]
"#;

fn variable(name: &str) -> Option<String> {
    let value = match name {
        "REGION" => "us-west-2",
        "MEDIA_KEY" => "AKIDEXAMPLE",
        "MEDIA_SECRET" => SECRET,
        "MEDIA_TOKEN" => "t0ken-value",
        "SIZE" => "64MiB",
        "FIELD" => "X-Artist",
        "ORIGIN" => "https://*.example.com",
        "EMPTY" => "",
        _ => return None,
    };
    Some(value.to_owned())
}

const SECRET: &str = "s3cr3t-value";

fn default_credentials() -> CredentialsSource {
    CredentialsSource::from(Credentials::new("AKIDDEFAULT", "other", None, None, "default"))
}

fn file(text: &str) -> ConfigFile {
    ConfigFile::parse_with(text, variable).unwrap()
}

/// The error of a file, from reading or from building.
fn error(text: &str) -> ConfigError {
    ConfigFile::parse_with(text, variable).and_then(|file| file.build(None)).unwrap_err()
}

/// A file whose first line is `[[mount]]`, complete except for these lines.
fn mount_with(lines: &str) -> String {
    format!("[[mount]]\nbucket = \"studio-media\"\nregion = \"us-west-2\"\n{lines}\n")
}

fn assert_secret_is_nowhere_in(error: &ConfigError) {
    let mut chain = Some(error as &dyn Error);
    while let Some(link) = chain {
        let shown = format!("{link} {link:?} {link:#?}");
        assert!(!shown.contains("s3cr3t") && !shown.contains("987654321"), "{shown}");
        chain = link.source();
    }
}

#[test]
fn a_file_is_what_the_builder_makes_of_the_same_values() {
    let bucket = |name| BucketName::parse(name).unwrap();
    let cache = Cache::builder(64 * 1024 * 1024)
        .max_object(8 * 1024 * 1024)
        .block_size(64 * 1024)
        .negative_ttl(Duration::from_millis(500))
        .background_fill_threshold(50)
        .stale_if_error_after(Duration::from_secs(1))
        .clients(ClientControl::Ignored)
        .build()
        .unwrap();
    let mounts = [
        Mount::builder(bucket("studio-media"))
            .at("/media")
            .host("media.example.com")
            .prefix("website")
            .cache_bust_segment(true)
            .drop_dot_segments(true)
            .allow_versions(true)
            .allow_downloads(true)
            .region("us-west-2")
            .endpoint_url("http://127.0.0.1:9000")
            .path_style(true)
            .connect_to("127.0.0.1:9001")
            .transport(
                &Transport::builder()
                    .connect_timeout(Duration::from_millis(1500))
                    .tls_timeout(Duration::from_millis(2500))
                    .response_timeout(Duration::from_secs(10))
                    .read_timeout(Duration::from_secs(20))
                    .max_connections(64)
                    .max_idle_connections(8)
                    .max_connection_age(Duration::from_secs(90))
                    .tcp_keep_alive(Duration::from_secs(45))
                    .tcp_user_timeout(Duration::from_secs(25))
                    .build()
                    .unwrap(),
            )
            .max_in_flight(32)
            .max_queued(16)
            .queue_timeout(Duration::from_millis(250))
            .retry(
                RetryPolicy::default()
                    .max_attempts(3)
                    .first_pause(Duration::from_millis(20))
                    .longest_pause(Duration::from_millis(500))
                    .deadline(Duration::from_secs(4)),
            )
            .circuit_breaker(CircuitBreaker::default().failures(7).interval(Duration::from_millis(300)))
            .budget(
                Budget::default()
                    .name("mount media.example.com/media")
                    .requests(1000)
                    .bytes(2 << 30)
                    .day_begins(Duration::from_secs(6 * 3600 + 30 * 60))
                    .near(80)
                    .answer(UsedUpAnswer::TooManyRequests),
            )
            .hotlinks(Hotlinks::allow(["studio.example", "X-Artist"]).none_given(NoneGiven::Refused))
            .max_bytes_per_second(10 << 20)
            .hedge(Hedging::default().quantile(0.9).at_least(Duration::from_millis(5)).per_thousand(20))
            .cache_control_rule(
                CacheControlRule::override_with("public, max-age=31536000, immutable").key("assets/**"),
            )
            .cache_control_rule(CacheControlRule::default_to("max-age=86400").content_type("image/*"))
            .cache_control_rule(CacheControlRule::override_with("max-age=10").status(404))
            .default_cache_control("max-age=60")
            .override_cache_control("max-age=30")
            .cache(&cache)
            .cache_ttl(Duration::from_secs(600))
            .cache_ttl_rule(
                CacheTtl::new(Duration::from_secs(86_400)).key("assets/**").content_type("image/*"),
            )
            .cache_ttl_rule(CacheTtl::new(Duration::ZERO).key("X-Artist/*"))
            .cache_heuristic(10, Duration::from_secs(3600))
            .forward_response_header("x-amz-storage-class")
            .forward_response_header("x-amz-meta-*")
            .metadata_header("artist", "X-Artist")
            .metadata_header("title", "X-Title")
            .cors(
                Cors::origins(["https://app.example.com", "https://*.example.com"])
                    .methods(["GET"])
                    .allow_only_headers(["range", "authorization"])
                    .expose_only_headers(["etag", "x-title"])
                    .max_age(Duration::from_secs(600))
                    .allow_credentials(),
            )
            .content_type(ContentTypeFix::AsStored)
            .denied(DeniedAnswer::Forbidden)
            .bad_path(BadPathAnswer::BadRequest)
            .fallback(Fallback::Inner)
            .error_format(ErrorFormat::ProblemJson),
        Mount::bucket_from_path(["media-*", "docs"])
            .region("eu-central-1")
            .fips(true)
            .dual_stack(true)
            .cache(&cache),
        Mount::builder(bucket("studio-fast"))
            .at("/fast")
            .region("eu-central-1")
            .accelerate(true)
            .cors(Cors::any_origin()),
    ];
    let file = file(FULL);
    assert_eq!(file.cache().unwrap().snapshot().capacity, 64 * 1024 * 1024);
    let read = file.mounts;
    assert_eq!(read.len(), mounts.len());
    for (read, built) in read.iter().zip(&mounts) {
        assert_eq!(format!("{:#?}", read.builder), format!("{built:#?}"), "{}", read.place);
    }
    let [FileCredentials::Keys(keys), FileCredentials::Anonymous, FileCredentials::Default] =
        [0, 1, 2].map(|n| &read[n].credentials)
    else {
        panic!("keys, anonymous, default");
    };
    assert_eq!(keys.access_key_id(), "AKIDEXAMPLE");
    assert_eq!(keys.secret_access_key(), SECRET);
    assert_eq!(keys.session_token(), Some("t0ken-value"));
}

#[test]
fn every_answer_to_what_is_denied_has_a_name() {
    for (name, answer) in [
        ("not-found", DeniedAnswer::NotFound),
        ("forbidden", DeniedAnswer::Forbidden),
        ("auto", DeniedAnswer::Auto),
    ] {
        let read = file(&mount_with(&format!("denied = \"{name}\""))).mounts.remove(0).builder;
        let built = Mount::builder(BucketName::parse("studio-media").unwrap()).region("us-west-2");
        assert_eq!(format!("{read:#?}"), format!("{:#?}", built.denied(answer)), "{name}");
    }
}

#[test]
fn from_toml_reads_and_builds() {
    assert!(S3ProxyConfig::from_toml(&mount_with("anonymous = true"), None).is_ok());
    assert!(S3ProxyConfig::from_toml(&mount_with(""), Some(default_credentials())).is_ok());
    let error = S3ProxyConfig::from_toml(&mount_with(""), None).unwrap_err();
    assert_eq!(error.kind(), ConfigErrorKind::Missing);
}

#[test]
fn types_of_extensions_are_what_the_builder_makes_of_them() {
    let read = file(&mount_with("content_types = { ts = \"text/plain\", vrm = \"${FIELD}/x\" }"));
    let expected = file(&mount_with("")).mounts.remove(0).builder;
    let expected = expected.content_type_of("ts", "text/plain").content_type_of("vrm", "X-Artist/x");
    assert_eq!(format!("{:?}", read.mounts[0].builder), format!("{expected:?}"));
}
