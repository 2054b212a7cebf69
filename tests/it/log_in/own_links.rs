//! Links of the proxy's own.

use std::time::Duration;

use demo_s3::{DemoS3, ObjectAttributes};
use http::{HeaderName, HeaderValue, StatusCode};
use tower_s3_proxy::{
    Cache, Mount, MountBuilder, ProxyErrorKind, S3Proxy,
    access::{Access, Authorizer, ClientAddress, Denial, ForwardAuth, LinkKey, OwnLink, OwnLinks, Unlinked},
    bucket::BucketResolver,
    clients::{ClientKey, ClientKeys},
    links::LinkPolicy,
    listing::Listing,
    response::Fallback,
    website::{Precompressed, Releases, Website},
    writes::Writes,
};

use super::service::{LogIn, answer};
use crate::support::{Answer, BUCKET, ask, bucket, get, mount, over, request, s3};

async fn films() -> DemoS3 {
    let s3 = s3().await;
    for key in [
        "films/a/index.m3u8",
        "films/a/index.html",
        "films/a/1.m4s",
        "films/b/1.m4s",
        "films/a.txt",
        "index.html",
        "films/a/deep/index.html",
    ] {
        s3.store().put(BUCKET, key, format!("content of {key}").into());
    }
    s3
}

fn key() -> LinkKey {
    LinkKey::new("k1", "0123456789abcdef")
}

/// A mount at `/media` that turns away whoever has no link.
fn closed(s3: &DemoS3) -> MountBuilder {
    let nobody = Authorizer::new(|_| async { Ok(Access::Deny(Denial::not_found())) });
    mount(s3).at("/media").authorize(nobody).own_links(OwnLinks::new(key()))
}

fn token(mount: &Mount, link: &OwnLink) -> String {
    let path = mount.own_link(link).unwrap();
    path.strip_prefix("/media/t/").unwrap().split('/').next().unwrap().to_owned()
}

fn assert_shut(told: &Answer, what: &str) {
    assert_eq!((told.status, told.header("cache-control")), (StatusCode::FORBIDDEN, "no-store"), "{what}");
    assert_eq!(told.kind(), Some(ProxyErrorKind::Denied), "{what}");
    assert!(!told.text().contains("content of"), "{what}");
}

#[tokio::test]
async fn a_link_opens_what_is_below_its_prefix_and_nothing_around_it() {
    let s3 = films().await;
    let mount = closed(&s3).build().unwrap();
    let path = mount.own_link(&OwnLink::to("films/a/")).unwrap();
    let proxy = S3Proxy::new(mount.clone());
    let token = token(&mount, &OwnLink::to("films/a/"));
    assert_eq!(path.rsplit_once("/films/").unwrap().1, "a/");
    for (rest, expected) in [
        ("films/a/index.m3u8", 200),
        ("films/a/1.m4s", 200),
        ("films/a/%31.m4s", 200),
        ("films/a/missing", 404),
        ("films/b/1.m4s", 403),
        ("films/b/missing", 403),
        ("films/a.txt", 403),
        ("films/a", 403),
        ("index.html", 403),
        ("films%2Fa/1.m4s", 200),
        ("films/a%2F..%2Fb/1.m4s", 404),
        ("films/a/../b/1.m4s", 404),
        ("films/a/%2e%2e/b/1.m4s", 404),
        ("films/a/..%5Cb/1.m4s", 404),
        ("films/a//../../b/1.m4s", 404),
        ("/films/a/1.m4s", 403),
        ("", 404),
    ] {
        let told = ask(&proxy, get(&format!("/media/t/{token}/{rest}"))).await;
        assert_eq!(told.status, expected, "{rest}");
        if expected == 403 {
            assert_shut(&told, rest);
        }
    }
    for path in ["/media/films/a/1.m4s", "/media/t/", "/media/t", "/media/%74/x/films/a/1.m4s"] {
        let told = ask(&proxy, get(path)).await;
        assert_eq!(told.status, 404, "the authorizer is asked about what has no token: {path}");
    }
    let head = ask(&proxy, request("HEAD", &format!("{path}1.m4s"), &[])).await;
    assert_eq!(head.status, 200);
    let range = ask(&proxy, request("GET", &format!("{path}1.m4s"), &[("range", "bytes=0-6")])).await;
    assert_eq!((range.status, range.text()), (StatusCode::PARTIAL_CONTENT, "content"));
}

#[tokio::test]
async fn what_is_no_link_is_told_nothing() {
    let s3 = films().await;
    let mount = closed(&s3).build().unwrap();
    let proxy = S3Proxy::new(mount.clone());
    let other = mount_with(&s3, LinkKey::new("k1", "another secret of mine"));
    let elsewhere = closed(&s3).at("/other").build().unwrap();
    let lent = |mount: &Mount| mount.own_link(&OwnLink::to("films/a/")).unwrap();
    let (forged, foreign) = (lent(&other), lent(&elsewhere).replace("/other/", "/media/"));
    let good = lent(&mount);
    let expired = mount_at_the_year_2000(&s3).own_link(&OwnLink::to("films/a/")).unwrap();
    for (what, path) in [
        ("forged", forged),
        ("of another mount", foreign),
        ("expired", expired),
        ("of no key", good.replace("k1.", "k2.")),
        ("cut", good.replace("k1.A", "k1.")),
        ("no token", "/media/t/x/films/a/".to_owned()),
    ] {
        for object in ["1.m4s", "missing"] {
            assert_shut(&ask(&proxy, get(&format!("{path}{object}"))).await, what);
        }
    }
    assert_eq!(ask(&proxy, get(&format!("{good}1.m4s"))).await.status, 200);
}

fn mount_with(s3: &DemoS3, key: LinkKey) -> Mount {
    closed(s3).own_links(OwnLinks::new(key)).build().unwrap()
}

fn mount_at_the_year_2000(s3: &DemoS3) -> Mount {
    let clock = aws_smithy_async::time::StaticTimeSource::from_secs(946_684_800);
    closed(s3).time_source(clock).build().unwrap()
}

#[tokio::test]
async fn keys_rotate() {
    let s3 = films().await;
    let new = LinkKey::new("k2", "fedcba9876543210");
    let old = mount_with(&s3, key()).own_link(&OwnLink::to("films/a/")).unwrap();
    let both = closed(&s3).own_links(OwnLinks::new(new.clone()).key(key())).build().unwrap();
    let fresh = both.own_link(&OwnLink::to("films/a/")).unwrap();
    assert!(fresh.starts_with("/media/t/k2."), "{fresh}");
    let rotated = S3Proxy::new(both);
    for link in [&old, &fresh] {
        assert_eq!(ask(&rotated, get(&format!("{link}1.m4s"))).await.status, 200);
    }
    let without = S3Proxy::new(mount_with(&s3, new));
    assert_shut(&ask(&without, get(&format!("{old}1.m4s"))).await, "its key is gone");
    assert_eq!(ask(&without, get(&format!("{fresh}1.m4s"))).await.status, 200);
}

#[tokio::test]
async fn one_object_has_one_place_in_the_cache_and_shared_caches_keep_none_of_it() {
    let s3 = films().await;
    let cache = Cache::builder(1 << 20).build().unwrap();
    let allow = Authorizer::new(|_| async { Ok(Access::Allow) });
    let builder = closed(&s3).authorize(allow).cache(&cache);
    let mount = builder.default_cache_control("public, max-age=600, s-maxage=900").build().unwrap();
    let proxy = S3Proxy::new(mount.clone());
    let one = mount.own_link(&OwnLink::to("films/a/")).unwrap();
    let other = mount.own_link(&OwnLink::to("films/").lasts(Duration::from_secs(7))).unwrap();
    let first = ask(&proxy, get(&format!("{one}1.m4s"))).await;
    assert!(!first.header("cache-status").contains("hit"), "{:?}", first.headers);
    for path in [format!("{one}1.m4s"), format!("{other}a/1.m4s"), "/media/films/a/1.m4s".to_owned()] {
        let told = ask(&proxy, get(&path)).await;
        assert!(told.header("cache-status").contains("hit"), "{path} {:?}", told.headers);
        assert_eq!(told.header("cache-control"), "private, max-age=600", "{path}");
    }
    assert_eq!(s3.log().len(), 1);
}

#[tokio::test]
async fn a_link_goes_around_the_log_in_and_only_reads() {
    let s3 = films().await;
    let log_in = LogIn::start(|_| async { answer(401, &[], "") }).await;
    let builder = mount(&s3).at("/media").forward_auth(ForwardAuth::new(log_in.url("/")));
    let links = LinkPolicy::new().endpoint("/_links");
    let builder = builder.own_links(OwnLinks::new(key())).writes(Writes::new()).links(links);
    let mount = builder.fallback(Fallback::Inner).build().unwrap();
    let link = mount.own_link(&OwnLink::to("/")).unwrap();
    let proxy = S3Proxy::new(mount);
    assert_eq!(ask(&proxy, get(&format!("{link}films/a/1.m4s"))).await.status, 200);
    for (method, rest, expected) in [
        ("PUT", "films/a/new", 405),
        ("DELETE", "films/a/1.m4s", 405),
        ("POST", "films/a/1.m4s", 405),
        ("GET", "_links?key=films/a/1.m4s", 404),
        ("OPTIONS", "films/a/1.m4s", 204),
    ] {
        let told = ask(&proxy, request(method, &format!("{link}{rest}"), &[("content-length", "0")])).await;
        assert_eq!(told.status, expected, "{method} {rest}");
    }
    assert!(log_in.asked().is_empty());
    assert_eq!(ask(&proxy, get("/media/films/a/1.m4s")).await.status, 401);
    assert_eq!(log_in.asked().len(), 1);
}

#[tokio::test]
async fn without_a_log_in_there_are_links_alone() {
    let s3 = films().await;
    let links = OwnLinks::new(key()).segment("lent").unlinked(Unlinked::Refused);
    let mount = mount(&s3).at("/media").own_links(links).build().unwrap();
    let link = mount.own_link(&OwnLink::to("films/a/1.m4s")).unwrap();
    assert!(link.starts_with("/media/lent/k1.") && link.ends_with("/films/a/1.m4s"), "{link}");
    let proxy = S3Proxy::new(mount);
    assert_eq!(ask(&proxy, get(&link)).await.status, 200);
    for (method, path) in
        [("GET", "/media/films/a/1.m4s"), ("GET", "/media/"), ("PUT", "/media/x"), ("GET", "/media/t/x/y")]
    {
        assert_eq!(ask(&proxy, request(method, path, &[])).await.status, 403, "{method} {path}");
    }
}

#[tokio::test]
async fn what_is_for_s3_clients_alone_is_not_for_links() {
    let s3 = s3().await;
    let secret = (HeaderName::from_static("x-amz-meta-owner"), HeaderValue::from_static("the studio"));
    let attributes = ObjectAttributes::new().header(secret.0, secret.1);
    s3.store().put_with(BUCKET, "films/a/1.m4s", "hello".into(), attributes);
    let keys = ClientKeys::new([ClientKey::new("reader", "not-a-secret")]).unwrap();
    let mount = closed(&s3).client_keys(&keys).build().unwrap();
    let link = mount.own_link(&OwnLink::to("films/a/")).unwrap();
    let told = ask(&S3Proxy::new(mount), get(&format!("{link}1.m4s"))).await;
    assert_eq!(told.text(), "hello");
    assert!(!told.headers.keys().any(|name| name.as_str().starts_with("x-amz-")), "{:?}", told.headers);
}

#[tokio::test]
async fn a_link_for_a_network_opens_from_there() {
    let s3 = films().await;
    let mount = closed(&s3).build().unwrap();
    let link = mount.own_link(&OwnLink::to("films/a/").network("192.0.2.0/24")).unwrap();
    let proxy = S3Proxy::new(mount);
    for (address, expected) in [(Some("192.0.2.9"), 200), (Some("192.0.3.9"), 403), (None, 403)] {
        let mut asked = get(&format!("{link}1.m4s"));
        if let Some(address) = address {
            asked.extensions_mut().insert(ClientAddress(address.parse().unwrap()));
        }
        assert_eq!(ask(&proxy, asked).await.status, expected, "{address:?}");
    }
}

#[tokio::test]
async fn folders_and_pages_stay_below_the_token() {
    let s3 = films().await;
    let listing = closed(&s3).listing(Listing::new()).build().unwrap();
    let link = listing.own_link(&OwnLink::to("films/a/")).unwrap();
    let proxy = S3Proxy::new(listing);
    let page = ask(&proxy, request("GET", &link, &[("accept", "text/html")])).await;
    assert!(page.status == 200 && page.text().contains("./1.m4s"), "{}", page.text());
    let above = link.replace("/films/a/", "/films/");
    assert_shut(&ask(&proxy, request("GET", &above, &[("accept", "text/html")])).await, "the folder above");

    let site = Website::new().precompressed([Precompressed::Gzip]).single_page("index.html");
    let cache = Cache::builder(1 << 20).build().unwrap();
    let site = closed(&s3).website(site).cache(&cache).build().unwrap();
    let link = site.own_link(&OwnLink::to("films/a/")).unwrap();
    let page_link = site.own_link(&OwnLink::to("films/a/index.html")).unwrap();
    let proxy = S3Proxy::new(site);
    let html = [("accept", "text/html"), ("accept-encoding", "gzip")];
    let page = ask(&proxy, request("GET", &link, &html)).await;
    assert_eq!(page.text(), "content of films/a/index.html");
    assert_eq!(ask(&proxy, request("GET", &page_link, &html)).await.status, 200);
    let slash = ask(&proxy, request("GET", &format!("{link}deep"), &[])).await;
    assert_eq!((slash.status, slash.header("location")), (StatusCode::PERMANENT_REDIRECT, "./deep/"));
    // The page of the application is not below the prefix.
    assert_shut(&ask(&proxy, request("GET", &format!("{link}no/such/page"), &html)).await, "the root's page");
}

#[tokio::test]
async fn a_bucket_in_the_path_is_a_part_of_the_prefix() {
    let s3 = DemoS3::builder().bucket("media").bucket("media-2").region("us-west-2").start().await.unwrap();
    for bucket in ["media", "media-2"] {
        s3.store().put(bucket, "a/x", "hello".into());
    }
    let links = OwnLinks::new(key()).unlinked(Unlinked::Refused);
    let mount = over(&s3, Mount::bucket_from_path(["media*"])).own_links(links).build().unwrap();
    let link = mount.own_link(&OwnLink::to("media/a/")).unwrap();
    let proxy = S3Proxy::new(mount);
    assert_eq!(ask(&proxy, get(&format!("{link}x"))).await.status, 200);
    assert_shut(&ask(&proxy, get(&link.replace("/media/a/", "/media-2/a/x"))).await, "another bucket");
}

#[tokio::test]
async fn what_could_not_work_is_refused() {
    let s3 = films().await;
    let links = || OwnLinks::new(key());
    let refused = || links().unlinked(Unlinked::Refused);
    let resolver = BucketResolver::new(|_| async { Ok(None) });
    let releases = Website::new().releases(Releases::new("releases"));
    for (builder, hint) in [
        (mount(&s3).own_links(links()), "anybody could read without a link"),
        (closed(&s3).own_links(refused()), "leave out one of them"),
        (over(&s3, Mount::bucket_from(resolver)).own_links(refused()), "an own link is for one bucket"),
        (closed(&s3).website(releases), "releases of a website move them"),
        (closed(&s3).own_links(links().segment("a/b")), "the segment of own links"),
        (closed(&s3).own_links(links().key(key())), "two keys of own links have the id \"k1\""),
        (closed(&s3).own_links(OwnLinks::new(LinkKey::new("k.1", "0123456789abcdef"))), "the id of a key"),
        (closed(&s3).own_links(OwnLinks::new(LinkKey::new("k1", "hush"))), "give at least 16 bytes"),
    ] {
        let why = builder.build().unwrap_err().to_string();
        assert!(why.contains(hint) && !why.contains("hush"), "{why}");
    }
    let plain = Mount::builder(bucket(BUCKET)).region("us-west-2").anonymous().build().unwrap();
    assert!(plain.own_link(&OwnLink::to("a")).unwrap_err().to_string().contains("own_links"));
}
