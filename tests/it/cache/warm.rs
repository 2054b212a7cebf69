//! Objects that are in the cache before anybody asks for them.

use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use demo_s3::{DemoS3, ObjectAttributes};
use tokio::time::timeout;
use tower_s3_proxy::{
    BucketName, Cache, Mount, MountBuilder, ObjectKey, ProxyErrorKind, S3Proxy, S3ProxyConfig, WarmReport,
    WarmTarget,
};

use super::{
    MIB,
    origin::{Fault, HANG, Object, Origin},
};
use crate::support::{BUCKET, ask, get, mount, s3};

fn bucket() -> BucketName {
    BucketName::parse(BUCKET).unwrap()
}

fn prefix(prefix: &str) -> WarmTarget {
    WarmTarget::Prefix { bucket: bucket(), prefix: prefix.to_owned() }
}

fn keys(keys: &[&str]) -> WarmTarget {
    let keys = keys.iter().map(|key| ObjectKey::new(*key).unwrap()).collect();
    WarmTarget::Keys { bucket: bucket(), keys }
}

fn warmable(
    s3: &DemoS3,
    cache: &Cache,
    change: impl FnOnce(MountBuilder) -> MountBuilder,
) -> (Mount, S3Proxy) {
    let builder = change(mount(s3).default_cache_control("public, max-age=60").cache(cache));
    let mount = builder.build().unwrap();
    let config = S3ProxyConfig::new([mount.clone()]).unwrap();
    (mount, S3Proxy::new(config))
}

async fn run(mount: &Mount, target: WarmTarget) -> WarmReport {
    mount.warm(target).unwrap().run().await.unwrap()
}

#[tokio::test]
async fn a_prefix_of_more_than_one_page_is_in_the_cache_then() {
    let s3 = s3().await;
    for n in 0..1100 {
        s3.store().put(BUCKET, &format!("web/img/{n}.txt"), Bytes::from(format!("text {n}")));
    }
    s3.store().put(BUCKET, "web/other", Bytes::from_static(b"x"));
    let cache = Cache::builder(64 * MIB).build().unwrap();
    let (mount, service) = warmable(&s3, &cache, |mount| mount.prefix("web"));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let warming = mount.warm(prefix("web/img/")).unwrap().on_progress({
        let seen = Arc::clone(&seen);
        move |report| seen.lock().unwrap().push(report.kept)
    });
    let report = timeout(HANG, warming.run()).await.expect("it ends").unwrap();
    assert_eq!((report.kept, report.failed, report.is_full), (1100, 0, false), "{report:?}");
    assert_eq!(*seen.lock().unwrap(), (1..=1100).collect::<Vec<_>>());
    assert_eq!(s3.log().len(), 1100 + 2, "two pages");
    for n in [0, 999, 1000, 1099] {
        assert_eq!(ask(&service, get(&format!("/img/{n}.txt"))).await.text(), format!("text {n}"));
    }
    assert_eq!(s3.log().len(), 1100 + 2);
    ask(&service, get("/other")).await;
    assert_eq!(s3.log().len(), 1100 + 3, "not of the prefix");
    let again = run(&mount, prefix("web/img/")).await;
    assert_eq!((again.fresh, again.kept), (1100, 0), "{again:?}");
}

#[tokio::test]
async fn keys_of_all_characters_are_found() {
    let s3 = s3().await;
    let odd = ["a b", "a+b", "a%2Bb", "a&<>\"'", "\u{e4}\u{1f600}", "a\u{1}b", "a//b", "100%"];
    for key in odd {
        s3.store().put(BUCKET, key, Bytes::copy_from_slice(key.as_bytes()));
    }
    let cache = Cache::builder(64 * MIB).build().unwrap();
    let (mount, _) = warmable(&s3, &cache, |mount| mount);
    let report = run(&mount, prefix("")).await;
    assert_eq!((report.kept, report.missing, report.failed), (odd.len() as u64, 0, 0), "{report:?}");
    assert_eq!(run(&mount, keys(&odd)).await.fresh, odd.len() as u64);
}

#[tokio::test]
async fn the_report_says_what_became_of_each_key() {
    let s3 = s3().await;
    let put = |key, length, attributes| {
        s3.store().put_with(BUCKET, key, Bytes::from(vec![7; length]), attributes);
    };
    put("kept", 300_000, ObjectAttributes::new());
    put("large", 2_000_000, ObjectAttributes::new());
    let private = ObjectAttributes::new().cache_control("private".parse().unwrap());
    put("private", 10, private);
    let cache = Cache::builder(64 * MIB).max_object(MIB).build().unwrap();
    let (mount, _) = warmable(&s3, &cache, |mount| mount);
    for target in [prefix(""), keys(&["kept", "large", "private"])] {
        cache.purge(&tower_s3_proxy::PurgeTarget::Everything, tower_s3_proxy::PurgeMode::Hard);
        let report = run(&mount, target).await;
        assert_eq!((report.kept, report.bytes), (1, 300_000), "{report:?}");
        assert_eq!((report.too_large, report.not_kept, report.missing), (1, 1, 0), "{report:?}");
    }
    let report = run(&mount, keys(&["none", "kept"])).await;
    assert_eq!((report.missing, report.fresh), (1, 1), "{report:?}");
}

#[tokio::test]
async fn it_stops_where_the_cache_is_full() {
    let s3 = s3().await;
    for n in 0..100 {
        s3.store().put(BUCKET, &format!("{n}"), Bytes::from(vec![7; 100_000]));
    }
    let cache = Cache::builder(2 * MIB).build().unwrap();
    let (mount, _) = warmable(&s3, &cache, |mount| mount);
    let report = run(&mount, prefix("")).await;
    assert!(report.is_full && report.bytes <= 2 * MIB && (15..=21).contains(&report.kept), "{report:?}");
    assert!(s3.log().len() <= 22, "{}", s3.log().len());
}

#[tokio::test]
async fn no_more_is_read_at_a_time_than_is_allowed_and_what_fails_is_named() {
    let origin = Origin::start().await;
    let names: Vec<_> = (0..20).map(|n| n.to_string()).collect();
    for name in &names {
        origin.put(name, &Object::new(vec![7; 1000]).with("cache-control", "max-age=60"));
    }
    let cache = Cache::builder(64 * MIB).build().unwrap();
    let mount = origin.mount().cache(&cache).build().unwrap();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let hold = origin.hold();
    let warming = mount.warm(keys(&names)).unwrap().concurrency(NonZeroUsize::new(3).unwrap());
    let task = tokio::spawn(warming.run());
    origin.until(|origin| origin.seen().len() == 3).await;
    // There is no event for what does not happen.
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    assert_eq!(origin.seen().len(), 3);
    drop(hold);
    let report = timeout(HANG, task).await.expect("it ends").unwrap().unwrap();
    assert_eq!(report.kept, 20, "{report:?}");

    cache.purge(&tower_s3_proxy::PurgeTarget::Everything, tower_s3_proxy::PurgeMode::Hard);
    origin.fail(Fault::Refuses(503, "SlowDown"));
    let report = run(&mount, keys(&names[..2])).await;
    let kinds: Vec<_> = report.failures.iter().map(|failure| failure.error.kind()).collect();
    assert_eq!((report.failed, kinds), (2, vec![ProxyErrorKind::OriginBusy; 2]), "{report:?}");
}

#[tokio::test]
async fn a_prefix_that_is_not_listed_is_an_error_and_so_is_a_mount_without_a_cache() {
    let s3 = s3().await;
    let error = mount(&s3).build().unwrap().warm(prefix("")).unwrap_err();
    assert!(error.to_string().contains("MountBuilder::cache"), "{error}");
    let cache = Cache::builder(64 * MIB).build().unwrap();
    let (mount, _) = warmable(&s3, &cache, |mount| mount);
    let nowhere = BucketName::parse("no-such-bucket").unwrap();
    let target = WarmTarget::Prefix { bucket: nowhere, prefix: String::new() };
    let error = mount.warm(target).unwrap().run().await.unwrap_err();
    assert!(error.to_string().contains("NoSuchBucket"), "{error}");
}
