//! Broken set-ups, and the line that names each fault. A bucket with dots is tested with the standalone proxy, since it
//! needs the test's own certificate authority.

use std::time::{Duration, SystemTime};

use aws_smithy_async::time::StaticTimeSource;
use bytes::Bytes;
use demo_s3::{Credential, DemoS3, Denial};
use tower_s3_proxy::{
    MountBuilder,
    access::{Access, CredentialSelector, CredentialSet},
    bucket::ObjectKey,
    credentials::{self, AssumeRole, ExternalId, RoleArn},
    diagnosis::{CheckName, Options, Outcome},
};

use super::{
    diagnose, diagnose_and_listen, is_named,
    origin::{Origin, refuse},
    outcome,
    sts::{EXTERNAL_ID, ROLE, sts},
};
use crate::support::{BUCKET, REGION, mount, mount_at, over};

const KEY: &str = "ASIAREADERREADERREAD";
const SECRET: &str = "the-secret-of-the-session";
const TOKEN: &str = "the-token-of-the-session";
const SECRETS: &[&str] = &[SECRET, TOKEN];

fn reader() -> Credential {
    Credential::new(KEY, SECRET).with_session_token(TOKEN)
}

async fn s3(credential: Credential) -> DemoS3 {
    let s3 = DemoS3::builder().bucket(BUCKET).region(REGION).credential(credential).start().await.unwrap();
    s3.store().put(BUCKET, "films/a b.txt", Bytes::from_static(b"hello"));
    s3
}

fn mount_of(s3: &DemoS3) -> MountBuilder {
    mount(s3).prefix("films").credentials(credentials::fixed(KEY, SECRET, Some(TOKEN.to_owned())))
}

fn canary() -> Options {
    Options::new().canary(ObjectKey::new("films/a b.txt").unwrap())
}

#[tokio::test]
async fn nothing_fails_where_nothing_is_broken() {
    let s3 = s3(reader()).await;
    let mount = mount_of(&s3).allow_versions(true);
    let (report, log) = diagnose_and_listen(mount, Options::new(), SECRETS).await;
    assert!(log.contains("TRACE"), "the SDK's log is looked through, too");
    assert!(report.first_failure().is_none(), "{report}");
    for name in [
        CheckName::Http,
        CheckName::Clock,
        CheckName::Credentials,
        CheckName::Bucket,
        CheckName::Region,
        CheckName::Signature,
        CheckName::List,
        CheckName::AbsentKeys,
        CheckName::Read,
        CheckName::Decrypt,
        CheckName::Versions,
        CheckName::Versioning,
    ] {
        assert_eq!(outcome(&report, name), Outcome::Pass, "{name}: {report}");
    }
    assert!(report.check(CheckName::Read).unwrap().seen().contains("films/a b.txt"), "{report}");
}

#[tokio::test]
async fn a_wrong_region() {
    let s3 = s3(reader()).await;
    let report = diagnose(mount_of(&s3).region("eu-central-1"), Options::new(), SECRETS).await;
    let failure = is_named(&report, CheckName::Region, &["set region = \"us-west-2\"", "says eu-central-1"]);
    assert_eq!(failure.code(), Some("AuthorizationHeaderMalformed"));
    assert_eq!(outcome(&report, CheckName::Read), Outcome::Unknown);
}

#[tokio::test]
async fn list_bucket_is_missing() {
    let s3 = s3(reader().without_listing()).await;
    let report = diagnose(mount_of(&s3), canary(), SECRETS).await;
    let failure = is_named(&report, CheckName::List, &["s3:ListBucket", "skip this step"]);
    assert_eq!((failure.status(), failure.code()), (Some(403), Some("AccessDenied")));
    let statement: serde_json::Value = serde_json::from_str(failure.statement().unwrap()).unwrap();
    for (member, value) in
        [("Action", "s3:ListBucket"), ("Resource", "arn:aws:s3:::media"), ("Condition", "films/*")]
    {
        assert!(statement[member].to_string().contains(value), "{statement:#}");
    }
    let absent = report.check(CheckName::AbsentKeys).unwrap();
    assert!(absent.seen().starts_with("AccessDenied, as for denied ones"), "{report}");
    assert_eq!(outcome(&report, CheckName::Read), Outcome::Pass);

    let report = diagnose(mount_of(&s3), canary().skip(CheckName::List), SECRETS).await;
    assert!(report.first_failure().is_none(), "{report}");
    let listing = mount_of(&s3).listing(tower_s3_proxy::listing::Listing::new());
    let report = diagnose(listing, canary(), SECRETS).await;
    is_named(&report, CheckName::List, &["s3:ListBucket", "lists keys for its clients"]);
}

#[tokio::test]
async fn a_wrong_external_id() {
    let s3 = s3(reader()).await;
    let sts = sts(KEY, SECRET, TOKEN).await;
    let lent = async |id: &str| {
        let role = AssumeRole::new(RoleArn::parse(ROLE).unwrap()).external_id(ExternalId::parse(id).unwrap());
        let source = credentials::fixed("AKIAPROXYPROXYPROXYP", "the-secret-of-the-proxy", None);
        let role = role.source(source).region(REGION).endpoint_url(sts.url()).build().await.unwrap();
        let options = Options::new().sts_endpoint_url(sts.url());
        diagnose(mount_of(&s3).credentials(role), options, &[SECRET, TOKEN, "the-secret-of-the-proxy", id])
            .await
    };

    let report = lent("studio-2013-external").await;
    let failure = is_named(&report, CheckName::Credentials, &["External ID", "sts:ExternalId", ROLE]);
    assert!(failure.seen().contains("AccessDenied"), "{report}");
    let trust: serde_json::Value = serde_json::from_str(failure.statement().unwrap()).unwrap();
    assert_eq!(trust["Principal"]["AWS"], "arn:aws:iam::111122223333:user/proxy");
    assert_eq!(trust["Action"], "sts:AssumeRole");
    assert_eq!(outcome(&report, CheckName::Signature), Outcome::Unknown);
    assert!(s3.log().iter().all(|asked| !asked.headers.contains_key("authorization")), "S3 is not asked");

    let report = lent(EXTERNAL_ID).await;
    assert!(report.first_failure().is_none(), "{report}");
    let identity = report.check(CheckName::Identity).unwrap();
    assert_eq!(identity.seen(), "arn:aws:sts::123456789012:assumed-role/media-reader/tower-s3-proxy");
}

#[tokio::test]
async fn the_key_of_an_object_is_denied() {
    let s3 = s3(reader()).await;
    s3.store().deny(BUCKET, "films/a b.txt", Denial::KeyDenied);
    let report = diagnose(mount_of(&s3), Options::new(), SECRETS).await;
    let failure = is_named(&report, CheckName::Decrypt, &["kms:Decrypt", "key's own policy", "aws/s3"]);
    let statement: serde_json::Value = serde_json::from_str(failure.statement().unwrap()).unwrap();
    let key = "arn:aws:kms:us-west-2:210987654321:key/1234abcd-12ab-34cd-56ef-1234567890ab";
    assert_eq!((&statement["Action"], &statement["Resource"]), (&"kms:Decrypt".into(), &key.into()));
    assert_eq!(outcome(&report, CheckName::Read), Outcome::Pass);

    let disabled = Denial::Other { code: "KMS.DisabledException", status: http::StatusCode::BAD_REQUEST };
    s3.store().deny(BUCKET, "films/a b.txt", disabled);
    let report = diagnose(mount_of(&s3), Options::new(), SECRETS).await;
    let failure = is_named(&report, CheckName::Decrypt, &["disabled"]);
    assert_eq!(failure.statement(), None, "no policy helps");
}

#[tokio::test]
async fn a_clock_that_is_20_minutes_off() {
    let s3 = s3(reader()).await;
    let off = Duration::from_secs(20 * 60);
    for (now, way) in [(SystemTime::now() - off, "behind"), (SystemTime::now() + off, "ahead of")] {
        let report = diagnose(mount_of(&s3).time_source(StaticTimeSource::new(now)), canary(), SECRETS).await;
        let failure = is_named(&report, CheckName::Clock, &["RequestTimeTooSkewed", "NTP"]);
        let seen = [format!("20 min {way} the server's"), format!("19 min {way} the server's")];
        assert!(seen.contains(&failure.seen().to_owned()), "{report}");
        assert_eq!(outcome(&report, CheckName::Signature), Outcome::Unknown);
    }
}

#[tokio::test]
async fn keys_that_the_server_does_not_take() {
    let s3 = s3(reader()).await;
    for (source, code, advice) in [
        (
            credentials::fixed("AKIAOTHEROTHEROTHERO", SECRET, None),
            "InvalidAccessKeyId",
            "AWS keys are not valid on it",
        ),
        (credentials::fixed(KEY, SECRET, None), "InvalidAccessKeyId", "session token is missing"),
        (
            credentials::fixed(KEY, "the-secret-of-another-key", Some(TOKEN.to_owned())),
            "SignatureDoesNotMatch",
            "does not belong",
        ),
        (
            credentials::fixed(KEY, SECRET, Some("other".to_owned())),
            "InvalidToken",
            "session token does not belong",
        ),
    ] {
        let report = diagnose(mount_of(&s3).credentials(source), Options::new(), SECRETS).await;
        let failure = is_named(&report, CheckName::Signature, &[advice]);
        assert_eq!(failure.code(), Some(code));
    }
    s3.expire_credential(KEY);
    let report = diagnose(mount_of(&s3), Options::new(), SECRETS).await;
    is_named(&report, CheckName::Signature, &["session has ended"]);
}

#[tokio::test]
async fn a_bucket_that_is_not_there() {
    let s3 = s3(reader()).await;
    let builder = over(&s3, tower_s3_proxy::Mount::builder("no-such-bucket".parse().unwrap()));
    let builder = builder.credentials(credentials::fixed(KEY, SECRET, Some(TOKEN.to_owned())));
    let report = diagnose(builder, Options::new(), SECRETS).await;
    is_named(&report, CheckName::Bucket, &["path_style"]);
}

#[tokio::test]
async fn a_public_bucket_need_not_be_listed_by_everybody() {
    let s3 = DemoS3::builder().anonymous_read(BUCKET).start().await.unwrap();
    s3.store().put(BUCKET, "films/a b.txt", Bytes::from_static(b"hello"));
    let report = diagnose(mount(&s3).anonymous(), canary(), &[]).await;
    assert!(report.first_failure().is_none(), "{report}");
    assert_eq!(outcome(&report, CheckName::List), Outcome::Unknown);
    assert_eq!(outcome(&report, CheckName::Read), Outcome::Pass);
}

#[tokio::test]
async fn nobody_listens() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    drop(listener);
    let report = diagnose(mount_at(addr), Options::new(), &[]).await;
    is_named(&report, CheckName::Connect, &["Does the server run"]);
}

#[tokio::test]
async fn something_else_than_s3_answers() {
    let html = Origin::start(async |_| super::origin::reply(403, "<html>blocked</html>")).await;
    let report = diagnose(mount_at(html.addr).credentials(crate::support::keys()), canary(), &[]).await;
    is_named(&report, CheckName::Signature, &["something else answered"]);

    let everything = Origin::start(async |_| super::origin::reply(200, "<html>welcome</html>")).await;
    let report = diagnose(mount_at(everything.addr), Options::new(), &[]).await;
    is_named(&report, CheckName::Bucket, &["web site"]);
}

#[tokio::test]
async fn each_set_of_credentials_has_its_own_part() {
    let s3 = s3(reader()).await;
    let other = credentials::fixed("AKIAOTHEROTHEROTHERO", "x", None);
    let set = CredentialSet::new("acme".parse().unwrap(), other);
    let selector = CredentialSelector::new(|_| Access::Allow);
    let mount = mount_of(&s3).credential_set(set).select_credentials(selector).build().unwrap();
    let report = mount.diagnose(&Options::new()).await;
    let [own, acme] = report.mounts() else { panic!("{report}") };
    assert!(own.first_failure().is_none(), "{report}");
    assert_eq!(acme.credential_set(), Some("acme"));
    is_named(acme, CheckName::Signature, &[]);
    assert_eq!(report.outcome(), Outcome::Fail);
}

#[tokio::test]
async fn a_bucket_of_the_request_has_to_be_named() {
    let s3 = s3(reader()).await;
    let builder = || {
        over(&s3, tower_s3_proxy::Mount::bucket_from_path(["med*"])).credentials(credentials::fixed(
            KEY,
            SECRET,
            Some(TOKEN.to_owned()),
        ))
    };
    let report = diagnose(builder(), Options::new(), SECRETS).await;
    assert_eq!(outcome(&report, CheckName::Credentials), Outcome::Pass);
    assert_eq!(outcome(&report, CheckName::Bucket), Outcome::Unknown);
    let report = diagnose(builder(), Options::new().bucket(BUCKET.parse().unwrap()), SECRETS).await;
    assert_eq!(outcome(&report, CheckName::Read), Outcome::Pass, "{report}");
    let report = diagnose(builder(), Options::new().bucket("other".parse().unwrap()), SECRETS).await;
    assert_eq!(report.bucket(), None, "the mount does not serve it");
}

#[tokio::test]
async fn everything_is_denied() {
    let origin = Origin::start(async |_| refuse(403, "AccessDenied", "Access Denied")).await;
    let report = diagnose(
        mount_at(origin.addr).credentials(crate::support::keys()),
        canary().skip(CheckName::List),
        &[],
    )
    .await;
    // The canary lies outside of no prefix.
    let failure = is_named(&report, CheckName::Read, &["s3:GetObject", "If the object exists"]);
    assert!(failure.statement().unwrap().contains("arn:aws:s3:::media/*"));

    let report = diagnose(mount_at(origin.addr), canary().skip(CheckName::List), &[]).await;
    is_named(&report, CheckName::Read, &["Block Public Access"]);
}
