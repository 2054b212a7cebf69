//! A cache for the credentials of any SDK provider: no request waits for a refresh while the old ones are valid.

mod refresh;
mod unavailable;

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
use tokio::{sync::watch, time::Instant};

use self::refresh::backoff;
pub(crate) use self::{refresh::RefreshPolicy, unavailable::CredentialsUnavailable};

/// The cache in front of a credentials provider. Clones share it.
#[derive(Clone)]
pub(crate) struct CredentialCache(Arc<Shared>);

/// One set of credentials. Its generation tells it from its successors.
pub(crate) struct Identity {
    generation: u64,
    credentials: Credentials,
    /// When the provider returned them for the first time.
    since: Instant,
    /// Until then they are tried even if they have expired.
    tried_until: Option<Instant>,
    /// How long before the expiry a new set is fetched in the background.
    window: Duration,
    refresh_after: Option<SystemTime>,
}

/// How old credentials are, and how long they are valid. See [`Mount::held_credentials`](crate::Mount::held_credentials).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct HeldCredentials {
    /// Since their provider returned them.
    pub age: Duration,
    /// `None` if they do not expire; zero if they have.
    pub time_to_expiry: Option<Duration>,
}

struct Shared {
    provider: SharedCredentialsProvider,
    clock: SharedTimeSource,
    policy: RefreshPolicy,
    current: ArcSwapOption<Identity>,
    refresh: Mutex<Refresh>,
}

/// Invariant: at most one refresh is in flight.
#[derive(Default)]
struct Refresh {
    in_flight: Option<watch::Receiver<Option<Outcome>>>,
    generation: u64,
    /// The number of consecutive attempts that brought nothing new.
    failures: u32,
    /// The latest failure, and the earliest time of the next attempt.
    failed: Option<(CredentialsUnavailable, Instant)>,
    /// When credentials were last replaced because S3 refused them.
    renewed: Option<Instant>,
}

type Outcome = Result<Arc<Identity>, CredentialsUnavailable>;

// === impl CredentialCache ===

impl CredentialCache {
    pub(crate) fn new(
        provider: SharedCredentialsProvider,
        clock: SharedTimeSource,
        policy: RefreshPolicy,
    ) -> Self {
        let (current, refresh) = (ArcSwapOption::empty(), Mutex::default());
        Self(Arc::new(Shared { provider, clock, policy, current, refresh }))
    }

    /// The current credentials, if they are valid at `now`. Starts a refresh in the background when one is due.
    pub(crate) fn current(&self, now: SystemTime) -> Option<Arc<Identity>> {
        let identity = self.0.current.load_full().filter(|identity| identity.is_valid(now))?;
        if identity.is_due(now) {
            drop(self.refresh());
        }
        Some(identity)
    }

    /// The current credentials, if they are valid now.
    pub(crate) fn at_hand(&self) -> Option<Arc<Identity>> {
        self.current(self.0.clock.now())
    }

    /// What is held, whether it is valid or not. Fetches nothing.
    pub(crate) fn held(&self) -> Option<HeldCredentials> {
        let identity = self.0.current.load();
        let identity = identity.as_ref()?;
        let time_to_expiry = identity.life_left(self.0.clock.now());
        Some(HeldCredentials { age: identity.since.elapsed(), time_to_expiry })
    }

    /// New credentials, by one fetch that all waiting requests share.
    pub(crate) async fn fetch(&self) -> Outcome {
        let mut in_flight = self.refresh()?;
        match in_flight.wait_for(Option::is_some).await {
            Ok(outcome) => outcome.clone().unwrap_or_else(|| Err(CredentialsUnavailable::interrupted())),
            Err(_) => Err(CredentialsUnavailable::interrupted()),
        }
    }

    /// Replaces credentials that S3 refused before their expiry; `false` if there are no others.
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

    /// Joins the refresh in flight, or starts one in its own task, so that a cancelled request does not cancel the
    /// refresh. After a failure the next attempt waits for its back-off.
    fn refresh(&self) -> Result<watch::Receiver<Option<Outcome>>, CredentialsUnavailable> {
        let mut refresh = self.0.lock();
        if let Some(in_flight) = &refresh.in_flight {
            // A sender that is gone without an outcome means that the task ended with its runtime.
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
            // In a task of its own, since a provider is others' code, and a panic in it must not take its cause along.
            let provider = Arc::clone(&shared);
            let loaded = match tokio::spawn(async move { provider.load().await }).await {
                Ok(loaded) => loaded,
                Err(ended) => Err(CredentialsUnavailable::ended(ended)),
            };
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
            Ok(Err(error)) => Err(CredentialsUnavailable::failed(&error)),
            // The wrapper itself has no fallback, but the wrapped provider may have one.
            Err(_) => self
                .provider
                .as_ref()
                .fallback_on_interrupt()
                .ok_or_else(|| CredentialsUnavailable::late(LOAD_TIMEOUT.as_secs())),
        }
    }

    /// Ends the refresh in flight with the provider's result.
    fn settle(&self, loaded: Result<Credentials, CredentialsUnavailable>) -> Outcome {
        let now = self.clock.now();
        let mut refresh = self.lock();
        refresh.in_flight = None;
        let current = self.current.load_full();
        match loaded {
            Ok(credentials) => {
                refresh.failed = None;
                let old = current.filter(|current| is_same(&current.credentials, &credentials));
                let identity = if let Some(old) = old {
                    let pause = backoff(refresh.failures);
                    refresh.failures = refresh.failures.saturating_add(1);
                    Identity::again(&old, now, pause)
                } else {
                    refresh.failures = 0;
                    refresh.generation += 1;
                    Identity::loaded(refresh.generation, credentials, now, self.policy)
                };
                let identity = Arc::new(identity);
                tracing::debug!(?identity, "credentials loaded");
                self.current.store(Some(Arc::clone(&identity)));
                Ok(identity)
            }
            Err(error) => {
                let pause = backoff(refresh.failures);
                refresh.failures = refresh.failures.saturating_add(1);
                refresh.failed = Some((error.clone(), Instant::now() + pause));
                let (failures, expiry) =
                    (refresh.failures, current.as_ref().and_then(|old| old.credentials.expiry()));
                // Logged once for each failure. Requests that fail because of it refer to it.
                if current.is_some_and(|current| current.is_valid(now)) {
                    tracing::warn!(%error, failures, ?expiry, "credentials could not be renewed; the old ones are still valid");
                } else {
                    tracing::error!(%error, failures, "credentials could not be loaded");
                }
                Err(error)
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Refresh> {
        // No holder of the lock can leave the state half-written.
        self.refresh.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// As long as the SDK's own identity cache waits.
const LOAD_TIMEOUT: Duration = Duration::from_secs(5);

/// If S3 also refuses the new credentials, the next ones would hardly be better: the provider is not asked again for
/// this long.
const RENEWAL_PAUSE: Duration = Duration::from_secs(10);

/// How long credentials are tried beyond their expiry.
const TRIED_FOR: Duration = Duration::from_secs(10);

/// Whether a provider has returned nothing new.
fn is_same(one: &Credentials, other: &Credentials) -> bool {
    same_keys(one, other) && one.expiry() == other.expiry()
}

/// Whether S3 could not tell them apart.
fn same_keys(one: &Credentials, other: &Credentials) -> bool {
    one.access_key_id() == other.access_key_id()
        && one.secret_access_key() == other.secret_access_key()
        && one.session_token() == other.session_token()
}

// === impl Identity ===

impl Identity {
    #[cfg(any(test, feature = "__internals"))]
    pub(crate) fn new(generation: u64, credentials: Credentials) -> Self {
        let (since, window) = (Instant::now(), Duration::ZERO);
        Self { generation, credentials, since, tried_until: None, window, refresh_after: None }
    }

    fn loaded(generation: u64, credentials: Credentials, now: SystemTime, policy: RefreshPolicy) -> Self {
        let since = Instant::now();
        let Some(expiry) = credentials.expiry() else {
            let window = Duration::ZERO;
            return Self { generation, credentials, since, tried_until: None, window, refresh_after: None };
        };
        let Ok(life) = expiry.duration_since(now) else {
            return Self::expired(generation, credentials, since);
        };
        let window = policy.window(life, fastrand::f64());
        let refresh_after = expiry.checked_sub(window);
        Self { generation, credentials, since, tried_until: None, window, refresh_after }
    }

    /// Credentials that have already expired by our clock. If the clock is wrong, S3's response to them will correct
    /// it. So the time for which they are tried does not depend on the clock.
    fn expired(generation: u64, credentials: Credentials, since: Instant) -> Self {
        tracing::warn!(expiry = ?credentials.expiry(), "the provider returned credentials that have expired");
        let tried_until = Some(Instant::now() + TRIED_FOR);
        Self { generation, credentials, since, tried_until, window: Duration::ZERO, refresh_after: None }
    }

    /// The same credentials again, from a provider that keeps them until they expire, or from a metadata service that
    /// cannot get others. Its last ones usually stay valid beyond their expiry ("static stability"). The next attempt
    /// waits for the pause.
    fn again(old: &Self, now: SystemTime, pause: Duration) -> Self {
        let Self { generation, since, window, .. } = *old;
        let credentials = old.credentials.clone();
        let Some(expiry) = credentials.expiry() else {
            return Self { generation, credentials, since, tried_until: None, window, refresh_after: None };
        };
        let Ok(left) = expiry.duration_since(now) else {
            return Self::expired(generation, credentials, since);
        };
        let tried_until = Instant::now().checked_add(left + TRIED_FOR);
        let refresh_after = expiry.checked_sub(window).map(|due| due.max(now + pause));
        Self { generation, credentials, since, tried_until, window, refresh_after }
    }

    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// How long they are valid; `None` without end.
    pub(crate) fn life_left(&self, now: SystemTime) -> Option<Duration> {
        let expiry = self.credentials.expiry()?;
        Some(expiry.duration_since(now).unwrap_or_default())
    }

    pub(crate) fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    fn is_valid(&self, now: SystemTime) -> bool {
        self.credentials.expiry().is_none_or(|expiry| now < expiry)
            || self.tried_until.is_some_and(|until| Instant::now() < until)
    }

    fn is_due(&self, now: SystemTime) -> bool {
        // So early that even a refresh that fails after `LOAD_TIMEOUT` ends in time.
        let is_nearly_over =
            |until: Instant| until.saturating_duration_since(Instant::now()) < TRIED_FOR * 2 / 3;
        self.refresh_after.is_some_and(|after| after <= now) || self.tried_until.is_some_and(is_nearly_over)
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

#[cfg(test)]
mod tests;
