//! The requests that the server has seen.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use http::{HeaderMap, Method, Request};

/// A request as it was received, before its signature was looked at.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SeenRequest {
    /// The method.
    pub method: Method,
    /// Path and query as on the wire.
    pub uri: String,
    /// The headers.
    pub headers: HeaderMap,
}

/// The last requests, oldest first.
#[derive(Debug)]
pub(crate) struct Log {
    limit: usize,
    seen: Mutex<VecDeque<SeenRequest>>,
}

// === impl Log ===

impl Log {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, seen: Mutex::new(VecDeque::new()) }
    }

    pub(crate) fn record<B>(&self, request: &Request<B>) {
        if self.limit == 0 {
            return;
        }
        let seen = SeenRequest {
            method: request.method().clone(),
            uri: request.uri().to_string(),
            headers: request.headers().clone(),
        };
        let mut log = self.lock();
        if log.len() == self.limit {
            log.pop_front();
        }
        log.push_back(seen);
    }

    pub(crate) fn snapshot(&self) -> Vec<SeenRequest> {
        self.lock().iter().cloned().collect()
    }

    pub(crate) fn clear(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<SeenRequest>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
