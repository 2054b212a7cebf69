use std::{fmt, future::Future, pin::Pin, sync::Arc};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use http::request;

use crate::{
    error::BoxError,
    object::{BucketName, decode_once},
};

/// Where the name of the bucket comes from.
#[derive(Clone)]
pub(crate) enum BucketSource {
    Fixed(BucketName),
    /// The first segment after the mount, if a glob of the allow-list matches it.
    FromPath(BucketGlobs),
    Resolver(BucketResolver),
}

/// The bucket names with which a path may begin.
#[derive(Clone)]
pub(crate) struct BucketGlobs {
    set: GlobSet,
    texts: Vec<String>,
}

/// A function of yours that names the bucket of a request, for example by a tenant's host name.
///
/// It sees the request as it came (method, URI, headers, extensions). `Ok(None)` means that there is no such bucket:
/// the response is 404. An error is logged, and the response is 503.
///
/// ```
/// use tower_s3_proxy::{BucketName, bucket::BucketResolver};
///
/// let by_tenant = BucketResolver::new(|request| async move {
///     let Some(tenant) = request.headers.get("x-tenant") else { return Ok(None) };
///     Ok(BucketName::parse(format!("media-{}", tenant.to_str()?)).ok())
/// });
/// ```
#[derive(Clone)]
pub struct BucketResolver(Arc<ResolveFn>);

type ResolveFn = dyn Fn(request::Parts) -> ResolveFuture + Send + Sync;
type ResolveFuture = Pin<Box<dyn Future<Output = Result<Option<BucketName>, BoxError>> + Send>>;

/// A glob that does not parse.
#[derive(Debug)]
pub(crate) struct InvalidGlob(globset::Error);

// === impl BucketSource ===

impl BucketSource {
    /// The bucket, if every request has the same.
    #[cfg(any(feature = "purge", feature = "s3-clients"))]
    pub(crate) fn fixed(&self) -> Option<&BucketName> {
        match self {
            Self::Fixed(name) => Some(name),
            Self::FromPath(_) | Self::Resolver(_) => None,
        }
    }

    pub(crate) fn from_path<'g>(globs: impl IntoIterator<Item = &'g str>) -> Result<Self, InvalidGlob> {
        let (mut set, mut texts) = (GlobSetBuilder::new(), Vec::new());
        for glob in globs {
            set.add(GlobBuilder::new(glob).literal_separator(true).build().map_err(InvalidGlob)?);
            texts.push(glob.to_owned());
        }
        Ok(Self::FromPath(BucketGlobs { set: set.build().map_err(InvalidGlob)?, texts }))
    }

    /// Whether a request could name the bucket; a resolver can name any.
    pub(crate) fn may_be(&self, bucket: &BucketName) -> bool {
        match self {
            Self::Fixed(name) => name == bucket,
            Self::FromPath(allowed) => allowed.allow(bucket),
            Self::Resolver(_) => true,
        }
    }
}

/// Splits `bucket/key` off the rest of a path; `None` if no allowed bucket is named.
pub(crate) fn split_bucket<'r>(allowed: &BucketGlobs, rest: &'r str) -> Option<(BucketName, &'r str)> {
    let (name, rest) = rest.split_once('/').unwrap_or((rest, ""));
    let name = BucketName::parse(decode_once(name).ok()?).ok()?;
    allowed.allow(&name).then_some((name, rest))
}

impl fmt::Debug for BucketSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(name) => f.debug_tuple("Fixed").field(name).finish(),
            Self::FromPath(globs) => f.debug_tuple("FromPath").field(&globs.texts).finish(),
            Self::Resolver(_) => f.write_str("Resolver"),
        }
    }
}

// === impl BucketGlobs ===

impl BucketGlobs {
    /// The globs as they were given.
    #[cfg(feature = "policies")]
    pub(crate) fn texts(&self) -> &[String] {
        &self.texts
    }

    /// An ARN in a URL could name any account's bucket; only names can be allowed by glob. A directory bucket costs a signed
    /// session, and a host name of its own: a visitor cannot name one unless a glob says so by its ending. Nor can one name a
    /// bucket of another tenant (Ceph) unless a glob has a colon.
    fn allow(&self, name: &BucketName) -> bool {
        let is_of_tenant = name.is_of_tenant();
        let name = name.as_str();
        let matches = || self.set.matches(name).into_iter().filter_map(|n| self.texts.get(n));
        match DIRECTORY_ENDINGS.into_iter().find(|ending| name.ends_with(ending)) {
            Some(ending) => matches().any(|glob| glob.ends_with(ending)),
            None if is_of_tenant => matches().any(|glob| glob.contains(':')),
            None => !name.contains(':') && self.set.is_match(name),
        }
    }
}

/// Of the names of directory buckets, and of access points to them.
const DIRECTORY_ENDINGS: [&str; 2] = ["--x-s3", "--xa-s3"];

// === impl BucketResolver ===

impl BucketResolver {
    /// Wraps an async function from the request's head to a bucket name.
    pub fn new<F, Fut>(resolve: F) -> Self
    where
        F: Fn(request::Parts) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Option<BucketName>, BoxError>> + Send + 'static,
    {
        Self(Arc::new(move |parts| Box::pin(resolve(parts))))
    }

    pub(crate) async fn resolve(&self, parts: request::Parts) -> Result<Option<BucketName>, BoxError> {
        (self.0)(parts).await
    }
}

impl fmt::Debug for BucketResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BucketResolver")
    }
}

// === impl InvalidGlob ===

impl fmt::Display for InvalidGlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl std::error::Error for InvalidGlob {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_allowed_names_are_taken_from_the_path() {
        let BucketSource::FromPath(allowed) = BucketSource::from_path(["media-*", "public"]).unwrap() else {
            unreachable!()
        };
        for (rest, expected) in [
            ("media-a/x/y", Some(("media-a", "x/y"))),
            ("public/x", Some(("public", "x"))),
            ("publ%69c/x", Some(("public", "x"))),
            ("public", Some(("public", ""))),
            ("private/x", None),
            ("media-%2F..%2Fprivate/x", None),
            ("media-%00/x", None),
            ("arn:aws:s3:us-east-1:1:accesspoint/media-a", None),
            ("", None),
        ] {
            let split = split_bucket(&allowed, rest);
            assert_eq!(split.as_ref().map(|(name, rest)| (name.as_str(), *rest)), expected, "{rest}");
        }
        assert!(BucketSource::from_path(["a["]).is_err());
    }

    #[test]
    fn a_bucket_of_a_tenant_needs_a_glob_with_a_colon() {
        for (glob, name, is_allowed) in [
            ("*", "studio:media", false),
            ("*media", "studio:media", false),
            ("studio:*", "studio:media", true),
            ("studio:*", "studio%3Amedia", true),
            ("studio:*", "other:media", false),
            ("*:media", "other:media", true),
            ("*:*", "arn:aws:s3:us-east-1:1:accesspoint/media", false),
        ] {
            let BucketSource::FromPath(allowed) = BucketSource::from_path(["public", glob]).unwrap() else {
                unreachable!()
            };
            let path = format!("{name}/key");
            assert_eq!(split_bucket(&allowed, &path).is_some(), is_allowed, "{glob} {name}");
        }
    }

    #[test]
    fn a_directory_bucket_needs_a_glob_that_says_so() {
        let name = "media-a--usw2-az1--x-s3";
        for (glob, name, is_allowed) in [
            ("media-*", name, false),
            ("*", name, false),
            ("*--x-s3", name, true),
            ("media-*--x-s3", name, true),
            ("docs-*--x-s3", name, false),
            (name, name, true),
            ("media-*", "media-a--usw2-az1--xa-s3", false),
            ("media-*", "media-a--x-s3-not", true),
        ] {
            let BucketSource::FromPath(allowed) = BucketSource::from_path(["public", glob]).unwrap() else {
                unreachable!()
            };
            let path = format!("{name}/key");
            assert_eq!(split_bucket(&allowed, &path).is_some(), is_allowed, "{glob} {name}");
        }
    }
}
