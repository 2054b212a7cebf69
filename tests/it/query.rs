//! The effects of a query: S3 sees at most a version.

use bytes::Bytes;
use demo_s3::{DemoS3, Denial, ObjectAttributes};
use http::HeaderValue;
use tower_s3_proxy::{ProxyErrorKind, response::ErrorFormat};

use crate::support::{Answer, BUCKET, Protocol, ask, get, is_cached, mount, proxy, raw, request, s3, serve};

const TEXT: &str = "0123456789abcdef";

fn put(s3: &DemoS3, key: &str, disposition: &'static str) -> String {
    let attributes = ObjectAttributes::new()
        .content_type(HeaderValue::from_static("text/plain"))
        .content_disposition(HeaderValue::from_static(disposition));
    s3.store().put_with(BUCKET, key, Bytes::from_static(TEXT.as_bytes()), attributes).etag
}

/// The requests that S3 has seen since this was asked last: method, path and query.
fn seen(s3: &DemoS3) -> Vec<String> {
    let seen = s3.log().iter().map(|seen| format!("{} {}", seen.method, seen.uri)).collect();
    s3.clear_log();
    seen
}

fn assert_refused(row: &str, answer: &Answer) {
    assert_eq!((answer.status.as_u16(), answer.kind()), (400, Some(ProxyErrorKind::BadQuery)), "{row}");
    assert_eq!(answer.header("cache-control"), "no-store", "{row}");
    assert_eq!(answer.header("content-disposition"), "", "{row}");
}

#[tokio::test]
async fn downloads_get_the_name_that_is_asked_for() {
    let s3 = s3().await;
    put(&s3, "x/page.html", "inline");
    put(&s3, "x/upload.html", "attachment; filename=\"stored.html\"");
    put(&s3, "x/日本.txt", "inline");
    put(&s3, "x/folder/", "inline");
    let service = proxy(mount(&s3).prefix("x").allow_downloads(true));
    for (what, target, disposition) in [
        ("nothing", "/page.html", "inline"),
        ("an unknown parameter", "/page.html?x=1&Download=b", "inline"),
        ("the key's name", "/page.html?download", "attachment; filename=\"page.html\""),
        ("the key's name by an empty one", "/page.html?download=", "attachment; filename=\"page.html\""),
        (
            "the name of a key beyond ASCII",
            "/%E6%97%A5%E6%9C%AC.txt?download",
            "attachment; filename=\"__.txt\"; filename*=UTF-8''%E6%97%A5%E6%9C%AC.txt",
        ),
        ("a key without a last segment", "/folder/?download", "attachment"),
        ("a name", "/page.html?a=b&download=other.txt", "attachment; filename=\"other.txt\""),
        ("plus signs", "/page.html?download=a+b%2Bc%20d.txt", "attachment; filename=\"a b+c d.txt\""),
        (
            "quotes",
            "/page.html?download=a%22;%20x=%22b",
            "attachment; filename=\"a\\\"; x=\\\"b\"; filename*=UTF-8''a%22%3B%20x%3D%22b",
        ),
        (
            "a name beyond ASCII",
            "/page.html?download=%E2%82%AC.txt",
            "attachment; filename=\"_.txt\"; filename*=UTF-8''%E2%82%AC.txt",
        ),
        ("a path", "/page.html?download=../../etc%2Fpasswd%5c", "attachment; filename=\".._.._etc_passwd_\""),
        (
            "a line of its own",
            "/page.html?download=a%0d%0aset-cookie:%20b=c%00",
            "attachment; filename=\"aset-cookie: b=c\"",
        ),
        ("a name of controls", "/page.html?download=%0d%0a", "attachment"),
        ("the first of two", "/page.html?download=a&download=b", "attachment; filename=\"a\""),
        (
            "S3's way",
            "/page.html?response-content-disposition=attachment%3B%20filename%3D%22a%20b.txt%22",
            "attachment; filename=\"a b.txt\"",
        ),
        (
            "S3's way, from a form",
            "/page.html?response-content-disposition=attachment%3B+filename%3D%22a+b.txt%22",
            "attachment; filename=\"a b.txt\"",
        ),
        (
            "S3's way, with what nobody needs",
            "/page.html?response-content-disposition=ATTACHMENT;x=y;filename=a;filename*=UTF-8''%25E2%2582%25AC",
            "attachment; filename=\"_\"; filename*=UTF-8''%E2%82%AC",
        ),
        (
            "S3's way, with an encoded line break",
            "/page.html?response-content-disposition=attachment;filename*=UTF-8''a%250d%250ab",
            "attachment; filename=\"ab\"",
        ),
        (
            "S3's way, inline",
            "/page.html?response-content-disposition=inline;filename=a",
            "inline; filename=\"a\"",
        ),
        (
            "an upload that is to be a page",
            "/upload.html?response-content-disposition=inline",
            "attachment; filename=\"stored.html\"",
        ),
        ("an upload under another name", "/upload.html?download=b", "attachment; filename=\"b\""),
    ] {
        for (method, range, status) in
            [("GET", None, 200), ("HEAD", None, 200), ("GET", Some("bytes=0-3"), 206)]
        {
            let row = format!("{what}: {method} {target} {range:?}");
            let fields: Vec<_> = range.iter().map(|range| ("range", *range)).collect();
            let answer = ask(&service, request(method, target, &fields)).await;
            let path = target.split('?').next().unwrap();
            assert_eq!(answer.status, status, "{row}");
            assert_eq!(answer.header("content-disposition"), disposition, "{row}");
            assert_eq!(answer.header("content-type"), "text/plain", "{row}");
            assert_eq!(answer.headers.get_all("content-disposition").iter().count(), 1, "{row}");
            assert!(!answer.headers.contains_key("set-cookie"), "{row}");
            let seen = seen(&s3);
            let is_plain = seen == [format!("{method} /media/x{path}")];
            let is_free = is_cached() && seen.iter().all(|seen| !seen.contains('?'));
            assert!(is_plain || is_free, "{row}: S3 learns of no query: {seen:?}");
        }
    }
}

#[tokio::test]
async fn a_disposition_is_only_for_answers_with_the_object() {
    let s3 = s3().await;
    let etag = put(&s3, "a.txt", "inline");
    s3.store().deny(BUCKET, "slow", Denial::SlowDown);
    let service = proxy(mount(&s3).allow_downloads(true));
    for (path, fields, status) in [
        ("/a.txt?download=b", &[("if-none-match", etag.as_str())][..], 304),
        ("/a.txt?download=b", &[("if-match", "\"x\"")], 412),
        ("/a.txt?download=b", &[("range", "bytes=99-")], 416),
        ("/missing?download=b", &[], 404),
        ("/slow?download=b", &[], 503),
        ("/../a?download=b", &[], 404),
    ] {
        for method in ["GET", "HEAD"] {
            if (method, status) == ("HEAD", 416) {
                continue;
            }
            let row = format!("{method} {path} {fields:?}");
            let answer = ask(&service, request(method, path, fields)).await;
            assert_eq!(answer.status, status, "{row}");
            assert_eq!(answer.header("content-disposition"), "", "{row}");
        }
    }
    for method in ["OPTIONS", "PUT"] {
        let answer = ask(&service, request(method, "/a.txt?download=b", &[])).await;
        assert_eq!(answer.header("content-disposition"), "", "{method}");
    }
}

#[tokio::test]
async fn no_query_can_write_a_line_of_the_answer() {
    let s3 = s3().await;
    put(&s3, "a.txt", "inline");
    put(&s3, "a\r\nx-injected: 1.txt", "inline");
    let server = serve(Protocol::Http1, proxy(mount(&s3).allow_downloads(true))).await;
    for target in [
        "/a.txt?download=%0d%0ax-injected:%201%0d%0a%0d%0abody",
        "/a.txt?download=%0ax-injected:%201",
        "/a.txt?download=a%22%0dx-injected:%201",
        "/a.txt?download=%E5%98%8D%E5%98%8Ax-injected:%201",
        "/a.txt?download=%250d%250ax-injected:%201",
        "/a.txt?response-content-disposition=attachment;filename*=UTF-8''%250d%250ax-injected:%25201",
        "/a.txt?response-content-disposition=attachment%0d%0ax-injected:%201",
        "/a.txt?response-content-disposition=attachment;filename=%22%0d%0ax-injected:%201%22",
        "/a%0d%0ax-injected:%201.txt?download",
        "/a.txt?versionId=%0d%0ax-injected:%201",
    ] {
        for method in ["GET", "HEAD"] {
            let text = format!("{method} {target} HTTP/1.1\r\nhost: proxy.test\r\nconnection: close\r\n\r\n");
            let answer = raw(server.addr, &text).await;
            let (head, _) = answer.split_once("\r\n\r\n").unwrap();
            assert!(
                head.starts_with("HTTP/1.1 200 ") || head.starts_with("HTTP/1.1 400 "),
                "{target}: {head}"
            );
            assert!(!head.lines().any(|line| line.starts_with("x-injected")), "{target}: {head}");
        }
    }
    let injected =
        |seen: &String| seen.contains("injected") && !seen.ends_with("/media/a%0D%0Ax-injected%3A%201.txt");
    let seen = seen(&s3);
    assert!(!seen.iter().any(injected), "{seen:?}");
}

#[tokio::test]
async fn what_would_change_the_answer_of_s3_is_refused() {
    let s3 = s3().await;
    put(&s3, "a.txt", "inline");
    let closed = proxy(mount(&s3));
    let open = proxy(mount(&s3).allow_downloads(true).allow_versions(true));
    for (query, is_refused_where_open) in [
        ("response-content-type=text/html", true),
        ("response-content-language=en", true),
        ("response-content-encoding=gzip", true),
        ("response-cache-control=public", true),
        ("response-expires=0", true),
        ("partNumber=1", true),
        ("response-content-type", true),
        ("x=1&response%2Dcontent-type=text/html", true),
        ("Response-Content-Type=text/html", true),
        ("download&response-content-type=text/html", true),
        ("versionId=null&partnumber=1", true),
        ("Response-Content-Disposition=inline", true),
        ("response-content-disposition=inline", false),
        ("response-content-disposition=attachment;filename=a", false),
        ("response-content-disposition=form-data", true),
        ("response-content-disposition=inline%0d%0aset-cookie:a=b", true),
        ("response-content-disposition=", true),
    ] {
        for method in ["GET", "HEAD"] {
            let row = format!("{method} ?{query}");
            let ask_for = || request(method, &format!("/a.txt?{query}"), &[]);
            assert_refused(&row, &ask(&closed, ask_for()).await);
            assert_eq!(seen(&s3), [""; 0], "{row}");
            let answer = ask(&open, ask_for()).await;
            if is_refused_where_open {
                assert_refused(&row, &answer);
                assert_eq!(seen(&s3), [""; 0], "{row}");
            } else {
                assert_eq!(answer.status, 200, "{row}");
                assert_eq!(seen(&s3), [format!("{method} /media/a.txt")], "{row}");
            }
        }
    }
    for query in ["download=%ff", "download=%zz"] {
        assert_refused(query, &ask(&open, get(&format!("/a.txt?{query}"))).await);
        let answer = ask(&closed, get(&format!("/a.txt?{query}"))).await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("content-disposition")),
            (200, "inline"),
            "{query}"
        );
    }
    let json = proxy(mount(&s3).error_format(ErrorFormat::ProblemJson));
    let answer = ask(&json, get("/a.txt?partNumber=1")).await;
    assert!(answer.text().contains("\"code\":\"bad_query\""), "{}", answer.text());
}

#[tokio::test]
async fn of_a_query_s3_sees_the_version_at_most() {
    let s3 = s3().await;
    s3.store().set_versioning(BUCKET, true);
    let old = s3.store().put(BUCKET, "a", Bytes::from_static(b"old")).version_id.unwrap();
    s3.store().put(BUCKET, "a", Bytes::from_static(b"new"));
    // Each time, also where there is a cache: a version is never stale otherwise.
    let asking = || mount(&s3).override_cache_control("no-cache");
    let closed = proxy(asking());
    let open = proxy(asking().allow_versions(true).allow_downloads(true));
    let encoded: String = old.bytes().map(|b| format!("%{b:02x}")).collect();
    let long = "v".repeat(1025);
    let (plain, versioned) = ("/media/a".to_owned(), format!("/media/a?versionId={old}"));
    for (what, query, status, asked) in [
        ("a version", format!("versionId={old}"), 200, Some(&versioned)),
        ("an encoded version", format!("versionId={encoded}"), 200, Some(&versioned)),
        ("an encoded name", format!("version%49d={old}"), 200, Some(&versioned)),
        ("the first of two", format!("versionId={old}&versionId=x"), 200, Some(&versioned)),
        ("among others", format!("acl&versionId={old}&download&torrent"), 200, Some(&versioned)),
        ("an empty version", "versionId=".to_owned(), 200, Some(&plain)),
        ("another case", format!("versionid={old}"), 200, Some(&plain)),
        ("no version's text", "versionId=a%20b".to_owned(), 404, None),
        ("a line break", "versionId=%0d%0a".to_owned(), 404, None),
        ("no UTF-8", "versionId=%ff".to_owned(), 404, None),
        ("no escape", "versionId=%zz".to_owned(), 404, None),
        ("too long a version", format!("versionId={long}"), 404, None),
        (
            "other resources",
            "acl&policy&tagging&torrent&uploads&location&x-id=x".to_owned(),
            200,
            Some(&plain),
        ),
        ("a listing", "list-type=2&prefix=&delimiter=/".to_owned(), 200, Some(&plain)),
        ("a signature", "X-Amz-Signature=x&X-Amz-Credential=y&X-Amz-Expires=1".to_owned(), 200, Some(&plain)),
    ] {
        for method in ["GET", "HEAD"] {
            let row = format!("{what}: {method} ?{query}");
            let ask_for = || request(method, &format!("/a?{query}"), &[]);
            let answer = ask(&open, ask_for()).await;
            assert_eq!(answer.status, status, "{row}");
            if method == "GET" && status == 200 {
                let body = if asked == Some(&versioned) { "old" } else { "new" };
                assert_eq!(answer.text(), body, "{row}");
            }
            let expected: Vec<_> = asked.iter().map(|asked| format!("{method} {asked}")).collect();
            assert_eq!(seen(&s3), expected, "{row}");
            assert_eq!(ask(&closed, ask_for()).await.status, 200, "{row}: ignored where it is not allowed");
            assert_eq!(seen(&s3), [format!("{method} {plain}")], "{row}");
        }
    }
}

#[tokio::test]
async fn nothing_but_a_read_ever_reaches_s3() {
    let s3 = s3().await;
    put(&s3, "a.txt", "inline");
    let service = proxy(mount(&s3).allow_versions(true).allow_downloads(true));
    let overrides = [
        ("x-http-method-override", "DELETE"),
        ("x-http-method", "DELETE"),
        ("x-method-override", "DELETE"),
        ("x-amz-copy-source", "/media/a.txt"),
    ];
    for query in [
        "",
        "?uploads",
        "?uploadId=1",
        "?delete",
        "?acl",
        "?policy",
        "?list-type=2",
        "?versioning",
        "?tagging",
        "?_method=DELETE",
        "?x-id=DeleteObject",
        "?X-Amz-Signature=x",
    ] {
        for method in ["GET", "HEAD", "PUT", "POST", "DELETE", "PATCH"] {
            for fields in [&[][..], &overrides] {
                let row = format!("{method} /a.txt{query} {fields:?}");
                let answer = ask(&service, request(method, &format!("/a.txt{query}"), fields)).await;
                if matches!(method, "GET" | "HEAD") {
                    assert_eq!(answer.status, 200, "{row}");
                    assert_eq!(answer.text(), if method == "GET" { TEXT } else { "" }, "{row}");
                    assert_eq!(answer.header("content-type"), "text/plain", "{row}");
                    assert_eq!(seen(&s3), [format!("{method} /media/a.txt")], "{row}");
                } else {
                    assert_eq!(answer.status, 405, "{row}");
                    assert_eq!(answer.header("allow"), "GET, HEAD, OPTIONS", "{row}");
                    assert_eq!(seen(&s3), [""; 0], "{row}");
                }
            }
        }
    }
    assert_eq!(s3.store().keys(BUCKET), ["a.txt"]);
    // Without a key there is no listing, either.
    for target in ["/?list-type=2", "/?uploads", "/?delete", "/?acl", "/?versions"] {
        for (method, status) in [("GET", 404), ("HEAD", 404), ("POST", 405), ("PUT", 405), ("DELETE", 405)] {
            assert_eq!(ask(&service, request(method, target, &[])).await.status, status, "{method} {target}");
        }
    }
    assert_eq!(seen(&s3), [""; 0]);
}
