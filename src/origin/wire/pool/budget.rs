//! The connections that all pools of a process can have open: each is a file.

use std::{
    cmp::Reverse,
    sync::{
        Arc, LazyLock, Mutex, PoisonError, Weak,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout_at},
};

use super::{Pool, PoolShared};

/// A bound for the connections of several pools together, which is none at first.
pub(crate) struct Budget {
    /// A permit for each connection that can be opened.
    free: Arc<Semaphore>,
    most: AtomicUsize,
    /// Requests that wait until a connection is closed.
    waiting: AtomicUsize,
    pools: Mutex<Vec<Weak<PoolShared>>>,
}

/// A request that waits until a connection is closed.
struct Waiting<'a>(&'a AtomicUsize);

// === impl Budget ===

impl Budget {
    pub(super) fn unbounded() -> Arc<Self> {
        let most = Semaphore::MAX_PERMITS;
        let (free, waiting) = (Arc::new(Semaphore::new(most)), AtomicUsize::new(0));
        Arc::new(Self { free, most: AtomicUsize::new(most), waiting, pools: Mutex::default() })
    }

    /// That of the process.
    pub(crate) fn of_process() -> Arc<Self> {
        static BUDGET: LazyLock<Arc<Budget>> = LazyLock::new(Budget::unbounded);
        Arc::clone(&BUDGET)
    }

    /// Lowers the bound, if it is higher.
    pub(crate) fn lower(&self, most: usize) {
        let before = self.most.fetch_min(most, Relaxed);
        self.free.forget_permits(before.saturating_sub(most));
    }

    pub(super) fn most(&self) -> usize {
        self.most.load(Relaxed)
    }

    /// Counts the connections of a pool.
    pub(super) fn add(&self, pool: &Arc<PoolShared>) {
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        pools.retain(|pool| pool.strong_count() > 0);
        pools.push(Arc::downgrade(pool));
    }

    /// A place for a connection, for which an idle one is closed if need be; `None` if there is none in time.
    pub(super) async fn place(&self, deadline: Instant) -> Option<OwnedSemaphorePermit> {
        match self.place_at_once() {
            Some(place) => Some(place),
            None => Box::pin(self.wait(deadline)).await,
        }
    }

    fn place_at_once(&self) -> Option<OwnedSemaphorePermit> {
        loop {
            if let Ok(place) = Arc::clone(&self.free).try_acquire_owned() {
                return Some(place);
            }
            if !self.close_idle() {
                return None;
            }
        }
    }

    async fn wait(&self, deadline: Instant) -> Option<OwnedSemaphorePermit> {
        let _waiting = Waiting::new(&self.waiting);
        // What became idle meanwhile was kept, since nobody waited.
        self.close_idle();
        // The semaphore is never closed.
        timeout_at(deadline, Arc::clone(&self.free).acquire_owned()).await.ok()?.ok()
    }

    /// Closes a connection that has just become idle, or another that is, if a request waits for that.
    pub(super) fn make_room(&self) {
        // Those who wait looked at the idle ones, under their lock, after they were counted here. They have seen the
        // connection, or are seen.
        if self.waiting.load(Relaxed) > 0 {
            self.close_idle();
        }
    }

    /// Closes an idle connection, of a pool with many of them. Whether there was one.
    fn close_idle(&self) -> bool {
        let mut pools: Vec<_> = {
            let pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
            pools.iter().filter_map(Weak::upgrade).map(Pool).collect()
        };
        pools.sort_by_cached_key(|pool| Reverse(pool.idle().len()));
        let closed = pools.iter().find_map(|pool| pool.idle().take_oldest(|_| true));
        closed.is_some()
    }

    #[cfg(test)]
    pub(super) fn is_waited_for(&self) -> bool {
        self.waiting.load(Relaxed) > 0
    }
}

// === impl Waiting ===

impl<'a> Waiting<'a> {
    fn new(waiting: &'a AtomicUsize) -> Self {
        waiting.fetch_add(1, Relaxed);
        Self(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}
