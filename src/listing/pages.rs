//! The pages that a mount remembers, for a moment.

use std::{future::Future, sync::Arc, time::Duration};

use quick_cache::{
    DefaultHashBuilder, OptionsBuilder, Weighter,
    sync::{Cache, DefaultLifecycle, EntryAction, EntryResult},
};
use tokio::time::Instant;

use super::{Folder, cursor::Cursor};
use crate::{error::Failure, object::BucketName};

/// Pages, bounded by their size. Clients that want the same one at the same time share one request to S3.
#[derive(Debug)]
pub(crate) struct Pages(Cache<PageId, Remembered, Bytes>);

/// Which page it is, and for whose credentials.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct PageId {
    pub(crate) scope: u32,
    pub(crate) bucket: BucketName,
    pub(crate) prefix: String,
    pub(crate) cursor: Option<Cursor>,
}

#[derive(Debug, Clone)]
struct Remembered {
    folder: Result<Arc<Folder>, Failure>,
    until: Instant,
    epoch: u64,
}

#[derive(Debug, Clone)]
struct Bytes;

/// In bytes, for all pages of a mount.
const CAPACITY: u64 = 16 * 1024 * 1024;

/// The largest page takes a quarter of one.
const SHARDS: usize = 4;

/// A failure is shared with those that wait for the same page, and with few besides.
const FAILURE: Duration = Duration::from_secs(1);

// === impl Pages ===

impl Pages {
    /// The page, remembered for so long while `epoch` stays the same, or from `list`.
    pub(crate) async fn get(
        &self,
        id: &PageId,
        remember: Duration,
        epoch: impl Fn() -> u64,
        list: impl Future<Output = Result<Folder, Failure>>,
    ) -> Result<Arc<Folder>, Failure> {
        if remember.is_zero() {
            return list.await.map(Arc::new);
        }
        let known = self.0.entry_async(id, |_, page| match page.is_fresh(epoch()) {
            true => EntryAction::Retain(page.folder.clone()),
            false => EntryAction::ReplaceWithGuard,
        });
        // If this future is dropped, one of those that wait goes on in its place.
        let guard = match known.await {
            EntryResult::Retained(folder) => return folder,
            EntryResult::Vacant(guard) | EntryResult::Replaced(guard, _) => guard,
            // Only those that remove, or wait for a time, get these.
            EntryResult::Removed(..) | EntryResult::Timeout => return list.await.map(Arc::new),
        };
        // Before S3 is asked: what changes from now on may be missing in the list.
        let epoch = epoch();
        let folder = list.await.map(Arc::new);
        let time = if folder.is_ok() { remember } else { remember.min(FAILURE) };
        let page = Remembered { folder: folder.clone(), until: Instant::now() + time, epoch };
        // The error is that it was removed meanwhile.
        let _ = guard.insert(page);
        folder
    }
}

impl Default for Pages {
    fn default() -> Self {
        let options = OptionsBuilder::new()
            .shards(SHARDS)
            .weight_capacity(CAPACITY)
            .estimated_items_capacity(1024)
            // Pages are new most of the time, and the largest must have room among those.
            .hot_allocation(0.5)
            .build()
            .expect("both capacities are set");
        Self(Cache::with_options(options, Bytes, DefaultHashBuilder::default(), DefaultLifecycle::default()))
    }
}

// === impl Remembered ===

impl Remembered {
    fn is_fresh(&self, epoch: u64) -> bool {
        self.epoch == epoch && Instant::now() < self.until
    }
}

// === impl Bytes ===

impl Weighter<PageId, Remembered> for Bytes {
    fn weight(&self, id: &PageId, page: &Remembered) -> u64 {
        let of_cursor = id.cursor.as_ref().map_or(0, Cursor::size);
        let of_id = size_of::<PageId>() + id.prefix.len() + of_cursor;
        let of_page = page.folder.as_ref().map_or(size_of::<Failure>(), |folder| folder.weight());
        u64::try_from(of_id + of_page).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, future::pending};

    use tokio::time::{advance, timeout};

    use super::*;
    use crate::{
        error::{ProxyError, ProxyErrorKind},
        listing::Standing,
    };

    const LONG: Duration = Duration::from_secs(60);

    fn id(scope: u32, prefix: &str, cursor: Option<&str>) -> PageId {
        let bucket = BucketName::parse("media").unwrap();
        PageId { scope, bucket, prefix: prefix.to_owned(), cursor: cursor.map(Cursor::behind) }
    }

    fn folder() -> Folder {
        Folder { entries: Vec::new(), standing: Standing::Exists, next: None, note: None }
    }

    #[tokio::test(start_paused = true)]
    async fn a_page_is_listed_once_while_it_is_remembered_and_nothing_changes() {
        let (pages, listed, epoch) = (Pages::default(), Cell::new(0), Cell::new(0));
        let ask = async |id: PageId, remember: Duration| {
            let list = async {
                listed.set(listed.get() + 1);
                Ok(folder())
            };
            pages.get(&id, remember, || epoch.get(), list).await.unwrap();
            listed.get()
        };
        assert_eq!(ask(id(0, "a/", None), LONG).await, 1);
        assert_eq!(ask(id(0, "a/", None), LONG).await, 1);
        // Others' credentials, other folders, other pages.
        assert_eq!(ask(id(1, "a/", None), LONG).await, 2);
        assert_eq!(ask(id(0, "b/", None), LONG).await, 3);
        assert_eq!(ask(id(0, "a/", Some("x")), LONG).await, 4);
        assert_eq!(ask(id(0, "a/", None), LONG).await, 4);
        advance(LONG).await;
        assert_eq!(ask(id(0, "a/", None), LONG).await, 5);
        epoch.set(1);
        assert_eq!(ask(id(0, "a/", None), LONG).await, 6);
        assert_eq!(ask(id(0, "a/", None), Duration::ZERO).await, 7);
        assert_eq!(ask(id(0, "a/", None), LONG).await, 7);
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_while_s3_lists_ends_that_list() {
        let (pages, epoch) = (Pages::default(), Cell::new(0));
        let while_it_changes = async {
            epoch.set(1);
            Ok(folder())
        };
        pages.get(&id(0, "", None), LONG, || epoch.get(), while_it_changes).await.unwrap();
        let again = Cell::new(false);
        let list = async {
            again.set(true);
            Ok(folder())
        };
        pages.get(&id(0, "", None), LONG, || epoch.get(), list).await.unwrap();
        assert!(again.get());
    }

    #[tokio::test(start_paused = true)]
    async fn who_leaves_hands_on_and_a_failure_is_shared_for_a_moment() {
        let (pages, id) = (Pages::default(), id(0, "", None));
        let left = pages.get(&id, LONG, || 0, pending());
        assert!(timeout(Duration::from_millis(1), left).await.is_err());
        let fails = async { Err(ProxyError::new(ProxyErrorKind::OriginBusy).into()) };
        assert!(pages.get(&id, LONG, || 0, fails).await.is_err());
        let shared = pages.get(&id, LONG, || 0, async { Ok(folder()) }).await;
        assert!(shared.is_err());
        advance(FAILURE).await;
        assert!(pages.get(&id, LONG, || 0, async { Ok(folder()) }).await.is_ok());
    }

    #[tokio::test]
    async fn memory_is_bounded_and_the_largest_page_fits() {
        let pages = Pages::default();
        let entry = |n: usize| super::super::folder::Entry {
            name: format!("{n:0>1024}"),
            what: super::super::folder::What::Folder,
        };
        for n in 0..100 {
            let list = async { Ok(Folder { entries: (0..1000).map(entry).collect(), ..folder() }) };
            let page = id(0, &format!("{n}/"), None);
            pages.get(&page, LONG, || 0, list).await.unwrap();
            pages.get(&page, LONG, || 0, async { panic!("it is there") }).await.unwrap();
        }
        assert!(pages.0.weight() <= CAPACITY, "{}", pages.0.weight());
        // Clients make up cursors, each of a page without entries.
        let pages = Pages::default();
        for n in 0..100 {
            let page = id(0, "", Some(&format!("{n:0>1000}")));
            pages.get(&page, LONG, || 0, async { Ok(folder()) }).await.unwrap();
        }
        assert!(pages.0.weight() > 100_000, "{}", pages.0.weight());
    }
}
