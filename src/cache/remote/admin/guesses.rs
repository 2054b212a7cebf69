use std::{
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    time::Duration,
};

use tokio::{sync::Mutex, time::sleep};

/// Wrong tokens are answered one after the other: however many connections a guesser has, there are ten guesses a second. The
/// right token never waits.
#[derive(Debug, Default)]
pub(super) struct Guesses {
    turn: Mutex<()>,
    waiting: AtomicUsize,
    /// Since the last line in the log.
    untold: AtomicU64,
}

/// Counts those who wait, those who gave up waiting too.
struct Waiting<'a>(&'a AtomicUsize);

const PAUSE: Duration = Duration::from_millis(100);

/// More would only hold connections.
const MOST_WAITING: usize = 64;

// === impl Guesses ===

impl Guesses {
    /// Waits until a wrong token can be answered; `false` if too many wait.
    pub(super) async fn wait(&self) -> bool {
        self.untold.fetch_add(1, Ordering::Relaxed);
        let waiting = Waiting(&self.waiting);
        if waiting.0.fetch_add(1, Ordering::Relaxed) >= MOST_WAITING {
            return false;
        }
        let _turn = self.turn.lock().await;
        sleep(PAUSE).await;
        let count = self.untold.swap(0, Ordering::Relaxed);
        if count > 0 {
            tracing::warn!(count, "wrong tokens were shown to the cache's interface");
        }
        true
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn guesses_take_turns_and_too_many_are_turned_away() {
        let (guesses, begin) = (Arc::new(Guesses::default()), Instant::now());
        let guess = || {
            let guesses = Arc::clone(&guesses);
            tokio::spawn(async move { guesses.wait().await })
        };
        let guessing: Vec<_> = (0..MOST_WAITING + 10).map(|_| guess()).collect();
        let mut answered = 0;
        for guess in guessing {
            answered += usize::from(guess.await.unwrap());
        }
        assert_eq!(answered, MOST_WAITING);
        assert!(begin.elapsed() >= PAUSE * 64);
        // Those who went leave their place.
        let gone = guess();
        tokio::task::yield_now().await;
        gone.abort();
        assert!(gone.await.is_err());
        assert_eq!(guesses.waiting.load(Ordering::Relaxed), 0);
        assert!(guess().await.unwrap());
    }
}
