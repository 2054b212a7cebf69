//! The idle connections of a pool.

use std::time::Duration;

use tokio::{
    runtime::{self, Handle},
    time::Instant,
};

use super::conn::Conn;

#[derive(Default)]
pub(super) struct Idle {
    /// Those that can be used. A stack: the connection used last is the one least likely to have been closed.
    stack: Vec<IdleConn>,
    /// Those that can't be used yet. They are as many as the traffic makes them, up to all connections: to close them would
    /// open one for each request.
    resting: Vec<IdleConn>,
    /// The runtimes on which a task looks after theirs.
    tended: Vec<runtime::Id>,
}

/// What a task that looks after connections has left to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    Nothing,
    Idle,
    Resting,
}

pub(super) struct IdleConn {
    pub(super) conn: Box<Conn>,
    pub(super) since: Instant,
    pub(super) rest: Rest,
}

/// Whether a connection can be used again.
///
/// An answer without a body can announce one (RFC 9110 §9.3.2, §15.4.5). An origin that sends it all the same would answer
/// the next request with it. So the connection rests until that must have come, and is looked at twice: a task that wakes
/// up late knows only by the second time what arrived before the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rest {
    Needed,
    LookedAtOnce,
    Over,
}

/// From the answer to the first look, and on to the second.
pub(super) const REST: Duration = Duration::from_millis(50);

/// For how long those that rested may be more than can be kept.
const SURPLUS: Duration = Duration::from_secs(1);

// === impl Idle ===

impl Idle {
    /// The newest of this runtime that need not rest.
    pub(super) fn take(&mut self, runtime: Option<runtime::Id>) -> Option<IdleConn> {
        let newest = self.stack.iter().rposition(|idle| idle.conn.runtime() == runtime)?;
        Some(self.stack.remove(newest))
    }

    /// Adds a connection. If there is no room, it comes back.
    #[must_use = "connections are closed when the lock is free"]
    pub(super) fn put(&mut self, idle: IdleConn, most: usize) -> Option<IdleConn> {
        match idle.rest {
            Rest::Over if self.stack.len() < most => self.stack.push(idle),
            Rest::Needed | Rest::LookedAtOnce if most > 0 => self.resting.push(idle),
            Rest::Needed | Rest::LookedAtOnce | Rest::Over => return Some(idle),
        }
        None
    }

    /// The one of its kind that was used least recently, of those that rest if there are any.
    pub(super) fn take_oldest(&mut self, is_it: impl Fn(&IdleConn) -> bool) -> Option<IdleConn> {
        [&mut self.resting, &mut self.stack].into_iter().find_map(|conns| {
            let oldest = conns.iter().position(&is_it)?;
            Some(conns.remove(oldest))
        })
    }

    pub(super) fn without_permit(&self) -> usize {
        self.all().filter(|idle| idle.conn.permit.is_none()).count()
    }

    /// Of those that need not rest.
    pub(super) fn oldest(&self) -> Option<&IdleConn> {
        self.stack.first()
    }

    /// Looks at those of a runtime, and takes out those that are of no more use.
    #[must_use = "connections are closed when the lock is free"]
    pub(super) fn sweep(
        &mut self,
        runtime: runtime::Id,
        now: Instant,
        most: usize,
        is_usable: impl Fn(&mut IdleConn) -> bool,
    ) -> Vec<IdleConn> {
        let is_own = |idle: &IdleConn| idle.conn.runtime() == Some(runtime);
        let mut useless: Vec<_> =
            self.resting.extract_if(.., |idle| is_own(idle) && !is_usable(idle)).collect();
        self.stack.extend(self.resting.extract_if(.., |idle| is_own(idle) && idle.look(now) == Rest::Over));
        let mut surplus = self.stack.len().saturating_sub(most);
        useless.extend(self.stack.extract_if(.., |idle| {
            let is_surplus = surplus > 0 && now.saturating_duration_since(idle.since) >= SURPLUS;
            let is_useless = is_own(idle) && (is_surplus || !is_usable(idle));
            surplus = surplus.saturating_sub(usize::from(is_useless));
            is_useless
        }));
        useless
    }

    /// Notes that a task looks after those of a runtime. Where it runs, if there is none yet.
    pub(super) fn begin_tending(&mut self, runtime: Option<runtime::Id>) -> Option<Handle> {
        let runtime = runtime.filter(|runtime| !self.tended.contains(runtime))?;
        let handle = self.all().find_map(|idle| match &idle.conn.runtime {
            Some(handle) if handle.id() == runtime => Some(handle.clone()),
            Some(_) | None => None,
        })?;
        self.tended.push(runtime);
        Some(handle)
    }

    pub(super) fn end_tending(&mut self, runtime: runtime::Id) {
        self.tended.retain(|other| *other != runtime);
    }

    /// What there is to look after on a runtime.
    pub(super) fn left(&self, runtime: runtime::Id) -> Left {
        let is_own = |idle: &IdleConn| idle.conn.runtime() == Some(runtime);
        if self.resting.iter().any(is_own) {
            Left::Resting
        } else if self.stack.iter().any(is_own) {
            Left::Idle
        } else {
            Left::Nothing
        }
    }

    fn all(&self) -> impl Iterator<Item = &IdleConn> {
        self.stack.iter().chain(&self.resting)
    }

    #[cfg(test)]
    pub(super) fn is_tended(&self) -> bool {
        !self.tended.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.all().count()
    }
}

// === impl IdleConn ===

impl IdleConn {
    /// It was seen to be open, and that nothing came.
    fn look(&mut self, now: Instant) -> Rest {
        self.rest = match self.rest {
            Rest::Needed if now.saturating_duration_since(self.since) < REST => Rest::Needed,
            Rest::Needed => Rest::LookedAtOnce,
            Rest::LookedAtOnce | Rest::Over => Rest::Over,
        };
        self.rest
    }
}
