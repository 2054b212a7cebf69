//! In place of the crate's `cache/sync.rs`: the checker's primitives, and on top of them the parts of tokio that the
//! crate uses.

pub(crate) use std::sync::PoisonError;
use std::{
    future::poll_fn,
    task::{Poll, Waker},
};

pub(crate) use loom::sync::{Mutex, MutexGuard, atomic};

/// As `tokio::sync::Notify` for one who waits: who is notified while it does not wait goes on at once.
#[derive(Default)]
pub(crate) struct Notify(Mutex<(bool, Option<Waker>)>);

// === impl Notify ===

impl Notify {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn notify_one(&self) {
        let waiting = {
            let mut state = self.0.lock().unwrap();
            state.0 = true;
            state.1.take()
        };
        if let Some(waiting) = waiting {
            waiting.wake();
        }
    }

    pub(crate) async fn notified(&self) {
        poll_fn(|cx| {
            let mut state = self.0.lock().unwrap();
            if std::mem::take(&mut state.0) {
                return Poll::Ready(());
            }
            state.1 = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

/// As `tokio::sync::watch`.
pub(crate) mod watch {
    use std::{
        future::poll_fn,
        sync::Arc,
        task::{Poll, Waker},
    };

    use super::Mutex;

    pub(crate) struct Sender<T>(Arc<Mutex<State<T>>>);

    pub(crate) struct Receiver<T>(Arc<Mutex<State<T>>>);

    #[derive(Debug)]
    pub(crate) struct Closed;

    struct State<T> {
        value: T,
        is_closed: bool,
        waiting: Vec<Waker>,
    }

    pub(crate) fn channel<T>(value: T) -> (Sender<T>, Receiver<T>) {
        let state = Arc::new(Mutex::new(State { value, is_closed: false, waiting: Vec::new() }));
        (Sender(Arc::clone(&state)), Receiver(state))
    }

    fn change<T>(state: &Mutex<State<T>>, change: impl FnOnce(&mut State<T>)) {
        let waiting = {
            let mut state = state.lock().unwrap();
            change(&mut state);
            std::mem::take(&mut state.waiting)
        };
        waiting.into_iter().for_each(Waker::wake);
    }

    // === impl Sender ===

    impl<T> Sender<T> {
        pub(crate) fn send_replace(&self, value: T) {
            change(&self.0, |state| state.value = value);
        }
    }

    impl<T> Drop for Sender<T> {
        fn drop(&mut self) {
            change(&self.0, |state| state.is_closed = true);
        }
    }

    // === impl Receiver ===

    impl<T: Clone> Receiver<T> {
        pub(crate) async fn wait_for(&mut self, is_it: impl Fn(&T) -> bool) -> Result<T, Closed> {
            poll_fn(|cx| {
                let mut state = self.0.lock().unwrap();
                if is_it(&state.value) {
                    return Poll::Ready(Ok(state.value.clone()));
                }
                if state.is_closed {
                    return Poll::Ready(Err(Closed));
                }
                state.waiting.push(cx.waker().clone());
                Poll::Pending
            })
            .await
        }
    }

    impl<T> Clone for Receiver<T> {
        fn clone(&self) -> Self {
            Self(Arc::clone(&self.0))
        }
    }
}
