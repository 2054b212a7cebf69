//! The stacks that people build: the layer and the service in axum, hyper and tower, over HTTP/1.1 and HTTP/2.

use std::{convert::Infallible, time::Duration};

use axum::{Router, routing::get as get_route};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn, util::BoxCloneSyncService};
use tower_http::{set_header::SetResponseHeaderLayer, timeout::TimeoutLayer, trace::TraceLayer};
use tower_s3_proxy::{
    Mount, MountBuilder, ProxyError, S3Proxy, S3ProxyConfig, S3ProxyLayer,
    service::{NotFound, ResponseBody, ResponseFuture},
};

use crate::support::{Client, Protocol, Server, get, mount, request, s3, serve};

const PROTOCOLS: [Protocol; 2] = [Protocol::Http1, Protocol::Http2];

/// What every stack has to get right, whatever is around the proxy: the objects `a` and `dir/b c` under `/media`.
async fn check_objects(what: &str, protocol: Protocol, server: &Server) {
    let mut client = Client::connect(protocol, server.addr).await;
    let rows = [
        ("GET", "/media/a", &[][..], 200, "object a"),
        ("GET", "/media/dir/b%20c", &[], 200, "object b"),
        ("GET", "/media/a", &[("range", "bytes=0-5")], 206, "object"),
        ("GET", "/media/a", &[("if-none-match", "*")], 304, ""),
        ("HEAD", "/media/a", &[], 200, ""),
        ("HEAD", "/media/missing", &[], 404, ""),
        ("GET", "/media/..%2fa", &[], 404, "404 Not Found: there is no such object"),
        ("GET", "/media/missing", &[], 404, "404 Not Found: there is no such object"),
    ];
    for (method, path, fields, status, body) in rows {
        let answer = client.ask(request(method, path, fields)).await;
        let row = format!("{what}, {protocol:?}: {method} {path} {fields:?}");
        assert_eq!(answer.status, status, "{row}");
        assert!(answer.text().starts_with(body), "{row}: {}", answer.text());
        assert_eq!(answer.text().is_empty(), body.is_empty(), "{row}: {}", answer.text());
        if path == "/media/a" && status == 200 {
            assert_eq!(answer.header("content-length"), "8", "{row}");
        }
    }
}

async fn filled() -> demo_s3::DemoS3 {
    let s3 = s3().await;
    s3.store().put("media", "a", Bytes::from_static(b"object a"));
    s3.store().put("media", "dir/b c", Bytes::from_static(b"object b"));
    s3
}

#[tokio::test]
async fn a_layer_over_an_axum_router() {
    let s3 = filled().await;
    let app = Router::new()
        .route("/", get_route(|| async { "home" }))
        .route("/echo", axum::routing::post(|body: String| async move { body }))
        .layer(S3ProxyLayer::new(mount(&s3).at("/media").build().unwrap()));
    for protocol in PROTOCOLS {
        let server = serve(protocol, app.clone()).await;
        check_objects("Router::layer", protocol, &server).await;
        let mut client = Client::connect(protocol, server.addr).await;
        assert_eq!(client.ask(get("/")).await.text(), "home");
        assert_eq!(client.ask(request("POST", "/echo", &[])).await.status, 200);
        assert_eq!(client.ask(get("/mediax")).await.status, 404);
    }
}

/// `Router::layer` runs after routing, yet over the fallback, too: so paths without a route are served.
#[tokio::test]
async fn a_mount_at_the_root_leaves_an_axum_routers_routes_alone_on_a_miss() {
    let s3 = filled().await;
    let app = Router::new().route("/home", get_route(|| async { "home" })).layer(S3ProxyLayer::new(
        mount(&s3).fallback(tower_s3_proxy::response::Fallback::Inner).build().unwrap(),
    ));
    let server = serve(Protocol::Http1, app).await;
    let mut client = Client::connect(Protocol::Http1, server.addr).await;
    assert_eq!(client.ask(get("/home")).await.text(), "home");
    assert_eq!(client.ask(get("/a")).await.text(), "object a");
}

#[tokio::test]
async fn a_nested_service_in_an_axum_router() {
    let s3 = filled().await;
    let app = Router::new()
        .route("/", get_route(|| async { "home" }))
        .nest_service("/media", S3Proxy::new(mount(&s3).build().unwrap()));
    for protocol in PROTOCOLS {
        let server = serve(protocol, app.clone()).await;
        check_objects("Router::nest_service", protocol, &server).await;
        let mut client = Client::connect(protocol, server.addr).await;
        assert_eq!(client.ask(get("/")).await.text(), "home");
    }
}

#[tokio::test]
async fn a_service_on_bare_hyper() {
    let s3 = filled().await;
    let service = S3Proxy::new(mount(&s3).at("/media").build().unwrap());
    for protocol in PROTOCOLS {
        let server = serve(protocol, service.clone()).await;
        check_objects("hyper", protocol, &server).await;
        let mut client = Client::connect(protocol, server.addr).await;
        let answer = client.ask(get("/elsewhere")).await;
        assert_eq!((answer.status.as_u16(), answer.text()), (404, ""));
    }
}

#[tokio::test]
async fn layers_of_tower_http_around_it() {
    let s3 = filled().await;
    let service = ServiceBuilder::new()
        .layer(TraceLayer::new_for_http())
        .layer(SetResponseHeaderLayer::overriding(
            HeaderName::from_static("x-frame-options"),
            HeaderValue::from_static("DENY"),
        ))
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, Duration::from_secs(30)))
        .layer(S3ProxyLayer::new(mount(&s3).at("/media").build().unwrap()))
        .service(service_fn(|request: Request<Incoming>| async move {
            Ok::<_, Infallible>(Response::new(Full::from(request.uri().path().to_owned())))
        }));
    for protocol in PROTOCOLS {
        let server = serve(protocol, service.clone()).await;
        check_objects("tower-http", protocol, &server).await;
        let mut client = Client::connect(protocol, server.addr).await;
        for path in ["/media/a", "/other"] {
            assert_eq!(client.ask(get(path)).await.header("x-frame-options"), "DENY", "{path}");
        }
        assert_eq!(client.ask(get("/other")).await.text(), "/other");
    }
}

#[tokio::test]
async fn a_time_out_around_it_ends_the_wait_for_s3() {
    let s3 = filled().await;
    let _hold = s3.store().hold("media", "a");
    let service = ServiceBuilder::new()
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::from_millis(50)))
        .service(S3Proxy::new(mount(&s3).build().unwrap()));
    assert_eq!(service.oneshot(get("/a")).await.unwrap().status(), 504);
}

#[tokio::test]
async fn a_layer_above_sees_the_cause_of_a_failure() {
    let s3 = filled().await;
    let service = S3ProxyLayer::new(mount(&s3).build().unwrap()).layer(NotFound);
    let service = ServiceBuilder::new()
        .map_response(|response: Response<_>| response.extensions().get::<ProxyError>().map(ProxyError::kind))
        .service(service);
    let kind = service.oneshot(get("/missing")).await.unwrap();
    assert_eq!(kind, Some(tower_s3_proxy::ProxyErrorKind::NotFound));
}

#[tokio::test]
async fn requests_for_others_reach_the_inner_service_untouched() {
    #[derive(Clone)]
    struct Mark;

    let s3 = s3().await;
    let service = S3ProxyLayer::new(mount(&s3).at("/media").build().unwrap()).layer(service_fn(
        |request: Request<Full<Bytes>>| async move {
            assert!(request.extensions().get::<Mark>().is_some(), "extensions pass");
            let mut response = Response::new(request.into_body());
            *response.status_mut() = StatusCode::IM_A_TEAPOT;
            response.headers_mut().insert("x-amz-meta-inner", HeaderValue::from_static("kept"));
            Ok::<_, Infallible>(response)
        },
    ));
    for (method, uri) in [
        ("GET", "/"),
        ("POST", "/mediax?q=1"),
        ("DELETE", "/m%65dia/a"),
        ("OPTIONS", "*"),
        ("GET", "/../x"),
        ("GET", "//media/a"),
    ] {
        let mut request = Request::builder().method(method).uri(uri).body(Full::from("payload")).unwrap();
        request.extensions_mut().insert(Mark);
        let response = service.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), 418, "{method} {uri}");
        assert_eq!(response.headers()["x-amz-meta-inner"], "kept", "{method} {uri}");
        assert_eq!(response.body().size_hint().exact(), Some(7), "{method} {uri}");
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "payload", "{method} {uri}");
    }
    assert!(s3.log().is_empty());
}

#[tokio::test]
async fn errors_of_the_inner_service_pass() {
    let s3 = s3().await;
    let layer = S3ProxyLayer::new(mount(&s3).at("/media").build().unwrap());
    let service = layer.layer(service_fn(|_: Request<Empty<Bytes>>| async {
        Err::<Response<Empty<Bytes>>, _>(std::io::Error::other("inner"))
    }));
    let error = service.oneshot(get("/x")).await.unwrap_err();
    assert_eq!(error.to_string(), "inner");
}

/// `poll_ready` is the inner service's: the clone that was polled ready is the one that is called.
#[tokio::test]
async fn the_service_that_was_ready_is_the_one_called() {
    let s3 = filled().await;
    let layer =
        S3ProxyLayer::new(mount(&s3).fallback(tower_s3_proxy::response::Fallback::Inner).build().unwrap());
    let mut service = layer.layer(MustBeReady { is_ready: false });
    for path in ["/missing", "/a", "/missing"] {
        service.ready().await.unwrap().call(get(path)).await.unwrap();
    }
}

#[derive(Debug)]
struct MustBeReady {
    is_ready: bool,
}

impl Clone for MustBeReady {
    fn clone(&self) -> Self {
        Self { is_ready: false }
    }
}

impl Service<Request<Empty<Bytes>>> for MustBeReady {
    type Response = Response<Empty<Bytes>>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Infallible>> {
        self.is_ready = true;
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Empty<Bytes>>) -> Self::Future {
        assert!(std::mem::take(&mut self.is_ready), "called without having been ready");
        std::future::ready(Ok(Response::new(Empty::new())))
    }
}

// --- facts of the types ---

type Boxed = BoxCloneSyncService<Request<Incoming>, Response<Full<Bytes>>, Infallible>;
type Future = ResponseFuture<NotFound, Incoming>;

#[test]
fn the_types_go_where_services_go() {
    fn shared<T: Send + Sync + Clone + 'static>() {}
    fn sent<T: Send + 'static>() {}
    shared::<S3ProxyLayer>();
    shared::<S3Proxy>();
    shared::<S3Proxy<Boxed>>();
    shared::<S3ProxyConfig>();
    shared::<Mount>();
    shared::<ProxyError>();
    sent::<MountBuilder>();
    sent::<Future>();
    sent::<ResponseFuture<Boxed, Incoming>>();
    sent::<ResponseBody<Full<Bytes>>>();
}

/// Every request pays for these, ours or not. Raise a number only knowingly.
#[test]
fn the_future_and_the_body_stay_small() {
    let sizes = [
        ("S3Proxy", size_of::<S3Proxy>(), 8),
        ("ResponseFuture", size_of::<ResponseFuture<NotFound, Incoming>>(), 160),
        ("ResponseFuture, boxed inner", size_of::<ResponseFuture<Boxed, Incoming>>(), 160),
        ("ResponseBody", size_of::<ResponseBody<Empty<Bytes>>>(), 48),
        ("ResponseBody, axum's", size_of::<ResponseBody<axum::body::Body>>(), 48),
    ];
    for (name, size, _) in sizes {
        println!("{name}: {size} bytes");
    }
    for (name, size, most) in sizes {
        assert!(size <= most, "{name} has {size} bytes, more than {most}");
    }
}
