//! Roles over moto's STS, IAM and S3. Run by `scripts/with-moto cargo test --test it moto`; without that server the
//! tests skip it.
//!
//! moto refuses a wrong External ID but not an absent one, and keeps sessions for ever: `roles` covers what it does not
//! check, over the tests' own STS.

use std::env;

use http::StatusCode;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::{Mutex, MutexGuard},
    task::JoinSet,
};
use tower_s3_proxy::{
    Mount, MountBuilder, ProxyErrorKind, S3ProxyLayer,
    credentials::{AssumeRole, CredentialsSource, ExternalId, RoleArn, WebIdentity, fixed},
    response::DeniedAnswer,
};

use crate::support::{REGION, ask, bucket, get, proxy};

/// Whether signatures are checked is one switch for the whole server.
static ALONE: Mutex<()> = Mutex::const_new(());

#[tokio::test]
async fn a_role_with_its_external_id_reads_what_its_policy_allows() {
    let Some(moto) = Moto::from_env().await else { return };
    let source = moto.role("ROLE").external_id(moto.external_id()).build().await.unwrap();
    let mount = moto.mount(source).build().unwrap();
    S3ProxyLayer::new(mount.clone()).ready().await.unwrap();
    let service = tower_s3_proxy::S3Proxy::new(mount);
    let answer = ask(&service, get("/public/a.txt")).await;
    assert_eq!((answer.status, answer.text()), (StatusCode::OK, "public"));
    assert_eq!(ask(&service, get("/private/a.txt")).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_role_with_a_wrong_external_id_is_503() {
    let Some(moto) = Moto::from_env().await else { return };
    let wrong = ExternalId::parse("someone-elses").unwrap();
    let source = moto.role("ROLE").external_id(wrong).build().await.unwrap();
    let mount = moto.mount(source).build().unwrap();
    let ready = S3ProxyLayer::new(mount.clone()).ready().await.unwrap_err();
    assert_eq!(ready.kind(), ProxyErrorKind::Credentials);
    let service = tower_s3_proxy::S3Proxy::new(mount);
    let mut tasks = JoinSet::new();
    for _ in 0..50 {
        let service = service.clone();
        tasks.spawn(async move { ask(&service, get("/public/a.txt")).await.status });
    }
    assert!(tasks.join_all().await.iter().all(|status| *status == StatusCode::SERVICE_UNAVAILABLE));
}

#[tokio::test]
async fn keys_that_are_wrong_are_503() {
    let Some(moto) = Moto::from_env().await else { return };
    let user = fixed(variable("ACCESS_KEY"), "wrong", None);
    let role = moto.role("ROLE").external_id(moto.external_id()).source(user);
    let service = proxy(moto.mount(role.build().await.unwrap()));
    assert_eq!(ask(&service, get("/public/a.txt")).await.kind(), Some(ProxyErrorKind::Credentials));
}

#[tokio::test]
async fn a_chained_role_reads_and_the_first_alone_does_not() {
    let Some(moto) = Moto::from_env().await else { return };
    let hub = moto.role("HUB_ROLE").build().await.unwrap();
    let service = proxy(moto.mount(hub.clone()));
    assert_eq!(ask(&service, get("/public/a.txt")).await.status, StatusCode::FORBIDDEN);
    let chained = moto.role("ROLE").external_id(moto.external_id()).source(hub).build().await.unwrap();
    let service = proxy(moto.mount(chained));
    assert_eq!(ask(&service, get("/public/a.txt")).await.text(), "public");
}

/// moto takes the request, which has no signature, only while it checks none; S3 is asked when it does again.
#[tokio::test]
async fn a_web_identity_reads() {
    let Some(moto) = Moto::from_env().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "header.payload.signature").unwrap();
    let role = RoleArn::parse(variable("ROLE")).unwrap();
    let source = WebIdentity::new(role, &file).endpoint_url(&moto.endpoint).build().await.unwrap();
    let service = proxy(moto.mount(source));
    moto.let_pass(1).await;
    assert_eq!(ask(&service, get("/public/a.txt")).await.text(), "public");
    assert_eq!(ask(&service, get("/private/a.txt")).await.status, StatusCode::FORBIDDEN);
}

/// The server that the environment names.
pub(crate) struct Moto {
    pub(crate) endpoint: String,
    _alone: MutexGuard<'static, ()>,
}

pub(crate) fn variable(name: &str) -> String {
    env::var(format!("MOTO_TEST_{name}")).unwrap()
}

// === impl Moto ===

impl Moto {
    pub(crate) async fn from_env() -> Option<Self> {
        let Ok(endpoint) = env::var("MOTO_TEST_ENDPOINT") else {
            eprintln!("passed over: MOTO_TEST_ENDPOINT is not set (see scripts/with-moto)");
            return None;
        };
        Some(Self { endpoint, _alone: ALONE.lock().await })
    }

    fn role(&self, name: &str) -> AssumeRole {
        let user = fixed(variable("ACCESS_KEY"), variable("SECRET_KEY"), None);
        AssumeRole::new(RoleArn::parse(variable(name)).unwrap()).source(user).endpoint_url(&self.endpoint)
    }

    fn external_id(&self) -> ExternalId {
        ExternalId::parse(variable("EXTERNAL_ID")).unwrap()
    }

    fn mount(&self, source: CredentialsSource) -> MountBuilder {
        Mount::builder(bucket(&variable("BUCKET")))
            .endpoint_url(&self.endpoint)
            .path_style(true)
            .region(REGION)
            .denied(DeniedAnswer::Forbidden)
            .credentials(source)
    }

    /// Lets so many requests pass without a check.
    pub(crate) async fn let_pass(&self, count: u32) {
        let authority = self.endpoint.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(authority).await.unwrap();
        let body = count.to_string();
        let request = format!(
            "POST /moto-api/reset-auth HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\
             Content-Type: text/plain\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
}
