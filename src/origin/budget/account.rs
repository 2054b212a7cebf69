use std::{
    collections::HashMap,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{runtime::Handle, task::spawn_blocking, time::sleep};

use super::{
    Budget, Level,
    state_file::{Counts, StateFile},
};
use crate::error::ConfigError;

/// The counts of the day, which mounts can share.
#[derive(Debug)]
pub(super) struct Account {
    day: AtomicU64,
    requests: AtomicU64,
    bytes: AtomicU64,
    /// The highest level that the log was told of.
    told: AtomicU8,
    file: Option<StateFile>,
    is_save_due: AtomicBool,
}

/// A save that is due: at its time, or when the runtime ends before.
struct Due(Arc<Account>);

/// Those that have a name, while they exist.
static NAMED: Mutex<Option<HashMap<String, Weak<Account>>>> = Mutex::new(None);

/// At most so many counts are lost with a machine.
const SAVED_AFTER: Duration = Duration::from_secs(5);

// === impl Account ===

impl Account {
    /// The account of a budget: a new one, unless one with its file or its name exists.
    pub(super) fn of(budget: &Budget) -> Result<Arc<Self>, ConfigError> {
        let name = match (&budget.state, &budget.name) {
            // The file is written in one place, whatever names it.
            (Some(file), _) => {
                format!("file {}", std::path::absolute(file).as_ref().unwrap_or(file).display())
            }
            (None, Some(name)) => format!("name {name}"),
            (None, None) => return Self::open(None),
        };
        let mut named = NAMED.lock().unwrap_or_else(PoisonError::into_inner);
        let named = named.get_or_insert_default();
        named.retain(|_, account| account.strong_count() > 0);
        if let Some(account) = named.get(&name).and_then(Weak::upgrade) {
            return Ok(account);
        }
        let account = Self::open(budget.state.as_deref())?;
        named.insert(name, Arc::downgrade(&account));
        Ok(account)
    }

    fn open(state: Option<&Path>) -> Result<Arc<Self>, ConfigError> {
        let opened = state.map(StateFile::open).transpose()?;
        let (file, counts) = opened.map_or((None, None), |(file, counts)| (Some(file), counts));
        let Counts { day, requests, bytes } = counts.unwrap_or_default();
        Ok(Arc::new(Self {
            day: day.into(),
            requests: requests.into(),
            bytes: bytes.into(),
            told: AtomicU8::new(0),
            file,
            is_save_due: AtomicBool::new(false),
        }))
    }

    /// What was counted on this day. A day that has passed is forgotten.
    pub(super) fn counts(&self, day: u64) -> Counts {
        let noted = self.day.load(Ordering::Relaxed);
        // Mounts that share it can differ in when their day begins: then the next one has begun for one of them.
        let is_over = day > noted || noted - day > 1;
        if is_over && self.day.compare_exchange(noted, day, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            self.requests.store(0, Ordering::Relaxed);
            self.bytes.store(0, Ordering::Relaxed);
            self.told.store(0, Ordering::Relaxed);
        }
        self.noted()
    }

    fn noted(&self) -> Counts {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts { day: count(&self.day), requests: count(&self.requests), bytes: count(&self.bytes) }
    }

    /// Counts a request, unless there were as many as `most`. Returns how many there were before.
    ///
    /// # Errors
    ///
    /// There were as many.
    pub(super) fn request(self: &Arc<Self>, most: Option<u64>) -> Result<u64, ()> {
        let before = self.requests.fetch_add(1, Ordering::Relaxed);
        if most.is_some_and(|most| before >= most) {
            self.requests.fetch_sub(1, Ordering::Relaxed);
            return Err(());
        }
        self.save_soon();
        Ok(before)
    }

    pub(super) fn add_bytes(self: &Arc<Self>, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.save_soon();
    }

    /// Whether the log must be told of this level: once a day.
    pub(super) fn is_news(&self, level: Level) -> bool {
        let level = level as u8;
        self.told.load(Ordering::Relaxed) < level && self.told.fetch_max(level, Ordering::Relaxed) < level
    }

    fn save_soon(self: &Arc<Self>) {
        if self.file.is_none() || self.is_save_due.load(Ordering::Relaxed) {
            return;
        }
        // Outside of a runtime there are no requests.
        let Ok(runtime) = Handle::try_current() else { return };
        if !self.is_save_due.swap(true, Ordering::Relaxed) {
            let due = Due(Arc::clone(self));
            runtime.spawn(async move {
                sleep(SAVED_AFTER).await;
                // A disk can be slow.
                let _ = spawn_blocking(move || drop(due)).await;
            });
        }
    }
}

impl Drop for Due {
    fn drop(&mut self) {
        let Self(account) = self;
        account.is_save_due.store(false, Ordering::Relaxed);
        let Some(file) = &account.file else { return };
        if let Err(why) = file.save(account.noted()) {
            tracing::warn!(file = %file.path().display(), %why, "the counts of a budget were not saved");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_that_is_over_is_forgotten_and_a_clock_that_was_set_back_is_followed() {
        let account = Account::open(None).unwrap();
        let count = |day| {
            account.counts(day);
            account.request(None).unwrap()
        };
        for (day, before) in [(100, 0), (100, 1), (101, 0), (101, 1), (100, 2), (101, 3), (99, 0), (99, 1)] {
            assert_eq!(count(day), before, "day {day}");
        }
    }

    #[test]
    fn each_level_is_told_once_a_day() {
        let account = Account::open(None).unwrap();
        account.counts(1);
        let levels = [Level::Near, Level::Near, Level::UsedUp, Level::UsedUp, Level::Near];
        assert_eq!(levels.map(|level| account.is_news(level)), [true, false, true, false, false]);
        account.counts(2);
        assert_eq!(levels.map(|level| account.is_news(level)), [true, false, true, false, false]);
    }

    #[test]
    fn no_more_requests_are_counted_than_there_may_be() {
        let account = Account::open(None).unwrap();
        let taken: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| (0..1000).filter(|_| account.request(Some(1500)).is_ok()).count()))
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert!((1490..=1500).contains(&taken), "{taken}");
        assert_eq!(account.counts(0).requests, taken as u64);
    }

    #[test]
    fn budgets_of_one_name_count_together_while_one_of_them_exists() {
        let of = |name: &str| Account::of(&Budget::default().requests(9).name(name)).unwrap();
        let (first, other) = (of("a name of this test"), of("another name of this test"));
        first.request(None).unwrap();
        let second = of("a name of this test");
        assert_eq!((second.noted().requests, other.noted().requests), (1, 0));
        drop((first, second));
        assert_eq!(of("a name of this test").noted().requests, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn counts_are_saved_some_seconds_later() {
        let folder = tempfile::tempdir().unwrap();
        let budget = Budget::default().requests(9).state(folder.path().join("counts"));
        let account = Account::of(&budget).unwrap();
        account.counts(7);
        account.request(None).unwrap();
        assert!(!folder.path().join("counts").exists());
        account.add_bytes(5);
        while account.is_save_due.load(Ordering::Relaxed) || !folder.path().join("counts").exists() {
            sleep(Duration::from_millis(100)).await;
        }
        drop(account);
        assert_eq!(Account::of(&budget).unwrap().noted(), Counts { day: 7, requests: 1, bytes: 5 });
    }

    #[test]
    fn a_runtime_that_ends_saves_what_is_due() {
        let folder = tempfile::tempdir().unwrap();
        let budget = Budget::default().requests(9).state(folder.path().join("counts"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async { Account::of(&budget).unwrap().request(None).unwrap() });
        drop(runtime);
        assert_eq!(Account::of(&budget).unwrap().noted().requests, 1);
    }
}
