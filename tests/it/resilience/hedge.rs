//! Late reads, which are asked for once more.

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use http::StatusCode;
use tower_s3_proxy::{S3Proxy, resilience::Hedging};

use super::origin::{Fate, Faulty, noise};
use crate::support::{ask, get};

const READS: usize = 1000;
const LATE: Duration = Duration::from_millis(400);

/// Two reads in a hundred are late: how long each took, in its order, and how many requests S3 got.
async fn reads(hedging: Option<Hedging>) -> (Vec<Duration>, usize, u64) {
    let rng = Mutex::new(fastrand::Rng::with_seed(5));
    let object = noise(1000, 1);
    let origin = Faulty::start(object.clone(), move |_, _| match rng.lock().unwrap().u32(0..100) {
        0..2 => Fate::Late(LATE),
        _ => Fate::Served,
    })
    .await;
    let mount = origin.mount();
    let mount = match hedging {
        Some(hedging) => mount.hedge(hedging),
        None => mount,
    };
    let mount = mount.build().unwrap();
    let service = S3Proxy::new(mount.clone());
    let mut took = Vec::new();
    for number in 0..READS {
        let begun = Instant::now();
        let answer = ask(&service, get(&format!("/{number}"))).await;
        took.push(begun.elapsed());
        assert!(answer.status == StatusCode::OK && answer.body == object);
    }
    took.sort();
    (took, origin.asked().len(), mount.origin().hedges_won)
}

#[tokio::test]
async fn late_reads_are_asked_for_once_more_and_few_others() {
    let (plain, asked, _) = reads(None).await;
    assert_eq!(asked, READS);
    let late = |reads: &[Duration]| reads.iter().filter(|took| **took >= LATE).count();
    let unhedged = late(&plain);
    assert!(unhedged >= READS / 100, "one in a hundred is late");
    let (hedged, asked, won) = reads(Some(Hedging::default())).await;
    // The first hundred tell what is late.
    let late = late(&hedged);
    assert!(late * 2 < unhedged, "{late} of {READS} were late, {unhedged} without hedging");
    assert!(asked <= READS * 105 / 100 + 1, "{asked} requests for {READS} reads");
    assert!(won >= 5, "{won}");
}

/// Late are the first reads after the hundred, until they are what is usual.
#[tokio::test]
async fn no_more_reads_are_hedged_than_the_allowance_has() {
    let object = noise(1000, 1);
    let origin = Faulty::start(object.clone(), |number, _| match number {
        0..100 => Fate::Served,
        _ => Fate::Late(LATE),
    })
    .await;
    let rare = Hedging::default().quantile(0.9).per_thousand(1);
    let mount = origin.mount().hedge(rare).build().unwrap();
    let service = S3Proxy::new(mount.clone());
    for number in 0..105 {
        let answer = ask(&service, get(&format!("/{number}"))).await;
        assert!(answer.status == StatusCode::OK && answer.body == object);
    }
    assert_eq!(mount.origin().hedged, 1);
}
