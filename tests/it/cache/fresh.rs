//! How long a response is fresh, end to end (RFC 9111, RFC 5861, RFC 9213), by a clock that the test moves.

use std::time::Duration;

use http::Request;
use http_body_util::Empty;
use tower_s3_proxy::{
    Cache, Cors, S3Proxy,
    cache::{CacheBuilder, ClientControl},
};

use super::origin::{Fault, MIB, Object, Origin, eventually, noise};
use crate::support::{Answer, ask, get, request};

type Fields<'a> = &'a [(&'a str, &'a str)];

fn builder() -> CacheBuilder {
    Cache::builder(64 * MIB)
}

fn asking(fields: Fields<'_>) -> Request<Empty<bytes::Bytes>> {
    request("GET", "/a", fields)
}

async fn status_of(service: &S3Proxy, fields: Fields<'_>) -> String {
    let answer = ask(service, asking(fields)).await;
    format!("{} {}", answer.status.as_u16(), status(&answer))
}

/// What the cache says, without its name.
fn status(answer: &Answer) -> &str {
    answer.header("cache-status").strip_prefix("tower-s3-proxy; ").unwrap_or("nothing")
}

/// What S3 is asked for the second answer, so many seconds after the first, and what that says.
#[tokio::test]
async fn an_answer_is_good_for_as_long_as_its_fields_say() {
    const CONFIRMED: &str = "fwd=stale; stored; ttl=";
    for (fields, after, asked, says) in [
        (&[("cache-control", "max-age=60")][..], 59, 0, "hit; ttl=1"),
        (&[("cache-control", "max-age=60")], 60, 1, CONFIRMED),
        (&[("cache-control", "max-age=60, s-maxage=10")], 9, 0, "hit; ttl=1"),
        (&[("cache-control", "max-age=60, s-maxage=10")], 10, 1, CONFIRMED),
        (&[("cache-control", "s-maxage=60, max-age=0")], 59, 0, "hit; ttl=1"),
        (&[("expires", "Tue, 14 Nov 2023 22:14:20 GMT")], 59, 0, "hit; ttl=1"),
        (&[("expires", "Tue, 14 Nov 2023 22:14:20 GMT")], 60, 1, CONFIRMED),
        (&[("expires", "0")], 0, 1, CONFIRMED),
        (&[("expires", "0"), ("cache-control", "max-age=60")], 59, 0, "hit; ttl=1"),
        (&[("cache-control", "max-age=60"), ("age", "50")], 9, 0, "hit; ttl=1"),
        // Without freshness, and with a word against it: kept, and confirmed each time.
        (&[], 0, 1, CONFIRMED),
        (&[("cache-control", "public")], 0, 1, CONFIRMED),
        (&[("cache-control", "no-cache, max-age=60")], 0, 1, CONFIRMED),
        (&[("cache-control", "max-age=0")], 0, 1, CONFIRMED),
        (&[("last-modified", "Tue, 14 Nov 2000 22:13:20 GMT")], 0, 1, CONFIRMED),
        // Never kept.
        (&[("cache-control", "no-store, max-age=60")], 0, 1, "fwd=bypass"),
        (&[("cache-control", "private, max-age=60")], 0, 1, "fwd=bypass"),
        (&[("cache-control", "max-age=60"), ("vary", "accept-language")], 0, 1, "fwd=bypass"),
        (&[("cache-control", "max-age=60"), ("vary", "*")], 0, 1, "fwd=bypass"),
        // Which S3 never sees.
        (&[("cache-control", "max-age=60"), ("vary", "Accept-Encoding, Origin")], 59, 0, "hit; ttl=1"),
        // To us alone.
        (&[("cache-control", "no-store"), ("cdn-cache-control", "max-age=60")], 59, 0, "hit; ttl=1"),
        (&[("cache-control", "max-age=60"), ("cdn-cache-control", "no-store")], 0, 1, "fwd=bypass"),
        (&[("cache-control", "max-age=60"), ("cdn-cache-control", "max-age=10")], 10, 1, CONFIRMED),
    ] {
        let row = format!("{fields:?} after {after} s");
        let origin = Origin::start().await;
        let object =
            fields.iter().fold(Object::new("text"), |object, (name, value)| object.with(name, value));
        origin.put("a", &object);
        let (service, _) = origin.cached();
        let first = ask(&service, get("/a")).await;
        assert_eq!((first.status.as_u16(), first.text()), (200, "text"), "{row}");
        assert!(status(&first).starts_with("fwd=uri-miss"), "{row}: {}", status(&first));
        origin.asked();
        origin.clock.advance(after);
        let second = ask(&service, get("/a")).await;
        assert_eq!((second.status.as_u16(), second.text()), (200, "text"), "{row}");
        let seen = origin.seen();
        assert_eq!(seen.len(), asked, "{row}: {seen:?}");
        assert!(status(&second).starts_with(says), "{row}: {}", status(&second));
        if says == CONFIRMED {
            let confirms = seen[0].fields.get("if-none-match").map(|tag| tag.to_str().unwrap());
            assert_eq!(confirms, Some(object.tag()), "{row}");
        }
        if says.starts_with("hit") {
            let before =
                fields.iter().find(|(name, _)| *name == "age").map_or(0, |(_, age)| age.parse().unwrap());
            assert_eq!(second.header("age"), (after + before).to_string(), "{row}");
        }
    }
}

#[tokio::test]
async fn a_confirmed_answer_is_as_good_as_new_and_a_changed_one_is_new() {
    let origin = Origin::start().await;
    for length in [0, 100, 20_000, 500_000] {
        let (old, new) = (Object::new(noise(length, 1)), Object::new(noise(length + 1, 2)));
        let (old, new) = (old.with("cache-control", "max-age=10"), new.with("cache-control", "max-age=10"));
        origin.put("a", &old);
        let (service, cache) = origin.cached();
        let row = format!("{length} bytes");
        assert_eq!(ask(&service, get("/a")).await.body, old.body, "{row}");
        for _ in 0..3 {
            origin.clock.advance(10);
            let fetched = cache.snapshot().bytes_fetched;
            let answer = ask(&service, get("/a")).await;
            assert_eq!((status(&answer), &answer.body), ("fwd=stale; stored; ttl=10", &old.body), "{row}");
            assert_eq!(cache.snapshot().bytes_fetched, fetched, "{row}: by 304");
            assert_eq!(status_of(&service, &[]).await, "200 hit; ttl=10", "{row}");
        }
        assert_eq!(cache.snapshot().revalidated, 3, "{row}");
        origin.put("a", &new);
        origin.clock.advance(10);
        let answer = ask(&service, get("/a")).await;
        assert!(answer.body == new.body && answer.header("etag") == new.tag(), "{row}");
        assert_eq!(origin.asked(), 5, "{row}");
        // By HEAD and by range too.
        origin.clock.advance(10);
        assert_eq!(ask(&service, request("HEAD", "/a", &[])).await.status, 200);
        let part = ask(&service, asking(&[("range", "bytes=0-0")])).await;
        assert_eq!((part.status.as_u16(), &part.body[..]), (206, &new.body[..1]), "{row}");
        assert_eq!(origin.asked(), 1, "{row}: the bytes are still those");
        origin.put("a", &old);
        origin.clock.advance(10);
        assert_eq!(ask(&service, request("HEAD", "/a", &[])).await.header("etag"), old.tag());
        assert_eq!(ask(&service, get("/a")).await.body, old.body, "{row}");
        origin.asked();
    }
}

/// A 304 says that the bytes are the same, and perhaps that they are no longer for everybody.
#[tokio::test]
async fn what_is_confirmed_may_turn_out_not_to_be_kept() {
    let origin = Origin::start().await;
    let object = Object::new("text").with("cache-control", "max-age=10");
    origin.put("a", &object);
    let (service, _) = origin.cached();
    ask(&service, get("/a")).await;
    origin.clock.advance(10);
    origin.put("a", &object.with("cache-control", "private"));
    for _ in 0..3 {
        origin.asked();
        let answer = ask(&service, get("/a")).await;
        assert_eq!((answer.status.as_u16(), answer.text()), (200, "text"));
        assert_eq!(answer.header("cache-control"), "private");
        assert!(origin.asked() >= 1);
    }
}

#[tokio::test]
async fn stale_while_revalidate_is_served_at_once_and_refreshed_once() {
    let origin = Origin::start().await;
    let old = Object::new("old").with("cache-control", "max-age=10, stale-while-revalidate=30");
    let new = Object::new("new").with("cache-control", "max-age=10, stale-while-revalidate=30");
    origin.put("a", &old);
    let (service, cache) = origin.cached();
    ask(&service, get("/a")).await;
    origin.put("a", &new);
    origin.clock.advance(39);
    origin.asked();
    let hold = origin.hold();
    for _ in 0..10 {
        let answer = ask(&service, get("/a")).await;
        assert_eq!((answer.text(), answer.header("age"), status(&answer)), ("old", "39", "hit; ttl=-29"));
    }
    origin.until(|origin| origin.seen().len() == 1).await;
    assert_eq!(cache.snapshot().stale_served, 10);
    drop(hold);
    // The head is new; its bytes are read by the first who asks.
    for _ in 0..1000 {
        if ask(&service, get("/a")).await.text() == "new" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let answer = ask(&service, get("/a")).await;
    assert_eq!((answer.text(), answer.header("age"), status(&answer)), ("new", "0", "hit; ttl=10"));
    let asked: Vec<_> = origin.seen().into_iter().map(|asked| asked.method).collect();
    assert!(asked.len() <= 2, "{asked:?}");
    // Behind the window it is confirmed in front.
    origin.clock.advance(40);
    assert_eq!(status_of(&service, &[]).await, "200 fwd=stale; stored; ttl=10");
}

#[tokio::test]
async fn a_stale_object_stands_in_where_that_is_allowed() {
    let code = "InternalError";
    for (says, after, fault, stands_in) in [
        ("max-age=10, stale-if-error=60", 69, Fault::Refuses(500, code), true),
        ("max-age=10, stale-if-error=60", 11, Fault::Refuses(503, "SlowDown"), true),
        ("max-age=10, stale-if-error=60", 70, Fault::Refuses(500, code), false),
        ("max-age=10", 11, Fault::Refuses(500, code), false),
        ("max-age=10, stale-while-revalidate=60", 71, Fault::Refuses(500, code), false),
        ("max-age=10, stale-if-error=60, must-revalidate", 11, Fault::Refuses(500, code), false),
        ("max-age=10, stale-if-error=60, proxy-revalidate", 11, Fault::Refuses(500, code), false),
        ("s-maxage=10, stale-if-error=60", 11, Fault::Refuses(500, code), false),
        ("no-cache, stale-if-error=60", 11, Fault::Refuses(500, code), false),
        // What S3 says of the object is no outage.
        ("max-age=10, stale-if-error=60", 11, Fault::Refuses(404, "NoSuchKey"), false),
        ("max-age=10, stale-if-error=60", 11, Fault::Refuses(403, "AccessDenied"), false),
    ] {
        let row = format!("{says} after {after} s: {fault:?}");
        let origin = Origin::start().await;
        origin.put("a", &Object::new("text").with("cache-control", says));
        let (service, _) = origin.cached();
        ask(&service, get("/a")).await;
        origin.clock.advance(after);
        origin.fail(fault);
        let answer = ask(&service, get("/a")).await;
        if stands_in {
            assert_eq!((answer.status.as_u16(), answer.text()), (200, "text"), "{row}");
            assert!(status(&answer).starts_with("hit; ttl=-"), "{row}: {}", status(&answer));
            assert!(status(&answer).contains("detail="), "{row}: {}", status(&answer));
            // S3 is left alone for a moment, and then asked again.
            origin.asked();
            assert_eq!(ask(&service, get("/a")).await.status, 200, "{row}");
            assert_eq!(origin.asked(), 0, "{row}");
            origin.fail(None);
            origin.clock.advance(3);
            assert!(status_of(&service, &[]).await.starts_with("200 fwd=stale; stored"), "{row}");
        } else {
            assert!(answer.status.as_u16() >= 400, "{row}: {}", answer.status);
            assert_eq!(answer.header("age"), "", "{row}");
            origin.fail(None);
            assert_eq!(
                ask(&service, get("/a")).await.status.as_u16() == 200,
                !row.contains("NoSuchKey"),
                "{row}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_stale_object_stands_in_for_an_s3_that_is_late() {
    let origin = Origin::start().await;
    origin.put("a", &Object::new("text").with("cache-control", "max-age=10, stale-if-error=60"));
    let (service, cache) =
        origin.cached_by(builder().stale_if_error_after(Duration::from_secs(1)), |mount| mount);
    ask(&service, get("/a")).await;
    origin.clock.advance(11);
    let hold = origin.hold();
    let answer = ask(&service, get("/a")).await;
    assert_eq!((answer.status.as_u16(), answer.text()), (200, "text"));
    assert!(status(&answer).contains("hit") && status(&answer).contains("detail="), "{}", status(&answer));
    assert_eq!(cache.snapshot().stale_served, 1);
    drop(hold);
    origin.clock.advance(3);
    // Nobody waits for it, but it is not given up.
    eventually("it comes", || cache.snapshot().revalidated == 1).await;
    assert!(status_of(&service, &[]).await.starts_with("200 hit"));
}

/// One row is one request, to what is 30 s old and good for 60.
#[tokio::test]
async fn clients_have_a_say() {
    let asks = |value: &'static str| vec![("cache-control", value)];
    for (fields, honoured, ignored) in [
        (asks("max-age=30"), "200 hit; ttl=30", "200 hit; ttl=30"),
        (asks("max-age=29"), "200 fwd=request; stored; ttl=60", "200 hit; ttl=30"),
        (asks("max-age=0"), "200 fwd=request; stored; ttl=60", "200 hit; ttl=30"),
        (asks("no-cache"), "200 fwd=request; stored; ttl=60", "200 hit; ttl=30"),
        (vec![("pragma", "no-cache")], "200 fwd=request; stored; ttl=60", "200 hit; ttl=30"),
        (asks("min-fresh=30"), "200 hit; ttl=30", "200 hit; ttl=30"),
        (asks("min-fresh=31"), "200 fwd=request; stored; ttl=60", "200 hit; ttl=30"),
        (asks("no-store"), "200 hit; ttl=30", "200 hit; ttl=30"),
        (asks("only-if-cached"), "200 hit; ttl=30", "200 hit; ttl=30"),
        (asks("only-if-cached, no-cache"), "504 nothing", "200 hit; ttl=30"),
    ] {
        for (clients, expected) in [(ClientControl::Honoured, honoured), (ClientControl::Ignored, ignored)] {
            let origin = Origin::start().await;
            origin.put("a", &Object::new("text").with("cache-control", "max-age=60"));
            let (service, _) = origin.cached_by(builder().clients(clients), |mount| mount);
            ask(&service, get("/a")).await;
            origin.clock.advance(30);
            assert_eq!(status_of(&service, &fields).await, expected, "{fields:?} {clients:?}");
        }
    }
}

#[tokio::test]
async fn clients_have_a_say_of_what_is_stale() {
    for (fields, expected) in [
        (&[("cache-control", "max-stale")][..], "200 hit; ttl=-30"),
        (&[("cache-control", "max-stale=30")], "200 hit; ttl=-30"),
        (&[("cache-control", "max-stale=29")], "200 fwd=stale; stored; ttl=60"),
        (&[("cache-control", "max-stale, max-age=89")], "200 fwd=stale; stored; ttl=60"),
        (&[("cache-control", "only-if-cached")], "504 nothing"),
    ] {
        let origin = Origin::start().await;
        origin.put("a", &Object::new("text").with("cache-control", "max-age=60"));
        let (service, _) = origin.cached();
        ask(&service, get("/a")).await;
        origin.clock.advance(90);
        assert_eq!(status_of(&service, fields).await, expected, "{fields:?}");
    }
}

#[tokio::test]
async fn only_if_cached_never_asks_s3() {
    let origin = Origin::start().await;
    let fields = [("cache-control", "only-if-cached")];
    origin.put("a", &Object::new(noise(300_000, 5)).with("cache-control", "max-age=60"));
    let (service, cache) = origin.cached();
    assert_eq!(status_of(&service, &fields).await, "504 nothing");
    ask(&service, asking(&[("range", "bytes=0-9")])).await;
    eventually("its block is kept", || cache.snapshot().entries == 2).await;
    origin.asked();
    assert_eq!(status_of(&service, &fields).await, "504 nothing", "a part is there");
    let part = [fields[0], ("range", "bytes=10-99")];
    assert!(status_of(&service, &part).await.starts_with("206 hit"));
    // Above the largest object, and what is passed.
    let (service, _) = origin.cached_by(builder().max_object(1000), |mount| mount);
    ask(&service, get("/a")).await;
    origin.asked();
    assert_eq!(status_of(&service, &fields).await, "504 nothing");
    origin.put("a", &Object::new("text").with("cache-control", "private"));
    let (service, _) = origin.cached();
    ask(&service, get("/a")).await;
    origin.asked();
    assert_eq!(status_of(&service, &fields).await, "504 nothing");
    assert_eq!(origin.asked(), 0);
}

/// RFC 9111 §5.2.1.5.
#[tokio::test]
async fn the_answer_to_no_store_is_not_kept() {
    let origin = Origin::start().await;
    origin.put("a", &Object::new("text").with("cache-control", "max-age=60"));
    let (service, cache) = origin.cached();
    for _ in 0..2 {
        assert_eq!(status_of(&service, &[("cache-control", "no-store")]).await, "200 fwd=bypass");
    }
    assert_eq!((origin.asked(), cache.snapshot().entries), (2, 0));
}

/// S3 never gets the field, so it leads no client past the cache (RFC 9111 §3.5 is for servers that look at it).
#[tokio::test]
async fn authorization_is_no_reason_to_ask_s3() {
    let bearer: Fields<'_> = &[("authorization", "Bearer x")];
    for says in ["max-age=60", "max-age=60, public", "s-maxage=60", "max-age=60, must-revalidate"] {
        for (first, second) in [(bearer, &[][..]), (&[], bearer), (bearer, bearer)] {
            let origin = Origin::start().await;
            origin.put("a", &Object::new("text").with("cache-control", says));
            let (service, _) = origin.cached();
            assert!(status_of(&service, first).await.starts_with("200"));
            let row = format!("{says}: {first:?}, then {second:?}");
            for _ in 0..20 {
                assert!(status_of(&service, second).await.starts_with("200 hit"), "{row}");
            }
            assert_eq!(origin.asked(), 1, "{row}");
        }
    }
}

/// All the questions that one stored answer answers.
#[tokio::test]
async fn every_question_is_answered_from_memory() {
    let date = "Tue, 14 Nov 2000 22:13:20 GMT";
    for length in [100, 20_000, 300_000_usize] {
        let origin = Origin::start().await;
        let object =
            Object::new(noise(length, 6)).with("cache-control", "max-age=60").with("last-modified", date);
        let object = object.with("content-type", "text/plain");
        origin.put("a", &object);
        let (service, _) =
            origin.cached_by(builder(), |mount| mount.cors(Cors::any_origin()).allow_downloads(true));
        ask(&service, get("/a")).await;
        origin.asked();
        origin.clock.advance(7);
        let (tag, total) = (object.tag(), length.to_string());
        let bytes = format!("bytes 90-99/{length}");
        let rows: &[(&str, &str, Fields<'_>, u16, Fields<'_>)] = &[
            ("GET", "/a", &[], 200, &[("content-length", &total), ("age", "7"), ("etag", tag)]),
            ("HEAD", "/a", &[], 200, &[("content-length", &total), ("age", "7"), ("etag", tag)]),
            ("GET", "/a", &[("range", "bytes=90-99")], 206, &[("content-range", &bytes), ("age", "7")]),
            ("HEAD", "/a", &[("range", "bytes=90-99")], 200, &[("content-length", &total)]),
            ("GET", "/a", &[("range", "bytes=0-0,50-50")], 206, &[("age", "7")]),
            (
                "GET",
                "/a",
                &[("range", "bytes=900000-")],
                416,
                &[("content-range", &format!("bytes */{length}"))],
            ),
            (
                "GET",
                "/a",
                &[("if-none-match", tag)],
                304,
                &[("age", "7"), ("etag", tag), ("cache-control", "max-age=60")],
            ),
            ("GET", "/a", &[("if-none-match", "\"x\"")], 200, &[("age", "7")]),
            ("GET", "/a", &[("if-modified-since", date)], 304, &[("age", "7")]),
            ("GET", "/a", &[("if-match", "\"x\"")], 412, &[("age", "")]),
            ("GET", "/a", &[("if-match", tag)], 200, &[("age", "7")]),
            ("GET", "/a", &[("if-range", tag), ("range", "bytes=90-99")], 206, &[("content-range", &bytes)]),
            ("GET", "/a", &[("if-range", "\"x\""), ("range", "bytes=90-99")], 200, &[("content-range", "")]),
            (
                "GET",
                "/a?download=b.txt",
                &[],
                200,
                &[("content-disposition", "attachment; filename=\"b.txt\"")],
            ),
            ("GET", "/a", &[("origin", "https://app.test")], 200, &[("access-control-allow-origin", "*")]),
            (
                "GET",
                "/a",
                &[("origin", "https://app.test"), ("if-none-match", tag)],
                304,
                &[("access-control-allow-origin", "*")],
            ),
            ("GET", "/a", &[], 200, &[("content-disposition", "")]),
        ];
        for (method, path, fields, code, expected) in rows {
            let row = format!("{length}: {method} {path} {fields:?}");
            let answer = ask(&service, request(method, path, fields)).await;
            assert_eq!(answer.status.as_u16(), *code, "{row}");
            assert_eq!(status(&answer), "hit; ttl=53", "{row}");
            for (name, value) in *expected {
                assert_eq!(answer.header(name), *value, "{row}: {name}");
            }
            match (*method, *code) {
                ("GET", 200) => assert!(answer.body == object.body, "{row}"),
                ("HEAD", _) | (_, 304) => assert!(answer.body.is_empty(), "{row}"),
                _ if answer.header("content-range") == bytes => {
                    assert!(answer.body == object.body[90..100], "{row}");
                }
                _ => {}
            }
        }
        assert_eq!(origin.asked(), 0, "{length}");
    }
}

/// Without a strong tag nobody knows whether two answers are of one state: such an object is kept in one piece or not
/// at all, and takes no more questions than without a cache.
#[tokio::test]
async fn what_can_not_be_pinned_is_kept_whole_or_not_at_all() {
    let plain = Object::new(noise(300_000, 7)).with("cache-control", "max-age=60");
    for object in [plain.clone().without("etag"), plain.with("etag", "W/\"x\"")] {
        let origin = Origin::start().await;
        origin.put("a", &object);
        let (service, _) = origin.cached();
        ask(&service, get("/a")).await;
        let part = ask(&service, asking(&[("range", "bytes=200000-200009")])).await;
        assert!(part.body == object.body[200_000..200_010] && status(&part) == "hit; ttl=60");
        assert_eq!(origin.asked(), 1);
        origin.clock.advance(60);
        assert!(ask(&service, get("/a")).await.body == object.body);
        assert_eq!(origin.asked(), 1, "read anew");
        for (range, most) in [("bytes=200000-200009", 1), ("bytes=-10", 2), ("bytes=0-0,9-9", 4)] {
            let (service, _) = origin.cached();
            for _ in 0..2 {
                assert_eq!(
                    ask(&service, asking(&[("range", range)])).await.status.as_u16() / 100,
                    2,
                    "{range}"
                );
                let asked = origin.asked();
                assert!(asked <= most, "{range}: {asked}");
            }
        }
    }
}

#[tokio::test]
async fn a_304_brings_what_is_said_to_caches_alone_up_to_date() {
    let origin = Origin::start().await;
    let object =
        Object::new("text").with("cache-control", "max-age=10").with("cdn-cache-control", "max-age=10");
    origin.put("a", &object);
    let (service, _) = origin.cached();
    ask(&service, get("/a")).await;
    origin.clock.advance(10);
    origin.put("a", &object.with("cdn-cache-control", "no-store"));
    ask(&service, get("/a")).await;
    let answer = ask(&service, get("/a")).await;
    assert_eq!(answer.header("cache-status"), "tower-s3-proxy; fwd=bypass");
}

/// S3 makes the tag of the bytes alone, and says little in a 304.
#[tokio::test]
async fn the_same_bytes_written_anew_come_with_their_new_fields() {
    let origin = Origin::start().await;
    let object = Object::new(noise(300_000, 1)).with("cache-control", "max-age=10");
    let old =
        object.with("content-type", "text/plain").with("last-modified", "Tue, 14 Nov 2000 22:13:20 GMT");
    origin.put("a", &old);
    let (service, cache) = origin.cached();
    ask(&service, get("/a")).await;
    origin.clock.advance(10);
    let new = old.with("content-type", "text/html").with("last-modified", "Tue, 14 Nov 2000 22:13:21 GMT");
    origin.put("a", &new);
    for says in ["fwd=stale; stored; ttl=10", "hit; ttl=10"] {
        let answer = ask(&service, get("/a")).await;
        assert_eq!((answer.header("content-type"), status(&answer)), ("text/html", says));
        assert!(answer.body == new.body);
    }
    assert_eq!(cache.snapshot().bytes_fetched, 300_000, "the bytes are those that were kept");
    assert_eq!(cache.snapshot().revalidated, 1);
}
