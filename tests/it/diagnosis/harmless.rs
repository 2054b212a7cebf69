//! A diagnosis does not write unasked, read objects, ask twice, wait for ever, or reveal secrets.

use std::{future::ready, sync::Arc, time::Duration};

use bytes::Bytes;
use demo_s3::DemoS3;
use http::Method;
use tokio::{
    sync::{Notify, mpsc},
    time::timeout,
};
use tower_s3_proxy::{
    MountBuilder,
    bucket::Grant,
    credentials,
    diagnosis::{CheckName, Options, Outcome, WriteProbe},
    encryption::CustomerKey,
};

use super::{
    diagnose, is_named,
    origin::{Origin, refuse, reply},
    outcome,
};
use crate::support::{BUCKET, is_cached, keys, mount, mount_at, s3};

const HANG: Duration = Duration::from_secs(20);
const PROBE: &str = "films/tower-s3-proxy-write-probe-";

fn writing(mount: MountBuilder) -> MountBuilder {
    mount.prefix("films").grant(Grant::ReadWrite)
}

async fn with_film() -> DemoS3 {
    let s3 = s3().await;
    s3.store().put(BUCKET, "films/a", Bytes::from_static(b"hello"));
    s3
}

#[tokio::test]
async fn nothing_is_written_unless_mount_and_options_say_so() {
    let s3 = with_film().await;
    for (grant, probe) in
        [(Grant::ReadWrite, WriteProbe::Off), (Grant::Read, WriteProbe::On), (Grant::Read, WriteProbe::Off)]
    {
        let options = Options::new().write_probe(probe);
        let report = diagnose(mount(&s3).grant(grant), options, &[]).await;
        assert_eq!(outcome(&report, CheckName::Put), Outcome::Unknown);
        assert_eq!(outcome(&report, CheckName::Delete), Outcome::Unknown);
    }
    assert!(s3.log().iter().all(|asked| [Method::GET, Method::HEAD].contains(&asked.method)));
}

#[tokio::test]
async fn a_step_that_is_left_out_has_its_line_and_no_other_fails_for_it() {
    let s3 = with_film().await;
    for name in CheckName::ALL {
        let report = diagnose(mount(&s3).prefix("films"), Options::new().skip(name), &[]).await;
        assert!(report.first_failure().is_none(), "{report}");
        let check = report.check(name).unwrap();
        assert_eq!(
            (check.outcome(), check.seen()),
            (Outcome::Unknown, "not tried: skipped, as the options say")
        );
    }
}

#[tokio::test]
async fn one_byte_of_one_object_is_read_and_little_is_asked() {
    let s3 = with_film().await;
    diagnose(mount(&s3).prefix("films").allow_versions(true), Options::new(), &[]).await;
    let log = s3.log();
    assert!(log.len() <= 10, "{} questions", log.len());
    let objects: Vec<_> = log.iter().filter(|asked| asked.uri.starts_with("/media/films/")).collect();
    assert!(objects.len() >= 2);
    for asked in objects {
        assert_eq!(asked.headers.get("range").unwrap(), "bytes=0-0", "{}", asked.uri);
    }
}

#[tokio::test]
async fn what_is_written_is_below_the_prefix_and_gone_afterwards() {
    for is_versioned in [false, true] {
        let s3 = with_film().await;
        if is_versioned {
            s3.store().set_versioning(BUCKET, true);
        }
        let options = Options::new().write_probe(WriteProbe::On);
        let report = diagnose(writing(mount(&s3)), options, &[]).await;
        assert_eq!(outcome(&report, CheckName::Put), Outcome::Pass, "{report}");
        assert_eq!(outcome(&report, CheckName::Delete), Outcome::Pass, "{report}");
        let seen = report.check(CheckName::Delete).unwrap().seen();
        assert!(seen.starts_with(PROBE) && seen.contains("is gone again"), "{report}");
        assert_eq!(s3.store().keys(BUCKET), ["films/a"]);
        let log = s3.log();
        let changes = log.iter().filter(|asked| ![Method::GET, Method::HEAD].contains(&asked.method));
        let mut count = 0;
        for asked in changes {
            assert!(asked.uri.starts_with(&format!("/media/{PROBE}")), "{}", asked.uri);
            count += 1;
        }
        assert_eq!(count, if is_versioned { 4 } else { 2 });
    }
}

/// Answers as a bucket without objects; `on_write` says what becomes of a PUT or DELETE.
fn empty_bucket(asked: &super::origin::Asked) -> String {
    match (asked.method.as_str(), asked.path.contains("list-type=2")) {
        ("HEAD", _) => reply(403, ""),
        (_, true) => reply(200, "<ListBucketResult><KeyCount>0</KeyCount></ListBucketResult>"),
        _ => refuse(404, "NoSuchKey", "There is none."),
    }
}

#[tokio::test]
async fn what_was_written_is_deleted_if_nobody_waits_any_more() {
    let (written, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (deleted, mut deletions) = mpsc::unbounded_channel();
    let origin = {
        let (written, release) = (Arc::clone(&written), Arc::clone(&release));
        Origin::start(move |asked| {
            let (written, release, deleted) = (Arc::clone(&written), Arc::clone(&release), deleted.clone());
            async move {
                match asked.method.as_str() {
                    "PUT" => {
                        written.notify_one();
                        release.notified().await;
                        reply(200, "")
                    }
                    "DELETE" => {
                        deleted.send(asked.path.clone()).unwrap();
                        reply(204, "")
                    }
                    _ => empty_bucket(&asked),
                }
            }
        })
        .await
    };
    let mount = writing(mount_at(origin.addr).credentials(keys())).build().unwrap();
    let diagnosing =
        tokio::spawn(async move { mount.diagnose(&Options::new().write_probe(WriteProbe::On)).await });
    timeout(HANG, written.notified()).await.expect("it is written");
    diagnosing.abort();
    assert!(diagnosing.await.unwrap_err().is_cancelled());
    release.notify_one();
    let path = timeout(HANG, deletions.recv()).await.expect("it is deleted").unwrap();
    assert!(path.starts_with(&format!("/media/{PROBE}")), "{path}");
}

#[tokio::test]
async fn what_may_have_been_written_is_deleted() {
    let origin = Origin::start(async |asked| match asked.method.as_str() {
        "PUT" => refuse(500, "InternalError", "We do not know."),
        "DELETE" => reply(204, ""),
        _ => empty_bucket(&asked),
    })
    .await;
    let options = Options::new().write_probe(WriteProbe::On);
    let report = diagnose(writing(mount_at(origin.addr).credentials(keys())), options, &[]).await;
    is_named(&report, CheckName::Put, &[]);
    assert_eq!(outcome(&report, CheckName::Delete), Outcome::Pass);
    assert_eq!(
        origin.seen().iter().filter(|asked| asked.method == "PUT").count(),
        1,
        "it is not tried again"
    );
}

/// Nobody knows the version that may be there.
#[tokio::test]
async fn what_may_have_been_written_to_a_bucket_with_versions_is_hidden_and_not_gone() {
    for (marker, words) in [("", "is gone again"), ("x-amz-version-id: 2\r\n", "is hidden again")] {
        let origin = Origin::start(move |asked| {
            ready(match asked.method.as_str() {
                "PUT" => refuse(500, "InternalError", "We do not know."),
                "DELETE" => format!("HTTP/1.1 204 No Content\r\n{marker}\r\n"),
                _ => empty_bucket(&asked),
            })
        })
        .await;
        let options = Options::new().write_probe(WriteProbe::On);
        let report = diagnose(writing(mount_at(origin.addr).credentials(keys())), options, &[]).await;
        let seen = report.check(CheckName::Delete).unwrap().seen();
        assert!(seen.contains(words) && seen.contains("if it was written"), "{report}");
    }
}

#[tokio::test]
async fn what_is_written_is_encrypted_by_the_key_of_the_mount() {
    let origin = Origin::start(async |asked| match asked.method.as_str() {
        "PUT" => reply(200, ""),
        "DELETE" => reply(204, ""),
        _ => empty_bucket(&asked),
    })
    .await;
    let options = Options::new().write_probe(WriteProbe::On);
    let builder = writing(mount_at(origin.addr).credentials(keys())).customer_key(CustomerKey::from([7; 32]));
    diagnose(builder, options, &[]).await;
    let seen = origin.seen();
    let of = |method: &str| seen.iter().find(|asked| asked.method == method).unwrap();
    for name in ["customer-algorithm", "customer-key", "customer-key-md5"] {
        let name = format!("x-amz-server-side-encryption-{name}");
        assert_ne!(of("PUT").field(&name), "", "{name}");
        assert_eq!(of("DELETE").field(&name), "", "{name}");
    }
}

#[tokio::test]
async fn what_can_not_be_deleted_is_named() {
    let origin = Origin::start(async |asked| match asked.method.as_str() {
        "PUT" => reply(200, ""),
        "DELETE" => refuse(403, "AccessDenied", "Access Denied"),
        _ => empty_bucket(&asked),
    })
    .await;
    let options = Options::new().write_probe(WriteProbe::On);
    let report = diagnose(writing(mount_at(origin.addr).credentials(keys())), options, &[]).await;
    let failure = is_named(&report, CheckName::Delete, &[PROBE, "by hand", "s3:DeleteObject"]);
    assert!(failure.statement().unwrap().contains("arn:aws:s3:::media/films/*"), "{report}");
}

#[tokio::test]
async fn a_write_that_is_denied_is_not_followed_by_a_delete() {
    let origin = Origin::start(async |asked| match asked.method.as_str() {
        "PUT" => refuse(403, "AccessDenied", "Access Denied"),
        _ => empty_bucket(&asked),
    })
    .await;
    let options = Options::new().write_probe(WriteProbe::On);
    let report = diagnose(writing(mount_at(origin.addr).credentials(keys())), options, &[]).await;
    is_named(&report, CheckName::Put, &["s3:PutObject"]);
    assert!(origin.seen().iter().all(|asked| asked.method != "DELETE"));
}

#[tokio::test]
async fn a_server_that_is_busy_is_asked_once() {
    let origin = Origin::start(async |_| refuse(503, "SlowDown", "Please reduce your request rate.")).await;
    let report = diagnose(mount_at(origin.addr).credentials(keys()), Options::new(), &[]).await;
    is_named(&report, CheckName::Signature, &["try again later"]);
    assert_eq!(origin.seen().len(), 2, "once without a signature, and once with");
}

#[tokio::test]
async fn a_question_that_the_sdk_would_repeat_is_asked_once() {
    let origin = Origin::start(async |asked| match asked.path.contains('?') {
        true => refuse(503, "SlowDown", "Please reduce your request rate."),
        false => empty_bucket(&asked),
    })
    .await;
    let report = diagnose(mount_at(origin.addr).credentials(keys()), Options::new(), &[]).await;
    is_named(&report, CheckName::List, &[]);
    let mut asked: Vec<_> = origin.seen().iter().map(|asked| asked.path.clone()).collect();
    let all = asked.len();
    asked.sort();
    asked.dedup();
    assert_eq!(asked.len(), all, "{asked:?}");
}

#[tokio::test]
async fn a_server_that_hangs_is_waited_for_so_long_only() {
    let origin = Origin::start(async |_| std::future::pending().await).await;
    let options = Options::new().time_limit(Duration::from_millis(50));
    let report = timeout(HANG, diagnose(mount_at(origin.addr), options, &[])).await.expect("it ends");
    let failure = is_named(&report, CheckName::Http, &[]);
    assert_eq!(failure.seen(), "no response within 50ms");
}

/// A server may repeat what it was sent, and more than that.
#[tokio::test]
async fn a_secret_that_the_server_repeats_is_not_told() {
    let (secret, token) = ("an-own-secret-key", "an-own-session-token");
    let origin = Origin::start(move |asked| async move {
        let token = asked.field("x-amz-security-token");
        refuse(403, "AccessDenied", &format!("{token} and {secret} may not do that"))
    })
    .await;
    let source = credentials::fixed("ASIATOLDTOLDTOLDTOLD", secret, Some(token.to_owned()));
    let mount = mount_at(origin.addr).credentials(source).build().unwrap();
    let report = mount.diagnose(&Options::new()).await;
    let printed = format!("{report}{}{report:?}", report.to_json());
    assert!(!printed.contains(secret) && !printed.contains(token), "{printed}");
    assert!(printed.contains("[redacted] and [redacted] may not do that"), "{printed}");
}

/// What the proxy learns from refusals stays as it was: a diagnosis looks, and changes nothing.
#[tokio::test]
async fn requests_are_served_as_before() {
    let s3 = with_film().await;
    let mount = mount(&s3).region("eu-central-1").build().unwrap();
    mount.diagnose(&Options::new()).await;
    s3.clear_log();
    let service = tower_s3_proxy::S3Proxy::new(mount);
    let answer = crate::support::ask(&service, crate::support::get("/films/a")).await;
    assert_eq!(answer.status, 200);
    assert!(s3.log().len() == 2 || is_cached(), "the region was not learnt before: {}", s3.log().len());
}
