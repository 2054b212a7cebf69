//! Which paths are folders, and what they show.

use serde_json::json;
use tower_s3_proxy::{
    ConfigErrorKind, Mount, S3ProxyLayer,
    listing::Listing,
    response::Fallback,
    website::{Releases, Website},
};

use super::*;
use crate::support::{bucket, over, proxy};

#[tokio::test]
async fn a_path_with_a_slash_is_a_folder_and_one_without_leads_there() {
    let s3 = bucket_of_files().await;
    let service = proxy(at(&s3, Listing::new().hide("*.tmp")));
    let navigate = ("sec-fetch-mode", "navigate");
    for (path, field, expected) in [
        ("/www/", BROWSER, (200, "")),
        ("/www/docs/", BROWSER, (200, "")),
        ("/www/docs/deep/", BROWSER, (200, "")),
        ("/www/empty/", BROWSER, (200, "")),
        // The object itself.
        ("/www/a.txt", BROWSER, (200, "")),
        ("/www", BROWSER, (308, "./www/")),
        ("/www", JSON, (308, "./www/")),
        ("/www/docs", BROWSER, (308, "./docs/")),
        ("/www/docs?sort=size&cursor=x", navigate, (308, "./docs/?sort=size&cursor=x")),
        ("/www/docs/deep", navigate, (308, "./deep/")),
        // No navigation.
        ("/www/docs", ("sec-fetch-mode", "cors"), (404, "")),
        ("/www/docs", JSON, (404, "")),
        ("/www/docs", ("accept", "*/*"), (404, "")),
        // No folders.
        ("/www/missing/", BROWSER, (404, "")),
        ("/www/missing", BROWSER, (404, "")),
        ("/www/a.txt/", BROWSER, (404, "")),
        ("/www/doc/", BROWSER, (404, "")),
        ("/www/.git/", BROWSER, (404, "")),
        ("/www/.git", BROWSER, (404, "")),
        ("/www/tmp/", BROWSER, (404, "")),
        ("/www//", BROWSER, (404, "")),
        ("/www//evil.example", BROWSER, (404, "")),
        // Nothing outside.
        ("/www/../outside/", BROWSER, (404, "")),
        ("/www/%2e%2e/outside/", BROWSER, (404, "")),
        ("/www/..%2foutside/", BROWSER, (404, "")),
        ("/outside/", BROWSER, (404, "")),
    ] {
        let answer = ask(&service, request("GET", path, &[field])).await;
        assert_eq!((status(&answer), answer.header("location")), expected, "{path} {field:?}");
        assert!(!answer.text().contains("secret"), "{path}");
    }
}

#[tokio::test]
async fn a_page_has_what_is_directly_below_and_is_not_hidden() {
    let s3 = bucket_of_files().await;
    let service = proxy(at(&s3, Listing::new()));
    let root = json(&service, "/www/").await;
    assert_eq!(names(&root), ["docs/", "empty/", "tmp/", "a.txt"]);
    assert_eq!((&root["path"], &root["next"]), (&json!(""), &json!(null)));
    let docs = json(&service, "/www/docs/").await;
    assert_eq!(names(&docs), ["deep/", "README.md", "film.webm", "picture.png"]);
    assert_eq!(docs["path"], "docs/");
    assert_eq!(
        (&docs["entries"][1]["size"], &docs["entries"][1]["href"]),
        (&json!(21), &json!("./README.md"))
    );
    assert!(docs["entries"][1]["modified"].as_str().unwrap().ends_with('Z'));
    assert_eq!(names(&json(&service, "/www/empty/").await), [""; 0]);
    // What is hidden can still be read by who knows its name.
    assert_eq!(get_status(&service, "/www/.git/config").await, 200);
    let shown = proxy(at(&s3, Listing::new().show_dotfiles(true).hide("docs/**")));
    assert_eq!(names(&json(&shown, "/www/").await), [".git/", "empty/", "tmp/", "a.txt"]);
    s3.clear_log();
    for path in
        ["/www/docs/", "/www/docs/?cursor=YQ", "/www/docs/deep/?cursor=YQ", "/www/docs/?preview=film.webm"]
    {
        assert_eq!(get_status(&shown, path).await, 404, "{path}");
    }
    assert_eq!(lists(&s3), [""; 0], "what is hidden is not asked for");
}

#[tokio::test]
async fn a_website_has_its_index_documents_and_pages_first() {
    let s3 = bucket_of_files().await;
    s3.store().put(BUCKET, "site/index.html", "home".into());
    s3.store().put(BUCKET, "site/404.html", "no such page".into());
    let service = proxy(at(&s3, Listing::new()).website(Website::new().not_found("404.html")));
    let home = html(&service, "/www/").await;
    assert_eq!((status(&home), home.text()), (200, "home"));
    let missing = html(&service, "/www/missing/").await;
    assert_eq!((status(&missing), missing.text()), (404, "no such page"));
    s3.clear_log();
    let docs = html(&service, "/www/docs/").await;
    assert!(docs.text().contains("film.webm"), "{}", docs.text());
    // The index document, the list, and the note.
    assert_eq!(s3.log().len(), 3, "{:?}", s3.log());
    let slash = html(&service, "/www/docs").await;
    assert_eq!((status(&slash), slash.header("location")), (308, "./docs/"));
    // A cache in front must not lead others there, for whom nothing has that path.
    assert_eq!(slash.header("vary"), "Sec-Fetch-Mode, Accept");
    // What is in the query is for a listing, and there is none.
    let cursor = html(&service, "/www/?cursor=made-up").await;
    assert_eq!((status(&cursor), cursor.text()), (200, "home"));
}

#[tokio::test]
async fn an_inner_service_gets_what_is_no_folder() {
    let s3 = bucket_of_files().await;
    let inner = axum::Router::new().fallback(|| async { "inner" });
    let layer = |builder: MountBuilder| {
        tower::Layer::layer(&S3ProxyLayer::new(builder.build().unwrap()), inner.clone())
    };
    let service = layer(at(&s3, Listing::new()).fallback(Fallback::Inner));
    for (path, is_inner) in
        [("/www/docs/", false), ("/www/missing/", true), ("/www/missing", true), ("/www/a.txt", false)]
    {
        let request = Request::builder().uri(path).header("accept", "text/html");
        let answer =
            tower::ServiceExt::oneshot(service.clone(), request.body(axum::body::Body::empty()).unwrap());
        let answer = Answer::read(answer.await.unwrap()).await;
        assert_eq!(answer.text() == "inner", is_inner, "{path}");
    }
}

#[tokio::test]
async fn a_bucket_of_the_path_is_listed_by_itself() {
    let s3 = s3().await;
    s3.store().create_bucket("media-b");
    s3.store().put("media-b", "docs/a.txt", "x".into());
    s3.store().put(BUCKET, "secret.txt", "x".into());
    let service = proxy(over(&s3, Mount::bucket_from_path(["media-*"])).listing(Listing::new()));
    assert_eq!(names(&json(&service, "/media-b/").await), ["docs/"]);
    assert_eq!(names(&json(&service, "/media-b/docs/").await), ["a.txt"]);
    let page = html(&service, "/media-b/docs/").await;
    assert!(page.text().contains("<a href=\"../\"><bdi>media-b</bdi></a>"), "{}", page.text());
    for path in ["/", "/media/", "/media-c/", "/media-b%2fdocs/"] {
        assert_eq!(get_status(&service, path).await, 404, "{path}");
    }
    let slash = html(&service, "/media-b").await;
    assert_eq!((status(&slash), slash.header("location")), (308, "./media-b/"));
}

#[tokio::test]
async fn what_contradicts_itself_is_refused() {
    let s3 = s3().await;
    let mount = || at(&s3, Listing::new());
    for (builder, kind, said) in [
        (mount().listing(Listing::new().page_size(0)), ConfigErrorKind::InvalidValue, "give 1 to 1000"),
        (mount().listing(Listing::new().page_size(1001)), ConfigErrorKind::InvalidValue, "give 1 to 1000"),
        (mount().listing(Listing::new().hide("a[")), ConfigErrorKind::InvalidValue, "what a listing hides"),
        (
            mount().listing(Listing::new().notes(["a/b"])),
            ConfigErrorKind::InvalidValue,
            "must be a name without a slash",
        ),
        (
            mount().website(Website::new().single_page("app.html")),
            ConfigErrorKind::Contradiction,
            "leave out one of them",
        ),
        (
            mount().website(Website::new().releases(Releases::new("releases"))),
            ConfigErrorKind::Contradiction,
            "a website with releases the current one alone",
        ),
        (
            Mount::builder(bucket("films--usw2-az1--x-s3"))
                .region(crate::support::REGION)
                .credentials(crate::support::keys())
                .listing(Listing::new()),
            ConfigErrorKind::Contradiction,
            "leave out the listing",
        ),
    ] {
        let error = builder.build().unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(said), "{error}");
    }
}

#[tokio::test]
async fn the_files_of_a_website_s_rules_are_not_shown() {
    let s3 = bucket_of_files().await;
    for name in ["_headers", "_redirects"] {
        s3.store().put(BUCKET, &format!("site/{name}"), "# rules".into());
    }
    let service = |site| S3Proxy::new(at(&s3, Listing::new()).website(site).build().unwrap());
    let plain = names(&json(&service(Website::new()), "/www/").await);
    assert!(plain.contains(&"_headers".to_owned()) && plain.contains(&"_redirects".to_owned()), "{plain:?}");
    let with_rules = service(Website::new().rules(true));
    assert_eq!(names(&json(&with_rules, "/www/").await), ["docs/", "empty/", "tmp/", "a.txt"]);
}
