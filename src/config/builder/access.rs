//! Who signs, and who may read.

use super::MountBuilder;
use crate::{
    access::{Authorizer, CredentialSelector, CredentialSet, DownstreamCaching},
    credentials::CredentialsSource,
};

impl MountBuilder {
    /// Whose signature S3 gets to see: any credentials provider of the SDK, your own, or what the functions of
    /// [`credentials`](crate::credentials) make. It is asked ahead of expiry, by one task at a time, and never while a
    /// request waits if the old credentials are still good.
    pub fn credentials(mut self, source: impl Into<CredentialsSource>) -> Self {
        self.credentials = Some(source.into());
        self
    }

    /// Signs nothing: the bucket is public.
    pub fn anonymous(self) -> Self {
        self.credentials(CredentialsSource::anonymous())
    }

    /// Adds credentials besides the mount's own, for the requests that the [selector](Self::select_credentials) or the
    /// [authorizer](Self::authorize) gives to them.
    pub fn credential_set(mut self, set: CredentialSet) -> Self {
        self.credential_sets.push(set);
        self
    }

    /// Asks this function with whose credentials a request is answered, before the cache is. It does not wait: an answer
    /// from the cache stays one that takes no `await`. As behind an [authorizer](Self::authorize), requests with
    /// `Authorization` are answered from the cache, too.
    pub fn select_credentials(mut self, selector: CredentialSelector) -> Self {
        self.access.selector = Some(selector);
        self
    }

    /// Asks this function whether a client may have an object, before the cache is asked. What it allows is answered from
    /// the cache also to requests with `Authorization`, whatever RFC 9111 §3.5 says of caches that do not know who asks.
    ///
    /// It is asked after the selector, if there are both. Preflights of CORS, methods other than GET and HEAD, and paths
    /// that cannot name an object are answered without it.
    pub fn authorize(mut self, authorizer: Authorizer) -> Self {
        self.access.authorizer = Some(authorizer);
        self
    }

    /// What caches in front may keep of a mount with a selector or an authorizer; by default nothing but the client's own.
    pub fn downstream_caching(mut self, caching: DownstreamCaching) -> Self {
        self.access.downstream = caching;
        self
    }
}
