//! Credentials of any SDK provider, kept at hand: a request never waits for a refresh while the old ones are good.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use arc_swap::ArcSwapOption;
use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, SharedCredentialsProvider},
};
use aws_smithy_async::time::SharedTimeSource;
use aws_smithy_types::error::display::DisplayErrorContext;
use tokio::{sync::watch, time::Instant};

/// The cache in front of a credentials provider. Clones share it.
#[derive(Clone)]
pub(crate) struct CredentialCache(Arc<Shared>);

/// One set of credentials, told apart from its successors by a generation.
pub(crate) struct Identity {
    generation: u64,
    credentials: Credentials,
    /// Had they expired when they came, they are tried so long all the same.
    tried_until: Option<Instant>,
    /// From here on a new set is fetched, in the background.
    refresh_after: Option<SystemTime>,
}

/// How long before their end credentials are replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ahead {
    /// A third of their life, and five minutes at most.
    Third,
    /// Half of their life: of those that live for minutes only.
    Half,
}

/// Why there are no credentials. The text is the provider's; providers do not put secrets into it.
#[derive(Debug, Clone)]
pub(crate) struct CredentialsUnavailable(Arc<str>);

struct Shared {
    provider: SharedCredentialsProvider,
    ahead: Ahead,
    clock: SharedTimeSource,
    current: ArcSwapOption<Identity>,
    refresh: Mutex<Refresh>,
}

/// Invariant: at most one refresh is in flight.
#[derive(Default)]
struct Refresh {
    in_flight: Option<watch::Receiver<Option<Outcome>>>,
    generation: u64,
    failures: u32,
    /// The latest failure, and when the next attempt may begin.
    failed: Option<(CredentialsUnavailable, Instant)>,
    /// When credentials were last replaced because S3 refused them.
    renewed: Option<Instant>,
}

type Outcome = Result<Arc<Identity>, CredentialsUnavailable>;

// === impl CredentialCache ===

impl CredentialCache {
    pub(crate) fn new(provider: SharedCredentialsProvider, clock: SharedTimeSource) -> Self {
        Self::refreshed(Ahead::Third, provider, clock)
    }

    pub(crate) fn refreshed(
        ahead: Ahead,
        provider: SharedCredentialsProvider,
        clock: SharedTimeSource,
    ) -> Self {
        let (current, refresh) = (ArcSwapOption::empty(), Mutex::default());
        Self(Arc::new(Shared { provider, ahead, clock, current, refresh }))
    }

    /// The credentials at hand, if they are valid at `now`. Starts a refresh in the background when one is due.
    pub(crate) fn current(&self, now: SystemTime) -> Option<Arc<Identity>> {
        let identity = self.0.current.load_full().filter(|identity| identity.is_valid(now))?;
        if identity.is_due(now) {
            drop(self.refresh());
        }
        Some(identity)
    }

    /// The credentials at hand, if they are valid now.
    pub(crate) fn at_hand(&self) -> Option<Arc<Identity>> {
        self.current(self.0.clock.now())
    }

    /// New credentials, by one fetch that all who wait share.
    pub(crate) async fn fetch(&self) -> Outcome {
        let mut in_flight = self.refresh()?;
        match in_flight.wait_for(Option::is_some).await {
            Ok(outcome) => outcome.clone().unwrap_or_else(|| Err(CredentialsUnavailable::interrupted())),
            Err(_) => Err(CredentialsUnavailable::interrupted()),
        }
    }

    /// Credentials in place of ones that S3 refused before their time; `false` if there are no others.
    pub(crate) async fn renew(&self, refused: &Identity) -> Result<bool, CredentialsUnavailable> {
        let is_other = |identity: &Identity| identity.generation != refused.generation;
        if self.0.current.load().as_deref().is_some_and(is_other) {
            return Ok(true);
        }
        {
            let mut refresh = self.0.lock();
            let is_recent = |since: Instant| since.elapsed() < RENEWAL_PAUSE;
            if refresh.in_flight.is_none() && refresh.renewed.is_some_and(is_recent) {
                return Ok(false);
            }
            refresh.renewed = Some(Instant::now());
        }
        let identity = self.fetch().await?;
        Ok(!same_keys(&identity.credentials, &refused.credentials))
    }

    /// Joins the refresh in flight, or starts one in a task of its own, so that a request that goes away does
    /// not take the refresh with it. After a failure the next attempt waits for its back-off.
    fn refresh(&self) -> Result<watch::Receiver<Option<Outcome>>, CredentialsUnavailable> {
        let mut refresh = self.0.lock();
        if let Some(in_flight) = &refresh.in_flight {
            // A sender that is gone without an outcome means that the task was ended with its runtime.
            if in_flight.has_changed().is_ok() {
                return Ok(in_flight.clone());
            }
        }
        if let Some((error, retry_at)) = &refresh.failed
            && Instant::now() < *retry_at
        {
            return Err(error.clone());
        }
        let (sender, receiver) = watch::channel(None);
        refresh.in_flight = Some(receiver.clone());
        let shared = Arc::clone(&self.0);
        tokio::spawn(async move {
            let loaded = shared.load().await;
            sender.send_replace(Some(shared.settle(loaded)));
        });
        Ok(receiver)
    }
}

impl fmt::Debug for CredentialCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CredentialCache")
    }
}

// === impl Shared ===

impl Shared {
    async fn load(&self) -> Result<Credentials, CredentialsUnavailable> {
        match tokio::time::timeout(LOAD_TIMEOUT, self.provider.provide_credentials()).await {
            Ok(Ok(credentials)) => Ok(credentials),
            Ok(Err(error)) => Err(CredentialsUnavailable(DisplayErrorContext(error).to_string().into())),
            Err(_) => self.provider.fallback_on_interrupt().ok_or_else(|| {
                let secs = LOAD_TIMEOUT.as_secs();
                CredentialsUnavailable(format!("the provider did not answer within {secs} s").into())
            }),
        }
    }

    /// Ends the refresh in flight with what the provider said.
    fn settle(&self, loaded: Result<Credentials, CredentialsUnavailable>) -> Outcome {
        let now = self.clock.now();
        let mut refresh = self.lock();
        refresh.in_flight = None;
        match loaded {
            Ok(credentials) => {
                refresh.generation += 1;
                refresh.failures = 0;
                refresh.failed = None;
                let identity = Arc::new(Identity::loaded(refresh.generation, credentials, now, self.ahead));
                tracing::debug!(?identity, "credentials loaded");
                self.current.store(Some(Arc::clone(&identity)));
                Ok(identity)
            }
            Err(error) => {
                let pause = backoff(refresh.failures);
                refresh.failures = refresh.failures.saturating_add(1);
                refresh.failed = Some((error.clone(), Instant::now() + pause));
                tracing::error!(%error, failures = refresh.failures, "credentials could not be loaded");
                Err(error)
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Refresh> {
        // Nothing that holds the lock can leave the state half-written.
        self.refresh.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// As long as the SDK's own identity cache waits.
const LOAD_TIMEOUT: Duration = Duration::from_secs(5);

/// If S3 refuses the new credentials too, the next ones would hardly be better: the provider is left in peace for so
/// long.
const RENEWAL_PAUSE: Duration = Duration::from_secs(10);

/// How long credentials are tried that had expired when they came.
const TRIED_FOR: Duration = Duration::from_secs(10);

/// Whether S3 could not tell them apart.
fn same_keys(one: &Credentials, other: &Credentials) -> bool {
    one.access_key_id() == other.access_key_id()
        && one.secret_access_key() == other.secret_access_key()
        && one.session_token() == other.session_token()
}

/// Long enough for many attempts before the hard expiry, as in the SDKs.
const LONGEST_REFRESH_WINDOW: Duration = Duration::from_secs(5 * 60);

/// 1 s, 2 s, 4 s, … 32 s, each shortened by up to half: processes that fail together do not retry together.
fn backoff(failures: u32) -> Duration {
    let full = Duration::from_secs(1 << failures.min(5));
    full.mul_f64(1.0 - fastrand::f64() / 2.0)
}

// === impl Identity ===

impl Identity {
    #[cfg(any(test, feature = "__internals"))]
    pub(crate) fn new(generation: u64, credentials: Credentials) -> Self {
        Self { generation, credentials, tried_until: None, refresh_after: None }
    }

    fn loaded(generation: u64, credentials: Credentials, now: SystemTime, ahead: Ahead) -> Self {
        // By our clock they have expired already. If it goes wrong, S3's answer to them will say so, and set it right: so
        // how long they are tried does not go by it.
        let expired = credentials.expiry().filter(|expiry| *expiry <= now);
        let tried_until = expired.map(|expiry| {
            tracing::warn!(?now, ?expiry, "the provider gave credentials that have expired");
            Instant::now() + TRIED_FOR
        });
        let refresh_after = credentials.expiry().map(|expiry| {
            let life = expiry.duration_since(now).unwrap_or_default();
            let window = match ahead {
                Ahead::Third => LONGEST_REFRESH_WINDOW.min(life / 3),
                Ahead::Half => life / 2,
            };
            // Jittered, so that processes started together spread out.
            expiry - window.mul_f64(1.0 - fastrand::f64() / 5.0)
        });
        Self { generation, credentials, tried_until, refresh_after }
    }

    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    pub(crate) fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    fn is_valid(&self, now: SystemTime) -> bool {
        self.credentials.expiry().is_none_or(|expiry| now < expiry)
            || self.tried_until.is_some_and(|until| Instant::now() < until)
    }

    fn is_due(&self, now: SystemTime) -> bool {
        match self.tried_until {
            Some(until) => until.saturating_duration_since(Instant::now()) < TRIED_FOR / 3,
            None => self.refresh_after.is_some_and(|after| after <= now),
        }
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("generation", &self.generation)
            .field("expiry", &self.credentials.expiry())
            .finish_non_exhaustive()
    }
}

// === impl CredentialsUnavailable ===

impl CredentialsUnavailable {
    fn interrupted() -> Self {
        Self("the refresh was interrupted".into())
    }
}

impl fmt::Display for CredentialsUnavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for CredentialsUnavailable {}

#[cfg(test)]
mod tests;
