mod guide;
mod options;
mod parts;
mod terms;

use std::{error::Error, time::Duration};

use aws_credential_types::Credentials;

use super::*;
use crate::{
    BucketName, Cache, ConfigError, ConfigErrorKind, Cors, Mount, S3ProxyConfig, Transport,
    cache::{CacheTtl, ClientControl},
    credentials::CredentialsSource,
    resilience::{AbsentObject, CircuitBreaker, Hedging, ReplicaCache, RetryPolicy},
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

#[tokio::test]
async fn a_replica_has_the_credentials_of_its_mount_or_its_own() {
    let own = "access_key_id = \"AKIDREPLICA\"\nsecret_access_key = \"not-a-secret\"\n";
    for (credentials, access_key_id) in [("", "AKIDMOUNT"), (own, "AKIDREPLICA")] {
        let text = format!(
            "[[mount]]\nbucket = \"media\"\nregion = \"us-west-2\"\naccess_key_id = \"AKIDMOUNT\"\n\
             secret_access_key = \"not-a-secret\"\n[mount.replica]\nbucket = \"media-eu\"\nregion = \"eu-central-1\"\n\
             absent = \"ask-replica\"\ncache = \"apart\"\n{credentials}"
        );
        let config = file(&text).build(None).unwrap();
        let replica = config.mounts()[0].0.replica.as_ref().unwrap();
        assert_eq!((replica.absent, replica.cache), (AbsentObject::AskReplica, ReplicaCache::Apart));
        assert_eq!(replica.bucket(&BucketName::parse("media").unwrap()).as_str(), "media-eu");
        let origin = &replica.mount.0.origin;
        assert_eq!(origin.access_key_id().await.as_deref(), Some(access_key_id), "{credentials}");
    }
}

#[test]
fn a_circuit_breaker_can_be_left_out_and_a_wrong_replica_is_told() {
    let mount = "[[mount]]\nbucket = \"media\"\nregion = \"us-west-2\"\nanonymous = true\n";
    let off = file(&format!("{mount}circuit_breaker = {{ enabled = false, failures = 3 }}\n"));
    let built = format!("{:?}", CircuitBreaker::never());
    assert!(format!("{:?}", off.mounts[0].builder).contains(&built));
    for (table, told) in [
        ("[mount.retry]\nmax_attempts = 0\n", "max_attempts is 0"),
        ("[mount.hedge]\nquantile = 1.5\n", "between 0 and 1"),
        ("[mount.replica]\nregion = \"us-east-2\"\n", "mount 1 (at \"/\"): the bucket is missing"),
        ("[mount.replica]\nbucket = \"b2\"\ncache = \"none\"\n", "\"shared\" or \"apart\""),
    ] {
        let why =
            ConfigFile::parse(&format!("{mount}{table}")).and_then(|file| file.build(None)).unwrap_err();
        assert!(why.to_string().contains(told), "{why}");
    }
}

#[tokio::test]
async fn a_file_builds_with_default_credentials_for_the_mounts_that_need_them() {
    let config = file(FULL).build(Some(default_credentials())).unwrap();
    let expected = [("/media", Some("AKIDEXAMPLE")), ("/fast", Some("AKIDDEFAULT")), ("/", None)];
    assert_eq!(config.mounts().len(), expected.len());
    for (mount, (path, access_key_id)) in config.mounts().iter().zip(expected) {
        assert_eq!(mount.0.path.to_string(), path);
        assert_eq!(mount.0.origin.access_key_id().await.as_deref(), access_key_id, "{path}");
    }
}

#[test]
fn absent_keys_are_the_defaults_of_the_builder() {
    let read = file(&mount_with("anonymous = true")).mounts.remove(0).builder;
    let built = Mount::builder(BucketName::parse("studio-media").unwrap()).region("us-west-2");
    assert_eq!(format!("{read:#?}"), format!("{built:#?}"));
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
fn mounts_keep_objects_in_the_cache_of_the_file_that_is_reached_by_its_handle() {
    let public = "region = \"us-west-2\"\nanonymous = true\nbucket = \"studio-media\"\n";
    let text = format!("[[mount]]\n{public}[[mount]]\n{public}path = \"/b\"\ncache = false\n");
    let without = file(&text);
    assert!(without.cache().is_none());
    let config = without.build(None).unwrap();
    assert!(config.mounts().iter().all(|mount| mount.0.cache.is_none()), "without [cache] there is none");

    let with =
        file(&format!("{text}[[mount]]\n{public}path = \"/c\"\ncache = true\n[cache]\nsize = 4194304"));
    let cache = with.cache().unwrap().clone();
    let config = with.build(None).unwrap();
    for (path, is_cached) in [("/", true), ("/b", false), ("/c", true)] {
        let mount = config.mounts().iter().find(|mount| mount.0.path.to_string() == path).unwrap();
        let in_cache = mount.0.cache.as_ref();
        assert_eq!(in_cache.is_some_and(|in_cache| in_cache.is_of(&cache)), is_cached, "{path}");
    }
}

#[test]
fn a_cache_that_makes_no_sense_is_refused_with_its_line() {
    use ConfigErrorKind::{File, InvalidValue, Missing};

    for (lines, kind, place, hint) in [
        // Line 6 is the first of `lines`.
        ("", Missing, "line 5: ", "needs a size"),
        ("size = \"1 quart\"", InvalidValue, "line 6: size \"1 quart\": ", "\"512MiB\""),
        ("size = \"${REGION}\"", InvalidValue, "line 6: size \"${REGION}\": ", "must be bytes"),
        ("size = \"${OTHER}\"", Missing, "line 6: size: ", "OTHER is not set"),
        ("size = -1", File, "line 6, column 8: ", "can't be negative"),
        ("size = 1.5", File, "line 6, column 8: ", "expected bytes, like 4096 or \"512MiB\""),
        ("size = \"1KiB\"", InvalidValue, "line 5: [cache]: ", "at least 1048576"),
        ("size = \"8MiB\"\nblock = \"5GB\"", InvalidValue, "line 5: [cache]: ", "4096 to 16777216"),
        ("size = \"8MiB\"\nmax_object = \"1GiB\"", InvalidValue, "line 5: [cache]: ", "do not fit"),
        ("size = \"8MiB\"\nmax_object = \"x\"", InvalidValue, "line 7: max_object \"x\": ", ""),
        (
            "size = \"8MiB\"\nbackground_fill_threshold = 101",
            InvalidValue,
            "line 5: [cache]: background_fill_threshold 101",
            "0 to 100",
        ),
        ("size = \"8MiB\"\nbackground_fill_threshold = 256", File, "line 7, column 29: ", "expected u8"),
        ("size = \"8MiB\"\nclients = \"yes\"", InvalidValue, "line 7: clients \"yes\": ", "\"ignored\""),
        ("size = \"8MiB\"\nttl = 1", File, "line 7, column 1: ", "unknown key `ttl`: expected one of `size`"),
        (
            "size = \"8MiB\"\npatience_ms = 1",
            File,
            "line 7, column 1: ",
            "`patience_ms` is called `stale_if_error_after_ms` now",
        ),
    ] {
        let error = error(&format!("{}[cache]\n{lines}\n", mount_with("anonymous = true")));
        let message = error.to_string();
        assert_eq!(error.kind(), kind, "{lines}: {message}");
        assert!(message.starts_with(place), "{lines}: {message:?} begins with {place:?}");
        assert!(message.contains(hint), "{lines}: {message:?} contains {hint:?}");
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
fn default_credentials_are_asked_for_only_by_mounts_without_their_own() {
    for (lines, needed) in [
        ("", true),
        ("anonymous = false", true),
        ("anonymous = true", false),
        ("access_key_id = \"a\"\nsecret_access_key = \"b\"", false),
    ] {
        assert_eq!(file(&mount_with(lines)).needs_default_credentials(), needed, "{lines}");
    }
}

#[test]
fn the_region_for_default_credentials_is_the_files_or_that_of_a_mount_that_needs_them() {
    let public = mount_with("anonymous = true");
    let private = "[[mount]]\nbucket = \"studio-docs\"\nregion = \"${REGION}\"\n";
    assert_eq!(file(&public).region(), None);
    assert_eq!(file(&format!("{public}{private}")).region(), Some("us-west-2"));
    assert_eq!(file(&format!("region = \"eu-north-1\"\n{public}{private}")).region(), Some("eu-north-1"));
}

#[test]
fn a_server_at_an_endpoint_has_the_usual_region() {
    let mount = |lines: &str| format!("[[mount]]\nbucket = \"media\"\nanonymous = true\n{lines}\n");
    let endpoint = "endpoint_url = \"http://127.0.0.1:9000\"";
    for (text, region) in [
        (mount(endpoint), Some("us-east-1")),
        (mount(&format!("{endpoint}\nregion = \"garage\"")), Some("garage")),
        (format!("region = \"garage\"\n{}", mount(endpoint)), Some("garage")),
        (mount(""), None),
    ] {
        let read = file(&text);
        assert_eq!(read.mounts[0].region(), region, "{text}");
        match read.build(None) {
            Ok(_) => assert!(region.is_some(), "{text}"),
            Err(why) => {
                assert!(region.is_none(), "{text}: {why}");
                assert!(why.to_string().contains("AWS_REGION counts for flags only"), "{why}");
            }
        }
    }
}

#[test]
fn types_of_extensions_are_what_the_builder_makes_of_them() {
    let read = file(&mount_with("content_types = { ts = \"text/plain\", vrm = \"${FIELD}/x\" }"));
    let expected = file(&mount_with("")).mounts.remove(0).builder;
    let expected = expected.content_type_of("ts", "text/plain").content_type_of("vrm", "X-Artist/x");
    assert_eq!(format!("{:?}", read.mounts[0].builder), format!("{expected:?}"));
}

/// Compose and Helm leave variables empty where nothing is meant.
#[test]
fn an_empty_place_is_none() {
    let empty = |key: &str| format!("{key} = \"${{EMPTY}}\"");
    let lines = ["endpoint_url", "connect_to"].map(empty).join("\n");
    let built = file(&mount_with(&lines)).build(Some(default_credentials())).unwrap();
    let plain = file(&mount_with("")).build(Some(default_credentials())).unwrap();
    assert_eq!(format!("{built:?}"), format!("{plain:?}"));
    let endpoint = "endpoint_url = \"http://127.0.0.1:9000\"";
    let mount = format!("[[mount]]\nbucket = \"media\"\nanonymous = true\n{endpoint}\n{}", empty("region"));
    for (text, region) in [
        (mount.clone(), "us-east-1"),
        (format!("{}\n{mount}", empty("region")), "us-east-1"),
        (format!("region = \"garage\"\n{mount}"), "garage"),
    ] {
        assert_eq!(file(&text).mounts[0].region(), Some(region), "{text}");
    }
}

#[test]
fn an_empty_session_token_is_none() {
    let lines = "access_key_id = \"a\"\nsecret_access_key = \"b\"\nsession_token = \"${EMPTY}\"";
    assert!(file(&mount_with(lines)).build(None).is_ok());
}

#[test]
fn what_is_no_configuration_is_refused_with_its_line() {
    use ConfigErrorKind::{Contradiction, Endpoint, File, InvalidValue, Missing};

    let keys = "access_key_id = \"a\"\nsecret_access_key = \"b\"";
    for (lines, kind, place, hint) in [
        (
            "anonymous = true\ncontent_types = { ts = \"video\" }",
            InvalidValue,
            "line 1, mount 1",
            "the type of an extension: \"ts\"",
        ),
        (
            "anonymous = true\ncontent_type = \"as-stored\"\ncontent_types = { ts = \"video/mp2t\" }",
            Contradiction,
            "line 1, mount 1",
            "passed on as stored",
        ),
        // The form of the file. Line 4 is the first of `lines`.
        ("path = /media", File, "line 4, column ", "quoted"),
        (
            "regoin = \"us-west-2\"",
            File,
            "line 4, column 1: ",
            "unknown key `regoin`: did you mean `region`?",
        ),
        ("bucket = \"other-bucket\"", File, "line 4, column 1: ", "duplicate key"),
        ("prefix = 1", File, "line 4, column 10: ", "text in quotes"),
        ("metadata_headers = { \"ü\" = 1 }", File, "line 4, column 28: ", "text in quotes"),
        ("fips = \"yes\"", File, "line 4, column 8: ", "expected a boolean"),
        ("transport.connect_timeout_ms = \"3s\"", File, "line 4, column 32: ", "expected u64"),
        ("\ntransport.max_idle_connections = -1", File, "line 5, column 34: ", "expected usize"),
        (
            "connect_timeout_ms = 3000",
            File,
            "line 4, column 1: ",
            "`connect_timeout_ms` is called `transport.connect_timeout_ms` now",
        ),
        ("[mount.cache_control_rule]\ndefault = \"a\"", File, "line 4, column 1: ", "double brackets"),
        (
            "[[mount.cache_control_rule]]\ndefault = \"a\"\nage = 1",
            File,
            "line 6, column 1: ",
            "unknown key `age`: expected one of `default`",
        ),
        ("[mount.cors]\norigins = \"*\"", File, "line 5, column 11: ", "expected a sequence"),
        (
            "[mount.cors]\norigins = [\"*\"]\norigin = 1",
            File,
            "line 6, column 1: ",
            "unknown key `origin`: did you mean `origins`?",
        ),
        ("[[mount.cors]]\norigins = [\"*\"]", File, "line 4, column ", ""),
        ("anonymous = true\n[other]", File, "line 5, column 2: ", "unknown key `other`: expected one of"),
        // Variables.
        ("prefix = \"${OTHER}\"", Missing, "line 4: prefix: ", "variable OTHER is not set"),
        (
            "metadata_headers = { a = \"${OTHER}\" }",
            Missing,
            "line 4: metadata_headers: ",
            "OTHER is not set",
        ),
        ("forward_response_headers = [\n\"a\",\n\"${OTHER}\"]", Missing, "line 6: ", "OTHER is not set"),
        (
            "[[mount.cache_control_rule]]\ndefault = \"${OTHER}\"",
            Missing,
            "line 5: default: ",
            "OTHER is not set",
        ),
        ("[mount.cors]\norigins = [\"${OTHER}\"]", Missing, "line 5: origins: ", "OTHER is not set"),
        ("host = \"${REGION\"", File, "line 4: host: ", "a literal ${ is written $${"),
        // Values that only a file has.
        ("buckets_from_path = [\"*\"]", Contradiction, "line 4: ", "bucket and buckets_from_path"),
        ("anonymous = true\naccess_key_id = \"a\"", Contradiction, "line 5: ", "anonymous = true and keys"),
        ("anonymous = true\nsession_token = \"a\"", Contradiction, "line 5: ", "anonymous = true and keys"),
        ("access_key_id = \"a\"", Missing, "line 4: ", "access_key_id needs secret_access_key"),
        ("secret_access_key = \"a\"", Missing, "line 4: ", "secret_access_key needs access_key_id"),
        ("session_token = \"a\"", Missing, "line 4: ", "needs access_key_id and secret_access_key"),
        (
            "access_key_id = \"a\"\nsecret_access_key = \"${EMPTY}\"",
            Missing,
            "line 5: ",
            "secret_access_key is empty",
        ),
        ("content_type = \"guess\"", InvalidValue, "line 4: ", "must be \"by-extension\" or \"as-stored\""),
        (
            "denied = \"404\"",
            InvalidValue,
            "line 4: denied \"404\": ",
            "\"not-found\" or \"forbidden\" or \"auto\"",
        ),
        ("bad_path = \"\"", InvalidValue, "line 4: ", "\"not-found\" or \"bad-request\""),
        (
            "fallback = \"${REGION}\"",
            InvalidValue,
            "line 4: fallback \"${REGION}\": ",
            "\"none\" or \"inner\"",
        ),
        ("errors = \"json\"", InvalidValue, "line 4: ", "\"plain\" or \"problem-json\""),
        ("[[mount.cache_control_rule]]\nkey = \"*\"", Missing, "line 4: ", "needs default or override"),
        (
            "\n[[mount.cache_control_rule]]\ndefault = \"a\"\noverride = \"b\"",
            Contradiction,
            "line 5: ",
            "make it two rules",
        ),
        ("cache = true", Missing, "line 4: ", "needs the table [cache]"),
        ("cache_ttl_secs = 60", Contradiction, "line 4: ", "add [cache]"),
        ("cache = false\ncache_ttl_secs = 60", Contradiction, "line 5: ", "remove cache = false"),
        ("cache_heuristic = { percent = 10, cap_secs = 1 }", Contradiction, "line 4: ", "add [cache]"),
        ("cache_heuristic = { percent = 10 }", File, "line 4, column 19: ", "missing field `cap_secs`"),
        ("\n[[mount.cache_ttl_rule]]\nttl_secs = 1", Contradiction, "line 5: ", "add [cache]"),
        ("cache = \"no\"", File, "line 4, column 9: ", "expected a boolean"),
        ("[cache]\nsize = \"8MiB\"\n[[mount.cache_ttl_rule]]", Missing, "line 6: ", "needs ttl_secs"),
        (
            "[[mount.cache_ttl_rule]]\nttl_secs = 1\nkey = \"${OTHER}\"\n[cache]\nsize = \"8MiB\"",
            Missing,
            "line 6: key: ",
            "OTHER is not set",
        ),
        (
            &format!(
                "{keys}\n[[mount.cache_ttl_rule]]\nttl_secs = 1\nkey = \"a[\"\n[cache]\nsize = \"8MiB\""
            ),
            InvalidValue,
            "line 1, mount 1 (at \"/\"): a rule for the time to live: ",
            "a[",
        ),
        (
            &format!("{keys}\ncache_heuristic = {{ percent = 0, cap_secs = 1 }}\n[cache]\nsize = \"8MiB\""),
            InvalidValue,
            "line 1, mount 1 (at \"/\"): heuristic freshness of 0 percent",
            "1 to 100",
        ),
        ("\n[mount.cors]\nmethods = [\"GET\"]", Missing, "line 5: ", "cors needs origins"),
        ("endpoint_url = \"https://a:b@c\"", InvalidValue, "line 4: ", "must not carry a user name"),
        // What the builder refuses.
        ("", Missing, "line 1, mount 1 (at \"/\"): ", "or say anonymous = true"),
        (
            "path = \"media\"\nanonymous = true",
            InvalidValue,
            "line 1, mount 1 (at \"media\"): ",
            "mount path",
        ),
        (&format!("{keys}\nhost = \"a:1\""), InvalidValue, "line 1, mount 1 ", "without scheme, port"),
        (&format!("{keys}\ntransport.connect_timeout_ms = 0"), InvalidValue, "line 6: ", "time-out is zero"),
        (&format!("{keys}\ntransport.max_connections = 0"), InvalidValue, "line 6: ", "max_connections is 0"),
        (
            &format!("{keys}\ntransport.max_connection_age_secs = 0"),
            InvalidValue,
            "line 6: ",
            "set max_idle_connections to 0",
        ),
        (
            &format!("{keys}\ntransport.ca_file = \"/absent.pem\""),
            ConfigErrorKind::Tls,
            "line 6: ca_file /absent.pem: ",
            "the file can't be read",
        ),
        (
            &format!("{keys}\ntransport.proxy = \"http://user:secret@\""),
            InvalidValue,
            "line 6: proxy: the URL is malformed: ",
            "http://host:port",
        ),
        (&format!("{keys}\nmax_in_flight = 0"), InvalidValue, "line 1, mount 1", "max_in_flight is 0"),
        (&format!("{keys}\nqueue_timeout_ms = 0"), InvalidValue, "line 1, mount 1", "set max_queued to 0"),
        (
            &format!("{keys}\n[[mount.cache_control_rule]]\ndefault = \"a\"\nstatus = 200"),
            InvalidValue,
            "line 1, mount 1 ",
            "400 to 599",
        ),
        (
            &format!("{keys}\n[mount.cors]\norigins = [\"https://a.test/\"]"),
            InvalidValue,
            "line 1, mount 1 (at \"/\"): CORS: the origin \"https://a.test/\": ",
            "no slash at the end",
        ),
        (
            &format!("{keys}\n[mount.cors]\norigins = [\"*\"]\ncredentials = true"),
            Contradiction,
            "line 1, mount 1 (at \"/\"): CORS: any origin and credentials ",
            "list the origins",
        ),
        (
            &format!("{keys}\naccelerate = true\npath_style = true"),
            Endpoint,
            "line 1, mount 1 (at \"/\"): the bucket studio-media: ",
            "",
        ),
    ] {
        let error = error(&mount_with(lines));
        let message = error.to_string();
        assert_eq!(error.kind(), kind, "{lines}: {message}");
        assert!(message.starts_with(place), "{lines}: {message:?} begins with {place:?}");
        assert!(message.contains(hint), "{lines}: {message:?} contains {hint:?}");
        assert!(!message.contains('\n'), "{lines}: {message:?} is one line");
    }
}

#[test]
fn every_old_name_is_told_its_new_one() {
    for (table, old, new) in [
        ("mount", "cache_rule", "cache_control_rule"),
        ("mount", "miss", "fallback"),
        ("mount", "connect_timeout_ms", "transport.connect_timeout_ms"),
        ("mount", "response_timeout_ms", "transport.response_timeout_ms"),
        ("mount", "read_timeout_ms", "transport.read_timeout_ms"),
        ("mount", "max_idle_connections", "transport.max_idle_connections"),
        ("cache", "missing_for", "negative_ttl_ms"),
        ("cache", "missing_for_ms", "negative_ttl_ms"),
        ("cache", "finish_from", "background_fill_threshold"),
        ("cache", "patience", "stale_if_error_after_ms"),
        ("cache", "patience_ms", "stale_if_error_after_ms"),
    ] {
        let said = format!("`{old}` is called `{new}` now");
        let in_file = match table {
            "cache" => format!("{}[cache]\nsize = \"8MiB\"\n{old} = 1\n", mount_with("anonymous = true")),
            _ => mount_with(&format!("{old} = 1")),
        };
        assert!(error(&in_file).to_string().ends_with(&said), "{in_file}");
        let option = match table {
            "cache" => [("-o cache", format!("cache.{old} = 1")), ("", "[[mount]]".to_owned())],
            _ => [("", "[[mount]]".to_owned()), ("-o", format!("{old} = 1"))],
        };
        let parts = option.iter().map(|(name, text)| (*name, text.as_str()));
        let refusal = ConfigFile::parse_parts(parts, variable).err().unwrap();
        assert!(refusal.to_string().ends_with(&said), "{refusal}");
    }
}

#[test]
fn a_file_as_a_whole_is_refused_with_what_it_lacks() {
    use ConfigErrorKind::{DuplicateMount, File, InvalidValue, Missing};

    let public = mount_with("anonymous = true");
    for (text, kind, message) in [
        ("", Missing, "the file has no mount: a mount begins with a line [[mount]]"),
        ("region = \"us-west-2\"", Missing, "the file has no mount: a mount begins with a line [[mount]]"),
        ("mount = []", Missing, "the file has no mount: a mount begins with a line [[mount]]"),
        (
            "region = \"us-west-2\"\n\n[[mounts]]\nbucket = \"studio-media\"",
            File,
            "line 3, column 3: unknown key `mounts`: did you mean `[[mount]]`?",
        ),
        (
            "[mount]\nbucket = \"a\"",
            File,
            "line 1, column 1: invalid type: map, expected tables that begin with double brackets, like [[mount]]",
        ),
        (
            "[[mount]]\nregion = \"a\"",
            Missing,
            "line 1, mount 1 (at \"/\"): the bucket is missing: give bucket, or buckets_from_path with globs",
        ),
        ("[[mount]]\r\nbucket = 1\r\n", File, "line 2, column 10: must be text in quotes"),
        ("[[mount]]\nbucket = \"A B\"", InvalidValue, "line 2: bucket \"A B\": "),
        (
            "[[mount]]\nbucket = \"studio-media\"\nanonymous = true",
            Missing,
            "line 1, mount 1 (at \"/\"): the region is missing: ",
        ),
        (
            &format!("{public}\n{public}"),
            DuplicateMount,
            "line 6, mount 2 (at \"/\"): has the same path and host as line 1, mount 1 (at \"/\"): ",
        ),
        (
            &format!("{public}\n[[mount]]\npath = \"/a\"\nbucket = \"studio-docs\"\nanonymous = true"),
            Missing,
            "line 6, mount 2 (at \"/a\"): the region is missing: ",
        ),
    ] {
        let error = error(text);
        assert_eq!(error.kind(), kind, "{text}: {error}");
        assert!(error.to_string().starts_with(message), "{text}: {error}");
    }
}

#[test]
fn a_secret_is_in_no_error() {
    for lines in [
        // Not TOML.
        "secret_access_key = s3cr3t-value",
        "secret_access_key = \"s3cr3t-value",
        "secret_access_key = 's3cr3t-value' x",
        "secret_access_key = \"\"\"s3cr3t-value",
        "secret_access_key = \"s3cr3t-value\\q\"",
        "secret_access_key = 987654321x",
        "secret_access_key \"s3cr3t-value\"",
        "secret_access_key: \"s3cr3t-value\"",
        "secret_access_key = \"s3cr3t-value\"; access_key_id = \"a\"",
        // Not a string.
        "secret_access_key = 987654321",
        "secret_access_key = 987654321.5",
        "secret_access_key = [\"s3cr3t-value\"]",
        "secret_access_key = { value = \"s3cr3t-value\" }",
        "secret_access_key.s3cr3t-value = 1",
        // Not a key of this table.
        "secret_acess_key = \"s3cr3t-value\"",
        "[[mount.cache_control_rule]]\nsecret_access_key = \"s3cr3t-value\"",
        "secret_access_key = \"s3cr3t-value\"\nsecret_access_key = \"s3cr3t-value\"",
        "[keys]\nsecret_access_key = \"s3cr3t-value\"",
        // Not a configuration.
        "secret_access_key = \"s3cr3t-value\"",
        "session_token = \"s3cr3t-value\"",
        "access_key_id = \"s3cr3t-value\"",
        "anonymous = true\nsecret_access_key = \"s3cr3t-value\"",
        "access_key_id = \"a\"\nsecret_access_key = \"${s3cr3t-value}\"",
        "access_key_id = \"a\"\nsecret_access_key = \"s3cr3t-value${\"",
        "access_key_id = \"a\"\nsecret_access_key = \"s3cr3t-value${OTHER}\"",
        "access_key_id = \"a\"\nsecret_access_key = \"s3cr3t-value\"\nfips = 1",
        "access_key_id = \"a\"\nsecret_access_key = \"s3cr3t-value\"\npath = \"a\"",
        "access_key_id = \"a\"\nsecret_access_key = \"${MEDIA_SECRET}\"\nhost = \"a:1\"",
        "endpoint_url = \"https://a:${MEDIA_SECRET}@example.com\"",
        "denied = \"${MEDIA_SECRET}\"",
    ] {
        let error = error(&mount_with(lines));
        assert!(error.to_string().contains("line "), "{lines}: {error}");
        assert_secret_is_nowhere_in(&error);
    }
    let in_bucket = error("[[mount]]\nbucket = \"${MEDIA_SECRET}!\"");
    assert!(in_bucket.to_string().starts_with("line 2: bucket \"${MEDIA_SECRET}!\": "), "{in_bucket}");
    assert_secret_is_nowhere_in(&in_bucket);
}

#[test]
fn a_secret_is_in_no_debug_output() {
    let file = file(FULL);
    let shown = format!("{file:?} {:?}", file.mounts.first().map(|mount| &mount.builder));
    assert!(shown.contains("line 13, mount 1 (at \\\"/media\\\")"), "{shown}");
    let config = file.build(Some(default_credentials())).unwrap();
    let shown = format!("{shown} {config:?} {config:#?}");
    assert!(!shown.contains(SECRET) && !shown.contains("t0ken-value"), "{shown}");
}
