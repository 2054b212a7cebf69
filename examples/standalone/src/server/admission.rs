use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time,
};

use super::{files::Files, peer::Peer};

/// Who can be connected: so many at a time, and so many from one address.
#[derive(Debug)]
pub(crate) struct Admission {
    pub(crate) files: Files,
    connections: usize,
    per_address: usize,
    /// For connections that have given up their seat, and are not gone yet.
    leaving: Arc<Semaphore>,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    regular: usize,
    reserved: usize,
    by_peer: HashMap<Peer, Held>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Held {
    regular: usize,
    reserved: usize,
    /// Requests beyond the first of a connection.
    streams: usize,
}

/// A request that counts by itself, until it is dropped: one beyond the first of its connection, or one over a connection of
/// many clients.
#[derive(Debug)]
pub(crate) struct StreamSeat {
    admission: Arc<Admission>,
    peer: Option<Peer>,
    has_file: bool,
}

/// Of a connection that was let in, until it is given up or dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    admission: Arc<Admission>,
    /// Nobody for a connection of many clients, or whose client is not known yet.
    peer: Option<Peer>,
    pub(crate) kind: SeatKind,
    given_up: OnceLock<OwnedSemaphorePermit>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SeatKind {
    Regular,
    /// Of the few beyond a limit: the health checks are answered, and nothing else.
    Reserved(Limit),
}

/// Of the requests in flight on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    First,
    Further,
}

/// What is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limit {
    /// Of all connections, or of files.
    All,
    /// Of the connections of one address.
    Address,
}

/// A connection is closed at once: this limit is reached, and what is kept in reserve is used up, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refusal(pub(crate) Limit);

/// Connections beyond the limits that can ask for the health checks.
const RESERVE: usize = 32;

/// Those of them that one address can have.
const RESERVE_PER_ADDRESS: usize = 8;

/// How many connections can be on their way out, beyond the limits, while others have their seats.
const LEAVING: usize = 32;

/// How long newcomers wait for one of them to be gone. They have nothing to wait for, so that it takes no time but the
/// scheduler's.
const LEAVE: Duration = Duration::from_millis(100);

// === impl Admission ===

impl Admission {
    /// At most so many connections, and so many of one address, for whose requests these files are there.
    pub(crate) fn new(connections: usize, per_address: usize, files: Files) -> Self {
        let leaving = Arc::new(Semaphore::new(LEAVING));
        Self { files, connections, per_address, leaving, taken: Mutex::default() }
    }

    /// Waits until one more connection can give up its seat.
    pub(crate) async fn can_make_room(&self) {
        if self.leaving.available_permits() == 0 {
            let _ = time::timeout(LEAVE, self.leaving.acquire()).await;
        }
    }

    /// Without an address it counts against nobody's share.
    pub(crate) fn admit(self: &Arc<Self>, address: Option<IpAddr>) -> Result<Seat, Refusal> {
        let peer = address.map(Peer::of);
        let kind = self.take(peer)?;
        Ok(Seat { admission: Arc::clone(self), peer, kind, given_up: OnceLock::new() })
    }

    fn take(&self, peer: Option<Peer>) -> Result<SeatKind, Refusal> {
        let mut taken = self.taken();
        let taken = &mut *taken;
        let held = taken.held(peer).copied().unwrap_or_default();
        let limit = if held.regular >= self.per_address {
            Limit::Address
        } else if taken.regular < self.connections && self.files.take_connection() {
            taken.regular += 1;
            taken.count(peer, |held| held.regular += 1);
            return Ok(SeatKind::Regular);
        } else {
            Limit::All
        };
        if taken.reserved >= RESERVE || held.reserved >= RESERVE_PER_ADDRESS {
            return Err(Refusal(limit));
        }
        taken.reserved += 1;
        taken.count(peer, |held| held.reserved += 1);
        Ok(SeatKind::Reserved(limit))
    }

    fn give_back(&self, peer: Option<Peer>, kind: SeatKind) {
        let mut taken = self.taken();
        match kind {
            SeatKind::Regular => {
                taken.regular -= 1;
                taken.discount(peer, |held| held.regular -= 1);
                self.files.give_back();
            }
            SeatKind::Reserved(_) => {
                taken.reserved -= 1;
                taken.discount(peer, |held| held.reserved -= 1);
            }
        }
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Taken ===

impl Taken {
    fn held(&self, peer: Option<Peer>) -> Option<&Held> {
        self.by_peer.get(&peer?)
    }

    fn count(&mut self, peer: Option<Peer>, count: impl FnOnce(&mut Held)) {
        if let Some(peer) = peer {
            count(self.by_peer.entry(peer).or_default());
        }
    }

    fn discount(&mut self, peer: Option<Peer>, discount: impl FnOnce(&mut Held)) {
        let Some(peer) = peer else { return };
        let Some(held) = self.by_peer.get_mut(&peer) else { return };
        discount(held);
        if held.regular + held.reserved + held.streams == 0 {
            self.by_peer.remove(&peer);
        }
    }
}

// === impl Seat ===

impl Seat {
    /// Lets another connection have the seat of this one, which is about to be closed. Returns whether it may.
    pub(crate) fn give_up(&self) -> bool {
        let Ok(permit) = Arc::clone(&self.admission.leaving).try_acquire_owned() else { return false };
        let is_first = self.given_up.set(permit).is_ok();
        if is_first {
            self.admission.give_back(self.peer, self.kind);
        }
        is_first
    }

    /// Counts it against the share of this address, now that its client is known.
    pub(crate) fn count_against(&mut self, address: IpAddr) -> Result<(), Refusal> {
        let peer = Some(Peer::of(address));
        let mut taken = self.admission.taken();
        if taken.held(peer).is_some_and(|held| held.regular >= self.admission.per_address) {
            return Err(Refusal(Limit::Address));
        }
        taken.count(peer, |held| match self.kind {
            SeatKind::Regular => held.regular += 1,
            SeatKind::Reserved(_) => held.reserved += 1,
        });
        drop(taken);
        self.peer = peer;
        Ok(())
    }

    /// A place for a request. One address has no more of them than of connections, all together: with many on each connection
    /// it would keep everybody else from S3.
    ///
    /// The first in flight has the file that is there for its connection. With `behind` it counts against that address, which
    /// shares the connection with others.
    pub(crate) fn stream(&self, order: Order, behind: Option<IpAddr>) -> Option<StreamSeat> {
        let admission = &self.admission;
        let peer = behind.map(Peer::of).or(self.peer);
        let mut taken = admission.taken();
        let is_over = |held: &Held| held.regular + held.streams >= admission.per_address;
        if taken.held(peer).is_some_and(is_over) {
            return None;
        }
        let has_file = order == Order::Further;
        if has_file && !admission.files.take_stream() {
            return None;
        }
        taken.count(peer, |held| held.streams += 1);
        Some(StreamSeat { admission: Arc::clone(admission), peer, has_file })
    }
}

impl Drop for StreamSeat {
    fn drop(&mut self) {
        self.admission.taken().discount(self.peer, |held| held.streams -= 1);
        if self.has_file {
            self.admission.files.give_back();
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if self.given_up.get().is_none() {
            self.admission.give_back(self.peer, self.kind);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::unnecessary_wraps, reason = "as it is admitted")]
    fn address(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn beyond_the_limit_comes_the_reserve_and_then_nothing() {
        let admission = Arc::new(Admission::new(2, 100, Files::new(20_000)));
        let mut seats: Vec<_> =
            (0..2 + RESERVE).map(|n| admission.admit(address(&format!("192.0.2.{n}"))).unwrap()).collect();
        let reserved = seats.iter().filter(|seat| seat.kind == SeatKind::Reserved(Limit::All)).count();
        assert_eq!(reserved, RESERVE);
        assert_eq!(admission.admit(address("192.0.2.200")).unwrap_err(), Refusal(Limit::All));
        seats.remove(0);
        assert_eq!(admission.admit(address("192.0.2.200")).unwrap().kind, SeatKind::Regular);
        seats.clear();
        assert!(admission.taken().by_peer.is_empty());
    }

    #[test]
    fn one_address_has_its_share_and_no_more() {
        let admission = Arc::new(Admission::new(100, 2, Files::new(20_000)));
        let here = address("192.0.2.1");
        let mut seats: Vec<_> =
            (0..2 + RESERVE_PER_ADDRESS).map(|_| admission.admit(here).unwrap()).collect();
        let reserved = seats.iter().filter(|seat| seat.kind == SeatKind::Reserved(Limit::Address)).count();
        assert_eq!(reserved, RESERVE_PER_ADDRESS);
        assert_eq!(admission.admit(here).unwrap_err(), Refusal(Limit::Address));
        assert_eq!(admission.admit(address("192.0.2.2")).unwrap().kind, SeatKind::Regular);
        seats.pop();
        let again = admission.admit(here).unwrap();
        assert_eq!(again.kind, SeatKind::Reserved(Limit::Address), "a health check has ended");
        drop((seats, again));
        assert_eq!(admission.admit(here).unwrap().kind, SeatKind::Regular);
    }

    #[test]
    fn many_requests_on_a_connection_count_as_connections_do() {
        let admission = Arc::new(Admission::new(100, 10, Files::new(20_000)));
        let seat = admission.admit(address("192.0.2.1")).unwrap();
        let mut streams: Vec<_> = (0..100).map_while(|_| seat.stream(Order::Further, None)).collect();
        assert_eq!(streams.len(), 9);
        let other = admission.admit(address("192.0.2.2")).unwrap();
        assert!(other.stream(Order::Further, None).is_some());
        streams.pop();
        assert!(seat.stream(Order::Further, None).is_some());
        drop((streams, seat, other));
        assert!(admission.taken().by_peer.is_empty());
    }

    #[test]
    fn a_seat_that_is_given_up_is_another_s_at_once_and_only_once() {
        let admission = Arc::new(Admission::new(1, 100, Files::new(20_000)));
        let first = admission.admit(address("192.0.2.1")).unwrap();
        assert!(first.give_up() && !first.give_up());
        let second = admission.admit(address("192.0.2.2")).unwrap();
        assert_eq!(second.kind, SeatKind::Regular);
        drop(first);
        assert_eq!(admission.admit(address("192.0.2.3")).unwrap().kind, SeatKind::Reserved(Limit::All));
        drop(second);
        let taken = admission.taken();
        assert_eq!((taken.regular, taken.reserved, taken.by_peer.len()), (0, 0, 0));
        assert_eq!(admission.leaving.available_permits(), LEAVING);
    }

    #[test]
    fn only_some_can_be_on_their_way_out() {
        let admission = Arc::new(Admission::new(100, 100, Files::new(20_000)));
        let mut seats: Vec<_> = (0..100).map(|_| admission.admit(address("192.0.2.1")).unwrap()).collect();
        assert_eq!(seats.iter().filter(|seat| seat.give_up()).count(), LEAVING);
        seats.drain(..LEAVING / 2);
        assert_eq!(seats.iter().filter(|seat| seat.give_up()).count(), LEAVING / 2);
    }

    #[test]
    fn one_address_has_not_all_of_the_reserve() {
        let admission = Arc::new(Admission::new(0, 100, Files::new(20_000)));
        let here = address("192.0.2.1");
        let seats: Vec<_> = (0..100).map_while(|_| admission.admit(here).ok()).collect();
        assert_eq!(seats.len(), RESERVE_PER_ADDRESS);
        assert!(admission.admit(address("192.0.2.2")).is_ok());
    }

    #[test]
    fn without_files_there_is_only_the_reserve() {
        let admission = Arc::new(Admission::new(100, 100, Files::new(1)));
        let here = address("192.0.2.1");
        let first = admission.admit(here).unwrap();
        assert_eq!(first.kind, SeatKind::Regular);
        assert_eq!(admission.admit(here).unwrap().kind, SeatKind::Reserved(Limit::All));
        drop(first);
        assert_eq!(admission.admit(here).unwrap().kind, SeatKind::Regular);
    }

    #[test]
    fn clients_behind_a_proxy_have_a_share_each_and_its_connections_none() {
        let admission = Arc::new(Admission::new(100, 2, Files::new(20_000)));
        let proxy: Vec<_> = (0..10).map(|_| admission.admit(None).unwrap()).collect();
        assert!(proxy.iter().all(|seat| seat.kind == SeatKind::Regular));
        let (one, other) = (address("192.0.2.1"), address("192.0.2.2"));
        let mut requests: Vec<_> = proxy.iter().map_while(|seat| seat.stream(Order::First, one)).collect();
        assert_eq!(requests.len(), 2);
        assert!(proxy[0].stream(Order::Further, other).is_some());
        requests.pop();
        assert!(proxy[9].stream(Order::First, one).is_some());
        drop((requests, proxy));
        let taken = admission.taken();
        assert_eq!((taken.regular, taken.by_peer.len()), (0, 0));
    }

    #[test]
    fn a_connection_counts_against_its_client_as_soon_as_that_is_known() {
        let admission = Arc::new(Admission::new(100, 2, Files::new(20_000)));
        let client: IpAddr = "192.0.2.1".parse().unwrap();
        let mut seats: Vec<_> = (0..3).map(|_| admission.admit(None).unwrap()).collect();
        let counted: Vec<_> = seats.iter_mut().map(|seat| seat.count_against(client)).collect();
        assert_eq!(counted, [Ok(()), Ok(()), Err(Refusal(Limit::Address))]);
        assert_ne!(admission.admit(Some(client)).unwrap().kind, SeatKind::Regular);
        drop(seats);
        assert!(admission.taken().by_peer.is_empty());
    }
}
