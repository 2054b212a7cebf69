use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use slab::Slab;
use tokio::{
    task::JoinSet,
    time::{self, MissedTickBehavior},
};

use super::{
    activity::Activity,
    admission::Seat,
    detect::Protocol,
    limits::Timeouts,
    watch::{Reason, Verdict, Watch, period},
};

/// Looks at all connections in turn, a few at a time.
///
/// A timer for each would be sorted again whenever it comes nearer, with all that were set beside it, while everybody else
/// waits for the lock of the timers: 70 ms for 5,000 clients that connected within a few seconds.
#[derive(Debug)]
pub(crate) struct Sweep {
    timeouts: Timeouts,
    /// In how many groups they are looked at.
    groups: usize,
    connections: Mutex<Slab<Watched>>,
}

/// All sweeps of a server.
#[derive(Debug)]
pub(crate) struct Sweeps {
    pub(crate) regular: Arc<Sweep>,
    pub(crate) reserved: Arc<Sweep>,
}

#[derive(Debug)]
struct Watched {
    activity: Arc<Activity>,
    seat: Arc<Seat>,
    watch: Watch,
}

/// A connection's, which is looked at until this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    sweep: Arc<Sweep>,
    key: usize,
}

/// Of the connections within the limits.
const GROUPS: usize = 32;

/// How many connections are looked at to find one that gives way.
const CANDIDATES: usize = 32;

// === impl Sweeps ===

impl Sweeps {
    pub(crate) fn new(timeouts: Timeouts) -> Self {
        let regular = Arc::new(Sweep::new(timeouts, GROUPS));
        // There are few, with short time-outs.
        Self { regular, reserved: Arc::new(Sweep::new(timeouts.reserved(), 1)) }
    }

    /// Looks, as long as the tasks that are returned are kept.
    pub(crate) fn run(&self) -> JoinSet<()> {
        [&self.regular, &self.reserved].into_iter().map(|sweep| Arc::clone(sweep).run()).collect()
    }
}

// === impl Sweep ===

impl Sweep {
    fn new(timeouts: Timeouts, groups: usize) -> Self {
        Self { timeouts, groups, connections: Mutex::default() }
    }

    pub(crate) fn timeouts(&self) -> &Timeouts {
        &self.timeouts
    }

    /// Looks at the connection from now on, whose protocol is not known yet.
    pub(crate) fn watch(self: &Arc<Self>, activity: &Arc<Activity>, seat: &Arc<Seat>) -> Place {
        let watch = Watch::new(None, self.timeouts, activity, Instant::now());
        let (activity, seat) = (Arc::clone(activity), Arc::clone(seat));
        let key = self.connections().insert(Watched { activity, seat, watch });
        Place { sweep: Arc::clone(self), key }
    }

    /// Closes a connection without a request, so that another can have its seat. Returns whether there is one.
    ///
    /// Of some, picked by chance, it is the one that has had no request for longest: so the newest is hardly ever the one
    /// that goes, and no request has to move its connection within a queue.
    pub(crate) fn make_room(&self) -> bool {
        let (connections, now) = (self.connections(), Instant::now());
        let is_few = connections.len() <= CANDIDATES;
        let all = is_few.then(|| connections.iter().map(|(_, watched)| watched));
        // Hardly any slot is free when room is short.
        let some = (!is_few).then(|| {
            (0..CANDIDATES).filter_map(|_| connections.get(fastrand::usize(..connections.capacity())))
        });
        let free = all.into_iter().flatten().chain(some.into_iter().flatten());
        let longest = free
            .filter_map(|watched| Some((watched.free_since(now)?, watched)))
            .min_by_key(|(since, _)| *since);
        longest.is_some_and(|(_, watched)| watched.give_way())
    }

    /// Never ends.
    async fn run(self: Arc<Self>) {
        let between = period(&self.timeouts).div_f64(self.groups as f64).max(Duration::from_millis(1));
        let mut ticks = time::interval(between);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for group in (0..self.groups).cycle() {
            ticks.tick().await;
            self.look(group, Instant::now());
        }
    }

    fn look(&self, group: usize, now: Instant) {
        let mut connections = self.connections();
        for (_, watched) in connections.iter_mut().filter(|(key, _)| key % self.groups == group) {
            watched.look(now);
        }
    }

    fn connections(&self) -> MutexGuard<'_, Slab<Watched>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Watched ===

impl Watched {
    /// Since when it could give way.
    fn free_since(&self, now: Instant) -> Option<Instant> {
        let is_open = self.activity.verdict().is_none();
        self.watch.free_since(self.activity.seen(), now).filter(|_| is_open)
    }

    fn give_way(&self) -> bool {
        let gives_way = self.seat.give_up();
        if gives_way {
            self.activity.close(Reason::GivesWay);
        }
        gives_way
    }

    fn look(&mut self, now: Instant) {
        match self.watch.look(self.activity.seen(), now) {
            Verdict::GoOn => {}
            Verdict::Probe => self.activity.probe(),
            Verdict::Close(reason) => self.activity.close(reason),
        }
    }
}

// === impl Place ===

impl Place {
    /// What the client speaks, now that it is known.
    pub(crate) fn speaks(&self, protocol: Protocol) {
        if let Some(Watched { activity, watch, .. }) = self.sweep.connections().get_mut(self.key) {
            *watch = Watch::new(Some(protocol), self.sweep.timeouts, activity, Instant::now());
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.sweep.connections().try_remove(self.key);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        net::Ipv4Addr,
        sync::atomic::{AtomicUsize, Ordering::Relaxed},
        task::{Wake, Waker},
    };

    use super::*;
    use crate::server::{
        admission::{Admission, SeatKind},
        files::Files,
    };

    const TIMEOUTS: Timeouts = Timeouts {
        first_byte: Duration::from_secs(10),
        header: Duration::from_secs(30),
        idle: Duration::from_secs(75),
        write: Duration::from_secs(24),
    };

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Relaxed);
        }
    }

    /// One that speaks HTTP/1.
    fn connection(sweep: &Arc<Sweep>) -> (Arc<Activity>, Arc<Woken>, Place) {
        let (activity, woken, place) = silent(sweep, &Arc::new(Admission::new(1, 1, Files::new(1))));
        place.speaks(Protocol::Http1);
        (activity, woken, place)
    }

    /// One that has sent nothing.
    fn silent(sweep: &Arc<Sweep>, admission: &Arc<Admission>) -> (Arc<Activity>, Arc<Woken>, Place) {
        let (activity, woken) = (Arc::new(Activity::default()), Arc::new(Woken::default()));
        activity.register(&Waker::from(Arc::clone(&woken)));
        let seat = admission.admit(Some(Ipv4Addr::LOCALHOST.into())).unwrap();
        let place = sweep.watch(&activity, &Arc::new(seat));
        (activity, woken, place)
    }

    #[test]
    fn each_connection_is_looked_at_once_in_a_round() {
        let sweep = Arc::new(Sweep::new(TIMEOUTS, 32));
        let mut connections: Vec<_> = (0..100).map(|_| connection(&sweep)).collect();
        // A place that another takes.
        connections.remove(40);
        connections.push(connection(&sweep));
        let late = Instant::now() + Duration::from_secs(1000);
        for group in 0..32 {
            let before: usize = connections.iter().map(|(_, woken, _)| woken.0.load(Relaxed)).sum();
            sweep.look(group, late);
            let after: usize = connections.iter().map(|(_, woken, _)| woken.0.load(Relaxed)).sum();
            assert!((3..=4).contains(&(after - before)), "group {group}");
        }
        for (activity, woken, _) in &connections {
            assert_eq!((activity.verdict(), woken.0.load(Relaxed)), (Some(Reason::Idle), 1));
        }
        drop(connections);
        assert!(sweep.connections().is_empty());
    }

    #[test]
    fn who_has_no_request_gives_way_and_who_has_one_does_not() {
        let (sweep, admission) =
            (Arc::new(Sweep::new(TIMEOUTS, 1)), Arc::new(Admission::new(200, 200, Files::new(200))));
        let all: Vec<_> = (0..200).map(|_| silent(&sweep, &admission)).collect();
        for (n, (activity, _, place)) in all.iter().enumerate() {
            match n % 4 {
                0 => {}
                1 => place.speaks(Protocol::Http2),
                2 => {
                    activity.note_read(5);
                    place.speaks(Protocol::Http1);
                }
                _ => {
                    place.speaks(Protocol::Http1);
                    activity.begin();
                }
            }
        }
        let is_reserved = |seat: &Seat| seat.kind != SeatKind::Regular;
        let mut others = Vec::new();
        while sweep.make_room() {
            others.push(admission.admit(Some(Ipv4Addr::LOCALHOST.into())).unwrap());
        }
        assert!(
            others.len() >= 32 && !others.iter().any(is_reserved),
            "{}: as many as may be on their way",
            others.len()
        );
        let gives_way = |n: usize| all[n].0.verdict() == Some(Reason::GivesWay);
        assert_eq!((0..200).filter(|n| gives_way(*n)).count(), others.len());
        assert!(!(0..200).any(|n| n % 4 == 3 && gives_way(n)));
        drop(all);
        assert!(others.iter().all(|_| {
            admission.admit(Some(Ipv4Addr::LOCALHOST.into())).is_ok_and(|seat| !is_reserved(&seat))
        }));
    }

    #[test]
    fn the_one_that_has_had_no_request_for_longest_gives_way() {
        let (sweep, admission) =
            (Arc::new(Sweep::new(TIMEOUTS, 1)), Arc::new(Admission::new(20, 20, Files::new(20))));
        let (early, busy): (Vec<_>, _) =
            ((0..10).map(|_| silent(&sweep, &admission)).collect(), silent(&sweep, &admission));
        busy.2.speaks(Protocol::Http1);
        let late = silent(&sweep, &admission);
        // Between two requests, the last of which is newer than the late one.
        busy.0.begin();
        busy.0.end();
        for left in (0..10).rev() {
            assert!(sweep.make_room());
            assert_eq!(early.iter().filter(|(activity, ..)| activity.verdict().is_none()).count(), left);
        }
        assert!(sweep.make_room());
        assert_eq!((late.0.verdict(), busy.0.verdict()), (Some(Reason::GivesWay), None));
    }

    #[test]
    fn who_is_asked_and_takes_nothing_is_woken_once_more_and_closed() {
        let sweep = Arc::new(Sweep::new(TIMEOUTS, 1));
        let (activity, woken, _place) = connection(&sweep);
        activity.begin();
        activity.set_blocked(true);
        let late = Instant::now() + Duration::from_secs(1000);
        let later = |seconds| late + Duration::from_secs(seconds);
        sweep.look(0, late);
        assert_eq!(woken.0.load(Relaxed), 0, "first seen now");
        sweep.look(0, later(25));
        assert_eq!((activity.take_probe(), activity.verdict(), woken.0.load(Relaxed)), (true, None, 1));
        sweep.look(0, later(27));
        assert_eq!((activity.verdict(), woken.0.load(Relaxed)), (Some(Reason::Unread), 2));
    }
}
