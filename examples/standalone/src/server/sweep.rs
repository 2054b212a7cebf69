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
    detect::Protocol,
    limits::Timeouts,
    watch::{Verdict, Watch, period},
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

    /// Looks at the connection from now on.
    pub(crate) fn watch(self: &Arc<Self>, protocol: Protocol, activity: &Arc<Activity>) -> Place {
        let watch = Watch::new(protocol, self.timeouts, activity, Instant::now());
        let key = self.connections().insert(Watched { activity: Arc::clone(activity), watch });
        Place { sweep: Arc::clone(self), key }
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
    fn look(&mut self, now: Instant) {
        match self.watch.look(self.activity.seen(), now) {
            Verdict::GoOn => {}
            Verdict::Probe => self.activity.probe(),
            Verdict::Close(reason) => self.activity.close(reason),
        }
    }
}

// === impl Place ===

impl Drop for Place {
    fn drop(&mut self) {
        self.sweep.connections().try_remove(self.key);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering::Relaxed},
        task::{Wake, Waker},
    };

    use super::*;
    use crate::server::watch::Reason;

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

    fn connection(sweep: &Arc<Sweep>) -> (Arc<Activity>, Arc<Woken>, Place) {
        let (activity, woken) = (Arc::new(Activity::default()), Arc::new(Woken::default()));
        activity.register(&Waker::from(Arc::clone(&woken)));
        let place = sweep.watch(Protocol::Http1, &activity);
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
