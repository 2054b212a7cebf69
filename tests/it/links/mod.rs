//! Links that the mount makes, used straight against the S3 server, which checks their signatures.

mod cloudfront;
mod endpoint;

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use aws_smithy_async::time::TimeSource;
use bytes::Bytes;
use demo_s3::DemoS3;
use tower_s3_proxy::{
    Mount, MountBuilder,
    bucket::{Grant, ObjectKey},
    credentials::Credentials,
    encryption::Encryption,
    links::{
        BoundedBy, Checksum, LinkMethod, LinkPolicy, PresignErrorKind, PresignRequest, PresignedUrl,
        ResponseField,
    },
};

use crate::support::{Answer, BUCKET, NASTY_KEYS, bucket, over, raw, s3};

const HOUR: Duration = Duration::from_secs(3600);

/// A clock that goes as it is told.
#[derive(Debug, Clone)]
struct Clock(Arc<Mutex<SystemTime>>);

// === impl Clock ===

impl Clock {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(SystemTime::now())))
    }

    fn advance(&self, by: Duration) {
        *self.0.lock().unwrap() += by;
    }
}

impl TimeSource for Clock {
    fn now(&self) -> SystemTime {
        *self.0.lock().unwrap()
    }
}

fn key(key: &str) -> ObjectKey {
    ObjectKey::new(key).unwrap()
}

fn mount(s3: &DemoS3) -> MountBuilder {
    over(s3, Mount::builder(bucket(BUCKET)))
}

/// A mount whose links write, too.
fn writing(s3: &DemoS3) -> MountBuilder {
    mount(s3).grant(Grant::ReadWrite).links(LinkPolicy::new().grant(Grant::ReadWrite))
}

/// The head and the body of the answer to a request with this link.
async fn send(method: &str, link: &PresignedUrl, body: &str) -> (u16, String, String) {
    let fields: Vec<_> = link
        .headers()
        .iter()
        .map(|(name, value)| format!("{name}: {}\r\n", value.to_str().unwrap()))
        .collect();
    send_with(method, link.url(), &fields.concat(), body).await
}

async fn send_with(method: &str, url: &str, fields: &str, body: &str) -> (u16, String, String) {
    let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    send_to(host.parse().unwrap(), host, method, path, fields, body).await
}

/// The answer to a request that follows a redirect.
async fn follow(redirect: &Answer, method: &str, fields: &str) -> (u16, String, String) {
    send_with(method, redirect.header("location"), fields, "").await
}

async fn send_to(
    addr: SocketAddr,
    host: &str,
    method: &str,
    path: &str,
    fields: &str,
    body: &str,
) -> (u16, String, String) {
    let length = match fields.contains("content-length:") || body.is_empty() {
        true => String::new(),
        false => format!("content-length: {}\r\n", body.len()),
    };
    let head =
        format!("{method} /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n{fields}{length}\r\n");
    let answer = raw(addr, &format!("{head}{body}")).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head.to_ascii_lowercase(), body.to_owned())
}

#[tokio::test]
async fn a_link_reads_its_object_by_its_method_and_nothing_else() {
    let s3 = s3().await;
    let mount = mount(&s3).build().unwrap();
    for name in NASTY_KEYS {
        s3.store().put(BUCKET, name, Bytes::copy_from_slice(name.as_bytes()));
        let Ok(key) = ObjectKey::new(name) else { continue };
        let get = mount.presign(PresignRequest::get(key.clone())).await.unwrap();
        let (status, _, body) = send("GET", &get, "").await;
        assert_eq!((status, body.as_str()), (200, name), "{name:?}: {}", get.url());
        let head = mount.presign(PresignRequest::head(key)).await.unwrap();
        assert_eq!(send("HEAD", &head, "").await.0, 200, "{name:?}");
        assert_eq!(send("HEAD", &get, "").await.0, 403, "{name:?}: a link for GET");
    }
    s3.store().put(BUCKET, "secret", Bytes::from_static(b"x"));
    let link = mount.presign(PresignRequest::get(key("a"))).await.unwrap();
    let other = link.url().replacen("/media/a?", "/media/secret?", 1);
    assert_ne!(other, link.url());
    assert_eq!(send_with("GET", &other, "", "").await.0, 403);
    let longer = link.url().replacen("X-Amz-Expires=14400", "X-Amz-Expires=86400", 1);
    assert_ne!(longer, link.url());
    assert_eq!(send_with("GET", &longer, "", "").await.0, 403);
}

#[tokio::test]
async fn a_link_sets_fields_of_the_response_and_serves_ranges() {
    let s3 = s3().await;
    s3.store().put(BUCKET, "films/a.mp4", Bytes::from_static(b"0123456789"));
    let mount = mount(&s3).prefix("films").build().unwrap();
    let request = PresignRequest::get(key("films/a.mp4")).download("ü.mp4");
    let request = request.respond_with(ResponseField::CacheControl, "private, max-age=60");
    let link = mount.presign(request).await.unwrap();
    let (status, head, body) = send_with("GET", link.url(), "range: bytes=2-4\r\n", "").await;
    assert_eq!((status, body.as_str()), (206, "234"));
    assert!(
        head.contains("content-disposition: attachment; filename=\"_.mp4\"; filename*=utf-8''%c3%bc.mp4"),
        "{head}"
    );
    assert!(head.contains("cache-control: private, max-age=60"), "{head}");
}

#[tokio::test]
async fn a_link_ends() {
    let (s3, clock) = (s3().await, Clock::new());
    s3.store().put(BUCKET, "a", Bytes::from_static(b"x"));
    clock.advance(HOUR);
    let mount = mount(&s3).time_source(clock.clone()).build().unwrap();
    // Made in the future, and then in the past.
    for (ago, life, status) in [(HOUR, HOUR * 2, 200), (HOUR * 2, HOUR, 403)] {
        *clock.0.lock().unwrap() = SystemTime::now() - ago;
        let link = mount.presign(PresignRequest::get(key("a")).expires_in(life)).await.unwrap();
        let (got, _, body) = send("GET", &link, "").await;
        assert_eq!(got, status, "{ago:?} {life:?}: {body}");
    }
}

#[tokio::test]
async fn equal_requests_get_equal_links_while_half_of_their_life_is_left() {
    let (s3, clock) = (s3().await, Clock::new());
    let mount = mount(&s3).time_source(clock.clone()).build().unwrap();
    let request = || PresignRequest::get(key("a")).expires_in(HOUR);
    let first = mount.presign(request()).await.unwrap();
    clock.advance(HOUR / 2 - Duration::from_secs(2));
    assert_eq!(mount.presign(request()).await.unwrap(), first);
    assert_ne!(mount.presign(request().download("")).await.unwrap().url(), first.url());
    clock.advance(Duration::from_secs(2));
    let second = mount.presign(request()).await.unwrap();
    assert_ne!(second, first);
    assert!(second.expires_at() >= first.expires_at() + HOUR / 2 - Duration::from_secs(1));
    assert_eq!(mount.presign(request()).await.unwrap(), second);
}

#[tokio::test]
async fn a_link_ends_a_minute_before_its_credentials_do() {
    let (s3, clock) = (s3().await, Clock::new());
    let lent = |life: Duration| {
        let expiry = clock.now() + life;
        let keys =
            Credentials::new("AKIDEXAMPLE", "not-a-secret", Some("token".to_owned()), Some(expiry), "test");
        mount(&s3).credentials(keys).time_source(clock.clone()).build().unwrap()
    };
    let minute = Duration::from_secs(60);
    let link = lent(HOUR).presign(PresignRequest::get(key("a"))).await.unwrap();
    assert_eq!(link.bounded_by(), BoundedBy::Credentials);
    assert!(link.expires_at() <= clock.now() + HOUR - minute, "{link:?}");
    assert!(link.url().contains("&X-Amz-Security-Token=token&"), "{}", link.url());
    let link = lent(HOUR).presign(PresignRequest::get(key("a")).expires_in(HOUR / 2)).await.unwrap();
    assert_eq!(link.bounded_by(), BoundedBy::Request);
    let refusal = lent(minute).presign(PresignRequest::get(key("a"))).await.unwrap_err();
    assert_eq!(refusal.kind(), PresignErrorKind::Credentials, "{refusal}");
}

#[tokio::test]
async fn links_write_and_delete_if_the_policy_grants_it() {
    let s3 = s3().await;
    let mount = writing(&s3).encryption(Encryption::s3_managed()).build().unwrap();
    // `printf hello | openssl dgst -sha256 -binary | base64`
    let sum = "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=";
    let request = PresignRequest::put(key("up/a")).content_type("text/x-hello").content_length(5);
    let put = mount.presign(request.checksum(Checksum::Sha256, sum)).await.unwrap();
    let names: Vec<_> = put.headers().iter().map(|(name, _)| name.as_str()).collect();
    let expected =
        ["content-type", "content-length", "x-amz-checksum-sha256", "x-amz-server-side-encryption"];
    assert_eq!(names, expected);

    let of_another = format!(
        "content-type: text/html\r\ncontent-length: 5\r\nx-amz-checksum-sha256: {sum}\r\nx-amz-server-side-encryption: AES256\r\n"
    );
    let (status, _, body) = send_with("PUT", put.url(), &of_another, "hello").await;
    assert_eq!(status, 403, "another type: {body}");
    let (status, _, body) = send("PUT", &put, "hello").await;
    assert_eq!(status, 200, "{body}");
    let get = mount.presign(PresignRequest::get(key("up/a"))).await.unwrap();
    let (status, head, body) = send("GET", &get, "").await;
    assert_eq!((status, body.as_str()), (200, "hello"));
    assert!(head.contains("content-type: text/x-hello"), "{head}");
    assert_eq!(send("PUT", &get, "hello").await.0, 403, "a link for GET");

    let delete = mount.presign(PresignRequest::delete(key("up/a"))).await.unwrap();
    assert_eq!(send("DELETE", &delete, "").await.0, 204);
    assert_eq!(send("GET", &get, "").await.0, 404);
}

#[tokio::test]
async fn the_public_host_is_in_the_link_and_s3s_in_the_signature() {
    let s3 = s3().await;
    s3.store().put(BUCKET, "a", Bytes::from_static(b"x"));
    let policy = LinkPolicy::new().public_host("https://media.studio.example:8443");
    let mount = mount(&s3).links(policy).build().unwrap();
    let link = mount.presign(PresignRequest::get(key("a"))).await.unwrap();
    let path = link.url().strip_prefix("https://media.studio.example:8443/").unwrap();
    assert_eq!(send_to(s3.addr(), &s3.addr().to_string(), "GET", path, "", "").await.0, 200);
    let (status, ..) = send_to(s3.addr(), "media.studio.example:8443", "GET", path, "", "").await;
    assert_eq!(status, 403, "the host is signed");
}

#[tokio::test]
async fn what_no_link_can_be_for_is_refused() {
    let s3 = s3().await;
    let one = mount(&s3).prefix("films").build().unwrap();
    let anonymous = mount(&s3).anonymous().build().unwrap();
    let many = over(&s3, Mount::bucket_from_path(["media*"])).build().unwrap();
    let other = || PresignRequest::get(key("films/a")).bucket(bucket("other"));
    for (mount, request, kind) in [
        (&one, PresignRequest::get(key("filmsx/a")), PresignErrorKind::Key),
        (&one, PresignRequest::get(key("films/")), PresignErrorKind::Key),
        (&one, PresignRequest::get(key("a")), PresignErrorKind::Key),
        (&one, PresignRequest::get(key("films/a")).expires_in(Duration::ZERO), PresignErrorKind::Expiry),
        (&one, PresignRequest::put(key("films/a")), PresignErrorKind::NotGranted),
        (&one, PresignRequest::new(LinkMethod::Delete, key("films/a")), PresignErrorKind::NotGranted),
        (&one, PresignRequest::get(key("films/a")).content_type("a/b"), PresignErrorKind::Field),
        (&one, other(), PresignErrorKind::Bucket),
        (&many, other(), PresignErrorKind::Bucket),
        (&many, PresignRequest::get(key("a")), PresignErrorKind::Bucket),
        (&anonymous, PresignRequest::get(key("a")), PresignErrorKind::Unsigned),
    ] {
        let refusal = mount.presign(request.clone()).await.unwrap_err();
        assert_eq!(refusal.kind(), kind, "{request:?}: {refusal}");
    }
    let link = many.presign(PresignRequest::get(key("a")).bucket(bucket(BUCKET))).await.unwrap();
    assert!(link.url().contains("/media/a?"), "{}", link.url());
    assert!(s3.log().is_empty(), "S3 is not asked");
}

#[tokio::test]
async fn debug_output_does_not_show_the_signature() {
    let s3 = s3().await;
    let link = mount(&s3).build().unwrap().presign(PresignRequest::get(key("a"))).await.unwrap();
    let shown = format!("{link:?}");
    assert!(shown.contains("/media/a") && !shown.contains("X-Amz"), "{shown}");
}
