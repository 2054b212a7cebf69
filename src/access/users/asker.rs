use std::{
    fmt,
    sync::{Arc, LazyLock},
    time::Duration,
};

use hmac::{Hmac, KeyInit, Mac};
use http::Request;
use quick_cache::sync::Cache;
use sha2::Sha256;
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::Instant,
};

use super::{
    Realm, User, Users,
    credentials::{Claim, NoClaim, Scheme},
    hash::Hash,
    table::Line,
};
use crate::{
    access::{Denial, Passed, Verdict, VerdictFuture, random::random},
    error::ConfigError,
};

/// The users of a mount, and who of them was found right of late. Clones are the same.
#[derive(Clone)]
pub(crate) struct UsersGuard(Arc<Shared>);

struct Shared {
    users: Users,
    realm: Realm,
    /// Of the digests: what is kept in memory is of no use to who reads it.
    key: [u8; 32],
    /// Until when a name and a password, with the hash that they were held against, are known to be right.
    verified: Cache<Digest, Instant>,
    /// How many passwords were hashed.
    #[cfg(test)]
    hashed: std::sync::atomic::AtomicUsize,
}

type Digest = [u8; 32];

/// Nobody got to look at the password.
#[derive(Debug)]
struct Crowded;

/// How long a password is not hashed again. A line that changes counts at once.
const REMEMBERED: Duration = Duration::from_secs(60);
const MOST_REMEMBERED: usize = 10_000;

/// How many passwords are looked at at once, by the process: each takes a thread of the processor.
static HASHING: LazyLock<Semaphore> = LazyLock::new(|| {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    Semaphore::new(threads.div_ceil(2))
});

/// How long a request waits for its turn.
const PATIENCE: Duration = Duration::from_secs(10);

// === impl UsersGuard ===

impl UsersGuard {
    pub(super) fn new(users: Users, realm: Realm) -> Result<Self, ConfigError> {
        let key = random()?;
        let verified = Cache::new(MOST_REMEMBERED);
        Ok(Self(Arc::new(Shared {
            users,
            realm,
            key,
            verified,
            #[cfg(test)]
            hashed: std::sync::atomic::AtomicUsize::new(0),
        })))
    }

    pub(crate) fn users(&self) -> &Users {
        &self.0.users
    }

    pub(crate) fn ask<B>(&self, request: &Request<B>) -> VerdictFuture {
        let shared = Arc::clone(&self.0);
        let claim = Claim::find(request.headers());
        Box::pin(async move { shared.verdict(claim).await })
    }
}

// === impl Shared ===

impl Shared {
    async fn verdict(&self, claim: Result<(Scheme, Claim), NoClaim>) -> Verdict {
        let (scheme, claim) = match claim {
            Ok(claim) => claim,
            Err(NoClaim::Absent) => return self.deny(Scheme::Basic),
            Err(NoClaim::Malformed(scheme)) => return self.deny(scheme),
        };
        let user = User::new(&claim.name);
        match self.is_right(claim).await {
            Ok(true) => Verdict::Pass(Passed { cookies: Vec::new(), user: Some(user) }),
            Ok(false) => self.deny(scheme),
            Err(crowded) => Verdict::Failed(crowded.into()),
        }
    }

    async fn is_right(&self, claim: Claim) -> Result<bool, Crowded> {
        let any = u64::from_be_bytes(
            self.digest(&[claim.name.as_bytes()]).first_chunk().copied().unwrap_or_default(),
        );
        let (hash, is_known) = match self.users.0.table.load().line(&claim.name, any) {
            Some(Line::Known(hash)) => (hash.clone(), true),
            Some(Line::Decoy(hash)) => (hash.clone(), false),
            None => return Ok(false),
        };
        let digest = self.digest(&[claim.name.as_bytes(), &claim.password, hash.text().as_bytes()]);
        if is_known && self.is_verified(&digest) {
            return Ok(true);
        }
        let permit = tokio::time::timeout(PATIENCE, HASHING.acquire()).await;
        let Ok(Ok(permit)) = permit else { return Err(Crowded) };
        // A page has many pictures: meanwhile another of its requests was looked at.
        if is_known && self.is_verified(&digest) {
            return Ok(true);
        }
        #[cfg(test)]
        self.hashed.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let (is_right, permit) = verify(hash, claim.password, permit).await;
        let is_right = is_right && is_known;
        if is_right {
            self.verified.insert(digest, Instant::now() + REMEMBERED);
        }
        // Not before: whoever is next looks whether it is known by now.
        drop(permit);
        Ok(is_right)
    }

    fn is_verified(&self, digest: &Digest) -> bool {
        self.verified.get(digest).is_some_and(|until| Instant::now() < until)
    }

    /// With each length in front, no two lists of parts have the same bytes.
    fn digest(&self, parts: &[&[u8]]) -> Digest {
        // Invariant: HMAC takes a key of any length.
        let mut mac = <Hmac<Sha256>>::new_from_slice(&self.key).expect("a key of 32 bytes");
        for part in parts {
            mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }

    fn deny(&self, scheme: Scheme) -> Verdict {
        Verdict::Deny(Denial::unauthorized(match scheme {
            Scheme::Basic => self.realm.basic.clone(),
            Scheme::Bearer => self.realm.bearer.clone(),
        }))
    }
}

/// The permit is held until the thread is done, whatever becomes of the request.
async fn verify(hash: Hash, password: Vec<u8>, permit: Permit) -> (bool, Option<Permit>) {
    let looked = tokio::task::spawn_blocking(move || (hash.verify(&password), Some(permit)));
    looked.await.unwrap_or((false, None))
}

type Permit = SemaphorePermit<'static>;

/// Without the key.
impl fmt::Debug for UsersGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("UsersGuard").field(&self.0.users).finish()
    }
}

// === impl Crowded ===

impl fmt::Display for Crowded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("too many passwords are looked at at once")
    }
}

impl std::error::Error for Crowded {}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering::Relaxed;

    use base64::{Engine, prelude::BASE64_STANDARD};

    use super::*;

    fn guard() -> UsersGuard {
        let line = format!("ada:{}", bcrypt::hash("swordfish", 4).unwrap());
        Users::parse(&line).unwrap().guard("Studio").unwrap()
    }

    async fn is_let_in(guard: &UsersGuard, credentials: &str) -> bool {
        let credentials = format!("Basic {}", BASE64_STANDARD.encode(credentials));
        let request = Request::builder().header("authorization", credentials).body(()).unwrap();
        matches!(guard.ask(&request).await, Verdict::Pass(_))
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_page_with_a_hundred_pictures_costs_one_hash() {
        let guard = guard();
        let page: Vec<_> = (0..100)
            .map(|_| {
                let guard = guard.clone();
                tokio::spawn(async move { is_let_in(&guard, "ada:swordfish").await })
            })
            .collect();
        for picture in page {
            assert!(picture.await.unwrap());
        }
        // As many as are looked at at once can begin before the first is done.
        let hashed = guard.0.hashed.load(Relaxed);
        let at_once = std::thread::available_parallelism().unwrap().get().div_ceil(2);
        assert!((1..=at_once).contains(&hashed), "{hashed}");
    }

    #[tokio::test]
    async fn a_wrong_password_and_an_unknown_name_cost_the_same() {
        let guard = guard();
        for (number, (credentials, is_right)) in [
            ("ada:wrong", false),
            ("mallory:swordfish", false),
            ("mallory:swordfish", false),
            ("ada:wrong", false),
            ("ada:swordfish", true),
        ]
        .into_iter()
        .enumerate()
        {
            assert_eq!(is_let_in(&guard, credentials).await, is_right, "{credentials}");
            assert_eq!(guard.0.hashed.load(Relaxed), number + 1, "{credentials}");
        }
    }

    #[tokio::test]
    async fn what_was_right_is_hashed_again_after_a_while() {
        let guard = guard();
        for (wait, hashed) in [(0, 1), (50, 1), (11, 2)] {
            // Not while it is hashed: the turn of a thread is waited for by the same clock.
            tokio::time::pause();
            tokio::time::advance(Duration::from_secs(wait)).await;
            tokio::time::resume();
            assert!(is_let_in(&guard, "ada:swordfish").await);
            assert_eq!(guard.0.hashed.load(Relaxed), hashed);
        }
    }
}
