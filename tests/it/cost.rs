//! What a request that is not ours costs besides time.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    pin::pin,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Empty;
use tower::{Layer, Service};
use tower_s3_proxy::{BucketName, Miss, Mount, S3ProxyLayer};

/// Answers at once, without allocating.
#[derive(Clone)]
struct Inner;

impl Service<Request<()>> for Inner {
    type Response = Response<Empty<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
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
        .miss(Miss::ToInner);
    let mut service = S3ProxyLayer::new(mount.build().unwrap()).layer(Inner);
    let request = |method: &str, path: &str, host: &str| {
        Request::builder().method(method).uri(path).header("host", host).body(()).unwrap()
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
