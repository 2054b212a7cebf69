use std::{
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    time::UNIX_EPOCH,
};

use aws_credential_types::provider::{error::CredentialsError, future};
use aws_smithy_async::time::TimeSource;
use tokio::sync::Semaphore;

use super::*;

mod life;

/// Seconds since the epoch, set by the test.
#[derive(Debug, Clone, Default)]
struct Clock(Arc<AtomicU64>);

impl Clock {
    fn set(&self, secs: u64) {
        self.0.store(secs, Ordering::SeqCst);
    }

    fn at(secs: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(secs)
    }
}

impl TimeSource for Clock {
    fn now(&self) -> SystemTime {
        Self::at(self.0.load(Ordering::SeqCst))
    }
}

/// Provides credentials that last 300 s, each time the gate opens; fails while `broken` is not zero.
#[derive(Debug, Clone)]
struct Source(Arc<SourceState>);

#[derive(Debug)]
struct SourceState {
    clock: Clock,
    calls: AtomicUsize,
    broken: AtomicUsize,
    gate: Semaphore,
}

impl Source {
    fn new(clock: &Clock, open: usize) -> Self {
        Self(Arc::new(SourceState {
            clock: clock.clone(),
            calls: AtomicUsize::new(0),
            broken: AtomicUsize::new(0),
            gate: Semaphore::new(open),
        }))
    }

    fn calls(&self) -> usize {
        self.0.calls.load(Ordering::SeqCst)
    }
}

impl ProvideCredentials for Source {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            let n = self.0.calls.fetch_add(1, Ordering::SeqCst);
            self.0.gate.acquire().await.expect("the gate stays").forget();
            if self.0.broken.load(Ordering::SeqCst) > 0 {
                return Err(CredentialsError::provider_error("no metadata service"));
            }
            let expiry = self.0.clock.now() + Duration::from_secs(300);
            Ok(Credentials::new(format!("AKID{n}"), "SECRET", None, Some(expiry), "test"))
        })
    }
}

fn set_up(open: usize) -> (Clock, Source, CredentialCache) {
    let clock = Clock::default();
    clock.set(1_000);
    let source = Source::new(&clock, open);
    let provider = SharedCredentialsProvider::new(source.clone());
    (
        clock.clone(),
        source,
        CredentialCache::new(provider, SharedTimeSource::new(clock), RefreshPolicy::AHEAD),
    )
}

impl CredentialCache {
    async fn identity(&self, now: SystemTime) -> Outcome {
        match self.current(now) {
            Some(identity) => Ok(identity),
            None => self.fetch().await,
        }
    }
}

async fn settle() {
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_thousand_first_requests_share_one_fetch() {
    let (_, source, cache) = set_up(0);
    let waiters: Vec<_> = (0..1000)
        .map(|_| {
            let cache = cache.clone();
            tokio::spawn(async move { cache.identity(Clock::at(1_000)).await.map(|i| i.generation()) })
        })
        .collect();
    settle().await;
    source.0.gate.add_permits(1);
    for waiter in waiters {
        assert_eq!(waiter.await.unwrap().unwrap(), 1);
    }
    assert_eq!(source.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn valid_credentials_are_used_while_a_refresh_hangs() {
    let (clock, source, cache) = set_up(1);
    assert_eq!(cache.identity(Clock::at(1_000)).await.unwrap().generation(), 1);
    assert_eq!(cache.identity(Clock::at(1_100)).await.unwrap().generation(), 1);
    settle().await;
    assert_eq!(source.calls(), 1, "far from the expiry nothing is fetched");
    for _ in 0..100 {
        assert_eq!(cache.identity(Clock::at(1_290)).await.unwrap().generation(), 1);
        settle().await;
    }
    assert_eq!(source.calls(), 2, "one refresh in flight, however many requests");
    clock.set(1_290);
    source.0.gate.add_permits(1);
    settle().await;
    assert_eq!(cache.identity(Clock::at(1_290)).await.unwrap().generation(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_goes_away_does_not_take_the_refresh_with_it() {
    let (_, source, cache) = set_up(0);
    let first = {
        let cache = cache.clone();
        tokio::spawn(async move { cache.identity(Clock::at(1_000)).await.map(drop) })
    };
    settle().await;
    first.abort();
    source.0.gate.add_permits(1);
    settle().await;
    assert_eq!(cache.identity(Clock::at(1_000)).await.unwrap().generation(), 1);
    assert_eq!(source.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_failing_source_is_not_stormed_and_recovers() {
    let (_, source, cache) = set_up(1_000);
    source.0.broken.store(1, Ordering::SeqCst);
    for _ in 0..100 {
        let error = cache.identity(Clock::at(1_000)).await.unwrap_err();
        assert!(error.to_string().contains("no metadata service"), "{error}");
    }
    assert_eq!(source.calls(), 1);
    source.0.broken.store(0, Ordering::SeqCst);
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(cache.identity(Clock::at(1_000)).await.unwrap().generation(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_hanging_source_is_given_up_in_time() {
    let (_, _, cache) = set_up(0);
    let start = Instant::now();
    let error = cache.identity(Clock::at(1_000)).await.unwrap_err();
    assert!(error.to_string().contains("did not answer"), "{error}");
    assert_eq!(start.elapsed(), LOAD_TIMEOUT);
}

/// A fast clock makes them look expired. Once it is corrected, nobody uses them beyond their real expiry.
#[tokio::test(start_paused = true)]
async fn credentials_that_had_expired_when_they_came_are_tried_and_no_more() {
    let (_, source, _) = set_up(1);
    let fast = Clock::default();
    fast.set(9_000);
    let provider = SharedCredentialsProvider::new(source.clone());
    let cache = CredentialCache::new(provider, SharedTimeSource::new(fast), RefreshPolicy::AHEAD);
    for now in [9_000, 9_000, 1_000, 1_299] {
        assert_eq!(cache.identity(Clock::at(now)).await.unwrap().generation(), 1, "{now}");
    }
    settle().await;
    assert_eq!(source.calls(), 1, "no refresh while they are tried");
    tokio::time::advance(TRIED_FOR).await;
    for (now, is_valid) in [(1_000, true), (1_299, true), (1_300, false), (9_000, false), (9_009, false)] {
        assert_eq!(cache.current(Clock::at(now)).is_some(), is_valid, "{now}");
    }
    settle().await;
    assert_eq!(source.calls(), 2, "replaced in the background, by what the clock says now");
}

#[tokio::test(start_paused = true)]
async fn expired_credentials_are_never_used() {
    let (clock, source, cache) = set_up(1);
    cache.identity(Clock::at(1_000)).await.unwrap();
    clock.set(1_300);
    source.0.gate.add_permits(1);
    assert_eq!(cache.identity(Clock::at(1_300)).await.unwrap().generation(), 2);
}

/// Panics at the first call, as the SDK does at an endpoint that is none.
#[derive(Debug, Default)]
struct Panicking(AtomicUsize);

impl ProvideCredentials for Panicking {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            let n = self.0.fetch_add(1, Ordering::SeqCst);
            assert!(n > 0, "no such endpoint");
            Ok(Credentials::new("AKID", "SECRET", None, None, "test"))
        })
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_that_panics_is_told_with_its_cause_and_asked_again_later() {
    let provider = SharedCredentialsProvider::new(Panicking::default());
    let cache = CredentialCache::new(provider, SharedTimeSource::new(Clock::default()), RefreshPolicy::AHEAD);
    for _ in 0..10 {
        let error = cache.fetch().await.unwrap_err();
        assert_eq!(error.to_string(), "the provider panicked: no such endpoint");
    }
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(cache.fetch().await.unwrap().credentials().access_key_id(), "AKID");
}
