//! Access to objects, and the credentials with which S3 is asked.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use demo_s3::{Credential, DemoS3};
use http::{HeaderName, HeaderValue, StatusCode, header::AUTHORIZATION};
use tokio::task::JoinSet;
use tower::{Layer, service_fn};
use tower_s3_proxy::{
    Cache, ConfigErrorKind, Cors, MountBuilder, ProxyErrorKind, S3Proxy, S3ProxyLayer,
    access::{
        Access, Authorizer, CredentialSelector, CredentialSet, CredentialSetName, Denial, DownstreamCaching,
    },
    bucket::ObjectKey,
    credentials::Credentials,
    response::{ErrorFormat, Fallback},
    warm::WarmTarget,
};

use crate::support::{Answer, BUCKET, REGION, ask, bucket, get, mount, over, proxy, request, s3};

const TENANTS: [&str; 2] = ["acme", "globex"];

fn set(name: &str) -> CredentialSetName {
    CredentialSetName::parse(name).unwrap()
}

fn keys_of(tenant: &str) -> Credentials {
    Credentials::new(format!("AKIA{tenant}"), format!("secret-of-{tenant}"), None, None, "test")
}

/// Each tenant's keys open its own folder alone; `shared/` is in each of the folders.
async fn two_tenants() -> DemoS3 {
    let mut s3 = DemoS3::builder().bucket(BUCKET).region(REGION);
    for tenant in TENANTS {
        let keys = Credential::new(format!("AKIA{tenant}"), format!("secret-of-{tenant}"));
        s3 = s3.credential(keys.only_below(format!("{tenant}/")));
    }
    let s3 = s3.start().await.unwrap();
    for tenant in TENANTS {
        s3.store().put(BUCKET, &format!("{tenant}/plan.txt"), format!("the plan of {tenant}").into());
    }
    s3
}

/// The tenant is what a field of the request says.
fn by_field() -> CredentialSelector {
    CredentialSelector::new(|request| {
        match request.headers.get("x-tenant").map(|tenant| CredentialSetName::parse(tenant.to_str().unwrap()))
        {
            Some(tenant) => Access::AllowAs(tenant.unwrap()),
            None => Access::Deny(Denial::forbidden()),
        }
    })
}

fn with_tenants(s3: &DemoS3, builder: MountBuilder) -> MountBuilder {
    let builder = over(s3, builder).anonymous();
    TENANTS.into_iter().fold(builder, |builder, tenant| {
        builder.credential_set(CredentialSet::new(set(tenant), keys_of(tenant)))
    })
}

fn tenants(s3: &DemoS3) -> MountBuilder {
    with_tenants(s3, tower_s3_proxy::Mount::builder(bucket(BUCKET)))
        .override_cache_control("public, max-age=60")
}

async fn as_tenant(service: &S3Proxy, tenant: &str, path: &str) -> Answer {
    ask(service, request("GET", path, &[("x-tenant", tenant)])).await
}

fn cache() -> Cache {
    Cache::builder(16 * 1024 * 1024).build().unwrap()
}

#[tokio::test]
async fn no_tenant_gets_the_object_of_another_cached_or_not() {
    let s3 = two_tenants().await;
    let uncached = proxy(tenants(&s3).select_credentials(by_field()));
    let by_selector = proxy(tenants(&s3).select_credentials(by_field()).cache(&cache()));
    let by_authorizer =
        proxy(tenants(&s3).cache(&cache()).authorize(Authorizer::new(|request| async move {
            let tenant = request.head().headers["x-tenant"].to_str()?;
            Ok(Access::AllowAs(CredentialSetName::parse(tenant)?))
        })));
    for service in [uncached, by_selector, by_authorizer] {
        let mut clients = JoinSet::new();
        // All at once, so that they would share a read if they could.
        for n in 0..200 {
            let service = service.clone();
            clients.spawn(async move {
                let (own, other) = (TENANTS[n % 2], TENANTS[(n + 1) % 2]);
                let answer = as_tenant(&service, own, &format!("/{own}/plan.txt")).await;
                assert_eq!(answer.status, 200);
                assert_eq!(answer.text(), format!("the plan of {own}"));
                let answer = as_tenant(&service, own, &format!("/{other}/plan.txt")).await;
                assert_eq!(answer.status, 404);
                assert!(!answer.text().contains("plan"), "{}", answer.text());
            });
        }
        clients.join_all().await;
    }
}

#[tokio::test]
async fn sets_that_share_the_cache_share_what_one_of_them_read() {
    let s3 = two_tenants().await;
    s3.store().put(BUCKET, "acme/open.txt", "for all".into());
    let builder = over(&s3, tower_s3_proxy::Mount::builder(bucket(BUCKET)))
        .credentials(keys_of("acme"))
        .override_cache_control("max-age=60")
        .credential_set(CredentialSet::new(set("guest"), keys_of("globex")).share_cache())
        .credential_set(CredentialSet::new(set("stranger"), keys_of("globex")))
        .select_credentials(CredentialSelector::new(|request| {
            let tenant = request.headers.get("x-tenant").map(|tenant| set(tenant.to_str().unwrap()));
            tenant.map_or(Access::Allow, Access::AllowAs)
        }));
    let service = proxy(builder.cache(&cache()));
    assert_eq!(as_tenant(&service, "guest", "/acme/open.txt").await.status, 404, "S3 denies it");
    assert_eq!(ask(&service, get("/acme/open.txt")).await.text(), "for all");
    assert_eq!(as_tenant(&service, "guest", "/acme/open.txt").await.text(), "for all");
    assert_eq!(as_tenant(&service, "stranger", "/acme/open.txt").await.status, 404);
}

#[tokio::test]
async fn a_set_that_is_not_there_is_answered_by_no_other() {
    let s3 = two_tenants().await;
    for service in [
        proxy(tenants(&s3).credentials(keys_of("acme")).select_credentials(by_field())),
        proxy(tenants(&s3).credentials(keys_of("acme")).authorize(Authorizer::new(|_| async {
            Ok(Access::AllowAs(CredentialSetName::parse("initech")?))
        }))),
    ] {
        let answer = as_tenant(&service, "initech", "/acme/plan.txt").await;
        assert_eq!((answer.status.as_u16(), answer.kind()), (503, Some(ProxyErrorKind::Authorizer)));
        assert!(!answer.header("retry-after").is_empty());
    }
    assert!(s3.log().is_empty(), "S3 was asked: {:?}", s3.log());
}

/// RFC 9111 §3.5 is for caches that do not know who asks.
#[tokio::test]
async fn a_tenant_that_shows_a_token_is_answered_from_its_part_of_the_cache() {
    let s3 = two_tenants().await;
    let builder = with_tenants(&s3, tower_s3_proxy::Mount::builder(bucket(BUCKET)));
    let by_token = CredentialSelector::new(|request| match request.headers.get(AUTHORIZATION) {
        Some(token) if token == "Bearer of-acme" => Access::AllowAs(set("acme")),
        _ => Access::AllowAs(set("globex")),
    });
    let builder = builder.select_credentials(by_token).override_cache_control("max-age=60");
    let service = proxy(builder.cache(&cache()));
    for _ in 0..3 {
        let of_acme = request("GET", "/acme/plan.txt", &[("authorization", "Bearer of-acme")]);
        assert_eq!(ask(&service, of_acme).await.text(), "the plan of acme");
        let other = request("GET", "/acme/plan.txt", &[("authorization", "Bearer other")]);
        assert_eq!(ask(&service, other).await.status, 404);
    }
    let is_of_acme = |value: &HeaderValue| value.to_str().unwrap().contains("AKIAacme");
    assert_eq!(s3.log().iter().filter(|seen| is_of_acme(&seen.headers[AUTHORIZATION])).count(), 1);
}

/// What an authorizer is told, and that it is asked each time.
#[tokio::test]
async fn what_is_in_the_cache_is_for_those_alone_who_may_have_it() {
    let s3 = s3().await;
    s3.store().put(BUCKET, "films/a", "film".into());
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let authorizer = Authorizer::new(move |request| {
        counted.fetch_add(1, Ordering::Relaxed);
        async move {
            assert_eq!((request.mount(), request.bucket().as_str()), ("/media", BUCKET));
            assert_eq!(request.key().as_str(), "films/a");
            assert_eq!(request.head().uri.path(), "/media/%61");
            let is_known =
                request.head().headers.get(AUTHORIZATION).is_some_and(|value| value == "Bearer friend");
            Ok(match is_known {
                true => Access::Allow,
                false => Access::Deny(Denial::unauthorized(HeaderValue::from_static("Bearer"))),
            })
        }
    });
    let builder = mount(&s3).at("/media").prefix("films").authorize(authorizer);
    let service = proxy(builder.override_cache_control("public, max-age=60").cache(&cache()));
    for (method, field, status) in [
        ("GET", Some("Bearer friend"), 200),
        ("GET", Some("Bearer friend"), 200),
        ("HEAD", Some("Bearer friend"), 200),
        ("GET", None, 401),
        ("HEAD", None, 401),
        ("GET", Some("Bearer stranger"), 401),
        ("GET", Some("Bearer friend"), 200),
    ] {
        let fields: Vec<_> = field.map(|value| ("authorization", value)).into_iter().collect();
        let answer = ask(&service, request(method, "/media/%61", &fields)).await;
        assert_eq!(answer.status, status, "{method} {field:?}");
        match status {
            200 => assert_eq!(answer.header("cache-control"), "private, max-age=60"),
            _ => {
                assert_eq!(answer.kind(), Some(ProxyErrorKind::Denied));
                assert_eq!(answer.header("www-authenticate"), "Bearer");
                assert_eq!(answer.header("cache-control"), "no-store");
                assert!(!answer.text().contains("film"));
            }
        }
    }
    assert_eq!(asked.load(Ordering::Relaxed), 7);
    assert_eq!(s3.log().len(), 1, "what was allowed came from the cache");
}

#[tokio::test]
async fn who_is_turned_away_is_told_what_the_denial_says() {
    let s3 = s3().await;
    s3.store().put(BUCKET, "a", "text".into());
    let teapot = Denial::try_from(StatusCode::IM_A_TEAPOT).unwrap();
    let field = HeaderName::from_static("x-why");
    for (denial, status, name, value) in [
        (Denial::forbidden(), 403, "cache-control", "no-store"),
        (Denial::not_found(), 404, "cache-control", "no-store"),
        (Denial::redirect(HeaderValue::from_static("/login")), 303, "location", "/login"),
        (teapot.with_header(field, HeaderValue::from_static("short")), 418, "x-why", "short"),
    ] {
        let access = Access::Deny(denial);
        let (by_selector, by_authorizer) = (access.clone(), access);
        let builder =
            || mount(&s3).cache(&cache()).cors(Cors::any_origin()).error_format(ErrorFormat::ProblemJson);
        let selector = CredentialSelector::new(move |_| by_selector.clone());
        let authorizer = Authorizer::new(move |_| {
            let access = by_authorizer.clone();
            async move { Ok(access) }
        });
        for builder in [builder().select_credentials(selector), builder().authorize(authorizer)] {
            let answer = ask(&proxy(builder), request("GET", "/a", &[("origin", "https://a.example")])).await;
            assert_eq!(answer.status, status);
            assert_eq!(answer.header(name), value);
            assert_eq!(answer.header("access-control-allow-origin"), "*");
            assert!(answer.text().contains(&format!("\"status\":{status}")), "{}", answer.text());
            assert_eq!(answer.header("cache-status"), "", "neither the cache nor S3 was asked");
            let told = if status == 404 { "not_found" } else { "denied" };
            assert!(answer.text().contains(&format!("\"code\":\"{told}\"")), "{}", answer.text());
        }
    }
    assert!(s3.log().is_empty());
}

#[tokio::test]
async fn an_authorizer_that_fails_allows_nothing() {
    let s3 = s3().await;
    s3.store().put(BUCKET, "a", "text".into());
    let builder = mount(&s3).authorize(Authorizer::new(|_| async { Err("the sessions are down".into()) }));
    let answer = ask(&proxy(builder), get("/a")).await;
    assert_eq!((answer.status.as_u16(), answer.kind()), (503, Some(ProxyErrorKind::Authorizer)));
    assert!(!answer.text().contains("sessions"), "{}", answer.text());
    assert!(s3.log().is_empty());
}

/// A preflight bears no credentials (Fetch standard), and names no object.
#[tokio::test]
async fn what_names_no_object_is_answered_without_asking() {
    let s3 = s3().await;
    let builder = mount(&s3).at("/media").cors(Cors::any_origin());
    let service = proxy(builder.authorize(Authorizer::new(|_| async { Err("must not be asked".into()) })));
    let preflight = [("origin", "https://a.example"), ("access-control-request-method", "GET")];
    for (method, path, fields, status) in [
        ("OPTIONS", "/media/a", &preflight[..], 204),
        ("OPTIONS", "/media/a", &[], 204),
        ("PUT", "/media/a", &[], 405),
        ("GET", "/media/../a", &[], 404),
        ("GET", "/other", &[], 404),
    ] {
        assert_eq!(ask(&service, request(method, path, fields)).await.status, status, "{method} {path}");
    }
}

#[tokio::test]
async fn a_denial_is_the_answer_though_there_is_a_fallback() {
    let s3 = s3().await;
    s3.store().put(BUCKET, "a", "text".into());
    let inner = service_fn(|_: http::Request<http_body_util::Empty<bytes::Bytes>>| async {
        Ok::<_, std::convert::Infallible>(http::Response::new(http_body_util::Full::new(
            bytes::Bytes::from_static(b"inner"),
        )))
    });
    let authorizer = |denial: Denial| {
        Authorizer::new(move |_| {
            let denial = denial.clone();
            async move { Ok(Access::Deny(denial)) }
        })
    };
    for (denial, status, text) in [(Denial::not_found(), 404, "404"), (Denial::forbidden(), 403, "403")] {
        let mount = mount(&s3).fallback(Fallback::Inner).authorize(authorizer(denial)).build().unwrap();
        let answer = ask(&S3ProxyLayer::new(mount).layer(inner), get("/a")).await;
        assert_eq!(answer.status, status);
        assert!(answer.text().starts_with(text), "{}", answer.text());
    }
    let allowing = Authorizer::new(|_| async { Ok(Access::Allow) });
    let mount = mount(&s3).fallback(Fallback::Inner).authorize(allowing).build().unwrap();
    let answer = ask(&S3ProxyLayer::new(mount).layer(inner), get("/missing")).await;
    assert_eq!((answer.status.as_u16(), answer.text()), (200, "inner"));
}

#[tokio::test]
async fn the_fields_of_a_denial_reach_the_client_though_there_is_a_fallback() {
    let s3 = s3().await;
    let inner = service_fn(|_: http::Request<http_body_util::Empty<bytes::Bytes>>| async {
        Ok::<_, std::convert::Infallible>(http::Response::new(http_body_util::Empty::<bytes::Bytes>::new()))
    });
    let denial = || {
        Denial::not_found()
            .with_header(HeaderName::from_static("x-why"), HeaderValue::from_static("no-entry"))
    };
    let selector = CredentialSelector::new(move |_| Access::Deny(denial()));
    let mount = mount(&s3).fallback(Fallback::Inner).select_credentials(selector).build().unwrap();
    let answer = ask(&S3ProxyLayer::new(mount).layer(inner), get("/a")).await;
    assert_eq!((answer.status.as_u16(), answer.header("x-why")), (404, "no-entry"));
}

#[tokio::test]
async fn caches_in_front_keep_nothing_unless_they_are_allowed_to() {
    let s3 = s3().await;
    s3.store().put(BUCKET, "a", "text".into());
    let all = || Authorizer::new(|_| async { Ok(Access::Allow) });
    let tag = ask(&proxy(mount(&s3)), get("/a")).await.header("etag").to_owned();
    for (builder, sent) in [
        (mount(&s3), "public, s-maxage=9, max-age=60"),
        (mount(&s3).authorize(all()), "private, max-age=60"),
        (
            mount(&s3).authorize(all()).downstream_caching(DownstreamCaching::AsStored),
            "public, s-maxage=9, max-age=60",
        ),
    ] {
        let service = proxy(builder.override_cache_control("public, s-maxage=9, max-age=60"));
        for fields in [&[][..], &[("range", "bytes=0-1")], &[("if-none-match", &*tag)]] {
            let answer = ask(&service, request("GET", "/a", fields)).await;
            assert_eq!(answer.header("cache-control"), sent, "{fields:?}");
        }
    }
}

/// What came with the object of a set is not the client's to keep either.
#[tokio::test]
async fn the_part_of_the_cache_of_each_set_can_be_warmed() {
    let s3 = two_tenants().await;
    let cache = cache();
    let mount = tenants(&s3).select_credentials(by_field()).cache(&cache).build().unwrap();
    let of_acme = mount.with_credentials(&set("acme")).unwrap();
    let keys = ["acme/plan.txt", "globex/plan.txt"].map(|key| ObjectKey::new(key).unwrap()).to_vec();
    let report =
        of_acme.warm(WarmTarget::Keys { bucket: bucket(BUCKET), keys }).unwrap().run().await.unwrap();
    assert_eq!((report.kept, report.failed), (1, 1), "{report:?}");
    let asked = s3.log().len();
    let service = S3Proxy::new(mount);
    assert_eq!(as_tenant(&service, "acme", "/acme/plan.txt").await.text(), "the plan of acme");
    assert_eq!(s3.log().len(), asked, "it was in the cache");
    assert_eq!(as_tenant(&service, "globex", "/globex/plan.txt").await.text(), "the plan of globex");
    assert_eq!(s3.log().len(), asked + 1);
}

#[tokio::test]
async fn a_mount_is_ready_when_each_of_its_sets_is() {
    let s3 = two_tenants().await;
    let ready = |builder: MountBuilder| async move {
        S3ProxyLayer::new(builder.select_credentials(by_field()).build().unwrap()).ready().await
    };
    assert!(ready(tenants(&s3).credentials(keys_of("acme"))).await.is_ok());
    let spent = CredentialSet::new(set("initech"), Credentials::new("AKIAspent", "x", None, None, "test"));
    let error = ready(tenants(&s3).credentials(keys_of("acme")).credential_set(spent)).await.unwrap_err();
    assert_eq!(error.kind(), ProxyErrorKind::OriginRefused);
}

#[test]
fn sets_that_make_no_sense_are_refused() {
    let builder = || {
        let mount = tower_s3_proxy::Mount::builder(bucket(BUCKET)).region(REGION).anonymous();
        mount.credential_set(CredentialSet::new(set("acme"), keys_of("acme")))
    };
    let twice = builder().credential_set(CredentialSet::new(set("acme"), keys_of("globex")));
    for (builder, message) in
        [(builder(), "give a selector"), (twice.select_credentials(by_field()), "\"acme\"")]
    {
        let error = builder.build().unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::Contradiction);
        assert!(error.to_string().contains(message), "{error}");
    }
}

/// Who waits for an authorizer waits alone.
#[tokio::test(start_paused = true)]
async fn a_slow_authorizer_holds_up_nobody_else() {
    let s3 = s3().await;
    s3.store().put(BUCKET, "a", "text".into());
    let builder = mount(&s3).cache(&cache()).override_cache_control("max-age=60");
    let service = proxy(builder.authorize(Authorizer::new(|request| async move {
        if request.head().headers.contains_key("x-slow") {
            tokio::time::sleep(Duration::from_secs(3600)).await;
        }
        Ok(Access::Allow)
    })));
    let slow = tokio::spawn({
        let service = service.clone();
        async move { ask(&service, request("GET", "/a", &[("x-slow", "1")])).await }
    });
    tokio::task::yield_now().await;
    for _ in 0..2 {
        assert_eq!(ask(&service, get("/a")).await.text(), "text");
    }
    assert!(!slow.is_finished());
    assert_eq!(slow.await.unwrap().text(), "text");
}
