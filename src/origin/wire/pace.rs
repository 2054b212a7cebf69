use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// How much of a body is taken at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Pace {
    /// All that is there: fewest calls and copies.
    #[default]
    Full,
    /// [`SLOW_FRAME`] at most, in memory of its own: for a client that does not keep up, so that what waits for it keeps no
    /// larger buffer.
    Slow,
}

/// In bytes. Less than 16 KiB, since `hyper` doubles its read buffer when a read fills it.
pub(crate) const SLOW_FRAME: usize = 15 * 1024;

/// The pace of a connection, which whoever reads its body sets and its stream goes by.
#[derive(Debug, Clone, Default)]
pub(super) struct SharedPace(Arc<AtomicBool>);

// === impl Pace ===

impl Pace {
    /// In bytes: the most of one frame.
    pub(crate) fn at_most(self) -> usize {
        match self {
            Self::Full => usize::MAX,
            Self::Slow => SLOW_FRAME,
        }
    }
}

// === impl SharedPace ===

impl SharedPace {
    pub(super) fn set(&self, pace: Pace) {
        self.0.store(pace == Pace::Slow, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> Pace {
        if self.0.load(Ordering::Relaxed) { Pace::Slow } else { Pace::Full }
    }
}
