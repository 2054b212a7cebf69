use std::time::UNIX_EPOCH;

use aws_credential_types::Credentials;
use aws_sdk_s3::{
    Client, Config,
    config::{BehaviorVersion, Region, RequestChecksumCalculation},
    presigning::{PresignedRequest, PresigningConfig},
};
use aws_smithy_async::rt::sleep::TokioSleep;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};

use super::*;
use crate::origin::{Addressing, EndpointUrl};

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

fn credentials(token: Option<&str>) -> Credentials {
    Credentials::new("AKIAIOSFODNN7EXAMPLE", SECRET, token.map(str::to_owned), None, "test")
}

fn at(secs: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(secs)
}

fn addressing(change: impl FnOnce(&mut Addressing)) -> Addressing {
    let mut addressing = Addressing { region: "us-west-2".to_owned(), ..Addressing::default() };
    change(&mut addressing);
    addressing
}

/// A link to the object, made at this time.
fn ours(
    addressing: &Addressing,
    bucket: &str,
    token: Option<&str>,
    now: SystemTime,
    link: LinkTo<'_>,
) -> SignedLink {
    let endpoint = addressing.resolve(&BucketName::parse(bucket).unwrap()).unwrap();
    let identity = Identity::new(1, credentials(token));
    endpoint.presign(link, &identity, &TermFields::default(), &Timestamp::new(now))
}

fn get<'r>(key: &'r ObjectKey, parameters: &'r [(&'r str, &'r str)]) -> LinkTo<'r> {
    let life = Duration::from_secs(86_400);
    LinkTo { method: "GET", key, version: None, parameters, fields: &[], life }
}

#[test]
fn the_documented_example_comes_out() {
    // The example of the S3 page named above.
    let addressing = addressing(|a| {
        a.region = "us-east-1".to_owned();
        // Its host is the one of old, without the region.
        a.endpoint_url = Some(EndpointUrl::parse("the endpoint URL", "https://s3.amazonaws.com").unwrap());
    });
    let key = ObjectKey::new("test.txt").unwrap();
    let link = ours(&addressing, "examplebucket", None, at(1_369_353_600), get(&key, &[]));
    assert_eq!(link.base, "https://examplebucket.s3.amazonaws.com");
    assert_eq!(
        link.path_and_query,
        "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256\
         &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request\
         &X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host\
         &X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    );
}

#[test]
fn parameters_are_sorted_by_name_and_encoded_once() {
    let parameters = [("b", "1"), ("a-b", "x y+z"), ("a", "é/&=")];
    assert_eq!(canonical_query(&parameters), "a=%C3%A9%2F%26%3D&a-b=x%20y%2Bz&b=1");
}

/// A client of the SDK that would sign the same, at the same time.
fn sdk(addressing: &Addressing, token: Option<&str>) -> Client {
    let mut config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(addressing.region.clone()))
        .credentials_provider(credentials(token))
        .force_path_style(addressing.path_style)
        .use_dual_stack(addressing.dual_stack)
        .use_fips(addressing.fips)
        .accelerate(addressing.accelerate)
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .sleep_impl(TokioSleep::new());
    config.set_endpoint_url(addressing.endpoint_url.as_ref().map(EndpointUrl::with_final_slash));
    Client::from_conf(config.build())
}

/// Scheme, host and path, and the parameters in the order of their names.
fn parts(url: &str) -> (String, Vec<String>) {
    let (before, query) = url.split_once('?').unwrap();
    let mut query: Vec<_> = query.split('&').map(str::to_owned).collect();
    query.sort_unstable();
    (before.to_owned(), query)
}

fn assert_same(ours: &SignedLink, theirs: &PresignedRequest, what: &str) {
    let ours = format!("{}{}", ours.base, ours.path_and_query);
    // The SDK spells a default port in the URL, and signs it no more than we do.
    let theirs = theirs.uri().replacen(":80/", "/", 1);
    assert_eq!(parts(&ours), parts(&theirs), "{what}");
}

#[tokio::test]
async fn links_are_those_of_the_sdks_presigner() {
    let own = |url: &str| Some(EndpointUrl::parse("the endpoint URL", url).unwrap());
    let long = format!("{}+/==", "a".repeat(900));
    for (n, change) in [
        (|_| {}) as fn(&mut Addressing),
        |a| a.path_style = true,
        |a| a.dual_stack = true,
        |a| a.fips = true,
        |a| a.accelerate = true,
    ]
    .into_iter()
    .enumerate()
    {
        for endpoint in [
            None,
            own("http://127.0.0.1:9000"),
            own("https://store.test:9443/s3"),
            own("http://store.test:80"),
        ] {
            let mut addressing = addressing(change);
            if endpoint.is_some() && n > 1 {
                continue;
            }
            addressing.endpoint_url = endpoint;
            for (bucket, token) in [("studio-media", None), ("studio.media", Some(long.as_str()))] {
                if addressing.accelerate && bucket.contains('.') {
                    continue;
                }
                for key in ["a", "a b//ü+/~x", "100%/&=?#", "/a", "日本語/ファイル.txt", "a'(b)*!"] {
                    let what = format!("{bucket} {key} {addressing:?}");
                    let now = at(1_700_000_000 + u64::try_from(n).unwrap());
                    let client = sdk(&addressing, token);
                    let config =
                        PresigningConfig::builder().start_time(now).expires_in(Duration::from_secs(86_400));
                    let config = config.build().unwrap();
                    let theirs = client.get_object().bucket(bucket).key(key).version_id("v+1/x");
                    let theirs = theirs.response_content_disposition("attachment; filename=\"ü b\"");
                    let theirs = theirs.presigned(config).await.unwrap();
                    let key = ObjectKey::new(key).unwrap();
                    // What the SDK says besides, for statistics.
                    let parameters = [
                        ("response-content-disposition", "attachment; filename=\"ü b\""),
                        ("x-id", "GetObject"),
                    ];
                    let version = VersionId::decode("v%2B1/x").unwrap();
                    let link = LinkTo { version: Some(&version), ..get(&key, &parameters) };
                    assert_same(&ours(&addressing, bucket, token, now, link), &theirs, &what);
                }
            }
        }
    }
}

#[tokio::test]
async fn a_link_that_writes_signs_the_fields_of_the_write() {
    let (addressing, now) = (addressing(|_| {}), at(1_700_000_000));
    let config =
        PresigningConfig::builder().start_time(now).expires_in(Duration::from_secs(60)).build().unwrap();
    let client = sdk(&addressing, Some("token"));
    let put =
        client.put_object().bucket("studio-media").key("a b").content_type("image/png").content_length(7);
    let put = put
        .checksum_sha256("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=")
        .presigned(config.clone())
        .await
        .unwrap();
    let key = ObjectKey::new("a b").unwrap();
    let text = HeaderValue::from_static;
    let fields = [
        (
            HeaderName::from_static("x-amz-checksum-sha256"),
            text("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="),
        ),
        (CONTENT_TYPE, text("image/png")),
        (CONTENT_LENGTH, text("7")),
    ];
    // The SDK makes a parameter of a field of its own.
    let theirs: Vec<_> = put.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let mut sent: Vec<_> =
        fields.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
    sent.sort_unstable();
    let mut sorted = theirs.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, sent);
    let life = Duration::from_secs(60);
    let link = LinkTo {
        method: "PUT",
        key: &key,
        version: None,
        parameters: &[("x-id", "PutObject")],
        fields: &fields,
        life,
    };
    assert_same(&ours(&addressing, "studio-media", Some("token"), now, link), &put, "PUT");

    let head = client.head_object().bucket("studio-media").key("a b").presigned(config.clone()).await;
    let delete = client.delete_object().bucket("studio-media").key("a b").presigned(config).await;
    for (method, id, theirs) in
        [("HEAD", "HeadObject", head.unwrap()), ("DELETE", "DeleteObject", delete.unwrap())]
    {
        let id = theirs.uri().contains("x-id=").then_some(("x-id", id));
        let parameters: Vec<_> = id.into_iter().collect();
        let link = LinkTo { method, key: &key, version: None, parameters: &parameters, fields: &[], life };
        assert_same(&ours(&addressing, "studio-media", Some("token"), now, link), &theirs, method);
    }
}

#[test]
fn the_terms_of_the_bucket_are_parameters_of_the_link() {
    use crate::terms::{AccountId, BucketTerms, Payer};

    let terms = BucketTerms {
        payer: Payer::Requester,
        expected_owner: Some(AccountId::parse("123456789012").unwrap()),
        ..BucketTerms::default()
    };
    let endpoint = addressing(|_| {}).resolve(&BucketName::parse("studio-media").unwrap()).unwrap();
    let key = ObjectKey::new("a").unwrap();
    let identity = Identity::new(1, credentials(None));
    let link = endpoint.presign(get(&key, &[]), &identity, &terms.fields(), &Timestamp::new(at(0)));
    let (_, parameters) = parts(&link.path_and_query);
    for parameter in ["x-amz-expected-bucket-owner=123456789012", "x-amz-request-payer=requester"] {
        assert!(parameters.iter().any(|held| held == parameter), "{parameters:?}");
    }
}

#[test]
fn a_directory_bucket_has_a_token_of_its_own() {
    let (addressing, key) = (addressing(|_| {}), ObjectKey::new("a").unwrap());
    let link = ours(&addressing, "films--usw2-az1--x-s3", Some("session"), at(0), get(&key, &[]));
    assert!(link.path_and_query.contains("&X-Amz-S3session-Token=session&"), "{}", link.path_and_query);
    assert!(!link.path_and_query.contains("Security-Token"), "{}", link.path_and_query);
}
