//! Several mounts over one cache, and their origins.

use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{Empty, Full};
use tower::{Layer, service_fn};
use tower_s3_proxy::{
    Cache, S3Proxy, S3ProxyLayer,
    cache::{PurgeMode, PurgeTarget},
    credentials::Credentials,
    response::Fallback,
};

use super::origin::{Fault, MIB, Object, Origin};
use crate::support::{ask, get, keys, proxy};

#[tokio::test]
async fn a_key_that_is_known_to_be_missing_is_the_inner_service_s() {
    let origin = Origin::start().await;
    let cache = Cache::builder(MIB).build().unwrap();
    let mount = origin.mount().cache(&cache).fallback(Fallback::Inner).build().unwrap();
    let inner = service_fn(|_: Request<Empty<Bytes>>| async {
        let mut response = Response::new(Full::new(Bytes::from_static(b"inner")));
        *response.status_mut() = StatusCode::IM_A_TEAPOT;
        Ok::<_, Infallible>(response)
    });
    let service = S3ProxyLayer::new(mount).layer(inner);
    for _ in 0..3 {
        let answer = ask(&service, get("/a")).await;
        assert_eq!((answer.status.as_u16(), answer.text()), (418, "inner"));
        assert_eq!(answer.header("cache-status"), "");
    }
    assert_eq!(origin.asked(), 1);
    origin.put("a", &Object::new("outer"));
    origin.clock.advance(5);
    assert_eq!(ask(&service, get("/a")).await.text(), "outer");
}

#[tokio::test]
async fn mounts_that_share_a_cache_share_no_objects() {
    let (one, other) = (Origin::start().await, Origin::start().await);
    let cache = Cache::builder(16 * MIB).build().unwrap();
    for (origin, text) in [(&one, "one"), (&other, "other")] {
        origin.put("a", &Object::new(text).with("cache-control", "max-age=60"));
    }
    let [first, second] = [&one, &other].map(|origin| proxy(origin.mount().cache(&cache)));
    for _ in 0..2 {
        assert_eq!(ask(&first, get("/a")).await.text(), "one");
        assert_eq!(ask(&second, get("/a")).await.text(), "other");
    }
    assert_eq!((one.asked(), other.asked()), (1, 1));

    // The same bucket by other keys, which may not read it.
    let denied = proxy(one.mount().credentials(keys()).cache(&cache));
    one.fail(Fault::Refuses(403, "AccessDenied"));
    assert_ne!(ask(&denied, get("/a")).await.status, 200);
    let wrong = Credentials::new("AKIAWRONG", "wrong", None, None, "test");
    let wrong = proxy(one.mount().credentials(wrong).cache(&cache));
    assert_ne!(ask(&wrong, get("/a")).await.status, 200);
    assert_eq!(ask(&first, get("/a")).await.text(), "one");

    // A purge is of all of them.
    one.fail(None);
    assert_eq!(cache.purge(&PurgeTarget::Everything, PurgeMode::Hard), 2);
    assert_eq!(cache.snapshot().entries, 0);
}

/// They are the same mount: its policy, its credentials.
#[tokio::test]
async fn services_of_one_mount_share_what_they_read() {
    let origin = Origin::start().await;
    origin.put("a", &Object::new("text").with("cache-control", "max-age=60"));
    let cache = Cache::builder(MIB).build().unwrap();
    let mount = origin.mount().cache(&cache).build().unwrap();
    for _ in 0..3 {
        assert_eq!(ask(&S3Proxy::new(mount.clone()), get("/a")).await.text(), "text");
    }
    assert_eq!(origin.asked(), 1);
}
