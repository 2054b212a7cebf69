//! What the recorder of metrics hears of requests, as Prometheus reads it.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use demo_s3::{DEMO_ACCESS_KEY, DEMO_SECRET_KEY, Denial};
use metrics_exporter_prometheus::PrometheusBuilder;
use tower::Layer;
use tower_s3_proxy::{
    Cache, RetryPolicy, S3ProxyConfig, S3ProxyLayer, credentials::Credentials, service::NotFound,
};

use crate::support::{BUCKET, ask, get, is_cached, mount, request, s3};

/// The value of a series; 0 if there is none.
fn value(text: &str, series: &str) -> f64 {
    let line = text.lines().find(|line| line.strip_prefix(series).is_some_and(|rest| rest.starts_with(' ')));
    line.map_or(0.0, |line| line.rsplit(' ').next().unwrap().parse().unwrap())
}

#[tokio::test]
async fn requests_are_counted_by_mount_method_status_and_use_of_the_cache() {
    // It compares a mount with a cache and one without.
    if is_cached() {
        return;
    }
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    let _recording = metrics::set_default_local_recorder(&recorder);
    let s3 = s3().await;
    s3.store().put(BUCKET, "a.txt", Bytes::from_static(b"hello"));
    s3.store().put(BUCKET, "broken.txt", Bytes::from_static(b"hello"));
    s3.store().deny(BUCKET, "broken.txt", Denial::InternalError);
    let cache = Cache::builder(1 << 20).build().unwrap();
    let in_an_hour = SystemTime::now() + Duration::from_secs(3600);
    let keys = Credentials::new(DEMO_ACCESS_KEY, DEMO_SECRET_KEY, None, Some(in_an_hour), "test");
    let cached = mount(&s3)
        .at("/cached")
        .credentials(keys)
        .retry(RetryPolicy::default().max_attempts(2))
        .default_cache_control("max-age=60")
        .cache(&cache);
    let plain = mount(&s3).at("/plain").host("cdn.test");
    let mounts = [cached.build().unwrap(), plain.build().unwrap()];
    let layer = S3ProxyLayer::new(S3ProxyConfig::new(mounts).unwrap());
    let service = layer.layer(NotFound);
    let plain = |method: &str, fields: &[(&str, &str)]| {
        request(method, "/plain/a.txt", &[&[("host", "cdn.test")], fields].concat())
    };
    for (request, status) in [
        (get("/cached/a.txt"), 200),
        (get("/cached/a.txt"), 200),
        (request("GET", "/cached/a.txt", &[("range", "bytes=1-2")]), 206),
        (request("HEAD", "/cached/a.txt", &[]), 200),
        (request("BREW", "/cached/a.txt", &[]), 405),
        (get("/cached/no.txt"), 404),
        (get("/cached/broken.txt"), 503),
        (plain("GET", &[]), 200),
        // Of no mount.
        (get("/elsewhere"), 404),
    ] {
        assert_eq!(ask(&service, request).await.status, status);
    }
    layer.report_metrics();
    let text = handle.render();
    for (series, expected) in [
        (r#"s3proxy_requests_total{mount="/cached",method="GET",status="200",cache="miss"}"#, 1.0),
        (r#"s3proxy_requests_total{mount="/cached",method="GET",status="200",cache="hit"}"#, 1.0),
        (r#"s3proxy_requests_total{mount="/cached",method="GET",status="206",cache="hit"}"#, 1.0),
        (r#"s3proxy_requests_total{mount="/cached",method="HEAD",status="200",cache="hit"}"#, 1.0),
        (r#"s3proxy_requests_total{mount="/cached",method="other",status="405",cache="none"}"#, 1.0),
        (r#"s3proxy_requests_total{mount="/cached",method="GET",status="404",cache="miss"}"#, 1.0),
        (r#"s3proxy_requests_total{mount="/cached",method="GET",status="503",cache="miss"}"#, 1.0),
        (r#"s3proxy_first_byte_seconds_count{mount="/cached",cache="hit"}"#, 3.0),
        (r#"s3proxy_s3_requests_total{mount="/cached",operation="GetObject",outcome="ok"}"#, 1.0),
        (r#"s3proxy_s3_requests_total{mount="/cached",operation="GetObject",outcome="refused"}"#, 1.0),
        (r#"s3proxy_s3_requests_total{mount="/cached",operation="GetObject",outcome="failed"}"#, 2.0),
        (r#"s3proxy_s3_first_byte_seconds_count{mount="/cached",operation="GetObject"}"#, 4.0),
        (r#"s3proxy_s3_retries_total{mount="/cached"}"#, 1.0),
        (r#"s3proxy_breaker_open{mount="/cached"}"#, 0.0),
        ("s3proxy_cache_capacity_bytes", f64::from(1 << 20)),
    ] {
        assert_eq!(value(&text, series), expected, "{series}\n{text}");
    }
    let of_plain: f64 = ["none", "miss"]
        .map(|cache| {
            format!(r#"s3proxy_requests_total{{mount="cdn.test/plain",method="GET",status="200",cache="{cache}"}}"#)
        })
        .iter()
        .map(|series| value(&text, series))
        .sum();
    assert_eq!(of_plain, 1.0, "{text}");
    // The 200s and the range; the errors have bodies as well.
    assert!(value(&text, r#"s3proxy_sent_bytes_total{mount="/cached"}"#) > 12.0, "{text}");
    assert_eq!(value(&text, r#"s3proxy_sent_bytes_total{mount="cdn.test/plain"}"#), 5.0, "{text}");
    assert_eq!(value(&text, r#"s3proxy_s3_received_bytes_total{mount="cdn.test/plain"}"#), 5.0, "{text}");
    let left = value(&text, r#"s3proxy_credentials_time_to_expiry_seconds{mount="/cached"}"#);
    assert!((3000.0..=3600.0).contains(&left), "{left}");
    assert!(value(&text, "s3proxy_cache_entries") >= 1.0, "{text}");
    for secret in [DEMO_ACCESS_KEY, DEMO_SECRET_KEY, "a.txt"] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
}

#[tokio::test]
async fn what_is_told_again_is_counted_once() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    let _recording = metrics::set_default_local_recorder(&recorder);
    let s3 = s3().await;
    s3.store().put(BUCKET, "a.txt", Bytes::from_static(b"hello"));
    let cache = Cache::builder(1 << 20).build().unwrap();
    let cached = |path: &str| mount(&s3).at(path).cache(&cache).build().unwrap();
    let config = || S3ProxyConfig::new([cached("/one"), cached("/two")]).unwrap();
    let layer = S3ProxyLayer::new(config());
    for path in ["/one/a.txt", "/one/a.txt", "/two/a.txt"] {
        ask(&layer.layer(NotFound), get(path)).await;
    }
    let served = cache.snapshot().bytes_served as f64;
    assert!(served > 0.0);
    for _ in 0..3 {
        layer.report_metrics();
        assert_eq!(value(&handle.render(), "s3proxy_cache_served_bytes_total"), served);
    }
    // Other mounts with the same cache.
    layer.reload(config());
    layer.report_metrics();
    assert_eq!(value(&handle.render(), "s3proxy_cache_served_bytes_total"), served);
}
