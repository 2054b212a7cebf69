//! Keys are bytes of UTF-8 and stay unchanged, from the SDK's upload to the proxy's response.

use std::sync::Arc;

use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use demo_s3::DemoS3;
use tokio::task::JoinSet;

use crate::support::{
    BUCKET, Client, NASTY_KEYS, Protocol, REGION, Spelling, get, mount, path_of, proxy, random_key, s3, sdk,
    serve,
};

const KEYS: usize = 10_000;
const IN_FLIGHT: usize = 16;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn ten_thousand_keys_written_by_the_sdk_are_read_back_byte_for_byte() {
    let s3 = DemoS3::builder().bucket(BUCKET).region(REGION).log_limit(0).start().await.unwrap();
    let mut rng = fastrand::Rng::with_seed(0x5eed);
    let mut all: Vec<String> = NASTY_KEYS.map(str::to_owned).into();
    all.resize_with(KEYS, || random_key(&mut rng));
    all.sort_unstable();
    all.dedup();
    assert!(all.len() > KEYS * 9 / 10, "the keys are all different but for the shortest");
    let all: Arc<[String]> = all.into();

    let sdk = sdk(&s3);
    in_parallel(&all, move |n, key| {
        let sdk = sdk.clone();
        async move {
            let body = ByteStream::from(body_of(n, &key));
            let put = sdk.put_object().bucket(BUCKET).key(&key).body(body).send().await;
            put.unwrap_or_else(|error| panic!("put {key:?}: {error:?}"));
        }
    })
    .await;
    assert_eq!(s3.store().keys(BUCKET).len(), all.len());

    let server = serve(Protocol::Http1, proxy(mount(&s3))).await;
    let addr = server.addr;
    let mut tasks = JoinSet::new();
    for first in 0..IN_FLIGHT {
        let all = Arc::clone(&all);
        tasks.spawn(async move {
            let mut client = Client::connect(Protocol::Http1, addr).await;
            for (n, key) in all.iter().enumerate().skip(first).step_by(IN_FLIGHT) {
                let spelling = if n % 2 == 0 { Spelling::Strict } else { Spelling::Browser };
                let path = path_of(key, spelling);
                let answer = client.ask(get(&path)).await;
                assert_eq!(answer.status, 200, "{key:?} as {path}");
                assert!(answer.body == body_of(n, key), "{key:?} as {path}: {:?}", answer.body);
            }
        });
    }
    tasks.join_all().await;
}

/// No two keys have the same.
fn body_of(n: usize, key: &str) -> Vec<u8> {
    format!("{n}:{key}").into_bytes()
}

async fn in_parallel<F, Fut>(all: &Arc<[String]>, work: F)
where
    F: Fn(usize, String) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = ()> + Send,
{
    let mut tasks = JoinSet::new();
    for first in 0..IN_FLIGHT {
        let (all, work) = (Arc::clone(all), work.clone());
        tasks.spawn(async move {
            for (n, key) in all.iter().enumerate().skip(first).step_by(IN_FLIGHT) {
                work(n, key.clone()).await;
            }
        });
    }
    tasks.join_all().await;
}

#[tokio::test]
async fn nasty_keys_are_told_apart_in_every_spelling() {
    let s3 = s3().await;
    // Blank keys are for the store alone: the SDK refuses them.
    let all: Vec<&str> = NASTY_KEYS.into_iter().chain([" ", "\t", "\u{3000}"]).collect();
    for key in all.iter().copied() {
        s3.store().put(BUCKET, key, Bytes::copy_from_slice(key.as_bytes()));
    }
    let server = serve(Protocol::Http1, proxy(mount(&s3))).await;
    let mut client = Client::connect(Protocol::Http1, server.addr).await;
    for key in all {
        for spelling in [Spelling::Strict, Spelling::Browser] {
            let path = path_of(key, spelling);
            let answer = client.ask(get(&path)).await;
            assert_eq!((answer.status.as_u16(), answer.text()), (200, key), "{path}");
        }
    }
}
