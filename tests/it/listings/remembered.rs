//! How often S3 is asked.

use serde_json::json;
use tokio::task::JoinSet;
use tower_s3_proxy::{
    Cache,
    bucket::ObjectKey,
    cache::{PurgeMode, PurgeTarget},
    listing::Listing,
};

use super::*;
use crate::support::{bucket, proxy};

#[tokio::test]
async fn a_page_is_listed_once_in_all_its_forms() {
    let s3 = bucket_of_files().await;
    let service = proxy(at(&s3, Listing::new().remember(LONG)));
    for path in [
        "/www/docs",
        "/www/docs/",
        "/www/docs/?sort=size",
        "/www/docs/?preview=film.webm",
        "/www/docs/?format=json",
    ] {
        assert!(status(&html(&service, path).await) < 400, "{path}");
    }
    assert_eq!(lists(&s3).len(), 1);
    let forgetful = proxy(at(&s3, Listing::new().remember(Duration::ZERO)));
    s3.clear_log();
    for _ in 0..3 {
        json(&forgetful, "/www/docs/").await;
    }
    assert_eq!(lists(&s3).len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_who_want_the_same_page_share_one_list() {
    let s3 = bucket_of_files().await;
    let service = proxy(at(&s3, Listing::new().remember(LONG)));
    let mut viewers = JoinSet::new();
    for _ in 0..50 {
        let service = service.clone();
        viewers.spawn(async move { status(&html(&service, "/www/docs/").await) });
    }
    assert_eq!(viewers.join_all().await, [200; 50]);
    assert_eq!(lists(&s3).len(), 1);
}

#[tokio::test]
async fn purges_and_events_of_the_cache_end_what_is_remembered() {
    let s3 = bucket_of_files().await;
    let cache = Cache::builder(4 << 20).build().unwrap();
    let service = proxy(at(&s3, Listing::new().remember(LONG)).cache(&cache));
    let object =
        |key: &str| PurgeTarget::Object { bucket: bucket(BUCKET), key: ObjectKey::new(key).unwrap() };
    let prefix = PurgeTarget::Prefix { bucket: bucket(BUCKET), prefix: "site/docs/".to_owned() };
    let event = json!({"Records": [{
        "eventName": "ObjectCreated:Put", "eventSource": "aws:s3",
        "s3": {"bucket": {"name": BUCKET}, "object": {"key": "site/docs/new.txt"}},
    }]});
    let count = async || {
        json(&service, "/www/docs/").await;
        lists(&s3).len()
    };
    assert_eq!((count().await, count().await), (1, 1));
    cache.purge(&object("site/docs/new.txt"), PurgeMode::Hard);
    assert_eq!((count().await, count().await), (2, 2));
    cache.purge(&prefix, PurgeMode::Soft);
    assert_eq!((count().await, count().await), (3, 3));
    cache.purge(&PurgeTarget::Everything, PurgeMode::Soft);
    assert_eq!((count().await, count().await), (4, 4));
    cache.apply_s3_event(event.to_string().as_bytes()).unwrap();
    assert_eq!((count().await, count().await), (5, 5));
    // Below the folder: it may be the first there.
    cache.purge(&object("site/docs/deep/new.txt"), PurgeMode::Hard);
    assert_eq!((count().await, count().await), (6, 6));
}
