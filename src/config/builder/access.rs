//! The credentials that sign, and access to the objects.

use super::MountBuilder;
#[cfg(feature = "users")]
use crate::access::Users;
#[cfg(feature = "s3-clients")]
use crate::clients::ClientKeys;
use crate::{
    access::{
        Authorizer, CredentialSelector, CredentialSet, DownstreamCaching, ForwardAuth, Guard, Hotlinks,
    },
    config::PresignedRequests,
    credentials::CredentialsSource,
    error::{ConfigError, ConfigErrorKind},
};

/// # Credentials and access
impl MountBuilder {
    /// The credentials that sign requests: any credentials provider of the SDK, your own, or a source from the
    /// functions of [`credentials`](crate::credentials). One task at a time asks it ahead of expiry; no request waits
    /// while the old credentials are valid.
    pub fn credentials(mut self, source: impl Into<CredentialsSource>) -> Self {
        self.credentials = Some(source.into());
        self
    }

    /// Signs nothing: the bucket is public.
    pub fn anonymous(self) -> Self {
        self.credentials(CredentialsSource::anonymous())
    }

    /// Adds credentials besides the mount's own, for the requests that the [selector](Self::select_credentials) or the
    /// [authorizer](Self::authorize) assigns to them.
    pub fn credential_set(mut self, set: CredentialSet) -> Self {
        self.credential_sets.push(set);
        self
    }

    /// Calls this function before the cache is consulted, to choose the credentials for a request. It does not wait, so
    /// responses from the cache still take no `await`.
    pub fn select_credentials(mut self, selector: CredentialSelector) -> Self {
        self.access.selector = Some(selector);
        self
    }

    /// Calls this function before the cache is consulted, to decide whether a client may have an object.
    ///
    /// It runs after the selector, if there are both. CORS preflights, methods other than GET and HEAD, except in
    /// [presigned requests](Self::presigned), and paths that cannot name an object are answered without it.
    pub fn authorize(mut self, authorizer: Authorizer) -> Self {
        self.access.authorizer = Some(authorizer);
        self
    }

    /// Asks a log-in service about each request of the mount, whatever it is for, before the cache, the selector and the
    /// authorizer are asked. CORS preflights are answered without it.
    ///
    /// With a [fallback](Self::fallback) to the inner service, it is asked about the requests of that, too.
    pub fn forward_auth(mut self, service: ForwardAuth) -> Self {
        self.forward_auth = Some(service);
        self
    }

    /// Lets in these users alone, who log in by their password: before the cache, the selector and the authorizer are asked,
    /// whatever the request is for. The realm is what browsers show when they ask for it.
    ///
    /// CORS preflights are answered without a log-in, and [S3 clients](Self::client_keys) log in by their signatures. The
    /// authorizer sees the [name of the user](crate::access::User).
    #[cfg(feature = "users")]
    pub fn users(mut self, users: &Users, realm: impl Into<String>) -> Self {
        self.users = Some((users.clone(), realm.into()));
        self
    }

    /// The sites whose pages may embed objects; any by default. It is asked before the cache, for GET and HEAD, and not for
    /// requests of [S3 clients](crate::guide::s3_clients). Responses then vary by the fields that it looks at.
    pub fn hotlinks(mut self, hotlinks: Hotlinks) -> Self {
        self.hotlinks = Some(hotlinks);
        self
    }

    /// Passes on requests by presigned URLs of S3, too. Off by default: they are read like others, and a signature in the query
    /// means nothing.
    ///
    /// The selector and the authorizer are asked for these as well. They see the method, which can be PUT, POST or DELETE.
    pub fn presigned(mut self, requests: PresignedRequests) -> Self {
        self.presigned = Some(requests);
        self
    }

    /// Serves the bucket to S3 clients as well: those that sign their requests with a key of this table. See the
    /// [guide](crate::guide::s3_clients).
    ///
    /// The mount is at `/`, or at a path of one segment, by which S3 clients then call the bucket. Selector and authorizer are
    /// asked for their requests, too, which have a [`ClientAccessKey`](crate::clients::ClientAccessKey) in their extensions.
    #[cfg(feature = "s3-clients")]
    pub fn client_keys(mut self, keys: &ClientKeys) -> Self {
        self.client_keys = Some(keys.clone());
        self
    }

    /// What caches in front may keep of a mount with a selector or an authorizer; by default only the client's own
    /// cache keeps anything.
    pub fn downstream_caching(mut self, caching: DownstreamCaching) -> Self {
        self.access.downstream = caching;
        self
    }
}

// === checks ===

impl MountBuilder {
    /// What is asked about a request before all others.
    pub(super) fn parse_guard(&self) -> Result<Option<Guard>, ConfigError> {
        #[cfg(feature = "users")]
        if let Some((users, realm)) = &self.users {
            if self.forward_auth.is_some() {
                let message = "users and a log-in service contradict each other: leave out one of them";
                return Err(ConfigError::new(ConfigErrorKind::Contradiction, message));
            }
            return Ok(Some(Guard::Users(users.guard(realm)?)));
        }
        let Some(service) = &self.forward_auth else {
            let is_alone = self.own_links.as_ref().is_some_and(|links| !links.answers_unlinked());
            return Ok(is_alone.then_some(Guard::LinksOnly));
        };
        // It decides by URLs, and an S3 client names objects in fields and bodies, too: those of a copy, say.
        if self.has_client_keys() {
            let message = "a log-in service knows no signatures of S3 clients: give S3 clients (client_keys) a mount of their own";
            return Err(ConfigError::new(ConfigErrorKind::Contradiction, message));
        }
        Ok(Some(Guard::ForwardAuth(service.check(&self.transport)?)))
    }

    #[cfg(feature = "s3-clients")]
    fn has_client_keys(&self) -> bool {
        self.client_keys.is_some()
    }

    #[cfg(not(feature = "s3-clients"))]
    #[expect(clippy::unused_self, reason = "with S3 clients it is asked")]
    fn has_client_keys(&self) -> bool {
        false
    }
}
