//! Over moto's IAM, STS and S3: `scripts/with-moto cargo test --test it moto`. The roles have the policies that are made for
//! their set-ups, and no others.

use std::time::SystemTime;

use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};
use aws_smithy_runtime_api::client::identity::Identity;
use bytes::Bytes;
use http::Request;
use http_body_util::{Empty, Full};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tower::ServiceExt;
use tower_s3_proxy::{
    Mount, ProxyErrorKind, S3Proxy,
    bucket::ObjectKey,
    credentials::{Credentials, ExternalId},
    links::PresignRequest,
    policies::{PolicyDialect, PolicyKind, PolicyRequest},
};

use super::{Setup, json, mount};
use crate::{
    moto::{Moto, variable},
    support::{Answer, ask, get, raw, request},
};

/// A user's way to IAM.
struct Iam<'a> {
    moto: &'a Moto,
}

// === impl Iam ===

impl Iam<'_> {
    async fn call(&self, parameters: &[(&str, &str)]) {
        let body = parameters.iter().map(|(name, value)| format!("{name}={}", encoded(value)));
        let body = format!("{}&Version=2010-05-08", body.collect::<Vec<_>>().join("&"));
        let authority = self.moto.endpoint.strip_prefix("http://").unwrap();
        let admin =
            Credentials::new(variable("ADMIN_ACCESS_KEY"), variable("ADMIN_SECRET_KEY"), None, None, "test");
        let identity = Identity::from(admin);
        let signing = v4::SigningParams::builder().identity(&identity).region("us-east-1").name("iam");
        let signing =
            signing.time(SystemTime::now()).settings(SigningSettings::default()).build().unwrap().into();
        let type_of = ("content-type", "application/x-www-form-urlencoded");
        let uri = format!("http://{authority}/");
        let signable =
            SignableRequest::new("POST", &uri, [type_of].into_iter(), SignableBody::Bytes(body.as_bytes()));
        let (instructions, _) = sign(signable.unwrap(), &signing).unwrap().into_parts();
        let fields = instructions.headers().map(|(name, value)| format!("{name}: {value}\r\n"));
        let head = format!(
            "POST / HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n{}: {}\r\ncontent-length: {}\r\n{}\r\n",
            type_of.0,
            type_of.1,
            body.len(),
            fields.collect::<String>()
        );
        let mut stream = TcpStream::connect(authority).await.unwrap();
        stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{parameters:?}: {answer}");
    }

    /// A role with the policies that are made for a mount, which the proxy's user may assume.
    async fn role_for(&self, mount: &Mount, name: &str, external_id: &str) {
        let policies = PolicyRequest::for_mount(mount)
            .role(role_arn(name))
            .trusted_principal("arn:aws:iam::123456789012:user/proxy")
            .external_id(ExternalId::parse(external_id).unwrap())
            .dialect(PolicyDialect::Aws)
            .build()
            .unwrap();
        let trust = json(&policies, PolicyKind::Trust).to_string();
        let create = [("Action", "CreateRole"), ("RoleName", name), ("AssumeRolePolicyDocument", &trust)];
        self.call(&create).await;
        let role = json(&policies, PolicyKind::Role).to_string();
        let put = [
            ("Action", "PutRolePolicy"),
            ("RoleName", name),
            ("PolicyName", "its"),
            ("PolicyDocument", &role),
        ];
        self.call(&put).await;
    }

    /// What the owner of a bucket does to take it back.
    async fn revoke(&self, name: &str) {
        self.call(&[("Action", "DeleteRolePolicy"), ("RoleName", name), ("PolicyName", "its")]).await;
    }
}

/// As moto itself writes a form, of which it computes the signature anew.
fn encoded(text: &str) -> String {
    const FORM: &AsciiSet =
        &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b' ');
    utf8_percent_encode(text, FORM).to_string().replace(' ', "+")
}

fn role_arn(name: &str) -> String {
    format!("arn:aws:iam::123456789012:role/{name}")
}

/// The set-up with a role at moto.
fn at_moto(moto: &Moto, file: &str, role: &str) -> Setup {
    let base = format!(
        "\n[credentials.base]\ntype = \"keys\"\naccess_key_id = {:?}\nsecret_access_key = {:?}\n",
        variable("ACCESS_KEY"),
        variable("SECRET_KEY")
    );
    let more = format!("type = \"assume-role\"\nsource = \"base\"\nsts_endpoint_url = {:?}", moto.endpoint);
    let mut setup =
        Setup::of(file).at(&moto.endpoint, &variable("BUCKET")).replace("type = \"assume-role\"", &more);
    let lines = setup.file.lines().map(|line| match line.starts_with("role_arn = ") {
        true => format!("role_arn = {:?}", role_arn(role)),
        false => line.to_owned(),
    });
    setup.file = lines.collect::<Vec<_>>().join("\n") + &base;
    setup
}

async fn by_link(method: &str, url: &str, body: &str) -> String {
    let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let head = format!(
        "{method} /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    raw(host.parse().unwrap(), &head).await
}

#[tokio::test]
async fn a_service_makes_links_by_a_role_that_its_owner_revokes() {
    let Some(moto) = Moto::from_env().await else { return };
    let iam = Iam { moto: &moto };
    let setup = at_moto(&moto, "owner.toml", "media-access");
    let config = setup.config("", "").await;
    let mount = mount(&config);
    iam.role_for(&mount, "media-access", "studio:2031").await;
    let key = || ObjectKey::new("films/new.mov").unwrap();
    let up = mount.presign(PresignRequest::put(key())).await.unwrap();
    let down = mount.presign(PresignRequest::get(key())).await.unwrap();
    assert!(
        down.url().contains("X-Amz-Security-Token=") && down.url().contains("X-Amz-Expires=3"),
        "{}",
        down.url()
    );
    // moto can't check a signature in the query, and takes these unchecked; who made them is known from the links above.
    moto.let_pass(2).await;
    let stored = by_link("PUT", up.url(), "film").await;
    assert!(stored.starts_with("HTTP/1.1 200"), "{stored}");
    let film = by_link("GET", down.url(), "").await;
    assert!(film.starts_with("HTTP/1.1 200") && film.ends_with("film"), "{film}");
    let service = S3Proxy::new(config);
    assert_eq!(ask(&service, get("/films/new.mov")).await.text(), "film", "the role itself");
    iam.revoke("media-access").await;
    assert_eq!(ask(&service, get("/films/new.mov")).await.status, 404, "S3 denies it at once");
}

#[tokio::test]
async fn deliveries_are_encrypted_and_asked_about() {
    let Some(moto) = Moto::from_env().await else { return };
    let iam = Iam { moto: &moto };
    let setup = at_moto(&moto, "delivery.toml", "delivery");
    let config = setup.config("", "").await;
    iam.role_for(&mount(&config), "delivery", "customer:77").await;
    let service = S3Proxy::new(config);
    let put = |body: &'static str| {
        let put =
            Request::put("/results/result.tif").body(Full::new(Bytes::from_static(body.as_bytes()))).unwrap();
        let service = service.clone();
        async move { Answer::read(service.oneshot(put).await.unwrap()).await }
    };
    let exists = || ask(&service, request("HEAD", "/results/result.tif", &[]));
    assert_eq!(exists().await.status, 404);
    for body in ["one", "two"] {
        let stored = put(body).await;
        assert_eq!(stored.status, 201, "{}", stored.text());
        assert_eq!(exists().await.status, 200);
        assert_eq!(ask(&service, get("/results/result.tif")).await.text(), body);
    }
    let encryption = encryption_of(&moto, "results/result.tif").await;
    assert_eq!(
        encryption,
        "aws:kms arn:aws:kms:us-west-2:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    );
    let delete = Request::delete("/results/result.tif").body(Empty::<Bytes>::new()).unwrap();
    let delete = Answer::read(service.clone().oneshot(delete).await.unwrap()).await;
    assert_eq!(delete.status, 405);
    iam.revoke("delivery").await;
    assert_eq!(put("three").await.kind(), Some(ProxyErrorKind::Forbidden));
}

/// As the server has it.
async fn encryption_of(moto: &Moto, key: &str) -> String {
    let admin =
        Credentials::new(variable("ADMIN_ACCESS_KEY"), variable("ADMIN_SECRET_KEY"), None, None, "test");
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(aws_sdk_s3::config::BehaviorVersion::latest())
        .endpoint_url(&moto.endpoint)
        .force_path_style(true)
        .region(aws_sdk_s3::config::Region::new("us-west-2"))
        .credentials_provider(admin)
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    let head = aws_sdk_s3::Client::from_conf(config).head_object().bucket(variable("BUCKET")).key(key);
    let head = head.send().await.unwrap();
    let kind = head.server_side_encryption().map_or("none", |kind| kind.as_str());
    format!("{kind} {}", head.ssekms_key_id().unwrap_or_default())
}
