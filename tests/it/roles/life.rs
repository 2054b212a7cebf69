//! Credentials that last for seconds, under load.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use tokio::task::JoinSet;
use tower_s3_proxy::S3Proxy;

use super::{lender, lent, sts::Mood};
use crate::support::{ask, get, mount, proxy};

/// What clients saw.
#[derive(Debug, Default)]
struct Tally {
    served: AtomicUsize,
    failed: AtomicUsize,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} served, {} failed", self.served.load(Relaxed), self.failed.load(Relaxed))
    }
}

/// So many requests a second for so long, evenly, each for another key, so that no cache answers.
async fn load(service: &S3Proxy, per_second: u32, length: Duration) -> Arc<Tally> {
    let tally = Arc::new(Tally::default());
    let mut tasks = JoinSet::new();
    let (begin, gap) = (Instant::now(), Duration::from_secs(1) / per_second);
    for number in 0.. {
        let due = begin + gap * number;
        if due.duration_since(begin) >= length {
            break;
        }
        tokio::time::sleep_until(due.into()).await;
        let (service, tally) = (service.clone(), Arc::clone(&tally));
        tasks.spawn(async move {
            let answer = ask(&service, get(&format!("/{}.txt", fastrand::u64(..)))).await;
            let counter = if answer.status == 404 { &tally.served } else { &tally.failed };
            counter.fetch_add(1, Relaxed);
        });
        while tasks.try_join_next().is_some() {}
    }
    tasks.join_all().await;
    tally
}

#[tokio::test]
async fn sessions_of_two_seconds_are_renewed_under_load_without_an_error() {
    let (s3, sts) = lender(Duration::from_secs(2)).await;
    let service = proxy(mount(&s3).credentials(lent(&sts).await));
    let tally = load(&service, 100, Duration::from_secs(5)).await;
    assert_eq!((tally.failed.load(Relaxed), tally.served.load(Relaxed)), (0, 500));
    let calls = sts.calls().len();
    assert!((3..=4).contains(&calls), "{calls} sessions");
    assert_eq!(sts.most_in_flight(), 1);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes four minutes: cargo test --release --test it sessions_of_five_seconds -- --ignored --nocapture"]
async fn sessions_of_five_seconds_at_500_requests_a_second_for_two_minutes() {
    let (s3, sts) = lender(Duration::from_secs(5)).await;
    let service = proxy(mount(&s3).credentials(lent(&sts).await));
    let tally = load(&service, 500, Duration::from_secs(120)).await;
    let calls = sts.calls().len();
    println!("two minutes: {tally}, {calls} sessions in 24 lifetimes, {} at once", sts.most_in_flight());
    assert_eq!(tally.failed.load(Relaxed), 0);
    assert!(calls * 10 <= 24 * 12, "1.2 a lifetime");
    assert_eq!(sts.most_in_flight(), 1);

    // The next session lives for a minute. STS hangs for 30 s around its end.
    sts.live(Duration::from_secs(60));
    while sts.calls().len() == calls {
        load(&service, 500, Duration::from_millis(100)).await;
    }
    let born = Instant::now();
    load(&service, 500, Duration::from_secs(35)).await;
    sts.set(Mood::Hangs);
    let alive = (born + Duration::from_millis(59_500)).duration_since(Instant::now());
    let tally = load(&service, 500, alive).await;
    println!("hung, the old session alive: {tally}, {} at once", sts.most_in_flight());
    assert_eq!(tally.failed.load(Relaxed), 0);
    assert_eq!(sts.most_in_flight(), 1);
    let tally = load(&service, 500, Duration::from_millis(5_500)).await;
    println!("hung, the old session at its end: {tally}");
    sts.set(Mood::Well);
    let begin = Instant::now();
    while ask(&service, get("/x.txt")).await.status != 404 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    println!("served again {:?} after STS is well", begin.elapsed());
    let tally = load(&service, 500, Duration::from_secs(10)).await;
    println!("afterwards: {tally}");
    assert_eq!(tally.failed.load(Relaxed), 0);
}
