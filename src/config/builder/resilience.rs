//! What the mount does when S3 fails.

use super::MountBuilder;
use crate::{
    config::Replica,
    origin::{Budget, CircuitBreaker, Hedging, RetryPolicy},
};

/// # When S3 fails
impl MountBuilder {
    /// When a read is repeated, and when a body that broke off goes on; see [`RetryPolicy`] for the default.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// When a late read is asked for once more; see [`Hedging`]. Off by default.
    pub fn hedge(mut self, policy: Hedging) -> Self {
        self.hedging = Some(policy);
        self
    }

    /// A second bucket, which answers while this one does not. It is asked after two attempts, unless
    /// [`RetryPolicy::max_attempts`] says otherwise. [Credential sets](Self::credential_set) have no replica.
    pub fn replica(mut self, replica: Replica) -> Self {
        self.replica = Some(replica);
        self
    }

    /// What S3 may be asked for in a day; see [`Budget`]. Without limits by default.
    pub fn budget(mut self, budget: Budget) -> Self {
        self.budget = Some(budget);
        self
    }

    /// When S3 is left alone, since it answers nothing; see [`CircuitBreaker`] for the default.
    pub fn circuit_breaker(mut self, policy: CircuitBreaker) -> Self {
        self.circuit_breaker = policy;
        self
    }
}
