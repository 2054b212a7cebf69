use std::time::Duration;

use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{
        PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
        UriPathNormalizationMode, sign,
    },
    sign::v4,
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::prelude::*;

use super::*;

const STRICT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const PATH: &AsciiSet = &STRICT.remove(b'/');
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

fn header(name: &'static str, value: &str) -> (HeaderName, HeaderValue) {
    (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
}

fn identity(token: Option<String>) -> Identity {
    Identity::new(1, Credentials::new("AKIAIOSFODNN7EXAMPLE", SECRET, token, None, "test"))
}

#[test]
fn the_documented_example_comes_out() {
    // "Example: GET Object" of the S3 page named above.
    let at = Timestamp::new(UNIX_EPOCH + Duration::from_secs(1_369_353_600));
    assert_eq!(at.as_str(), "20130524T000000Z");
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let headers = [
        header("host", "examplebucket.s3.amazonaws.com"),
        header("range", "bytes=0-9"),
        header("x-amz-content-sha256", empty),
        header("x-amz-date", at.as_str()),
    ];
    let key = SigningKey::derive(&identity(None), &SigningScope::new("us-east-1", "s3"), &at);
    let request = Signable { method: "GET", path: "/test.txt", query: "", headers: &headers };
    let authorization = key.authorization(&at, &request);
    assert_eq!(
        authorization,
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, \
         SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, \
         Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
    );
    // A semicolon stands between names, and room was made for one behind each.
    assert_eq!(authorization.capacity(), authorization.len() + 1, "it is allocated once");
}

#[test]
fn a_scope_is_that_of_its_region_and_its_service() {
    let scope = SigningScope::new("us-east-1", "s3");
    for (region, service, is_it) in
        [("us-east-1", "s3", true), ("us-west-2", "s3", false), ("us-east-1", "s3express", false)]
    {
        assert_eq!(scope.is(region, service), is_it, "{region} {service}");
    }
}

#[test]
fn a_key_serves_its_day_and_its_credentials() {
    let scope = SigningScope::new("us-east-1", "s3");
    let midnight = UNIX_EPOCH + Duration::from_secs(1_369_353_600);
    let (before, after) = (Timestamp::new(midnight - Duration::from_secs(1)), Timestamp::new(midnight));
    let old = identity(None);
    let new = Identity::new(2, old.credentials().clone());
    let key = SigningKey::derive(&old, &scope, &before);
    assert!(key.serves(&old, &before));
    assert!(!key.serves(&old, &after));
    assert!(!key.serves(&new, &before));
}

#[test]
fn no_secret_is_shown() {
    let identity = identity(Some("the-token".to_owned()));
    let key = SigningKey::derive(&identity, &SigningScope::new("r", "s3"), &Timestamp::new(UNIX_EPOCH));
    let shown = format!("{key:?} {identity:?}");
    assert!(!shown.contains(SECRET) && !shown.contains("the-token") && !shown.contains("mac"), "{shown}");
}

/// The same request signed by the `aws-sigv4` crate, as the SDK configures it for S3.
fn signed_by_the_sdk(
    identity: &Identity,
    scope: &SigningScope,
    at: SystemTime,
    request: &Signable<'_>,
) -> String {
    let mut settings = SigningSettings::default();
    settings.percent_encoding_mode = PercentEncodingMode::Single;
    settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    let sdk_identity = identity.credentials().clone().into();
    let params = v4::SigningParams::builder()
        .identity(&sdk_identity)
        .region(&scope.region)
        .name(&scope.service)
        .time(at)
        .settings(settings)
        .build()
        .unwrap();
    let mut url = format!("https://bucket.example{}", request.path);
    if !request.query.is_empty() {
        url = format!("{url}?{}", request.query);
    }
    let added = ["host", "x-amz-content-sha256", "x-amz-date", "x-amz-security-token"];
    let headers = request
        .headers
        .iter()
        .filter(|(name, _)| !added.contains(&name.as_str()))
        .map(|(name, value)| (name.as_str(), std::str::from_utf8(value.as_bytes()).unwrap()));
    let signable =
        SignableRequest::new(request.method, &url, headers, SignableBody::UnsignedPayload).unwrap();
    let (instructions, _) = sign(signable, &params.into()).unwrap().into_parts();
    let (_, value) = instructions
        .headers()
        .find(|(name, _)| name.eq_ignore_ascii_case("authorization"))
        .expect("the SDK signs by header");
    value.to_owned()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn signatures_equal_the_sdks_byte_for_byte(
        key in "\\PC{1,80}",
        version in proptest::option::of("[ -~]{1,20}"),
        head in any::<bool>(),
        range in proptest::option::of("[!-~ ]{1,30}"),
        tag in proptest::option::of("\"[!-~ ]{0,30}\""),
        token in proptest::option::of("[!-~]{1,200}"),
        secs in 0_u64..4_102_444_800,
        region in "[a-z]{2}-[a-z]{4,9}-[1-9]",
    ) {
        let path = format!("/{}", utf8_percent_encode(&key, PATH));
        let query = version.map_or(String::new(), |v| format!("versionId={}", utf8_percent_encode(&v, STRICT)));
        let at = UNIX_EPOCH + Duration::from_secs(secs);
        let stamp = Timestamp::new(at);
        let mut headers = vec![header("host", "bucket.example")];
        headers.extend(tag.map(|v| header("if-none-match", &v)));
        headers.extend(range.map(|v| header("range", &v)));
        headers.push(header("x-amz-content-sha256", UNSIGNED_PAYLOAD));
        headers.push(header("x-amz-date", stamp.as_str()));
        headers.extend(token.as_deref().map(|v| header("x-amz-security-token", v)));

        let scope = SigningScope::new(&region, "s3");
        let identity = identity(token);
        let request = Signable {
            method: if head { "HEAD" } else { "GET" },
            path: &path,
            query: &query,
            headers: &headers,
        };
        let ours = SigningKey::derive(&identity, &scope, &stamp).authorization(&stamp, &request);
        prop_assert_eq!(ours, signed_by_the_sdk(&identity, &scope, at, &request));
    }
}
