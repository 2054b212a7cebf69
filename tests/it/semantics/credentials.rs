//! Row 25: expired credentials.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::{task::JoinSet, time::timeout};
use tower_s3_proxy::{
    ProxyErrorKind,
    credentials::{self, Credentials, CredentialsSource, ProvideCredentials, future},
};

use super::{
    check::{Failures, asks_properly},
    expect::{HANG, ensure, fetch},
};
use crate::{
    lying::{KEY, Lie, LyingOrigin, Object, Often},
    support::{is_cached, mount, proxy, request, s3},
};

const OLD: &str = "AKIAOLDOLDOLDOLDOLD0";
const NEW: &str = "AKIANEWNEWNEWNEWNEW0";

/// Gives out keys in their order, and then the last of them again and again.
#[derive(Debug, Clone)]
struct Keyring {
    keys: &'static [&'static str],
    asked: Arc<AtomicUsize>,
}

// === impl Keyring ===

impl Keyring {
    fn new(keys: &'static [&'static str]) -> Self {
        Self { keys, asked: Arc::default() }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

impl ProvideCredentials for Keyring {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let number = self.asked.fetch_add(1, Ordering::Relaxed);
        let key = self.keys[number.min(self.keys.len() - 1)];
        let token = Some(format!("token-{number}"));
        future::ProvideCredentials::ready(Ok(Credentials::new(key, "secret", token, None, "test")))
    }
}

#[tokio::test]
async fn credentials_that_ran_out_are_asked_for_again() {
    let mut failures = Failures::default();
    for (method, fields, status) in [
        ("GET", &[][..], 200),
        ("HEAD", &[], 200),
        ("GET", &[("range", "bytes=0-9")], 206),
        ("GET", &[("range", "bytes=0-9,500-509")], 206),
        ("GET", &[("if-none-match", "*")], 304),
        ("GET", &[("if-match", "\"x\"")], 412),
    ] {
        let origin = LyingOrigin::start(&Object::of_size(100_000), &[Lie::Expired(OLD)]).await;
        let keyring = Keyring::new(&[OLD, NEW]);
        let service = proxy(origin.mount().credentials(keyring.clone()));
        let row = format!("{method} {fields:?}");
        let got = fetch(&service, request(method, &format!("/{KEY}"), fields)).await;
        failures.note(&row, ensure(got.status == status, || format!("{} {:?}", got.status, got.error)));
        let asked = keyring.asked();
        failures.note(&row, ensure(asked == 2, || format!("the provider was asked {asked} times")));
        let seen = origin.seen();
        let old = seen.iter().filter(|seen| seen.access_key() == Some(OLD)).count();
        // HEAD has to ask why it was refused, also where it comes before a GET.
        let begins_with_head = seen.first().is_some_and(|first| first.method == "HEAD");
        let most = if begins_with_head { 2 } else { 1 };
        failures.note(&row, ensure((1..=most).contains(&old), || format!("{old} with the old key")));
        for seen in &seen {
            failures.note(&row, asks_properly(seen));
        }

        origin.forget();
        let got = fetch(&service, request("GET", &format!("/{KEY}"), &[])).await;
        let asked = origin.seen().len();
        let is_straight = got.status == 200 && (asked == 1 || is_cached());
        failures.note(&row, ensure(is_straight, || format!("then {} after {asked}", got.status)));
    }
    failures.report();
}

/// The same over a server that checks signatures.
#[tokio::test]
async fn credentials_that_s3_calls_expired_are_replaced() {
    let s3 = s3().await;
    s3.store().put("media", KEY, bytes::Bytes::from_static(b"object"));
    for (number, key) in [OLD, NEW].into_iter().enumerate() {
        let token = format!("token-{number}");
        s3.add_credential(demo_s3::Credential::new(key, "secret").with_session_token(token));
    }
    let keyring = Keyring::new(&[OLD, NEW]);
    let service = proxy(mount(&s3).credentials(keyring.clone()));
    let path = format!("/{KEY}");
    assert_eq!(fetch(&service, request("GET", &path, &[])).await.status, 200);
    s3.expire_credential(OLD);
    for method in ["HEAD", "GET", "GET"] {
        let got = fetch(&service, request(method, &path, &[])).await;
        assert_eq!(got.status, 200, "{method}: {:?}", got.error);
    }
    assert_eq!(keyring.asked(), 2);
}

#[tokio::test]
async fn credentials_that_stay_expired_are_a_bad_gateway_after_one_more_try() {
    let mut failures = Failures::default();
    for method in ["GET", "HEAD"] {
        let lies = [Lie::Refuses(400, "ExpiredToken", Often::Always)];
        let origin = LyingOrigin::start(&Object::of_size(10), &lies).await;
        let keyring = Keyring::new(&[OLD, NEW]);
        let service = proxy(origin.mount().credentials(keyring.clone()));
        let got = fetch(&service, request(method, &format!("/{KEY}"), &[])).await;
        failures.note(method, got.is_error(502));
        let kind = got.kind();
        failures.note(method, ensure(kind == Some(ProxyErrorKind::OriginRefused), || format!("{kind:?}")));
        let (asked, provided) = (origin.seen().len(), keyring.asked());
        // HEAD has to ask why it was refused, each time.
        let most = if method == "HEAD" { 4 } else { 2 };
        failures.note(method, ensure((2..=most).contains(&asked), || format!("{asked} requests")));
        failures.note(method, ensure(provided == 2, || format!("the provider was asked {provided} times")));
    }
    failures.report();
}

#[tokio::test]
async fn credentials_that_stay_expired_bring_no_storm_upon_their_provider() {
    let lies = [Lie::Refuses(400, "ExpiredToken", Often::Always)];
    let origin = LyingOrigin::start(&Object::of_size(10), &lies).await;
    let keyring = Keyring::new(&[OLD]);
    let service = proxy(origin.mount().credentials(keyring.clone()));
    let mut tasks = JoinSet::new();
    for _ in 0..100 {
        let service = service.clone();
        tasks.spawn(async move { fetch(&service, request("GET", &format!("/{KEY}"), &[])).await.status });
    }
    let statuses = timeout(HANG, tasks.join_all()).await.expect("no hang");
    assert!(statuses.iter().all(|status| [502, 503].contains(status)), "{statuses:?}");
    assert!(origin.seen().len() <= 200, "{} requests", origin.seen().len());
    for _ in 0..20 {
        let status = fetch(&service, request("GET", &format!("/{KEY}"), &[])).await.status;
        assert!([502, 503].contains(&status), "{status}");
    }
    assert!(keyring.asked() <= 5, "the provider was asked {} times", keyring.asked());
}

#[tokio::test]
async fn one_refresh_serves_all_who_were_refused() {
    let origin = LyingOrigin::start(&Object::of_size(10), &[Lie::Expired(OLD)]).await;
    let keyring = Keyring::new(&[OLD, NEW]);
    let service = proxy(origin.mount().credentials(keyring.clone()));
    let mut tasks = JoinSet::new();
    for _ in 0..100 {
        let service = service.clone();
        tasks.spawn(async move { fetch(&service, request("GET", &format!("/{KEY}"), &[])).await.status });
    }
    let statuses = timeout(HANG, tasks.join_all()).await.expect("no hang");
    assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
    assert_eq!(keyring.asked(), 2);
}

/// Files, processes and metadata services write an empty token where there is none, and S3 refuses it (case 3).
#[tokio::test]
async fn an_empty_session_token_is_neither_sent_nor_signed() {
    let process = r#"echo '{"Version": 1, "AccessKeyId": "AKIDPROCESS", "SecretAccessKey": "secret", "SessionToken": ""}'"#;
    let origin = LyingOrigin::start(&Object::of_size(10), &[]).await;
    for source in [
        credentials::from_process(process),
        credentials::fixed("AKIDFIXED", "secret", Some(String::new())),
        CredentialsSource::from(Credentials::new("AKIDOWN", "secret", Some(String::new()), None, "test")),
    ] {
        origin.forget();
        let name = source.to_string();
        let got =
            fetch(&proxy(origin.mount().credentials(source)), request("GET", &format!("/{KEY}"), &[])).await;
        assert_eq!(got.status, 200, "{name}");
        for seen in origin.seen() {
            assert_eq!(seen.field("x-amz-security-token"), None, "{name}");
            assert!(!seen.field("authorization").unwrap().contains("x-amz-security-token"), "{name}");
        }
    }
}
