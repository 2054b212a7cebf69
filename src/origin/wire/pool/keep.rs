//! Keeping connections between two requests: which one is taken, and when one is closed.

use std::sync::{Arc, MutexGuard, PoisonError};

use tokio::{
    runtime::{self, Handle},
    time::Instant,
};

use super::{
    Pool,
    conn::Conn,
    idle::{Idle, IdleConn, Left, Rest},
    reaper::Reaper,
};

impl Pool {
    /// A kept connection of this runtime that is still open, if nobody waits for it.
    pub(super) fn check_out(&self) -> Option<Box<Conn>> {
        let mut idle = self.take_usable()?;
        if idle.conn.permit.is_none() {
            match Arc::clone(&self.0.free).try_acquire_owned() {
                Ok(permit) => idle.conn.permit = Some(permit),
                Err(_) => {
                    let surplus = self.idle().put(idle, self.0.settings.max_idle);
                    drop(surplus);
                    return None;
                }
            }
        }
        Some(idle.conn)
    }

    pub(super) fn take_usable(&self) -> Option<IdleConn> {
        let (runtime, now) = (this_runtime(), Instant::now());
        loop {
            let newest = self.idle().take(runtime);
            let mut idle = newest?;
            if self.is_usable(&mut idle, now) {
                return Some(idle);
            }
        }
    }

    pub(super) fn check_in(&self, mut conn: Box<Conn>, rest: Rest) {
        let now = Instant::now();
        if now >= conn.retires {
            return;
        }
        let runtime = conn.runtime();
        let mut idle = self.idle();
        // Whoever waits gets it, and then this connection. Asked under the lock: a request that finds no permit looks here
        // before it waits, and so finds either the connection or, in a moment, the permit.
        let permit = if self.0.free.available_permits() == 0 { conn.permit.take() } else { None };
        let surplus = idle.put(IdleConn { conn, since: now, rest }, self.0.settings.max_idle);
        // Those of a runtime that is gone sink to the bottom, and nobody else looks after them.
        let is_old = |idle: &IdleConn| now.duration_since(idle.since) >= self.0.settings.idle_timeout;
        let oldest = if idle.oldest().is_some_and(is_old) { idle.take_oldest(|_| true) } else { None };
        let untended = idle.begin_tending(runtime);
        drop(idle);
        drop(permit);
        drop((surplus, oldest));
        self.0.budget.make_room();
        if let Some(runtime) = untended {
            runtime.spawn(Reaper::new(&self.0, runtime.id()).run());
        }
    }

    /// Closes what a runtime can't use any more.
    pub(super) fn reap(&self, runtime: runtime::Id) -> Left {
        let now = Instant::now();
        let mut idle = self.idle();
        let useless = idle.sweep(runtime, now, self.0.settings.max_idle, |idle| self.is_usable(idle, now));
        let left = idle.left(runtime);
        if left == Left::Nothing {
            idle.end_tending(runtime);
        }
        drop(idle);
        drop(useless);
        left
    }

    fn is_usable(&self, idle: &mut IdleConn, now: Instant) -> bool {
        now.saturating_duration_since(idle.since) < self.0.settings.idle_timeout
            && now < idle.conn.retires
            && idle.conn.is_idle()
    }

    pub(super) fn idle(&self) -> MutexGuard<'_, Idle> {
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `None` outside of any.
fn this_runtime() -> Option<runtime::Id> {
    Handle::try_current().ok().map(|handle| handle.id())
}
