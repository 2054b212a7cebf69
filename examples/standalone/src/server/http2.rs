use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use hyper::rt::Executor;
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep_until};

use super::{activity::Activity, progress::Progress};

/// Runs the requests of an HTTP/2 connection, each in a task of its own, and gives up those whose response is not taken.
///
/// A task that ends before its response does resets the stream: the client sees RST_STREAM, and the others go on.
#[derive(Debug, Clone)]
pub(crate) struct RequestTasks {
    activity: Arc<Activity>,
    /// How long a response waits for a client that takes nothing of it.
    timeout: Duration,
}

tokio::task_local! {
    static PROGRESS: Arc<Progress>;
}

/// What the task that runs this tells of its response: only requests over HTTP/2 have one.
pub(crate) fn progress() -> Option<Arc<Progress>> {
    PROGRESS.try_with(Arc::clone).ok()
}

// === impl RequestTasks ===

impl RequestTasks {
    pub(crate) fn new(activity: Arc<Activity>, timeout: Duration) -> Self {
        Self { activity, timeout }
    }
}

impl<F> Executor<F> for RequestTasks
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, request: F) {
        let progress = Arc::new(Progress::default());
        let (activity, timeout) = (Arc::clone(&self.activity), self.timeout);
        let task = RequestTask {
            request,
            progress: Arc::clone(&progress),
            activity,
            stall: Stall { timeout, since: None, taken: 0 },
            alarm: None,
        };
        tokio::spawn(PROGRESS.scope(progress, task));
    }
}

pin_project! {
    /// A request until its response is taken, or not taken for too long.
    struct RequestTask<F> {
        #[pin]
        request: F,
        progress: Arc<Progress>,
        activity: Arc<Activity>,
        stall: Stall,
        // Rings while something waits for the client.
        #[pin]
        alarm: Option<Sleep>,
    }
}

/// Since when nothing was taken, judged by looking now and then: four times within the time-out.
struct Stall {
    timeout: Duration,
    since: Option<Instant>,
    /// What was taken then, in bytes.
    taken: u64,
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    LookAgain(Instant),
    GiveUp,
}

// === impl RequestTask ===

impl<F: Future<Output = ()>> Future for RequestTask<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut me = self.project();
        if me.request.poll(cx).is_ready() {
            return Poll::Ready(());
        }
        loop {
            if let Some(alarm) = me.alarm.as_mut().as_pin_mut() {
                ready!(alarm.poll(cx));
            }
            if me.progress.untaken() == 0 {
                me.alarm.set(None);
                me.stall.since = None;
                return Poll::Pending;
            }
            match me.stall.look(me.progress.taken(), me.activity.is_blocked(), Instant::now()) {
                Verdict::LookAgain(at) => me.alarm.set(Some(sleep_until(at))),
                Verdict::GiveUp => {
                    tracing::debug!("response reset: nothing of it taken within --write-timeout");
                    return Poll::Ready(());
                }
            }
        }
    }
}

// === impl Stall ===

impl Stall {
    /// If the kernel takes nothing, the connection is slow as a whole, and has a watch of its own.
    fn look(&mut self, taken: u64, is_blocked: bool, now: Instant) -> Verdict {
        let since = match self.since {
            Some(since) if taken == self.taken && !is_blocked => since,
            _ => now,
        };
        (self.since, self.taken) = (Some(since), taken);
        match since + self.timeout {
            due if due <= now => Verdict::GiveUp,
            due => Verdict::LookAgain(due.min(now + self.timeout / 4)),
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::{Buf, Bytes};
    use tokio::{
        sync::oneshot,
        time::{sleep, timeout},
    };

    use super::*;
    use crate::server::progress::Counted;

    const TIMEOUT: Duration = Duration::from_secs(20);
    const LONG: Duration = Duration::from_secs(1000);

    /// When a request is given up, in seconds, if this happens to its response.
    async fn given_up_after<W>(
        activity: &Arc<Activity>,
        happens: impl FnOnce(Arc<Progress>) -> W + Send + 'static,
    ) -> Option<u64>
    where
        W: Future<Output = ()> + Send + 'static,
    {
        let (alive, ended) = oneshot::channel::<()>();
        let begin = Instant::now();
        RequestTasks::new(Arc::clone(activity), TIMEOUT).execute(async move {
            let _alive = alive;
            happens(progress().unwrap()).await;
            std::future::pending::<()>().await;
        });
        timeout(LONG, ended).await.ok().map(|_| begin.elapsed().as_secs())
    }

    fn data(progress: &Arc<Progress>, size: usize) -> Counted<Bytes> {
        Counted::new(Bytes::from(vec![0; size]), Some(progress))
    }

    #[tokio::test(start_paused = true)]
    async fn a_response_that_is_not_taken_is_given_up_and_others_are_not() {
        let activity = Arc::new(Activity::default());
        let unread = given_up_after(&activity, |progress| async move {
            let _held = data(&progress, 10);
            sleep(LONG).await;
        });
        assert!(matches!(unread.await, Some(20..=25)));

        let waits_for_s3 = given_up_after(&activity, |progress| async move {
            drop(data(&progress, 10));
            sleep(LONG).await;
        });
        assert_eq!(waits_for_s3.await, None);

        let little = given_up_after(&activity, |progress| async move {
            let mut held = data(&progress, 1000);
            while held.has_remaining() {
                sleep(Duration::from_secs(15)).await;
                held.advance(1);
            }
        });
        assert_eq!(little.await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_kernel_does_not_take_is_the_matter_of_the_connection() {
        let activity = Arc::new(Activity::default());
        activity.set_blocked(true);
        let slow_connection = given_up_after(&activity, |progress| async move {
            let _held = data(&progress, 10);
            sleep(LONG).await;
        });
        assert_eq!(slow_connection.await, None);
    }
}
