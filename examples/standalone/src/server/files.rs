use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use rlimit::Resource;

/// The files that connections can have: those of clients, and those to S3 that they make necessary.
///
/// Invariant: `taken` is at most `budget`.
#[derive(Debug)]
pub(crate) struct Files {
    budget: usize,
    taken: AtomicUsize,
}

/// Kept back for the reserve, the log, the listener, and connections to S3 that no client waits for.
const KEPT_BACK: usize = 64;

/// A connection of a client, and one to S3 for it.
const OF_CONNECTION: usize = 2;

/// Raises the soft limit of open files to the hard one, which costs nothing: it is low for programs that use `select`.
/// Returns the limit that holds now.
pub(crate) fn raise_file_limit() -> usize {
    let before = Resource::NOFILE.get_soft().unwrap_or(0);
    let now = rlimit::increase_nofile_limit(u64::MAX).unwrap_or_else(|error| {
        tracing::warn!(%error, limit = before, "the limit of open files stays as it is");
        before
    });
    tracing::debug!(before, now, "limit of open files");
    usize::try_from(now).unwrap_or(usize::MAX)
}

// === impl Files ===

impl Files {
    /// With this limit of open files for the process.
    pub(crate) fn new(limit: usize) -> Self {
        Self { budget: limit.saturating_sub(KEPT_BACK), taken: AtomicUsize::new(0) }
    }

    /// How many connections can be open at a time, if each has one to S3; at least 1.
    pub(crate) fn connections(&self) -> usize {
        (self.budget / OF_CONNECTION).max(1)
    }

    /// Takes the files of a connection, if they are there.
    pub(crate) fn take_connection(&self) -> bool {
        self.take(OF_CONNECTION, self.budget)
    }

    pub(crate) fn give_back_connection(&self) {
        self.taken.fetch_sub(OF_CONNECTION, Relaxed);
    }

    /// Takes the file of one more request on a connection that has one in flight already. A quarter of all files is
    /// for connections alone, so that few connections with many streams do not keep everybody else out.
    pub(crate) fn take_stream(&self) -> bool {
        self.take(1, self.budget - self.budget / 4)
    }

    pub(crate) fn give_back_stream(&self) {
        self.taken.fetch_sub(1, Relaxed);
    }

    fn take(&self, files: usize, within: usize) -> bool {
        let enough = |taken: usize| taken.checked_add(files).filter(|taken| *taken <= within);
        self.taken.fetch_update(Relaxed, Relaxed, enough).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_leave_files_for_connections() {
        let files = Files::new(256);
        assert_eq!(files.connections(), 96);
        assert!(files.take_connection());
        let streams = (0..1000).filter(|_| files.take_stream()).count();
        assert_eq!(streams, 142, "three quarters of 192, less the connection's");
        let connections = (0..1000).filter(|_| files.take_connection()).count();
        assert_eq!(connections, 24, "the last quarter");
        files.give_back_connection();
        assert!(!files.take_stream());
        assert!(files.take_connection());
        for _ in 0..48 {
            files.give_back_stream();
        }
        assert!(!files.take_stream(), "connections have three quarters now");
        files.give_back_stream();
        assert!(files.take_stream());
    }

    #[test]
    fn a_limit_that_is_too_low_bears_one_connection() {
        let files = Files::new(10);
        assert_eq!(files.connections(), 1);
        assert!(!files.take_connection());
    }
}
