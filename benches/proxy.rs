//! The cost of a request. `cargo bench` runs all of it, built as `--profile dist` builds the proxy; the README has the
//! main figures.
//!
//! Groups are named question/parameter: `parse/…` and `sign/…` are pure parts, `pass/…` is a request that is not ours,
//! `call/…` and `stream/…` go through the whole service to an origin in memory, behind the SDK's HTTP seam.

#![allow(missing_docs, clippy::unwrap_used)]

use std::{
    convert::Infallible,
    future::{Ready, ready},
    hint::black_box,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
    time::{Duration, SystemTime},
};

use aws_sigv4::{
    http_request::{
        PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
        UriPathNormalizationMode, sign,
    },
    sign::v4,
};
use aws_smithy_runtime_api::client::{
    http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
    orchestrator::{HttpRequest, HttpResponse},
    runtime_components::RuntimeComponents,
};
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Empty};
use tower::{Layer, Service};
use tower_s3_proxy::{
    BucketName, Mount, S3Proxy, S3ProxyLayer, Transport, credentials::Credentials, internals,
    service::NotFound,
};

fn parse(c: &mut Criterion) {
    let mut group = c.benchmark_group("parse");
    let request = get("/media/images/2024/a%20picture.jpg");
    group.bench_function("key", |b| {
        b.iter(|| internals::map_key(black_box("images/2024/a%20picture.jpg")));
    });
    group.bench_function("request", |b| b.iter(|| internals::read_request(black_box(request.headers()))));
    group.finish();
}

fn signing(c: &mut Criterion) {
    let mut group = c.benchmark_group("sign");
    let credentials = credentials();
    let signer = internals::Signer::new(credentials.clone(), "us-west-2", SystemTime::now());
    group.bench_function("ours", |b| b.iter(|| signer.sign(black_box("/studio-media/images/a.jpg"))));

    let identity = credentials.into();
    group.bench_function("aws-sigv4", |b| {
        b.iter(|| {
            let mut settings = SigningSettings::default();
            settings.percent_encoding_mode = PercentEncodingMode::Single;
            settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
            let params = v4::SigningParams::builder()
                .identity(&identity)
                .region("us-west-2")
                .name("s3")
                .time(SystemTime::now())
                .settings(settings)
                .build()
                .unwrap();
            let url = black_box("https://s3.us-west-2.amazonaws.com/studio-media/images/a.jpg");
            let request =
                SignableRequest::new("GET", url, std::iter::empty(), SignableBody::UnsignedPayload).unwrap();
            sign(request, &params.into()).unwrap()
        });
    });
    group.finish();
}

/// Answers at once, as a stand-in for the rest of an application.
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

fn pass(c: &mut Criterion) {
    let mut group = c.benchmark_group("pass");
    let layer = S3ProxyLayer::new(mount(Memory::new(1, 1)));
    let (mut bare, mut layered) = (Inner, layer.layer(Inner));
    let request = || get("/api/items?page=2");
    // Few enough to stay in the cache: the answers are dropped after the batch.
    let batch = BatchSize::NumIterations(64);
    group.bench_function("without layer", |b| b.iter_batched(request, |r| at_once(bare.call(r)), batch));
    group.bench_function("with layer", |b| b.iter_batched(request, |r| at_once(layered.call(r)), batch));
    group.finish();
}

/// The output of a future that does not wait: no runtime is measured with it.
fn at_once<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("the inner service answers at once"),
    }
}

fn call(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for (group, frame, cases) in [
        ("call", KIB, &[("1KiB", KIB)][..]),
        ("stream", 64 * KIB, &[("64KiB", 64 * KIB), ("1MiB", MIB), ("64MiB", 64 * MIB)][..]),
    ] {
        let mut group = c.benchmark_group(group);
        for (name, size) in cases {
            let proxy = S3Proxy::new(mount(Memory::new(*size, frame)));
            group.throughput(Throughput::Bytes(*size as u64));
            if *size > 16 * MIB {
                group.sample_size(20).measurement_time(Duration::from_secs(5));
            }
            group.bench_function(*name, |b| {
                b.to_async(&runtime).iter(|| drain(proxy.clone()));
            });
        }
        group.finish();
    }
}

async fn drain(mut proxy: S3Proxy<NotFound>) -> usize {
    let mut body = proxy.call(get("/media/images/a.jpg")).await.unwrap().into_body();
    let mut total = 0;
    while let Some(frame) = body.frame().await {
        total += frame.unwrap().data_ref().map_or(0, Bytes::len);
    }
    total
}

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

fn get(path: &str) -> Request<Empty<Bytes>> {
    Request::get(path).header("host", "app.example").header("user-agent", "bench").body(Empty::new()).unwrap()
}

fn credentials() -> Credentials {
    Credentials::new("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", None, None, "bench")
}

fn mount(origin: Memory) -> Mount {
    Mount::builder(BucketName::parse("studio-media").unwrap())
        .at("/media")
        .region("us-west-2")
        .credentials(credentials())
        .transport(&Transport::builder().http_client(origin).build().unwrap())
        .build()
        .unwrap()
}

/// An origin in memory: `total` bytes, in frames that share one allocation.
#[derive(Debug, Clone)]
struct Memory {
    total: usize,
    frame: Bytes,
}

impl Memory {
    fn new(total: usize, frame: usize) -> Self {
        Self { total, frame: Bytes::from(vec![7; frame]) }
    }
}

impl HttpClient for Memory {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Memory {
    fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
        let body = Frames { left: self.total, frame: self.frame.clone() };
        let response = Response::builder()
            .header("content-type", "image/jpeg")
            .header("content-length", self.total)
            .header("etag", "\"0123456789abcdef0123456789abcdef\"")
            .header("last-modified", "Wed, 21 Oct 2015 07:28:00 GMT")
            .header("x-amz-request-id", "4442587FB7D0A2F9")
            .header("server", "AmazonS3")
            .body(SdkBody::from_body_1_x(body))
            .unwrap();
        HttpConnectorFuture::ready(Ok(HttpResponse::try_from(response).unwrap()))
    }
}

struct Frames {
    left: usize,
    frame: Bytes,
}

impl Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        self.left -= self.frame.len();
        Poll::Ready(Some(Ok(Frame::data(self.frame.clone()))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left as u64)
    }
}

criterion_group!(benches, parse, signing, pass, call);
criterion_main!(benches);
