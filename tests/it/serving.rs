//! Rules of HTTP and of the mount, as tables: the request, the response, and the requests that S3 saw.

use std::{
    convert::Infallible,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use demo_s3::{DemoS3, Denial, ObjectAttributes};
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::{Empty, Full};
use tokio::{io::AsyncWriteExt, time::timeout};
use tower::Layer;
use tower_s3_proxy::{
    Mount, ProxyErrorKind, S3Proxy, S3ProxyConfig, S3ProxyLayer, Transport,
    bucket::BucketResolver,
    credentials::{Credentials, CredentialsError, ProvideCredentials, future},
    response::{BadPathAnswer, CacheControlRule, ContentTypeFix, DeniedAnswer, ErrorFormat, Fallback},
};

use crate::support::{
    Answer, BUCKET, Client, Protocol, REGION, ask, bucket, get, is_cached, keys, mount, mount_at, once,
    origin, over, proxy, raw, read_head, request, s3, serve,
};

const TEXT: &[u8] = b"0123456789abcdef";

/// Sixteen bytes with every field that an object can have, written on 2015-10-21.
fn put_text(s3: &DemoS3, key: &str) -> String {
    let attributes = ObjectAttributes::new()
        .content_type(value("text/plain"))
        .content_language(value("en"))
        .content_disposition(value("inline"))
        .header(HeaderName::from_static("x-amz-meta-title"), value("Sixteen"))
        .header(HeaderName::from_static("x-amz-meta-secret"), value("internal"))
        .header(HeaderName::from_static("x-amz-storage-class"), value("STANDARD_IA"))
        .last_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_445_412_480));
    s3.store().put_with(BUCKET, key, Bytes::from_static(TEXT), attributes).etag
}

fn value(text: &'static str) -> HeaderValue {
    HeaderValue::from_static(text)
}

#[tokio::test]
async fn reads_follow_http() {
    let s3 = s3().await;
    let etag = put_text(&s3, "a.txt");
    s3.store().put(BUCKET, "empty.txt", Bytes::new());
    let service = proxy(mount(&s3));
    let (etag, weak) = (etag.as_str(), format!("W/{etag}"));
    let all = "0123456789abcdef";
    let date = "Wed, 21 Oct 2015 07:28:00 GMT";
    let (before, after) = ("Wed, 21 Oct 2015 07:27:59 GMT", "Wed, 21 Oct 2015 07:28:01 GMT");

    type Fields<'a> = &'a [(&'a str, &'a str)];
    let rows: &[(&str, &str, Fields<'_>, u16, Fields<'_>, &str)] = &[
        // Method, path, fields of the request; status, fields of the answer ("" is absent), body.
        (
            "GET",
            "/a.txt",
            &[],
            200,
            &[
                ("content-length", "16"),
                ("content-type", "text/plain"),
                ("content-language", "en"),
                ("content-disposition", "inline"),
                ("content-range", ""),
                ("accept-ranges", "bytes"),
                ("etag", etag),
                ("last-modified", date),
            ],
            all,
        ),
        ("GET", "/a.txt?any=thing&versionId=1", &[], 200, &[("content-length", "16")], all),
        ("GET", "/%61%2Etxt", &[], 200, &[("content-length", "16")], all),
        (
            "HEAD",
            "/a.txt",
            &[],
            200,
            &[("content-length", "16"), ("etag", etag), ("accept-ranges", "bytes")],
            "",
        ),
        ("GET", "/empty.txt", &[], 200, &[("content-length", "0")], ""),
        // Ranges: RFC 9110 §14.
        (
            "GET",
            "/a.txt",
            &[("range", "bytes=0-9")],
            206,
            &[("content-range", "bytes 0-9/16"), ("content-length", "10"), ("etag", etag)],
            "0123456789",
        ),
        (
            "GET",
            "/a.txt",
            &[("range", "bytes=0-")],
            206,
            &[("content-range", "bytes 0-15/16"), ("content-length", "16")],
            all,
        ),
        ("GET", "/a.txt", &[("range", "bytes=-4")], 206, &[("content-range", "bytes 12-15/16")], "cdef"),
        ("GET", "/a.txt", &[("range", "bytes=10-99")], 206, &[("content-range", "bytes 10-15/16")], "abcdef"),
        ("GET", "/a.txt", &[("range", "lines=1-2")], 200, &[("content-range", "")], all),
        (
            "HEAD",
            "/a.txt",
            &[("range", "bytes=0-9")],
            200,
            &[("content-length", "16"), ("content-range", "")],
            "",
        ),
        // Conditions: RFC 9110 §13.
        (
            "GET",
            "/a.txt",
            &[("if-none-match", etag)],
            304,
            &[("etag", etag), ("content-length", ""), ("content-type", "")],
            "",
        ),
        ("HEAD", "/a.txt", &[("if-none-match", etag)], 304, &[("etag", etag)], ""),
        ("GET", "/a.txt", &[("if-none-match", &weak)], 304, &[("etag", etag)], ""),
        ("GET", "/a.txt", &[("if-none-match", "\"x\"")], 200, &[], all),
        ("GET", "/a.txt", &[("if-modified-since", date)], 304, &[("etag", etag)], ""),
        ("GET", "/a.txt", &[("if-modified-since", before)], 200, &[], all),
        ("GET", "/a.txt", &[("if-match", etag)], 200, &[], all),
        ("GET", "/a.txt", &[("if-match", etag), ("if-unmodified-since", before)], 200, &[], all),
        ("GET", "/a.txt", &[("if-unmodified-since", after)], 200, &[], all),
        ("HEAD", "/a.txt", &[("if-match", "\"x\"")], 412, &[], ""),
    ];
    for (method, path, fields, status, expected, body) in rows {
        let answer = ask(&service, request(method, path, fields)).await;
        let row = format!("{method} {path} {fields:?}");
        assert_eq!(answer.status, *status, "{row}");
        for (name, value) in *expected {
            assert_eq!(answer.header(name), *value, "{row}: {name}");
        }
        assert_eq!(answer.text(), *body, "{row}");
    }
}

#[tokio::test]
async fn refusals_tell_the_client_little() {
    let s3 = s3().await;
    put_text(&s3, "a.txt");
    for (key, denial) in [
        ("denied", Denial::AccessDenied),
        ("slow", Denial::SlowDown),
        ("internal", Denial::InternalError),
        ("archived", Denial::InvalidObjectState),
        ("skewed", Denial::SignatureDoesNotMatch),
        ("expired", Denial::ExpiredToken),
        ("moved", Denial::Other { code: "PermanentRedirect", status: StatusCode::MOVED_PERMANENTLY }),
        ("odd", Denial::Other { code: "NeverHeardOf", status: StatusCode::NOT_IMPLEMENTED }),
        ("mute", Denial::Other { code: "NeverHeardOf", status: StatusCode::UNAUTHORIZED }),
        ("teapot", Denial::Other { code: "NeverHeardOf", status: StatusCode::IM_A_TEAPOT }),
        ("closed", Denial::Other { code: "NeverHeardOf", status: StatusCode::FORBIDDEN }),
    ] {
        s3.store().deny(BUCKET, key, denial);
    }
    let plain = proxy(once(mount(&s3)));
    let json = proxy(once(mount(&s3)).error_format(ErrorFormat::ProblemJson));

    type Fields<'a> = &'a [(&'a str, &'a str)];
    use ProxyErrorKind as Kind;
    let rows: &[(&str, Fields<'_>, Kind, u16, &str)] = &[
        ("/missing", &[], Kind::NotFound, 404, "not_found"),
        ("/", &[], Kind::NotFound, 404, "not_found"),
        ("/denied", &[], Kind::NotFound, 404, "not_found"),
        ("/a.txt", &[("if-match", "\"x\"")], Kind::PreconditionFailed, 412, "precondition_failed"),
        ("/a.txt", &[("range", "bytes=16-")], Kind::RangeNotSatisfiable, 416, "range_not_satisfiable"),
        ("/slow", &[], Kind::OriginBusy, 503, "origin_busy"),
        ("/internal", &[], Kind::OriginBusy, 503, "origin_busy"),
        ("/archived", &[], Kind::Archived, 403, "archived"),
        ("/skewed", &[], Kind::OriginRefused, 502, "origin_refused"),
        ("/expired", &[], Kind::OriginRefused, 502, "origin_refused"),
        ("/moved", &[], Kind::OriginMisconfigured, 502, "origin_misconfigured"),
        ("/odd", &[], Kind::OriginBroken, 502, "origin_broken"),
        ("/mute", &[], Kind::OriginRefused, 502, "origin_refused"),
        ("/teapot", &[], Kind::NotFound, 404, "not_found"),
        ("/closed", &[], Kind::NotFound, 404, "not_found"),
    ];
    for (path, fields, kind, status, code) in rows {
        for method in ["GET", "HEAD"] {
            if method == "HEAD" && *status == 416 {
                continue;
            }
            let row = format!("{method} {path}");
            let answer = ask(&plain, request(method, path, fields)).await;
            assert_eq!((answer.status.as_u16(), answer.kind()), (*status, Some(*kind)), "{row}");
            assert_eq!(answer.header("cache-control"), "no-store", "{row}");
            assert_eq!(answer.header("location"), "", "{row}");
            assert!(!answer.headers.keys().any(|name| name.as_str().starts_with("x-amz")), "{row}");
            assert_eq!(answer.headers.contains_key("retry-after"), *status == 503, "{row}");
            let range = if *status == 416 { "bytes */16" } else { "" };
            assert_eq!(answer.header("content-range"), range, "{row}");
            if method == "HEAD" {
                assert_eq!(answer.text(), "", "{row}");
                continue;
            }
            assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8", "{row}");
            assert_mentions_nothing_of_s3(&row, &answer);
            assert!(answer.text().starts_with(&status.to_string()), "{row}: {}", answer.text());
            assert!(answer.text().contains(&id(&answer)), "{row}: {}", answer.text());

            let answer = ask(&json, request(method, path, fields)).await;
            assert_eq!(answer.header("content-type"), "application/problem+json", "{row}");
            assert_mentions_nothing_of_s3(&row, &answer);
            for part in [
                format!(r#""status":{status},"#),
                format!(r#""code":"{code}""#),
                format!(r#""id":"{}""#, id(&answer)),
            ] {
                assert!(answer.text().contains(&part), "{row}: {part} in {}", answer.text());
            }
        }
    }
}

fn id(answer: &Answer) -> String {
    answer.error.as_ref().unwrap().id().to_owned()
}

fn assert_mentions_nothing_of_s3(row: &str, answer: &Answer) {
    for word in ["<", "xml", BUCKET, "NoSuchKey", "AccessDenied", "Signature", "127.0.0.1", "AKIA"] {
        assert!(!answer.text().contains(word), "{row}: {word} in {}", answer.text());
    }
}

#[tokio::test]
async fn every_failure_has_an_id_of_its_own() {
    let s3 = s3().await;
    let service = proxy(mount(&s3));
    let (one, two) = (ask(&service, get("/x")).await, ask(&service, get("/x")).await);
    assert_ne!(id(&one), id(&two));
    assert!(id(&one).len() == 16 && id(&one).bytes().all(|b| b.is_ascii_hexdigit()));
    assert_eq!(one.error.unwrap().origin_code(), Some("NoSuchKey"));
}

/// What the server of these tests does not say, but others do.
#[tokio::test]
async fn answers_of_other_servers_are_tamed() {
    use ProxyErrorKind as Kind;
    type Fields<'a> = &'a [(&'a str, &'a str)];
    let rows: [(&str, &str, Kind, u16, Fields<'_>); 10] = [
        (
            "a wish when to retry",
            "503 Slow Down\r\nretry-after: 17\r\ncontent-length: 0\r\n",
            Kind::OriginBusy,
            503,
            &[("retry-after", "17")],
        ),
        (
            "a redirect",
            "301 Moved\r\nlocation: http://secret.internal/a\r\nx-amz-bucket-region: eu-west-1\r\ncontent-length: 0\r\n",
            Kind::OriginMisconfigured,
            502,
            &[("location", ""), ("x-amz-bucket-region", "")],
        ),
        (
            "a temporary redirect",
            "307 T\r\nlocation: http://x.test/\r\ncontent-length: 0\r\n",
            Kind::OriginMisconfigured,
            502,
            &[("location", "")],
        ),
        (
            "a challenge",
            "401 Unauthorized\r\nwww-authenticate: Basic realm=x\r\ncontent-length: 0\r\n",
            Kind::OriginRefused,
            502,
            &[("www-authenticate", "")],
        ),
        (
            "a 404 without a document",
            "404 Not Found\r\nset-cookie: a=b\r\ncontent-length: 0\r\n",
            Kind::NotFound,
            404,
            &[("set-cookie", "")],
        ),
        (
            "a 403 of a firewall",
            "403 Forbidden\r\ncontent-length: 13\r\n\r\n<html></html>",
            Kind::OriginRefused,
            502,
            &[],
        ),
        ("a 500 of a gateway", "500 Oops\r\ncontent-length: 3\r\n\r\nxxx", Kind::OriginBusy, 503, &[]),
        ("a 504 of a gateway", "504 Late\r\ncontent-length: 0\r\n", Kind::OriginTimeout, 504, &[]),
        (
            "a body without end",
            "403 Forbidden\r\ncontent-length: 99999999999\r\n\r\n",
            Kind::OriginRefused,
            502,
            &[],
        ),
        ("a status of its own", "299 Fine\r\ncontent-length: 0\r\n", Kind::OriginBroken, 502, &[]),
    ];
    for (what, answer, kind, status, fields) in rows {
        let text = match answer.contains("\r\n\r\n") {
            true => format!("HTTP/1.1 {answer}"),
            false => format!("HTTP/1.1 {answer}\r\n"),
        };
        let addr = origin(move |_, mut stream| {
            let text = text.clone();
            async move {
                while read_head(&mut stream).await.is_some() {
                    stream.write_all(text.as_bytes()).await.unwrap();
                    // More than is ever read of an error.
                    if text.contains("99999999999") && stream.write_all(&[b'x'; 4 << 20]).await.is_err() {
                        return;
                    }
                }
            }
        })
        .await;
        let answer = ask(&proxy(mount_at(addr)), get("/a")).await;
        assert_eq!((answer.status.as_u16(), answer.kind()), (status, Some(kind)), "{what}");
        for (name, value) in fields {
            assert_eq!(answer.header(name), *value, "{what}: {name}");
        }
        assert!(answer.text().contains(&id(&answer)), "{what}: {}", answer.text());
    }
}

/// S3's own 304 has no `Cache-Control`: a default may not take the place of what is stored.
#[tokio::test]
async fn a_304_says_of_caching_what_the_200_says() {
    let addr = origin(|_, mut stream| async move {
        while let Some(head) = read_head(&mut stream).await {
            let answer = if head.starts_with("HEAD ") {
                "HTTP/1.1 200 OK\r\netag: \"e\"\r\ncache-control: max-age=5\r\ncontent-length: 9\r\n\r\n"
            } else {
                "HTTP/1.1 304 Not Modified\r\netag: \"e\"\r\n\r\n"
            };
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    })
    .await;
    for (builder, expected) in [
        (mount_at(addr).default_cache_control("max-age=60"), "max-age=5"),
        (mount_at(addr).override_cache_control("no-cache"), "no-cache"),
        (mount_at(addr), "max-age=5"),
    ] {
        let answer = ask(&proxy(builder), request("GET", "/a", &[("if-none-match", "\"e\"")])).await;
        assert_eq!((answer.status.as_u16(), answer.header("etag")), (304, "\"e\""));
        assert_eq!(answer.header("cache-control"), expected);
        assert_eq!(answer.header("content-length"), "");
    }
}

#[tokio::test]
async fn a_denied_object_is_forbidden_if_the_mount_says_so() {
    let s3 = s3().await;
    s3.store().deny(BUCKET, "denied", Denial::AccessDenied);
    let service = proxy(mount(&s3).denied(DeniedAnswer::Forbidden));
    for method in ["GET", "HEAD"] {
        let answer = ask(&service, request(method, "/denied", &[])).await;
        assert_eq!(
            (answer.status.as_u16(), answer.kind()),
            (403, Some(ProxyErrorKind::Forbidden)),
            "{method}"
        );
    }
}

#[tokio::test]
async fn refused_credentials_are_never_not_found() {
    let s3 = s3().await;
    put_text(&s3, "a.txt");
    let temporary = demo_s3::Credential::new("AKIATEMPORARYKEYS000", "secret").with_session_token("token");
    s3.add_credential(temporary);
    let with = |key: &str, secret: &str, token: Option<&str>| {
        proxy(mount(&s3).credentials(Credentials::new(key, secret, token.map(str::to_owned), None, "test")))
    };
    let rows = [
        ("a wrong secret", with(demo_s3::DEMO_ACCESS_KEY, "wrong", None), 502, "/a.txt"),
        ("a wrong secret, missing key", with(demo_s3::DEMO_ACCESS_KEY, "wrong", None), 502, "/missing"),
        ("an unknown access key", with("AKIAUNKNOWN000000000", "secret", None), 502, "/a.txt"),
        ("a missing token", with("AKIATEMPORARYKEYS000", "secret", None), 502, "/a.txt"),
        ("a wrong token", with("AKIATEMPORARYKEYS000", "secret", Some("x")), 502, "/a.txt"),
        ("a token no header can hold", with("AKIATEMPORARYKEYS000", "secret", Some("a\nb")), 502, "/a.txt"),
        ("the right token", with("AKIATEMPORARYKEYS000", "secret", Some("token")), 200, "/a.txt"),
    ];
    for (what, service, status, path) in rows {
        for method in ["GET", "HEAD"] {
            let answer = ask(&service, request(method, path, &[])).await;
            assert_eq!(answer.status, status, "{method} with {what}");
        }
    }
}

#[derive(Debug)]
struct NoCredentials;

impl ProvideCredentials for NoCredentials {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::ready(Err(CredentialsError::not_loaded("the vault is sealed")))
    }
}

#[tokio::test]
async fn a_provider_without_credentials_makes_the_storage_unavailable() {
    let s3 = s3().await;
    let service = proxy(mount(&s3).credentials(NoCredentials));
    for method in ["GET", "HEAD"] {
        let answer = ask(&service, request(method, "/a.txt", &[])).await;
        assert_eq!((answer.status.as_u16(), answer.kind()), (503, Some(ProxyErrorKind::Credentials)));
        assert!(answer.headers.contains_key("retry-after"));
        assert!(!answer.text().contains("vault"), "{}", answer.text());
        let cause = std::error::Error::source(answer.error.as_ref().unwrap()).unwrap();
        let causes: Vec<_> =
            std::iter::successors(Some(cause), |e| e.source()).map(|e| e.to_string()).collect();
        assert!(causes.concat().contains("the vault is sealed"), "{causes:?}");
    }
    assert!(s3.log().is_empty());
}

#[tokio::test]
async fn an_origin_that_is_not_there_is_a_bad_gateway() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    drop(listener);
    let s3 = s3().await;
    let service = proxy(mount(&s3).endpoint_url(format!("http://{addr}")));
    let answer = ask(&service, get("/a.txt")).await;
    assert_eq!((answer.status.as_u16(), answer.kind()), (502, Some(ProxyErrorKind::OriginBroken)));
}

#[tokio::test]
async fn an_origin_that_is_silent_times_out() {
    let s3 = s3().await;
    let _hold = s3.store().hold(BUCKET, "held");
    let service = proxy(
        mount(&s3)
            .transport(&Transport::builder().response_timeout(Duration::from_millis(50)).build().unwrap()),
    );
    let answer = ask(&service, get("/held")).await;
    assert_eq!((answer.status.as_u16(), answer.kind()), (504, Some(ProxyErrorKind::OriginTimeout)));
}

#[tokio::test]
async fn a_missing_bucket_is_the_operators_fault_unless_the_request_named_it() {
    let s3 = s3().await;
    let fixed = proxy(over(&s3, Mount::builder(bucket("nowhere"))));
    assert_eq!(ask(&fixed, get("/a")).await.kind(), Some(ProxyErrorKind::OriginMisconfigured));
    let named = proxy(over(&s3, Mount::bucket_from_path(["*"])));
    assert_eq!(ask(&named, get("/nowhere/a")).await.kind(), Some(ProxyErrorKind::NotFound));
}

// --- requests that S3 never gets to see ---

#[tokio::test]
async fn requests_that_name_no_object_never_reach_s3() {
    let s3 = s3().await;
    let not_found = proxy(mount(&s3).prefix("tenant"));
    let bad_request = proxy(mount(&s3).prefix("tenant").bad_path(BadPathAnswer::BadRequest));
    let long = format!("/{}", "k".repeat(1018));
    for path in [
        "/../secret",
        "/a/../../secret",
        "/a/./b",
        "/..",
        "/%2e%2e/secret",
        "/%2E./secret",
        "/a%2F..%2F..%2Fsecret",
        "/a%5c..%5c..%5csecret",
        "/a%00b",
        "/%ff%fe",
        "/%zz",
        "/%",
        long.as_str(),
    ] {
        for method in ["GET", "HEAD"] {
            let answer = ask(&not_found, request(method, path, &[])).await;
            assert_eq!(answer.status, 404, "{method} {path}");
            let answer = ask(&bad_request, request(method, path, &[])).await;
            assert_eq!(
                (answer.status.as_u16(), answer.kind()),
                (400, Some(ProxyErrorKind::BadRequest)),
                "{path}"
            );
        }
    }
    for path in ["", "/"] {
        let answer = ask(&bad_request, get(&format!("http://proxy.test{path}"))).await;
        assert_eq!(answer.status, 404, "the mount itself is no bad path: {path:?}");
    }
    for method in ["PUT", "POST", "DELETE", "PATCH", "TRACE", "PROPFIND"] {
        let answer = ask(&not_found, request(method, "/a.txt", &[])).await;
        assert_eq!(answer.status, 405, "{method}");
        assert_eq!(answer.header("allow"), "GET, HEAD, OPTIONS", "{method}");
    }
    let answer = ask(&not_found, request("OPTIONS", "/a.txt", &[("origin", "https://x.test")])).await;
    assert_eq!((answer.status.as_u16(), answer.text()), (204, ""));
    assert_eq!(answer.header("allow"), "GET, HEAD, OPTIONS");
    assert!(s3.log().is_empty(), "{:?}", s3.log());
}

#[tokio::test]
async fn an_escape_that_is_escaped_stays_in_the_prefix() {
    let s3 = s3().await;
    s3.store().put(BUCKET, "secret", Bytes::from_static(b"secret"));
    let service = proxy(mount(&s3).prefix("tenant"));
    for path in ["/%252e%252e/secret", "/..%252fsecret", "/.../secret", "/..;/secret"] {
        assert_eq!(ask(&service, get(path)).await.status, 404, "{path}");
    }
    let log = s3.log();
    assert_eq!(log.len(), 4);
    assert!(log.iter().all(|seen| seen.uri.starts_with("/media/tenant/")), "{log:?}");
}

#[tokio::test]
async fn nothing_of_the_client_reaches_s3_but_what_s3_understands() {
    // Looks at requests to S3 that a cache does not make.
    if is_cached() {
        return;
    }
    let s3 = s3().await;
    put_text(&s3, "a.txt");
    let server = serve(Protocol::Http1, proxy(mount(&s3))).await;
    let fields = [
        ("cookie", "session=1"),
        ("authorization", "Bearer token"),
        ("proxy-authorization", "Basic token"),
        ("accept-encoding", "gzip"),
        ("accept", "*/*"),
        ("origin", "https://app.test"),
        ("referer", "https://app.test/page"),
        ("forwarded", "for=1.2.3.4"),
        ("x-forwarded-for", "1.2.3.4"),
        ("x-forwarded-host", "app.test"),
        ("x-amz-acl", "public-read"),
        ("x-amz-security-token", "token"),
        ("x-amz-request-payer", "requester"),
        ("x-amz-server-side-encryption-customer-algorithm", "AES256"),
        ("user-agent", "browser"),
        ("if-none-match", "\"x\""),
        ("range", "bytes=0-3"),
    ];
    let mut client = Client::connect(Protocol::Http1, server.addr).await;
    let answer = client.ask(request("GET", "/a.txt?acl&x-amz-acl=public-read&x=1", &fields)).await;
    assert_eq!((answer.status.as_u16(), answer.text()), (206, "0123"));
    assert_eq!(answer.header("content-type"), "text/plain");

    let log = s3.log();
    let [seen] = log.as_slice() else { panic!("one request: {log:?}") };
    assert_eq!(seen.uri, "/media/a.txt");
    let mut names: Vec<_> = seen.headers.keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    let expected = [
        "authorization",
        "host",
        "if-none-match",
        "range",
        "user-agent",
        "x-amz-content-sha256",
        "x-amz-date",
    ];
    assert_eq!(names, expected);
    assert!(seen.headers["authorization"].to_str().unwrap().starts_with("AWS4-HMAC-SHA256 "));
    assert!(seen.headers["user-agent"].to_str().unwrap().starts_with("tower-s3-proxy/"));
    assert_eq!(seen.headers["host"], s3.addr().to_string());
}

#[tokio::test]
async fn a_client_can_not_break_the_signature() {
    let s3 = s3().await;
    put_text(&s3, "a.txt");
    let service = proxy(mount(&s3));
    let values: [&[u8]; 5] = [b"\"\xfc\"", b"  \"x\"  ,  \"y\"  ", b"\"a\tb\"", b"", b"\"a  b\""];
    for value in values {
        let mut ask_for = get("/a.txt");
        ask_for.headers_mut().insert("if-none-match", HeaderValue::from_bytes(value).unwrap());
        ask_for.headers_mut().append("if-none-match", HeaderValue::from_static("\"z\""));
        let answer = ask(&service, ask_for).await;
        assert_eq!(answer.status, 200, "{:?}: {:?}", String::from_utf8_lossy(value), answer.error);
    }
}

// --- what the client gets to see ---

#[tokio::test]
async fn fields_of_s3_are_stripped_unless_allowed() {
    // Lists all fields; a cache adds two.
    if is_cached() {
        return;
    }
    let s3 = s3().await;
    put_text(&s3, "a.txt");
    let strict = proxy(mount(&s3));
    let allowing = proxy(
        mount(&s3)
            .forward_response_header("x-amz-storage-*")
            .forward_response_header("Server")
            .metadata_header("title", "X-Title")
            .metadata_header("absent", "X-Absent"),
    );
    for fields in [&[][..], &[("range", "bytes=0-1")]] {
        let answer = ask(&strict, request("GET", "/a.txt", fields)).await;
        let mut names: Vec<_> = answer.headers.keys().map(HeaderName::as_str).collect();
        names.retain(|name| *name != "content-range");
        names.sort_unstable();
        let expected = [
            "accept-ranges",
            "content-disposition",
            "content-language",
            "content-length",
            "content-type",
            "date",
            "etag",
            "last-modified",
        ];
        assert_eq!(names, expected);
    }
    for method in ["GET", "HEAD"] {
        let answer = ask(&allowing, request(method, "/a.txt", &[])).await;
        assert_eq!(answer.header("x-amz-storage-class"), "STANDARD_IA", "{method}");
        assert_eq!(answer.header("server"), "AmazonS3", "{method}");
        assert_eq!(answer.header("x-title"), "Sixteen", "{method}");
        for absent in ["x-absent", "x-amz-meta-title", "x-amz-meta-secret", "x-amz-request-id", "x-amz-id-2"]
        {
            assert_eq!(answer.header(absent), "", "{method} {absent}");
        }
    }
}

#[tokio::test]
async fn encoded_objects_pass_encoded() {
    let s3 = s3().await;
    let attributes = ObjectAttributes::new().content_type(value("text/css")).content_encoding(value("gzip"));
    s3.store().put_with(BUCKET, "a.css", Bytes::from_static(b"\x1f\x8bnot really"), attributes);
    let service = proxy(mount(&s3));
    for fields in [&[][..], &[("range", "bytes=0-3")]] {
        let answer = ask(&service, request("GET", "/a.css", fields)).await;
        assert_eq!(answer.header("content-encoding"), "gzip");
        assert!(answer.body.starts_with(b"\x1f\x8bno"));
    }
}

#[tokio::test]
async fn a_useless_content_type_is_fixed_by_extension() {
    let s3 = s3().await;
    let put = |key: &str, attributes| s3.store().put_with(BUCKET, key, Bytes::from_static(b"x"), attributes);
    put("a.webp", ObjectAttributes::new());
    put("b.webp", ObjectAttributes::new().content_type(value("text/plain")));
    put("c", ObjectAttributes::new());
    let fixed = proxy(mount(&s3));
    let as_stored = proxy(mount(&s3).content_type(ContentTypeFix::AsStored));
    for (service, path, expected) in [
        (&fixed, "/a.webp", "image/webp"),
        (&fixed, "/b.webp", "text/plain"),
        (&fixed, "/c", "binary/octet-stream"),
        (&as_stored, "/a.webp", "binary/octet-stream"),
    ] {
        for (method, fields) in [("GET", &[][..]), ("HEAD", &[]), ("GET", &[("range", "bytes=0-")])] {
            let answer = ask(service, request(method, path, fields)).await;
            assert_eq!(answer.header("content-type"), expected, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn cache_control_follows_the_policy_on_every_status() {
    let s3 = s3().await;
    let stored = |text: &'static str| ObjectAttributes::new().cache_control(value(text));
    let put = |key: &str, attributes| s3.store().put_with(BUCKET, key, Bytes::from_static(b"x"), attributes);
    put("plain.txt", ObjectAttributes::new());
    put("own.txt", stored("max-age=5"));
    put("app.js", stored("max-age=5"));
    put("pic.png", ObjectAttributes::new().content_type(value("image/png")));
    put("expires.txt", ObjectAttributes::new().expires(value("Wed, 21 Oct 2015 07:28:00 GMT")));
    let none = || mount(&s3);
    let default = || mount(&s3).default_cache_control("max-age=60");
    let overridden = || mount(&s3).override_cache_control("no-cache");
    let busting = |builder: tower_s3_proxy::MountBuilder| builder.cache_bust_segment(true);
    let rules = || {
        mount(&s3)
            .cache_control_rule(CacheControlRule::override_with("immutable").key("*.js"))
            .cache_control_rule(CacheControlRule::default_to("max-age=7").content_type("image/*"))
            .cache_control_rule(CacheControlRule::override_with("max-age=10").status(404))
            .default_cache_control("max-age=60")
    };
    for (what, builder, path, expected) in [
        ("nothing", none(), "plain.txt", ""),
        ("nothing", none(), "own.txt", "max-age=5"),
        ("a default", default(), "plain.txt", "max-age=60"),
        ("a default", default(), "own.txt", "max-age=5"),
        ("a default", default(), "expires.txt", ""),
        ("a default", default(), "missing", "no-store"),
        ("an override", overridden(), "plain.txt", "no-cache"),
        ("an override", overridden(), "own.txt", "no-cache"),
        ("an override", overridden(), "expires.txt", "no-cache"),
        ("an override", overridden(), "missing", "no-store"),
        ("rules", rules(), "plain.txt", "max-age=60"),
        ("rules", rules(), "own.txt", "max-age=5"),
        ("rules", rules(), "app.js", "immutable"),
        ("rules", rules(), "pic.png", "max-age=7"),
        ("rules", rules(), "missing", "max-age=10"),
        ("a bust", busting(none()), "--2/plain.txt", "max-age=31536000, immutable"),
        ("a bust", busting(none()), "--2/own.txt", "max-age=5"),
        ("a bust", busting(none()), "plain.txt", ""),
        ("a bust", busting(default()), "--2/plain.txt", "max-age=31536000, immutable"),
        ("a bust", busting(overridden()), "--2/plain.txt", "no-cache"),
        ("a bust", busting(default()), "--2/missing", "no-store"),
    ] {
        let service = proxy(builder);
        let path = format!("/{path}");
        for (method, fields) in [
            ("GET", &[][..]),
            ("HEAD", &[]),
            ("GET", &[("range", "bytes=0-0")]),
            ("GET", &[("if-none-match", "*")]),
            ("HEAD", &[("if-none-match", "*")]),
        ] {
            let answer = ask(&service, request(method, &path, fields)).await;
            let row = format!("{what}: {method} {path} {fields:?} {}", answer.status);
            assert_eq!(answer.header("cache-control"), expected, "{row}");
            let has_expires = path == "/expires.txt" && what == "a default";
            assert_eq!(answer.headers.contains_key("expires"), has_expires, "{row}");
            if answer.status != 404 {
                let is_conditional = fields.iter().any(|(name, _)| *name == "if-none-match");
                assert_eq!(answer.status == 304, is_conditional, "{row}");
            }
        }
    }
}

#[tokio::test]
async fn an_answer_to_head_has_a_length_and_no_body_on_the_wire() {
    let s3 = s3().await;
    put_text(&s3, "a.txt");
    let server = serve(Protocol::Http1, proxy(mount(&s3))).await;
    let ask = |method: &str, path: &str| {
        let text = format!("{method} {path} HTTP/1.1\r\nhost: proxy.test\r\nconnection: close\r\n\r\n");
        let addr = server.addr;
        async move { raw(addr, &text).await }
    };
    let answer = ask("HEAD", "/a.txt").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("\r\ncontent-length: 16\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n"), "{answer}");
    let answer = ask("HEAD", "/missing").await;
    assert!(answer.starts_with("HTTP/1.1 404 Not Found\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n"), "{answer}");
    let answer = ask("GET", "/a.txt").await;
    assert!(answer.ends_with("\r\n\r\n0123456789abcdef"), "{answer}");
    assert_eq!(answer.matches("content-length").count(), 1, "{answer}");
    assert_eq!(answer.matches("date:").count(), 1, "{answer}");
}

// --- which bucket, which key ---

#[tokio::test]
async fn versions_are_served_only_where_allowed() {
    let s3 = s3().await;
    s3.store().set_versioning(BUCKET, true);
    let old = s3.store().put(BUCKET, "a", Bytes::from_static(b"old")).version_id.unwrap();
    s3.store().put(BUCKET, "a", Bytes::from_static(b"new"));
    let marker = s3.store().put(BUCKET, "gone", Bytes::from_static(b"x")).version_id.unwrap();
    s3.store().delete(BUCKET, "gone");
    let closed = proxy(mount(&s3));
    let open = proxy(mount(&s3).allow_versions(true).default_cache_control("max-age=60"));
    for (service, path, status, body) in [
        (&closed, format!("/a?versionId={old}"), 200, "new"),
        (&open, "/a".to_owned(), 200, "new"),
        (&open, format!("/a?versionId={old}"), 200, "old"),
        (&open, format!("/a?x=1&versionId={old}&y"), 200, "old"),
        (&open, "/a?versionId=none".to_owned(), 404, ""),
        (&open, format!("/gone?versionId={marker}"), 200, "x"),
        (&open, "/gone".to_owned(), 404, ""),
    ] {
        let answer = ask(service, get(&path)).await;
        assert_eq!(answer.status, status, "{path}");
        if status == 200 {
            assert_eq!(answer.text(), body, "{path}");
            let control = match (std::ptr::eq(service, &closed), path.contains("versionId")) {
                (true, _) => "",
                (false, true) => "max-age=31536000, immutable",
                (false, false) => "max-age=60",
            };
            assert_eq!(answer.header("cache-control"), control, "{path}");
        }
    }
}

#[tokio::test]
async fn paths_become_keys_behind_the_prefix() {
    let s3 = s3().await;
    for key in ["a", "web/a", "web/--1/a", "web/b/--1/a", "web//a", "web/a/"] {
        s3.store().put(BUCKET, key, Bytes::copy_from_slice(key.as_bytes()));
    }
    let prefixed = proxy(mount(&s3).at("/media").prefix("web"));
    let busting = proxy(mount(&s3).at("/media").prefix("web").cache_bust_segment(true));
    let bare = proxy(mount(&s3).at("/media"));
    for (service, path, key) in [
        (&prefixed, "/media/a", Some("web/a")),
        (&prefixed, "/media//a", Some("web//a")),
        (&prefixed, "/media/a/", Some("web/a/")),
        (&prefixed, "/media/--1/a", Some("web/--1/a")),
        (&busting, "/media/--1/a", Some("web/a")),
        (&busting, "/media/--v2.1_x-y/a", Some("web/a")),
        (&busting, "/media/b/--1/a", Some("web/b/--1/a")),
        (&busting, "/media/--9/--1/a", Some("web/--1/a")),
        (&busting, "/media/--9/../a", None),
        (&bare, "/media/web%2Fa", Some("web/a")),
        (&bare, "/media/web/b", None),
        (&bare, "/mediaweb/a", None),
        (&bare, "/web/a", None),
    ] {
        let answer = ask(service, get(path)).await;
        assert_eq!(answer.status.is_success(), key.is_some(), "{path}: {}", answer.status);
        if let Some(key) = key {
            assert_eq!(answer.text(), key, "{path}");
        }
    }
}

#[tokio::test]
async fn the_path_may_name_an_allowed_bucket() {
    let s3 = DemoS3::builder().bucket("media-a").bucket("media-b").bucket("private").start().await.unwrap();
    for name in ["media-a", "media-b", "private"] {
        s3.store().put(name, "dir/x", Bytes::copy_from_slice(name.as_bytes()));
    }
    let service = proxy(over(&s3, Mount::bucket_from_path(["media-*"])).at("/b"));
    for (path, body) in [
        ("/b/media-a/dir/x", Some("media-a")),
        ("/b/media-b/dir/x", Some("media-b")),
        ("/b/private/dir/x", None),
        ("/b/media-a", None),
        ("/b/", None),
        ("/b/media-a/../private/dir/x", None),
        ("/b/media-%2F..%2Fprivate/dir/x", None),
    ] {
        s3.clear_log();
        let answer = ask(&service, get(path)).await;
        assert_eq!(answer.status.is_success(), body.is_some(), "{path}");
        match body {
            Some(body) => assert_eq!(answer.text(), body, "{path}"),
            None => assert!(s3.log().is_empty(), "{path}: {:?}", s3.log()),
        }
    }
}

#[tokio::test]
async fn a_resolver_names_the_bucket() {
    let s3 = s3().await;
    s3.store().put(BUCKET, "a", Bytes::from_static(b"a"));
    let resolver = BucketResolver::new(|head| async move {
        assert_eq!(head.uri.path(), "/t/a");
        match head.headers.get("x-tenant").map(|value| value.to_str()) {
            Some(Ok("studio")) => Ok(Some(bucket(BUCKET))),
            Some(Ok("broken")) => Err("the directory is down".into()),
            _ => Ok(None),
        }
    });
    let service = proxy(over(&s3, Mount::bucket_from(resolver)).at("/t"));
    for (tenant, status, kind) in [
        ("studio", 200, None),
        ("unknown", 404, Some(ProxyErrorKind::NotFound)),
        ("broken", 503, Some(ProxyErrorKind::Resolver)),
    ] {
        let answer = ask(&service, request("GET", "/t/a", &[("x-tenant", tenant)])).await;
        assert_eq!((answer.status.as_u16(), answer.kind()), (status, kind), "{tenant}");
        assert!(!answer.text().contains("directory"));
    }
    assert_eq!(s3.log().len(), 1);
}

#[tokio::test]
async fn the_most_specific_mount_answers() {
    let names = ["root", "media", "media-deep", "host-root", "host-media"];
    let mut builder = DemoS3::builder();
    for name in names {
        builder = builder.bucket(name);
    }
    let s3 = builder.start().await.unwrap();
    for name in names {
        for key in ["x", "deep/x", "media/x", "media/deep/x"] {
            s3.store().put(name, key, Bytes::from(format!("{name}:{key}")));
        }
    }
    let at = |name: &str, path: &str| over(&s3, Mount::builder(bucket(name))).at(path);
    let config = S3ProxyConfig::new([
        at("root", "/").build().unwrap(),
        at("media", "/media").build().unwrap(),
        at("media-deep", "/media/deep").build().unwrap(),
        at("host-root", "/").host("cdn.test").build().unwrap(),
        at("host-media", "/media").host("cdn.test").build().unwrap(),
    ]);
    let service = S3Proxy::new(config.unwrap());
    for (host, path, body) in [
        ("proxy.test", "/x", "root:x"),
        ("proxy.test", "/media/x", "media:x"),
        ("proxy.test", "/media/deep/x", "media-deep:x"),
        ("CDN.test:8080", "/x", "host-root:x"),
        ("cdn.test", "/media/x", "host-media:x"),
        ("cdn.test", "/media/deep/x", "host-media:deep/x"),
    ] {
        let answer = ask(&service, request("GET", path, &[("host", host)])).await;
        assert_eq!(answer.text(), body, "{host} {path}");
        let answer = ask(&service, get(&format!("http://{host}{path}"))).await;
        assert_eq!(answer.text(), body, "{host} {path} by its authority");
    }
}

#[tokio::test]
async fn a_mount_for_a_host_leaves_other_hosts_alone() {
    let s3 = s3().await;
    s3.store().put(BUCKET, "a", Bytes::from_static(b"a"));
    let service = inner_behind(mount(&s3).host("cdn.test"));
    assert_eq!(ask(&service, request("GET", "/a", &[("host", "cdn.test")])).await.text(), "a");
    assert_eq!(ask(&service, request("GET", "/a", &[("host", "app.test")])).await.text(), "inner GET /a");
    assert_eq!(ask(&service, get("/a")).await.text(), "inner GET /a");
}

/// A layer over a service that says what reached it.
fn inner_behind(
    builder: tower_s3_proxy::MountBuilder,
) -> S3Proxy<
    impl tower::Service<Request<Empty<Bytes>>, Response = Response<Full<Bytes>>, Error = Infallible> + Clone,
> {
    S3ProxyLayer::new(builder.build().unwrap()).layer(tower::service_fn(
        |request: Request<Empty<Bytes>>| async move {
            let text = format!("inner {} {}", request.method(), request.uri());
            Ok::<_, Infallible>(Response::new(Full::from(text)))
        },
    ))
}

#[tokio::test]
async fn a_miss_may_go_to_the_inner_service() {
    let s3 = s3().await;
    s3.store().put(BUCKET, "a", Bytes::from_static(b"object"));
    s3.store().deny(BUCKET, "slow", Denial::SlowDown);
    s3.store().deny(BUCKET, "denied", Denial::AccessDenied);
    let answered = inner_behind(mount(&s3).at("/m"));
    let to_inner = inner_behind(mount(&s3).at("/m").fallback(Fallback::Inner));
    for (method, path, own_status, body) in [
        ("GET", "/m/a", 200, "object"),
        ("GET", "/m/missing?q=1", 404, "inner GET /m/missing?q=1"),
        ("HEAD", "/m/missing", 404, "inner HEAD /m/missing"),
        ("GET", "/m/denied", 404, "inner GET /m/denied"),
        ("GET", "/m/../x", 404, "inner GET /m/../x"),
        ("GET", "/m", 404, "inner GET /m"),
        ("GET", "/m/a?partNumber=1", 400, "inner GET /m/a?partNumber=1"),
        ("POST", "/m/a", 405, "inner POST /m/a"),
        ("OPTIONS", "/m/a", 204, "inner OPTIONS /m/a"),
    ] {
        let row = format!("{method} {path}");
        assert_eq!(ask(&answered, request(method, path, &[])).await.status, own_status, "{row}");
        let answer = ask(&to_inner, request(method, path, &[])).await;
        assert_eq!((answer.status.as_u16(), answer.text()), (200, body), "{row}");
    }
    let busy = ask(&to_inner, get("/m/slow")).await;
    assert_eq!(busy.status, 503, "a fault is no miss");
}

// --- where the bucket is ---

#[tokio::test]
async fn a_public_bucket_is_read_without_a_signature() {
    let s3 = DemoS3::builder().anonymous_read(BUCKET).start().await.unwrap();
    s3.store().put(BUCKET, "a", Bytes::from_static(b"a"));
    let service = proxy(mount(&s3).anonymous());
    assert_eq!(ask(&service, get("/a")).await.text(), "a");
    assert_eq!(ask(&service, get("/missing")).await.status, 404, "S3 says AccessDenied to that");
    for seen in s3.log() {
        assert!(!seen.headers.contains_key("authorization"), "{seen:?}");
        assert!(!seen.headers.keys().any(|name| name.as_str().starts_with("x-amz")), "{seen:?}");
    }
}

#[tokio::test]
async fn connect_to_keeps_the_name_of_the_endpoint() {
    let s3 = DemoS3::builder().bucket(BUCKET).virtual_host("s3.test").region(REGION).start().await.unwrap();
    s3.store().put(BUCKET, "a b/ü", Bytes::from_static(b"a"));
    let mount = Mount::builder(bucket(BUCKET))
        .endpoint_url("http://s3.test")
        .connect_to(s3.addr().to_string())
        .region(REGION)
        .credentials(keys());
    let service = proxy(mount);
    assert_eq!(ask(&service, get("/a%20b/%C3%BC")).await.text(), "a");
    assert_eq!(ask(&service, request("HEAD", "/a%20b/%C3%BC", &[])).await.status, 200);
    for seen in s3.log() {
        assert_eq!(seen.headers["host"], "media.s3.test");
        assert_eq!(seen.uri, "/a%20b/%C3%BC");
    }
}

#[tokio::test]
async fn readiness_means_that_s3_takes_our_requests() {
    let s3 = s3().await;
    let ready = |builder: tower_s3_proxy::MountBuilder| {
        let layer = S3ProxyLayer::new(builder.build().unwrap());
        async move { layer.ready().await.map_err(|error| error.kind()) }
    };
    assert_eq!(ready(mount(&s3)).await, Ok(()));
    let wrong = Credentials::new(demo_s3::DEMO_ACCESS_KEY, "wrong", None, None, "test");
    assert_eq!(ready(mount(&s3).credentials(wrong)).await, Err(ProxyErrorKind::OriginRefused));
    assert_eq!(ready(mount(&s3).credentials(NoCredentials)).await, Err(ProxyErrorKind::Credentials));
    let nowhere = over(&s3, Mount::builder(bucket("nowhere")));
    assert_eq!(ready(nowhere).await, Err(ProxyErrorKind::OriginMisconfigured));
}

/// Health checks come from anybody.
#[tokio::test]
async fn one_probe_answers_all_who_ask_whether_it_is_ready() {
    let s3 = s3().await;
    let mounts = ["/a", "/b", "/c"].map(|path| mount(&s3).at(path).build().unwrap());
    let layer = S3ProxyLayer::new(S3ProxyConfig::new(mounts).unwrap());
    let asking: Vec<_> = (0..100)
        .map(|_| {
            let layer = layer.clone();
            tokio::spawn(async move { layer.ready().await.is_ok() })
        })
        .collect();
    for asked in asking {
        assert!(asked.await.unwrap());
    }
    assert_eq!(s3.log().len(), 3, "one for each mount");
    assert!(layer.ready().await.is_ok());
    assert_eq!(s3.log().len(), 3, "it is remembered");
}

#[tokio::test]
async fn mounts_are_asked_at_once_whether_they_are_ready() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let mounts = ["/a", "/b", "/c"].map(|path| {
        Mount::builder(bucket("media"))
            .at(path)
            .region("us-west-2")
            .endpoint_url(&url)
            .path_style(true)
            .anonymous()
            .build()
            .unwrap()
    });
    let layer = S3ProxyLayer::new(S3ProxyConfig::new(mounts).unwrap());
    let ready = tokio::spawn(async move { layer.ready().await.is_ok() });
    let mut connections = Vec::new();
    for _ in 0..3 {
        let accepted = timeout(Duration::from_secs(20), listener.accept()).await;
        connections.push(accepted.expect("each mount is asked").unwrap().0);
    }
    for mut connection in connections {
        let answer = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";
        connection.write_all(answer).await.unwrap();
        // Kept until the client has read it.
        tokio::spawn(async move { tokio::io::copy(&mut connection, &mut tokio::io::sink()).await });
    }
    assert!(ready.await.unwrap());
}

#[tokio::test]
async fn who_asks_whether_it_is_ready_and_hangs_up_leaves_the_probe_to_the_next() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let builder = Mount::builder(bucket("media")).region("us-west-2").endpoint_url(&url).path_style(true);
    let layer = S3ProxyLayer::new(builder.anonymous().build().unwrap());
    let ask = || {
        let layer = layer.clone();
        tokio::spawn(async move { layer.ready().await.is_ok() })
    };
    let first = ask();
    let (mut connection, _) = listener.accept().await.unwrap();
    first.abort();
    assert!(first.await.is_err());
    let second = ask();
    tokio::task::yield_now().await;
    connection.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").await.unwrap();
    tokio::select! {
        ready = second => assert!(ready.unwrap()),
        _ = listener.accept() => panic!("it is asked anew"),
    }
}
