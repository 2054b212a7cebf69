//! What clients may write.

use super::MountBuilder;
use crate::{
    config::{PresignedRequests, WritePolicy, Writers, Writes},
    credentials::Signing,
    error::{ConfigError, ConfigErrorKind},
};

/// # Writes
impl MountBuilder {
    /// Lets clients write. Without it the mount only reads. The mount's [`grant`](Self::grant) is then to read and write.
    pub fn writes(mut self, writes: Writes) -> Self {
        self.writes = Some(writes);
        self
    }

    pub(super) fn parse_writes(&self, prefix: &str) -> Result<Option<WritePolicy>, ConfigError> {
        let Some(writes) = &self.writes else { return Ok(None) };
        let knows_who_asks = self.access.knows_who_asks();
        if writes.writers_are(Writers::Authorized) && !knows_who_asks {
            let message = "anybody could write: if nobody else reaches the proxy, say that anybody may, by writers = \"anybody\" in \
                           [mount.writes], -o writes.writers=anybody or Writers::Anybody; else give the mount a log-in \
                           ([mount.users], [mount.forward_auth]), or an authorizer in a program";
            return Err(ConfigError::new(ConfigErrorKind::Missing, message));
        }
        if writes.writers_are(Writers::Anybody) && knows_who_asks {
            let message = "the mount has an authorizer or a selector, and anybody may write (writers): leave out one of them";
            return Err(ConfigError::new(ConfigErrorKind::Contradiction, message));
        }
        let is_anonymous =
            self.credentials.as_ref().is_some_and(|source| matches!(source.signing(), Signing::Anonymous));
        if is_anonymous {
            let message = "nothing can be written without credentials: give some, or leave out the writes";
            return Err(ConfigError::new(ConfigErrorKind::Contradiction, message));
        }
        if self.presigned.as_ref().is_some_and(PresignedRequests::signs_nothing) {
            let message = "the mount takes signed requests alone (unsigned), and writes are for others: links that write are \
                           allowed there";
            return Err(ConfigError::new(ConfigErrorKind::Contradiction, message));
        }
        writes.check(prefix, self.transport.read_timeout()).map(Some)
    }
}
