//! Whole lifetimes of credentials, on a clock that follows tokio's paused one.

use std::{
    sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering::SeqCst},
    time::UNIX_EPOCH,
};

use aws_credential_types::provider::{error::CredentialsError, future};
use aws_smithy_async::time::TimeSource;

use super::super::*;

#[derive(Debug, Clone, Copy)]
struct Clock(Instant);

impl TimeSource for Clock {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_700_000_000) + self.0.elapsed()
    }
}

/// Provides credentials of one lifetime after 200 ms, or misbehaves.
#[derive(Debug, Clone)]
struct Source(Arc<State>);

#[derive(Debug)]
struct State {
    clock: Clock,
    life: Duration,
    calls: AtomicUsize,
    in_flight: AtomicUsize,
    most_in_flight: AtomicUsize,
    mood: AtomicU32,
    /// Whether it provides its last credentials as a fallback, as the metadata service's provider does.
    keeps_last: AtomicBool,
    last: Mutex<Option<Credentials>>,
}

const WELL: u32 = 0;
const FAILS: u32 = 1;
const HANGS: u32 = 2;
const REPEATS: u32 = 3;

impl Source {
    fn set(&self, mood: u32) {
        self.0.mood.store(mood, SeqCst);
    }

    fn calls(&self) -> usize {
        self.0.calls.load(SeqCst)
    }

    async fn provide(&self) -> Result<Credentials, CredentialsError> {
        let state = &self.0;
        let number = state.calls.fetch_add(1, SeqCst);
        state.most_in_flight.fetch_max(state.in_flight.fetch_add(1, SeqCst) + 1, SeqCst);
        let _landed = Landed(&state.in_flight);
        tokio::time::sleep(Duration::from_millis(200)).await;
        match state.mood.load(SeqCst) {
            FAILS => return Err(CredentialsError::provider_error("no metadata service")),
            HANGS => std::future::pending::<()>().await,
            REPEATS => return Ok(state.last.lock().unwrap().clone().unwrap()),
            _ => {}
        }
        let expiry = state.clock.now() + state.life;
        let credentials = Credentials::new(format!("AKID{number}"), "SECRET", None, Some(expiry), "test");
        *state.last.lock().unwrap() = Some(credentials.clone());
        Ok(credentials)
    }
}

/// A call that has ended, or was dropped.
struct Landed<'a>(&'a AtomicUsize);

impl Drop for Landed<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

impl ProvideCredentials for Source {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.provide())
    }

    fn fallback_on_interrupt(&self) -> Option<Credentials> {
        self.0.keeps_last.load(SeqCst).then(|| self.0.last.lock().unwrap().clone())?
    }
}

/// A cache that has its first credentials.
async fn cache_of(life: Duration) -> (Clock, Source, CredentialCache) {
    let clock = Clock(Instant::now());
    let source = Source(Arc::new(State {
        clock,
        life,
        calls: AtomicUsize::new(0),
        in_flight: AtomicUsize::new(0),
        most_in_flight: AtomicUsize::new(0),
        mood: AtomicU32::new(WELL),
        keeps_last: AtomicBool::new(false),
        last: Mutex::default(),
    }));
    let provider = SharedCredentialsProvider::new(source.clone());
    let cache = CredentialCache::new(provider, SharedTimeSource::new(clock), RefreshPolicy::AHEAD);
    cache.fetch().await.unwrap();
    (clock, source, cache)
}

/// Asks 20 times a second, and counts how often there were no credentials.
async fn ask_for(secs: u64, clock: Clock, cache: &CredentialCache) -> usize {
    let begin = Instant::now();
    let mut missing = 0;
    for millis in (0..secs * 1000).step_by(50) {
        // A deadline, so that the rounding of timers does not add up.
        tokio::time::sleep_until(begin + Duration::from_millis(millis)).await;
        if cache.current(clock.now()).is_none() {
            missing += 1;
            // As a request does that finds none.
            drop(cache.refresh());
        }
    }
    tokio::time::sleep_until(begin + Duration::from_secs(secs)).await;
    missing
}

#[tokio::test(start_paused = true)]
async fn short_lives_are_renewed_at_most_1_2_times_each_and_no_request_waits() {
    let (clock, source, cache) = cache_of(Duration::from_secs(5)).await;
    assert_eq!(ask_for(120, clock, &cache).await, 0);
    let lives = 120 / 5;
    assert!((lives..=lives * 12 / 10).contains(&source.calls()), "{} calls", source.calls());
    assert_eq!(source.0.most_in_flight.load(SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_fails_is_asked_again_with_pauses_and_the_old_ones_are_used_to_their_end() {
    let (clock, source, cache) = cache_of(Duration::from_secs(900)).await;
    source.set(FAILS);
    assert_eq!(ask_for(899, clock, &cache).await, 0, "valid until their expiry");
    // The last two minutes, with up to one attempt every 16 s, and the first few.
    assert!((4..=15).contains(&source.calls()), "{} calls", source.calls());
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(cache.current(clock.now()).is_none(), "and not beyond");
    let before = source.calls();
    for _ in 0..1000 {
        cache.fetch().await.unwrap_err();
    }
    assert!(source.calls() <= before + 1, "no storm");
    source.set(WELL);
    tokio::time::sleep(Duration::from_secs(32)).await;
    cache.fetch().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_source_that_hangs_costs_no_request_while_the_old_ones_are_valid() {
    let (clock, source, cache) = cache_of(Duration::from_secs(300)).await;
    assert_eq!(ask_for(265, clock, &cache).await, 0);
    source.set(HANGS);
    assert_eq!(ask_for(30, clock, &cache).await, 0);
    assert_eq!(source.0.most_in_flight.load(SeqCst), 1);
    source.set(WELL);
    // A hanging attempt is given up in time, and the next one brings new credentials, sometimes after the old ones have
    // expired.
    ask_for(40, clock, &cache).await;
    assert_eq!(ask_for(200, clock, &cache).await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_repeats_itself_is_asked_again_with_pauses() {
    let (clock, source, cache) = cache_of(Duration::from_secs(900)).await;
    source.set(REPEATS);
    assert_eq!(ask_for(899, clock, &cache).await, 0);
    assert!((4..=15).contains(&source.calls()), "{} calls", source.calls());
    let generation = cache.current(clock.now()).unwrap().generation();
    assert_eq!(generation, 1, "they are the same");
}

/// The SDK's provider for instance metadata returns the last credentials when it can't get others.
#[tokio::test(start_paused = true)]
async fn the_last_ones_of_a_metadata_service_that_is_down_are_used_beyond_their_expiry() {
    for mood in [HANGS, REPEATS] {
        let (clock, source, cache) = cache_of(Duration::from_secs(60)).await;
        source.0.keeps_last.store(true, SeqCst);
        source.set(mood);
        assert_eq!(ask_for(300, clock, &cache).await, 0, "{mood}");
        assert!(source.calls() <= 90, "{mood}: {} calls", source.calls());
        source.set(WELL);
        ask_for(10, clock, &cache).await;
        assert_eq!(ask_for(50, clock, &cache).await, 0, "{mood}");
    }
}

#[tokio::test(start_paused = true)]
async fn refused_credentials_are_replaced_once_for_all_who_were_refused() {
    let (clock, source, cache) = cache_of(Duration::from_secs(3600)).await;
    let refused = cache.current(clock.now()).unwrap();
    let renewals = (0..100).map(|_| {
        let (cache, refused) = (cache.clone(), Arc::clone(&refused));
        tokio::spawn(async move { cache.renew(&refused).await.unwrap() })
    });
    for renewal in renewals.collect::<Vec<_>>() {
        assert!(renewal.await.unwrap());
    }
    assert_eq!(source.calls(), 2);
}

/// A provider that caches credentials itself has no others: S3 is not asked again in vain.
#[tokio::test(start_paused = true)]
async fn refused_credentials_that_come_again_are_not_tried_again() {
    let (clock, source, cache) = cache_of(Duration::from_secs(3600)).await;
    source.set(REPEATS);
    let refused = cache.current(clock.now()).unwrap();
    for _ in 0..100 {
        assert!(!cache.renew(&refused).await.unwrap());
    }
    assert_eq!(source.calls(), 2);
    assert_eq!(ask_for(60, clock, &cache).await, 0);
    assert_eq!(source.calls(), 2, "far from the expiry the source is not asked");
}
