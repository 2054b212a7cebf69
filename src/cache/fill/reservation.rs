use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// The memory that all fills together take until the store has their bytes. Clones are the same pool.
#[derive(Debug, Clone, Default)]
pub(crate) struct MemoryPool(Arc<AtomicU64>);

/// A fill's part of the pool.
#[derive(Debug)]
pub(crate) struct Reservation {
    pool: MemoryPool,
    bytes: AtomicU64,
}

// === impl MemoryPool ===

impl MemoryPool {
    pub(crate) fn reserve(&self, bytes: u64) -> Reservation {
        self.0.fetch_add(bytes, Ordering::Relaxed);
        Reservation { pool: self.clone(), bytes: AtomicU64::new(bytes) }
    }

    /// In bytes.
    pub(crate) fn reserved(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

// === impl Reservation ===

impl Reservation {
    /// Reserves this many bytes from now on.
    pub(crate) fn resize(&self, bytes: u64) {
        // First: other threads may see too much for a moment, never too little.
        self.pool.0.fetch_add(bytes, Ordering::Relaxed);
        let before = self.bytes.swap(bytes, Ordering::Relaxed);
        self.pool.0.fetch_sub(before, Ordering::Relaxed);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.resize(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pool_has_the_sum_of_what_is_reserved() {
        let pool = MemoryPool::default();
        let (first, second) = (pool.reserve(10), pool.reserve(5));
        assert_eq!(pool.reserved(), 15);
        first.resize(0);
        first.resize(0);
        assert_eq!(pool.reserved(), 5);
        first.resize(7);
        assert_eq!(pool.reserved(), 12);
        drop(first);
        assert_eq!(pool.reserved(), 5);
        drop(second);
        assert_eq!(pool.reserved(), 0);
    }
}
