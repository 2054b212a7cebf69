use std::{error::Error, fmt, iter::successors};

use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, error::CredentialsError, future},
};

use super::RoleArn;
use crate::origin::Unreached;

/// The credentials of a role. Their errors name it, and STS if it was not reached: the SDK's say neither.
#[derive(Debug)]
pub(super) struct Assumed<P> {
    role: RoleArn,
    provider: P,
}

#[derive(Debug)]
struct NotAssumed {
    role: RoleArn,
    why: CredentialsError,
}

// === impl Assumed ===

impl<P> Assumed<P> {
    pub(super) fn new(role: RoleArn, provider: P) -> Self {
        Self { role, provider }
    }
}

impl<P: ProvideCredentials> ProvideCredentials for Assumed<P> {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            let assumed = self.provider.provide_credentials().await;
            assumed
                .map_err(|why| CredentialsError::provider_error(NotAssumed { role: self.role.clone(), why }))
        })
    }

    fn fallback_on_interrupt(&self) -> Option<Credentials> {
        self.provider.fallback_on_interrupt()
    }
}

// === impl NotAssumed ===

impl NotAssumed {
    fn unreached(&self) -> Option<&Unreached> {
        successors(self.why.source(), |cause| (**cause).source())
            // What lies behind it is about the credentials that assume the role, and not about STS.
            .take_while(|cause| !cause.is::<CredentialsError>())
            .find_map(|cause| cause.downcast_ref())
    }
}

impl fmt::Display for NotAssumed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the role {} could not be assumed", self.role)?;
        match self.unreached() {
            Some(unreached) => write!(f, ": STS at {}", unreached.authority()),
            None => Ok(()),
        }
    }
}

impl Error for NotAssumed {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self.unreached() {
            Some(unreached) => unreached.source(),
            None => Some(&self.why),
        }
    }
}
