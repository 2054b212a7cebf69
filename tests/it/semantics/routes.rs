//! Rows 43 and 46: the key that a path names, and other methods.

use super::{
    check::{Failures, asks_properly},
    expect::{ensure, fetch},
};
use crate::{
    lying::{LyingOrigin, Object},
    support::{Client, Protocol, is_cached, proxy, request, serve},
};

// Row 43
#[tokio::test]
async fn a_path_is_decoded_once_and_encoded_once() {
    let origin = LyingOrigin::start(&Object::of_size(10), &[]).await;
    let service = proxy(origin.mount().at("/m").prefix("p"));
    let long = format!("/m/{}", "k".repeat(1022));
    let long_at_s3 = format!("/media/p/{}", "k".repeat(1022));
    let mut failures = Failures::default();
    for (path, at_s3) in [
        ("/m/a", Some("/media/p/a")),
        ("/m/a+b", Some("/media/p/a%2Bb")),
        ("/m/a%20b", Some("/media/p/a%20b")),
        ("/m/a%2Fb", Some("/media/p/a/b")),
        ("/m/a%2fb", Some("/media/p/a/b")),
        ("/m/a%252Fb", Some("/media/p/a%252Fb")),
        ("/m/a//b", Some("/media/p/a//b")),
        ("/m//a", Some("/media/p//a")),
        ("/m/a/", Some("/media/p/a/")),
        ("/m/A", Some("/media/p/A")),
        ("/m/%61", Some("/media/p/a")),
        ("/m/~a-b_c.d", Some("/media/p/~a-b_c.d")),
        ("/m/!$&'()*,;=:@", Some("/media/p/%21%24%26%27%28%29%2A%2C%3B%3D%3A%40")),
        ("/m/%C3%BC", Some("/media/p/%C3%BC")),
        ("/m/u%CC%88", Some("/media/p/u%CC%88")),
        ("/m/...", Some("/media/p/...")),
        ("/m/a..b", Some("/media/p/a..b")),
        ("/m/..;/b", Some("/media/p/..%3B/b")),
        ("/m/%252e%252e/b", Some("/media/p/%252e%252e/b")),
        ("/m/a%0D%0Ab", Some("/media/p/a%0D%0Ab")),
        ("/m/soap", Some("/media/p/soap")),
        (&long, Some(&long_at_s3)),
        ("/m/..", None),
        ("/m/../b", None),
        ("/m/./b", None),
        ("/m/a/..", None),
        ("/m/%2e%2e/b", None),
        ("/m/.%2E/b", None),
        ("/m/a%2F..%2Fb", None),
        ("/m/a%5C..%5Cb", None),
        ("/m/a%00b", None),
        ("/m/%FF", None),
        ("/m/%C0%AE%C0%AE/b", None),
        ("/m/%ZZ", None),
        ("/m/", None),
        (&format!("{long}k"), None),
    ] {
        for method in ["GET", "HEAD"] {
            origin.forget();
            let got = fetch(&service, request(method, path, &[])).await;
            let seen: Vec<_> = origin.seen().into_iter().map(|seen| seen.path).collect();
            let row = format!("{method} {path}");
            failures.note(&row, got.is_error(404));
            let is_so = seen == at_s3.as_slice() || (is_cached() && seen.is_empty());
            failures.note(&row, ensure(is_so, || format!("S3 saw {seen:?}")));
        }
    }
    failures.report();
}

// Row 46
#[tokio::test]
async fn other_methods_are_refused_here() {
    let origin = LyingOrigin::start(&Object::of_size(10), &[]).await;
    let service = proxy(origin.mount());
    let methods =
        ["POST", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND", "MKCOL", "LOCK", "PURGE", "QUERY", "get"];
    let mut failures = Failures::default();
    for method in methods {
        for path in ["/object", "/object?uploads", "/object?delete", "/missing", "/a//b"] {
            let got = fetch(&service, request(method, path, &[("x-http-method-override", "GET")])).await;
            let row = format!("{method} {path}");
            failures.note(&row, got.is_error(405));
            let allow = got.field("allow");
            failures.note(&row, ensure(allow == Some("GET, HEAD, OPTIONS"), || format!("{allow:?}")));
        }
    }
    let got = fetch(&service, request("OPTIONS", "/object", &[])).await;
    failures.note("OPTIONS", ensure((got.status, got.body.len()) == (204, 0), || got.status.to_string()));
    assert!(origin.seen().is_empty(), "{:?}", origin.seen());
    failures.report();
}

// Row 46
#[tokio::test]
async fn reading_is_all_that_a_query_can_ask_for() {
    let origin = LyingOrigin::start(&Object::of_size(10), &[]).await;
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let server = serve(protocol, proxy(origin.mount())).await;
        let mut client = Client::connect(protocol, server.addr).await;
        for query in ["acl", "policy", "list-type=2", "uploads", "delete", "tagging", "torrent", "location"] {
            let answer = client.ask(request("GET", &format!("/object?{query}"), &[])).await;
            assert_eq!((answer.status.as_u16(), answer.body.len()), (200, 10), "{protocol:?} {query}");
        }
    }
    for seen in origin.seen() {
        asks_properly(&seen).unwrap();
    }
}
