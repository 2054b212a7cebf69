//! The terms of a bucket: the payer, the expected owner, the key of its objects.

use bytes::Bytes;
use demo_s3::{DemoS3, ObjectAttributes, SeenRequest};
use http::HeaderValue;
use tower_s3_proxy::{
    Cache, MountBuilder, ProxyErrorKind, S3Proxy,
    bucket::AccountId,
    credentials::Credentials,
    encryption::CustomerKey,
    response::{DeniedAnswer, Fallback},
    warm::WarmTarget,
};

use crate::log::Log;
use crate::support::{self, Answer, BUCKET, REGION, ask, bucket, get, is_cached, mount, proxy, request};

const OWNER: &str = "123456789012";
const OTHER: &str = "210987654321";
const FILM: &str = "a film";

/// A server whose bucket is of one account, and lets requesters pay.
async fn s3() -> DemoS3 {
    let s3 = DemoS3::builder().requester_pays(BUCKET).owner(OWNER).region(REGION).start().await.unwrap();
    s3.store().put(BUCKET, "film", Bytes::from_static(FILM.as_bytes()));
    s3
}

fn account(digits: &str) -> AccountId {
    AccountId::parse(digits).unwrap()
}

async fn ask_each(service: &S3Proxy) -> Vec<Answer> {
    let mut answers = Vec::new();
    for (method, range) in [("GET", None), ("GET", Some("bytes=2-")), ("HEAD", None)] {
        let fields: Vec<_> = range.map(|range| ("range", range)).into_iter().collect();
        answers.push(ask(service, request(method, "/film", &fields)).await);
    }
    answers
}

#[tokio::test]
async fn the_requester_pays_for_every_kind_of_read() {
    let s3 = s3().await;
    let paid = proxy(mount(&s3).requester_pays(true));
    let statuses: Vec<_> = ask_each(&paid).await.iter().map(|answer| answer.status.as_u16()).collect();
    assert_eq!(statuses, [200, 206, 200]);
    assert_all_say(&s3.log(), "x-amz-request-payer", "requester");

    let unpaid = proxy(mount(&s3).requester_pays(false));
    for answer in ask_each(&unpaid).await {
        assert_eq!(answer.status, 404, "S3 denies it, and the mount calls that not found");
    }
}

#[tokio::test]
async fn a_bucket_of_another_account_is_not_served() {
    let s3 = s3().await;
    let paid = || mount(&s3).requester_pays(true);
    let ours = proxy(paid().expected_bucket_owner(account(OWNER)));
    let statuses: Vec<_> = ask_each(&ours).await.iter().map(|answer| answer.status.as_u16()).collect();
    assert_eq!(statuses, [200, 206, 200]);
    assert_all_say(&s3.log(), "x-amz-expected-bucket-owner", OWNER);

    let sniped = proxy(paid().expected_bucket_owner(account(OTHER)));
    for answer in ask_each(&sniped).await {
        assert_eq!(answer.status, 404);
    }
}

fn assert_all_say(log: &[SeenRequest], name: &str, value: &str) {
    assert!(log.len() >= if is_cached() { 1 } else { 3 });
    for seen in log {
        assert_eq!(seen.headers.get(name).map(|value| value.to_str().unwrap()), Some(value), "{seen:?}");
    }
}

#[tokio::test]
async fn the_owner_of_a_public_bucket_is_checked_without_a_signature() {
    let builder = DemoS3::builder().anonymous_read(BUCKET).owner(OWNER).region(REGION);
    let s3 = builder.start().await.unwrap();
    s3.store().put(BUCKET, "film", Bytes::from_static(FILM.as_bytes()));
    for (expected, status) in [(OWNER, 200), (OTHER, 404)] {
        let service = proxy(mount(&s3).anonymous().expected_bucket_owner(account(expected)));
        assert_eq!(ask(&service, get("/film")).await.status, status, "{expected}");
    }
}

#[tokio::test]
async fn a_listing_is_on_the_same_terms() {
    let s3 = s3().await;
    let cache = || Cache::builder(4 << 20).build().unwrap();
    let warm = async |builder: MountBuilder| {
        let mount = builder.cache(&cache()).build().unwrap();
        let target = WarmTarget::Prefix { bucket: bucket(BUCKET), prefix: String::new() };
        mount.warm(target).unwrap().run().await.map(|report| report.kept).map_err(|why| why.to_string())
    };
    let agreed = mount(&s3).requester_pays(true).expected_bucket_owner(account(OWNER));
    assert_eq!(warm(agreed).await, Ok(1));
    let listings: Vec<_> = s3.log().into_iter().filter(|seen| seen.uri.contains("list-type=2")).collect();
    assert_eq!(listings.len(), 1);
    for (name, value) in [("x-amz-request-payer", "requester"), ("x-amz-expected-bucket-owner", OWNER)] {
        assert!(is_signed(&listings[0], name, value), "{name}: {:?}", listings[0]);
    }
    for terms in [mount(&s3), mount(&s3).requester_pays(true).expected_bucket_owner(account(OTHER))] {
        let why = warm(terms).await.unwrap_err();
        assert!(why.contains("AccessDenied"), "{why}");
    }
}

/// Whether a request says this, and its signature covers it: what no proxy in between can add or take away.
fn is_signed(seen: &SeenRequest, name: &str, value: &str) -> bool {
    let field = |name: &str| seen.headers.get(name).and_then(|value| value.to_str().ok());
    let authorization = field("authorization").unwrap_or_default();
    let signed = authorization.split_once("SignedHeaders=").and_then(|(_, rest)| rest.split(',').next());
    field(name) == Some(value) && signed.unwrap_or_default().split(';').any(|signed| signed == name)
}

#[tokio::test]
async fn the_log_says_what_a_denial_may_be_about() {
    let (s3, encrypted) = (s3().await, encrypted().await);
    for (builder, hint) in [
        (mount(&s3).requester_pays(true).expected_bucket_owner(account(OTHER)), "of another account"),
        (mount(&s3).requester_pays(true).credentials(stranger(&s3)), "a policy in its own account"),
        (mount(&encrypted).customer_key(CustomerKey::from([7; 32])), "by another customer_key"),
    ] {
        let (log, _guard) = Log::start();
        assert_eq!(ask(&proxy(builder), get("/film")).await.status, 404);
        let text = log.lines().join("\n");
        assert!(text.contains("S3 refused") && text.contains(hint), "{hint}: {text}");
    }
}

/// Keys that may not read the film.
fn stranger(s3: &DemoS3) -> Credentials {
    s3.add_credential(demo_s3::Credential::new("AKIDSTRANGER", "secret").only_below("other/"));
    Credentials::new("AKIDSTRANGER", "secret", None, None, "test")
}

// --- keys of customers ---

const KEY: [u8; 32] = *b"0123456789abcdef0123456789abcdef";

/// A server with one object that is encrypted by `KEY`, and one that is not.
async fn encrypted() -> DemoS3 {
    let s3 = support::s3().await;
    let attributes = ObjectAttributes::new().customer_key(&KEY);
    let attributes = attributes.cache_control(HeaderValue::from_static("max-age=60"));
    s3.store().put_with(BUCKET, "film", Bytes::from_static(FILM.as_bytes()), attributes);
    s3.store().put(BUCKET, "plain", Bytes::from_static(b"plain"));
    s3
}

#[tokio::test]
async fn an_object_is_read_by_the_key_of_the_mount() {
    let s3 = encrypted().await;
    let service = proxy(mount(&s3).customer_key(CustomerKey::from(KEY)));
    let answers = ask_each(&service).await;
    let seen: Vec<_> = answers.iter().map(|answer| (answer.status.as_u16(), answer.text())).collect();
    assert_eq!(seen, [(200, FILM), (206, &FILM[2..]), (200, "")]);
    for answer in answers {
        let names: Vec<_> = answer.headers.keys().map(|name| name.as_str()).collect();
        assert!(!names.iter().any(|name| name.contains("customer")), "{names:?}");
    }
    assert_all_say(&s3.log(), "x-amz-server-side-encryption-customer-algorithm", "AES256");
}

#[tokio::test]
async fn by_another_key_or_none_there_is_no_object() {
    let s3 = encrypted().await;
    let other = || mount(&s3).customer_key(CustomerKey::from([7; 32]));
    let misconfigured = Some(ProxyErrorKind::OriginMisconfigured);
    for (builder, path, status, kind) in [
        (other(), "/film", 404, Some(ProxyErrorKind::NotFound)),
        (other().denied(DeniedAnswer::Forbidden), "/film", 403, Some(ProxyErrorKind::Forbidden)),
        (mount(&s3), "/film", 502, misconfigured),
        (other(), "/plain", 502, misconfigured),
        (mount(&s3), "/plain", 200, None),
    ] {
        let service = proxy(builder);
        for method in ["GET", "HEAD"] {
            let answer = ask(&service, request(method, path, &[])).await;
            assert_eq!((answer.status.as_u16(), answer.kind()), (status, kind), "{method} {path}");
        }
    }
}

#[tokio::test]
async fn what_was_read_by_the_key_of_the_mount_is_cached() {
    let s3 = encrypted().await;
    let cache = Cache::builder(4 << 20).build().unwrap();
    let service = proxy(mount(&s3).customer_key(CustomerKey::from(KEY)).cache(&cache));
    for _ in 0..3 {
        assert_eq!(ask(&service, get("/film")).await.text(), FILM);
    }
    assert_eq!(s3.log().len(), 1);
}

#[tokio::test]
async fn a_key_that_a_client_sends_is_refused_and_reaches_neither_s3_nor_the_cache() {
    const FIELD: &str = "x-amz-server-side-encryption-customer-key";
    let s3 = encrypted().await;
    let cache = Cache::builder(4 << 20).build().unwrap();
    let service = proxy(mount(&s3).customer_key(CustomerKey::from(KEY)).cache(&cache));
    let with_key = |path| request("GET", path, &[(FIELD, "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")]);
    for is_kept in [false, true] {
        let answer = ask(&service, with_key("/film")).await;
        assert_eq!((answer.status.as_u16(), answer.kind()), (400, Some(ProxyErrorKind::CustomerKey)));
        assert_eq!(answer.header("cache-control"), "no-store");
        assert!(!answer.headers.contains_key("cache-status"), "{:?}", answer.headers);
        assert_eq!(s3.log().len(), usize::from(is_kept));
        assert_eq!(cache.snapshot().entries, u64::from(is_kept));
        assert_eq!(ask(&service, get("/film")).await.text(), FILM);
    }
    let to_inner = proxy(mount(&s3).fallback(Fallback::Inner));
    let answer = ask(&to_inner, with_key("/plain")).await;
    assert_eq!((answer.status.as_u16(), answer.kind()), (404, None), "the inner service's own");
}
