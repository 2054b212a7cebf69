//! Uploads in parts, for objects whose length nobody knows before their end ([S3 user guide, "Multipart
//! upload"](https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html)).

use aws_sdk_s3::{
    Client,
    config::http::HttpResponse,
    error::SdkError,
    primitives::ByteStream,
    types::{CompletedMultipartUpload, CompletedPart},
};
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::{
    Changed, OriginError, Refusal, S3Origin, Target,
    wire::{WireError, WireErrorKind},
};
use crate::{
    error::BoxError,
    object::{BucketName, ObjectKey},
};

/// An upload in parts that has begun. S3 keeps its parts, and charges for them, until it is completed or aborted.
#[derive(Debug, Clone)]
pub(crate) struct PartedUpload {
    client: Client,
    bucket: BucketName,
    key: ObjectKey,
    id: String,
}

/// A part that S3 has.
#[derive(Debug)]
pub(crate) struct UploadedPart(CompletedPart);

/// Why there is no answer, or not the one that was hoped for.
#[derive(Debug)]
pub(crate) enum PartError {
    Refused(Box<Refusal>),
    Origin(OriginError),
}

/// In bytes. S3 takes at least 5 MiB, except of the last one.
pub(crate) const PART_SIZE: usize = 8 * 1024 * 1024;

/// Of one upload.
pub(crate) const MAX_PARTS: u64 = 10_000;

// === impl S3Origin ===

impl S3Origin {
    /// Begins an upload of an object with these fields, each name once.
    pub(crate) async fn begin_parts(
        &self,
        target: Target<'_>,
        fields: Vec<(HeaderName, HeaderValue)>,
    ) -> Result<PartedUpload, PartError> {
        self.has_credentials().await.map_err(PartError::Origin)?;
        self.may_spend().map_err(PartError::Origin)?;
        let client =
            self.typed_client(target.bucket).map_err(OriginError::Endpoint).map_err(PartError::Origin)?;
        let (bucket, key) = (target.bucket.clone(), target.key.clone());
        let begin = client.create_multipart_upload().bucket(bucket.as_str()).key(key.as_str());
        let begin = begin.customize().mutate_request(move |request| add(request.headers_mut(), &fields));
        let begun = begin.send().await.map_err(|why| self.part_error(&bucket, &why))?;
        let id = begun.upload_id.filter(|id| !id.is_empty());
        let id = id.ok_or_else(|| broken("S3 began an upload without an id"))?;
        Ok(PartedUpload { client, bucket, key, id })
    }

    /// Sends a part, counted from 1.
    pub(crate) async fn put_part(
        &self,
        upload: &PartedUpload,
        number: i32,
        bytes: Bytes,
    ) -> Result<UploadedPart, PartError> {
        let PartedUpload { client, bucket, key, id } = upload;
        let part = client.upload_part().bucket(bucket.as_str()).key(key.as_str()).upload_id(id);
        let part = part.part_number(number).body(ByteStream::new(SdkBody::from(bytes)));
        let sent = part.send().await.map_err(|why| self.part_error(bucket, &why))?;
        let part = CompletedPart::builder()
            .part_number(number)
            .set_e_tag(sent.e_tag)
            .set_checksum_crc32(sent.checksum_crc32)
            .set_checksum_crc32_c(sent.checksum_crc32_c)
            .set_checksum_crc64_nvme(sent.checksum_crc64_nvme);
        Ok(UploadedPart(part.build()))
    }

    /// Makes the parts, in order, an object, under these conditions.
    pub(crate) async fn complete_parts(
        &self,
        upload: &PartedUpload,
        parts: Vec<UploadedPart>,
        conditions: Vec<(HeaderName, HeaderValue)>,
    ) -> Result<Changed, PartError> {
        let PartedUpload { client, bucket, key, id } = upload;
        let parts = parts.into_iter().map(|UploadedPart(part)| part).collect();
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let complete = client.complete_multipart_upload().bucket(bucket.as_str()).key(key.as_str());
        let complete = complete.upload_id(id).multipart_upload(parts);
        let complete =
            complete.customize().mutate_request(move |request| add(request.headers_mut(), &conditions));
        match complete.send().await.map_err(|why| self.part_error(bucket, &why)) {
            Ok(done) => {
                let tag = done.e_tag.and_then(|tag| HeaderValue::try_from(tag).ok());
                Ok(Changed::Done(tag.map(|tag| (http::header::ETAG, tag)).into_iter().collect::<HeaderMap>()))
            }
            Err(PartError::Refused(refusal)) => Ok(Changed::Refused(*refusal)),
            Err(why) => Err(why),
        }
    }

    /// Has S3 forget the parts.
    pub(crate) async fn abort_parts(&self, upload: &PartedUpload) -> Result<(), PartError> {
        let PartedUpload { client, bucket, key, id } = upload;
        let abort = client.abort_multipart_upload().bucket(bucket.as_str()).key(key.as_str()).upload_id(id);
        match abort.send().await.map_err(|why| self.part_error(bucket, &why)) {
            // It is gone already.
            Err(PartError::Refused(refusal)) if refusal.status == StatusCode::NOT_FOUND => Ok(()),
            aborted => aborted.map(drop),
        }
    }

    fn part_error<E>(&self, bucket: &BucketName, error: &SdkError<E, HttpResponse>) -> PartError
    where
        E: std::error::Error + Send + Sync + 'static,
    {
        let kind = match error {
            SdkError::ServiceError(said) => {
                return PartError::Refused(Box::new(self.said(bucket, said.raw())));
            }
            SdkError::ResponseError(said) if !said.raw().status().is_success() => {
                return PartError::Refused(Box::new(self.said(bucket, said.raw())));
            }
            SdkError::TimeoutError(_) => WireErrorKind::Timeout,
            SdkError::DispatchFailure(why) if why.is_timeout() => WireErrorKind::Timeout,
            SdkError::DispatchFailure(why) if why.is_io() => WireErrorKind::Connect,
            SdkError::ConstructionFailure(_) => {
                return PartError::Origin(OriginError::unwritable(crate::error::in_one_line(error)));
            }
            _ => WireErrorKind::Broken,
        };
        PartError::Origin(OriginError::Wire(WireError::new(kind, crate::error::in_one_line(error))))
    }

    fn said(&self, bucket: &BucketName, answer: &HttpResponse) -> Refusal {
        let status = StatusCode::from_u16(answer.status().as_u16()).unwrap_or(StatusCode::BAD_GATEWAY);
        let fields = answer.headers().iter().filter_map(|(name, value)| {
            Some((HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?))
        });
        // An upload can be refused after a 200 has been sent (S3 API, CompleteMultipartUpload).
        let status = if status.is_success() { StatusCode::INTERNAL_SERVER_ERROR } else { status };
        let document = answer.body().bytes().unwrap_or_default();
        self.without_secrets(bucket, Refusal::new(status, &fields.collect(), document))
    }
}

fn add(headers: &mut aws_smithy_runtime_api::http::Headers, fields: &[(HeaderName, HeaderValue)]) {
    for (name, value) in fields {
        if let Ok(value) = value.to_str() {
            headers.insert(name.as_str().to_owned(), value.to_owned());
        }
    }
}

fn broken(why: impl Into<BoxError>) -> PartError {
    PartError::Origin(OriginError::Wire(WireError::new(WireErrorKind::Broken, why)))
}
