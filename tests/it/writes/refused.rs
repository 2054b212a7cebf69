//! Attempts to write where nobody may: S3 hears of none of them.

use http::Method;
use http_body_util::Full;
use tower_s3_proxy::presigned::{PresignedRequests, UnsignedRequests};

use super::{anything, send, writable};
use crate::support::{BUCKET, mount, proxy, s3};

const METHODS: [&str; 14] = [
    "PUT",
    "POST",
    "DELETE",
    "PATCH",
    "COPY",
    "MOVE",
    "MKCOL",
    "PROPPATCH",
    "LOCK",
    "TRACE",
    "CONNECT",
    "put",
    "Delete",
    "OPTIONS",
];

/// S3's sub-resources that change something, and parameters of presigned links.
const QUERIES: [&str; 16] = [
    "",
    "?acl",
    "?policy",
    "?delete",
    "?uploads",
    "?uploadId=x&partNumber=1",
    "?tagging",
    "?versioning",
    "?lifecycle",
    "?restore",
    "?website",
    "?cors",
    "?legal-hold",
    "?retention",
    "?x-id=PutObject",
    "?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a%2F20260101%2Fus-west-2%2Fs3%2Faws4_request&X-Amz-Date=20260101T000000Z\
     &X-Amz-Expires=604800&X-Amz-SignedHeaders=host&X-Amz-Signature=00",
];

const FIELDS: [&[(&str, &str)]; 5] = [
    &[],
    &[("x-http-method-override", "PUT"), ("x-http-method", "DELETE"), ("x-method-override", "DELETE")],
    &[("x-amz-copy-source", "/media/a"), ("x-amz-acl", "public-read-write")],
    &[(
        "authorization",
        "AWS4-HMAC-SHA256 Credential=a/20260101/us-west-2/s3/aws4_request, SignedHeaders=host, Signature=00",
    )],
    &[("content-encoding", "aws-chunked"), ("x-amz-decoded-content-length", "1")],
];

const PATHS: [&str; 6] = ["/a", "/", "/data/../a", "/data%2f..%2fa", "//a", "/data/%2e%2e/%2e%2e/media/a"];

/// Each method with each query, each field and each path: 14 × (16 + 5 + 6) less the repetitions, and GETs that pretend.
#[tokio::test]
async fn a_mount_that_reads_writes_nothing() {
    let s3 = s3().await;
    s3.store().put(BUCKET, "a", "x".into());
    let reads = proxy(mount(&s3));
    let read_links = proxy(mount(&s3).presigned(PresignedRequests::new()));
    let links = PresignedRequests::new().unsigned(UnsignedRequests::Refused);
    let links_alone = proxy(mount(&s3).presigned(links));
    let below = proxy(writable(&s3, anything().below("data")));
    let mut attempts = 0;
    for method in METHODS.into_iter().chain(["GET", "HEAD"]) {
        let by_query = QUERIES.map(|query| (PATHS[0], query, FIELDS[0]));
        let by_field = FIELDS.map(|fields| (PATHS[0], "", fields));
        let by_path = PATHS.map(|path| (path, "", FIELDS[0]));
        for (path, query, fields) in by_query.into_iter().chain(by_field).chain(by_path) {
            for service in [&reads, &read_links, &links_alone, &below] {
                send(service, method, &format!("{path}{query}"), fields, Full::from("x")).await;
                attempts += 1;
            }
        }
    }
    assert!(attempts > 1000, "{attempts}");
    let writes: Vec<_> =
        s3.log().into_iter().filter(|seen| ![Method::GET, Method::HEAD].contains(&seen.method)).collect();
    assert!(writes.is_empty(), "{writes:?}");
    assert_eq!(s3.store().keys(BUCKET), ["a"]);
    assert_eq!(s3.store().object(BUCKET, "a").unwrap().bytes, "x");
}

#[tokio::test]
async fn no_write_leaves_the_prefix() {
    let s3 = s3().await;
    let service = proxy(writable(&s3, anything().below("data")).prefix("site"));
    for path in [
        "/data/a",
        "/data//a",
        "/data/%2fa",
        "/data/.../a",
        "/data/a%00",
        "/data/..",
        "/data/../a",
        "/data/%2e%2e/a",
        "/data%2f..%2fa",
        "/data/..%2fa",
        "/data/..%5ca",
        "/data/a/../../b",
        "/data./a",
        "/Data/a",
        "/data",
        "/data%20/a",
        "//data/a",
        "/%2fdata/a",
        "/site/data/a",
        "/datax",
    ] {
        for method in ["PUT", "DELETE"] {
            send(&service, method, path, &[], Full::from("x")).await;
        }
        send(&service, "PUT", path, &[], Full::from("x")).await;
    }
    let keys = s3.store().keys(BUCKET);
    assert!(keys.iter().all(|key| key.starts_with("site/data/")), "{keys:?}");
    assert!(
        keys.contains(&"site/data/a".to_owned()) && !keys.iter().any(|key| key.contains("/../")),
        "{keys:?}"
    );
    for seen in s3.log().iter().filter(|seen| seen.method != Method::GET) {
        assert!(seen.uri.starts_with("/media/site/data/"), "{seen:?}");
    }
}
