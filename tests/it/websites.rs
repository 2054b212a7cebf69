//! Mounts that are websites.

mod bucket;
mod clock;
mod moto;
mod releases;
mod rules;

use bytes::Bytes;
use demo_s3::{DemoS3, ObjectAttributes};
use http::HeaderValue;
use http_body_util::Empty;
use tower_s3_proxy::{
    Cache, ConfigErrorKind, Mount, MountBuilder, ProxyErrorKind, S3ProxyLayer,
    access::{Access, Authorizer, CredentialSelector, Denial},
    links::{LinkPolicy, Redirect},
    response::{DeniedAnswer, Fallback},
    website::{Precompressed, Website},
};

use crate::support::{Answer, BUCKET, ask, bucket, get, mount, proxy, request, s3};

const BROWSER: (&str, &str) = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");

/// A bucket with a small site below `site/`.
async fn site() -> DemoS3 {
    let s3 = s3().await;
    for (key, body) in [
        ("index.html", "home"),
        ("about.html", "about us"),
        ("docs/index.html", "docs"),
        ("docs/a b.txt", "text"),
        ("old/default.htm", "old"),
        ("404.html", "no such page"),
        ("403.html", "not for you"),
        ("app.html", "the app"),
        ("logo.png", "png"),
    ] {
        s3.store().put(BUCKET, &format!("site/{key}"), body.into());
    }
    let moved = |to: &'static str| ObjectAttributes::new().website_redirect(HeaderValue::from_static(to));
    for (key, to) in [
        ("moved", "/docs/index.html"),
        ("deep/er/moved", "/docs/index.html"),
        ("away", "https://example.com/x?y"),
        ("odd", "//example.com/"),
        ("odder", "javascript:alert(1)"),
    ] {
        s3.store().put_with(BUCKET, &format!("site/{key}"), "moved".into(), moved(to));
    }
    s3
}

fn full() -> Website {
    Website::new().index(["index.html", "default.htm"]).clean_urls(true).not_found("404.html")
}

fn at(s3: &DemoS3, website: Website) -> MountBuilder {
    mount(s3).at("/www").prefix("site").website(website)
}

fn told(answer: &Answer) -> (u16, &str, &str) {
    (answer.status.as_u16(), answer.header("location"), answer.text())
}

#[tokio::test]
async fn paths_lead_to_objects_pages_and_folders() {
    let s3 = site().await;
    let caches = [None, Some(Cache::builder(1 << 20).build().unwrap())];
    for cache in caches {
        let builder = at(&s3, full());
        let service = proxy(match &cache {
            Some(cache) => builder.cache(cache),
            None => builder,
        });
        // Twice: the second time, much is known.
        for _ in 0..2 {
            for (path, expected) in [
                ("/www/", (200, "", "home")),
                ("/www", (308, "./www/", "")),
                ("/www?a=b", (308, "./www/?a=b", "")),
                ("/www/index.html", (200, "", "home")),
                ("/www/docs/", (200, "", "docs")),
                ("/www/docs", (308, "./docs/", "")),
                ("/www/docs?q=1&r=%2F", (308, "./docs/?q=1&r=%2F", "")),
                ("/www/old", (308, "./old/", "")),
                ("/www/old/", (200, "", "old")),
                ("/www/about", (200, "", "about us")),
                ("/www/about.html", (200, "", "about us")),
                ("/www/docs/a%20b.txt", (200, "", "text")),
                ("/www/logo.png", (200, "", "png")),
                ("/www/logo.png/", (404, "", "no such page")),
                ("/www/missing", (404, "", "no such page")),
                ("/www/docs/missing/", (404, "", "no such page")),
                ("/www//docs", (404, "", "no such page")),
                ("/www/moved", (301, "./docs/index.html", "")),
                ("/www/deep/er/moved", (301, "../../docs/index.html", "")),
                ("/www/away", (301, "https://example.com/x?y", "")),
                // Not what S3 takes for a redirect.
                ("/www/odd", (200, "", "moved")),
                ("/www/odder", (200, "", "moved")),
            ] {
                let answer = ask(&service, get(path)).await;
                assert_eq!(told(&answer), expected, "{path} {}", cache.is_some());
                assert!(!answer.headers.contains_key("x-amz-website-redirect-location"), "{path}");
            }
        }
    }
}

#[tokio::test]
async fn no_path_leads_out_of_the_site_or_to_another_host() {
    let s3 = site().await;
    s3.store().put(BUCKET, "secret/index.html", "secret".into());
    s3.store().put(BUCKET, "site//evil.example/index.html", "x".into());
    let service = proxy(at(&s3, full()));
    let long = format!("/www/{}", "a".repeat(2000));
    for path in
        ["/www/../secret/", "/www/..%2fsecret/", "/www/%2e%2e/secret/", "/www/a%00b", &long, "/secret/"]
    {
        let answer = ask(&service, get(path)).await;
        assert_eq!(answer.status, 404, "{path}");
        assert_ne!(answer.text(), "secret");
    }
    let slashes = ask(&service, get("/www//evil.example")).await;
    assert_eq!(told(&slashes), (308, "./evil.example/", ""), "relative to its own path");
}

#[tokio::test]
async fn a_missing_page_keeps_its_status_and_has_a_body_of_its_own() {
    let s3 = site().await;
    let service = proxy(at(&s3, full()));
    let page =
        ask(&service, request("GET", "/www/missing", &[("range", "bytes=0-1"), ("if-none-match", "*")]))
            .await;
    assert_eq!(told(&page), (404, "", "no such page"));
    assert_eq!(page.kind(), Some(ProxyErrorKind::NotFound));
    assert_eq!((page.header("content-type"), page.header("content-length")), ("text/html", "12"));
    assert!(
        !page.headers.contains_key("etag") && !page.headers.contains_key("accept-ranges"),
        "{:?}",
        page.headers
    );
    let head = ask(&service, request("HEAD", "/www/missing", &[])).await;
    assert_eq!((head.status.as_u16(), head.header("content-length"), head.body.len()), (404, "12", 0));
    // Without the page itself, the words of the proxy.
    s3.store().delete(BUCKET, "site/404.html");
    let plain = ask(&service, get("/www/missing")).await;
    assert!(plain.text().starts_with("404 Not Found"), "{}", plain.text());
}

#[tokio::test]
async fn ranges_and_conditions_hold_for_an_index_document() {
    let s3 = site().await;
    let service = proxy(at(&s3, full()));
    let whole = ask(&service, get("/www/docs/")).await;
    let part = ask(&service, request("GET", "/www/docs/", &[("range", "bytes=1-2")])).await;
    assert_eq!(told(&part), (206, "", "oc"));
    let same = ask(&service, request("GET", "/www/docs/", &[("if-none-match", whole.header("etag"))])).await;
    assert_eq!(same.status, 304);
    let head = ask(&service, request("HEAD", "/www/docs", &[])).await;
    assert_eq!(told(&head), (308, "./docs/", ""));
}

#[tokio::test]
async fn an_application_gets_its_page_for_navigations_and_nothing_else() {
    let s3 = site().await;
    let service = proxy(at(&s3, Website::new().single_page("app.html").not_found("404.html")));
    // Else a cache would hand the page to the application's own requests for data.
    let by = "Sec-Fetch-Mode, Accept";
    for (path, field, expected) in [
        ("/www/films/7", BROWSER, (200, "the app", by)),
        ("/www/films/7", ("sec-fetch-mode", "navigate"), (200, "the app", by)),
        ("/www/films/7", ("accept", "application/json"), (404, "no such page", "")),
        ("/www/script.js", ("sec-fetch-mode", "no-cors"), (404, "no such page", "")),
        ("/www/app.html", BROWSER, (200, "the app", "")),
        ("/www/logo.png", BROWSER, (200, "png", "")),
        ("/www/", BROWSER, (200, "home", "")),
    ] {
        let answer = ask(&service, request("GET", path, &[field])).await;
        let told = (answer.status.as_u16(), answer.text(), answer.header("vary"));
        assert_eq!(told, expected, "{path} {field:?}");
    }
}

/// Only what is missing leads to the next candidate: trouble of S3 is told, and what S3 denies stays denied.
#[tokio::test]
async fn trouble_is_never_a_missing_page() {
    use demo_s3::Denial as S3Denial;
    let s3 = site().await;
    let denials = [(S3Denial::AccessDenied, 403, "not for you"), (S3Denial::SlowDown, 503, "503 Service")];
    for (denial, status, body) in denials {
        s3.store().deny(BUCKET, "site/about", denial);
        let website = full().error_document(403, "403.html");
        let service = proxy(crate::support::once(at(&s3, website)).denied(DeniedAnswer::Forbidden));
        let answer = ask(&service, get("/www/about")).await;
        assert_eq!(answer.status, status);
        assert!(answer.text().starts_with(body), "{}", answer.text());
        s3.store().heal(BUCKET, "site/about");
    }
}

#[tokio::test]
async fn a_cold_page_costs_one_request_and_a_warm_one_none() {
    let s3 = site().await;
    let cache = Cache::builder(1 << 20).build().unwrap();
    let ttl = std::time::Duration::from_secs(600);
    let service = proxy(at(&s3, full()).cache(&cache).cache_ttl(ttl));
    for (path, cold) in [("/www/", 1), ("/www/docs/", 1), ("/www/about.html", 1), ("/www/about", 1)] {
        s3.clear_log();
        assert_eq!(ask(&service, get(path)).await.status, 200);
        assert_eq!(s3.log().len(), cold, "{path}");
        assert_eq!(ask(&service, get(path)).await.status, 200);
        assert_eq!(s3.log().len(), cold, "{path}, again");
    }
    s3.clear_log();
    for _ in 0..3 {
        assert_eq!(ask(&service, get("/www/missing")).await.status, 404);
    }
    assert!(s3.log().len() <= 5, "what is missing is remembered: {}", s3.log().len());
}

#[tokio::test]
async fn the_authorizer_is_asked_about_each_object_and_its_denial_is_final() {
    let s3 = site().await;
    let authorizer = Authorizer::new(|request| {
        let may = !request.key().as_str().starts_with("site/docs/");
        async move { Ok(if may { Access::Allow } else { Access::Deny(Denial::forbidden()) }) }
    });
    let service = proxy(at(&s3, full().error_document(403, "403.html")).authorize(authorizer));
    assert_eq!(ask(&service, get("/www/")).await.text(), "home");
    for path in ["/www/docs/", "/www/docs"] {
        let denied = ask(&service, get(path)).await;
        assert_eq!((denied.status.as_u16(), denied.kind()), (403, Some(ProxyErrorKind::Denied)), "{path}");
        assert!(denied.text().starts_with("403 Forbidden"), "{path}: its own words: {:?}", denied.text());
        assert_eq!(denied.header("content-length"), denied.body.len().to_string(), "{path}");
    }
}

#[tokio::test]
async fn a_denial_of_the_selector_keeps_its_fields() {
    let s3 = site().await;
    let challenge = || Denial::unauthorized(HeaderValue::from_static("Basic realm=\"films\""));
    for website in [full(), full().rules(true)] {
        let selector = CredentialSelector::new(move |_| Access::Deny(challenge()));
        let service = proxy(at(&s3, website).select_credentials(selector));
        for path in ["/www/", "/www/logo.png", "/www/missing"] {
            let denied = ask(&service, get(path)).await;
            let fields = (denied.status.as_u16(), denied.header("www-authenticate"));
            assert_eq!(fields, (401, "Basic realm=\"films\""), "{path}");
        }
    }
}

/// A link has neither the type of the file nor the status of the error, and one for HEAD is of no use to GET.
#[tokio::test]
async fn only_what_the_client_asked_for_is_redirected_to_a_link() {
    let s3 = site().await;
    for (key, body) in [("app.js", "plain"), ("app.js.br", "in brotli")] {
        s3.store().put(BUCKET, &format!("site/{key}"), body.into());
    }
    let redirect = || LinkPolicy::new().redirect(Redirect::always().at_least(1));
    let service = proxy(compressed(&s3).links(redirect()));
    for (path, expected) in [
        ("/www/docs", (308, "./docs/", "")),
        ("/www/missing", (404, "", "no such page")),
        ("/www/app.js", (200, "", "in brotli")),
    ] {
        let answer = ask(&service, request("GET", path, &[("accept-encoding", "br")])).await;
        assert_eq!(told(&answer), expected, "{path}");
    }
    for path in ["/www/logo.png", "/www/docs/", "/www/app.js"] {
        assert_eq!(ask(&service, get(path)).await.status, 307, "{path}");
    }
}

#[tokio::test]
async fn what_is_missing_can_go_to_the_inner_service() {
    let s3 = site().await;
    let builder = at(&s3, Website::new()).fallback(Fallback::Inner);
    let inner = tower::service_fn(|request: http::Request<Empty<Bytes>>| async move {
        let body = http_body_util::Full::new(Bytes::from(format!("inner {}", request.uri().path())));
        Ok::<_, std::convert::Infallible>(http::Response::new(body))
    });
    let service = tower::Layer::layer(&S3ProxyLayer::new(builder.build().unwrap()), inner);
    assert_eq!(ask(&service, get("/www/docs/")).await.text(), "docs");
    assert_eq!(ask(&service, get("/www/missing")).await.text(), "inner /www/missing");
    let both = at(&s3, full()).fallback(Fallback::Inner).build().unwrap_err();
    assert_eq!(both.kind(), ConfigErrorKind::Contradiction);
}

#[test]
fn names_that_are_none_are_refused() {
    let mount = || Mount::builder(bucket("media")).region("us-west-2").anonymous();
    for website in [
        Website::new().index(["a/index.html"]),
        Website::new().index([""]),
        Website::new().not_found("/404.html"),
        Website::new().not_found("404/"),
        Website::new().single_page(""),
        Website::new().single_page("../app.html"),
        Website::new().error_document(200, "ok.html"),
        Website::new().error_document(700, "x.html"),
    ] {
        let why = mount().website(website).build().unwrap_err();
        assert_eq!(why.kind(), ConfigErrorKind::InvalidValue, "{why}");
    }
}

#[test]
fn pages_that_would_never_be_served_are_refused() {
    let one = || Mount::builder(bucket("media"));
    let many = || Mount::bucket_from_path(["media-*"]);
    for (builder, website, said) in [
        (many(), Website::new().single_page("app.html"), "the page \"app.html\""),
        (many(), Website::new().not_found("404.html"), "the page \"404.html\""),
        (one(), full().error_document(404, "other.html"), "two pages for the status 404"),
    ] {
        let why = builder.region("us-west-2").anonymous().website(website).build().unwrap_err();
        assert_eq!(why.kind(), ConfigErrorKind::Contradiction, "{why}");
        assert!(why.to_string().contains(said), "{why}");
    }
    // One page for all buckets.
    let shared = Website::new().not_found("media-shared/404.html");
    many().region("us-west-2").anonymous().website(shared).build().unwrap();
}

fn compressed(s3: &DemoS3) -> MountBuilder {
    let codings = [Precompressed::Brotli, Precompressed::Zstd, Precompressed::Gzip];
    let cache = Cache::builder(1 << 20).build().unwrap();
    at(s3, full().precompressed(codings)).cache(&cache).cache_ttl(std::time::Duration::from_secs(600))
}

#[tokio::test]
async fn a_client_gets_the_coding_that_it_takes() {
    let s3 = site().await;
    for (key, body) in [
        ("app.js", "plain"),
        ("app.js.br", "in brotli"),
        ("app.js.gz", "in gzip"),
        ("docs/index.html.gz", "docs in gzip"),
        ("logo.png.br", "never"),
        ("about.html.br", "about in brotli"),
    ] {
        s3.store().put(BUCKET, &format!("site/{key}"), body.into());
    }
    let service = proxy(compressed(&s3));
    // Twice: the second time from the cache.
    for _ in 0..2 {
        for (path, accepts, body, coding) in [
            ("/www/app.js", "gzip, br, zstd", "in brotli", "br"),
            ("/www/app.js", "gzip", "in gzip", "gzip"),
            ("/www/app.js", "gzip;q=1, br;q=0.9", "in gzip", "gzip"),
            ("/www/app.js", "zstd", "plain", ""),
            ("/www/app.js", "identity", "plain", ""),
            ("/www/docs/", "br, gzip", "docs in gzip", "gzip"),
            ("/www/about", "br", "about in brotli", "br"),
            ("/www/logo.png", "br", "png", ""),
        ] {
            let answer = ask(&service, request("GET", path, &[("accept-encoding", accepts)])).await;
            assert_eq!(
                (answer.text(), answer.header("content-encoding")),
                (body, coding),
                "{path} {accepts}"
            );
            let vary = if path.ends_with("png") { "" } else { "Accept-Encoding" };
            assert_eq!(answer.header("vary"), vary, "{path} {accepts}");
            assert!(!answer.header("content-type").contains("octet-stream"), "{path} {accepts}");
        }
    }
    // A file that is saved keeps its name and is as it was made.
    let saved = proxy(compressed(&s3).allow_downloads(true));
    let saved = ask(&saved, request("GET", "/www/app.js?download", &[("accept-encoding", "br")])).await;
    assert_eq!((saved.text(), saved.header("content-encoding")), ("plain", ""));
    let plain = ask(&service, get("/www/app.js")).await;
    assert_eq!((plain.text(), plain.header("content-type")), ("plain", "text/javascript"));
    let brotli = ask(&service, request("GET", "/www/app.js", &[("accept-encoding", "br")])).await;
    assert_eq!(brotli.header("content-type"), plain.header("content-type"));
    assert_ne!(brotli.header("etag"), plain.header("etag"), "each has a tag of its own");
    let same = [("accept-encoding", "br"), ("if-none-match", brotli.header("etag"))];
    let same = ask(&service, request("GET", "/www/app.js", &same)).await;
    assert_eq!((same.status.as_u16(), same.header("vary")), (304, "Accept-Encoding"));
    let part = [("accept-encoding", "br"), ("range", "bytes=3-4")];
    let part = ask(&service, request("GET", "/www/app.js", &part)).await;
    assert_eq!((part.status.as_u16(), part.text(), part.header("content-encoding")), (206, "br", "br"));
    // A decoder would take the parts' heads for encoded content.
    s3.store().put(BUCKET, "site/large.js.br", vec![b'x'; 4000].into());
    for _ in 0..2 {
        let parts = [("accept-encoding", "br"), ("range", "bytes=0-1,2000-2001")];
        let whole = ask(&service, request("GET", "/www/large.js", &parts)).await;
        assert_eq!((whole.status.as_u16(), whole.body.len()), (200, 4000));
        assert_eq!(
            (whole.header("content-type"), whole.header("content-encoding")),
            ("text/javascript", "br")
        );
    }
    s3.clear_log();
    for accepts in ["gzip, br, zstd", "zstd"] {
        ask(&service, request("GET", "/www/app.js", &[("accept-encoding", accepts)])).await;
    }
    assert_eq!(s3.log().len(), 0, "what there is not is remembered");
    let site = full().precompressed([Precompressed::Gzip]);
    let without_cache = Mount::builder(bucket("media")).region("us-west-2").anonymous().website(site);
    assert_eq!(without_cache.build().unwrap_err().kind(), ConfigErrorKind::Contradiction);
}

#[tokio::test]
async fn pages_can_be_kept_by_caches_in_front() {
    let s3 = site().await;
    let service = proxy(at(&s3, full()).default_cache_control("public, max-age=60"));
    for path in ["/www/", "/www/docs/", "/www/about", "/www/logo.png"] {
        assert_eq!(ask(&service, get(path)).await.header("cache-control"), "public, max-age=60", "{path}");
    }
    assert_eq!(ask(&service, get("/www/docs")).await.header("cache-control"), "max-age=300");
}
