//! Objects that are in the cache before a client asks for them.

use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex},
};

use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use demo_s3::{DemoS3, Denial, ObjectAttributes};
use http::Response;
use tokio::time::timeout;
use tower_s3_proxy::{
    BucketName, Cache, Mount, MountBuilder, ProxyErrorKind, S3Proxy, S3ProxyConfig, Transport,
    bucket::ObjectKey,
    warm::{WarmReport, WarmTarget},
};

use super::{
    MIB,
    origin::{Fault, HANG, Object, Origin},
};
use crate::support::{self, BUCKET, FnClient, REGION, ask, get, mount, s3};

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
        cache.purge(&tower_s3_proxy::cache::PurgeTarget::Everything, tower_s3_proxy::cache::PurgeMode::Hard);
        let report = run(&mount, target).await;
        assert_eq!((report.kept, report.bytes), (1, 300_000), "{report:?}");
        assert_eq!((report.too_large, report.not_kept, report.missing), (1, 1, 0), "{report:?}");
    }
    s3.store().deny(BUCKET, "denied", Denial::AccessDenied);
    let report = run(&mount, keys(&["none", "kept", "denied"])).await;
    assert_eq!((report.missing, report.fresh, report.failed), (1, 1, 1), "{report:?}");
    assert_eq!(report.failures[0].key.as_str(), "denied");
}

#[tokio::test]
async fn it_stops_where_the_cache_is_full() {
    // What goes with an object in memory is more than its bytes: 2 MiB do not hold 10,000 of 20.
    for (size, count, least) in [(100_000, 100, 10), (20, 10_000, 500)] {
        let s3 = s3().await;
        for n in 0..count {
            s3.store().put(BUCKET, &format!("{n}"), Bytes::from(vec![7; size]));
        }
        let cache = Cache::builder(2 * MIB).build().unwrap();
        let (mount, _) = warmable(&s3, &cache, |mount| mount);
        let first = run(&mount, prefix("")).await;
        assert!(first.is_full && first.bytes <= 2 * MIB, "{first:?}");
        assert!(first.kept >= least && first.kept < count, "{first:?}");
        let before = s3.log().len();
        // What it has evicted all the same comes anew, and not what lies behind.
        let again = run(&mount, prefix("")).await;
        assert!(again.is_full && again.fresh > 0 && again.kept + again.fresh <= first.kept + 8, "{again:?}");
        assert!(s3.log().len() - before < usize::try_from(first.kept).unwrap(), "{again:?}");
    }
}

#[tokio::test]
async fn keys_without_a_known_size_take_no_more_room_than_there_is() {
    let origin = Origin::start().await;
    let names = ["a", "b", "c", "d", "e", "f"];
    for name in names {
        origin.put(name, &Object::new(vec![7; 1_000_000]).with("cache-control", "max-age=60"));
    }
    let cache = Cache::builder(16 * MIB).block_size(64 * 1024).max_object(4 * MIB).build().unwrap();
    let mount = origin.mount().cache(&cache).build().unwrap();
    let gate = origin.gate(0);
    let task = tokio::spawn(mount.warm(keys(&names)).unwrap().run());
    origin.until(|origin| origin.seen().len() == 2).await;
    // There is no event for what does not happen.
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    assert_eq!(origin.seen().len(), 2, "they may have 4 MiB each");
    gate.open();
    let report = timeout(HANG, task).await.expect("it ends").unwrap().unwrap();
    assert_eq!((report.kept, report.not_kept), (6, 0), "{report:?}");
}

#[tokio::test]
async fn no_more_is_read_at_a_time_than_is_allowed_and_what_fails_is_named() {
    let origin = Origin::start().await;
    let names: Vec<_> = (0..20).map(|n| n.to_string()).collect();
    for name in &names {
        origin.put(name, &Object::new(vec![7; 1000]).with("cache-control", "max-age=60"));
    }
    let cache = Cache::builder(64 * MIB).max_object(MIB).build().unwrap();
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

    cache.purge(&tower_s3_proxy::cache::PurgeTarget::Everything, tower_s3_proxy::cache::PurgeMode::Hard);
    origin.fail(Fault::Refuses(503, "SlowDown"));
    let report = run(&mount, keys(&names[..2])).await;
    let kinds: Vec<_> = report.failures.iter().map(|failure| failure.error.kind()).collect();
    assert_eq!((report.failed, kinds), (2, vec![ProxyErrorKind::OriginBusy; 2]), "{report:?}");
}

/// What S3 could not confirm is not warm, though clients are served it.
#[tokio::test]
async fn a_stale_object_that_stands_in_is_a_failure() {
    let origin = Origin::start().await;
    origin.put("a", &Object::new("text").with("cache-control", "max-age=60, stale-if-error=600"));
    let cache = Cache::builder(64 * MIB).build().unwrap();
    let mount = origin.mount().cache(&cache).build().unwrap();
    assert_eq!(run(&mount, keys(&["a"])).await.kept, 1);
    origin.clock.advance(61);
    origin.fail(Fault::Refuses(503, "SlowDown"));
    let report = run(&mount, keys(&["a"])).await;
    assert_eq!((report.failed, report.kept, report.fresh), (1, 0, 0), "{report:?}");
    origin.fail(None);
    let report = run(&mount, keys(&["a"])).await;
    assert_eq!((report.kept, report.failed), (1, 0), "confirmed: {report:?}");
}

#[tokio::test]
async fn what_is_dropped_asks_no_more() {
    let origin = Origin::start().await;
    let names: Vec<_> = (0..20).map(|n| n.to_string()).collect();
    for name in &names {
        origin.put(name, &Object::new(vec![7; 1000]).with("cache-control", "max-age=60"));
    }
    let cache = Cache::builder(64 * MIB).max_object(MIB).build().unwrap();
    let mount = origin.mount().cache(&cache).build().unwrap();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let hold = origin.hold();
    let task = tokio::spawn(mount.warm(keys(&names)).unwrap().run());
    origin.until(|origin| origin.seen().len() == 8).await;
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    drop(hold);
    // A later request is the sign that nothing else came before it.
    let service = S3Proxy::new(S3ProxyConfig::new([mount]).unwrap());
    assert_eq!(ask(&service, get("/19")).await.status, 200);
    assert_eq!(origin.seen().len(), 9);
}

// --- the listing ---

#[tokio::test]
async fn a_region_that_is_configured_wrongly_is_put_right_for_the_listing_too() {
    let s3 = s3().await;
    s3.store().put(BUCKET, "a", Bytes::from_static(b"a"));
    let cache = Cache::builder(64 * MIB).build().unwrap();
    let (mount, _) = warmable(&s3, &cache, |mount| mount.region("eu-central-1"));
    let report = run(&mount, prefix("")).await;
    assert_eq!((report.kept, report.failed), (1, 0), "{report:?}");
}

/// Two pages, of which S3 refuses the second, at an endpoint with a path of its own.
#[tokio::test]
async fn what_came_before_a_listing_broke_off_is_reported() {
    const PAGE: &str = "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>\
        <Contents><Key>a</Key><Size>1</Size></Contents></ListBucketResult>";
    let asked = Arc::new(Mutex::new(Vec::new()));
    let client = FnClient({
        let asked = Arc::clone(&asked);
        move |request: HttpRequest| {
            asked.lock().unwrap().push(request.uri().to_owned());
            let response = Response::builder();
            let response = match request.uri() {
                uri if uri.contains("continuation-token") => {
                    response.status(403).body("<Error><Code>AccessDenied</Code></Error>").unwrap()
                }
                uri if uri.contains("list-type") => response.body(PAGE).unwrap(),
                _ => response
                    .header("content-length", 1)
                    .header("etag", "\"e\"")
                    .header("cache-control", "max-age=60")
                    .body("a")
                    .unwrap(),
            };
            HttpResponse::try_from(response.map(SdkBody::from)).unwrap()
        }
    });
    let cache = Cache::builder(64 * MIB).build().unwrap();
    let mount = Mount::builder(bucket())
        .region(REGION)
        .credentials(support::keys())
        .endpoint_url("https://store.test/s3/v1")
        .path_style(true)
        .transport(&Transport::builder().http_client(client).build().unwrap())
        .cache(&cache)
        .build()
        .unwrap();
    let error = mount.warm(prefix("")).unwrap().run().await.unwrap_err();
    assert_eq!(error.report().kept, 1, "{error:?}");
    assert!(error.to_string().contains("AccessDenied"), "{error}");
    assert!(error.to_string().contains("s3:ListBucket"), "{error}");
    for uri in &*asked.lock().unwrap() {
        assert!(uri.starts_with("https://store.test/s3/v1/media"), "{uri}");
    }
}

#[tokio::test]
async fn what_the_mount_does_not_serve_is_refused() {
    let s3 = s3().await;
    let without = Mount::builder(bucket()).region(REGION).anonymous().build().unwrap();
    let error = without.warm(prefix("")).unwrap_err();
    assert!(error.to_string().contains("MountBuilder::cache"), "{error}");
    let cache = Cache::builder(64 * MIB).build().unwrap();
    let (mount, _) = warmable(&s3, &cache, |mount| mount.prefix("web"));
    let elsewhere = BucketName::parse("no-such-bucket").unwrap();
    for (target, hint) in [
        (WarmTarget::Prefix { bucket: elsewhere, prefix: "web/".to_owned() }, "no-such-bucket"),
        (prefix(""), "web/"),
        (prefix("web"), "web/"),
        (keys(&["web/a", "a"]), "web/"),
    ] {
        let error = mount.warm(target.clone()).unwrap_err();
        assert!(error.to_string().contains(hint), "{target:?}: {error}");
    }
    assert!(mount.warm(prefix("web/")).is_ok());
}
