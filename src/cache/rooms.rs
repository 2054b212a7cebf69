use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

/// The memory that reads of S3 take, all together. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rooms(Arc<Sums>);

/// In bytes.
#[derive(Debug, Default)]
struct Sums {
    taken: AtomicU64,
    arriving: AtomicU64,
}

/// Memory that a read takes, until its last reader has gone.
#[derive(Debug)]
pub(crate) struct Room {
    rooms: Rooms,
    bytes: u64,
    has_arrived: AtomicBool,
}

// === impl Rooms ===

impl Rooms {
    pub(crate) fn take(&self, bytes: u64) -> Room {
        self.0.taken.fetch_add(bytes, Ordering::Relaxed);
        self.0.arriving.fetch_add(bytes, Ordering::Relaxed);
        Room { rooms: self.clone(), bytes, has_arrived: AtomicBool::new(false) }
    }

    pub(crate) fn taken(&self) -> u64 {
        self.0.taken.load(Ordering::Relaxed)
    }

    /// For what is not the cache's yet.
    pub(crate) fn arriving(&self) -> u64 {
        self.0.arriving.load(Ordering::Relaxed)
    }
}

// === impl Room ===

impl Room {
    /// From now on the cache counts what is in it.
    pub(crate) fn arrived(&self) {
        if !self.has_arrived.swap(true, Ordering::Relaxed) {
            self.rooms.0.arriving.fetch_sub(self.bytes, Ordering::Relaxed);
        }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.arrived();
        self.rooms.0.taken.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_arrives_is_counted_until_it_has_and_what_is_taken_until_it_is_left() {
        let rooms = Rooms::default();
        let (first, second) = (rooms.take(10), rooms.take(5));
        assert_eq!((rooms.taken(), rooms.arriving()), (15, 15));
        first.arrived();
        first.arrived();
        assert_eq!((rooms.taken(), rooms.arriving()), (15, 5));
        drop(first);
        assert_eq!((rooms.taken(), rooms.arriving()), (5, 5));
        drop(second);
        assert_eq!((rooms.taken(), rooms.arriving()), (0, 0));
    }
}
