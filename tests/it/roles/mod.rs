//! Credentials that are lent: roles, web identities, instances, containers.

mod imds;
mod life;
mod sts;

use std::{process::Command, sync::Arc, time::Duration};

use axum::{Router, routing::get as on_get};
use bytes::Bytes;
use demo_s3::DemoS3;
use http::StatusCode;
use tokio::{net::TcpListener, task::JoinSet};
use tower_s3_proxy::{
    Cache, ProxyErrorKind, S3Proxy, S3ProxyLayer,
    credentials::{self, AssumeRole, CredentialsSource, ExternalId, RoleArn},
};

use self::{
    imds::Imds,
    sts::{EXTERNAL_ID, HUB, Mood, ROLE, Sts},
};
use crate::log::Log;
use crate::support::{BUCKET, ask, get, is_cached, mount, proxy, request, s3};

const HOUR: Duration = Duration::from_secs(3600);

/// An S3 server with one object, and a service that lends access to it.
async fn lender(life: Duration) -> (Arc<DemoS3>, Sts) {
    let s3 = Arc::new(s3().await);
    s3.store().put(BUCKET, "a.txt", Bytes::from_static(b"text"));
    let sts = Sts::start(Arc::clone(&s3), life).await;
    (s3, sts)
}

fn id(text: &str) -> ExternalId {
    ExternalId::parse(text).unwrap()
}

async fn service(s3: &DemoS3, role: AssumeRole) -> S3Proxy {
    proxy(mount(s3).credentials(role.build().await.unwrap()))
}

#[tokio::test]
async fn a_role_with_its_external_id_serves_objects() {
    let (s3, sts) = lender(HOUR).await;
    let policy = r#"{"Version":"2012-10-17","Statement":[]}"#;
    let role = sts.role().external_id(id(EXTERNAL_ID)).session_name("proxy-1").session_policy(policy);
    let role = role.policy_arn("arn:aws:iam::aws:policy/ReadOnlyAccess").duration(HOUR / 2);
    let service = service(&s3, role).await;
    for path in ["/a.txt", "/a.txt", "/none"] {
        let expected = if path == "/none" { 404 } else { 200 };
        assert_eq!(ask(&service, get(path)).await.status, expected, "{path}");
    }
    let calls = sts.calls();
    assert_eq!(calls.len(), 1, "one session for all");
    for (name, value) in [
        ("Action", "AssumeRole"),
        ("RoleArn", ROLE),
        ("ExternalId", EXTERNAL_ID),
        ("RoleSessionName", "proxy-1"),
        ("DurationSeconds", "1800"),
        ("Policy", policy),
        ("PolicyArns.member.1.arn", "arn:aws:iam::aws:policy/ReadOnlyAccess"),
    ] {
        assert_eq!(calls[0].parameters.get(name).map(String::as_str), Some(value), "{name}");
    }
}

#[tokio::test]
async fn a_role_with_a_wrong_external_id_is_503_without_a_storm_and_the_log_has_the_reason_once() {
    let (s3, sts) = lender(HOUR).await;
    for role in [sts.role(), sts.role().external_id(id("someone-elses"))] {
        let (log, _guard) = Log::start();
        let before = sts.calls().len();
        let mount = mount(&s3).credentials(role.build().await.unwrap()).build().unwrap();
        let ready = S3ProxyLayer::new(mount.clone()).ready().await.unwrap_err();
        assert_eq!(ready.kind(), ProxyErrorKind::Credentials);
        let service = S3Proxy::new(mount);
        let mut tasks = JoinSet::new();
        for _ in 0..100 {
            let service = service.clone();
            tasks.spawn(async move { ask(&service, get("/a.txt")).await });
        }
        let mut answers = tasks.join_all().await;
        answers.push(ask(&service, request("HEAD", "/none", &[])).await);
        for answer in answers {
            assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
            assert_eq!(answer.kind(), Some(ProxyErrorKind::Credentials));
            assert_eq!(answer.header("cache-control"), "no-store");
            assert!(!answer.text().contains("role"), "{}", answer.text());
        }
        let calls = sts.calls().len() - before;
        assert!((1..=4).contains(&calls), "{calls} calls for 102 requests");

        let lines = log.lines();
        let told: Vec<_> = lines.iter().filter(|line| line.contains("AccessDenied: User:")).collect();
        assert_eq!(told.len(), calls, "{lines:#?}");
        let longest = lines.iter().filter(|line| line.contains("tower_s3_proxy")).map(String::len).max();
        assert!(longest.unwrap() < 600, "{lines:#?}");
        let of_requests: Vec<_> = lines.iter().filter(|line| line.contains("no credentials")).collect();
        assert_eq!(of_requests.len(), 20, "a line for each of the first requests");
        assert!(of_requests.iter().all(|line| line.len() < 450), "{lines:#?}");
        for secret in [EXTERNAL_ID, "someone-elses", "users-secret"] {
            assert!(!lines.iter().any(|line| line.contains(secret)), "{secret}: {lines:#?}");
        }
    }
    assert!(sts.calls().iter().all(|call| call.refused == Some("AccessDenied")));
}

/// The SDK names neither the role nor the host, and "origin" would be S3.
#[tokio::test]
async fn a_role_whose_sts_is_not_reached_is_logged_with_the_role_and_the_host() {
    let (s3, _) = lender(HOUR).await;
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let (log, _guard) = Log::start();
    let role = AssumeRole::new(RoleArn::parse(ROLE).unwrap()).source(Sts::user());
    let service = service(&s3, role.endpoint_url(format!("http://{nobody}"))).await;
    let answer = ask(&service, get("/a.txt")).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(
        answer.text().contains("the proxy has no credentials for the storage at the moment"),
        "{}",
        answer.text()
    );

    let lines = log.lines();
    let loading: Vec<_> = lines.iter().filter(|line| line.contains("could not be loaded")).collect();
    let why = format!("error=the role {ROLE} could not be assumed: STS at {nobody}: no connection: ");
    assert!(loading.len() == 1 && loading[0].contains(&why), "{lines:#?}");
    let of_request = lines.iter().find(|line| line.contains("at the moment")).unwrap();
    assert!(of_request.contains(&format!("no credentials from the role {ROLE}")), "{of_request}");
    assert!(
        !lines.iter().any(|line| line.contains("origin could not") || line.contains("dispatch")),
        "{lines:#?}"
    );
}

/// It checks signatures: keys that it does not know, and a secret that is wrong, get nothing.
#[tokio::test]
async fn a_role_that_is_assumed_with_wrong_keys_is_503() {
    let (s3, sts) = lender(HOUR).await;
    for (source, code) in [
        (credentials::fixed("AKIANOBODY", "secret", None), "InvalidClientTokenId"),
        (credentials::fixed("AKIAUSERUSERUSERUSER", "wrong", None), "SignatureDoesNotMatch"),
    ] {
        let service = service(&s3, sts.role().external_id(id(EXTERNAL_ID)).source(source)).await;
        assert_eq!(ask(&service, get("/a.txt")).await.status, 503, "{code}");
        assert_eq!(sts.calls().last().unwrap().refused, Some(code));
    }
}

#[tokio::test]
async fn a_chained_role_is_assumed_by_the_session_of_the_first() {
    let (s3, sts) = lender(HOUR).await;
    let hub = AssumeRole::new(RoleArn::parse(HUB).unwrap()).source(Sts::user()).endpoint_url(sts.endpoint());
    let role = sts.role().external_id(id(EXTERNAL_ID)).source(hub.build().await.unwrap());
    let service = service(&s3, role).await;
    assert_eq!(ask(&service, get("/a.txt")).await.text(), "text");
    let by: Vec<_> = sts.calls().into_iter().map(|call| call.by).collect();
    assert_eq!(by, [None, Some(HUB.to_owned())]);
}

#[tokio::test]
async fn a_web_identity_reads_its_token_file_each_time() {
    let (s3, sts) = lender(Duration::from_secs(2)).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let source = sts.web_identity(&file).build().await.unwrap();
    let missing = proxy(mount(&s3).credentials(source.clone()));
    assert_eq!(ask(&missing, get("/a.txt")).await.kind(), Some(ProxyErrorKind::Credentials));
    assert!(sts.calls().is_empty(), "without a token there is nothing to ask");

    std::fs::write(&file, format!("{}\n", sts::TOKEN)).unwrap();
    let service = proxy(mount(&s3).credentials(source));
    assert_eq!(ask(&service, get("/a.txt")).await.status, 200);
    sts.rotate("another.token.here");
    std::fs::write(&file, "another.token.here").unwrap();
    until(|| sts.calls().len() > 1, async || drop(ask(&service, request("GET", "/b.txt", &[])).await)).await;
    assert!(sts.calls().iter().all(|call| call.refused.is_none()), "{:?}", sts.calls());
}

/// Asks again and again until something is the case.
async fn until(is_so: impl Fn() -> bool, again: impl AsyncFn()) {
    let reached = async {
        while !is_so() {
            again().await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), reached).await.expect("it comes to that");
}

#[tokio::test]
async fn an_instance_asks_for_a_token_first_and_keeps_its_last_credentials() {
    let (s3, sts) = lender(Duration::from_secs(3)).await;
    let imds = Imds::start(sts.issue()).await;
    let source = credentials::from_instance(Some(imds.endpoint())).unwrap();
    let service = proxy(mount(&s3).credentials(source));
    assert_eq!(ask(&service, get("/a.txt")).await.status, 200);
    let seen = imds.seen();
    assert_eq!(seen[0], ("PUT /latest/api/token".to_owned(), StatusCode::OK));
    assert!(seen.iter().all(|(_, status)| status.is_success()), "{seen:?}");
    imds.break_down();
    let is_broken = || imds.seen().iter().any(|(_, status)| status.is_server_error());
    let still = async || {
        let answer = ask(&service, get("/a.txt")).await;
        // When S3 itself calls them expired, that is the end.
        assert!([200, 502].contains(&answer.status.as_u16()), "{:?}", answer.error);
    };
    until(is_broken, still).await;
}

#[tokio::test]
async fn a_process_prints_credentials() {
    let (s3, sts) = lender(HOUR).await;
    let keys = sts.issue();
    let json = serde_json::json!({
        "Version": 1,
        "AccessKeyId": keys.access_key_id(),
        "SecretAccessKey": keys.secret_access_key(),
        "SessionToken": keys.session_token().unwrap(),
    });
    let service = proxy(mount(&s3).credentials(credentials::from_process(format!("echo '{json}'"))));
    assert_eq!(ask(&service, get("/a.txt")).await.status, 200);

    let (log, _guard) = Log::start();
    let failing = credentials::from_process("echo 'the vault is sealed' >&2; exit 3");
    let service = proxy(mount(&s3).credentials(failing));
    assert_eq!(ask(&service, get("/a.txt")).await.kind(), Some(ProxyErrorKind::Credentials));
    assert!(log.lines().iter().any(|line| line.contains("the vault is sealed")), "{:?}", log.lines());
}

/// Variables belong to a process, so a process of its own runs the test below.
#[tokio::test]
async fn a_container_is_told_by_variables_where_to_ask_and_with_what_token() {
    let (s3, sts) = lender(HOUR).await;
    let document = imds::document(&sts.issue());
    let told = move |headers: http::HeaderMap| async move {
        match headers.get("authorization").map(http::HeaderValue::as_bytes) {
            Some(b"Basic pod") => (StatusCode::OK, document),
            _ => (StatusCode::UNAUTHORIZED, String::new()),
        }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1/credentials", listener.local_addr().unwrap());
    let app = Router::new().route("/v1/credentials", on_get(told));
    let serving = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "Basic pod").unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap());
    child
        .args(["--exact", "--nocapture", "--ignored", "roles::in_a_container"])
        .env("AWS_CONTAINER_CREDENTIALS_FULL_URI", url)
        .env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", file)
        .env("TEST_S3", s3.endpoint())
        .env_remove("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    let output = tokio::task::spawn_blocking(move || child.output()).await.unwrap().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
    serving.abort();
}

#[tokio::test]
#[ignore = "run by a_container_is_told_by_variables_where_to_ask_and_with_what_token"]
async fn in_a_container() {
    let Ok(endpoint) = std::env::var("TEST_S3") else { return };
    let source = credentials::from_container().unwrap();
    let s3 = s3().await;
    let service = proxy(mount(&s3).endpoint_url(endpoint).credentials(source));
    let answer = ask(&service, get("/a.txt")).await;
    assert_eq!((answer.status.as_u16(), answer.text()), (200, "text"));
}

/// Our clock goes wrong, and those of STS and S3 do not.
#[tokio::test]
async fn a_clock_that_is_off_is_set_right_for_sts_and_for_s3() {
    use aws_smithy_async::time::{SharedTimeSource, StaticTimeSource};

    let (s3, sts) = lender(Duration::from_secs(900)).await;
    let minutes = |count: u64| Duration::from_secs(count * 60);
    let now = std::time::SystemTime::now();
    for at in [now - minutes(20), now + minutes(20)] {
        let clock = SharedTimeSource::new(StaticTimeSource::new(at));
        let role = sts.role().external_id(id(EXTERNAL_ID)).time_source(clock.clone());
        let service = proxy(mount(&s3).time_source(clock).credentials(role.build().await.unwrap()));
        let before = sts.calls().len();
        for _ in 0..5 {
            let answer = ask(&service, get("/a.txt")).await;
            assert_eq!(answer.status, 200, "{at:?}: {:?}", answer.error);
        }
        let refused: Vec<_> = sts.calls().drain(before..).map(|call| call.refused).collect();
        assert_eq!(refused, [Some("SignatureDoesNotMatch"), None], "{at:?}");
    }
}

#[tokio::test]
async fn stale_objects_are_served_while_there_are_no_credentials() {
    if is_cached() {
        return;
    }
    let (s3, sts) = lender(Duration::from_secs(1)).await;
    let cache = Cache::builder(1 << 20).build().unwrap();
    let role = sts.role().external_id(id(EXTERNAL_ID)).build().await.unwrap();
    let builder = mount(&s3).credentials(role).cache(&cache);
    let service = proxy(builder.default_cache_control("max-age=0, stale-if-error=600"));
    assert_eq!(ask(&service, get("/a.txt")).await.status, 200);
    sts.set(Mood::Fails);
    let kind = async || ask(&service, get("/none.txt")).await.kind();
    until_kind(kind, ProxyErrorKind::Credentials).await;
    let answer = ask(&service, get("/a.txt")).await;
    assert_eq!((answer.status.as_u16(), answer.text()), (200, "text"));
    assert!(
        answer.header("cache-status").contains("detail=origin-error"),
        "{}",
        answer.header("cache-status")
    );
    sts.set(Mood::Well);
    sts.live(HOUR);
    until_kind(async || ask(&service, get("/none2.txt")).await.kind(), ProxyErrorKind::NotFound).await;
}

async fn until_kind(ask: impl AsyncFn() -> Option<ProxyErrorKind>, wanted: ProxyErrorKind) {
    let reached = async {
        while ask().await != Some(wanted) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), reached).await.expect("it comes to that");
}

/// S3 calls them expired before their time: a policy was changed, or the session revoked.
#[tokio::test]
async fn a_session_that_s3_calls_expired_is_replaced_by_another() {
    let (s3, sts) = lender(HOUR).await;
    let service = service(&s3, sts.role().external_id(id(EXTERNAL_ID))).await;
    assert_eq!(ask(&service, get("/a.txt")).await.status, 200);
    let authorization = s3.log()[0].headers["authorization"].to_str().unwrap().to_owned();
    let (_, credential) = authorization.split_once("Credential=").unwrap();
    s3.expire_credential(credential.split('/').next().unwrap());
    for path in ["/b.txt", "/c.txt"] {
        assert_eq!(ask(&service, get(path)).await.status, 404, "{path}");
    }
    assert_eq!(sts.calls().len(), 2);
}

/// The source of a mount, with all that there may be to say.
async fn lent(sts: &Sts) -> CredentialsSource {
    sts.role().external_id(id(EXTERNAL_ID)).build().await.unwrap()
}
