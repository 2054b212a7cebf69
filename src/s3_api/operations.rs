use std::{
    future::Future,
    sync::{Arc, OnceLock},
};

use http::request::Parts;
use s3s::{
    S3, S3Request, S3Response, S3Result,
    dto::{
        AbortMultipartUploadInput, AbortMultipartUploadOutput, CompleteMultipartUploadInput,
        CompleteMultipartUploadOutput, CopyObjectInput, CopyObjectOutput, CreateMultipartUploadInput,
        CreateMultipartUploadOutput, DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput,
        DeleteObjectsOutput, GetBucketLocationInput, GetBucketLocationOutput, GetObjectInput,
        GetObjectOutput, HeadBucketInput, HeadBucketOutput, HeadObjectInput, HeadObjectOutput,
        ListBucketsInput, ListBucketsOutput, ListMultipartUploadsInput, ListMultipartUploadsOutput,
        ListObjectsInput, ListObjectsOutput, ListObjectsV2Input, ListObjectsV2Output, ListPartsInput,
        ListPartsOutput, PutObjectInput, PutObjectOutput, UploadPartCopyInput, UploadPartCopyOutput,
        UploadPartInput, UploadPartOutput,
    },
    s3_error,
};
use tracing::{Dispatch, instrument::WithSubscriber};

use super::{
    fields,
    read::AskedObject,
    scope::{Action, Scope},
};
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
        let (bucket, key) = self.scope.locate(bucket, key, Action::Read)?;
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

    async fn put_object(&self, request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        self.told(self.put(request)).await
    }

    async fn upload_part(
        &self,
        request: S3Request<UploadPartInput>,
    ) -> S3Result<S3Response<UploadPartOutput>> {
        self.told(self.put_part(request)).await
    }

    async fn copy_object(
        &self,
        request: S3Request<CopyObjectInput>,
    ) -> S3Result<S3Response<CopyObjectOutput>> {
        self.told(self.copy(request)).await
    }

    async fn delete_object(
        &self,
        request: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        self.told(self.delete(request)).await
    }

    async fn delete_objects(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        self.told(self.delete_all(request)).await
    }

    async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        self.told(self.begin_upload(request)).await
    }

    async fn upload_part_copy(
        &self,
        request: S3Request<UploadPartCopyInput>,
    ) -> S3Result<S3Response<UploadPartCopyOutput>> {
        self.told(self.copy_part(request)).await
    }

    async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        self.told(self.complete_upload(request)).await
    }

    async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        self.told(self.abort_upload(request.input)).await
    }

    async fn list_parts(&self, request: S3Request<ListPartsInput>) -> S3Result<S3Response<ListPartsOutput>> {
        self.told(self.parts(request.input)).await
    }

    async fn list_multipart_uploads(
        &self,
        request: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
        self.told(self.uploads(request.input)).await
    }
}
