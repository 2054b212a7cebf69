//! What the mount does when S3 fails.

use super::MountBuilder;
use crate::origin::{CircuitBreaker, RetryPolicy};

/// # When S3 fails
impl MountBuilder {
    /// When a read is repeated, and when a body that broke off goes on; see [`RetryPolicy`] for the default.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// When S3 is left alone, since it answers nothing; see [`CircuitBreaker`] for the default.
    pub fn circuit_breaker(mut self, policy: CircuitBreaker) -> Self {
        self.circuit_breaker = policy;
        self
    }
}
