//! Services like oauth2-proxy that decide on each request.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use bytes::Bytes;
use demo_s3::DemoS3;
use http::{Request, StatusCode, uri::Scheme};
use http_body_util::Full;
use tokio::sync::Notify;
use tower::ServiceExt;
use tower_s3_proxy::{
    Cache, MountBuilder, ProxyErrorKind, S3Proxy,
    access::{ClientAddress, DecidesBy, ForwardAuth},
    clients::{ClientKey, ClientKeys},
    cors::Cors,
    links::LinkPolicy,
    listing::Listing,
    website::Website,
    writes::Writes,
};

use super::service::{Asked, LogIn, answer};
use crate::support::{Answer, BUCKET, ask, get, mount, origin, proxy, request, s3};

async fn bucket() -> DemoS3 {
    let s3 = s3().await;
    for key in ["a.txt", "films/index.html", "films/b.txt"] {
        s3.store().put(BUCKET, key, format!("content of {key}").into());
    }
    s3
}

/// A mount at `/media` behind a service.
fn guarded(s3: &DemoS3, service: ForwardAuth) -> MountBuilder {
    mount(s3).at("/media").forward_auth(service)
}

fn by_cookie(asked: &Asked) -> http::Response<Full<Bytes>> {
    match asked.header("cookie") {
        "session=ada" => answer(202, &[], ""),
        "session=old" => answer(200, &[("set-cookie", "session=new; HttpOnly"), ("set-cookie", "b=2")], ""),
        "session=grace" => answer(403, &[("content-type", "text/html"), ("x-why", "group")], "<p>no</p>"),
        "session=broken" => answer(500, &[("location", "/x")], "oops"),
        _ => answer(
            302,
            &[
                ("location", "https://auth.test/?rd=1"),
                ("set-cookie", "csrf=1"),
                ("set-cookie", "c=2"),
                ("etag", "\"e\""),
            ],
            "go",
        ),
    }
}

#[tokio::test]
async fn the_service_decides_on_whatever_is_asked_of_the_mount() {
    let s3 = bucket().await;
    let log_in = LogIn::start(|asked| async move { by_cookie(&asked) }).await;
    let service = || ForwardAuth::new(log_in.url("/auth?x=1"));
    let writes = Writes::new().allow_overwrite(true);
    let plain = proxy(guarded(&s3, service()).writes(writes).links(LinkPolicy::new().endpoint("/_links")));
    let listing = proxy(guarded(&s3, service()).listing(Listing::new()));
    let site = proxy(guarded(&s3, service()).website(Website::new()));
    for (service, method, path, allowed) in [
        (&plain, "GET", "/media/a.txt", 200),
        (&plain, "HEAD", "/media/a.txt", 200),
        (&plain, "GET", "/media/missing", 404),
        (&plain, "GET", "/media/", 404),
        (&plain, "GET", "/media/../a.txt", 404),
        (&plain, "GET", "/media/_links?key=a.txt", 200),
        (&plain, "GET", "/media/_links?key=", 400),
        (&plain, "PUT", "/media/new.txt", 201),
        (&plain, "DELETE", "/media/new.txt", 405),
        (&plain, "PROPFIND", "/media/a.txt", 405),
        (&plain, "OPTIONS", "/media/a.txt", 204),
        (&listing, "GET", "/media/films/", 200),
        (&site, "GET", "/media/films/", 200),
    ] {
        for (cookie, expected) in
            [("session=ada", allowed), ("session=grace", 403), ("session=broken", 503), ("", 302)]
        {
            let asked =
                request(method, path, &[("cookie", cookie), ("host", "m.test"), ("content-length", "0")]);
            let told = ask(service, asked).await;
            assert_eq!(told.status, expected, "{method} {path} {cookie:?}");
            if expected != allowed {
                assert_eq!(told.header("cache-control"), "no-store", "{method} {path} {cookie:?}");
                assert!(!told.text().contains("content of") && !told.text().contains("oops"));
            }
        }
    }
    // Nothing reached S3 for those who were turned away.
    assert!(log_in.asked().iter().all(|asked| asked.method == "GET" && asked.uri == "/auth?x=1"));
    assert!(log_in.asked().iter().all(|asked| asked.body.is_empty()));
}

#[tokio::test]
async fn a_refusal_goes_to_the_client_with_its_fields() {
    let s3 = bucket().await;
    let log_in = LogIn::start(|asked| async move { by_cookie(&asked) }).await;
    let proxy = proxy(guarded(&s3, ForwardAuth::new(log_in.url("/")).pass_on(["x-why"])));
    let told = ask(&proxy, get("/media/a.txt")).await;
    assert_eq!((told.status, told.text()), (StatusCode::FOUND, "go"));
    assert_eq!(told.header("location"), "https://auth.test/?rd=1");
    let cookies: Vec<_> = told.headers.get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["csrf=1", "c=2"]);
    assert!(!told.headers.contains_key("etag"), "a field that is not listed");
    assert_eq!(told.kind(), Some(ProxyErrorKind::Denied));
    let told = ask(&proxy, request("GET", "/media/a.txt", &[("cookie", "session=grace")])).await;
    assert_eq!(
        (told.header("content-type"), told.header("x-why"), told.text()),
        ("text/html", "group", "<p>no</p>")
    );
    let head = ask(&proxy, request("HEAD", "/media/a.txt", &[("cookie", "session=grace")])).await;
    assert_eq!((head.status, head.header("content-length"), head.text()), (StatusCode::FORBIDDEN, "9", ""));
}

#[tokio::test]
async fn the_cookies_of_a_pass_go_to_the_one_who_asked_and_into_no_cache() {
    let s3 = bucket().await;
    let log_in = LogIn::start(|asked| async move { by_cookie(&asked) }).await;
    let cache = Cache::builder(1 << 20).build().unwrap();
    let service = ForwardAuth::new(log_in.url("/")).remember(Duration::from_secs(60));
    let builder = guarded(&s3, service).cache(&cache).default_cache_control("public, max-age=600");
    let proxy = proxy(builder);
    let old = || request("GET", "/media/a.txt", &[("cookie", "session=old")]);
    let first = ask(&proxy, old()).await;
    let cookies: Vec<_> = first.headers.get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["session=new; HttpOnly", "b=2"]);
    assert!(first.header("cache-control").starts_with("private"), "{:?}", first.headers);
    assert_eq!(first.text(), "content of a.txt");
    for cookie in ["session=old", "session=ada"] {
        let again = ask(&proxy, request("GET", "/media/a.txt", &[("cookie", cookie)])).await;
        assert_eq!((again.status, again.text()), (StatusCode::OK, "content of a.txt"), "{cookie}");
        assert!(!again.headers.contains_key("set-cookie"), "{cookie}");
        assert!(again.header("cache-status").contains("hit"), "{:?}", again.headers);
        assert!(again.header("cache-control").starts_with("private"));
    }
}

#[tokio::test]
async fn the_service_is_told_the_request_and_nothing_of_the_clients_own_making() {
    let s3 = bucket().await;
    let log_in = LogIn::start(|_| async { answer(200, &[], "") }).await;
    let proxy = proxy(guarded(&s3, ForwardAuth::new(log_in.url("/auth"))));
    let fields = [
        ("host", "media.test"),
        ("cookie", "session=ada"),
        ("x-forwarded-for", "10.0.0.1"),
        ("x-forwarded-host", "admin.test"),
        ("x-forwarded-uri", "/public"),
        ("x-auth-request-user", "root"),
        ("range", "bytes=0-1"),
    ];
    let mut asked = request("GET", "/media/a.txt?v=1", &fields);
    asked.extensions_mut().insert(ClientAddress("192.0.2.7".parse().unwrap()));
    asked.extensions_mut().insert(Scheme::HTTPS);
    ask(&proxy, asked).await;
    let told = log_in.asked().remove(0);
    for (name, value) in [
        ("host", log_in.url("").trim_start_matches("http://")),
        ("cookie", "session=ada"),
        ("x-forwarded-method", "GET"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "media.test"),
        ("x-forwarded-uri", "/media/a.txt?v=1"),
        ("x-forwarded-for", "192.0.2.7"),
        ("x-original-url", "https://media.test/media/a.txt?v=1"),
        ("x-auth-request-redirect", "https://media.test/media/a.txt?v=1"),
        ("x-auth-request-user", ""),
        ("range", ""),
    ] {
        assert_eq!(told.header(name), value, "{name}");
        assert!(told.headers.get_all(name).iter().count() <= 1, "{name}");
    }
}

#[tokio::test]
async fn the_endpoint_of_links_is_decided_by_the_object_of_the_link() {
    let s3 = bucket().await;
    let log_in = LogIn::start(|asked| async move {
        match asked.header("x-forwarded-uri") {
            "/media/a.txt" => answer(200, &[], ""),
            _ => answer(403, &[], ""),
        }
    })
    .await;
    let links = LinkPolicy::new().endpoint("/_links");
    let proxy = proxy(guarded(&s3, ForwardAuth::new(log_in.url("/"))).links(links));
    for (key, expected) in [("a.txt", 200), ("films/b.txt", 403)] {
        let told = ask(&proxy, get(&format!("/media/_links?key={key}"))).await;
        assert_eq!(told.status, expected, "{key}");
    }
}

#[tokio::test]
async fn preflights_and_other_paths_are_not_asked_about() {
    let s3 = bucket().await;
    let log_in =
        LogIn::start(|_| async { answer(401, &[("www-authenticate", "Basic realm=\"a\"")], "") }).await;
    let cors = Cors::origins(["https://app.test"]);
    let proxy = proxy(guarded(&s3, ForwardAuth::new(log_in.url("/"))).cors(cors));
    let preflight = [("origin", "https://app.test"), ("access-control-request-method", "GET")];
    assert_eq!(ask(&proxy, request("OPTIONS", "/media/a.txt", &preflight)).await.status, 204);
    assert_eq!(ask(&proxy, get("/other")).await.status, 404);
    assert!(log_in.asked().is_empty());
    let told = ask(&proxy, request("GET", "/media/a.txt", &[("origin", "https://app.test")])).await;
    assert_eq!(
        (told.status, told.header("www-authenticate")),
        (StatusCode::UNAUTHORIZED, "Basic realm=\"a\"")
    );
    assert_eq!(told.header("access-control-allow-origin"), "https://app.test", "a page can read why");
}

#[tokio::test]
async fn equal_requests_ask_once_and_others_ask_for_themselves() {
    let s3 = bucket().await;
    let log_in = LogIn::start(|asked| async move { by_cookie(&asked) }).await;
    let service = || ForwardAuth::new(log_in.url("/")).remember(Duration::from_secs(600));
    for (decides_by, expected) in [(DecidesBy::Path, 6), (DecidesBy::Host, 3)] {
        let before = log_in.asked().len();
        let proxy = proxy(guarded(&s3, service().decides_by(decides_by)));
        for _ in 0..3 {
            for (cookie, status) in [("session=ada", 200), ("session=grace", 403), ("session=old", 200)] {
                for path in ["/media/a.txt", "/media/films/b.txt"] {
                    let told = ask(&proxy, request("GET", path, &[("cookie", cookie)])).await;
                    assert_eq!(told.status, status, "{cookie} {path}");
                }
            }
        }
        assert_eq!(log_in.asked().len() - before, expected, "{decides_by:?}");
    }
    let proxy = proxy(guarded(&s3, service().remember(Duration::ZERO)));
    let before = log_in.asked().len();
    for _ in 0..3 {
        ask(&proxy, request("GET", "/media/a.txt", &[("cookie", "session=ada")])).await;
    }
    assert_eq!(log_in.asked().len() - before, 3, "without a memory");
}

#[tokio::test]
async fn concurrent_equal_questions_are_one_and_a_cookie_is_shared_with_nobody() {
    let s3 = bucket().await;
    for (cookie, expected, asked) in [("session=ada", 200, 1), ("session=broken", 503, 1), ("none=1", 302, 8)]
    {
        let (gate, count) = (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
        let (open, begun) = (Arc::clone(&gate), Arc::clone(&count));
        let log_in = LogIn::start(move |asked| {
            let (open, begun) = (Arc::clone(&open), Arc::clone(&begun));
            async move {
                if begun.fetch_add(1, SeqCst) == 0 {
                    open.notified().await;
                }
                by_cookie(&asked)
            }
        })
        .await;
        let proxy = proxy(guarded(&s3, ForwardAuth::new(log_in.url("/")).remember(Duration::ZERO)));
        let asks: Vec<_> = (0..8)
            .map(|_| {
                let proxy = proxy.clone();
                tokio::spawn(async move {
                    ask(&proxy, request("GET", "/media/a.txt", &[("cookie", cookie)])).await
                })
            })
            .collect();
        while count.load(SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        // Those who come later find the question asked, or its answer given.
        for _ in 0..200 {
            tokio::task::yield_now().await;
        }
        gate.notify_one();
        for told in asks {
            assert_eq!(told.await.unwrap().status, expected, "{cookie}");
        }
        assert_eq!(log_in.asked().len(), asked, "{cookie}");
    }
}

#[tokio::test]
async fn a_client_that_hangs_up_does_not_take_the_verdict_from_the_others() {
    let s3 = bucket().await;
    let (gate, begun) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (open, begin) = (Arc::clone(&gate), Arc::clone(&begun));
    let log_in = LogIn::start(move |_| {
        let (open, begin) = (Arc::clone(&open), Arc::clone(&begin));
        async move {
            begin.notify_one();
            open.notified().await;
            answer(200, &[], "")
        }
    })
    .await;
    let proxy = proxy(guarded(&s3, ForwardAuth::new(log_in.url("/"))));
    let (one, other) = (proxy.clone(), proxy.clone());
    let first = tokio::spawn(async move { ask(&one, get("/media/a.txt")).await });
    begun.notified().await;
    let second = tokio::spawn(async move { ask(&other, get("/media/a.txt")).await });
    tokio::task::yield_now().await;
    first.abort();
    assert!(first.await.is_err());
    gate.notify_one();
    assert_eq!(second.await.unwrap().status, 200);
    assert_eq!(log_in.asked().len(), 1);
}

#[tokio::test]
async fn a_service_that_is_down_or_silent_opens_no_door() {
    let s3 = bucket().await;
    let cache = Cache::builder(1 << 20).build().unwrap();
    let nobody = {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    };
    let silent = origin(|_, stream| async move {
        let _held = stream;
        std::future::pending::<()>().await;
    })
    .await;
    let cut = origin(|_, stream| async move { drop(stream) }).await;
    for address in [nobody, silent, cut] {
        let service = ForwardAuth::new(format!("http://{address}/")).timeout(Duration::from_millis(300));
        let proxy = proxy(guarded(&s3, service).cache(&cache).default_cache_control("max-age=600"));
        // The object is in the cache that they share.
        let open =
            S3Proxy::new(mount(&s3).cache(&cache).default_cache_control("max-age=600").build().unwrap());
        assert_eq!(ask(&open, get("/a.txt")).await.status, 200);
        let told = ask(&proxy, get("/media/a.txt")).await;
        assert_eq!(
            (told.status, told.kind()),
            (StatusCode::SERVICE_UNAVAILABLE, Some(ProxyErrorKind::Authorizer))
        );
        assert!(told.headers.contains_key("retry-after"));
    }
}

#[tokio::test]
async fn a_kept_connection_that_was_closed_costs_nobody_an_answer() {
    let s3 = bucket().await;
    // Answers once on each connection, says that it is kept, and closes it.
    let service = origin(|_, mut stream| async move {
        use tokio::io::AsyncWriteExt;
        if crate::support::read_head(&mut stream).await.is_some() {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
            // The next request finds it closed.
            let _ = crate::support::read_head(&mut stream).await;
        }
    })
    .await;
    let proxy = proxy(guarded(&s3, ForwardAuth::new(format!("http://{service}/")).remember(Duration::ZERO)));
    for number in 0..5 {
        assert_eq!(ask(&proxy, get("/media/a.txt")).await.status, 200, "{number}");
    }
}

#[tokio::test]
async fn the_paths_of_the_service_are_handed_to_it_as_they_are() {
    let s3 = bucket().await;
    let log_in = LogIn::start(|asked| async move {
        match asked.uri.as_str() {
            "/oauth2/callback?code=1" => {
                answer(302, &[("set-cookie", "session=ada"), ("location", "/media/a.txt")], "")
            }
            "/oauth2/sign_in" => answer(200, &[("content-type", "text/html")], "<form>"),
            _ => answer(401, &[], ""),
        }
    })
    .await;
    let service = ForwardAuth::new(log_in.url("/oauth2/auth")).pass_through("/oauth2/");
    let proxy = proxy(guarded(&s3, service));
    let body = Full::from(Bytes::from_static(b"user=ada"));
    let post = Request::post("/oauth2/sign_in")
        .header("host", "media.test")
        .header("cookie", "csrf=1")
        .header("x-forwarded-for", "10.0.0.1")
        .header("x-custom", "kept")
        .header("connection", "x-hop")
        .header("x-hop", "1")
        .body(body)
        .unwrap();
    let told = Answer::read(proxy.clone().oneshot(post).await.unwrap()).await;
    assert_eq!(
        (told.status, told.text(), told.header("content-type")),
        (StatusCode::OK, "<form>", "text/html")
    );
    let asked = log_in.asked().remove(0);
    assert_eq!((asked.method.as_str(), &asked.body[..]), ("POST", &b"user=ada"[..]));
    for (name, value) in [
        ("host", "media.test"),
        ("cookie", "csrf=1"),
        ("x-custom", "kept"),
        ("x-hop", ""),
        ("x-forwarded-for", ""),
        ("x-forwarded-host", "media.test"),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-uri", ""),
    ] {
        assert_eq!(asked.header(name), value, "{name}");
    }
    let told = ask(&proxy, get("/oauth2/callback?code=1")).await;
    assert_eq!((told.header("set-cookie"), told.header("location")), ("session=ada", "/media/a.txt"));
    assert_eq!(ask(&proxy, get("/media/a.txt")).await.status, 401, "other paths are asked about");
    assert_eq!(ask(&proxy, get("/oauth2x")).await.status, 404, "not the service's");
}

#[tokio::test]
async fn s3_clients_and_a_log_in_service_contradict_each_other() {
    let s3 = bucket().await;
    let keys = ClientKeys::new([ClientKey::new("reader", "not-a-secret")]).unwrap();
    let built = guarded(&s3, ForwardAuth::new("http://127.0.0.1:1/")).client_keys(&keys).build();
    assert!(built.unwrap_err().to_string().contains("a mount of their own"));
}
