//! What S3 gets, and what clients hear of its answers.

use std::sync::{Arc, Mutex};

use http_body_util::Empty;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tower_s3_proxy::{
    Cache, Mount, MountBuilder, ProxyErrorKind,
    encryption::{CustomerKey, Encryption, KmsKeyArn},
};

use super::{anything, put, send};
use crate::support::{BUCKET, REGION, ask, bucket, get, keys, once, origin, proxy, read_head};

type Seen = Arc<Mutex<Vec<(String, String)>>>;

/// An origin that keeps what it gets, and says this to each PUT and DELETE.
async fn answers(answer: &'static str) -> (std::net::SocketAddr, Seen) {
    let seen = Seen::default();
    let keeps = Arc::clone(&seen);
    let address = origin(move |_, mut stream| {
        let seen = Arc::clone(&keeps);
        async move {
            while let Some(head) = read_head(&mut stream).await {
                let body = read_body(&mut stream, &head).await;
                let is_read = head.starts_with("GET") || head.starts_with("HEAD");
                seen.lock().unwrap().push((head, body));
                let read = "HTTP/1.1 200 OK\r\netag: \"1\"\r\nlast-modified: Sun, 06 Nov 1994 08:49:37 GMT\r\ncontent-length: 1\r\n\r\nx";
                let answer = if is_read { read } else { answer };
                stream.write_all(answer.as_bytes()).await.unwrap();
                if answer.contains("connection: close") || !answer.starts_with("HTTP") {
                    break;
                }
            }
        }
    })
    .await;
    (address, seen)
}

async fn read_body(stream: &mut TcpStream, head: &str) -> String {
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body).await.unwrap();
    String::from_utf8(body).unwrap()
}

fn at(address: std::net::SocketAddr) -> MountBuilder {
    let builder = Mount::builder(bucket(BUCKET)).path_style(true).region(REGION).credentials(keys());
    once(builder.endpoint_url(format!("http://{address}")).writes(anything()))
}

const STORED: &str = "HTTP/1.1 200 OK\r\netag: \"7\"\r\ncontent-length: 0\r\n\r\n";

fn field<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

#[tokio::test]
async fn over_plain_http_a_checksum_goes_behind_the_body() {
    let (address, seen) = answers(STORED).await;
    let service = proxy(at(address).encryption(Encryption::s3_managed()));
    let fields = [("content-type", "text/plain"), ("content-encoding", "gzip")];
    assert_eq!(put(&service, "/a", &fields, "123456789").await.status, 201);
    let (head, body) = seen.lock().unwrap().remove(0);
    assert!(head.starts_with("PUT /media/a HTTP/1.1\r\n"), "{head}");
    assert_eq!(body, "9\r\n123456789\r\n0\r\nx-amz-checksum-crc32:y/Q5Jg==\r\n\r\n");
    assert_eq!(field(&head, "content-length"), Some(&*body.len().to_string()));
    assert_eq!(field(&head, "content-encoding"), Some("aws-chunked,gzip"));
    assert_eq!(field(&head, "x-amz-decoded-content-length"), Some("9"));
    assert_eq!(field(&head, "x-amz-trailer"), Some("x-amz-checksum-crc32"));
    assert_eq!(field(&head, "x-amz-content-sha256"), Some("STREAMING-UNSIGNED-PAYLOAD-TRAILER"));
    assert_eq!(field(&head, "x-amz-server-side-encryption"), Some("AES256"));
    let signed = field(&head, "authorization").unwrap();
    let names = "SignedHeaders=content-encoding;content-type;host;x-amz-content-sha256;x-amz-date;\
                 x-amz-decoded-content-length;x-amz-server-side-encryption;x-amz-trailer,";
    assert!(signed.contains(names), "{signed}");

    // The client's own checksum does as well.
    assert_eq!(put(&service, "/a", &[("x-amz-checksum-crc32", "y/Q5Jg==")], "123456789").await.status, 201);
    let (head, body) = seen.lock().unwrap().remove(0);
    assert_eq!(
        (body.as_str(), field(&head, "x-amz-content-sha256")),
        ("123456789", Some("UNSIGNED-PAYLOAD"))
    );
    assert_eq!(field(&head, "x-amz-checksum-crc32"), Some("y/Q5Jg=="));
}

#[tokio::test]
async fn the_terms_of_the_mount_go_with_each_write() {
    let key = KmsKeyArn::parse("arn:aws:kms:us-west-2:123456789012:key/1").unwrap();
    let kms = Encryption::kms(key).bucket_key(true).context([("k", "v")]);
    let kms_fields = [
        ("x-amz-server-side-encryption", "aws:kms"),
        ("x-amz-server-side-encryption-aws-kms-key-id", "arn:aws:kms:us-west-2:123456789012:key/1"),
        ("x-amz-server-side-encryption-bucket-key-enabled", "true"),
        ("x-amz-server-side-encryption-context", "eyJrIjoidiJ9"),
    ];
    let sse_c = [("x-amz-server-side-encryption-customer-algorithm", "AES256")];
    let class = [("x-amz-storage-class", "STANDARD_IA")];
    let (address, seen) = answers(STORED).await;
    for (builder, expected) in [
        (at(address).encryption(kms).require_encryption(true), &kms_fields[..]),
        (at(address).customer_key(CustomerKey::from([7; 32])), &sse_c),
        (at(address).writes(anything().storage_class("STANDARD_IA")), &class),
        (at(address).requester_pays(true), &[("x-amz-request-payer", "requester")]),
    ] {
        let service = proxy(builder);
        assert_eq!(put(&service, "/a", &[], "x").await.status, 201);
        assert_eq!(send(&service, "DELETE", "/a", &[], Empty::new()).await.status, 204);
        let seen: Vec<_> = seen.lock().unwrap().drain(..).collect();
        for (name, value) in expected {
            assert_eq!(field(&seen[0].0, name), Some(*value), "{name}");
            let of_all = *name == "x-amz-request-payer";
            assert_eq!(field(&seen[1].0, name).is_some(), of_all, "a deletion takes none of it: {name}");
        }
    }
}

/// What S3 says of a write, in the client's words.
#[tokio::test]
async fn refusals_of_s3_are_told_in_the_clients_words() {
    macro_rules! refusal {
        ($status:literal, $code:literal) => {
            concat!(
                "HTTP/1.1 ",
                $status,
                " X\r\nconnection: close\r\n\r\n<Error><Code>",
                $code,
                "</Code></Error>"
            )
        };
    }
    for (answer, status, kind) in [
        (refusal!("412", "PreconditionFailed"), 412, ProxyErrorKind::PreconditionFailed),
        (refusal!("409", "ConditionalRequestConflict"), 409, ProxyErrorKind::Conflict),
        (refusal!("400", "BadDigest"), 400, ProxyErrorKind::BadDigest),
        (refusal!("400", "EntityTooLarge"), 413, ProxyErrorKind::TooLarge),
        (refusal!("400", "MetadataTooLarge"), 400, ProxyErrorKind::BadField),
        (refusal!("400", "IncompleteBody"), 408, ProxyErrorKind::UnfinishedRequest),
        (refusal!("501", "NotImplemented"), 502, ProxyErrorKind::OriginMisconfigured),
        (refusal!("403", "AccessDenied"), 403, ProxyErrorKind::Forbidden),
        (refusal!("403", "SignatureDoesNotMatch"), 502, ProxyErrorKind::OriginRefused),
        (refusal!("404", "NoSuchBucket"), 502, ProxyErrorKind::OriginMisconfigured),
        (refusal!("400", "KeyTooLongError"), 404, ProxyErrorKind::NotFound),
        (refusal!("503", "SlowDown"), 503, ProxyErrorKind::OriginBusy),
        (refusal!("500", "InternalError"), 503, ProxyErrorKind::OriginBusy),
        (refusal!("307", "TemporaryRedirect"), 502, ProxyErrorKind::OriginMisconfigured),
        ("nonsense\r\n\r\n", 502, ProxyErrorKind::OriginBroken),
    ] {
        let (address, seen) = answers(answer).await;
        let service = proxy(at(address));
        for deletes in [false, true] {
            let told = match deletes {
                false => put(&service, "/a", &[], "x").await,
                true => send(&service, "DELETE", "/a", &[], Empty::new()).await,
            };
            assert_eq!((told.status.as_u16(), told.kind()), (status, Some(kind)), "{answer}");
            assert!(!told.text().contains("Error"), "{}", told.text());
        }
        assert!(seen.lock().unwrap().len() <= 3, "{answer}: a write is not repeated");
    }
}

/// A write that S3 may have done, though nobody knows: what the cache has may be old.
#[tokio::test]
async fn the_cache_forgets_what_may_have_been_written() {
    for (answer, is_forgotten) in
        [(STORED, true), ("nonsense\r\n\r\n", true), ("HTTP/1.1 412 X\r\ncontent-length: 0\r\n\r\n", false)]
    {
        let (address, seen) = answers(answer).await;
        let cache = Cache::builder(1 << 20).build().unwrap();
        let service = proxy(at(address).cache(&cache).cache_ttl(std::time::Duration::from_secs(600)));
        for _ in 0..2 {
            assert_eq!(ask(&service, get("/a")).await.text(), "x");
        }
        put(&service, "/a", &[], "y").await;
        assert_eq!(ask(&service, get("/a")).await.text(), "x");
        let reads = seen.lock().unwrap().iter().filter(|(head, _)| head.starts_with("GET")).count();
        assert_eq!(reads, if is_forgotten { 2 } else { 1 }, "{answer}");
    }
}

/// The client goes before S3 has answered, and S3 does it all the same.
#[tokio::test]
async fn the_cache_forgets_what_was_written_for_nobody() {
    let s3 = crate::support::s3().await;
    s3.store().put(BUCKET, "a", "old".into());
    let cache = Cache::builder(1 << 20).build().unwrap();
    let ttl = std::time::Duration::from_secs(600);
    let service = proxy(super::writable(&s3, anything()).cache(&cache).cache_ttl(ttl));
    assert_eq!(ask(&service, get("/a")).await.text(), "old");
    let held = s3.store().hold(BUCKET, "a");
    let write = put(&service, "/a", &[], "new");
    let given_up = tokio::time::timeout(std::time::Duration::from_millis(100), write).await;
    assert!(given_up.is_err());
    drop(held);
    s3.store().put(BUCKET, "a", "new".into());
    assert_eq!(ask(&service, get("/a")).await.text(), "new");
}
