use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    runtime::Handle,
    time::{Instant, Sleep, sleep_until},
};

/// Limits how long the next bytes of a body are waited for, not how long its reader takes to ask for them.
///
/// The timer stays for the next body of the connection, and is set again only when it fires: bytes that come in time cost
/// it nothing.
pub(super) struct Silence {
    limit: Duration,
    /// When the wait began; `None` if nothing is waited for.
    since: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

/// Nothing came within the limit.
#[derive(Debug)]
pub(super) struct Silent(Duration);

// === impl Silence ===

impl Silence {
    pub(super) fn new(limit: Duration) -> Self {
        Self { limit, since: None, timer: None }
    }

    /// Something came.
    pub(super) fn broken(&mut self) {
        self.since = None;
    }

    /// Nothing has come yet: waits on until the limit.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Silent> {
        let since = *self.since.get_or_insert_with(Instant::now);
        // A limit that no clock can reach is none.
        let Some(deadline) = since.checked_add(self.limit) else { return Poll::Pending };
        let timer = match &mut self.timer {
            Some(timer) => timer,
            // Without a runtime there is no timer.
            None if Handle::try_current().is_err() => return Poll::Pending,
            None => self.timer.insert(Box::pin(sleep_until(deadline))),
        };
        // It may have been set for an earlier wait, which ended in time.
        while timer.as_mut().poll(cx).is_ready() {
            if Instant::now() >= deadline {
                self.since = None;
                return Poll::Ready(Silent(self.limit));
            }
            timer.as_mut().reset(deadline);
        }
        Poll::Pending
    }
}

// === impl Silent ===

impl fmt::Display for Silent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the origin sent nothing more for {:?}", self.0)
    }
}

impl std::error::Error for Silent {}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::time::{advance, sleep};

    use super::*;

    const LIMIT: Duration = Duration::from_secs(30);

    #[tokio::test(start_paused = true)]
    async fn it_ends_at_the_limit_of_the_wait_in_progress() {
        let mut silence = Silence::new(LIMIT);
        for (heard_after, waits_for) in [(10, 30), (29, 30), (100, 30)] {
            // A wait that ends in time. The reader is away for longer than the limit, then.
            assert!(poll_fn(|cx| Poll::Ready(silence.poll(cx).is_pending())).await);
            advance(Duration::from_secs(heard_after)).await;
            silence.broken();
            advance(LIMIT * 3).await;
            let begin = Instant::now();
            poll_fn(|cx| silence.poll(cx)).await;
            assert_eq!(begin.elapsed(), Duration::from_secs(waits_for), "{heard_after}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_beyond_the_clock_is_none() {
        let mut silence = Silence::new(Duration::MAX);
        let silent = poll_fn(|cx| silence.poll(cx));
        tokio::select! {
            _ = silent => panic!("it ended"),
            () = sleep(LIMIT * 1000) => {}
        }
    }
}
