use std::{
    fmt,
    num::NonZeroU32,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use arc_swap::ArcSwap;
use governor::{
    Quota, RateLimiter,
    clock::{Clock, DefaultClock},
    state::keyed::DashMapStateStore,
};

use crate::server::peer::Peer;

/// Requests a second of one client network, with bursts.
pub(crate) struct RequestRate {
    quota: Quota,
    networks: ArcSwap<Networks>,
    /// Since the networks were last counted.
    asked: AtomicU32,
}

type Networks = RateLimiter<Peer, DashMapStateStore<Peer>, DefaultClock>;

/// So many networks are remembered: about 5 MiB of memory. Whoever has more of them is not held up by the rate of each.
const MOST: usize = 100_000;

/// Counting them asks each part of the table.
const COUNTED_AFTER: u32 = 4096;

// === impl RequestRate ===

impl RequestRate {
    pub(crate) fn new(per_second: NonZeroU32, burst: NonZeroU32) -> Self {
        let quota = Quota::per_second(per_second).allow_burst(burst);
        Self { quota, networks: ArcSwap::from_pointee(RateLimiter::dashmap(quota)), asked: AtomicU32::new(0) }
    }

    /// Counts a request.
    ///
    /// # Errors
    ///
    /// How long it is until the next one is answered.
    pub(crate) fn admit(&self, network: Peer) -> Result<(), Duration> {
        if self.asked.fetch_add(1, Ordering::Relaxed) >= COUNTED_AFTER {
            self.asked.store(0, Ordering::Relaxed);
            self.prune();
        }
        let networks = self.networks.load();
        networks.check_key(&network).map_err(|until| until.wait_time_from(networks.clock().now()))
    }

    /// Forgets networks that have their whole burst again. If most of them have not, all begin anew: memory is bounded, and
    /// nobody is turned away for what others do.
    fn prune(&self) {
        let networks = self.networks.load();
        if networks.len() < MOST {
            return;
        }
        networks.retain_recent();
        if networks.len() > MOST / 2 {
            self.networks.store(RateLimiter::dashmap(self.quota).into());
            tracing::warn!("more networks than --max-requests-per-second remembers: all begin anew");
        }
    }
}

impl fmt::Debug for RequestRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestRate").field("quota", &self.quota).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv6Addr};

    use super::*;

    fn rate(per_second: u32, burst: u32) -> RequestRate {
        RequestRate::new(NonZeroU32::new(per_second).unwrap(), NonZeroU32::new(burst).unwrap())
    }

    fn peer(text: &str) -> Peer {
        Peer::of(text.parse().unwrap())
    }

    #[test]
    fn a_network_has_its_burst_and_others_have_theirs() {
        let rate = rate(1, 5);
        let answered =
            |text: &str, times: usize| (0..times).filter(|_| rate.admit(peer(text)).is_ok()).count();
        assert_eq!(answered("192.0.2.1", 20), 5);
        assert_eq!(answered("192.0.2.2", 20), 5);
        // One network.
        assert_eq!(answered("2001:db8::1", 3) + answered("2001:db8::2", 3), 5);
        let wait = rate.admit(peer("192.0.2.1")).unwrap_err();
        assert!(wait > Duration::ZERO && wait <= Duration::from_secs(1), "{wait:?}");
    }

    #[test]
    fn a_million_networks_take_no_more_memory_than_some() {
        let rate = rate(1, 1);
        let mut most = 0;
        for n in 0..1_000_000_u128 {
            let _ = rate.admit(Peer::of(IpAddr::V6(Ipv6Addr::from_bits(n << 64))));
            if n % 10_000 == 0 {
                most = most.max(rate.networks.load().len());
            }
        }
        assert!(most > MOST / 2 && most <= MOST + 2 * COUNTED_AFTER as usize, "{most}");
    }
}
