//! The files `_headers` and `_redirects` of a website.

use std::time::Duration;

use demo_s3::{DemoS3, Denial};
use tower_s3_proxy::{
    Cache, Cors, MountBuilder, ProxyErrorKind, S3Proxy,
    website::{Releases, Website},
};

use super::{BROWSER, clock::Clock, full, told};
use crate::{
    log::Log,
    support::{Answer, BUCKET, ask, get, mount, proxy, request, s3},
};

const REDIRECTS: &str = "
/former           /docs/            302
/old-page        /about?from=old#top
/blog/:y/:name   /posts/:y-:name   308
/shop/*          https://shop.test/:splat
/open/*          /:splat           302
/docs/           /never            301
/films/*         /app.html         200
/folder/*        /docs             200
/nothing/*       /gone.html        200
/de/*            /de/404.html      404
not a rule at all
";

const FIELDS: &str = "
/*
  X-Frame-Options: DENY
  Access-Control-Allow-Origin: *
  Cache-Control: no-cache
/docs/*
  X-Docs: yes
  Content-Length: 7
/assets/*
  Cache-Control: immutable
";

async fn site() -> DemoS3 {
    let s3 = super::site().await;
    s3.store().put(BUCKET, "site/de/404.html", "keine Seite".into());
    s3.store().put(BUCKET, "site/assets/a.js", "script".into());
    s3.store().put(BUCKET, "site/_redirects", REDIRECTS.into());
    s3.store().put(BUCKET, "site/_headers", FIELDS.into());
    s3
}

fn at(s3: &DemoS3, clock: &Clock, website: Website) -> MountBuilder {
    mount(s3).at("/www").prefix("site").website(website.rules(true)).time_source(clock.clone())
}

async fn asked(service: &S3Proxy, path: &str) -> Answer {
    ask(service, get(path)).await
}

#[tokio::test]
async fn rules_lead_paths_without_an_object() {
    let s3 = site().await;
    let service = proxy(at(&s3, &Clock::default(), full()));
    for (path, expected) in [
        ("/www/former", (302, "./docs/", "")),
        ("/www/former?a=b", (302, "./docs/?a=b", "")),
        ("/www/old-page?a=b", (301, "./about?from=old#top", "")),
        ("/www/blog/2024/x", (308, "../../posts/2024-x", "")),
        ("/www/shop/a%20b?c=d", (301, "https://shop.test/a%20b?c=d", "")),
        // An object comes before a rule.
        ("/www/docs/", (200, "", "docs")),
        ("/www/films/7/8", (200, "", "the app")),
        ("/www/folder/x", (200, "", "docs")),
        ("/www/nothing/x", (404, "", "no such page")),
        ("/www/de/x", (404, "", "keine Seite")),
        ("/www/missing", (404, "", "no such page")),
        ("/www/_headers", (404, "", "no such page")),
        ("/www/_redirects", (404, "", "no such page")),
        ("/www/%5Fredirects", (404, "", "no such page")),
    ] {
        assert_eq!(told(&asked(&service, path).await), expected, "{path}");
    }
    let head = ask(&service, request("HEAD", "/www/former", &[])).await;
    assert_eq!(told(&head), (302, "./docs/", ""));
    // Without rules, these are files like others.
    let plain = proxy(mount(&s3).at("/www").prefix("site").website(full()));
    assert_eq!(asked(&plain, "/www/_redirects").await.text(), REDIRECTS);
    assert_eq!(asked(&plain, "/www/former").await.status, 404);
}

#[tokio::test]
async fn a_rule_leads_to_no_other_host_by_the_path_of_a_request() {
    let s3 = site().await;
    let service = proxy(at(&s3, &Clock::default(), full()));
    for (path, location) in [
        ("/www/open/evil.test", "../evil.test"),
        ("/www/open//evil.test", "../..//evil.test"),
        ("/www/open/%2Fevil.test", "..//evil.test"),
        ("/www/open/%5Cevil.test", "../%5Cevil.test"),
        ("/www/open/https://evil.test", "../../../https%3A//evil.test"),
        ("/www/open/%0D%0AX-A:%20b", "../%0D%0AX-A%3A%20b"),
        ("/www/shop//evil.test", "https://shop.test//evil.test"),
        ("/www/shop/@evil.test", "https://shop.test/%40evil.test"),
    ] {
        assert_eq!(asked(&service, path).await.header("location"), location, "{path}");
    }
    for path in ["/www/open/../x", "/www/open/%2e%2e/x", "/www/shop/..%2f..%2fx", "/www/open/%zz"] {
        let answer = asked(&service, path).await;
        assert_eq!((answer.status.as_u16(), answer.header("location")), (404, ""), "{path}");
    }
}

#[tokio::test]
async fn the_root_of_a_mount_can_be_led_elsewhere_with_and_without_its_slash() {
    let s3 = s3().await;
    s3.store().put(BUCKET, "site/_redirects", "/ /en/ 302\n/x /".into());
    let service = proxy(at(&s3, &Clock::default(), Website::new()));
    for (path, location) in [("/www/", "./en/"), ("/www", "./www/en/"), ("/www/x", "./")] {
        assert_eq!(asked(&service, path).await.header("location"), location, "{path}");
    }
}

#[tokio::test]
async fn the_page_of_an_application_comes_after_the_rules() {
    let s3 = site().await;
    let service = proxy(at(&s3, &Clock::default(), Website::new().single_page("app.html")));
    for (path, expected) in [("/www/former", (302, "./docs/", "")), ("/www/other", (200, "", "the app"))] {
        assert_eq!(told(&ask(&service, request("GET", path, &[BROWSER])).await), expected, "{path}");
    }
    assert_eq!(asked(&service, "/www/other").await.status, 404);
}

#[tokio::test]
async fn fields_are_on_all_that_the_site_serves() {
    let s3 = site().await;
    let cache = Cache::builder(1 << 20).build().unwrap();
    let caches = [None, Some(cache)];
    for cache in &caches {
        let builder = at(&s3, &Clock::default(), full());
        let service = proxy(match cache {
            Some(cache) => builder.cache(cache).cache_ttl(Duration::from_secs(600)),
            None => builder,
        });
        // Twice: the second time, much is in the cache.
        for _ in 0..2 {
            for (path, status, cache_control, docs) in [
                ("/www/", 200, "no-cache", ""),
                ("/www/docs/", 200, "no-cache", "yes"),
                ("/www/assets/a.js", 200, "no-cache, immutable", ""),
                ("/www/docs", 308, "max-age=300", ""),
                ("/www/former", 302, "max-age=300", ""),
                ("/www/missing", 404, "no-store", ""),
                // No key, and no pattern but `*` is for them: their page is the site's all the same.
                ("/www/docs/..%2fx", 404, "no-store", "yes"),
                ("/www/%zz", 404, "no-store", ""),
            ] {
                let answer = asked(&service, path).await;
                let fields =
                    (answer.status.as_u16(), answer.header("x-frame-options"), answer.header("x-docs"));
                assert_eq!(fields, (status, "DENY", docs), "{path}");
                assert_eq!(answer.header("access-control-allow-origin"), "*", "{path}");
                match cache_control {
                    "no-store" => {
                        assert_ne!(answer.header("cache-control"), "no-cache", "{path}: of an error");
                    }
                    _ => assert_eq!(answer.header("cache-control"), cache_control, "{path}"),
                }
            }
        }
        let docs = asked(&service, "/www/docs/").await;
        assert_eq!((docs.header("content-length"), docs.text()), ("4", "docs"));
        let same =
            ask(&service, request("GET", "/www/docs/", &[("if-none-match", docs.header("etag"))])).await;
        let fields = (same.status.as_u16(), same.header("x-docs"), same.header("cache-control"));
        assert_eq!(fields, (304, "yes", "no-cache"));
    }
    // The operator decides about other origins.
    let service = proxy(at(&s3, &Clock::default(), full()).cors(Cors::origins(["https://app.test"])));
    for (origin, allowed) in [("https://app.test", "https://app.test"), ("https://evil.test", "")] {
        let answer = ask(&service, request("GET", "/www/", &[("origin", origin)])).await;
        assert_eq!(answer.header("access-control-allow-origin"), allowed, "{origin}");
        assert_eq!(answer.header("x-frame-options"), "DENY");
    }
}

#[tokio::test]
async fn a_wrong_line_is_told_once_with_its_file_and_changes_are_read() {
    let (s3, clock) = (site().await, Clock::default());
    let (log, _guard) = Log::start();
    let service = proxy(crate::support::once(at(&s3, &clock, full())));
    for _ in 0..3 {
        assert_eq!(asked(&service, "/www/former").await.status, 302);
        clock.advance(10);
    }
    let told = |what: &str| log.lines().iter().filter(|line| line.contains(what)).count();
    let of_redirects = log.lines().into_iter().find(|line| line.contains("site/_redirects")).unwrap();
    assert!(of_redirects.contains("line=12") && of_redirects.contains("slash"), "{of_redirects}");
    let of_fields = log.lines().into_iter().find(|line| line.contains("site/_headers")).unwrap();
    assert!(of_fields.contains("line=8") && of_fields.contains("can't set content-length"), "{of_fields}");
    assert_eq!(told("has no effect"), 2, "{:#?}", log.lines());
    s3.store().put(BUCKET, "site/_redirects", "/former /new 307".into());
    s3.store().delete(BUCKET, "site/_headers");
    clock.advance(10);
    let changed = async {
        loop {
            let answer = asked(&service, "/www/former").await;
            if answer.status == 307 && answer.header("x-frame-options").is_empty() {
                break;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), changed).await.unwrap();
    s3.store().put(BUCKET, "site/_headers", "x".repeat(64 * 1024 + 1).into());
    s3.store().put(BUCKET, "site/_redirects", bytes::Bytes::from_static(b"/former \xff"));
    clock.advance(10);
    asked(&service, "/www/former").await;
    let waiting = async {
        while told("it is larger than 64 KiB") + told("it is not UTF-8") < 2 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waiting).await.unwrap();
    assert_eq!(asked(&service, "/www/former").await.status, 404);
}

/// Without its fields a page would lack what protects it.
#[tokio::test]
async fn nothing_is_served_before_the_rules_are_known() {
    let (s3, clock) = (site().await, Clock::default());
    let service = proxy(crate::support::once(at(&s3, &clock, full())));
    s3.store().deny(BUCKET, "site/_headers", Denial::SlowDown);
    assert_eq!(asked(&service, "/www/").await.kind(), Some(ProxyErrorKind::OriginBusy));
    s3.store().heal(BUCKET, "site/_headers");
    clock.advance(2);
    assert_eq!(asked(&service, "/www/").await.header("x-frame-options"), "DENY");
}

#[tokio::test]
async fn rules_are_those_of_the_release() {
    let (s3, clock) = (s3().await, Clock::default());
    for id in ["1", "2"] {
        for (key, body) in [
            ("index.html", format!("home of {id}")),
            ("_redirects", format!("/where /in-{id} 302")),
            ("_headers", format!("/*\n  X-Release: {id}")),
        ] {
            s3.store().put(BUCKET, &format!("site/releases/{id}/{key}"), body.into());
        }
    }
    s3.store().put(BUCKET, "site/_headers", "/*\n  X-Release: none".into());
    s3.store().put(BUCKET, "site/current", "1".into());
    let service = proxy(at(&s3, &clock, Website::new().releases(Releases::new("releases"))));
    for id in ["1", "2", "1"] {
        s3.store().put(BUCKET, "site/current", id.into());
        clock.advance(10);
        let switched = async {
            while asked(&service, "/www/").await.text() != format!("home of {id}") {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), switched).await.unwrap();
        let led = asked(&service, "/www/where").await;
        assert_eq!((led.header("location"), led.header("x-release")), (&*format!("./in-{id}"), id));
        assert_eq!(asked(&service, "/www/_headers").await.status, 404);
        let home = asked(&service, "/www/").await;
        assert_eq!((home.text(), home.header("x-release")), (&*format!("home of {id}"), id));
    }
}
