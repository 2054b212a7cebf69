//! The verdicts of a log-in service for as long as they hold, and the questions that are being asked.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use quick_cache::{Weighter, sync::Cache};
use tokio::{sync::watch, time::Instant};

use super::{
    fields::Digest,
    verdict::{Outcome, Sharing},
};

/// What is known of a service's verdicts. Bounded in bytes.
pub(super) struct Memory {
    /// Of the digests: nobody outside can make two questions equal.
    pub(super) key: [u8; 32],
    time: Duration,
    verdicts: Cache<Digest, Known, ByWeight>,
    asked: Mutex<HashMap<Digest, watch::Receiver<Option<Outcome>>>>,
}

#[derive(Clone)]
struct Known {
    outcome: Outcome,
    until: Instant,
}

#[derive(Clone)]
struct ByWeight;

/// Who asks the service about a request.
pub(super) enum Turn {
    /// This request, for all that come meanwhile.
    Ask(Asked),
    /// Another one has asked.
    Wait(watch::Receiver<Option<Outcome>>),
}

/// A question that is being asked. Dropped without an outcome, it fails for those who wait.
pub(super) struct Asked {
    memory: Arc<Memory>,
    digest: Digest,
    outcome: watch::Sender<Option<Outcome>>,
}

/// In bytes: room for about 50,000 who may, or for a hundred refusals with long pages.
const ROOM: u64 = 8 * 1024 * 1024;
const EXPECTED: usize = 10_000;

// === impl Memory ===

impl Memory {
    pub(super) fn new(key: [u8; 32], time: Duration) -> Self {
        let verdicts = Cache::with_weighter(EXPECTED, ROOM, ByWeight);
        Self { key, time, verdicts, asked: Mutex::default() }
    }

    /// The verdict for an equal request, if it still holds.
    pub(super) fn recall(&self, digest: &Digest, now: Instant) -> Option<Outcome> {
        let known = self.verdicts.get(digest)?;
        (now < known.until).then_some(known.outcome)
    }

    /// Whose turn it is to ask.
    pub(super) fn turn(self: &Arc<Self>, digest: Digest) -> Turn {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(waiting) = asked.get(&digest) {
            return Turn::Wait(waiting.clone());
        }
        let (outcome, waiting) = watch::channel(None);
        asked.insert(digest, waiting);
        Turn::Ask(Asked { memory: Arc::clone(self), digest, outcome })
    }

    fn keep(&self, digest: Digest, outcome: &Outcome, now: Instant) {
        match outcome.sharing() {
            Sharing::Kept if !self.time.is_zero() => {
                let until = now + self.time.min(A_DAY);
                self.verdicts.insert(digest, Known { outcome: outcome.for_others(), until });
            }
            Sharing::Kept | Sharing::Now | Sharing::Never => {}
        }
    }
}

/// Longer than any verdict should hold, and an addition that can't overflow.
const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").field("time", &self.time).finish_non_exhaustive()
    }
}

// === impl Asked ===

impl Asked {
    /// Tells the outcome to those who wait, and remembers it for those who come.
    pub(super) fn answered(self, outcome: &Outcome, now: Instant) {
        self.memory.keep(self.digest, outcome, now);
        self.outcome.send_replace(Some(outcome.for_others()));
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.memory.asked.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.digest);
    }
}

// === impl ByWeight ===

impl Weighter<Digest, Known> for ByWeight {
    fn weight(&self, _: &Digest, known: &Known) -> u64 {
        known.outcome.weight()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, HeaderValue, StatusCode};

    use super::*;
    use crate::access::forward_auth::verdict::Refusal;

    fn refusal(status: u16, body: usize) -> Outcome {
        let status = StatusCode::from_u16(status).unwrap();
        let body = Bytes::from(vec![b'x'; body]);
        Outcome::Deny(Arc::new(Refusal { status, headers: HeaderMap::new(), body }))
    }

    fn told(outcome: Option<Outcome>) -> String {
        match outcome {
            None => "nothing".to_owned(),
            Some(Outcome::Pass(cookies)) => format!("pass {}", cookies.len()),
            Some(Outcome::Deny(refusal)) => refusal.status.as_u16().to_string(),
            Some(Outcome::Failed(_)) => "failed".to_owned(),
        }
    }

    #[test]
    fn a_verdict_holds_for_its_time_and_without_the_cookies_of_another() {
        let now = Instant::now();
        let cookie = HeaderValue::from_static("session=1");
        for (outcome, expected) in [
            (Outcome::Pass(vec![cookie]), "pass 0"),
            (refusal(403, 0), "403"),
            (refusal(429, 0), "nothing"),
            (Outcome::Failed(super::super::verdict::AuthFailure::Late), "nothing"),
        ] {
            let memory = Arc::new(Memory::new([7; 32], Duration::from_secs(5)));
            let Turn::Ask(asked) = memory.turn([1; 32]) else { panic!("nobody has asked") };
            asked.answered(&outcome, now);
            assert_eq!(told(memory.recall(&[1; 32], now + Duration::from_millis(4_999))), expected);
            assert_eq!(told(memory.recall(&[1; 32], now + Duration::from_secs(5))), "nothing");
            assert_eq!(told(memory.recall(&[2; 32], now)), "nothing");
        }
        let forgetful = Arc::new(Memory::new([7; 32], Duration::ZERO));
        let Turn::Ask(asked) = forgetful.turn([1; 32]) else { panic!("nobody has asked") };
        asked.answered(&Outcome::Pass(Vec::new()), now);
        assert_eq!(told(forgetful.recall(&[1; 32], now)), "nothing");
    }

    #[test]
    fn equal_questions_are_asked_once_at_a_time() {
        let memory = Arc::new(Memory::new([7; 32], Duration::ZERO));
        let Turn::Ask(asked) = memory.turn([1; 32]) else { panic!("nobody has asked") };
        let Turn::Wait(waiting) = memory.turn([1; 32]) else { panic!("one has asked") };
        assert!(matches!(memory.turn([2; 32]), Turn::Ask(_)), "another question");
        asked.answered(&refusal(401, 0), Instant::now());
        assert_eq!(told(waiting.borrow().clone()), "401");
        let Turn::Ask(asked) = memory.turn([1; 32]) else { panic!("it is over") };
        let Turn::Wait(mut waiting) = memory.turn([1; 32]) else { panic!("one has asked") };
        drop(asked);
        assert!(waiting.has_changed().is_err() && waiting.borrow_and_update().is_none(), "given up");
        assert!(matches!(memory.turn([1; 32]), Turn::Ask(_)));
    }

    #[test]
    fn the_memory_is_bounded() {
        let (memory, now) = (Arc::new(Memory::new([7; 32], Duration::from_secs(5))), Instant::now());
        for number in 0..1_000u32 {
            let mut digest = [0; 32];
            digest[..4].copy_from_slice(&number.to_be_bytes());
            memory.keep(digest, &refusal(403, 64 * 1024), now);
        }
        assert!(memory.verdicts.weight() <= ROOM, "{}", memory.verdicts.weight());
        assert!(memory.verdicts.len() > 50, "{}", memory.verdicts.len());
    }
}
