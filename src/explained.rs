//! What becomes known of a request on its way, where somebody asks for it; see [`explain`](crate::explain). Nothing is kept of any
//! other request: it pays a look at a variable of its task, once for each request to S3.

#[cfg(feature = "explain")]
use std::sync::{Arc, Mutex, PoisonError};
use std::{future::Future, time::Duration};

use http::HeaderValue;

/// The facts of one request.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    /// What S3 was asked, in order.
    pub(crate) asks: Vec<Ask>,
    /// The validators of a state for which a condition failed.
    pub(crate) tag: Option<HeaderValue>,
    pub(crate) last_modified: Option<HeaderValue>,
}

/// A request to S3, and its end.
#[derive(Debug)]
#[cfg_attr(not(feature = "explain"), expect(dead_code, reason = "nobody can ask"))]
pub(crate) struct Ask {
    pub(crate) method: &'static str,
    pub(crate) bucket: String,
    pub(crate) key: String,
    pub(crate) range: Option<HeaderValue>,
    pub(crate) took: Duration,
    /// The status, or why there is none.
    pub(crate) answer: Result<u16, String>,
    pub(crate) request_id: Option<HeaderValue>,
    /// S3's error code.
    pub(crate) code: Option<String>,
}

#[cfg(feature = "explain")]
tokio::task_local! {
    static FACTS: Explaining;
}

/// The facts of the request that a task works for.
#[cfg(feature = "explain")]
#[derive(Debug, Clone, Default)]
pub(crate) struct Explaining(Arc<Mutex<Facts>>);

/// Notes a fact, if the request is explained.
#[cfg(feature = "explain")]
pub(crate) fn note(fact: impl FnOnce(&mut Facts)) {
    let _ = FACTS.try_with(|explaining| explaining.with(fact));
}

#[cfg(not(feature = "explain"))]
pub(crate) fn note(_: impl FnOnce(&mut Facts)) {}

/// Runs what works for the request in a task of its own.
#[cfg(feature = "explain")]
pub(crate) fn spawn(runtime: &tokio::runtime::Handle, work: impl Future<Output = ()> + Send + 'static) {
    match FACTS.try_with(Clone::clone) {
        Ok(explaining) => drop(runtime.spawn(explaining.scope(work))),
        Err(_) => drop(runtime.spawn(work)),
    }
}

#[cfg(not(feature = "explain"))]
pub(crate) fn spawn(runtime: &tokio::runtime::Handle, work: impl Future<Output = ()> + Send + 'static) {
    drop(runtime.spawn(work));
}

// === impl Explaining ===

#[cfg(feature = "explain")]
impl Explaining {
    pub(crate) fn with<T>(&self, look: impl FnOnce(&mut Facts) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn scope<F: Future>(self, work: F) -> impl Future<Output = F::Output> {
        FACTS.scope(self, work)
    }

    pub(crate) fn scope_now<T>(self, work: impl FnOnce() -> T) -> T {
        FACTS.sync_scope(self, work)
    }
}
