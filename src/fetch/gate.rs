//! Decides whether a client may have the object, and with whose credentials.

use std::fmt;

use http::{Request, Response, request};

use super::read::{Bucket, Fetch};
#[cfg(feature = "listing")]
use crate::access::AccessTarget;
use crate::{
    access::{Access, AccessRequest, Authorizer, CredentialSetName},
    body::ObjectBody,
    config::Mount,
    error::{Failure, ProxyError, ProxyErrorKind},
    object::{BucketName, ObjectKey},
};

/// The gate before a read that must be allowed first.
pub(crate) struct Gate {
    authorizer: Authorizer,
    head: request::Parts,
    /// The mount that has the sets.
    mount: Mount,
}

/// A selector or an authorizer named a credential set that does not exist.
#[derive(Debug)]
struct NoSuchSet(CredentialSetName);

// === impl Mount ===

impl Mount {
    /// The mount whose credentials serve a request, as far as that is known without waiting.
    pub(crate) fn select<B>(&self, request: &Request<B>) -> Result<&Mount, Failure> {
        match &self.0.access.selector {
            None => Ok(self),
            Some(selector) => Ok(self.granted(selector.select(request))?.unwrap_or(self)),
        }
    }

    /// The gate that a request must also pass; `head` is the request's.
    pub(crate) fn gate(&self, head: impl FnOnce() -> request::Parts) -> Option<Box<Gate>> {
        let authorizer = self.0.access.authorizer.clone()?;
        Some(Box::new(Gate { authorizer, head: head(), mount: self.clone() }))
    }

    /// `None` if the credentials stay as they are.
    fn granted(&self, access: Access) -> Result<Option<&Mount>, Failure> {
        match access {
            Access::Allow => Ok(None),
            Access::AllowAs(name) => match self.with_credentials(&name) {
                Some(mount) => Ok(Some(mount)),
                // Never with credentials other than the named ones.
                None => Err(ProxyError::from_source(ProxyErrorKind::Authorizer, NoSuchSet(name)).into()),
            },
            Access::Deny(denial) => Err(Failure::denied(denial)),
        }
    }
}

// === impl Gate ===

impl Gate {
    /// Whether the client may have the object. The mount with the credentials to use, if they are not the mount's own.
    pub(crate) async fn open(self, bucket: &BucketName, key: &ObjectKey) -> Result<Option<Mount>, Failure> {
        let Self { authorizer, head, mount } = self;
        let (path, key) = (mount.0.path.to_string(), key.clone());
        let request = AccessRequest {
            head,
            mount: path,
            bucket: bucket.clone(),
            key,
            #[cfg(feature = "listing")]
            target: AccessTarget::Object,
        };
        mount.admit(&authorizer, request).await
    }

    /// The same for a list of what is below a folder.
    #[cfg(feature = "listing")]
    pub(crate) async fn open_folder(
        self,
        bucket: &BucketName,
        key: &ObjectKey,
    ) -> Result<Option<Mount>, Failure> {
        let Self { authorizer, head, mount } = self;
        let (path, key) = (mount.0.path.to_string(), key.clone());
        let target = AccessTarget::Folder;
        let request = AccessRequest { head, mount: path, bucket: bucket.clone(), key, target };
        mount.admit(&authorizer, request).await
    }
}

impl Mount {
    async fn admit(&self, authorizer: &Authorizer, request: AccessRequest) -> Result<Option<Mount>, Failure> {
        let access = authorizer.authorize(request).await;
        let access = access.map_err(|why| ProxyError::from_source(ProxyErrorKind::Authorizer, why))?;
        Ok(self.granted(access)?.cloned())
    }
}

// === impl Fetch ===

impl Fetch {
    /// Asks the gate, and then the cache, which must not be consulted before. `None` if S3 must be asked.
    pub(super) async fn pass(
        &mut self,
        gate: Box<Gate>,
        bucket: &BucketName,
    ) -> Result<Option<Response<ObjectBody>>, Failure> {
        if let Some(mount) = gate.open(bucket, &self.key).await? {
            self.mount = mount;
        }
        self.bucket = Bucket::Named(bucket.clone());
        Ok(if self.may_redirect() { None } else { self.recall() })
    }
}

// === impl NoSuchSet ===

impl fmt::Display for NoSuchSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the mount has no credential set {:?}", self.0)
    }
}

impl std::error::Error for NoSuchSet {}
