//! How many requests of a mount are in flight to S3, and how many wait for that.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

/// The bounds of a mount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InFlightLimits {
    /// Requests from their sending until S3's response has been read.
    pub(crate) max_in_flight: usize,
    /// Requests that wait for one of these to end.
    pub(crate) max_queued: usize,
    /// For how long they wait.
    pub(crate) queue_timeout: Duration,
}

/// The requests of a mount to S3, in flight and queued. Clones count together.
#[derive(Clone)]
pub(crate) struct InFlight(Arc<Shared>);

struct Shared {
    free: Arc<Semaphore>,
    queued: AtomicUsize,
    limits: InFlightLimits,
}

/// A place in the queue.
struct Queued<'a>(&'a AtomicUsize);

/// Why S3 is not asked: enough is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Overload {
    QueueFull,
    QueueTimeout,
}

// === impl InFlight ===

impl InFlight {
    pub(crate) fn new(limits: InFlightLimits) -> Self {
        let free = Semaphore::new(limits.max_in_flight.min(Semaphore::MAX_PERMITS));
        Self(Arc::new(Shared { free: Arc::new(free), queued: AtomicUsize::new(0), limits }))
    }

    /// The permission to send a request, which ends when it is dropped. First come, first served.
    pub(super) async fn begin(&self) -> Result<OwnedSemaphorePermit, Overload> {
        match Arc::clone(&self.0.free).try_acquire_owned() {
            Ok(permit) => Ok(permit),
            // Boxed: rare, and large beside the rest.
            Err(_) => Box::pin(self.wait()).await,
        }
    }

    async fn wait(&self) -> Result<OwnedSemaphorePermit, Overload> {
        let Shared { free, queued, limits } = &*self.0;
        let _place = Queued::new(queued, limits.max_queued).ok_or(Overload::QueueFull)?;
        match timeout(limits.queue_timeout, Arc::clone(free).acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            // The semaphore is never closed.
            Ok(Err(_)) | Err(_) => Err(Overload::QueueTimeout),
        }
    }
}

impl fmt::Debug for InFlight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("InFlight").field(&self.0.limits).finish()
    }
}

// === impl InFlightLimits ===

impl Default for InFlightLimits {
    fn default() -> Self {
        Self { max_in_flight: 4096, max_queued: 256, queue_timeout: Duration::from_secs(1) }
    }
}

// === impl Queued ===

impl<'a> Queued<'a> {
    /// `None` if the queue is full.
    fn new(queued: &'a AtomicUsize, most: usize) -> Option<Self> {
        let next = |length: usize| (length < most).then(|| length + 1);
        queued.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).ok().map(|_| Self(queued))
    }
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

// === impl Overload ===

impl fmt::Display for Overload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::QueueFull => "max_in_flight requests are in flight to the origin, and max_queued wait",
            Self::QueueTimeout => {
                "max_in_flight requests are in flight to the origin, and none ended in time"
            }
        })
    }
}

impl std::error::Error for Overload {}

#[cfg(test)]
mod tests {
    use tokio::task::JoinSet;

    use super::*;

    fn in_flight(max_in_flight: usize, max_queued: usize) -> InFlight {
        InFlight::new(InFlightLimits { max_in_flight, max_queued, queue_timeout: Duration::from_secs(20) })
    }

    #[tokio::test]
    async fn those_who_wait_are_served_in_their_order_and_not_overtaken() {
        let gate = in_flight(1, 3);
        let first = gate.begin().await.unwrap();
        let mut waiting = JoinSet::new();
        for number in 0..3 {
            let same = gate.clone();
            waiting.spawn(async move { same.begin().await.map(|permit| (number, permit)) });
            while gate.0.queued.load(Ordering::Relaxed) <= number {
                tokio::task::yield_now().await;
            }
        }
        assert_eq!(gate.begin().await.unwrap_err(), Overload::QueueFull);
        drop(first);
        for expected in 0..3 {
            let (number, permit) = waiting.join_next().await.unwrap().unwrap().unwrap();
            assert_eq!(number, expected);
            drop(permit);
        }
        assert_eq!(gate.0.queued.load(Ordering::Relaxed), 0);
        drop(gate.begin().await.unwrap());
    }

    #[tokio::test]
    async fn whoever_stops_waiting_leaves_the_queue() {
        let gate = in_flight(1, 1);
        let first = gate.begin().await.unwrap();
        for _ in 0..3 {
            assert!(timeout(Duration::from_millis(1), gate.begin()).await.is_err(), "it waits");
        }
        drop(first);
        drop(gate.begin().await.unwrap());
    }

    #[tokio::test]
    async fn nobody_waits_for_longer_than_allowed_or_without_a_queue() {
        let brief =
            InFlightLimits { max_in_flight: 1, max_queued: 1, queue_timeout: Duration::from_millis(1) };
        let gate = InFlight::new(brief);
        let _first = gate.begin().await.unwrap();
        assert_eq!(gate.begin().await.unwrap_err(), Overload::QueueTimeout);
        let gate = in_flight(1, 0);
        let _first = gate.begin().await.unwrap();
        assert_eq!(gate.begin().await.unwrap_err(), Overload::QueueFull);
    }

    #[test]
    fn any_number_is_a_bound() {
        assert!(format!("{:?}", in_flight(usize::MAX, usize::MAX)).contains("max_queued"));
    }
}
