//! The cache does not serve the old state of an object that the inner service has written.

use http::{Response, StatusCode};
use http_body_util::Empty;
use tower::{Layer, service_fn};
use tower_s3_proxy::{
    Cache, Mount, MountBuilder, S3ProxyLayer, bucket::BucketResolver, error::BoxError, response::Fallback,
};

use super::origin::{MIB, Object, Origin, noise};
use crate::support::{Answer, BUCKET, ask, bucket, get, request};

/// Reads the key, has the inner service answer the request with the status, and reads again.
async fn read_write_read(
    origin: &Origin,
    mount: MountBuilder,
    (method, path): (&str, &str),
    status: u16,
) -> (Answer, usize) {
    let mount = mount.fallback(Fallback::Inner).cache(&Cache::builder(64 * MIB).build().unwrap());
    let inner = service_fn(move |_| async move {
        let mut response = Response::new(Empty::<bytes::Bytes>::new());
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        Ok::<_, BoxError>(response)
    });
    let service = S3ProxyLayer::new(mount.build().unwrap()).layer(inner);
    ask(&service, get("/a%20b")).await;
    assert_eq!(ask(&service, get("/a%20b")).await.status, 200);
    assert_eq!(origin.asked(), 1);
    assert_eq!(ask(&service, request(method, path, &[])).await.status, status, "{method} {path}");
    let answer = ask(&service, get("/a%20b")).await;
    (answer, origin.asked())
}

#[tokio::test]
async fn an_unsafe_method_that_the_inner_service_allows_invalidates() {
    let object = Object::new(noise(3000, 1)).with("cache-control", "max-age=60");
    for (request, status, is_read_anew) in [
        (("PUT", "/a%20b"), 200, true),
        (("PUT", "/%61%20b"), 201, true),
        (("POST", "/a%20b?form"), 303, true),
        (("PATCH", "/a%20b"), 204, true),
        (("DELETE", "/a%20b"), 202, true),
        // RFC 9111 §4.4: those whose safety is unknown, too.
        (("M-SEARCH", "/a%20b"), 200, true),
        (("PUT", "/a%20b"), 404, false),
        (("DELETE", "/a%20b"), 500, false),
        (("PUT", "/a"), 200, false),
        (("PUT", "/"), 200, false),
        // RFC 9110 §9.2.1.
        (("OPTIONS", "/a%20b"), 200, false),
        (("TRACE", "/a%20b"), 200, false),
    ] {
        for by_resolver in [false, true] {
            let origin = Origin::start().await;
            origin.put("a%20b", &object);
            let mut mount = origin.mount();
            if by_resolver {
                let resolver = BucketResolver::new(|_| async { Ok(Some(bucket(BUCKET))) });
                mount = origin.over(Mount::bucket_from(resolver));
            }
            let (answer, asked) = read_write_read(&origin, mount, request, status).await;
            assert!(answer.body == object.body, "{request:?}");
            assert_eq!(asked > 0, is_read_anew, "{request:?} {status}, by resolver: {by_resolver}");
        }
    }
}
