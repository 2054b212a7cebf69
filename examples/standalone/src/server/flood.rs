use std::io;

/// How much a client can send that is neither a request nor answered.
///
/// HTTP/2 has frames that cost a server work and oblige it to nothing: WINDOW_UPDATE, PRIORITY, unknown types. What a
/// client may send is earned by requests, and by what it was sent.
#[derive(Debug)]
pub(crate) struct Flood {
    /// Bytes that can still be read.
    budget: u64,
    /// Bytes for each request: its head.
    per_request: u64,
    requests: u64,
}

/// More than a request's body that anything here reads.
const BUDGET: u64 = 2 * 1024 * 1024;

// === impl Flood ===

impl Flood {
    /// For clients whose requests have heads up to this size, in bytes.
    pub(crate) fn new(header_size: u32) -> Self {
        Self { budget: BUDGET, per_request: header_size.into(), requests: 0 }
    }

    /// No bound: an HTTP/1 client can send nothing but requests.
    pub(crate) fn unbounded() -> Self {
        Self { budget: u64::MAX, per_request: 0, requests: 0 }
    }

    pub(crate) fn wrote(&mut self, bytes: usize) {
        self.earn(bytes as u64);
    }

    /// Takes what was read from the budget. `requests` is how many there have been on the connection.
    pub(crate) fn read(&mut self, bytes: usize, requests: impl FnOnce() -> u64) -> io::Result<()> {
        let bytes = bytes as u64;
        if self.budget < bytes {
            let requests = requests();
            self.earn(requests.wrapping_sub(self.requests).saturating_mul(self.per_request));
            self.requests = requests;
        }
        self.budget = self.budget.checked_sub(bytes).ok_or_else(|| {
            io::Error::new(io::ErrorKind::QuotaExceeded, "the client floods the connection with frames")
        })?;
        Ok(())
    }

    /// What is not used is not kept: a flood is no better after a download.
    fn earn(&mut self, bytes: u64) {
        self.budget = self.budget.saturating_add(bytes).min(self.budget.max(BUDGET));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_without_a_request_are_bounded_and_requests_are_not() {
        let mut flood = Flood::new(65_536);
        let reads = (0..10_000).take_while(|_| flood.read(1024, || 0).is_ok()).count();
        assert_eq!(reads, 2048);
        // One request for every 64 KiB.
        let mut flood = Flood::new(65_536);
        for n in 0..10_000 {
            flood.read(65_536, || n).unwrap();
        }
    }

    #[test]
    fn what_is_answered_is_no_flood() {
        let mut flood = Flood::new(65_536);
        for _ in 0..10_000 {
            flood.read(17_000, || 0).unwrap();
            flood.wrote(17_000);
        }
        flood.wrote(1 << 40);
        let reads = (0..10_000).take_while(|_| flood.read(1024, || 0).is_ok()).count();
        assert_eq!(reads, 2048, "a download earns no more than the budget");
    }

    #[test]
    fn http_1_has_no_bound() {
        let mut flood = Flood::unbounded();
        for _ in 0..10_000 {
            flood.read(1 << 30, || 0).unwrap();
            flood.wrote(10);
        }
    }
}
