//! The website configuration of the bucket, as requests meet it.

use http::{Response, StatusCode};

use super::{Search, read_text::unasked, redirect};
use crate::{
    body::ObjectBody,
    config::{Mount, OfBucket, SitePolicy},
    error::{ProxyError, ProxyErrorKind},
    published::BucketSite,
    route::BucketSource,
};

// === impl Mount ===

impl Mount {
    /// The configuration as S3 has it now.
    pub(super) async fn of_bucket(&self, last: Option<&OfBucket>) -> Result<OfBucket, ProxyError> {
        let BucketSource::Fixed(bucket) = &self.0.bucket else { return Err(unasked()) };
        let origin = &self.0.origin;
        let website = match origin.bucket_website(bucket).await {
            // A read finds out where the bucket is, if that is the reason.
            Err(_) if last.is_none() && self.probe(bucket).await.is_ok() => {
                origin.bucket_website(bucket).await
            }
            answer => answer,
        };
        let site = website?.map(|website| BucketSite::new(&website, self.0.keys.prefix()));
        let mount = &self.0.path;
        let Some((site, no_effect)) = site else {
            if last.is_none_or(|last| last.site.is_some()) {
                tracing::warn!(%mount, %bucket, "the bucket has no website configuration: its objects are served, and nothing else");
            }
            return Ok(OfBucket { site: None, policy: SitePolicy::of_bucket(None) });
        };
        if last.and_then(|last| last.site.as_ref()) != Some(&site) {
            tracing::info!(%mount, %bucket, "serving the website configuration of the bucket");
            for why in no_effect {
                tracing::warn!(%mount, %bucket, "of the bucket's website configuration, a part has no effect: {why}");
            }
        }
        let policy = SitePolicy::of_bucket(Some(&site));
        Ok(OfBucket { site: Some(site), policy })
    }
}

// === impl Search ===

impl Search {
    /// The website that this is a visit of: the mount's, or the bucket's own.
    pub(super) fn site(&self) -> Option<&SitePolicy> {
        let of_bucket = self.view.as_ref().and_then(|view| view.snapshot.of_bucket.as_ref());
        of_bucket.map(|of_bucket| &of_bucket.policy).or(self.mount.0.website.as_ref())
    }

    /// A redirect of the bucket's configuration: before the object is looked for, or after an error of this status.
    pub(super) fn redirect_of_bucket(&self, error: Option<StatusCode>) -> Option<Response<ObjectBody>> {
        let site = self.view.as_ref()?.snapshot.of_bucket.as_ref()?.site.as_ref()?;
        let path = self.path()?;
        let key = format!("{}{}", self.mount.0.keys.prefix(), path.strip_prefix('/')?);
        let (status, place) = match error {
            Some(status) => site.after(&key, status)?,
            None => site.before(&key)?,
        };
        redirect(status, &self.location(place))
    }

    /// The status of a response that S3's website endpoint takes for an error; `None` if the denial is this mount's.
    pub(super) fn error_of(response: &Response<ObjectBody>) -> Option<StatusCode> {
        let error = response.extensions().get::<ProxyError>()?;
        (error.kind() != ProxyErrorKind::Denied).then(|| response.status())
    }
}
