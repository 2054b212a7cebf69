//! Closes idle connections that are of no more use, though nobody asks for one.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::{runtime, time::sleep};

use super::{
    Pool, PoolShared,
    idle::{Left, REST},
};

/// A task of one runtime for one pool: connections are only told of what arrives by the runtime that opened them. It ends
/// when it has none left to look after.
pub(super) struct Reaper {
    pool: Weak<PoolShared>,
    runtime: runtime::Id,
    /// The pool has a note of it.
    is_noted: bool,
}

/// How often it looks, if no connection rests.
const PAUSE: Duration = Duration::from_secs(1);

// === impl Reaper ===

impl Reaper {
    /// The pool has just noted that there is one on this runtime.
    pub(super) fn new(pool: &Arc<PoolShared>, runtime: runtime::Id) -> Self {
        Self { pool: Arc::downgrade(pool), runtime, is_noted: true }
    }

    pub(super) async fn run(mut self) {
        let mut pause = PAUSE;
        while self.is_noted {
            sleep(pause).await;
            let Some(pool) = self.pool.upgrade() else { return };
            match Pool(pool).reap(self.runtime) {
                Left::Nothing => self.is_noted = false,
                Left::Idle => pause = PAUSE,
                Left::Resting => pause = REST,
            }
        }
    }
}

/// However the task ends, with its runtime too, the next connection gets another.
impl Drop for Reaper {
    fn drop(&mut self) {
        if let Some(pool) = self.pool.upgrade().filter(|_| self.is_noted) {
            Pool(pool).idle().end_tending(self.runtime);
        }
    }
}
