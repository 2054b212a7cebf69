//! The responses of a cache, and the requests that S3 sees.

mod flights;
mod flips;
mod fresh;
mod full_mount;
mod invalidation;
mod lies;
mod mounts;
mod negative;
mod origin;
mod purge;
mod sizes;
mod timed;
mod unconfirmed;
mod warm;
mod warm_order;

use bytes::Bytes;
use demo_s3::DemoS3;
use tower_s3_proxy::{
    BucketName, Cache, MountBuilder, S3Proxy,
    bucket::ObjectKey,
    cache::{CacheSnapshot, PurgeMode, PurgeTarget},
};

use crate::support::{BUCKET, ask, get, mount, proxy, request, s3};

const MIB: u64 = 1024 * 1024;

fn cached(s3: &DemoS3, change: impl FnOnce(MountBuilder) -> MountBuilder) -> (S3Proxy, Cache) {
    let cache = Cache::builder(64 * MIB).build().unwrap();
    let builder = change(mount(s3).default_cache_control("public, max-age=60"));
    (proxy(builder.cache(&cache)), cache)
}

fn pattern(length: usize) -> Bytes {
    (0..length).map(|n| u8::try_from(n % 251).unwrap()).collect::<Vec<_>>().into()
}

#[tokio::test]
async fn whole_reads_ranges_and_heads_share_what_was_read_once() {
    for length in [0, 1, 1000, 16 * 1024, 16 * 1024 + 1, 128 * 1024, 1_000_000] {
        let s3 = s3().await;
        let body = pattern(length);
        s3.store().put(BUCKET, "a.bin", body.clone());
        let (service, cache) = cached(&s3, |mount| mount);
        let first = ask(&service, get("/a.bin")).await;
        assert_eq!((first.status.as_u16(), &first.body), (200, &body), "{length}");
        assert!(first.header("cache-status").contains("fwd=uri-miss"), "{}", first.header("cache-status"));
        let asked = s3.log().len();
        assert_eq!(asked, 1, "{length}");
        let second = ask(&service, get("/a.bin")).await;
        assert_eq!((second.status.as_u16(), &second.body), (200, &body), "{length}");
        assert!(second.header("cache-status").contains("hit"), "{}", second.header("cache-status"));
        assert_eq!(second.header("etag"), first.header("etag"));
        assert_eq!(second.header("content-length"), length.to_string());
        assert!(!second.header("age").is_empty());
        let head = ask(&service, request("HEAD", "/a.bin", &[])).await;
        assert_eq!((head.status.as_u16(), head.header("content-length")), (200, &*length.to_string()));
        let known = ask(&service, request("GET", "/a.bin", &[("if-none-match", first.header("etag"))])).await;
        assert_eq!(known.status, 304);
        assert_eq!(known.header("cache-control"), "public, max-age=60");
        if length > 100 {
            let part = ask(&service, request("GET", "/a.bin", &[("range", "bytes=90-")])).await;
            assert_eq!((part.status.as_u16(), &part.body[..]), (206, &body[90..]), "{length}");
            let part = ask(&service, request("GET", "/a.bin", &[("range", "bytes=-90")])).await;
            assert_eq!((part.status.as_u16(), &part.body[..]), (206, &body[length - 90..]), "{length}");
        }
        assert_eq!(s3.log().len(), asked, "{length}: all else from memory");
        let CacheSnapshot { misses, coalesced, .. } = cache.snapshot();
        assert_eq!((misses, coalesced), (1, 0), "{length}");
    }
}

#[tokio::test]
async fn a_range_brings_its_blocks_and_no_more() {
    let s3 = s3().await;
    let body = pattern(1_000_000);
    s3.store().put(BUCKET, "a.bin", body.clone());
    let (service, cache) = cached(&s3, |mount| mount);
    let ranged = |first: usize, last: usize| {
        let (service, body) = (service.clone(), body.clone());
        async move {
            let range = format!("bytes={first}-{last}");
            let part = ask(&service, request("GET", "/a.bin", &[("range", &range)])).await;
            assert_eq!((part.status.as_u16(), &part.body[..]), (206, &body[first..=last]), "{range}");
            part
        }
    };
    ranged(200_000, 200_009).await;
    assert_eq!(cache.snapshot().bytes_fetched, 128 * 1024);
    ranged(131_072, 262_143).await;
    assert_eq!(s3.log().len(), 1);
    // Block 1 is here; 0, and 2 to 7 are missing.
    ranged(0, 999_999).await;
    assert_eq!(s3.log().len(), 3, "one read for each gap");
    let whole = ask(&service, get("/a.bin")).await;
    assert_eq!(whole.body, body);
    assert_eq!(s3.log().len(), 3);
    assert_eq!(cache.snapshot().bytes_fetched, 1_000_000);
}

#[tokio::test]
async fn many_misses_are_one_read() {
    let s3 = s3().await;
    let body = pattern(1_000_000);
    s3.store().put(BUCKET, "a.bin", body.clone());
    let (service, cache) = cached(&s3, |mount| mount);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..200 {
        let (service, body) = (service.clone(), body.clone());
        tasks.spawn(async move { assert_eq!(ask(&service, get("/a.bin")).await.body, body) });
    }
    tasks.join_all().await;
    assert_eq!(s3.log().len(), 1, "{:?}", cache.snapshot());
}

#[tokio::test]
async fn a_new_bust_segment_gets_what_the_key_holds_now_and_a_purge_finds_them_all() {
    let s3 = s3().await;
    let (service, cache) = cached(&s3, |mount| mount.cache_bust_segment(true));
    s3.store().put(BUCKET, "a.txt", Bytes::from_static(b"old"));
    let text = async |path: &str| ask(&service, get(path)).await.text().to_owned();
    assert_eq!([text("/a.txt").await, text("/--1/a.txt").await], ["old", "old"]);
    s3.store().put(BUCKET, "a.txt", Bytes::from_static(b"new"));
    let asked = s3.log().len();
    let got = [text("/a.txt").await, text("/--1/a.txt").await, text("/--2/a.txt").await];
    assert_eq!(got, ["old", "old", "new"]);
    assert_eq!(text("/--2/a.txt").await, "new");
    assert_eq!(s3.log().len(), asked + 1);
    let target = PurgeTarget::Object {
        bucket: BucketName::parse(BUCKET).unwrap(),
        key: ObjectKey::new("a.txt").unwrap(),
    };
    assert_eq!(cache.purge(&target, PurgeMode::Hard), 3);
    assert_eq!([text("/a.txt").await, text("/--1/a.txt").await], ["new", "new"]);
}

#[tokio::test]
async fn missing_objects_and_unstorable_ones() {
    let s3 = s3().await;
    s3.store().put(BUCKET, "a.txt", Bytes::from_static(b"text"));
    let (service, _) = cached(&s3, |mount| mount.override_cache_control("private"));
    for _ in 0..2 {
        assert_eq!(ask(&service, get("/none")).await.status, 404);
    }
    assert_eq!(s3.log().len(), 1, "what is missing is remembered for a moment");
    for n in 2..4 {
        let answer = ask(&service, get("/a.txt")).await;
        assert_eq!((answer.status.as_u16(), answer.text()), (200, "text"));
        assert_eq!(s3.log().len(), n);
    }
}
