use std::{future::Future, pin::Pin};

use bytes::Bytes;
use http::{HeaderValue, Request, Response};

use super::{Denial, forward_auth::Asker};
#[cfg(feature = "users")]
use super::{User, Users, users::UsersGuard};
use crate::error::BoxError;

/// Decides on each request of a mount, whatever it is for, before anything else does.
#[derive(Debug, Clone)]
pub(crate) enum Guard {
    ForwardAuth(Asker),
    /// Lets nobody pass: links go around it.
    LinksOnly,
    #[cfg(feature = "users")]
    Users(UsersGuard),
}

pub(crate) type VerdictFuture = Pin<Box<dyn Future<Output = Verdict> + Send>>;

/// Whether a request may go on.
#[derive(Debug)]
pub(crate) enum Verdict {
    Pass(Passed),
    Deny(Denial),
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
    #[cfg(feature = "users")]
    pub(crate) user: Option<User>,
}

// === impl Passed ===

impl Passed {
    pub(crate) fn with(cookies: Vec<HeaderValue>) -> Self {
        Self {
            cookies,
            #[cfg(feature = "users")]
            user: None,
        }
    }
}

// === impl Guard ===

impl Guard {
    pub(crate) fn ask<B>(&self, request: &Request<B>) -> VerdictFuture {
        match self {
            Self::ForwardAuth(asker) => asker.ask(request),
            Self::LinksOnly => Box::pin(std::future::ready(Verdict::Deny(Denial::forbidden()))),
            #[cfg(feature = "users")]
            Self::Users(users) => users.ask(request),
        }
    }

    pub(crate) fn wants_client_address(&self) -> bool {
        match self {
            Self::ForwardAuth(_) => true,
            Self::LinksOnly => false,
            #[cfg(feature = "users")]
            Self::Users(_) => false,
        }
    }

    pub(crate) fn forward_auth(&self) -> Option<&Asker> {
        match self {
            Self::ForwardAuth(asker) => Some(asker),
            Self::LinksOnly => None,
            #[cfg(feature = "users")]
            Self::Users(_) => None,
        }
    }

    #[cfg(feature = "users")]
    pub(crate) fn users(&self) -> Option<&Users> {
        match self {
            Self::ForwardAuth(_) | Self::LinksOnly => None,
            Self::Users(guard) => Some(guard.users()),
        }
    }
}
