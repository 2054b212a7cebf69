//! The page itself: its fields, its forms, and what follows.

use tower_s3_proxy::{
    access::{Access, Authorizer},
    listing::Listing,
};

use super::*;
use crate::support::{Client, Protocol, proxy, serve};

#[tokio::test]
async fn pages_follow_each_other_until_all_has_been_seen_once() {
    let s3 = s3().await;
    for n in 0..23 {
        s3.store().put(BUCKET, &format!("site/f{n:02}.txt"), "x".into());
        s3.store().put(BUCKET, &format!("site/d{n:02}/a"), "x".into());
        s3.store().put(BUCKET, &format!("site/d{n:02}/b"), "x".into());
    }
    let service = proxy(at(&s3, Listing::new().page_size(10)));
    let (mut path, mut seen, mut pages) = ("/www/".to_owned(), Vec::new(), 0);
    loop {
        let page = json(&service, &path).await;
        let entries = names(&page);
        assert!(entries.len() <= 10);
        seen.extend(entries);
        pages += 1;
        assert!(pages <= 5, "{path}");
        match page["next"].as_str() {
            Some(next) => path = format!("/www/{}", next.strip_prefix("./").unwrap()),
            None => break,
        }
    }
    assert_eq!(pages, 5);
    let expected: Vec<_> =
        (0..23).map(|n| format!("d{n:02}/")).chain((0..23).map(|n| format!("f{n:02}.txt"))).collect();
    assert_eq!(seen, expected);
    assert_eq!(lists(&s3).len(), 5, "one for each page");
}

#[tokio::test]
async fn a_cursor_that_a_client_makes_up_is_refused_or_stays_in_the_folder() {
    let s3 = bucket_of_files().await;
    let service = proxy(at(&s3, Listing::new()));
    for cursor in ["", "x", "..", "%00", "a/b", "Li4vLi4vb3V0c2lkZS8", "Li4", "AA", &"QUJD".repeat(500)] {
        let answer = ask(&service, get(&format!("/www/?cursor={cursor}"))).await;
        assert_eq!(status(&answer), 400, "{cursor}");
        assert!(
            answer.text().starts_with("400 Bad Request: a query parameter, or its value, is not"),
            "{answer:?}"
        );
    }
    assert_eq!(lists(&s3).len(), 0, "S3 hears nothing of it");
    // `b`, and what comes behind it in this folder.
    assert_eq!(names(&json(&service, "/www/?cursor=Yg").await), ["docs/", "empty/", "tmp/"]);
    assert_eq!(names(&json(&service, "/www/?cursor=enp6").await), [""; 0]);
}

#[tokio::test]
async fn a_page_is_sent_with_a_strict_policy_and_again_when_it_has_changed() {
    let s3 = bucket_of_files().await;
    let server = serve(Protocol::Http1, proxy(at(&s3, Listing::new()))).await;
    let mut client = Client::connect(Protocol::Http1, server.addr).await;
    let page = client.ask(request("GET", "/www/docs/", &[BROWSER])).await;
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    assert_eq!(page.header("content-length"), page.body.len().to_string());
    assert_eq!((page.header("vary"), page.header("x-content-type-options")), ("Accept", "nosniff"));
    assert_eq!(page.header("cache-control"), "max-age=5");
    let policy = page.header("content-security-policy");
    for directive in ["default-src 'none'", "img-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"] {
        assert!(policy.contains(directive), "{policy}");
    }
    let same = ("if-none-match", page.header("etag"));
    let again = client.ask(request("GET", "/www/docs/", &[BROWSER, same])).await;
    assert_eq!((status(&again), again.header("etag")), (304, page.header("etag")));
    let other = client.ask(request("GET", "/www/docs/", &[JSON, same])).await;
    assert_eq!((status(&other), other.header("content-type")), (200, "application/json"));
    let head = client.ask(request("HEAD", "/www/docs/", &[BROWSER])).await;
    assert_eq!(head.header("content-length"), page.body.len().to_string());
    assert_eq!((status(&head), head.body.len()), (200, 0));
    let failed = client.ask(request("GET", "/www/docs/", &[BROWSER, ("if-match", "\"x\"")])).await;
    assert_eq!(status(&failed), 412);
    let put = client.ask(request("PUT", "/www/docs/", &[])).await;
    assert_eq!(status(&put), 405);
}

#[tokio::test]
async fn a_note_is_rendered_and_previews_are_pages() {
    let s3 = bucket_of_files().await;
    s3.store().put(BUCKET, "site/docs/README.md", "# Films\n\n<b onclick=x>*new*</b>".into());
    s3.store().put(BUCKET, "site/docs/long.txt", "long ".repeat(20_000).into());
    s3.store().put(BUCKET, "site/docs/short.txt", "<short>".into());
    let service = proxy(at(&s3, Listing::new()));
    let page = html(&service, "/www/docs/").await;
    assert!(page.text().contains("<h2>Films</h2>"), "{}", page.text());
    assert!(page.text().contains("&lt;b onclick=x&gt;<em>new</em>&lt;/b&gt;"), "{}", page.text());
    assert!(page.text().contains("href=\"./?preview=film.webm\""), "{}", page.text());
    for (name, sign) in [
        ("film.webm", "<video src=\"./film.webm\""),
        ("picture.png", "<img src=\"./picture.png\""),
        ("short.txt", "&lt;short&gt;</pre>"),
        ("long.txt", "the file is longer"),
    ] {
        let preview = html(&service, &format!("/www/docs/?preview={name}")).await;
        assert_eq!(status(&preview), 200, "{name}");
        assert!(preview.text().contains(sign), "{name}: {}", preview.text());
        assert!(preview.body.len() < 100_000, "{name}");
    }
    for name in ["missing.png", "deep", "..%2Fa.txt", ""] {
        assert_eq!(status(&html(&service, &format!("/www/docs/?preview={name}")).await), 404, "{name}");
    }
    let quiet = proxy(at(&s3, Listing::new().notes(["short.txt"])));
    assert!(html(&quiet, "/www/docs/").await.text().contains("<pre>&lt;short&gt;</pre>"));
}

#[tokio::test]
async fn a_template_makes_the_page_and_json_stays() {
    let s3 = bucket_of_files().await;
    let service = proxy(at(&s3, Listing::new().template(plain)));
    let page = html(&service, "/www/docs/").await;
    assert_eq!(page.text(), "docs/ ./deep/ ./README.md ./film.webm ./picture.png");
    assert_eq!((page.header("vary"), page.header("content-length")), ("Accept", "51"));
    assert!(!page.header("etag").is_empty());
    assert_eq!(json(&service, "/www/docs/").await["path"], "docs/");
}

#[tokio::test]
async fn where_it_depends_on_who_asks_nobody_else_keeps_a_page() {
    let s3 = bucket_of_files().await;
    let anybody = Authorizer::new(|_| async { Ok(Access::Allow) });
    let service = proxy(at(&s3, Listing::new()).authorize(anybody));
    let page = html(&service, "/www/docs/").await;
    assert_eq!((status(&page), page.header("cache-control")), (200, "private, no-cache"));
    let none = proxy(at(&s3, Listing::new().remember(Duration::ZERO)));
    assert_eq!(html(&none, "/www/").await.header("cache-control"), "no-cache");
}
