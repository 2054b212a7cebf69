//! Releases of a website.

use std::time::Duration;

use demo_s3::{DemoS3, Denial};
use tower_s3_proxy::{
    Cache, ConfigErrorKind, Mount, MountBuilder, ProxyErrorKind, S3Proxy,
    access::{Access, Authorizer},
    bucket::ObjectKey,
    cache::{PurgeMode, PurgeTarget},
    website::{Precompressed, Releases, Website},
};

use super::{clock::Clock, compressed, told};
use crate::{
    log::Log,
    support::{BUCKET, ask, bucket, get, mount, proxy, request, s3},
};

/// A bucket with three releases, each with an asset of its own and one that all have.
async fn site() -> DemoS3 {
    let s3 = s3().await;
    for id in ["1", "2", "3"] {
        for (key, body) in [
            ("index.html", format!("home of {id}")),
            ("about.html", format!("about {id}")),
            ("app.js", format!("script of {id}")),
            ("404.html", format!("missing in {id}")),
            ("docs/index.html", format!("docs of {id}")),
            (&format!("assets/app-f787731{id}.js"), format!("asset of {id}")),
            (&format!("assets/only-{id}.js"), format!("only in {id}")),
            (&format!("page.f787731{id}.html"), format!("page of {id}")),
        ] {
            s3.store().put(BUCKET, &format!("site/releases/{id}/{key}"), body.into());
        }
    }
    s3
}

fn publish(s3: &DemoS3, current: &'static str) {
    s3.store().put(BUCKET, "site/current", current.into());
}

fn website() -> Website {
    Website::new().clean_urls(true).not_found("404.html").releases(Releases::new("releases"))
}

fn at(s3: &DemoS3, clock: &Clock, website: Website) -> MountBuilder {
    mount(s3).at("/www").prefix("site").website(website).time_source(clock.clone())
}

async fn text(service: &S3Proxy, path: &str) -> String {
    ask(service, get(path)).await.text().to_owned()
}

/// Asks until the home page reads so: what is due is read again behind a response.
async fn becomes(service: &S3Proxy, expected: &str) {
    let asking = async {
        while text(service, "/www/").await != expected {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), asking).await.expect(expected);
}

fn reads_of_current(s3: &DemoS3) -> usize {
    s3.log().iter().filter(|seen| seen.uri.contains("/site/current")).count()
}

#[tokio::test]
async fn paths_lead_to_the_current_release_and_nowhere_else() {
    let s3 = site().await;
    publish(&s3, "2\n");
    let service = proxy(at(&s3, &Clock::default(), website()));
    for (path, expected) in [
        ("/www/", (200, "", "home of 2")),
        ("/www", (308, "./www/", "")),
        ("/www/index.html", (200, "", "home of 2")),
        ("/www/about", (200, "", "about 2")),
        ("/www/docs?a=b", (308, "./docs/?a=b", "")),
        ("/www/docs/", (200, "", "docs of 2")),
        ("/www/missing", (404, "", "missing in 2")),
        ("/www/current", (404, "", "missing in 2")),
        ("/www/releases/1/index.html", (404, "", "missing in 2")),
        ("/www/../1/index.html", (404, "", "missing in 2")),
        ("/www/%2e%2e/1/index.html", (404, "", "missing in 2")),
        ("/www//", (404, "", "missing in 2")),
    ] {
        assert_eq!(told(&ask(&service, get(path)).await), expected, "{path}");
    }
    let whole = ask(&service, get("/www/")).await;
    let part = ask(&service, request("GET", "/www/", &[("range", "bytes=5-")])).await;
    assert_eq!(told(&part), (206, "", "of 2"));
    let same = ask(&service, request("GET", "/www/", &[("if-none-match", whole.header("etag"))])).await;
    assert_eq!(same.status, 304);
}

#[tokio::test]
async fn the_object_is_read_again_when_it_is_time_and_not_before() {
    // With a cache, too: that keeps objects for longer.
    let cache = Cache::builder(1 << 20).build().unwrap();
    for cache in [None, Some(cache)] {
        let (s3, clock) = (site().await, Clock::default());
        publish(&s3, "1");
        let builder = at(&s3, &clock, website().refresh(Duration::from_secs(60)));
        let service = proxy(match &cache {
            Some(cache) => builder.cache(cache).cache_ttl(Duration::from_secs(86_400)),
            None => builder,
        });
        for _ in 0..5 {
            assert_eq!(text(&service, "/www/").await, "home of 1");
        }
        assert_eq!(reads_of_current(&s3), 1);
        publish(&s3, "2");
        clock.advance(50);
        assert_eq!(text(&service, "/www/").await, "home of 1");
        assert_eq!(reads_of_current(&s3), 1);
        clock.advance(20);
        becomes(&service, "home of 2").await;
        assert_eq!(reads_of_current(&s3), 2);
        // Rolled back.
        publish(&s3, "1");
        clock.advance(70);
        becomes(&service, "home of 1").await;
        // Nothing new: by its tag.
        clock.advance(70);
        text(&service, "/www/").await;
        while reads_of_current(&s3) < 4 {
            tokio::task::yield_now().await;
        }
        let last = s3.log().into_iter().rfind(|seen| seen.uri.contains("/site/current")).unwrap();
        assert!(last.headers.contains_key("if-none-match"), "{last:?}");
    }
}

#[tokio::test]
async fn a_purge_of_the_object_makes_a_release_known_at_once() {
    let s3 = site().await;
    publish(&s3, "1");
    let cache = Cache::builder(1 << 20).build().unwrap();
    let builder = at(&s3, &Clock::default(), website().refresh(Duration::from_secs(600))).cache(&cache);
    let service = proxy(builder.cache_ttl(Duration::from_secs(600)));
    let key = |key| PurgeTarget::Object { bucket: bucket(BUCKET), key: ObjectKey::new(key).unwrap() };
    assert_eq!(text(&service, "/www/").await, "home of 1");
    for current in ["2", "3", "1"] {
        publish(&s3, current);
        cache.purge(&key("site/current"), PurgeMode::Hard);
        assert_eq!(text(&service, "/www/").await, format!("home of {current}"));
        assert_eq!(text(&service, "/www/about").await, format!("about {current}"));
    }
    s3.store().put(BUCKET, "site/current", "2".into());
    let event = format!(
        r#"{{"Records":[{{"eventName":"ObjectCreated:Put","s3":{{"bucket":{{"name":"{BUCKET}"}},"object":{{"key":"site/current"}}}}}}]}}"#
    );
    cache.apply_s3_event(event.as_bytes()).unwrap();
    assert_eq!(text(&service, "/www/").await, "home of 2");
    // Pages of the release are in the cache.
    s3.clear_log();
    assert_eq!(text(&service, "/www/").await, "home of 2");
    assert_eq!(s3.log().len(), 0);
}

#[tokio::test]
async fn assets_with_a_hash_outlive_their_release_and_nothing_else_does() {
    let (s3, clock) = (site().await, Clock::default());
    publish(&s3, "1");
    let service = proxy(at(&s3, &clock, website()));
    assert_eq!(text(&service, "/www/assets/app-f7877311.js").await, "asset of 1");
    assert_eq!(text(&service, "/www/assets/app-f7877312.js").await, "missing in 1", "not published yet");
    publish(&s3, "2");
    clock.advance(10);
    becomes(&service, "home of 2").await;
    publish(&s3, "3");
    clock.advance(10);
    becomes(&service, "home of 3").await;
    for (path, expected) in [
        ("/www/assets/app-f7877313.js", (200, "", "asset of 3")),
        ("/www/assets/app-f7877312.js", (200, "", "asset of 2")),
        ("/www/assets/app-f7877311.js", (200, "", "asset of 1")),
        ("/www/assets/app-f7877310.js", (404, "", "missing in 3")),
        ("/www/assets/only-2.js", (404, "", "missing in 3")),
        ("/www/page.f7877312.html", (404, "", "missing in 3")),
        ("/www/app.js", (200, "", "script of 3")),
    ] {
        assert_eq!(told(&ask(&service, get(path)).await), expected, "{path}");
    }
    let part = [("range", "bytes=0-4")];
    assert_eq!(
        told(&ask(&service, request("GET", "/www/assets/app-f7877312.js", &part)).await),
        (206, "", "asset")
    );
}

#[tokio::test]
async fn the_object_can_name_the_releases_before_the_current_one() {
    let s3 = site().await;
    publish(&s3, "3\n2\n1\n");
    for (keep, expected) in [(0, [404, 404]), (1, [200, 404]), (2, [200, 200])] {
        let site = Website::new().releases(Releases::new("releases").keep(keep));
        let service = proxy(at(&s3, &Clock::default(), site));
        for (path, status) in
            ["/www/assets/app-f7877312.js", "/www/assets/app-f7877311.js"].into_iter().zip(expected)
        {
            assert_eq!(ask(&service, get(path)).await.status, status, "{path}, {keep} kept");
        }
    }
}

#[tokio::test]
async fn what_names_no_release_is_told_and_the_last_one_stays() {
    let (s3, clock) = (site().await, Clock::default());
    let service = proxy(crate::support::once(at(&s3, &clock, website())));
    let (log, _guard) = Log::start();
    let none = ask(&service, get("/www/")).await;
    assert_eq!((none.status.as_u16(), none.kind()), (404, Some(ProxyErrorKind::NotFound)));
    publish(&s3, "../1");
    clock.advance(2);
    let none = ask(&service, get("/www/")).await;
    assert_eq!(none.kind(), Some(ProxyErrorKind::OriginMisconfigured));
    publish(&s3, "1");
    clock.advance(2);
    assert_eq!(text(&service, "/www/").await, "home of 1");
    for (current, says) in [("1\nno release", "line 2 is no id"), ("", "it is empty")] {
        publish(&s3, current);
        clock.advance(10);
        text(&service, "/www/").await;
        log_says(&log, says).await;
        assert_eq!(text(&service, "/www/").await, "home of 1");
    }
    let lines = log.lines().len();
    clock.advance(10);
    let reads = reads_of_current(&s3);
    text(&service, "/www/").await;
    while reads_of_current(&s3) == reads {
        tokio::task::yield_now().await;
    }
    s3.store().delete(BUCKET, "site/current");
    clock.advance(10);
    text(&service, "/www/").await;
    log_says(&log, "no object names the current release any more").await;
    assert_eq!(log.lines().len(), lines + 1, "each is told once: {:#?}", log.lines());
    assert_eq!(text(&service, "/www/").await, "home of 1");
    // Trouble of S3.
    publish(&s3, "2");
    s3.store().deny(BUCKET, "site/current", Denial::SlowDown);
    clock.advance(10);
    text(&service, "/www/").await;
    log_says(&log, "the website was not read again").await;
    assert_eq!(text(&service, "/www/").await, "home of 1");
    s3.store().heal(BUCKET, "site/current");
    clock.advance(10);
    becomes(&service, "home of 2").await;
}

/// Waits for a line of the log.
async fn log_says(log: &Log, what: &str) {
    let waiting = async {
        while !log.lines().iter().any(|line| line.contains(what)) {
            tokio::task::yield_now().await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(20), waiting).await;
    assert!(waited.is_ok(), "{what}: {:#?}", log.lines());
}

#[tokio::test]
async fn trouble_of_s3_is_told_where_no_release_is_known_and_not_asked_about_by_each() {
    let (s3, clock) = (site().await, Clock::default());
    publish(&s3, "1");
    s3.store().deny(BUCKET, "site/current", Denial::SlowDown);
    let service = proxy(crate::support::once(at(&s3, &clock, website())));
    for _ in 0..10 {
        let answer = ask(&service, get("/www/")).await;
        assert_eq!((answer.status.as_u16(), answer.kind()), (503, Some(ProxyErrorKind::OriginBusy)));
    }
    assert!(reads_of_current(&s3) <= 2, "{}", reads_of_current(&s3));
    s3.store().heal(BUCKET, "site/current");
    clock.advance(2);
    assert_eq!(text(&service, "/www/").await, "home of 1");
}

#[tokio::test]
async fn the_first_visitors_wait_for_one_read_and_a_client_that_leaves_ends_nothing() {
    let s3 = site().await;
    publish(&s3, "1");
    let hold = s3.store().hold(BUCKET, "site/current");
    let service = proxy(at(&s3, &Clock::default(), website()));
    let leaves = tokio::spawn({
        let service = service.clone();
        async move { ask(&service, get("/www/")).await.status }
    });
    while reads_of_current(&s3) == 0 {
        tokio::task::yield_now().await;
    }
    leaves.abort();
    let mut visitors = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let service = service.clone();
        visitors.spawn(async move { text(&service, "/www/").await });
    }
    tokio::task::yield_now().await;
    drop(hold);
    assert!(visitors.join_all().await.iter().all(|home| home == "home of 1"));
    assert_eq!(reads_of_current(&s3), 1);
}

#[tokio::test]
async fn a_request_ends_in_the_release_in_which_it_began() {
    let (s3, clock) = (site().await, Clock::default());
    publish(&s3, "1");
    let service = proxy(at(&s3, &clock, website()));
    assert_eq!(text(&service, "/www/").await, "home of 1");
    // `/missing` is asked for, then `missing.html`, the folder, and the page of the error.
    let hold = s3.store().hold(BUCKET, "site/releases/1/missing");
    let begun = tokio::spawn({
        let service = service.clone();
        async move { text(&service, "/www/missing").await }
    });
    while !s3.log().iter().any(|seen| seen.uri.ends_with("/site/releases/1/missing")) {
        tokio::task::yield_now().await;
    }
    publish(&s3, "2");
    clock.advance(10);
    becomes(&service, "home of 2").await;
    drop(hold);
    assert_eq!(begun.await.unwrap(), "missing in 1");
    assert_eq!(text(&service, "/www/missing").await, "missing in 2");
}

#[tokio::test]
async fn an_authorizer_sees_whole_keys_and_precompressed_files_are_of_their_release() {
    let s3 = site().await;
    publish(&s3, "2\n1");
    s3.store().put(BUCKET, "site/releases/1/assets/app-f7877311.js.br", "asset of 1 in brotli".into());
    s3.store().put(BUCKET, "site/releases/2/app.js.br", "script of 2 in brotli".into());
    let authorizer = Authorizer::new(|request| {
        let may = request.key().as_str().starts_with("site/releases/");
        async move {
            Ok(if may { Access::Allow } else { Access::Deny(tower_s3_proxy::access::Denial::forbidden()) })
        }
    });
    let site = website().precompressed([Precompressed::Brotli]);
    let service = proxy(compressed(&s3).website(site).authorize(authorizer));
    for (path, expected) in [
        ("/www/app.js", "script of 2 in brotli"),
        ("/www/assets/app-f7877311.js", "asset of 1 in brotli"),
        ("/www/assets/app-f7877312.js", "asset of 2"),
    ] {
        let answer = ask(&service, request("GET", path, &[("accept-encoding", "br")])).await;
        assert_eq!((answer.status.as_u16(), answer.text()), (200, expected), "{path}");
    }
}

#[test]
fn releases_that_cannot_be_are_refused() {
    use ConfigErrorKind::{Contradiction, InvalidValue};
    let fixed = || Mount::builder(bucket("media"));
    let releases = |releases: Releases| Website::new().releases(releases);
    let plain = || releases(Releases::new("releases"));
    for (builder, website, kind, says) in [
        (
            fixed(),
            releases(Releases::new("releases").current("../current")),
            InvalidValue,
            "behind the mount's prefix",
        ),
        (
            fixed(),
            releases(Releases::new("releases").current("/current")),
            InvalidValue,
            "behind the mount's prefix",
        ),
        (fixed(), releases(Releases::new("releases").current("")), InvalidValue, "behind the mount's prefix"),
        (fixed(), releases(Releases::new("../releases")), InvalidValue, "behind the mount's prefix"),
        (
            fixed(),
            releases(Releases::new("releases").current("releases/41/current")),
            Contradiction,
            "lies in the folder of a release",
        ),
        (
            fixed(),
            releases(Releases::new("").current("41/current")),
            Contradiction,
            "lies in the folder of a release",
        ),
        (fixed(), releases(Releases::new("releases").keep(21)), InvalidValue, "at most 20"),
        (fixed(), plain().refresh(Duration::ZERO), InvalidValue, "at least 1s"),
        (fixed(), Website::new().refresh(Duration::from_secs(9)), Contradiction, "or leave that out"),
        (fixed().cache_bust_segment(true), plain(), Contradiction, "leave it out"),
        (Mount::bucket_from_path(["media-*"]), plain(), Contradiction, "a mount of one bucket"),
    ] {
        let why = builder.region("us-west-2").anonymous().website(website).build().unwrap_err();
        assert_eq!(why.kind(), kind, "{why}");
        assert!(why.to_string().contains(says), "{why}");
    }
    for (prefix, current) in
        [("releases", "releases/current"), ("releases", "releases-of/x/current"), ("", "current")]
    {
        let site = releases(Releases::new(prefix).current(current));
        fixed().region("us-west-2").anonymous().website(site).build().unwrap();
    }
    let from_file = "[[mount]]\nbucket = \"media\"\nregion = \"us-west-2\"\nanonymous = true\n[mount.website]\n\
                     refresh_secs = 1\nreleases = { prefix = \"r\", current = \"c\", keep = 0 }";
    tower_s3_proxy::S3ProxyConfig::from_toml(from_file, None).unwrap();
}
