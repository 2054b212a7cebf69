//! Purged objects are requested again.

use tower_s3_proxy::{
    bucket::ObjectKey,
    cache::{PurgeMode, PurgeTarget},
};

use super::origin::{Fault, Object, Origin, eventually, noise};
use crate::support::{BUCKET, ask, bucket, get};

fn key(key: &str) -> PurgeTarget {
    PurgeTarget::Object { bucket: bucket(BUCKET), key: ObjectKey::new(key).unwrap() }
}

fn prefix(prefix: &str) -> PurgeTarget {
    PurgeTarget::Prefix { bucket: bucket(BUCKET), prefix: prefix.to_owned() }
}

#[tokio::test]
async fn a_purge_takes_what_it_names() {
    const KEYS: [&str; 4] = ["a/b", "a/bc", "a/d", "e"];
    for mode in [PurgeMode::Hard, PurgeMode::Soft] {
        for length in [100, 300_000] {
            for (target, purged) in [
                (key("a/b"), &["a/b"][..]),
                (key("none"), &[]),
                (prefix("a/b"), &["a/b", "a/bc"]),
                (prefix("a/"), &["a/b", "a/bc", "a/d"]),
                (prefix(""), &KEYS),
                (PurgeTarget::Everything, &KEYS),
                (PurgeTarget::Prefix { bucket: bucket("another"), prefix: String::new() }, &[]),
            ] {
                let origin = Origin::start().await;
                let object = Object::new(noise(length, 1)).with("cache-control", "max-age=60");
                let (service, cache) = origin.cached();
                for key in KEYS {
                    origin.put(key, &object);
                    assert_eq!(ask(&service, get(&format!("/{key}"))).await.body, object.body);
                }
                origin.asked();
                let row = format!("{target:?} {mode:?} {length}");
                assert_eq!(cache.purge(&target, mode), purged.len(), "{row}");
                for key in KEYS {
                    let answer = ask(&service, get(&format!("/{key}"))).await;
                    assert!(answer.body == object.body, "{row}: {key}");
                    let seen = origin.seen();
                    origin.asked();
                    assert_eq!(seen.len(), usize::from(purged.contains(&key)), "{row}: {key}");
                    let is_confirmed =
                        seen.first().is_some_and(|asked| asked.fields.contains_key("if-none-match"));
                    assert_eq!(is_confirmed, !seen.is_empty() && mode == PurgeMode::Soft, "{row}: {key}");
                }
            }
        }
    }
}

#[tokio::test]
async fn what_is_read_during_a_purge_is_not_kept() {
    for mode in [PurgeMode::Hard, PurgeMode::Soft] {
        for length in [1000, 1_000_000] {
            for at in ["before the head", "in the body"] {
                let origin = Origin::start().await;
                let old = Object::new(noise(length, 1)).with("cache-control", "max-age=60");
                let new = Object::new(noise(length, 2)).with("cache-control", "max-age=60");
                origin.put("a", &old);
                let (service, cache) = origin.cached();
                let gate = origin.gate(length as u64 / 2);
                let hold = origin.hold();
                let row = format!("{mode:?} {length} {at}");
                let reading = tokio::spawn({
                    let service = service.clone();
                    async move { ask(&service, get("/a")).await }
                });
                origin.until(|origin| origin.seen().len() == 1).await;
                if at == "in the body" {
                    drop(hold);
                    eventually("half of it is there", || cache.snapshot().bytes_fetched == length as u64 / 2)
                        .await;
                    origin.put("a", &new);
                    cache.purge(&key("a"), mode);
                } else {
                    origin.put("a", &new);
                    cache.purge(&key("a"), mode);
                    drop(hold);
                }
                gate.open();
                let answer = reading.await.unwrap();
                assert!(answer.body == old.body || answer.body == new.body, "{row}");
                origin.until(|origin| origin.open() == 0).await;
                for _ in 0..2 {
                    assert!(ask(&service, get("/a")).await.body == new.body, "{row}");
                }
            }
        }
    }
}

#[tokio::test]
async fn what_is_read_during_a_purge_of_another_key_is_kept() {
    const KEYS: [&str; 5] = ["a", "b", "c", "d", "e"];
    let origin = Origin::start().await;
    for key in KEYS {
        origin.put(key, &Object::new(key).with("cache-control", "max-age=60"));
    }
    let (service, cache) = origin.cached();
    let hold = origin.hold();
    let mut reading = tokio::task::JoinSet::new();
    for key in KEYS {
        let service = service.clone();
        reading.spawn(async move { ask(&service, get(&format!("/{key}"))).await });
    }
    origin.until(|origin| origin.seen().len() == KEYS.len()).await;
    cache.purge(&key("a"), PurgeMode::Hard);
    drop(hold);
    reading.join_all().await;
    origin.asked();
    for key in KEYS {
        assert_eq!(ask(&service, get(&format!("/{key}"))).await.text(), key);
    }
    assert!((1..=2).contains(&origin.asked()), "its own, and that of a key that shares the count with it");
}

/// Who asks after a purge does not follow a read that began before it.
#[tokio::test]
async fn a_read_from_before_a_purge_is_joined_by_nobody() {
    let origin = Origin::start().await;
    let old = Object::new(noise(1_000_000, 1)).with("cache-control", "max-age=60");
    let new = Object::new(noise(1_000_000, 2)).with("cache-control", "max-age=60");
    origin.put("a", &old);
    let (service, cache) = origin.cached();
    let hold = origin.hold();
    let first = tokio::spawn({
        let service = service.clone();
        async move { ask(&service, get("/a")).await }
    });
    origin.until(|origin| origin.seen().len() == 1).await;
    origin.put("a", &new);
    cache.purge(&PurgeTarget::Everything, PurgeMode::Hard);
    let second = tokio::spawn({
        let service = service.clone();
        async move { ask(&service, get("/a")).await }
    });
    eventually("it waits or asks", || cache.snapshot().coalesced > 0 || origin.seen().len() > 1).await;
    drop(hold);
    assert!(second.await.unwrap().body == new.body);
    let first = first.await.unwrap().body;
    assert!(first == old.body || first == new.body);
}

#[tokio::test]
async fn an_event_of_s3_makes_room_for_what_was_written() {
    let origin = Origin::start().await;
    origin.put("a b/ü.txt", &Object::new("old").with("cache-control", "max-age=60"));
    let (service, cache) = origin.cached();
    let path = "/a%20b/%C3%BC.txt";
    origin.put("a%20b/%C3%BC.txt", &Object::new("old").with("cache-control", "max-age=60"));
    assert_eq!(ask(&service, get(path)).await.text(), "old");
    origin.put("a%20b/%C3%BC.txt", &Object::new("new").with("cache-control", "max-age=60"));
    assert_eq!(ask(&service, get(path)).await.text(), "old");
    let event = format!(
        r#"{{"Records":[{{"eventVersion":"2.1","eventSource":"aws:s3","awsRegion":"us-west-2",
        "eventTime":"2023-11-14T22:13:20.000Z","eventName":"ObjectCreated:Put",
        "userIdentity":{{"principalId":"AIDAJDPLRKLG7UEXAMPLE"}},
        "requestParameters":{{"sourceIPAddress":"127.0.0.1"}},
        "responseElements":{{"x-amz-request-id":"C3D13FE58DE4C810","x-amz-id-2":"FMyUVURIY8"}},
        "s3":{{"s3SchemaVersion":"1.0","configurationId":"purge",
        "bucket":{{"name":"{BUCKET}","ownerIdentity":{{"principalId":"A3NL1KOZZKExample"}},"arn":"arn:aws:s3:::{BUCKET}"}},
        "object":{{"key":"a+b/%C3%BC.txt","size":3,"eTag":"d41d8cd98f00b204e9800998ecf8427e","sequencer":"0055AED6DCD90281E5"}}}}}}]}}"#
    );
    assert_eq!(cache.apply_s3_event(event.as_bytes()).unwrap(), 1);
    assert_eq!(ask(&service, get(path)).await.text(), "new");
}

#[tokio::test]
async fn that_there_is_no_such_key_is_forgotten_by_a_soft_purge_too() {
    let origin = Origin::start().await;
    let (service, cache) = origin.cached();
    assert_eq!(ask(&service, get("/a")).await.status, 404);
    origin.put("a", &Object::new("text"));
    assert_eq!(cache.purge(&key("a"), PurgeMode::Soft), 1);
    assert_eq!(ask(&service, get("/a")).await.status, 200);
}

#[tokio::test]
async fn what_was_purged_softly_stands_in_only_where_that_is_allowed() {
    for (says, stands_in) in [
        ("max-age=60", false),
        ("max-age=60, stale-if-error=60", true),
        ("max-age=60, stale-if-error=60, must-revalidate", false),
    ] {
        let origin = Origin::start().await;
        origin.put("a", &Object::new("text").with("cache-control", says));
        let (service, cache) = origin.cached();
        ask(&service, get("/a")).await;
        cache.purge(&PurgeTarget::Everything, PurgeMode::Soft);
        origin.fail(Fault::Refuses(500, "InternalError"));
        let answer = ask(&service, get("/a")).await;
        assert_eq!(answer.status == 200, stands_in, "{says} {}", answer.status);
        origin.asked();
        if stands_in {
            assert_eq!(ask(&service, get("/a")).await.status, 200);
            assert_eq!(origin.asked(), 0, "rests");
        }
    }
}
