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
    sync::{AcquireError, OwnedSemaphorePermit, Semaphore},
    time::{error::Elapsed, timeout},
};

use crate::request::Purpose;

/// The bounds of a mount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InFlightLimits {
    /// Requests from their sending until S3's response has been read.
    pub(crate) max_in_flight: usize,
    /// Requests for responses that have not begun, which wait for one of these to end.
    pub(crate) max_queued: usize,
    /// For how long they wait.
    pub(crate) queue_timeout: Duration,
    /// For how long requests for responses that have begun wait.
    pub(crate) continue_timeout: Duration,
}

/// The requests of a mount to S3, in flight and queued. Clones count together.
#[derive(Clone)]
pub(crate) struct InFlight(Arc<Shared>);

struct Shared {
    /// First come, first served.
    free: Arc<Semaphore>,
    /// A permit to wait for `free` for a response that has not begun. There is one: those that have begun wait for one of
    /// the others at most, and each of the others for those that came before.
    front: Semaphore,
    /// Responses that have not begun, those at the front included.
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
        let free = Arc::new(Semaphore::new(limits.max_in_flight.min(Semaphore::MAX_PERMITS)));
        Self(Arc::new(Shared { free, front: Semaphore::new(1), queued: AtomicUsize::new(0), limits }))
    }

    /// The permission to send a request, which ends when it is dropped.
    pub(super) async fn begin(&self, purpose: Purpose) -> Result<OwnedSemaphorePermit, Overload> {
        // While some are queued, what is free is theirs.
        let may_be_free = purpose == Purpose::Continue || self.0.queued.load(Ordering::Relaxed) == 0;
        if may_be_free && let Ok(permit) = Arc::clone(&self.0.free).try_acquire_owned() {
            return Ok(permit);
        }
        // Boxed: rare, and large beside the rest.
        match purpose {
            Purpose::Begin | Purpose::Check => Box::pin(self.wait_to_begin()).await,
            Purpose::Continue => Box::pin(self.wait_to_continue()).await,
            Purpose::Spare => Err(Overload::QueueFull),
        }
    }

    async fn wait_to_begin(&self) -> Result<OwnedSemaphorePermit, Overload> {
        let Shared { free, front, queued, limits } = &*self.0;
        let _place = Queued::new(queued, limits.max_queued).ok_or(Overload::QueueFull)?;
        let permit = timeout(limits.queue_timeout, async {
            let _front = front.acquire().await;
            Arc::clone(free).acquire_owned().await
        });
        or_in_vain(permit.await)
    }

    /// However many wait: they are no more than the responses that clients already get.
    async fn wait_to_continue(&self) -> Result<OwnedSemaphorePermit, Overload> {
        let Shared { free, limits, .. } = &*self.0;
        or_in_vain(timeout(limits.continue_timeout, Arc::clone(free).acquire_owned()).await)
    }
}

fn or_in_vain(
    waited: Result<Result<OwnedSemaphorePermit, AcquireError>, Elapsed>,
) -> Result<OwnedSemaphorePermit, Overload> {
    // The semaphore is never closed.
    waited.ok().and_then(Result::ok).ok_or(Overload::QueueTimeout)
}

impl fmt::Debug for InFlight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("InFlight").field(&self.0.limits).finish()
    }
}

// === impl InFlightLimits ===

impl Default for InFlightLimits {
    fn default() -> Self {
        Self {
            max_in_flight: 4096,
            max_queued: 256,
            queue_timeout: Duration::from_secs(1),
            continue_timeout: Duration::from_secs(30),
        }
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
    use std::pin::pin;

    use tokio::task::JoinSet;

    use super::*;

    /// Longer than anything here takes.
    const HANG: Duration = Duration::from_secs(20);

    fn in_flight(max_in_flight: usize, max_queued: usize) -> InFlight {
        let (queue_timeout, continue_timeout) = (HANG, HANG);
        InFlight::new(InFlightLimits { max_in_flight, max_queued, queue_timeout, continue_timeout })
    }

    #[tokio::test]
    async fn those_who_wait_are_served_in_their_order_and_not_overtaken() {
        let gate = in_flight(1, 3);
        let first = gate.begin(Purpose::Begin).await.unwrap();
        let mut waiting = JoinSet::new();
        for number in 0..3 {
            let same = gate.clone();
            waiting.spawn(async move { same.begin(Purpose::Begin).await.map(|permit| (number, permit)) });
            settle().await;
            assert_eq!(gate.0.queued.load(Ordering::Relaxed), number + 1);
        }
        assert_eq!(gate.begin(Purpose::Begin).await.unwrap_err(), Overload::QueueFull);
        drop(first);
        for expected in 0..3 {
            let (number, permit) = waiting.join_next().await.unwrap().unwrap().unwrap();
            assert_eq!(number, expected);
            drop(permit);
        }
        assert_eq!(gate.0.queued.load(Ordering::Relaxed), 0);
        drop(gate.begin(Purpose::Begin).await.unwrap());
    }

    #[tokio::test]
    async fn whoever_stops_waiting_leaves_the_queue() {
        let gate = in_flight(1, 1);
        let first = gate.begin(Purpose::Begin).await.unwrap();
        for _ in 0..3 {
            assert!(timeout(Duration::from_millis(1), gate.begin(Purpose::Begin)).await.is_err(), "it waits");
        }
        drop(first);
        drop(gate.begin(Purpose::Begin).await.unwrap());
    }

    #[tokio::test]
    async fn nobody_waits_for_longer_than_allowed_or_without_a_queue() {
        let brief = InFlightLimits {
            max_in_flight: 1,
            max_queued: 1,
            queue_timeout: Duration::from_millis(1),
            continue_timeout: HANG,
        };
        let gate = InFlight::new(brief);
        let _first = gate.begin(Purpose::Begin).await.unwrap();
        assert_eq!(gate.begin(Purpose::Begin).await.unwrap_err(), Overload::QueueTimeout);
        let gate = in_flight(1, 0);
        let _first = gate.begin(Purpose::Begin).await.unwrap();
        assert_eq!(gate.begin(Purpose::Begin).await.unwrap_err(), Overload::QueueFull);
    }

    /// Waits until each of so many that were spawned has begun to wait.
    async fn settle() {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_response_that_has_begun_waits_for_one_that_has_not_at_most() {
        use Purpose::{Begin, Continue};

        let gate = in_flight(1, 4);
        let first = gate.begin(Begin).await.unwrap();
        let mut waiting = JoinSet::new();
        for (number, purpose) in [Begin, Begin, Continue, Begin, Continue, Continue].into_iter().enumerate() {
            let same = gate.clone();
            waiting.spawn(async move { same.begin(purpose).await.map(|permit| (number, permit)) });
            settle().await;
        }
        drop(first);
        let mut order = Vec::new();
        while let Some(served) = waiting.join_next().await {
            let (number, _permit) = served.unwrap().unwrap();
            order.push(number);
            // The next one comes to the front before this one ends.
            settle().await;
        }
        assert_eq!(order, [0, 2, 4, 5, 1, 3]);
        assert_eq!(gate.0.free.available_permits(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_response_that_has_begun_waits_longer_than_one_that_has_not_and_with_no_queue() {
        let limits = InFlightLimits {
            max_in_flight: 1,
            max_queued: 0,
            queue_timeout: Duration::from_secs(1),
            continue_timeout: Duration::from_secs(30),
        };
        let gate = InFlight::new(limits);
        let first = gate.begin(Purpose::Begin).await.unwrap();
        let continuing = || timeout(Duration::from_secs(29), gate.begin(Purpose::Continue));
        assert!(continuing().await.is_err(), "it still waits");
        assert_eq!(gate.begin(Purpose::Begin).await.unwrap_err(), Overload::QueueFull);
        assert_eq!(gate.begin(Purpose::Continue).await.unwrap_err(), Overload::QueueTimeout);
        let (continued, ()) = tokio::join!(continuing(), async { drop(first) });
        assert!(continued.unwrap().is_ok());
    }

    #[tokio::test]
    async fn a_response_that_does_without_neither_waits_nor_overtakes() {
        use Purpose::{Begin, Spare};

        let gate = in_flight(1, 1);
        let first = gate.begin(Spare).await.unwrap();
        assert_eq!(gate.begin(Spare).await.unwrap_err(), Overload::QueueFull);
        let mut waiting = pin!(gate.begin(Begin));
        assert!(timeout(Duration::ZERO, waiting.as_mut()).await.is_err(), "it waits");
        drop(first);
        assert_eq!(gate.begin(Spare).await.unwrap_err(), Overload::QueueFull, "what is free is the other's");
        drop(waiting.await.unwrap());
        drop(gate.begin(Spare).await.unwrap());
    }

    #[test]
    fn any_number_is_a_bound() {
        assert!(format!("{:?}", in_flight(usize::MAX, usize::MAX)).contains("max_queued"));
    }
}
