use std::net::SocketAddr;

use fastrand::Rng;
use tokio::time::Instant;

/// The order in which the addresses of a host are tried: families in turn (RFC 8305 §4), those of one family at random,
/// so that connections spread over them, and those to avoid last.
///
/// The first family is that of the first address: the system's resolver has sorted them by RFC 6724. Within a family its
/// order would send every connection to the same address.
pub(super) fn order(
    found: Vec<SocketAddr>,
    avoided_since: impl Fn(&SocketAddr) -> Option<Instant>,
    random: &mut Rng,
) -> Vec<SocketAddr> {
    let Some(first) = found.first() else { return found };
    let is_first_family = first.is_ipv6();
    let (mut one, mut other): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|address| address.is_ipv6() == is_first_family);
    for family in [&mut one, &mut other] {
        family.sort_unstable();
        family.dedup();
        random.shuffle(family);
    }
    let mut ordered = Vec::with_capacity(one.len() + other.len());
    let (mut one, mut other) = (one.into_iter(), other.into_iter());
    while ordered.len() < ordered.capacity() {
        ordered.extend(one.next());
        ordered.extend(other.next());
    }
    // The one that was met first is the likeliest to be well again. `None` comes before `Some`.
    ordered.sort_by_key(avoided_since);
    ordered.truncate(MOST);
    ordered
}

/// S3 names eight addresses at a time. An attempt at each of many more would only be sockets.
const MOST: usize = 8;

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, time::Duration};

    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn texts(addresses: &[SocketAddr]) -> Vec<String> {
        addresses.iter().map(|address| address.ip().to_string()).collect()
    }

    #[test]
    fn families_take_turns_and_the_resolvers_first_begins() {
        let [a6, b6, a4, b4] =
            ["[2001:db8::1]:443", "[2001:db8::2]:443", "192.0.2.1:443", "192.0.2.2:443"].map(address);
        for (found, families) in [
            (vec![a6, b6, a4, b4], "6464"),
            (vec![a4, b4, a6, b6], "4646"),
            (vec![a4, a6, b6], "466"),
            (vec![a6, a4, a6, a4], "64"),
            (vec![a4, b4], "44"),
            (vec![], ""),
        ] {
            let ordered = order(found.clone(), |_| None, &mut Rng::with_seed(7));
            let seen: String =
                ordered.iter().map(|address| if address.is_ipv6() { '6' } else { '4' }).collect();
            assert_eq!(seen, families, "{found:?}");
        }
    }

    #[test]
    fn each_address_of_a_family_is_first_at_times() {
        let found: Vec<_> = (1..=8).map(|n| address(&format!("192.0.2.{n}:443"))).collect();
        let mut random = Rng::with_seed(7);
        let mut times = HashMap::new();
        for _ in 0..800 {
            *times.entry(order(found.clone(), |_| None, &mut random)[0]).or_insert(0) += 1;
        }
        assert!(found.iter().all(|address| times[address] > 50), "{times:?}");
    }

    #[test]
    fn what_is_to_be_avoided_comes_last_and_the_oldest_of_it_first() {
        let [a, b, c, d] = [1, 2, 3, 4].map(|n| address(&format!("192.0.2.{n}:443")));
        let (older, newer) = (Instant::now(), Instant::now() + Duration::from_secs(1));
        let avoided = HashMap::from([(a, newer), (c, older)]);
        for seed in 0..32 {
            let ordered =
                order(vec![a, b, c, d], |address| avoided.get(address).copied(), &mut Rng::with_seed(seed));
            assert_eq!(texts(&ordered[2..]), ["192.0.2.3", "192.0.2.1"], "seed {seed}");
        }
    }

    proptest! {
        #[test]
        fn nothing_is_lost_or_added_up_to_eight(hosts in proptest::collection::vec((0_u16..12, any::<bool>()), 0..20), seed: u64) {
            let found: Vec<SocketAddr> = hosts.iter().map(|(n, is_ipv6)| match is_ipv6 {
                true => address(&format!("[2001:db8::{n}]:443")),
                false => address(&format!("192.0.2.{n}:443")),
            }).collect();
            let ordered = order(found.clone(), |_| None, &mut Rng::with_seed(seed));
            let distinct = |addresses: &[SocketAddr]| addresses.iter().copied().collect::<std::collections::BTreeSet<_>>();
            prop_assert_eq!(ordered.len(), distinct(&found).len().min(MOST));
            prop_assert_eq!(distinct(&ordered).len(), ordered.len());
            prop_assert!(distinct(&ordered).is_subset(&distinct(&found)));
        }
    }
}
