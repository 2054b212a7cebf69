//! The website configuration of a bucket, through the SDK's own client.

use aws_sdk_s3::{
    error::{ProvideErrorMetadata, SdkError},
    operation::get_bucket_website::{GetBucketWebsiteError, GetBucketWebsiteOutput},
};

use super::{
    S3Origin,
    sdk_error::{call_refusal, kind_without_answer},
};
use crate::{
    error::{ProxyError, ProxyErrorKind},
    object::BucketName,
};

// === impl S3Origin ===

impl S3Origin {
    /// `None` if the bucket has none.
    pub(crate) async fn bucket_website(
        &self,
        bucket: &BucketName,
    ) -> Result<Option<GetBucketWebsiteOutput>, ProxyError> {
        self.may_spend().map_err(|why| ProxyError::from_source(ProxyErrorKind::BudgetUsedUp, why))?;
        let client = self
            .typed_client(bucket)
            .map_err(|why| ProxyError::from_source(ProxyErrorKind::OriginMisconfigured, why))?;
        match client.get_bucket_website().bucket(bucket.as_str()).send().await {
            Ok(website) => Ok(Some(website)),
            Err(error) if error.code() == Some("NoSuchWebsiteConfiguration") => Ok(None),
            Err(error) => {
                Err(ProxyError::from_source(kind_of(&error), call_refusal(&error, "s3:GetBucketWebsite")))
            }
        }
    }
}

fn kind_of(error: &SdkError<GetBucketWebsiteError>) -> ProxyErrorKind {
    match error {
        SdkError::ServiceError(refusal) if refusal.raw().status().is_server_error() => {
            ProxyErrorKind::OriginBusy
        }
        // A region that is wrong, a permission that is missing, a server that knows no websites.
        SdkError::ServiceError(_) => ProxyErrorKind::OriginMisconfigured,
        _ => kind_without_answer(error),
    }
}
