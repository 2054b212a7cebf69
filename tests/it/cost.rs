//! The cost, besides time, of a request that is not ours, and of one for an object in memory.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    pin::pin,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty};
use tower::{Layer, Service};
use tower_s3_proxy::{
    BucketName, Cache, Mount, MountBuilder, S3ProxyLayer, listing::Listing, response::Fallback,
};

use crate::support::{BUCKET, ask, get, mount, proxy, request, s3};

/// Answers at once, without allocating.
#[derive(Clone)]
struct Inner;

impl Service<Request<Empty<Bytes>>> for Inner {
    type Response = Response<Empty<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Empty<Bytes>>) -> Self::Future {
        ready(Ok(Response::new(Empty::new())))
    }
}

#[test]
fn a_request_that_is_not_ours_allocates_nothing() {
    let mount = Mount::builder(BucketName::parse("studio-media").unwrap())
        .at("/media")
        .host("media.example")
        .region("us-west-2")
        .endpoint_url("http://127.0.0.1:1")
        .anonymous()
        .fallback(Fallback::Inner);
    let mut service = S3ProxyLayer::new(mount.build().unwrap()).layer(Inner);
    let request = |method: &str, path: &str, host: &str| {
        Request::builder().method(method).uri(path).header("host", host).body(Empty::<Bytes>::new()).unwrap()
    };
    for request in [
        request("GET", "/api/items?page=2", "media.example"),
        request("GET", "/media/a.jpg", "other.example"),
        request("POST", "/media/a.jpg", "media.example"),
    ] {
        let counted = allocation_counter::measure(|| {
            let mut future = pin!(service.call(request));
            let polled = future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            assert!(polled.is_ready());
        });
        assert_eq!(counted.count_total, 0);
    }
}

/// A cached answer is there as soon as the service is called: the future of the answer is ready when it is first polled,
/// and no task of a runtime has to do with it. What is allocated besides is the copy of the fields, and a box for bytes
/// that lie in several blocks.
#[test]
fn a_hit_waits_for_nothing_and_allocates_little() {
    is_cheap(|mount| mount);
}

/// Of a page that a browser navigates to, as well.
#[test]
fn listings_cost_a_hit_nothing() {
    is_cheap(|mount| mount.listing(Listing::new()));
}

fn is_cheap(with: impl FnOnce(MountBuilder) -> MountBuilder) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let origin = runtime.block_on(s3());
    origin.store().put(BUCKET, "small", vec![7; 1024].into());
    origin.store().put(BUCKET, "block", vec![7; 100_000].into());
    origin.store().put(BUCKET, "blocks", vec![7; 1_000_000].into());
    let cache = Cache::builder(64 * 1024 * 1024).build().unwrap();
    let mut service = proxy(with(mount(&origin).default_cache_control("max-age=60").cache(&cache)));
    let mut tag = String::new();
    for path in ["/small", "/block", "/blocks"] {
        let answer = runtime.block_on(ask(&service, get(path)));
        tag = answer.header("etag").to_owned();
    }
    let part = [("range", "bytes=10-99")];
    let known = [("if-none-match", &*tag)];
    for (method, path, fields, status, length, most) in [
        ("GET", "/small", &[][..], 200, 1024, 9),
        ("GET", "/block", &[], 200, 100_000, 9),
        ("GET", "/blocks", &[], 200, 1_000_000, 18),
        ("GET", "/small", &part, 206, 90, 11),
        ("GET", "/blocks", &part, 206, 90, 13),
        ("GET", "/blocks", &known, 304, 0, 8),
        ("HEAD", "/small", &[], 200, 0, 7),
        ("GET", "/small", &[("sec-fetch-mode", "navigate")], 200, 1024, 9),
    ] {
        // The first response of its kind makes its counters, which stay.
        runtime.block_on(ask(&service, request(method, path, fields)));
        let mut asked = Some(request(method, path, fields));
        let mut answer = None;
        let counted = allocation_counter::measure(|| {
            // Outside of the runtime: nothing there can help.
            let mut future = pin!(service.call(asked.take().unwrap()));
            answer = match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(answer) => Some(answer.unwrap()),
                Poll::Pending => None,
            };
        });
        let answer = answer.unwrap_or_else(|| panic!("{method} {path}: it waits"));
        assert_eq!(answer.status(), status, "{method} {path} {fields:?}");
        assert!(answer.headers()["cache-status"].to_str().unwrap().contains("hit"), "{method} {path}");
        assert!(counted.count_total <= most, "{method} {path} {fields:?}: {counted:?}");
        let body = runtime.block_on(answer.into_body().collect()).unwrap().to_bytes();
        assert_eq!(body.len(), length, "{method} {path}");
    }
}
