use std::time::Duration;

use http::{HeaderName, HeaderValue};

use crate::{
    config::Mount,
    links::{
        Limits, LinkMethod, PresignError, PresignErrorKind, PresignRequest, PresignedUrl, PublicHost,
        Remembered, SEVEN_DAYS,
    },
    object::BucketName,
    origin::{LinkSigner, LinkTo, OriginError},
    route::BucketSource,
    terms::Grant,
};

/// # Links
impl Mount {
    /// A link to one of its objects, signed with its credentials and by its [`LinkPolicy`](crate::links::LinkPolicy). S3 is
    /// not asked, so a link can be for an object that does not exist, or that the credentials may not read.
    ///
    /// Its life is the least of the expiry that is asked for, the policy's longest, seven days, and the life that the
    /// credentials have left, less one minute. Equal requests to read get the same link while enough of its life is left.
    ///
    /// Neither the authorizer nor the selector is asked: the caller decides who gets the link.
    ///
    /// # Errors
    ///
    /// [`PresignError`] says what is in the way.
    ///
    /// ```no_run
    /// # use tower_s3_proxy::{Mount, bucket::ObjectKey, links::PresignRequest};
    /// # async fn run(media: Mount) -> Result<(), Box<dyn std::error::Error>> {
    /// let link = media.presign(PresignRequest::get(ObjectKey::new("films/2031/a.mp4")?)).await?;
    /// println!("{} until {:?}, by the {}", link.url(), link.expires_at(), link.bounded_by());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn presign(&self, request: PresignRequest) -> Result<PresignedUrl, PresignError> {
        let bucket = self.check_link(&request)?;
        let distribution = self.0.links.cloudfront.as_ref().filter(|_| request.is_for_cloudfront());
        if let Some(distribution) = distribution {
            return self.presign_by_cloudfront(distribution, bucket, request);
        }
        request.check_for_s3()?;
        let origin = &self.0.origin;
        let signer = origin.link_signer(&bucket, MARGIN).await.map_err(from_origin)?.ok_or_else(|| {
            let message = match &self.0.presigned {
                Some(_) => "the mount signs nothing, and passes on links of others: give it credentials to make its own",
                None => "the mount signs nothing, since its bucket is public: the object's own URL is its link",
            };
            PresignError::new(PresignErrorKind::Unsigned, message)
        })?;
        let links = &self.0.links;
        let (now, generation) = (signer.now(), signer.generation());
        let id = (bucket, request);
        if let Some(link) = links.memory.recall(&id, generation, now) {
            return Ok(link);
        }
        let link = self.sign(&signer, &id.1)?;
        // No browser caches an upload, and what is required of one can be long.
        if id.1.method.reads() {
            links.memory.keep(id, Remembered { link: link.clone(), generation });
        }
        Ok(link)
    }

    /// The bucket, if a link of this mount can be for it and for the key.
    fn check_link(&self, request: &PresignRequest) -> Result<BucketName, PresignError> {
        let refuse = |kind, message: String| Err(PresignError::new(kind, message));
        let bucket = match (&request.bucket, &self.0.bucket) {
            (Some(bucket), source) if source.may_be(bucket) => bucket,
            (Some(bucket), _) => {
                return refuse(PresignErrorKind::Bucket, format!("the mount never uses the bucket {bucket}"));
            }
            (None, BucketSource::Fixed(bucket)) => bucket,
            (None, BucketSource::FromPath(_) | BucketSource::Resolver(_)) => {
                let message = "the mount has many buckets: name the link's";
                return refuse(PresignErrorKind::Bucket, message.to_owned());
            }
        };
        let prefix = self.0.keys.prefix();
        if request.key.as_str().strip_prefix(prefix).is_none_or(str::is_empty) {
            let message =
                format!("the key {:?} is not below the mount's prefix {prefix:?}", request.key.as_str());
            return refuse(PresignErrorKind::Key, message);
        }
        if !request.method.reads() && self.0.links.grant == Grant::Read {
            let message = format!(
                "a link for {} writes, and links of this mount only read: give its link policy the grant read-write",
                request.method.as_str()
            );
            return refuse(PresignErrorKind::NotGranted, message);
        }
        if self.0.origin.terms.customer_key.is_some() {
            let message = "the objects have a customer key, which whoever uses a link would need: there are no links to them";
            return refuse(PresignErrorKind::CustomerKey, message.to_owned());
        }
        if request.expires_in.is_some_and(|life| life.as_secs() == 0) {
            let message = "an expiry of less than a second: give a second at least";
            return refuse(PresignErrorKind::Expiry, message.to_owned());
        }
        Ok(bucket.clone())
    }

    fn sign(&self, signer: &LinkSigner, request: &PresignRequest) -> Result<PresignedUrl, PresignError> {
        let links = &self.0.links;
        let limits = Limits {
            asked: request.expires_in,
            longest: links.longest,
            scheme: Some(SEVEN_DAYS),
            credentials: signer.life_left().map(|left| left.saturating_sub(MARGIN)),
        };
        let (life, bounded_by) = limits.life().ok_or_else(|| {
            let message =
                "the credentials expire within a minute, too soon for a link, and there are no newer ones";
            PresignError::new(PresignErrorKind::Credentials, message)
        })?;
        let version = request.version_id()?;
        let headers = self.upload_fields(request)?;
        let signed = signer.sign(LinkTo {
            method: request.method.as_str(),
            key: &request.key,
            version: version.as_ref(),
            parameters: &request.parameters()?,
            fields: &headers,
            life,
        });
        let base = links.public_host.as_ref().map_or(signed.base.as_str(), PublicHost::base);
        Ok(PresignedUrl {
            url: format!("{base}{}", signed.path_and_query),
            headers,
            expires_at: signer.signed_at() + life,
            bounded_by,
            renewed_at: signer.signed_at() + links.fresh_for(life),
        })
    }

    /// Those of the request, and for the mount's encryption its own: S3 takes them as fields only, and not as parameters.
    fn upload_fields(
        &self,
        request: &PresignRequest,
    ) -> Result<Vec<(HeaderName, HeaderValue)>, PresignError> {
        let mut fields = request.upload_fields()?;
        if request.method == LinkMethod::Put {
            fields.extend(self.encryption().into_iter().flat_map(|encryption| encryption.request_fields()));
        }
        Ok(fields)
    }
}

/// So long before the credentials do, a link expires: clocks differ, and a response takes its time.
const MARGIN: Duration = Duration::from_secs(60);

fn from_origin(error: OriginError) -> PresignError {
    let (kind, message) = match &error {
        OriginError::Credentials(_) => (PresignErrorKind::Credentials, "no credentials to sign a link with"),
        OriginError::Endpoint(_)
        | OriginError::Overload(_)
        | OriginError::LeftAlone { .. }
        | OriginError::UsedUp(_)
        | OriginError::Wire(_)
        | OriginError::Unwritable(_) => {
            (PresignErrorKind::Endpoint, "the bucket of the link has no endpoint")
        }
    };
    PresignError::new(kind, message).caused_by(error)
}
