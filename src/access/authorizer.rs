use std::{fmt, future::Future, pin::Pin, sync::Arc};

use http::request;

use super::Access;
use crate::{
    error::BoxError,
    object::{BucketName, ObjectKey},
};

/// An async function of yours that decides whether a client may have an object.
///
/// The proxy calls it for each GET and HEAD before it consults the cache, so one shared cache can serve private
/// objects; and for each request to or for a [link](crate::MountBuilder::presigned), whose method can be PUT, POST or
/// DELETE. An error is logged, and the response is 503. See `examples/authorize.rs`.
///
/// ```
/// use tower_s3_proxy::access::{Access, Authorizer, Denial};
///
/// # struct Sessions;
/// # impl Sessions {
/// #     async fn user_of(&self, _: Option<&http::HeaderValue>) -> std::io::Result<Option<String>> { Ok(None) }
/// # }
/// # let sessions = std::sync::Arc::new(Sessions);
/// let own_folder = Authorizer::new(move |request| {
///     let sessions = sessions.clone();
///     async move {
///         let user = sessions.user_of(request.head().headers.get("cookie")).await?;
///         Ok(match user {
///             Some(user) if request.key().as_str().starts_with(&format!("users/{user}/")) => Access::Allow,
///             Some(_) => Access::Deny(Denial::not_found()),
///             None => Access::Deny(Denial::redirect(http::HeaderValue::from_static("/login"))),
///         })
///     }
/// });
/// # let _ = own_folder;
/// ```
#[derive(Clone)]
pub struct Authorizer(Arc<AuthorizeFn>);

type AuthorizeFn = dyn Fn(AccessRequest) -> AuthorizeFuture + Send + Sync;
type AuthorizeFuture = Pin<Box<dyn Future<Output = Result<Access, BoxError>> + Send>>;

/// A request for an object, for an [`Authorizer`] to decide on.
#[derive(Debug)]
pub struct AccessRequest {
    pub(crate) head: request::Parts,
    pub(crate) mount: String,
    pub(crate) bucket: BucketName,
    pub(crate) key: ObjectKey,
    #[cfg(feature = "listing")]
    pub(crate) target: AccessTarget,
}

/// What a client wants to have.
#[cfg(feature = "listing")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AccessTarget {
    /// The object of this key.
    Object,
    /// The names, sizes and dates of what is below this key, which ends with a slash. That of a whole bucket is `/`.
    Folder,
}

// === impl Authorizer ===

impl Authorizer {
    /// Wraps an async function from a request to a decision.
    pub fn new<F, Fut>(authorize: F) -> Self
    where
        F: Fn(AccessRequest) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Access, BoxError>> + Send + 'static,
    {
        Self(Arc::new(move |request| Box::pin(authorize(request))))
    }

    pub(crate) async fn authorize(&self, request: AccessRequest) -> Result<Access, BoxError> {
        (self.0)(request).await
    }
}

impl fmt::Debug for Authorizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authorizer")
    }
}

// === impl AccessRequest ===

impl AccessRequest {
    /// The request's head as it came: method, URI, headers, and the extensions that layers in front have added.
    ///
    /// For the [endpoint of links](crate::links::LinkPolicy::endpoint), method and URI are those of the request that the link
    /// is for: `PUT` of an object, say.
    pub fn head(&self) -> &request::Parts {
        &self.head
    }

    /// The path of the mount.
    pub fn mount(&self) -> &str {
        &self.mount
    }

    /// The bucket, as the mount, the path, or the bucket resolver names it.
    pub fn bucket(&self) -> &BucketName {
        &self.bucket
    }

    /// The key that S3 will be asked for: decoded, with the mount's prefix.
    pub fn key(&self) -> &ObjectKey {
        &self.key
    }

    /// Whether it is for the object of the key, or for a [listing](crate::listing) of what is below.
    #[cfg(feature = "listing")]
    pub fn target(&self) -> AccessTarget {
        self.target
    }

    /// The head, by value.
    pub fn into_head(self) -> request::Parts {
        self.head
    }
}
