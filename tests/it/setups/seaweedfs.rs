//! Over SeaweedFS: `scripts/with-seaweedfs cargo test --test it seaweedfs`.

use std::time::{Duration, SystemTime};

use aws_sdk_s3::presigning::PresigningConfig;
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use tower::ServiceExt;
use tower_s3_proxy::{ProxyErrorKind, S3Proxy};

use super::Setup;
use crate::{
    seaweedfs::SeaweedFs,
    support::{Answer, ask, get, raw, request},
};

async fn put(service: &S3Proxy, path: &str, fields: &[(&str, &str)], body: &'static str) -> Answer {
    let mut request = Request::builder().method("PUT").uri(path);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(Bytes::from_static(body.as_bytes()))).unwrap();
    Answer::read(service.clone().oneshot(request).await.unwrap()).await
}

/// The path and query of a link, for another host.
fn rest_of(link: &str) -> String {
    let uri: http::Uri = link.parse().unwrap();
    uri.path_and_query().unwrap().as_str().to_owned()
}

#[tokio::test]
async fn links_of_a_service_pass_through_the_studios_proxy() {
    let Some(weed) = SeaweedFs::from_env("links").await else { return };
    let setup = Setup::of("links.toml").at(&weed.endpoint, &weed.bucket);
    // It has no credentials at all.
    let service = S3Proxy::new(setup.config("", "").await);
    let lasting = |seconds| PresigningConfig::expires_in(Duration::from_secs(seconds)).unwrap();
    let up = weed.sdk.put_object().bucket(&weed.bucket).key("films/a b.mov");
    let up = rest_of(up.presigned(lasting(900)).await.unwrap().uri());
    assert_eq!(put(&service, &up, &[], "film").await.status, 200);
    let down = weed.sdk.get_object().bucket(&weed.bucket).key("films/a b.mov");
    let down = rest_of(down.presigned(lasting(900)).await.unwrap().uri());
    let film = ask(&service, get(&down)).await;
    assert_eq!((film.status.as_u16(), film.text()), (200, "film"));
    let part = ask(&service, request("GET", &down, &[("range", "bytes=1-2")])).await;
    assert_eq!((part.status.as_u16(), part.text()), (206, "il"));

    assert_eq!(ask(&service, get("/films/a%20b.mov")).await.kind(), Some(ProxyErrorKind::LinkRequired));
    let other = down.replace("a%20b", "other");
    assert_eq!(ask(&service, get(&other)).await.status, 403, "S3 refuses the signature");
    let long_ago = SystemTime::now() - Duration::from_secs(3600);
    let expired =
        PresigningConfig::builder().start_time(long_ago).expires_in(Duration::from_secs(60)).build();
    let expired = weed.sdk.get_object().bucket(&weed.bucket).key("films/a b.mov").presigned(expired.unwrap());
    let expired = ask(&service, get(&rest_of(expired.await.unwrap().uri()))).await;
    assert_eq!(expired.kind(), Some(ProxyErrorKind::ExpiredLink));
}

#[tokio::test]
async fn a_folder_of_a_bucket_appears_beside_a_website() {
    let Some(weed) = SeaweedFs::from_env("site").await else { return };
    weed.put("website/images/photos/rainbow.jpg", b"rainbow".to_vec()).await;
    weed.put("private/letter.txt", b"letter".to_vec()).await;
    let setup = Setup::of("site.toml").at(&weed.endpoint, &weed.bucket);
    let service = S3Proxy::new(setup.config(&weed.access_key, &weed.secret_key).await);
    let photo = ask(&service, get("/s3-media/images/photos/rainbow.jpg")).await;
    assert_eq!((photo.status.as_u16(), photo.text()), (200, "rainbow"));
    assert_eq!(photo.header("content-type"), "image/jpeg");
    assert_eq!(photo.header("cache-control"), "max-age=2592000");
    for path in
        ["/s3-media/../private/letter.txt", "/s3-media/private/letter.txt", "/images/photos/rainbow.jpg"]
    {
        assert_eq!(ask(&service, get(path)).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn a_platform_shows_by_links_and_writes_thumbnails() {
    let Some(weed) = SeaweedFs::from_env("platform").await else { return };
    weed.put("scans/7.png", b"scan".to_vec()).await;
    let setup = Setup::of("platform.toml").at(&weed.endpoint, &weed.bucket);
    let service = S3Proxy::new(setup.config(&weed.access_key, &weed.secret_key).await);
    let link = || async {
        let answer = ask(&service, get("/data-set/links?key=scans/7.png")).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let told: serde_json::Value = serde_json::from_str(answer.text()).unwrap();
        told["url"].as_str().unwrap().to_owned()
    };
    let url = link().await;
    assert_eq!(link().await, url, "the same one, so that browsers keep what they have");
    assert!(url.contains("X-Amz-Expires=14400"), "four hours: {url}");
    let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let head = format!("GET /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    let direct = raw(host.parse().unwrap(), &head).await;
    assert!(direct.starts_with("HTTP/1.1 200") && direct.ends_with("scan"), "S3 itself: {direct}");

    let type_of = [("content-type", "image/png")];
    let stored = put(&service, "/data-set/data/scans/7.png", &type_of, "thumb").await;
    assert_eq!(stored.status, 201, "{}", stored.text());
    assert_eq!(ask(&service, get("/data-set/data/scans/7.png")).await.text(), "thumb");
    assert_eq!(put(&service, "/data-set/scans/7.png", &type_of, "x").await.status, 405);
    assert_eq!(
        put(&service, "/data-set/data/a.html", &[("content-type", "text/html")], "x").await.status,
        415
    );
    let again = put(&service, "/data-set/data/scans/7.png", &type_of, "other").await;
    assert_eq!(again.kind(), Some(ProxyErrorKind::Exists));
    let page = [("origin", "https://platform.example")];
    let shown = ask(&service, request("GET", "/data-set/scans/7.png", &page)).await;
    assert_eq!(shown.header("access-control-allow-origin"), "https://platform.example");
}
