//! Objects that S3 has not confirmed, since it fails, is late, or has a new state.

use tower_s3_proxy::ProxyErrorKind;

use super::origin::{Fault, Object, Origin, eventually, noise};
use crate::support::{ask, get, request};

const DOWN: Fault = Fault::Refuses(500, "InternalError");

/// The window has closed while the question was on its way.
#[tokio::test]
async fn who_waits_for_a_confirmation_that_does_not_come_is_not_served_without() {
    let origin = Origin::start().await;
    origin.put("a", &Object::new("old").with("cache-control", "max-age=10, stale-while-revalidate=30"));
    let (service, cache) = origin.cached();
    ask(&service, get("/a")).await;
    origin.clock.advance(20);
    origin.fail(DOWN);
    let hold = origin.hold();
    assert_eq!(ask(&service, get("/a")).await.status, 200);
    origin.until(|origin| origin.seen().len() == 2).await;
    origin.clock.advance(30);
    let waiting = tokio::spawn({
        let service = service.clone();
        async move { ask(&service, get("/a")).await }
    });
    eventually("it waits", || cache.snapshot().coalesced == 1).await;
    drop(hold);
    let answer = waiting.await.unwrap();
    assert!(answer.status.is_server_error(), "{} {}", answer.status, answer.header("cache-status"));
}

#[tokio::test]
async fn credentials_that_are_refused_say_nothing_of_the_object() {
    let origin = Origin::start().await;
    origin.put(
        "a",
        &Object::new("text")
            .with("cache-control", "max-age=10, stale-while-revalidate=30, stale-if-error=60"),
    );
    let (service, _) = origin.cached();
    ask(&service, get("/a")).await;
    origin.clock.advance(20);
    origin.fail(Fault::Refuses(403, "SignatureDoesNotMatch"));
    assert_eq!(ask(&service, get("/a")).await.status, 200);
    origin.until(|origin| origin.seen().len() > 1).await;
    origin.clock.advance(30);
    assert_eq!(ask(&service, get("/a")).await.status, 200, "stands in");
}

/// A client may extend the time for which it takes a stale object; the others take none.
#[tokio::test(start_paused = true)]
async fn the_impatience_of_one_is_no_error_of_the_others() {
    let origin = Origin::start().await;
    origin.put("a", &Object::new("text").with("cache-control", "max-age=10"));
    let (service, cache) = origin.cached();
    ask(&service, get("/a")).await;
    origin.clock.advance(11);
    let hold = origin.hold();
    let first = tokio::spawn({
        let service = service.clone();
        async move { ask(&service, request("GET", "/a", &[("cache-control", "stale-if-error=600")])).await }
    });
    origin.until(|origin| origin.seen().len() == 2).await;
    let second = tokio::spawn({
        let service = service.clone();
        async move { ask(&service, get("/a")).await }
    });
    eventually("it waits", || cache.snapshot().coalesced == 1).await;
    let first = first.await.unwrap();
    assert!(first.header("cache-status").contains("origin-slow"), "{}", first.header("cache-status"));
    drop(hold);
    let second = second.await.unwrap();
    assert_eq!((second.status.as_u16(), second.text()), (200, "text"));
}

#[tokio::test]
async fn what_s3_denies_does_not_stand_in_for_an_error_later() {
    for (method, fault) in [
        ("HEAD", None),
        ("GET", Some(Fault::Refuses(403, "AccessDenied"))),
        ("HEAD", Some(Fault::Refuses(403, "AccessDenied"))),
    ] {
        for fields in [&[][..], &[("cache-control", "no-cache")]] {
            let origin = Origin::start().await;
            origin.put("a", &Object::new("text").with("cache-control", "max-age=10, stale-if-error=60"));
            let (service, _) = origin.cached();
            ask(&service, get("/a")).await;
            if fields.is_empty() {
                origin.clock.advance(10);
            }
            origin.delete("a");
            origin.fail(fault);
            assert_eq!(ask(&service, request(method, "/a", fields)).await.status, 404, "{method} {fault:?}");
            origin.fail(DOWN);
            let answer = ask(&service, get("/a")).await;
            assert!(answer.status.is_server_error(), "{method} {fault:?} {fields:?}: {}", answer.status);
        }
    }
}

#[tokio::test]
async fn an_outage_takes_no_part_that_is_kept() {
    let origin = Origin::start().await;
    let object = Object::new(noise(1_000_000, 1)).with("cache-control", "max-age=60");
    origin.put("a", &object);
    let (service, cache) = origin.cached();
    let part = [("range", "bytes=0-9")];
    ask(&service, request("GET", "/a", &part)).await;
    eventually("its block is kept", || cache.snapshot().entries == 2).await;
    origin.fail(DOWN);
    let answer = ask(&service, request("GET", "/a", &[("range", "bytes=500000-500009")])).await;
    assert!(answer.status.is_server_error());
    let answer = ask(&service, request("GET", "/a", &part)).await;
    assert_eq!(answer.status, 206);
    origin.fail(None);
    origin.delete("a");
    let answer = ask(&service, request("GET", "/a", &[("range", "bytes=500000-500009")])).await;
    assert_eq!(answer.status, 404);
    assert_eq!(ask(&service, request("GET", "/a", &part)).await.status, 404, "gone");
}

#[tokio::test]
async fn answers_in_place_of_errors_are_counted_as_what_they_are() {
    let origin = Origin::start().await;
    origin.put("a", &Object::new("text").with("cache-control", "max-age=10, stale-if-error=60"));
    let (service, cache) = origin.cached();
    ask(&service, get("/a")).await;
    origin.clock.advance(11);
    origin.fail(DOWN);
    for n in 1..4 {
        let answer = ask(&service, get("/a")).await;
        assert!(answer.header("cache-status").contains("; hit; ttl=-1"), "{}", answer.header("cache-status"));
        let snapshot = cache.snapshot();
        assert_eq!((snapshot.hits, snapshot.stale_served, snapshot.bytes_served), (n, n, 4 + 4 * n));
    }
}

#[tokio::test]
async fn what_was_archived_meanwhile_is_so_behind_as_in_front() {
    let origin = Origin::start().await;
    origin.put("a", &Object::new("text").with("cache-control", "max-age=10, stale-while-revalidate=30"));
    let (service, _) = origin.cached();
    ask(&service, get("/a")).await;
    origin.clock.advance(20);
    let archived = Object::new("other").with("x-amz-storage-class", "GLACIER");
    origin.put("a", &archived.with("cache-control", "max-age=60"));
    let hold = origin.hold();
    assert_eq!(ask(&service, get("/a")).await.text(), "text");
    origin.until(|origin| origin.seen().len() == 2).await;
    origin.clock.advance(30);
    let waiting = tokio::spawn({
        let service = service.clone();
        async move { ask(&service, request("HEAD", "/a", &[])).await }
    });
    drop(hold);
    for answer in [waiting.await.unwrap(), ask(&service, request("HEAD", "/a", &[])).await] {
        assert_eq!(answer.kind(), Some(ProxyErrorKind::Archived));
    }
}

/// A refresh behind asks for the head, which says nothing of the bytes without a strong tag.
#[tokio::test]
async fn what_can_not_be_confirmed_behind_is_read_anew() {
    let origin = Origin::start().await;
    let object = Object::new("text").with("cache-control", "max-age=10, stale-while-revalidate=30");
    origin.put("a", &object.with("etag", "W/\"x\""));
    let (service, cache) = origin.cached();
    ask(&service, get("/a")).await;
    origin.clock.advance(20);
    assert_eq!(ask(&service, get("/a")).await.header("cache-status"), "tower-s3-proxy; hit; ttl=-10");
    eventually("it is gone", || cache.snapshot().entries == 0).await;
    for says in ["tower-s3-proxy; fwd=uri-miss; stored; ttl=10", "tower-s3-proxy; hit; ttl=10"] {
        assert_eq!(ask(&service, get("/a")).await.header("cache-status"), says);
    }
}

/// Without a strong tag nobody can tell whether parts are of one state. That is no reason to give up what came whole.
#[tokio::test]
async fn questions_for_the_head_leave_an_object_without_a_strong_tag_where_it_is() {
    let date = "Tue, 14 Nov 2023 00:00:00 GMT";
    let known = [("if-modified-since", "Mon, 13 Nov 2023 00:00:00 GMT")];
    for tag in [None, Some("W/\"1\"")] {
        for (method, fields) in [("HEAD", &[][..]), ("GET", &known)] {
            let origin = Origin::start().await;
            let object = Object::new("text").without("etag").with("last-modified", date);
            let object = match tag {
                Some(tag) => object.with("etag", tag),
                None => object,
            };
            let object = object.with("cache-control", "max-age=10, stale-if-error=600");
            origin.put("a", &object);
            let (service, cache) = origin.cached();
            let row = format!("{method} {tag:?}");
            // Nothing is stored by it, and nothing keeps others from being stored.
            assert_eq!(ask(&service, request(method, "/a", fields)).await.status, 200, "{row}");
            ask(&service, get("/a")).await;
            assert!(ask(&service, get("/a")).await.header("cache-status").contains("hit"), "{row}");
            origin.clock.advance(20);
            assert_eq!(ask(&service, request(method, "/a", fields)).await.status, 200, "{row}");
            assert_eq!(cache.snapshot().entries, 1, "{row}");
            origin.fail(DOWN);
            let answer = ask(&service, get("/a")).await;
            assert_eq!((answer.status.as_u16(), answer.text()), (200, "text"), "{row}: it stands in");
            // Of another state it does not.
            origin.fail(None);
            origin.put("a", &object.clone().with("last-modified", "Tue, 14 Nov 2023 00:00:01 GMT"));
            origin.clock.advance(10);
            assert_eq!(ask(&service, request(method, "/a", fields)).await.status, 200, "{row}");
            origin.fail(DOWN);
            assert_eq!(ask(&service, get("/a")).await.status, 503, "{row}");
        }
    }
}
