//! Pages of other sites that embed objects.

use http::StatusCode;
use tower_s3_proxy::{Cache, Cors, ProxyErrorKind as Kind, access::Hotlinks};

use crate::support::{ask, mount, proxy, request, s3, sdk};

#[tokio::test]
async fn pages_of_other_sites_get_nothing_even_if_it_is_in_the_cache_and_caches_are_told_why() {
    let s3 = s3().await;
    let body = aws_sdk_s3::primitives::ByteStream::from_static(b"picture");
    sdk(&s3).put_object().bucket(crate::support::BUCKET).key("a.jpg").body(body).send().await.unwrap();
    let cache = Cache::builder(1024 * 1024).build().unwrap();
    let service = proxy(
        mount(&s3)
            .cache(&cache)
            .override_cache_control("max-age=60")
            .cors(Cors::origins(["https://reader.example"]))
            .hotlinks(Hotlinks::allow(["studio.example"])),
    );
    let vary = "Origin, Referer, Sec-Fetch-Dest, Sec-Fetch-Site";
    for (method, field, value, status) in [
        ("GET", "referer", "https://studio.example/page", 200),
        ("GET", "referer", "https://evil.example/page", 403),
        ("HEAD", "referer", "https://evil.example/page", 403),
        ("GET", "sec-fetch-site", "cross-site", 403),
        ("GET", "referer", "about:blank", 200),
        ("GET", "origin", "https://reader.example", 403),
        ("OPTIONS", "referer", "https://evil.example/page", 204),
    ] {
        let answer = ask(&service, request(method, "/a.jpg", &[(field, value)])).await;
        assert_eq!(answer.status, status, "{method} {field}: {value}");
        let is_refused = answer.status == StatusCode::FORBIDDEN;
        assert_eq!(answer.kind(), is_refused.then_some(Kind::Hotlinked), "{value}");
        assert_eq!(answer.header("vary"), vary, "{value}");
        assert_eq!(answer.header("cache-control") == "no-store", is_refused, "{answer:?}");
        let allow_origin = answer.headers.get("access-control-allow-origin");
        assert_eq!(allow_origin.is_some(), field == "origin", "{answer:?}");
    }
    // A preflight has no object.
    let preflight = [("origin", "https://reader.example"), ("access-control-request-method", "GET")];
    assert_eq!(ask(&service, request("OPTIONS", "/a.jpg", &preflight)).await.status, 204);
}
