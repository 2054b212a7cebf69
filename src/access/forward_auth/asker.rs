use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, header::CACHE_CONTROL, uri::Scheme};
use tokio::time::{Instant, timeout};

use super::{
    fields::{Digest, Fields, is_of_proxy},
    memory::{Memory, Turn},
    verdict::{AuthFailure, Outcome, Refusal, Sharing},
};
use crate::{
    access::{Passed, Verdict, VerdictFuture},
    origin::ServiceClient,
};

/// A log-in service, checked. Clones share its connections and what is known of its verdicts.
#[derive(Debug, Clone)]
pub(crate) struct Asker(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    client: ServiceClient,
    fields: Fields,
    pass_on: Vec<HeaderName>,
    memory: Arc<Memory>,
    timeout: Duration,
    pass_through: Option<String>,
}

/// A question about a request.
struct Question {
    head: Request<()>,
    digest: Digest,
}

// === impl Asker ===

impl Asker {
    pub(super) fn new(
        client: ServiceClient,
        fields: Fields,
        pass_on: Vec<HeaderName>,
        memory: Memory,
        timeout: Duration,
        pass_through: Option<String>,
    ) -> Self {
        let memory = Arc::new(memory);
        Self(Arc::new(Shared { client, fields, pass_on, memory, timeout, pass_through }))
    }

    /// Asks about a request, unless the verdict is known.
    pub(crate) fn ask<B>(&self, request: &Request<B>) -> VerdictFuture {
        let shared = Arc::clone(&self.0);
        let head = shared.fields.question(request);
        let digest = shared.fields.digest(head.headers(), &shared.memory.key);
        Box::pin(async move {
            if let Some(known) = shared.memory.recall(&digest, Instant::now()) {
                return known.into();
            }
            shared.outcome(Question { head, digest }).await.into()
        })
    }

    /// Whether a request is the service's own, by its path.
    pub(crate) fn is_passed_through(&self, path: &str) -> bool {
        self.0.pass_through.as_deref().is_some_and(|prefix| path.starts_with(prefix))
    }

    pub(crate) fn has_pass_through(&self) -> bool {
        self.0.pass_through.is_some()
    }

    pub(crate) fn client(&self) -> &ServiceClient {
        &self.0.client
    }

    pub(crate) fn scheme(&self) -> Option<&Scheme> {
        self.0.fields.scheme.as_ref()
    }

    /// Whether the service trusts that a field is the proxy's.
    pub(crate) fn is_of_proxy(name: &HeaderName) -> bool {
        is_of_proxy(name)
    }
}

// === impl Shared ===

impl Shared {
    async fn outcome(self: &Arc<Self>, question: Question) -> Outcome {
        let mut waiting = match self.memory.turn(question.digest) {
            Turn::Wait(waiting) => waiting,
            Turn::Ask(asked) => {
                let shared = Arc::clone(self);
                // In a task of its own: a client that hangs up does not take the verdict from those who wait.
                let task = tokio::spawn(async move {
                    let outcome = shared.send(&question.head).await;
                    asked.answered(&outcome, Instant::now());
                    outcome
                });
                return task.await.unwrap_or(Outcome::Failed(AuthFailure::Dropped));
            }
        };
        let outcome = match waiting.wait_for(Option::is_some).await {
            Ok(outcome) => outcome.clone(),
            Err(_) => None,
        };
        match outcome {
            // What has a cookie is for one client.
            Some(outcome) if outcome.sharing() == Sharing::Never => self.send(&question.head).await,
            Some(outcome) => outcome,
            None => Outcome::Failed(AuthFailure::Dropped),
        }
    }

    async fn send(&self, head: &Request<()>) -> Outcome {
        let answered = async { Outcome::of(self.client.get(head).await, &self.pass_on).await };
        timeout(self.timeout, answered).await.unwrap_or(Outcome::Failed(AuthFailure::Late))
    }
}

// === impl Verdict ===

impl From<Outcome> for Verdict {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Pass(cookies) => Self::Pass(Passed::with(cookies)),
            Outcome::Deny(refusal) => Self::Answer(refusal.response()),
            Outcome::Failed(why) => Self::Failed(why.into()),
        }
    }
}

// === impl Refusal ===

impl Refusal {
    /// No cache keeps it: the next request may be from somebody who has logged in.
    fn response(&self) -> Response<Bytes> {
        let mut response = Response::new(self.body.clone());
        *response.status_mut() = self.status;
        response.headers_mut().clone_from(&self.headers);
        response.headers_mut().insert(CACHE_CONTROL, const { HeaderValue::from_static("no-store") });
        response
    }
}
