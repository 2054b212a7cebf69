use std::time::{Duration, SystemTime};

use aws_sdk_s3::{Client as Sdk, presigning::PresigningConfig};
use tower_s3_proxy::presigned::PresignedRequests;

use super::{BEHIND, NAME, READER, WRITER, asked, mount, refusal, s3, sdk, sdk_at, serving};
use crate::log::Log;
use crate::support::{Answer, Client, Protocol, Server, request};

#[tokio::test]
async fn a_request_that_is_not_its_keys_or_not_of_now_is_refused_and_s3_is_not_asked() {
    let s3 = s3().await;
    s3.store().put(BEHIND, "files/a", "x".into());
    let server = serving(mount(&s3)).await;
    let shifted = |minutes: u64, past: bool| {
        let shift = Duration::from_secs(60 * minutes);
        let now = SystemTime::now();
        sdk_at(&server, READER, Some(if past { now - shift } else { now + shift }))
    };
    for (sdk, expected) in [
        (sdk(&server, READER), None),
        (sdk(&server, (READER.0, WRITER.1)), Some("SignatureDoesNotMatch")),
        (sdk(&server, ("nobody", READER.1)), Some("InvalidAccessKeyId")),
        (shifted(14, true), None),
        (shifted(14, false), None),
        (shifted(16, true), Some("RequestTimeTooSkewed")),
        (shifted(16, false), Some("RequestTimeTooSkewed")),
    ] {
        let count = asked(&s3).len();
        let read = sdk.get_object().bucket(NAME).key("a").send().await;
        match expected {
            None => assert!(read.is_ok(), "{read:?}"),
            Some(code) => {
                assert_eq!(refusal(read), (403, code.to_owned()));
                assert_eq!(asked(&s3).len(), count, "{code}");
            }
        }
    }
}

/// Sends what a link asks for, with more fields.
async fn follow(server: &Server, method: &str, link: &str, fields: &[(&str, &str)]) -> Answer {
    let host = server.addr.to_string();
    let path = link.split_once(&host).unwrap().1;
    let mut client = Client::connect(Protocol::Http1, server.addr).await;
    let mut all = vec![("host", host.as_str())];
    all.extend(fields);
    client.ask(request(method, path, &all)).await
}

async fn link(sdk: &Sdk, key: &str, config: PresigningConfig) -> String {
    sdk.get_object().bucket(NAME).key(key).presigned(config).await.unwrap().uri().to_owned()
}

fn lasting(seconds: u64, from: SystemTime) -> PresigningConfig {
    PresigningConfig::builder().expires_in(Duration::from_secs(seconds)).start_time(from).build().unwrap()
}

#[tokio::test]
async fn a_link_of_a_key_reads_until_it_expires_and_nothing_else() {
    let s3 = s3().await;
    s3.store().put(BEHIND, "files/a", "x".into());
    s3.store().put(BEHIND, "files/b", "y".into());
    let server = serving(mount(&s3)).await;
    let (sdk, now) = (sdk(&server, READER), SystemTime::now());
    let good = link(&sdk, "a", lasting(900, now)).await;
    let expired = link(&sdk, "a", lasting(60, now - Duration::from_secs(120))).await;
    let early = link(&sdk, "a", lasting(900, now + Duration::from_secs(3600))).await;
    let other_key = good.replace("/media/a?", "/media/b?");
    let longer = good.replace("X-Amz-Expires=900", "X-Amz-Expires=9000");
    let header = format!(
        "AWS4-HMAC-SHA256 Credential={}/20260101/r/s3/aws4_request, SignedHeaders=host, Signature=0",
        READER.0
    );
    const COPY: (&str, &str) = ("x-amz-copy-source", "media/b");
    for (method, link, field, expected) in [
        ("GET", &good, None, "200 "),
        ("GET", &expired, None, "403 AccessDenied"),
        ("GET", &early, None, "403 RequestTimeTooSkewed"),
        ("GET", &other_key, None, "403 SignatureDoesNotMatch"),
        ("GET", &longer, None, "403 SignatureDoesNotMatch"),
        ("DELETE", &good, None, "403 SignatureDoesNotMatch"),
        ("PUT", &good, None, "403 SignatureDoesNotMatch"),
        ("PUT", &good, Some(COPY), "403 AccessDenied"),
        ("GET", &good, Some(("authorization", header.as_str())), "400 InvalidArgument"),
    ] {
        let count = asked(&s3).len();
        let answer = follow(&server, method, link, field.as_slice()).await;
        let code = answer.text().split("<Code>").nth(1).and_then(|rest| rest.split('<').next());
        assert_eq!(
            format!("{} {}", answer.status.as_u16(), code.unwrap_or_default()),
            expected,
            "{method} {link}"
        );
        assert!(answer.status == 200 || asked(&s3).len() == count, "{method} {link}");
        assert_eq!(answer.status == 200, !answer.headers.contains_key("x-amz-request-id"), "{method}");
    }
}

/// A link of version 2, with these parameters behind those of the signature.
fn link_of_v2(
    server: &Server,
    (access, secret): (&str, &str),
    method: &str,
    key: &str,
    more: &str,
) -> String {
    link_until(server, (access, secret), method, key, more, 4_102_444_799)
}

fn link_until(
    server: &Server,
    key_pair: (&str, &str),
    method: &str,
    key: &str,
    more: &str,
    expires: u64,
) -> String {
    let (kind, of_kind) = match method {
        "PUT" => ("text/plain", "content-type=text%2Fplain"),
        _ => ("", ""),
    };
    let path = format!("/media/{key}");
    let resource = if more.is_empty() { path.clone() } else { format!("{path}?{more}") };
    let link = format!("{path}?{}", [of_kind, more].join("&"));
    let signed = format!("{method}\n\n{kind}\n{expires}\n{resource}");
    signed_link(server, key_pair, &signed, &link)
}

/// A link to the bucket, which boto3 signs with a slash at the end of its path and sends without.
fn link_of_bucket(server: &Server) -> String {
    signed_link(server, READER, "GET\n\n\n4102444799\n/media/", "/media?prefix=a")
}

/// What is signed has the time of expiry in its fourth line.
fn signed_link(server: &Server, (access, secret): (&str, &str), signed: &str, link: &str) -> String {
    let expires = signed.split('\n').nth(3).unwrap();
    let secret = ring::hmac::Key::new(ring::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret.as_bytes());
    let signature = aws_smithy_types::base64::encode(ring::hmac::sign(&secret, signed.as_bytes()));
    let signature = url_escape(&signature);
    let query = format!("AWSAccessKeyId={access}&Signature={signature}&Expires={expires}");
    let link = link.trim_end_matches('&');
    format!("http://{}{link}&{query}", server.addr)
}

fn url_escape(text: &str) -> String {
    text.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D")
}

#[tokio::test]
async fn a_link_of_version_2_does_what_it_was_signed_for() {
    let s3 = s3().await;
    s3.store().put(BEHIND, "files/a", "x".into());
    s3.store().put(BEHIND, "files/b", "y".into());
    let server = serving(mount(&s3)).await;
    let read = link_of_v2(&server, READER, "GET", "a", "");
    let part = link_of_v2(&server, READER, "GET", "a", "versionId=v");
    let write = link_of_v2(&server, WRITER, "PUT", "c", "");
    let with_owner = signed_link(
        &server,
        WRITER,
        "PUT\n\ntext/plain\n4102444799\nx-amz-meta-owner:ann\n/media/d",
        "/media/d?content-type=text%2Fplain",
    );
    const COPY: (&str, &str) = ("x-amz-copy-source", "media/b");
    for (method, link, field, expected) in [
        ("GET", read.clone(), None, "200 "),
        ("GET", read.clone(), Some(("range", "bytes=0-0")), "206 "),
        ("HEAD", link_of_v2(&server, READER, "HEAD", "a", ""), None, "200 "),
        ("HEAD", read.clone(), None, "403 "),
        ("GET", link_until(&server, READER, "GET", "a", "", 1_141_889_120), None, "403 AccessDenied"),
        ("GET", read.replace("Expires=4", "Expires=5"), None, "403 SignatureDoesNotMatch"),
        ("GET", read.replace("/media/a?", "/media/b?"), None, "403 SignatureDoesNotMatch"),
        ("GET", link_of_v2(&server, (READER.0, WRITER.1), "GET", "a", ""), None, "403 SignatureDoesNotMatch"),
        ("GET", link_of_v2(&server, ("nobody", READER.1), "GET", "a", ""), None, "403 InvalidAccessKeyId"),
        ("GET", part.replace("=v", "=w"), None, "403 SignatureDoesNotMatch"),
        ("GET", format!("{read}&Signature=x"), None, "403 AccessDenied"),
        ("GET", read.replace("&Expires=4102444799", ""), None, "403 AccessDenied"),
        ("GET", format!("{read}&x-amz-security-token=t"), None, "400 InvalidToken"),
        ("DELETE", read.clone(), None, "403 SignatureDoesNotMatch"),
        ("PUT", write.clone(), Some(COPY), "403 SignatureDoesNotMatch"),
        ("PUT", format!("{write}&x-amz-copy-source=media%2Fb"), None, "403 SignatureDoesNotMatch"),
        ("PUT", write.clone(), Some(("content-type", "text/html")), "403 SignatureDoesNotMatch"),
        ("PUT", write.clone(), Some(("content-encoding", "aws-chunked")), "400 InvalidRequest"),
        ("PUT", format!("{write}&tagging"), None, "501 NotImplemented"),
        ("PUT", link_of_v2(&server, READER, "PUT", "c", ""), None, "403 AccessDenied"),
        ("GET", link_of_bucket(&server), None, "200 "),
        (
            "PUT",
            format!("{with_owner}&x-amz-meta-owner=ann"),
            Some(("x-amz-meta-owner", "bob")),
            "400 InvalidArgument",
        ),
        ("PUT", format!("{with_owner}&x-amz-meta-owner=bob"), None, "403 SignatureDoesNotMatch"),
        ("PUT", format!("{with_owner}&x-amz-meta-owner=ann"), Some(("x-amz-meta-owner", "ann")), "200 "),
        ("PUT", write, None, "200 "),
    ] {
        let count = asked(&s3).len();
        let mut fields: Vec<_> = field.into_iter().collect();
        fields.extend((method == "PUT").then_some(("content-length", "0")));
        let answer = follow(&server, method, &link, &fields).await;
        let code = answer.text().split("<Code>").nth(1).and_then(|rest| rest.split('<').next());
        let told = format!("{} {}", answer.status.as_u16(), code.unwrap_or_default());
        assert_eq!(told, expected, "{method} {link} {field:?}");
        assert!(answer.status.is_success() || asked(&s3).len() == count, "{method} {link}");
    }
    // The type is that of the link: it was signed for.
    let kept = sdk(&server, READER).head_object().bucket(NAME).key("c").send().await.unwrap();
    assert_eq!(kept.content_type(), Some("text/plain"));
    let field = [("authorization", "AWS reader:c2ln")];
    let answer = follow(&server, "GET", &format!("http://{}/media/a", server.addr), &field).await;
    assert_eq!(answer.status, 400, "{}", answer.text());
}

#[tokio::test]
async fn links_of_keys_that_the_table_does_not_know_go_on_to_s3_if_the_mount_passes_them_on() {
    let s3 = s3().await;
    s3.store().put(BEHIND, "a", "x".into());
    let both = super::bare(&s3).client_keys(&super::table()).presigned(PresignedRequests::new());
    let server = serving(both).await;
    // Made for S3's host by one of its keys.
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(aws_sdk_s3::config::BehaviorVersion::latest())
        .region(aws_sdk_s3::config::Region::new(crate::support::REGION))
        .endpoint_url(s3.endpoint())
        .force_path_style(true)
        .credentials_provider(crate::support::keys())
        .build();
    let theirs = Sdk::from_conf(config).get_object().bucket(BEHIND).key("a");
    let theirs = theirs.presigned(lasting(900, SystemTime::now())).await.unwrap().uri().to_owned();
    let here = theirs.replace(&s3.addr().to_string(), &server.addr.to_string());
    let answer = follow(&server, "GET", &here, &[]).await;
    assert_eq!((answer.status.as_u16(), answer.text()), (200, "x"));
    let ours = sdk(&server, READER).get_object().bucket(BEHIND).key("a");
    let ours = ours.presigned(lasting(900, SystemTime::now())).await.unwrap().uri().to_owned();
    let answer = follow(&server, "GET", &ours, &[]).await;
    assert_eq!((answer.status.as_u16(), answer.text()), (200, "x"));
    let read = sdk(&server, ("nobody", READER.1)).get_object().bucket(BEHIND).key("a").send().await;
    assert_eq!(refusal(read), (403, "InvalidAccessKeyId".to_owned()));
}

#[tokio::test]
async fn the_log_has_each_refusal_and_never_a_signature_that_would_be_right() {
    let s3 = s3().await;
    s3.store().put(BEHIND, "files/a", "x".into());
    let server = serving(mount(&s3)).await;
    let (log, _guard) = Log::filtered("trace");
    let read = sdk(&server, (READER.0, WRITER.1)).get_object().bucket(NAME).key("a").send().await;
    assert_eq!(refusal(read).1, "SignatureDoesNotMatch");
    let lines = log.lines().join("\n");
    assert!(lines.contains("SignatureDoesNotMatch"), "{lines}");
    assert!(!lines.contains("string_to_sign") && !lines.contains("signature mismatch"), "{lines}");
    assert!(!lines.contains("secret-of"), "{lines}");
}
