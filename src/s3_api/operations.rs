use std::{
    future::Future,
    sync::{Arc, OnceLock},
};

use http::request::Parts;
use s3s::{
    S3, S3Request, S3Response, S3Result,
    dto::{
        GetBucketLocationInput, GetBucketLocationOutput, GetObjectInput, GetObjectOutput, HeadBucketInput,
        HeadBucketOutput, HeadObjectInput, HeadObjectOutput, ListBucketsInput, ListBucketsOutput,
        ListObjectsInput, ListObjectsOutput, ListObjectsV2Input, ListObjectsV2Output,
    },
    s3_error,
};
use tracing::{Dispatch, instrument::WithSubscriber};

use super::{fields, read::AskedObject, scope::Scope};
use crate::{
    object::{Edition, VersionId},
    request::VersionPolicy,
};

/// The operations of S3 for one request, whose signature holds. Those that are not here are `NotImplemented`.
pub(super) struct Operations {
    pub(super) scope: Arc<Scope>,
    pub(super) head: Arc<Parts>,
    /// The object that the lane shall read.
    pub(super) asked: Arc<OnceLock<AskedObject>>,
    /// The caller's: that of `s3s` says nothing.
    pub(super) subscriber: Dispatch,
}

// === impl Operations ===

impl Operations {
    /// The answer of an operation, whose lines go to the log as ever.
    async fn told<T>(&self, answer: impl Future<Output = S3Result<T>>) -> S3Result<S3Response<T>> {
        answer.with_subscriber(self.subscriber.clone()).await.map(S3Response::new)
    }

    /// Leaves the object to the lane.
    fn ask(&self, bucket: &str, key: &str, version: Option<&str>, part: Option<i32>) -> S3Result<()> {
        if part.is_some() {
            return Err(s3_error!(NotImplemented, "single parts of an object are not served here"));
        }
        let (bucket, key) = self.scope.locate(bucket, key)?;
        let version = match (version, bucket.mount.0.query.versions) {
            (None, _) => None,
            (Some(_), VersionPolicy::Ignored) => {
                return Err(s3_error!(NotImplemented, "versions of an object are not served here"));
            }
            (Some(version), VersionPolicy::Honoured) => {
                let version = VersionId::parse(version);
                Some(version.map_err(|_| s3_error!(NoSuchVersion, "there is no such version"))?)
            }
        };
        let asked = AskedObject { bucket: bucket.clone(), key, edition: Edition { version, bust: None } };
        // The one operation of a request.
        let _ = self.asked.set(asked);
        Ok(())
    }
}

#[async_trait::async_trait]
impl S3 for Operations {
    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        fields::check_read(&request.headers)?;
        let GetObjectInput { bucket, key, version_id, part_number, .. } = request.input;
        self.ask(&bucket, &key, version_id.as_deref(), part_number)?;
        Ok(S3Response::new(GetObjectOutput::default()))
    }

    async fn head_object(
        &self,
        request: S3Request<HeadObjectInput>,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        fields::check_read(&request.headers)?;
        let HeadObjectInput { bucket, key, version_id, part_number, .. } = request.input;
        self.ask(&bucket, &key, version_id.as_deref(), part_number)?;
        Ok(S3Response::new(HeadObjectOutput::default()))
    }

    async fn list_buckets(
        &self,
        request: S3Request<ListBucketsInput>,
    ) -> S3Result<S3Response<ListBucketsOutput>> {
        self.told(async { Ok(self.scope.list_buckets(&request.input)) }).await
    }

    async fn head_bucket(
        &self,
        request: S3Request<HeadBucketInput>,
    ) -> S3Result<S3Response<HeadBucketOutput>> {
        self.told(async { self.scope.head_bucket(&request.input.bucket) }).await
    }

    async fn get_bucket_location(
        &self,
        request: S3Request<GetBucketLocationInput>,
    ) -> S3Result<S3Response<GetBucketLocationOutput>> {
        self.told(async { self.scope.bucket_location(&request.input.bucket) }).await
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        self.told(self.page_v2(request.input)).await
    }

    async fn list_objects(
        &self,
        request: S3Request<ListObjectsInput>,
    ) -> S3Result<S3Response<ListObjectsOutput>> {
        self.told(self.page_v1(request.input)).await
    }
}
