//! An S3 that is silent.

use std::time::{Duration, Instant};

use http_body_util::BodyExt;
use tokio::time::timeout;
use tower::ServiceExt;
use tower_s3_proxy::{ProxyErrorKind as Kind, Transport};

use super::origin::{Break, Fate, Faulty, noise};
use crate::support::{ask, get, once, proxy};

const HANG: Duration = Duration::from_secs(30);
const LIMIT: Duration = Duration::from_millis(300);

/// A thousand of each leave nothing behind.
#[tokio::test]
async fn each_time_out_ends_its_requests_and_leaves_no_connection() {
    for (fate, kind) in [
        (Fate::Silent, Some(Kind::OriginTimeout)),
        (Fate::Broken(0, Break::Silence), Some(Kind::OriginTimeout)),
        (Fate::Broken(1000, Break::Silence), None),
    ] {
        let origin = Faulty::start(noise(100_000, 1), move |_, _| fate).await;
        let transport = Transport::builder().response_timeout(LIMIT).read_timeout(LIMIT).build().unwrap();
        let service = proxy(once(origin.mount()).transport(&transport));
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..100 {
            let service = service.clone();
            tasks.spawn(async move {
                let begun = Instant::now();
                match kind {
                    Some(kind) => {
                        let answer =
                            timeout(HANG, ask(&service, get(&format!("/{number}")))).await.expect("no hang");
                        assert_eq!(answer.kind(), Some(kind), "{fate:?}");
                    }
                    None => {
                        let response = service.oneshot(get(&format!("/{number}"))).await.unwrap();
                        let read = timeout(HANG, response.into_body().collect()).await.expect("no hang");
                        assert!(read.is_err(), "{fate:?}");
                    }
                }
                assert!(begun.elapsed() >= LIMIT, "{fate:?}: not before");
            });
        }
        tasks.join_all().await;
        timeout(HANG, async {
            while origin.open() > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await
        .expect("all connections are closed");
    }
}
