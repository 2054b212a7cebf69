//! Links of a CloudFront distribution, which need neither S3 nor credentials.

use std::time::{Duration, SystemTime};

use demo_s3::DemoS3;
use tower_s3_proxy::{
    ConfigErrorKind, ConfigFile, Mount, MountBuilder,
    bucket::Grant,
    links::{BoundedBy, CloudFront, CloudFrontKey, LinkPolicy, PresignErrorKind, PresignRequest, Redirect},
};

use super::key;
use crate::support::{BUCKET, ask, bucket, over, proxy, request, s3};

const PEM: &str = include_str!("../../../src/links/cloudfront/distribution/keys/p256-sec1.pem");
const BASE: &str = "https://media.studio.example/";
const DAY: Duration = Duration::from_secs(24 * 3600);

fn distribution() -> CloudFront {
    CloudFront::new("media.studio.example", "K2JCJMDEHXQW5F", CloudFrontKey::from_pem(PEM).unwrap())
}

fn mount(s3: &DemoS3, policy: LinkPolicy) -> MountBuilder {
    over(s3, Mount::builder(bucket(BUCKET))).prefix("films").grant(Grant::ReadWrite).links(policy)
}

#[tokio::test]
async fn links_that_read_are_cloudfronts_and_those_that_write_s3s() {
    let s3 = s3().await;
    let mount =
        mount(&s3, LinkPolicy::new().cloudfront(distribution()).grant(Grant::ReadWrite)).build().unwrap();
    let get = || PresignRequest::get(key("films/a b.mp4"));
    let link = mount.presign(get()).await.unwrap();
    assert!(link.url().starts_with(&format!("{BASE}films/a%20b.mp4?Expires=")), "{}", link.url());
    assert!(link.url().ends_with("&Key-Pair-Id=K2JCJMDEHXQW5F&Hash-Algorithm=SHA256"), "{}", link.url());
    assert_eq!(mount.presign(get()).await.unwrap(), link, "although ECDSA signs otherwise each time");
    for (request, is_s3s) in [
        (PresignRequest::head(key("films/a")), false),
        (get().from_s3(), true),
        (PresignRequest::put(key("films/a")), true),
        (PresignRequest::delete(key("films/a")), true),
    ] {
        let link = mount.presign(request.clone()).await.unwrap();
        assert_eq!(link.url().starts_with(&s3.endpoint()), is_s3s, "{request:?}: {}", link.url());
    }
}

#[tokio::test]
async fn neither_seven_days_nor_credentials_bound_them() {
    let s3 = s3().await;
    let policy = LinkPolicy::new().cloudfront(distribution()).longest(30 * DAY);
    let mount = mount(&s3, policy).anonymous().build().unwrap();
    for (asked, life, by) in [
        (None, 30 * DAY, BoundedBy::Policy),
        (Some(31 * DAY), 30 * DAY, BoundedBy::Policy),
        (Some(20 * DAY), 20 * DAY, BoundedBy::Request),
    ] {
        let mut request = PresignRequest::get(key("films/a"));
        if let Some(asked) = asked {
            request = request.expires_in(asked);
        }
        let link = mount.presign(request).await.unwrap();
        let left = link.expires_at().duration_since(SystemTime::now()).unwrap();
        assert!(left <= life && left > life - Duration::from_secs(60), "{asked:?}: {left:?}");
        assert_eq!(link.bounded_by(), by, "{asked:?}");
    }
}

#[tokio::test]
async fn only_they_have_networks_beginnings_and_globs_and_within_bounds() {
    let s3 = s3().await;
    let policy = LinkPolicy::new().cloudfront(distribution().origin_path("films/2031"));
    let mount = mount(&s3, policy).build().unwrap();
    let get = |name: &str| PresignRequest::get(key(name));
    let (now, ok) = (SystemTime::now(), get("films/2031/a"));
    for (request, kind) in [
        (ok.clone().source_network("192.0.2.0/24").not_before(now + DAY / 24).covering("films/2031/*"), None),
        (ok.clone().source_network("2001:db8::/32"), Some(PresignErrorKind::Field)),
        (ok.clone().source_network("192.0.2.0/24").from_s3(), Some(PresignErrorKind::Field)),
        (ok.clone().not_before(now).from_s3(), Some(PresignErrorKind::Field)),
        (ok.clone().covering("films/2031/*").from_s3(), Some(PresignErrorKind::Field)),
        (ok.clone().not_before(now + DAY), Some(PresignErrorKind::Expiry)),
        (ok.clone().covering("*"), Some(PresignErrorKind::Key)),
        (ok.clone().covering("films/2030/*"), Some(PresignErrorKind::Key)),
        (ok.clone().content_type("a/b"), Some(PresignErrorKind::Field)),
        (ok.expires_in(Duration::ZERO), Some(PresignErrorKind::Expiry)),
        (get("films/2030/a"), Some(PresignErrorKind::Key)),
        (get("other/a"), Some(PresignErrorKind::Key)),
    ] {
        let outcome = mount.presign(request.clone()).await.map_err(|why| why.kind());
        assert_eq!(outcome.as_ref().err(), kind.as_ref(), "{request:?}");
        if let Ok(link) = outcome {
            assert!(link.url().starts_with(&format!("{BASE}a?Policy=")), "{}", link.url());
        }
    }
}

#[tokio::test]
async fn a_redirect_leads_to_cloudfront_without_credentials() {
    let s3 = s3().await;
    let policy = LinkPolicy::new().cloudfront(distribution()).redirect(Redirect::always());
    let service = proxy(mount(&s3, policy).anonymous());
    let answer = ask(&service, request("GET", "/a.mp4", &[])).await;
    assert_eq!(answer.status, 307);
    assert!(answer.header("location").starts_with(&format!("{BASE}films/a.mp4?Expires=")));
    assert!(s3.log().is_empty());
}

#[tokio::test]
async fn a_distribution_is_of_one_bucket() {
    let s3 = s3().await;
    let many =
        over(&s3, Mount::bucket_from_path(["media*"])).links(LinkPolicy::new().cloudfront(distribution()));
    assert_eq!(many.build().unwrap_err().kind(), ConfigErrorKind::Contradiction);
}

#[test]
fn a_file_names_the_distribution_and_shows_no_key() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cloudfront.pem");
    std::fs::write(&file, PEM).unwrap();
    let mount =
        "[[mount]]\nbucket = \"media\"\nregion = \"us-west-2\"\nanonymous = true\n[mount.links.cloudfront]\n";
    let (file, named) = (file.display(), "host = \"d1.cloudfront.net\"\nkey_pair_id = \"K2\"\n");
    for (keys, hint) in [
        (format!("{named}private_key_file = \"{file}\""), None),
        (format!("{named}private_key = '''{PEM}'''"), None),
        (format!("{named}private_key = \"secret\""), Some("private_key: not a key for CloudFront")),
        (format!("{named}private_key_file = \"{file}x\""), Some("private_key_file")),
        (format!("{named}private_key = \"x\"\nprivate_key_file = \"{file}\""), Some("contradict")),
        (named.to_owned(), Some("needs private_key_file")),
        (format!("key_pair_id = \"K2\"\nprivate_key_file = \"{file}\""), Some("needs the host")),
        (
            format!("host = \"d1.cloudfront.net\"\nprivate_key_file = \"{file}\""),
            Some("needs the key_pair_id"),
        ),
    ] {
        let built = ConfigFile::parse(&format!("{mount}{keys}")).and_then(|file| file.build(None));
        match (built, hint) {
            (Ok(_), None) => {}
            (Err(why), Some(hint)) => {
                assert!(why.to_string().contains(hint), "{keys}: {why}");
                assert!(!why.to_string().contains("secret"), "{why}");
            }
            (built, hint) => panic!("{keys}: {built:?}, not {hint:?}"),
        }
    }
}
