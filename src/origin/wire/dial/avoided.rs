use std::{
    net::SocketAddr,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// The addresses that are tried last, because something was wrong with them a short while ago.
///
/// It is no ban: an address that is the only one is tried all the same.
#[derive(Debug, Default)]
pub(in crate::origin::wire) struct Avoided(Mutex<Vec<Entry>>);

/// The addresses to avoid at one point of time.
pub(super) struct AvoidedNow(Vec<Entry>);

#[derive(Debug, Clone, Copy)]
struct Entry {
    address: SocketAddr,
    since: Instant,
}

// === impl Avoided ===

impl Avoided {
    pub(super) fn add(&self, address: SocketAddr) {
        let since = Instant::now();
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|entry| entry.address != address && entry.is_recent(since));
        if entries.len() >= MOST {
            entries.remove(0);
        }
        entries.push(Entry { address, since });
    }

    pub(super) fn now(&self) -> AvoidedNow {
        let now = Instant::now();
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|entry| entry.is_recent(now));
        AvoidedNow(entries.clone())
    }
}

// === impl AvoidedNow ===

impl AvoidedNow {
    pub(super) fn since(&self, address: &SocketAddr) -> Option<Instant> {
        self.0.iter().find(|entry| entry.address == *address).map(|entry| entry.since)
    }
}

// === impl Entry ===

impl Entry {
    fn is_recent(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) < MEMORY
    }
}

/// Long enough that a dead address is met twice a minute at most, short enough that one that is well again has its share.
const MEMORY: Duration = Duration::from_secs(30);

/// The hosts of a transport have a few addresses each.
const MOST: usize = 256;

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    fn address(n: usize) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], u16::try_from(n).unwrap()))
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_is_avoided_for_half_a_minute_from_the_last_time() {
        let avoided = Avoided::default();
        avoided.add(address(1));
        avoided.add(address(2));
        advance(Duration::from_secs(20)).await;
        avoided.add(address(1));
        assert!(avoided.now().since(&address(1)) > avoided.now().since(&address(2)));
        advance(Duration::from_secs(10)).await;
        assert!(avoided.now().since(&address(1)).is_some());
        assert!(avoided.now().since(&address(2)).is_none(), "its half minute is over");
        advance(Duration::from_secs(20)).await;
        assert!(avoided.now().since(&address(1)).is_none());
        assert!(avoided.0.lock().unwrap().is_empty(), "nothing is left of them");
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_makes_room() {
        let avoided = Avoided::default();
        for n in 0..=MOST {
            avoided.add(address(n));
        }
        assert!(avoided.now().since(&address(0)).is_none());
        assert!(avoided.now().since(&address(1)).is_some() && avoided.now().since(&address(MOST)).is_some());
    }
}
