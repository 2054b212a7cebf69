//! The endpoint of links, and reads that are redirected to links.

use std::time::Duration;

use bytes::Bytes;
use demo_s3::DemoS3;
use tower_s3_proxy::{
    Cache, ConfigErrorKind, Cors, Mount, MountBuilder, ProxyErrorKind,
    access::{Access, Authorizer, CredentialSet, CredentialSetName, Denial},
    bucket::Grant,
    credentials::CredentialsSource,
    links::{Askers, LinkPolicy, Redirect},
};

use super::{follow, send_with};
use crate::support::{Answer, BUCKET, Client, Protocol, ask, bucket, keys, over, proxy, request, s3, serve};

fn mount(s3: &DemoS3) -> MountBuilder {
    over(s3, Mount::builder(bucket(BUCKET))).at("/media").prefix("films")
}

fn policy() -> LinkPolicy {
    LinkPolicy::new().endpoint("/_links").grant(Grant::ReadWrite)
}

/// Ada reads, and Grace writes, too; each below a folder of her own.
fn by_user() -> Authorizer {
    Authorizer::new(|request| async move {
        let user = request.head().headers.get("x-user").map(|user| user.to_str().unwrap().to_owned());
        let Some(user) = user else { return Ok(Access::Deny(Denial::forbidden())) };
        let method = request.head().method.as_str();
        let path = request.head().uri.path().to_owned();
        let is_own = request.key().as_str().starts_with(&format!("films/{user}/"))
            && path.starts_with(&format!("/media/{user}/"));
        let may = matches!(method, "GET" | "HEAD") || user == "grace";
        Ok(if is_own && may { Access::Allow } else { Access::Deny(Denial::not_found()) })
    })
}

async fn over_socket(builder: MountBuilder, path: &str, fields: &[(&str, &str)]) -> Answer {
    let server = serve(Protocol::Http1, proxy(builder)).await;
    Client::connect(Protocol::Http1, server.addr).await.ask(request("GET", path, fields)).await
}

fn member<'a>(json: &'a serde_json::Value, name: &str) -> &'a str {
    json[name].as_str().unwrap()
}

#[tokio::test]
async fn the_endpoint_gives_links_that_s3_answers() {
    let s3 = s3().await;
    s3.store().put(BUCKET, "films/ada/a b.txt", Bytes::from_static(b"hello"));
    let builder =
        || mount(&s3).links(policy()).grant(Grant::ReadWrite).authorize(by_user()).allow_downloads(true);
    let path = "/media/_links?key=ada%2Fa+b.txt&expires=600&download=";
    let answer = over_socket(builder(), path, &[("x-user", "ada")]).await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "application/json"));
    let json: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!((member(&json, "method"), member(&json, "bounded_by")), ("GET", "request"));
    assert!(member(&json, "expires_at").ends_with('Z'), "{json}");
    let (status, head, body) = send_with("GET", member(&json, "url"), "", "").await;
    assert_eq!((status, body.as_str()), (200, "hello"));
    assert!(head.contains("content-disposition: attachment; filename=\"a b.txt\""), "{head}");
    let age = answer.header("cache-control").strip_prefix("private, max-age=").unwrap();
    assert!((200..=300).contains(&age.parse().unwrap()), "half of the life: {age}");

    let path = "/media/_links?key=grace/up&method=PUT&content-type=text/plain";
    let answer = over_socket(builder(), path, &[("x-user", "grace")]).await;
    assert_eq!((answer.status.as_u16(), answer.header("cache-control")), (200, "no-store"));
    let json: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(json["headers"]["content-type"], "text/plain");
    let (status, ..) = send_with("PUT", member(&json, "url"), "content-type: text/plain\r\n", "new").await;
    assert_eq!(status, 200);
    assert!(s3.store().object(BUCKET, "films/grace/up").is_some());
}

#[tokio::test]
async fn the_authorizer_decides_on_a_link_as_on_its_request() {
    let s3 = s3().await;
    let builder = |links: LinkPolicy| mount(&s3).links(links).grant(Grant::ReadWrite).authorize(by_user());
    let denied = Some(ProxyErrorKind::Denied);
    for (query, user, links, status, kind) in [
        ("key=ada/a", "ada", policy(), 200, None),
        ("key=ada/a&method=HEAD", "ada", policy(), 200, None),
        ("key=grace/a", "ada", policy(), 404, denied),
        ("key=ada/a&method=PUT", "ada", policy(), 404, denied),
        ("key=ada/a&method=DELETE", "ada", policy(), 404, denied),
        ("key=grace/a&method=PUT", "grace", policy(), 200, None),
        ("key=grace/a&method=PUT", "grace", policy().grant(Grant::Read), 403, denied),
        ("key=grace/a", "nobody", policy(), 404, denied),
        ("key=ada/../grace/a", "ada", policy(), 404, Some(ProxyErrorKind::NotFound)),
        ("key=ada/a&expires=0", "ada", policy(), 400, Some(ProxyErrorKind::BadQuery)),
        ("key=ada/a&download=x", "ada", policy(), 400, Some(ProxyErrorKind::BadQuery)),
        ("key=ada/a&x=y", "ada", policy(), 400, Some(ProxyErrorKind::BadQuery)),
        ("", "ada", policy(), 400, Some(ProxyErrorKind::BadQuery)),
    ] {
        let service = proxy(builder(links));
        let path = format!("/media/_links?{query}");
        let answer = ask(&service, request("GET", &path, &[("x-user", user)])).await;
        assert_eq!(
            (answer.status.as_u16(), answer.kind()),
            (status, kind),
            "{query} of {user}: {}",
            answer.text()
        );
        assert!(status == 200 || !answer.text().contains("X-Amz"), "{query} of {user}");
    }
    let service = proxy(builder(policy()));
    for method in ["POST", "PUT"] {
        let answer = ask(&service, request(method, "/media/_links?key=ada/a", &[("x-user", "ada")])).await;
        assert_eq!((answer.status.as_u16(), answer.header("allow")), (405, "GET, HEAD, OPTIONS"), "{method}");
    }
    assert!(s3.log().is_empty(), "S3 is not asked");
}

#[tokio::test]
async fn an_endpoint_for_anybody_must_be_wanted() {
    let s3 = s3().await;
    let refusal = mount(&s3).links(LinkPolicy::new().endpoint("/_links")).build().unwrap_err();
    assert_eq!(refusal.kind(), ConfigErrorKind::Missing);
    assert!(refusal.to_string().contains("authorizer"), "{refusal}");
    let anybody = || LinkPolicy::new().endpoint("/_links").askers(Askers::Anybody);
    let answer = over_socket(mount(&s3).links(anybody()), "/media/_links?key=a", &[]).await;
    assert_eq!(answer.status, 200);
    let refusal = mount(&s3).anonymous().links(anybody()).build().unwrap_err();
    assert_eq!(refusal.kind(), ConfigErrorKind::Contradiction);
}

#[tokio::test]
async fn the_endpoint_has_the_mounts_cors() {
    let s3 = s3().await;
    let links = LinkPolicy::new().endpoint("/_links").askers(Askers::Anybody);
    let service = proxy(mount(&s3).links(links).cors(Cors::origins(["https://app.test"])));
    let origin = ("origin", "https://app.test");
    let answer = ask(&service, request("GET", "/media/_links?key=a", &[origin])).await;
    assert_eq!(answer.header("access-control-allow-origin"), "https://app.test");
    let preflight = [origin, ("access-control-request-method", "GET")];
    let answer = ask(&service, request("OPTIONS", "/media/_links?key=a", &preflight)).await;
    assert_eq!(
        (answer.status.as_u16(), answer.header("access-control-allow-origin")),
        (204, "https://app.test")
    );
}

#[tokio::test]
async fn a_redirect_leads_to_the_object_with_method_range_and_conditions() {
    let s3 = s3().await;
    s3.store().put(BUCKET, "films/a.txt", Bytes::from_static(b"0123456789"));
    let links = LinkPolicy::new().redirect(Redirect::always()).longest(Duration::from_secs(600));
    let builder =
        || mount(&s3).links(links.clone()).allow_downloads(true).cors(Cors::origins(["https://app.test"]));
    let server = serve(Protocol::Http1, proxy(builder())).await;
    let mut client = Client::connect(Protocol::Http1, server.addr).await;
    for (method, path, fields, expected) in [
        ("GET", "/media/a.txt", "", (200, "0123456789", "content-length: 10")),
        ("GET", "/media/a.txt", "range: bytes=2-4\r\n", (206, "234", "content-range: bytes 2-4/10")),
        ("HEAD", "/media/a.txt", "", (200, "", "content-length: 10")),
        ("GET", "/media/a.txt?download=x.txt", "", (200, "0123456789", "filename=\"x.txt\"")),
        ("GET", "/media/missing", "", (404, "", "")),
    ] {
        let redirect = client.ask(request(method, path, &[("origin", "https://app.test")])).await;
        assert_eq!(redirect.status, 307, "{method} {path}: {}", redirect.text());
        assert_eq!(redirect.header("access-control-allow-origin"), "https://app.test");
        let age = redirect.header("cache-control").strip_prefix("private, max-age=").unwrap();
        assert!((200..=300).contains(&age.parse().unwrap()), "half of the life: {age}");
        let (status, head, body) = follow(&redirect, method, fields).await;
        assert_eq!(status, expected.0, "{method} {path}: {body}");
        assert!(status == 404 || body == expected.1, "{method} {path}: {body}");
        assert!(head.contains(expected.2), "{method} {path}: {head}");
    }
    let first = client.ask(request("GET", "/media/a.txt", &[])).await;
    assert_eq!(
        client.ask(request("GET", "/media/a.txt", &[])).await.headers,
        first.headers,
        "a browser caches it"
    );
}

#[tokio::test]
async fn a_redirect_goes_by_key_and_size() {
    let s3 = s3().await;
    for (key, size) in [("films/large.mp4", 2000), ("films/small.mp4", 999), ("films/large.txt", 2000)] {
        s3.store().put(BUCKET, key, Bytes::from(vec![b'x'; size]));
    }
    let rule = || LinkPolicy::new().redirect(Redirect::always().key("*.mp4").at_least(1000));
    let cache = Cache::builder(1 << 20).build().unwrap();
    for (name, service) in [
        ("plain", proxy(mount(&s3).links(rule()))),
        ("cached", proxy(mount(&s3).links(rule()).cache(&cache).default_cache_control("max-age=60"))),
        (
            "authorized",
            proxy(mount(&s3).links(rule()).authorize(Authorizer::new(|_| async { Ok(Access::Allow) }))),
        ),
    ] {
        // Twice: the second time the head can be in the cache.
        for (path, status) in [
            ("/media/large.mp4", 307),
            ("/media/large.mp4", 307),
            ("/media/small.mp4", 200),
            ("/media/small.mp4", 200),
            ("/media/large.txt", 200),
            ("/media/missing.mp4", 404),
        ] {
            let answer = ask(&service, request("GET", path, &[])).await;
            assert_eq!(answer.status.as_u16(), status, "{name} {path}: {:?}", answer.error);
        }
    }
}

#[tokio::test]
async fn what_is_cached_is_redirected_without_asking_for_its_size() {
    let s3 = s3().await;
    s3.store().put(BUCKET, "films/a", Bytes::from(vec![b'x'; 2000]));
    let cache = Cache::builder(1 << 20).build().unwrap();
    let cached = || mount(&s3).cache(&cache).default_cache_control("max-age=60");
    let redirecting = cached().links(LinkPolicy::new().redirect(Redirect::always().at_least(3000)));
    let service = proxy(redirecting);
    let asked = |s3: &DemoS3| s3.log().iter().map(|seen| seen.method.to_string()).collect::<Vec<_>>();
    assert_eq!(ask(&service, request("GET", "/media/a", &[])).await.status, 200);
    assert_eq!(asked(&s3), ["HEAD", "GET"]);
    assert_eq!(ask(&service, request("GET", "/media/a", &[])).await.status, 200);
    assert_eq!(asked(&s3), ["HEAD", "GET"], "its head is in the cache");
}

#[tokio::test]
async fn the_authorizer_comes_before_a_redirect_and_chooses_who_signs() {
    let s3 = s3().await;
    s3.store().put(BUCKET, "films/a", Bytes::from_static(b"x"));
    let by_user = Authorizer::new(|request| async move {
        Ok(match request.head().headers.get("x-user").map(|user| user.to_str().unwrap()) {
            Some("ada") => Access::Allow,
            Some("visitor") => Access::AllowAs(CredentialSetName::parse("public").unwrap()),
            Some(_) | None => Access::Deny(Denial::forbidden()),
        })
    });
    let public =
        CredentialSet::new(CredentialSetName::parse("public").unwrap(), CredentialsSource::anonymous());
    let links = LinkPolicy::new().redirect(Redirect::always());
    let builder = mount(&s3).credentials(keys()).links(links).authorize(by_user).credential_set(public);
    let service = proxy(builder);
    for (user, status) in [("ada", 307), ("grace", 403), ("visitor", 404)] {
        let answer = ask(&service, request("GET", "/media/a", &[("x-user", user)])).await;
        // Without credentials the object is asked for from here, and S3 denies it.
        assert_eq!(answer.status.as_u16(), status, "{user}");
        assert_eq!(answer.headers.contains_key("location"), status == 307, "{user}");
    }
}
