//! What a key is told of its buckets, without a request to S3.

use s3s::{
    S3Result,
    dto::{
        Bucket, BucketLocationConstraint, GetBucketLocationOutput, HeadBucketOutput, ListBucketsInput,
        ListBucketsOutput, Timestamp,
    },
};

use super::scope::{ClientBucket, Scope};

/// Where no location constraint is the answer ("GetBucketLocation" of the S3 API).
const OLDEST_REGION: &str = "us-east-1";

// === impl Scope ===

impl Scope {
    /// Mounts are few: all of them are one page.
    pub(super) fn list_buckets(&self, input: &ListBucketsInput) -> ListBucketsOutput {
        let prefix = input.prefix.as_deref().unwrap_or_default();
        let mut buckets: Vec<_> =
            self.buckets.iter().filter(|bucket| bucket.name.starts_with(prefix)).collect();
        buckets.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        buckets.dedup_by(|one, other| one.name == other.name);
        let bucket = |bucket: &ClientBucket| Bucket {
            name: Some(bucket.name.clone()),
            creation_date: Some(Timestamp::from(self.since)),
            bucket_region: Some(bucket.region()),
        };
        ListBucketsOutput {
            buckets: Some(buckets.into_iter().map(bucket).collect()),
            prefix: input.prefix.clone(),
            ..ListBucketsOutput::default()
        }
    }

    pub(super) fn head_bucket(&self, name: &str) -> S3Result<HeadBucketOutput> {
        let region = self.bucket(name)?.region();
        Ok(HeadBucketOutput { bucket_region: Some(region), ..HeadBucketOutput::default() })
    }

    pub(super) fn bucket_location(&self, name: &str) -> S3Result<GetBucketLocationOutput> {
        let region = self.bucket(name)?.region();
        let constraint = (region != OLDEST_REGION).then(|| BucketLocationConstraint::from(region));
        Ok(GetBucketLocationOutput { location_constraint: constraint })
    }
}

// === impl ClientBucket ===

impl ClientBucket {
    /// A client can sign for any: what it is told is where the bucket is.
    fn region(&self) -> String {
        self.mount.0.origin.region().to_owned()
    }
}
