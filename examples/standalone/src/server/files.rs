use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use rlimit::Resource;

/// How the files that the process can have open are shared out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shares {
    limit: usize,
    /// For connections of clients.
    pub(crate) clients: usize,
    /// For connections to S3, the idle ones included.
    pub(crate) to_s3: usize,
}

/// The requests that can be in flight: each can need a connection to S3.
///
/// Invariant: `taken` is at most `to_s3`.
#[derive(Debug)]
pub(crate) struct Files {
    to_s3: usize,
    taken: AtomicUsize,
}

/// Kept back for the reserve, connections that leave, the log, the listener, and what libraries open for a moment.
const KEPT_BACK: usize = 96;

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

// === impl Shares ===

impl Shares {
    /// With this limit of open files, and for so many connections of clients if it bears them: each can need another to S3.
    pub(crate) fn of(limit: usize, clients: usize) -> Self {
        let rest = limit.saturating_sub(KEPT_BACK).max(2);
        let clients = clients.min(rest / 2);
        Self { limit, clients, to_s3: rest - clients }
    }

    /// Tells what there is, in a warning if that is less than what was asked for.
    pub(crate) fn tell(self, asked: usize) {
        let Self { limit, clients, to_s3 } = self;
        if clients < asked {
            tracing::warn!(
                asked,
                clients,
                to_s3,
                limit,
                "the limit of open files bears fewer connections than --max-connections"
            );
        } else {
            tracing::debug!(clients, to_s3, limit, "connections that the limit of open files bears");
        }
    }
}

// === impl Files ===

impl Files {
    /// With so many connections to S3.
    pub(crate) fn new(to_s3: usize) -> Self {
        Self { to_s3, taken: AtomicUsize::new(0) }
    }

    /// Takes the place of a connection's first request, if there is one.
    pub(crate) fn take_connection(&self) -> bool {
        self.take(self.to_s3)
    }

    /// Takes the place of one more request on a connection that has one in flight already. A quarter is for
    /// connections alone, so that few of them with many streams do not keep everybody else out.
    pub(crate) fn take_stream(&self) -> bool {
        self.take(self.to_s3 - self.to_s3 / 4)
    }

    pub(crate) fn give_back(&self) {
        self.taken.fetch_sub(1, Relaxed);
    }

    fn take(&self, within: usize) -> bool {
        let next = |taken: usize| (taken < within).then_some(taken + 1);
        self.taken.fetch_update(Relaxed, Relaxed, next).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_shared_out_between_clients_and_s3() {
        for (limit, asked, clients, to_s3) in [
            (20_000, 4096, 4096, 15_808),
            (8288, 4096, 4096, 4096),
            (1024, 4096, 464, 464),
            (512, 4096, 208, 208),
            (256, 10, 10, 150),
            // Fewer than the program needs.
            (10, 4096, 1, 1),
            (usize::MAX, usize::MAX, usize::MAX / 2 - 48, usize::MAX / 2 - 47),
        ] {
            let shares = Shares::of(limit, asked);
            assert_eq!((shares.clients, shares.to_s3), (clients, to_s3), "{limit} {asked}");
        }
    }

    #[test]
    fn streams_leave_room_for_connections() {
        let files = Files::new(96);
        assert!(files.take_connection());
        let streams = (0..1000).filter(|_| files.take_stream()).count();
        assert_eq!(streams, 71, "three quarters of 96, less the connection's");
        let connections = (0..1000).filter(|_| files.take_connection()).count();
        assert_eq!(connections, 24, "the last quarter");
        files.give_back();
        assert!(!files.take_stream());
        assert!(files.take_connection());
        for _ in 0..24 {
            files.give_back();
        }
        assert!(!files.take_stream(), "three quarters are taken");
        files.give_back();
        assert!(files.take_stream());
    }
}
