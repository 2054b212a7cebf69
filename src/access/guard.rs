use std::{future::Future, pin::Pin};

use bytes::Bytes;
use http::{HeaderValue, Request, Response};

use super::forward_auth::Asker;
use crate::error::BoxError;

/// Decides on each request of a mount, whatever it is for, before anything else does.
#[derive(Debug, Clone)]
pub(crate) enum Guard {
    ForwardAuth(Asker),
}

pub(crate) type VerdictFuture = Pin<Box<dyn Future<Output = Verdict> + Send>>;

/// Whether a request may go on.
#[derive(Debug)]
pub(crate) enum Verdict {
    Pass(Passed),
    /// The client gets this response.
    Answer(Response<Bytes>),
    /// Nobody knows: the request does not go on.
    Failed(BoxError),
}

/// What came with a pass.
#[derive(Debug, Default)]
pub(crate) struct Passed {
    /// For the client, whatever the response is.
    pub(crate) cookies: Vec<HeaderValue>,
}

// === impl Guard ===

impl Guard {
    pub(crate) fn ask<B>(&self, request: &Request<B>) -> VerdictFuture {
        match self {
            Self::ForwardAuth(asker) => asker.ask(request),
        }
    }

    pub(crate) fn wants_client_address(&self) -> bool {
        match self {
            Self::ForwardAuth(_) => true,
        }
    }

    pub(crate) fn forward_auth(&self) -> Option<&Asker> {
        match self {
            Self::ForwardAuth(asker) => Some(asker),
        }
    }
}
