//! The links of a mount's own, and the same mount as those see it who have one.

use aws_smithy_async::time::SharedTimeSource;
use http::{HeaderValue, header::CACHE_CONTROL};

#[cfg(feature = "listing")]
use crate::access::AccessTarget;
use crate::{
    access::{
        Access, AccessRequest, Authorizer, ClientAddress, Denial, Keyring, OwnLink, OwnLinkError,
        OwnLinkFault,
    },
    config::Mount,
    route::{KeyMapping, MountPath},
};

/// Links, and what they lead to.
#[derive(Debug)]
pub(crate) struct Linked {
    pub(crate) keyring: Keyring,
    /// Reads only, and what the token opens. Its path has the token.
    pub(crate) mount: Mount,
    pub(crate) clock: SharedTimeSource,
}

/// Whether the path of a request names the bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BucketInPath {
    Yes,
    No,
}

// === impl Mount ===

impl Mount {
    /// The path of a link, to be put behind the scheme and the host by which clients reach the mount. It goes around the
    /// mount's log-in and authorizer, and lasts until it expires, or its key is taken away.
    ///
    /// # Errors
    ///
    /// [`OwnLinkError`] if the mount has no [own links](crate::MountBuilder::own_links), or for a prefix, a life or a network
    /// that no link can have.
    pub fn own_link(&self, link: &OwnLink) -> Result<String, OwnLinkError> {
        let linked = self.0.own_links.as_ref().ok_or(OwnLinkError(OwnLinkFault::NoKeys))?;
        let (token, prefix) = linked.keyring.sign(link, linked.clock.now())?;
        Ok(linked.mount.0.path.with_token(&token, &prefix))
    }
}

/// Asks the token in the path of a request. Whoever has none that opens is told 403, whatever there is.
pub(super) fn authorizer(
    keyring: Keyring,
    path: MountPath,
    keys: KeyMapping,
    bucket: BucketInPath,
    clock: SharedTimeSource,
) -> Authorizer {
    Authorizer::new(move |request| {
        let client = request.head().extensions.get().map(|ClientAddress(address)| *address);
        let name = name(&request, &keys, bucket);
        let token = path.token(request.head().uri.path()).unwrap_or_default();
        let opened = keyring.open(token, &name, client, clock.now());
        std::future::ready(Ok(match opened {
            Ok(()) => Access::Allow,
            Err(why) => {
                tracing::debug!(%why, "a link does not open");
                let no_store = const { HeaderValue::from_static("no-store") };
                Access::Deny(Denial::forbidden().with_header(CACHE_CONTROL, no_store))
            }
        }))
    })
}

/// The object of a request as a path below the mount would name it.
fn name(request: &AccessRequest, keys: &KeyMapping, bucket: BucketInPath) -> String {
    let key = request.key().as_str();
    // That of a whole bucket is called so.
    #[cfg(feature = "listing")]
    let key = if request.target() == AccessTarget::Folder && key == "/" { "" } else { key };
    let below = key.strip_prefix(keys.prefix()).unwrap_or(key);
    match bucket {
        BucketInPath::Yes => format!("{}/{below}", request.bucket().as_str()),
        BucketInPath::No => below.to_owned(),
    }
}
