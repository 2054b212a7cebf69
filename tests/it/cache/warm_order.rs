//! Warming by request to the admin service.

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use serde_json::Value;
use tokio::{io::AsyncReadExt, net::TcpListener, time::timeout};
use tower::ServiceExt;
use tower_s3_proxy::{
    Cache, Mount,
    cache::{AdminBody, AdminToken, CacheAdmin},
};

use crate::support::{BUCKET, mount, mount_at, s3, sdk};

const BOUND: std::time::Duration = std::time::Duration::from_secs(30);

fn admin(cache: &Cache, mounts: Vec<Mount>) -> CacheAdmin {
    cache.admin(AdminToken::new("t").unwrap()).with_mounts(move || mounts.clone())
}

async fn post(service: &CacheAdmin, target: &str) -> http::Response<AdminBody> {
    let request = Request::post(target).header("authorization", "Bearer t").body(Empty::<Bytes>::new());
    service.clone().oneshot(request.unwrap()).await.unwrap()
}

async fn lines(response: http::Response<AdminBody>) -> Vec<Value> {
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let lines = body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
}

#[tokio::test]
async fn a_prefix_is_read_and_the_last_line_says_how_it_ended() {
    let s3 = s3().await;
    for key in ["a/1", "a/2", "b/1"] {
        let body = Bytes::from_static(b"text").into();
        sdk(&s3)
            .put_object()
            .bucket(BUCKET)
            .key(key)
            .cache_control("max-age=60")
            .body(body)
            .send()
            .await
            .unwrap();
    }
    let cache = Cache::builder(1 << 20).build().unwrap();
    let service = admin(&cache, vec![mount(&s3).cache(&cache).build().unwrap()]);
    for (target, kept, fresh) in [
        ("/warm?prefix=a/", 2, 0),
        ("/warm?prefix=a/", 0, 2),
        (&format!("/warm?bucket={BUCKET}&key=b/1"), 1, 0),
    ] {
        let response = post(&service, target).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "application/x-ndjson");
        let last = lines(response).await.pop().unwrap();
        let told = ["done", "kept", "fresh"].map(|name| last[name].clone());
        assert_eq!(told, [Value::from(true), kept.into(), fresh.into()], "{target}: {last}");
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_with_the_reason() {
    let s3 = s3().await;
    let cache = Cache::builder(1 << 20).build().unwrap();
    let cached = || mount(&s3).at("/a").cache(&cache).prefix("site").build().unwrap();
    let other = mount(&s3).build().unwrap();
    let service = admin(&cache, vec![cached()]);
    for (target, status, hint) in [
        ("/warm?all", 400, "give a key or a prefix"),
        ("/warm", 400, "is required"),
        ("/warm?prefix=a&soft", 400, "soft"),
        ("/warm?prefix=other/", 400, "lies outside"),
        ("/warm?bucket=another-bucket&prefix=", 400, "does not serve the bucket"),
    ] {
        let response = post(&service, target).await;
        assert_eq!(response.status().as_u16(), status, "{target}");
        let last = lines(response).await.pop().unwrap();
        assert!(last["error"].as_str().unwrap().contains(hint), "{target}: {last}");
    }
    let without = cache.admin(AdminToken::new("t").unwrap());
    assert_eq!(post(&without, "/warm?bucket=media&prefix=a").await.status(), StatusCode::NOT_FOUND);
    // The bucket of a purge can be left out where there is one.
    assert_eq!(post(&service, "/purge?prefix=a").await.status(), StatusCode::OK);
    assert_eq!(post(&without, "/purge?prefix=a").await.status(), StatusCode::BAD_REQUEST);
    let service = admin(&cache, vec![cached(), other]);
    assert_eq!(post(&service, "/purge?prefix=a").await.status(), StatusCode::OK, "one bucket, two mounts");
}

#[tokio::test]
async fn a_client_that_goes_away_ends_its_warming_and_leaves_its_place() {
    let (gone, mut is_gone) = tokio::sync::mpsc::unbounded_channel();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let gone = gone.clone();
            tokio::spawn(async move {
                let mut buffer = [0; 1024];
                while let Ok(1..) = stream.read(&mut buffer).await {}
                let _ = gone.send(());
            });
        }
    });
    let cache = Cache::builder(1 << 20).build().unwrap();
    let service = admin(&cache, vec![mount_at(silent).cache(&cache).build().unwrap()]);
    let target = format!("/warm?bucket={BUCKET}&prefix=a");
    let mut running = Vec::new();
    for _ in 0..4 {
        let mut body = post(&service, &target).await.into_body();
        let line = timeout(BOUND, body.frame()).await.expect("a line").unwrap().unwrap();
        assert!(line.data_ref().unwrap().starts_with(b"{"), "{line:?}");
        running.push(body);
    }
    assert_eq!(post(&service, &target).await.status(), StatusCode::TOO_MANY_REQUESTS);
    running.clear();
    timeout(BOUND, is_gone.recv()).await.expect("S3 is no longer asked");
    assert_eq!(post(&service, &target).await.status(), StatusCode::OK);
}
