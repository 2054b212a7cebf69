//! CORS: a browser's requests and the responses, without any part for S3.

use std::convert::Infallible;

use bytes::Bytes;
use demo_s3::{DemoS3, Denial};
use http::{HeaderMap, HeaderName, Request, Response};
use http_body_util::{Empty, Full};
use tokio::io::AsyncWriteExt;
use tower::{Layer, Service, service_fn};
use tower_s3_proxy::{
    ConfigErrorKind, Cors, MountBuilder, S3ProxyLayer,
    response::{BadPathAnswer, Fallback},
    service::ResponseBody,
};

use crate::support::{
    BUCKET, Client, Protocol, ask, mount, mount_at, origin, proxy, raw, read_head, request, s3, serve,
};

const APP: &str = "https://app.test";
const EVIL: &str = "https://evil.test";

type Fields<'a> = &'a [(&'a str, &'a str)];
type Lines<'a> = &'a [&'a str];

/// One object, one denied key, one that S3 is too busy for.
async fn filled() -> DemoS3 {
    let s3 = s3().await;
    s3.store().put(BUCKET, "a.txt", Bytes::from_static(b"0123456789abcdef"));
    s3.store().deny(BUCKET, "slow", Denial::SlowDown);
    s3
}

fn cors_lines(headers: &HeaderMap) -> Vec<String> {
    let is_cors = |name: &HeaderName| name.as_str().starts_with("access-control-") || name == "vary";
    let mut lines: Vec<_> = headers
        .iter()
        .filter(|(name, _)| is_cors(name))
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    lines.sort_unstable();
    lines
}

const EXPOSED: &str = "access-control-expose-headers: etag, content-range, accept-ranges, content-length";
const PREFLIGHT_VARY: &str = "vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers";

#[tokio::test]
async fn preflights_never_reach_s3() {
    let s3 = filled().await;
    let cors = || Cors::origins([APP, "https://*.app.test"]).allow_header("authorization");
    let answered = proxy(mount(&s3).cors(cors()));
    let nested = proxy(mount(&s3).cors(cors()).bad_path(BadPathAnswer::BadRequest));
    let to_inner = inner_behind(mount(&s3).cors(cors()).fallback(Fallback::Inner));
    let asked = ("access-control-request-headers", "authorization,range");
    let granted = |origin: &str| {
        vec![
            "access-control-allow-headers: range, if-match, if-none-match, if-modified-since, if-unmodified-since, if-range, authorization"
                .to_owned(),
            "access-control-allow-methods: GET, HEAD".to_owned(),
            format!("access-control-allow-origin: {origin}"),
            "access-control-max-age: 3600".to_owned(),
            PREFLIGHT_VARY.to_owned(),
        ]
    };
    let refused = vec![PREFLIGHT_VARY.to_owned()];
    let rows: &[(&str, Fields<'_>, Vec<String>)] = &[
        ("GET", &[("origin", APP)], granted(APP)),
        ("HEAD", &[("origin", "https://x.app.test"), asked], granted("https://x.app.test")),
        ("GET", &[("origin", EVIL), asked], refused.clone()),
        ("GET", &[("origin", "null")], refused.clone()),
        ("PUT", &[("origin", APP)], refused.clone()),
        ("GET", &[("origin", APP), ("access-control-request-headers", "x-evil")], refused),
    ];
    for (method, fields, expected) in rows {
        for path in ["/a.txt", "/missing", "/", "/../a"] {
            let fields = [fields, &[("access-control-request-method", *method)][..]].concat();
            let row = format!("{method} {path} {fields:?}");
            for answer in [
                ask(&answered, request("OPTIONS", path, &fields)).await,
                ask(&nested, request("OPTIONS", path, &fields)).await,
                ask(&to_inner, request("OPTIONS", path, &fields)).await,
            ] {
                assert_eq!((answer.status.as_u16(), answer.text()), (204, ""), "{row}");
                assert_eq!(&cors_lines(&answer.headers), expected, "{row}");
                assert_eq!(answer.header("allow"), "GET, HEAD, OPTIONS", "{row}");
            }
        }
    }
    assert!(s3.log().is_empty(), "{:?}", s3.log());
}

#[tokio::test]
async fn a_preflight_on_the_wire_has_neither_length_nor_body() {
    let s3 = filled().await;
    let server = serve(Protocol::Http1, proxy(mount(&s3).cors(Cors::any_origin()))).await;
    let answer = raw(
        server.addr,
        "OPTIONS /a.txt HTTP/1.1\r\nhost: proxy.test\r\norigin: https://app.test\r\naccess-control-request-method: GET\r\nconnection: close\r\n\r\n",
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 204 No Content\r\n"), "{answer}");
    assert!(answer.contains("\r\naccess-control-allow-origin: *\r\n"), "{answer}");
    assert!(!answer.contains("content-length") && !answer.contains("transfer-encoding"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n"), "{answer}");
}

#[tokio::test]
async fn every_answer_of_the_mount_says_who_may_read_it() {
    let s3 = filled().await;
    let listed = || Cors::origins([APP]);
    let (allow_app, allow_any) =
        ("access-control-allow-origin: https://app.test", "access-control-allow-origin: *");
    let credentials = "access-control-allow-credentials: true";
    let vary = "vary: Origin";
    let kinds: &[(&str, &str, Fields<'_>, u16)] = &[
        ("GET", "/a.txt", &[], 200),
        ("HEAD", "/a.txt", &[], 200),
        ("GET", "/a.txt", &[("range", "bytes=0-3")], 206),
        ("GET", "/a.txt", &[("if-none-match", "*")], 304),
        ("HEAD", "/a.txt", &[("if-none-match", "*")], 304),
        ("GET", "/missing", &[], 404),
        ("HEAD", "/missing", &[], 404),
        ("GET", "/", &[], 404),
        ("GET", "/../a.txt", &[], 400),
        ("POST", "/a.txt", &[], 405),
        ("GET", "/a.txt", &[("if-match", "\"x\"")], 412),
        ("GET", "/a.txt", &[("range", "bytes=16-")], 416),
        ("GET", "/slow", &[], 503),
        ("OPTIONS", "/a.txt", &[], 204),
    ];
    let rows: &[(&str, Option<Cors>, Option<&str>, Lines<'_>)] = &[
        ("an allowed origin", Some(listed()), Some(APP), &[allow_app, EXPOSED, vary]),
        ("a refused origin", Some(listed()), Some(EVIL), &[vary]),
        ("no origin", Some(listed()), None, &[vary]),
        (
            "credentials",
            Some(listed().allow_credentials()),
            Some(APP),
            &[credentials, allow_app, EXPOSED, vary],
        ),
        ("credentials, refused", Some(listed().allow_credentials()), Some(EVIL), &[vary]),
        ("any origin", Some(Cors::any_origin()), Some(EVIL), &[allow_any, EXPOSED, vary]),
        ("any origin, none sent", Some(Cors::any_origin()), None, &[allow_any, EXPOSED, vary]),
        (
            "a glob",
            Some(Cors::origins(["https://*.test"]).expose_only_headers(["x-title"])),
            Some(APP),
            &[allow_app, "access-control-expose-headers: x-title", vary],
        ),
        ("no CORS", None, Some(APP), &[]),
    ];
    for (what, cors, origin, expected) in rows {
        // With a default: a 304 is then built from another answer of S3.
        let mut builder = mount(&s3).bad_path(BadPathAnswer::BadRequest).default_cache_control("max-age=60");
        if let Some(cors) = cors {
            builder = builder.cors(cors.clone());
        }
        let service = proxy(builder);
        for (method, path, fields, status) in kinds {
            let mut asked = request(method, path, fields);
            if let Some(origin) = origin {
                asked.headers_mut().insert("origin", origin.parse().unwrap());
            }
            let answer = ask(&service, asked).await;
            let row = format!("{what}: {method} {path} {fields:?}");
            assert_eq!(answer.status, *status, "{row}");
            assert_eq!(cors_lines(&answer.headers), *expected, "{row}");
        }
    }
    for seen in s3.log() {
        let mut names = seen.headers.keys().map(HeaderName::as_str);
        assert!(!names.any(|name| name == "origin" || name.starts_with("access-control-")), "{seen:?}");
    }
}

#[tokio::test]
async fn a_page_is_served_over_the_wire() {
    let s3 = filled().await;
    let cors = || Cors::origins([APP]).allow_credentials();
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let server = serve(protocol, proxy(mount(&s3).cors(cors()))).await;
        let mut client = Client::connect(protocol, server.addr).await;
        let preflight = [
            ("origin", APP),
            ("access-control-request-method", "GET"),
            ("access-control-request-headers", "range"),
        ];
        let answer = client.ask(request("OPTIONS", "/a.txt", &preflight)).await;
        assert_eq!((answer.status.as_u16(), answer.header("access-control-allow-origin")), (204, APP));
        let fields = [("origin", APP), ("cookie", "session=1"), ("range", "bytes=0-3")];
        let answer = client.ask(request("GET", "/a.txt", &fields)).await;
        assert_eq!((answer.status.as_u16(), answer.text()), (206, "0123"));
        assert_eq!(answer.header("access-control-allow-origin"), APP);
        assert_eq!(answer.header("access-control-allow-credentials"), "true");
        let mut two = request("GET", "/a.txt", &fields);
        two.headers_mut().append("origin", APP.parse().unwrap());
        assert_eq!(cors_lines(&client.ask(two).await.headers), ["vary: Origin"], "{protocol:?}");
    }
}

/// S3 with CORS of its own, and with a Vary of its own.
#[tokio::test]
async fn what_s3_says_of_cors_never_reaches_a_client() {
    let fields = "access-control-allow-origin: *\r\naccess-control-allow-credentials: true\r\n\
        access-control-expose-headers: x-secret\r\naccess-control-max-age: 99\r\naccess-control-allow-methods: PUT\r\n\
        vary: Origin, Access-Control-Request-Headers, Access-Control-Request-Method\r\nvary: Accept-Language\r\n\
        connection: x-hop\r\nx-hop: 1\r\nx-end: 1\r\netag: \"e\"\r\n";
    let addr = origin(move |_, mut stream| async move {
        while let Some(head) = read_head(&mut stream).await {
            assert!(!head.contains("origin:") && !head.contains("access-control"), "{head}");
            let (status, body) = match head.split(' ').nth(1) {
                Some("/media/a") => ("200 OK", "object"),
                Some("/media/b") if head.contains("if-none-match:") => ("304 Not Modified", ""),
                Some("/media/b") => ("200 OK", ""),
                _ => ("404 Not Found", ""),
            };
            let answer = format!("HTTP/1.1 {status}\r\n{fields}content-length: {}\r\n\r\n{body}", body.len());
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    })
    .await;
    let without = mount_at(addr).forward_response_header("*");
    let cors = Cors::origins([APP]).expose_only_headers(["x-end"]);
    let with = mount_at(addr).forward_response_header("*").cors(cors);
    let granted = ["access-control-allow-origin: https://app.test", "access-control-expose-headers: x-end"];
    let (with, without) = (proxy(with), proxy(without));
    for (what, service, path, status, expected) in [
        ("no CORS", &without, "/a", 200, &["vary: Accept-Language"][..]),
        ("no CORS", &without, "/b", 304, &["vary: Accept-Language"]),
        ("no CORS", &without, "/c", 404, &[]),
        ("CORS", &with, "/a", 200, &[granted[0], granted[1], "vary: Accept-Language, Origin"]),
        ("CORS", &with, "/b", 304, &[granted[0], granted[1], "vary: Accept-Language, Origin"]),
        ("CORS", &with, "/c", 404, &[granted[0], granted[1], "vary: Origin"]),
    ] {
        let known = [("origin", APP), ("if-none-match", "\"e\"")];
        let asked = if status == 304 { &known[..] } else { &known[..1] };
        let answer = ask(service, request("GET", path, asked)).await;
        let row = format!("{what}: {path}");
        assert_eq!(answer.status, status, "{row}");
        assert_eq!(cors_lines(&answer.headers), expected, "{row}");
        assert_eq!(answer.header("x-hop"), "", "{row}: S3's Connection names it");
        assert_eq!(answer.header("x-end"), if status == 404 { "" } else { "1" }, "{row}");
    }
}

#[tokio::test]
async fn what_the_inner_service_answers_is_left_alone() {
    let s3 = filled().await;
    let service = inner_behind(mount(&s3).at("/m").cors(Cors::origins([APP])).fallback(Fallback::Inner));
    for (method, path) in
        [("GET", "/m/missing"), ("POST", "/m/a.txt"), ("OPTIONS", "/m/a.txt"), ("OPTIONS", "/elsewhere")]
    {
        let answer = ask(&service, request(method, path, &[("origin", APP)])).await;
        assert_eq!((answer.status.as_u16(), answer.text()), (200, "inner"), "{method} {path}");
        assert_eq!(cors_lines(&answer.headers), ["access-control-allow-origin: inner"], "{method} {path}");
    }
    let preflight = [("origin", APP), ("access-control-request-method", "GET")];
    let answer = ask(&service, request("OPTIONS", "/elsewhere", &preflight)).await;
    assert_eq!(answer.text(), "inner", "no mount claims it");
    let answer = ask(&service, request("GET", "/m/a.txt", &[("origin", APP)])).await;
    assert_eq!(answer.header("access-control-allow-origin"), APP);
}

/// A layer over a service with CORS of its own.
fn inner_behind(
    builder: MountBuilder,
) -> impl Service<Request<Empty<Bytes>>, Response = Response<ResponseBody<Full<Bytes>>>, Error = Infallible> + Clone
{
    S3ProxyLayer::new(builder.build().unwrap()).layer(service_fn(|_: Request<Empty<Bytes>>| async move {
        let mut response = Response::new(Full::from("inner"));
        response.headers_mut().insert("access-control-allow-origin", "inner".parse().unwrap());
        Ok::<_, Infallible>(response)
    }))
}

#[tokio::test]
async fn senseless_cors_is_refused_when_the_mount_is_built() {
    let s3 = s3().await;
    for (cors, kind, hint) in [
        (Cors::any_origin().allow_credentials(), ConfigErrorKind::Contradiction, "list the origins"),
        (Cors::origins(["app.test"]), ConfigErrorKind::InvalidValue, "CORS: the origin \"app.test\": "),
        (Cors::origins([APP]).methods(["PUT"]), ConfigErrorKind::InvalidValue, "GET, HEAD, OPTIONS"),
    ] {
        let error = mount(&s3).cors(cors).build().unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(hint), "{error}");
    }
    for field in ["Access-Control-Allow-Origin", "Vary"] {
        let error = mount(&s3).metadata_header("cors", field).build().unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::InvalidValue, "{field}");
    }
}
