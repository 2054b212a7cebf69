//! The website configuration of the bucket itself.

use std::time::Duration;

use aws_credential_types::provider::{ProvideCredentials, error::CredentialsError, future};
use aws_sdk_s3::types::{
    Condition, ErrorDocument, IndexDocument, Protocol, Redirect, RedirectAllRequestsTo, RoutingRule,
    WebsiteConfiguration, builders::RedirectBuilder,
};
use demo_s3::{Credential, DemoS3, Denial as S3Denial, ObjectAttributes};
use http::HeaderValue;
use tower_s3_proxy::{
    ConfigErrorKind, Mount, MountBuilder, ProxyErrorKind,
    access::{Access, Authorizer, Denial},
    credentials::Credentials,
    diagnosis::{CheckName, Options, Outcome},
    policies::{PolicyDialect, PolicyRequest},
    response::{DeniedAnswer, Fallback},
    website::{Releases, Website},
};

use super::{clock::Clock, told};
use crate::{
    log::Log,
    support::{BUCKET, ask, bucket, get, mount, proxy, request, s3, sdk},
};

const MODES: &str = include_str!("../../../src/guide/website_modes.md");

pub(super) fn rule(
    prefix: &str,
    error: Option<&str>,
    to: impl FnOnce(RedirectBuilder) -> RedirectBuilder,
) -> RoutingRule {
    let condition = Condition::builder()
        .key_prefix_equals(prefix)
        .set_http_error_code_returned_equals(error.map(str::to_owned));
    RoutingRule::builder().condition(condition.build()).redirect(to(Redirect::builder()).build()).build()
}

/// The configuration of the guide.
pub(super) fn of_the_guide() -> WebsiteConfiguration {
    WebsiteConfiguration::builder()
        .index_document(IndexDocument::builder().suffix("index.html").build().unwrap())
        .error_document(ErrorDocument::builder().key("error.html").build().unwrap())
        .routing_rules(rule("old/", None, |to| to.replace_key_prefix_with("new/")))
        .routing_rules(rule("gone/", None, |to| to.replace_key_with("docs/").http_redirect_code("302")))
        .routing_rules(rule("shop/", None, |to| to.host_name("shop.example").protocol(Protocol::Https)))
        .routing_rules(rule("wiki/", Some("404"), |to| {
            to.host_name("wiki.example").replace_key_prefix_with("")
        }))
        .build()
}

/// The requests of the guide, and what it says that they get here.
pub(super) fn rows() -> Vec<(&'static str, &'static str)> {
    let (_, table) = MODES.split_once("| request | S3's website endpoint | here |").unwrap();
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    rows.map(|row| {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        (cells[1].trim_matches('`'), cells[3])
    })
    .collect()
}

/// A response as the guide puts it: objects have their keys for a body.
pub(super) fn in_words(answer: &crate::support::Answer) -> String {
    let status = answer.status.as_u16();
    match answer.header("location") {
        "" => format!("{status} `{}`", answer.text()),
        location => format!("{status} to `{location}`"),
    }
}

async fn site() -> DemoS3 {
    let s3 = s3().await;
    for key in ["index.html", "error.html", "docs/index.html", "wiki/home"] {
        s3.store().put(BUCKET, key, key.into());
    }
    let to = ObjectAttributes::new().website_redirect(HeaderValue::from_static("/docs/"));
    s3.store().put_with(BUCKET, "moved", "moved".into(), to);
    s3
}

async fn configure(s3: &DemoS3, website: WebsiteConfiguration) {
    let client = sdk(s3);
    client.put_bucket_website().bucket(BUCKET).website_configuration(website).send().await.unwrap();
}

fn at(s3: &DemoS3, clock: &Clock) -> MountBuilder {
    mount(s3).at("/www").website(Website::from_bucket()).time_source(clock.clone())
}

fn reads(s3: &DemoS3) -> usize {
    s3.log().iter().filter(|seen| seen.uri.contains("website")).count()
}

#[tokio::test]
async fn requests_get_what_the_guide_says() {
    let s3 = site().await;
    configure(&s3, of_the_guide()).await;
    s3.clear_log();
    let service = proxy(at(&s3, &Clock::default()));
    let rows = rows();
    assert!(rows.len() >= 12, "{rows:?}");
    for (path, expected) in rows {
        let answer = ask(&service, get(&format!("/www{path}"))).await;
        assert_eq!(in_words(&answer), expected, "{path}");
    }
    assert_eq!(reads(&s3), 1);
    let head = ask(&service, request("HEAD", "/www/old/x?a=b", &[])).await;
    assert_eq!(told(&head), (301, "../new/x?a=b", ""));
    // What names no key leads nowhere.
    for path in ["/www/old/../x", "/www/old/%2e%2e/x", "/www/shop/%zz"] {
        assert_eq!(ask(&service, get(path)).await.status, 404, "{path}");
    }
}

/// The rules are for what S3 says of an object, and the authorizer's response is its own.
#[tokio::test]
async fn a_denial_of_the_authorizer_follows_no_redirect() {
    let s3 = site().await;
    let to_login = rule("", Some("403"), |to| to.host_name("login.example"));
    configure(&s3, WebsiteConfiguration::builder().routing_rules(to_login).build()).await;
    let authorizer = Authorizer::new(|request| {
        let may = request.key().as_str() != "docs/index.html";
        async move { Ok(if may { Access::Allow } else { Access::Deny(Denial::forbidden()) }) }
    });
    let mount = || at(&s3, &Clock::default()).denied(DeniedAnswer::Forbidden);
    let service = proxy(mount().authorize(authorizer));
    let denied = ask(&service, get("/www/docs/index.html")).await;
    assert_eq!((denied.status.as_u16(), denied.kind()), (403, Some(ProxyErrorKind::Denied)));
    s3.store().deny(BUCKET, "wiki/home", S3Denial::AccessDenied);
    let of_s3 = ask(&proxy(mount()), get("/www/wiki/home")).await;
    assert_eq!(told(&of_s3), (301, "//login.example/wiki/home", ""));
}

#[tokio::test]
async fn a_prefix_is_a_part_of_the_keys_of_the_configuration() {
    let s3 = s3().await;
    for key in ["site/index.html", "site/new/a", "error.html"] {
        s3.store().put(BUCKET, key, key.into());
    }
    let website = WebsiteConfiguration::builder()
        .index_document(IndexDocument::builder().suffix("index.html").build().unwrap())
        .error_document(ErrorDocument::builder().key("error.html").build().unwrap())
        .routing_rules(rule("site/old/", None, |to| to.replace_key_prefix_with("site/new/")))
        .routing_rules(rule("site/out/", None, |to| to.replace_key_prefix_with("secret/")))
        .routing_rules(rule("old/", None, |to| to.replace_key_prefix_with("new/")));
    configure(&s3, website.build()).await;
    let (log, _guard) = Log::start();
    let service = proxy(at(&s3, &Clock::default()).prefix("site"));
    for (path, expected) in [
        ("/www/", (200, "", "site/index.html")),
        ("/www", (308, "./www/", "")),
        ("/www/old/a", (301, "../new/a", "")),
    ] {
        assert_eq!(told(&ask(&service, get(path)).await), expected, "{path}");
    }
    for path in ["/www/out/a", "/www/missing"] {
        let answer = ask(&service, get(path)).await;
        assert_eq!((answer.status.as_u16(), answer.header("location")), (404, ""), "{path}");
        assert!(
            answer.text().starts_with("404 Not Found"),
            "the error document is outside: {}",
            answer.text()
        );
    }
    let says = log.lines().join("\n");
    assert!(says.contains("the error document is not below the mount's prefix"), "{says}");
}

#[tokio::test]
async fn all_requests_can_lead_elsewhere_and_changes_are_read() {
    let (s3, clock) = (site().await, Clock::default());
    let host = RedirectAllRequestsTo::builder().host_name("new.example").build().unwrap();
    configure(&s3, WebsiteConfiguration::builder().redirect_all_requests_to(host).build()).await;
    let service = proxy(at(&s3, &clock));
    for (path, location) in [("/www/", "//new.example/"), ("/www/a%20b?c", "//new.example/a%20b?c")] {
        assert_eq!(told(&ask(&service, get(path)).await), (301, location, ""), "{path}");
    }
    configure(&s3, of_the_guide()).await;
    clock.advance(200);
    for _ in 0..50 {
        assert_eq!(ask(&service, get("/www/")).await.status, 301, "for five minutes");
    }
    clock.advance(200);
    let changed = async {
        while ask(&service, get("/www/")).await.status != 200 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), changed).await.unwrap();
}

#[tokio::test]
async fn a_bucket_without_a_configuration_has_objects_alone() {
    let (s3, clock) = (site().await, Clock::default());
    let (log, _guard) = Log::start();
    let service = proxy(at(&s3, &clock));
    for n in 1..=3 {
        assert_eq!(ask(&service, get("/www/docs/index.html")).await.status, 200);
        for path in ["/www/", "/www/docs", "/www/missing"] {
            let answer = ask(&service, get(path)).await;
            assert_eq!(
                (answer.status.as_u16(), answer.kind()),
                (404, Some(ProxyErrorKind::NotFound)),
                "{path}"
            );
        }
        clock.advance(400);
        while reads(&s3) < n {
            tokio::task::yield_now().await;
        }
    }
    let told = log.lines().iter().filter(|line| line.contains("no website configuration")).count();
    assert_eq!(told, 1, "{:#?}", log.lines());
}

#[tokio::test]
async fn a_denial_is_trouble_at_first_and_told_later() {
    let (s3, clock) = (site().await, Clock::default());
    configure(&s3, of_the_guide()).await;
    s3.add_credential(Credential::new("no-lists", "secret").without_listing());
    let keys = Credentials::new("no-lists", "secret", None, None, "test");
    let mount = at(&s3, &clock).credentials(keys).build().unwrap();
    let service = tower_s3_proxy::S3Proxy::new(mount.clone());
    let (log, _guard) = Log::start();
    let answer = ask(&service, get("/www/")).await;
    assert_eq!(answer.kind(), Some(ProxyErrorKind::OriginMisconfigured));
    let says = log.lines().join("\n");
    assert!(says.contains("AccessDenied") && says.contains("it needs s3:GetBucketWebsite"), "{says}");
    let report = mount.diagnose(&Options::new()).await;
    let check = report.mounts()[0].check(CheckName::Website).unwrap();
    assert_eq!(check.outcome(), Outcome::Fail, "{report}");
    assert!(check.statement().unwrap().contains("s3:GetBucketWebsite"), "{report}");
    for (website, outcome, says) in [
        (Website::from_bucket(), Outcome::Pass, "has a configuration"),
        (Website::new(), Outcome::Unknown, "not tried"),
    ] {
        let report =
            crate::support::mount(&s3).website(website).build().unwrap().diagnose(&Options::new()).await;
        let check = report.mounts()[0].check(CheckName::Website).unwrap();
        assert!(check.outcome() == outcome && check.seen().contains(says), "{report}");
    }
}

#[test]
fn the_policies_of_such_a_mount_allow_to_read_the_configuration() {
    for (website, is_allowed) in [(Website::from_bucket(), true), (Website::new(), false)] {
        let mount = Mount::builder(bucket("media")).region("us-west-2").anonymous().website(website);
        let mount = mount.credentials(crate::support::keys()).build().unwrap();
        let policies = PolicyRequest::for_mount(&mount).dialect(PolicyDialect::Aws).build().unwrap();
        let text = policies.to_string();
        assert_eq!(text.contains("s3:GetBucketWebsite"), is_allowed, "{text}");
    }
}

#[test]
fn options_that_contradict_the_configuration_of_the_bucket_are_refused() {
    let of_bucket = Website::from_bucket;
    for website in [
        of_bucket().index(["index.html"]),
        of_bucket().clean_urls(true),
        of_bucket().not_found("404.html"),
        of_bucket().single_page("app.html"),
        of_bucket().rules(true),
        of_bucket().releases(Releases::new("releases")),
    ] {
        let builder = Mount::builder(bucket("media")).region("us-west-2").anonymous();
        let why = builder.website(website).build().unwrap_err();
        assert_eq!(why.kind(), ConfigErrorKind::Contradiction);
        assert!(why.to_string().contains("leave out all options but refresh"), "{why}");
    }
    for builder in
        [Mount::bucket_from_path(["media-*"]), Mount::builder(bucket("media")).fallback(Fallback::Inner)]
    {
        let why = builder.region("us-west-2").anonymous().website(of_bucket()).build().unwrap_err();
        assert_eq!(why.kind(), ConfigErrorKind::Contradiction, "{why}");
    }
    let from_file =
        "[[mount]]\nbucket = \"media\"\nregion = \"us-west-2\"\nanonymous = true\n[mount.website]\n";
    let read = |lines: &str| tower_s3_proxy::S3ProxyConfig::from_toml(&format!("{from_file}{lines}"), None);
    read("from = \"bucket\"\nrefresh_secs = 60").unwrap();
    assert!(read("from = \"bucket\"\nnot_found = \"404.html\"").is_err());
    assert!(read("from = \"mount\"").is_err());
}

#[tokio::test]
async fn lacking_credentials_are_told_as_for_an_object() {
    #[derive(Debug)]
    struct NoKeys;

    impl ProvideCredentials for NoKeys {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            future::ProvideCredentials::ready(Err(CredentialsError::not_loaded("no keys today")))
        }
    }

    let s3 = s3().await;
    let mount = mount(&s3).credentials(NoKeys).website(Website::from_bucket());
    let answer = ask(&proxy(mount), get("/")).await;
    assert_eq!((answer.status.as_u16(), answer.kind()), (503, Some(ProxyErrorKind::Credentials)));
}
