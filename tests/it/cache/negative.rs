//! The errors that are kept.

use std::time::Duration;

use tower_s3_proxy::{Cache, ProxyErrorKind, credentials::Credentials};

use super::origin::{Fault, MIB, Object, Origin, noise};
use crate::support::{ask, get, request};

#[tokio::test]
async fn that_there_is_no_such_key_is_known_for_a_moment() {
    let origin = Origin::start().await;
    let (service, _) = origin.cached();
    for method in ["GET", "HEAD", "GET"] {
        let answer = ask(&service, request(method, "/a", &[])).await;
        assert_eq!(answer.status, 404);
        assert_eq!(answer.header("age"), "");
    }
    assert_eq!(origin.asked(), 1);
    origin.put("a", &Object::new("text"));
    origin.clock.advance(4);
    let answer = ask(&service, get("/a")).await;
    assert_eq!((answer.status.as_u16(), answer.header("cache-status")), (404, "tower-s3-proxy; hit; ttl=1"));
    // Whoever wants to know gets to know.
    let (asking, _) = origin.cached();
    assert_eq!(ask(&asking, request("GET", "/a", &[("cache-control", "no-cache")])).await.status, 200);
    origin.clock.advance(1);
    assert_eq!(ask(&service, get("/a")).await.status, 200);

    let (service, _) = origin.cached_by(Cache::builder(MIB).negative_ttl(Duration::ZERO), |mount| mount);
    origin.asked();
    for n in 1..3 {
        assert_eq!(ask(&service, get("/none")).await.status, 404);
        assert_eq!(origin.seen().len(), n);
    }
}

/// However the first one asks. The 404 to a HEAD gives no reason, so it holds for others that ask for the head.
#[tokio::test]
async fn every_way_to_ask_for_a_missing_object_is_remembered() {
    let known = [("if-none-match", "\"a\"")];
    let since = [("if-modified-since", "Tue, 14 Nov 2023 00:00:00 GMT")];
    let part = [("range", "bytes=0-9")];
    for (method, fields, questions, later) in [
        ("GET", &[][..], 1, 0),
        ("GET", &part, 1, 0),
        // The head, and why.
        ("GET", &known, 2, 0),
        ("GET", &since, 2, 0),
        ("HEAD", &[], 1, 1),
    ] {
        let origin = Origin::start().await;
        let (service, _) = origin.cached();
        for _ in 0..3 {
            assert_eq!(ask(&service, request(method, "/none", fields)).await.status, 404);
        }
        assert_eq!(origin.asked(), questions, "{method} {fields:?}");
        for method in ["HEAD", "GET", "GET", "HEAD"] {
            assert_eq!(ask(&service, request(method, "/none", &[])).await.status, 404);
        }
        assert_eq!(origin.asked(), later, "{method} {fields:?}");
        origin.put("none", &Object::new("text"));
        origin.clock.advance(5);
        assert_eq!(ask(&service, request(method, "/none", &[])).await.status, 200);
    }
    // Where nothing is remembered.
    let origin = Origin::start().await;
    let (service, cache) = origin.cached_by(Cache::builder(MIB).negative_ttl(Duration::ZERO), |mount| mount);
    for n in 1..3 {
        assert_eq!(ask(&service, request("HEAD", "/none", &[])).await.status, 404);
        assert_eq!((origin.seen().len(), cache.snapshot().entries), (n, 0));
    }
}

#[tokio::test]
async fn errors_are_misses() {
    let origin = Origin::start().await;
    origin.put("a", &Object::new("text").with("cache-control", "max-age=60"));
    let (service, cache) = origin.cached();
    ask(&service, get("/a")).await;
    // Of what is fresh, too: S3 is asked, and then the condition fails.
    let fields = [("cache-control", "no-cache"), ("if-match", "\"other\"")];
    assert_eq!(ask(&service, request("GET", "/a", &fields)).await.status, 412);
    origin.fail(Fault::Refuses(503, "SlowDown"));
    assert_eq!(ask(&service, get("/b")).await.status, 503);
    let counted = cache.snapshot();
    assert_eq!((counted.hits, counted.misses, counted.bypassed), (0, 3, 0));
}

#[tokio::test]
async fn an_object_that_is_gone_is_gone() {
    let origin = Origin::start().await;
    origin.put("a", &Object::new("text").with("cache-control", "max-age=10, stale-if-error=60"));
    let (service, cache) = origin.cached();
    ask(&service, get("/a")).await;
    origin.delete("a");
    origin.clock.advance(10);
    for _ in 0..2 {
        assert_eq!(ask(&service, get("/a")).await.status, 404);
    }
    assert_eq!(origin.asked(), 2);
    assert_eq!(cache.snapshot().entries, 1, "that it is gone");
}

#[tokio::test]
async fn no_other_error_is_kept() {
    for (status, code) in [
        (403, "AccessDenied"),
        (403, "InvalidAccessKeyId"),
        (403, "SignatureDoesNotMatch"),
        (400, "ExpiredToken"),
        (404, "NoSuchBucket"),
        (404, ""),
        (500, "InternalError"),
        (503, "SlowDown"),
        (503, ""),
    ] {
        for method in ["GET", "HEAD"] {
            let origin = Origin::start().await;
            origin.put("a", &Object::new("text"));
            let (service, cache) = origin.cached_by(Cache::builder(MIB), |mount| {
                mount.credentials(Credentials::new("AKIATEST", "secret", None, None, "test"))
            });
            origin.fail(Fault::Refuses(status, code));
            let row = format!("{method} {status} {code}");
            let answer = ask(&service, request(method, "/a", &[])).await;
            assert_ne!(answer.status, 200, "{row}");
            assert_eq!(answer.header("cache-status"), "tower-s3-proxy; fwd=miss", "{row}");
            // That a HEAD was answered with 404 is known to other HEADs: nobody can tell which 404 it was.
            let entries = u64::from((method, status) == ("HEAD", 404));
            assert_eq!(cache.snapshot().entries, entries, "{row}");
            origin.fail(None);
            assert_eq!(ask(&service, get("/a")).await.status, 200, "{row}");
            assert_eq!(ask(&service, request(method, "/a", &[])).await.status, 200, "{row}");
        }
    }
}

/// S3 answers to HEAD, but not to GET.
#[tokio::test]
async fn what_is_archived_is_so_for_every_question() {
    for length in [100, 300_000] {
        let origin = Origin::start().await;
        let object = Object::new(noise(length, 1)).with("cache-control", "max-age=60");
        origin.put("a", &object.with("x-amz-storage-class", "GLACIER"));
        let (service, _) = origin.cached();
        for _ in 0..2 {
            let answer = ask(&service, request("HEAD", "/a", &[])).await;
            assert_eq!(answer.kind(), Some(ProxyErrorKind::Archived));
        }
    }
}
