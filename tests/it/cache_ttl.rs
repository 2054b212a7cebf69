//! How long a cache treats objects as fresh, if a mount has rules for that.

use std::{
    fs::File,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use demo_s3::DemoS3;
use tower_s3_proxy::{Cache, MountBuilder, S3Proxy, cache::CacheTtl};

use crate::support::{BUCKET, REGION, ask, get, mount, proxy, s3};

fn cached(s3: &DemoS3, change: impl FnOnce(MountBuilder) -> MountBuilder) -> S3Proxy {
    let cache = Cache::builder(8 * 1024 * 1024).build().unwrap();
    proxy(change(mount(s3)).cache(&cache))
}

/// How the second of two requests was answered.
async fn second(service: &S3Proxy, path: &str) -> String {
    assert_eq!(ask(service, get(path)).await.status, 200, "{path}");
    let answer = ask(service, get(path)).await;
    assert_eq!(answer.status, 200, "{path}");
    answer.header("cache-status").to_owned()
}

#[tokio::test]
async fn the_first_rule_that_fits_goes_before_the_general_time_to_live() {
    let s3 = s3().await;
    for key in ["assets/a.js", "a.html", "a.png", "a.txt"] {
        s3.store().put(BUCKET, key, Bytes::from_static(b"some"));
    }
    let service = cached(&s3, |mount| {
        mount
            .override_cache_control("max-age=5")
            .cache_ttl_rule(CacheTtl::new(Duration::from_secs(1000)).key("assets/**"))
            .cache_ttl_rule(CacheTtl::new(Duration::ZERO).key("*.html"))
            .cache_ttl_rule(CacheTtl::new(Duration::from_secs(3000)).content_type("image/*"))
            .cache_ttl(Duration::from_secs(4000))
    });
    for (path, ttl) in [("/assets/a.js", 1000), ("/a.png", 3000), ("/a.txt", 4000)] {
        let status = second(&service, path).await;
        let left: i64 = status.rsplit_once("ttl=").unwrap().1.parse().unwrap();
        assert!(status.contains("; hit") && (ttl - 60..=ttl).contains(&left), "{path}: {status}");
        assert_eq!(ask(&service, get(path)).await.header("cache-control"), "max-age=5", "{path}");
    }
    let status = second(&service, "/a.html").await;
    assert!(status.contains("fwd=stale"), "{status}");
}

#[tokio::test]
async fn what_nothing_is_said_of_is_confirmed_each_time_unless_heuristics_are_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let file = File::create(folder.path().join("a.txt")).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(10_000)).unwrap();
    let s3 = DemoS3::builder().folder(BUCKET, folder.path()).region(REGION).start().await.unwrap();

    let status = second(&cached(&s3, |mount| mount), "/a.txt").await;
    assert!(status.contains("fwd=stale"), "{status}");
    for (percent, cap, ttl) in [(10, 100_000, 1000), (100, 5000, 5000)] {
        let service = cached(&s3, |mount| mount.cache_heuristic(percent, Duration::from_secs(cap)));
        let status = second(&service, "/a.txt").await;
        let left: i64 = status.rsplit_once("ttl=").unwrap().1.parse().unwrap();
        assert!(status.contains("; hit") && (ttl - 60..=ttl + 60).contains(&left), "{percent}: {status}");
    }
}
