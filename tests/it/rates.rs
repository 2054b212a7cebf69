//! Mounts that send at a rate of their own.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use tower_s3_proxy::{S3Proxy, S3ProxyConfig, S3ProxyLayer, service::SendBuffer};

use crate::support::{BUCKET, Client, Protocol, ask, get, mount, s3, sdk, serve};

/// Twice as many bytes as in a second.
const RATE: u64 = 256 * 1024;

#[tokio::test]
async fn a_paced_response_is_whole_and_no_faster_than_its_mount_is() {
    let s3 = s3().await;
    let object = Bytes::from((0..2 * RATE).map(|n| (n % 251) as u8).collect::<Vec<_>>());
    let put = sdk(&s3).put_object().bucket(BUCKET).key("a.bin");
    put.body(object.clone().into()).send().await.unwrap();
    let buffer = SendBuffer::new(64 * 1024, 0).unwrap();
    let mount = mount(&s3).max_bytes_per_second(RATE).build().unwrap();
    let layer = S3ProxyLayer::new(S3ProxyConfig::from(mount.clone()).send_buffer(buffer));
    let server = serve(Protocol::Http1, tower::Layer::layer(&layer, tower_s3_proxy::service::NotFound)).await;
    let begun = Instant::now();
    let mut client = Client::connect(Protocol::Http1, server.addr).await;
    let answer = client.ask(get("/a.bin")).await;
    assert!(answer.body == object);
    assert!(begun.elapsed() > Duration::from_millis(1500), "{:?}", begun.elapsed());
    assert_eq!(answer.header("content-length"), (2 * RATE).to_string());
    // Without a body there is nothing to wait for.
    let head = ask(&S3Proxy::new(mount), crate::support::request("HEAD", "/a.bin", &[])).await;
    assert_eq!(head.header("content-length"), (2 * RATE).to_string());
}
