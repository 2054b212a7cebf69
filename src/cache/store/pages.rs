use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;

/// Memory for the bodies in the cache, which passes from one body to the next.
///
/// Memory that one thread frees may not be available to others, and an allocator returns little of it to the system:
/// with glibc and eight threads, a cache of exact allocations took twice the size of its contents. So freed pages wait
/// here for their next use, in any thread.
#[derive(Clone)]
pub(crate) struct Pages(Arc<Inner>);

struct Inner {
    spare: Mutex<Spare>,
    /// In bytes.
    most_spare: usize,
    /// Bytes of the pages that somebody holds: the store, a fill, or a reader of what was evicted.
    in_use: AtomicUsize,
}

/// Pages that are not in use.
#[derive(Default)]
struct Spare {
    by_size: BTreeMap<usize, Vec<Vec<u8>>>,
    bytes: usize,
    /// The bytes by which pages in use are larger than needed.
    surplus: usize,
}

/// Goes back to the pool when the last reader of its bytes is gone.
struct Page {
    bytes: Vec<u8>,
    surplus: usize,
    pages: Pages,
}

/// In bytes. Smaller sizes are left to the allocator.
const SMALLEST: usize = 1024;

/// The size of a page for this many bytes: at most an eighth more, so that there are few sizes. Every power of two is a
/// size.
pub(crate) const fn page_size(length: usize) -> usize {
    if length < SMALLEST {
        return length;
    }
    let step = 1 << (length.ilog2() - 3);
    match length.checked_next_multiple_of(step) {
        Some(size) => size,
        None => length,
    }
}

// === impl Pages ===

impl Pages {
    /// Takes at most this many bytes beyond those requested: in spare pages, and in pages that are larger than needed.
    pub(crate) fn new(most_spare: u64) -> Self {
        let most_spare = usize::try_from(most_spare).unwrap_or(usize::MAX);
        Self(Arc::new(Inner { spare: Mutex::default(), most_spare, in_use: AtomicUsize::new(0) }))
    }

    /// All these bytes, in one piece of memory of their own.
    pub(crate) fn copy(&self, chunks: &[Bytes]) -> Bytes {
        let length = chunks.iter().map(Bytes::len).sum();
        if length < SMALLEST {
            return chunks.concat().into();
        }
        let mut page = self.take(page_size(length));
        for chunk in chunks {
            page.bytes.extend_from_slice(chunk);
        }
        Bytes::from_owner(page)
    }

    fn take(&self, size: usize) -> Page {
        let taken = self.spare().take(size, self.0.most_spare);
        let bytes = taken.unwrap_or_else(|| Vec::with_capacity(size));
        self.0.in_use.fetch_add(bytes.capacity(), Ordering::Relaxed);
        Page { surplus: bytes.capacity().saturating_sub(size), bytes, pages: self.clone() }
    }

    /// In bytes.
    pub(crate) fn in_use(&self) -> u64 {
        self.0.in_use.load(Ordering::Relaxed) as u64
    }

    fn give_back(&self, mut bytes: Vec<u8>, surplus: usize) {
        bytes.clear();
        self.0.in_use.fetch_sub(bytes.capacity(), Ordering::Relaxed);
        let too_much = self.spare().add(bytes, surplus, self.0.most_spare);
        // The lock is not held while the pages are freed.
        drop(too_much);
    }

    fn spare(&self) -> MutexGuard<'_, Spare> {
        // At worst, a panic leaves a wrong sum behind.
        self.0.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Pages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pages").field("most_spare", &self.0.most_spare).finish_non_exhaustive()
    }
}

// === impl Spare ===

impl Spare {
    /// A page of that size, or else of up to twice that: new allocations leave holes where others are freed.
    fn take(&mut self, size: usize, most: usize) -> Option<Vec<u8>> {
        let left = (most / 2).saturating_sub(self.surplus);
        let most_size = size.saturating_mul(2).min(size.saturating_add(left));
        let page = self.by_size.range_mut(size..=most_size).find_map(|(_, pages)| pages.pop())?;
        self.bytes = self.bytes.saturating_sub(page.capacity());
        self.surplus += page.capacity().saturating_sub(size);
        Some(page)
    }

    /// Returns the excess pages, from the size with the most idle bytes, since the size in demand now is needed now.
    fn add(&mut self, page: Vec<u8>, surplus: usize, most: usize) -> Vec<Vec<u8>> {
        self.surplus = self.surplus.saturating_sub(surplus);
        self.bytes += page.capacity();
        self.by_size.entry(page.capacity()).or_default().push(page);
        let mut too_much = Vec::new();
        while self.bytes > most.saturating_sub(self.surplus) {
            let idlest = self.by_size.iter_mut().max_by_key(|(size, pages)| *size * pages.len());
            let Some(page) = idlest.and_then(|(_, pages)| pages.pop()) else { break };
            self.bytes = self.bytes.saturating_sub(page.capacity());
            too_much.push(page);
        }
        too_much
    }
}

// === impl Page ===

impl AsRef<[u8]> for Page {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        self.pages.give_back(std::mem::take(&mut self.bytes), self.surplus);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn spare(pages: &Pages) -> usize {
        let spare = pages.spare();
        let counted: usize = spare.by_size.iter().map(|(size, pages)| size * pages.len()).sum();
        assert_eq!(spare.bytes, counted);
        counted
    }

    fn bytes(length: usize) -> Bytes {
        vec![7; length].into()
    }

    #[test]
    fn a_page_is_used_again_when_its_last_reader_has_gone() {
        let pages = Pages::new(1 << 20);
        let first = pages.copy(&[bytes(60_000), bytes(5536)]);
        assert_eq!(first, bytes(65_536));
        let (place, reader) = (first.as_ptr(), first.slice(10..20));
        drop(first);
        assert_eq!((spare(&pages), pages.in_use()), (0, 65_536), "a reader holds it");
        drop(reader);
        assert_eq!((spare(&pages), pages.in_use()), (65_536, 0));
        let second = pages.copy(&[Bytes::from(vec![8; 65_000])]);
        assert_eq!((second.as_ptr(), second.len()), (place, 65_000));
        assert_eq!(spare(&pages), 0);
        assert!(second.iter().all(|byte| *byte == 8));
    }

    #[test]
    fn no_more_is_spare_than_may_be_and_what_goes_is_what_lies_idle() {
        let pages = Pages::new(100_000);
        drop([pages.copy(&[bytes(32_768)]), pages.copy(&[bytes(32_768)]), pages.copy(&[bytes(32_768)])]);
        assert_eq!(spare(&pages), 3 * 32_768);
        drop(pages.copy(&[bytes(12_288)]));
        assert_eq!(spare(&pages), 2 * 32_768 + 12_288);
        drop(pages.copy(&[bytes(131_072)]));
        assert_eq!(spare(&pages), 2 * 32_768 + 12_288, "it is too large to be kept at all");
    }

    #[test]
    fn a_larger_page_will_do_within_limits() {
        let pages = Pages::new(100_000);
        let large = || pages.copy(&[bytes(32_768)]);
        let place = large().as_ptr();
        assert_eq!(pages.spare().surplus, 0);
        let first = pages.copy(&[bytes(20_480)]);
        assert_eq!((first.as_ptr(), pages.spare().surplus), (place, 12_288));
        let more: Vec<_> = [large(), large(), large(), large()].into();
        drop(more);
        assert_eq!(spare(&pages), 2 * 32_768, "with what the first has too much, no more than may be");
        let all: Vec<_> = (0..10).map(|_| pages.copy(&[bytes(20_480)])).collect();
        assert!(pages.spare().surplus <= 50_000);
        drop((first, all));
        assert_eq!(pages.spare().surplus, 0);
        assert!(spare(&pages) <= 100_000);
    }

    #[test]
    fn what_is_small_is_the_allocators() {
        let pages = Pages::new(1 << 20);
        for length in [0, 1, SMALLEST - 1] {
            assert_eq!(pages.copy(&[bytes(length)]), bytes(length));
        }
        assert_eq!(spare(&pages), 0);
    }

    proptest! {
        #[test]
        fn a_page_is_an_eighth_larger_at_most_and_of_few_sizes(length in 0_usize..=16 << 20) {
            let size = page_size(length);
            prop_assert!((length..=length + length / 8).contains(&size), "{}", size);
            prop_assert_eq!(page_size(size), size);
            prop_assert_eq!(page_size(length.next_power_of_two()), length.next_power_of_two());
            if size >= SMALLEST {
                prop_assert!(size >> (size.ilog2() - 3) << (size.ilog2() - 3) == size);
            }
        }
    }
}
