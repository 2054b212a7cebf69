use std::time::{Duration, UNIX_EPOCH};

use crate::{
    config::Mount,
    links::{
        Covered, Distribution, Limits, PresignError, PresignErrorKind, PresignRequest, PresignedUrl,
        Remembered,
    },
    object::BucketName,
};

impl Mount {
    /// A link of the mount's distribution, which is signed by a key of its own: S3's bounds and the credentials' are none of
    /// its.
    pub(super) fn presign_by_cloudfront(
        &self,
        distribution: &Distribution,
        bucket: BucketName,
        request: PresignRequest,
    ) -> Result<PresignedUrl, PresignError> {
        let links = &self.0.links;
        let now = self.0.origin.now();
        let id = (bucket, request);
        if let Some(link) = links.memory.recall(&id, GENERATION, now) {
            return Ok(link);
        }
        let request = &id.1;
        let limits =
            Limits { asked: request.expires_in, longest: links.longest, scheme: None, credentials: None };
        let (life, bounded_by) = limits
            .life()
            .ok_or_else(|| PresignError::new(PresignErrorKind::Expiry, "an expiry of less than a second"))?;
        let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let begins = UNIX_EPOCH + Duration::from_secs(since.as_secs());
        let ends = begins + life;
        request.upload_fields()?;
        let covered = self.covered(distribution, request)?;
        if covered.not_before.is_some_and(|not_before| not_before >= ends) {
            let message = "the link would end before it begins: ask for a later expiry";
            return Err(PresignError::new(PresignErrorKind::Expiry, message));
        }
        let path = distribution.path_of(request.key.as_str()).ok_or_else(|| outside(request.key.as_str()))?;
        let version = request.version_id()?;
        let mut parameters = request.parameters()?;
        parameters.extend(version.as_ref().map(|version| ("versionId", version.as_str())));
        let url = distribution.sign(path, &parameters, ends, &covered).map_err(|why| {
            PresignError::new(PresignErrorKind::Endpoint, "the link of CloudFront is not signed")
                .caused_by(why)
        })?;
        let renewed_at = begins + links.fresh_for(life);
        let link = PresignedUrl { url, headers: Vec::new(), expires_at: ends, bounded_by, renewed_at };
        links.memory.keep(id, Remembered { link: link.clone(), generation: GENERATION });
        Ok(link)
    }

    fn covered(
        &self,
        distribution: &Distribution,
        request: &PresignRequest,
    ) -> Result<Covered, PresignError> {
        let covered = request.covered()?;
        let Some(glob) = request.glob() else { return Ok(covered) };
        let prefix = self.0.keys.prefix();
        if glob.strip_prefix(prefix).is_none_or(str::is_empty) {
            let message = format!("the keys {glob:?} are not below the mount's prefix {prefix:?}");
            return Err(PresignError::new(PresignErrorKind::Key, message));
        }
        let keys = distribution.path_of(glob).ok_or_else(|| outside(glob))?;
        Ok(Covered { keys: Some(keys.to_owned()), ..covered })
    }
}

/// The key of a distribution stays what it is.
const GENERATION: u64 = 0;

fn outside(key: &str) -> PresignError {
    let message = format!("the key {key:?} is not below the origin path of the CloudFront distribution");
    PresignError::new(PresignErrorKind::Key, message)
}
