//! Mounts with exactly their generated policies, over a server that enforces them. Run by `scripts/with-seaweedfs cargo
//! test --test it seaweedfs`; without that server the tests skip it.

use std::{env, net::SocketAddr, time::SystemTime};

use aws_sdk_s3::{
    Client as Sdk,
    config::{BehaviorVersion, Region, RequestChecksumCalculation},
    primitives::ByteStream,
    types::{BucketVersioningStatus, VersioningConfiguration},
};
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};
use http::{StatusCode, Uri};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use tower_s3_proxy::{
    Cache, Mount, MountBuilder,
    bucket::Grant,
    credentials::Credentials,
    policies::{PolicyKind, PolicyRequest},
    response::DeniedAnswer,
    warm::WarmTarget,
};

use super::{policy, sids, without};
use crate::support::{REGION, ask, bucket, get, proxy, raw};

#[tokio::test]
async fn with_its_policy_a_mount_works_and_without_a_statement_one_function_does_not() {
    let Some(weed) = SeaweedFs::from_env("policies").await else { return };
    let version = weed.fill().await;
    let role = policy(&weed.ask(weed.admin.clone()).build().unwrap(), PolicyKind::Role);
    let expected = ["ReadObjects", "ReadVersions", "ListKeys", "WriteObjects", "DeleteObjects", "EndUploads"];
    assert_eq!(sids(&role), expected);

    let whole = weed.user(Some(&role)).await;
    assert_eq!(weed.functions(&whole, &version).await, [true; 6], "with all statements");
    weed.assert_shut(&whole).await;
    // This server takes the end of an upload for a write, as far as it goes by a statement of its own.
    for (n, removed) in sids(&role).into_iter().enumerate().filter(|(_, sid)| sid != "EndUploads") {
        let user = weed.user(Some(&without(&role, &removed))).await;
        let mut works = weed.functions(&user, &version).await;
        let ends = works.pop();
        assert!(ends == Some(true) || removed == "WriteObjects", "without {removed}, uploads end");
        let expected: Vec<_> = (0..5).map(|function| function != n).collect();
        assert_eq!(works, expected, "without {removed}, of {:?}", &sids(&role)[..5]);
    }
    let nothing = weed.user(None).await;
    assert_eq!(weed.functions(&nothing, &version).await, [false; 6], "without a policy");
}

#[tokio::test]
async fn a_bucket_policy_alone_lets_the_user_in_and_nobody_else() {
    let Some(weed) = SeaweedFs::from_env("bucket-policy").await else { return };
    let version = weed.fill().await;
    let (guest, other) = (weed.user(None).await, weed.user(None).await);
    assert_eq!(weed.functions(&guest, &version).await, [false; 6]);
    let request = weed.ask(weed.admin.clone()).role(&guest.arn);
    weed.set_policy(&policy(&request.build().unwrap(), PolicyKind::Bucket)).await;
    assert_eq!(weed.functions(&guest, &version).await, [true; 6]);
    weed.assert_shut(&guest).await;
    assert_eq!(weed.functions(&other, &version).await, [false; 6]);
}

#[tokio::test]
async fn a_public_mount_reads_what_its_bucket_policy_opens() {
    let Some(weed) = SeaweedFs::from_env("public").await else { return };
    weed.fill().await;
    let public = || weed.mount().anonymous();
    let opened = PolicyRequest::for_mount(&public().build().unwrap()).build().unwrap();
    let status =
        async |prefix: &str, path: &str| ask(&proxy(public().prefix(prefix)), get(path)).await.status;
    assert_eq!(status("films", "/a").await, StatusCode::NOT_FOUND, "before");
    weed.set_policy(&policy(&opened, PolicyKind::Bucket)).await;
    assert_eq!(status("films", "/a").await, StatusCode::OK);
    assert_eq!(status("secrets", "/b").await, StatusCode::NOT_FOUND, "outside of the prefix");
}

/// The server that the environment names, with a bucket of the test's own.
struct SeaweedFs {
    endpoint: String,
    bucket: String,
    admin: Credentials,
    sdk: Sdk,
}

struct User {
    arn: String,
    credentials: Credentials,
}

// === impl SeaweedFs ===

impl SeaweedFs {
    async fn from_env(test: &str) -> Option<Self> {
        let Ok(endpoint) = env::var("S3_TEST_ENDPOINT") else {
            eprintln!("passed over: S3_TEST_ENDPOINT is not set (see scripts/with-seaweedfs)");
            return None;
        };
        let (key, secret) =
            (env::var("S3_TEST_ACCESS_KEY").unwrap(), env::var("S3_TEST_SECRET_KEY").unwrap());
        let admin = Credentials::new(key, secret, None, None, "test");
        let sdk = sdk(&endpoint, &admin);
        let bucket = format!("{test}-{:016x}", fastrand::u64(..));
        sdk.create_bucket().bucket(&bucket).send().await.unwrap();
        Some(Self { endpoint, bucket, admin, sdk })
    }

    /// Objects under the mount's prefix and beside it; the version of one that was overwritten.
    async fn fill(&self) -> String {
        let on = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
        self.sdk
            .put_bucket_versioning()
            .bucket(&self.bucket)
            .versioning_configuration(on)
            .send()
            .await
            .unwrap();
        let first = self.put(&self.sdk, "films/a").await.expect("the administrator may write");
        for key in ["films/a", "films2/b", "secrets/b"] {
            self.put(&self.sdk, key).await.expect("the administrator may write");
        }
        first.expect("the bucket has versions")
    }

    async fn put(&self, sdk: &Sdk, key: &str) -> Option<Option<String>> {
        let put = sdk.put_object().bucket(&self.bucket).key(key).body(ByteStream::from_static(b"film"));
        put.send().await.ok().map(|written| written.version_id)
    }

    fn mount(&self) -> MountBuilder {
        Mount::builder(bucket(&self.bucket))
            .endpoint_url(&self.endpoint)
            .path_style(true)
            .region(REGION)
            .prefix("films")
            .allow_versions(true)
            .denied(DeniedAnswer::Auto)
            .grant(Grant::ReadWrite)
    }

    fn ask(&self, credentials: Credentials) -> PolicyRequest {
        PolicyRequest::for_mount(&self.mount().credentials(credentials).build().unwrap())
    }

    /// Whether a user can do with the mount what each of its statements is for.
    async fn functions(&self, user: &User, version: &str) -> Vec<bool> {
        let mount = || self.mount().credentials(user.credentials.clone());
        let served = async |path: &str| {
            let status = ask(&proxy(mount()), get(path)).await.status;
            assert!(
                [StatusCode::OK, StatusCode::FORBIDDEN, StatusCode::NOT_FOUND].contains(&status),
                "{status}"
            );
            status == StatusCode::OK
        };
        let cache = Cache::builder(1 << 20).build().unwrap();
        let warmed = mount().cache(&cache).build().unwrap();
        let target = WarmTarget::Prefix { bucket: bucket(&self.bucket), prefix: "films/".to_owned() };
        let listed = warmed.warm(target).unwrap().run().await;
        let sdk = sdk(&self.endpoint, &user.credentials);
        let written = self.put(&sdk, "films/new").await.is_some();
        vec![
            served("/a").await,
            served(&format!("/a?versionId={version}")).await,
            listed.is_ok(),
            written,
            sdk.delete_object().bucket(&self.bucket).key("films/new").send().await.is_ok(),
            self.ends_upload(&sdk).await,
        ]
    }

    async fn ends_upload(&self, by: &Sdk) -> bool {
        let begun = self.sdk.create_multipart_upload().bucket(&self.bucket).key("films/parts").send().await;
        let upload = begun.unwrap().upload_id.unwrap();
        let end = by.abort_multipart_upload().bucket(&self.bucket).key("films/parts").upload_id(upload);
        end.send().await.is_ok()
    }

    /// That nothing outside of the prefix is open.
    async fn assert_shut(&self, user: &User) {
        let sdk = sdk(&self.endpoint, &user.credentials);
        for key in ["secrets/b", "films2/b"] {
            assert!(sdk.get_object().bucket(&self.bucket).key(key).send().await.is_err(), "reads {key}");
            assert!(self.put(&sdk, key).await.is_none(), "writes {key}");
            assert!(sdk.delete_object().bucket(&self.bucket).key(key).send().await.is_err(), "deletes {key}");
        }
        for prefix in [None, Some("secrets/"), Some("films2/")] {
            let list = sdk.list_objects_v2().bucket(&self.bucket).set_prefix(prefix.map(str::to_owned));
            assert!(list.send().await.is_err(), "lists {prefix:?}");
        }
        assert!(sdk.get_bucket_policy().bucket(&self.bucket).send().await.is_err(), "reads the policy");
    }

    async fn set_policy(&self, policy: &Value) {
        let set = self.sdk.put_bucket_policy().bucket(&self.bucket).policy(policy.to_string());
        set.send().await.unwrap();
    }

    /// A new user, who has this policy.
    async fn user(&self, policy: Option<&Value>) -> User {
        let name = format!("user-{:016x}", fastrand::u64(..));
        let created = self.iam(&[("Action", "CreateUser"), ("UserName", &name)]).await;
        let keys = self.iam(&[("Action", "CreateAccessKey"), ("UserName", &name)]).await;
        if let Some(policy) = policy {
            let policy = policy.to_string();
            let put = [
                ("Action", "PutUserPolicy"),
                ("UserName", &name),
                ("PolicyName", "mount"),
                ("PolicyDocument", &policy),
            ];
            self.iam(&put).await;
        }
        let (key, secret) = (element(&keys, "AccessKeyId"), element(&keys, "SecretAccessKey"));
        let arn = match created.contains("<Arn>") {
            true => element(&created, "Arn").to_owned(),
            false => format!("arn:aws:iam::000000000000:user/{name}"),
        };
        User { arn, credentials: Credentials::new(key, secret, None, None, "test") }
    }

    /// A request of IAM's query API, which the server answers where it answers those of S3.
    async fn iam(&self, parameters: &[(&str, &str)]) -> String {
        let encoded = |text| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let form: Vec<_> =
            parameters.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        let form = format!("{}&Version=2010-05-08", form.join("&"));
        let identity = self.admin.clone().into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(REGION)
            .name("iam")
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .unwrap();
        let content_type = ("content-type", "application/x-www-form-urlencoded");
        let url = format!("{}/", self.endpoint);
        let signable = SignableRequest::new(
            "POST",
            &url,
            [content_type].into_iter(),
            SignableBody::Bytes(form.as_bytes()),
        );
        let (instructions, _) = sign(signable.unwrap(), &params.into()).unwrap().into_parts();
        let uri: Uri = self.endpoint.parse().unwrap();
        let host = uri.authority().unwrap().as_str();
        let mut request = format!("POST / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n");
        for (name, value) in [content_type].into_iter().chain(instructions.headers()) {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str(&format!("content-length: {}\r\n\r\n{form}", form.len()));
        let answer = raw(host.parse::<SocketAddr>().unwrap(), &request).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{parameters:?}: {answer}");
        answer
    }
}

fn sdk(endpoint: &str, credentials: &Credentials) -> Sdk {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(endpoint)
        .force_path_style(true)
        .region(Region::new(REGION))
        .credentials_provider(credentials.clone())
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    Sdk::from_conf(config)
}

/// The text of the first element of this name.
fn element<'x>(xml: &'x str, name: &str) -> &'x str {
    let (_, rest) = xml.split_once(&format!("<{name}>")).unwrap_or_else(|| panic!("{name} in {xml}"));
    rest.split_once("</").unwrap().0
}
