//! Uploads: of an object at once, and of a part.

use std::sync::Arc;

use aws_sdk_s3::{
    Config,
    config::StalledStreamProtectionConfig,
    primitives::{ByteStream, SdkBody},
    types::{ChecksumAlgorithm, StorageClass},
};
use http::{
    HeaderMap, HeaderName,
    header::{CONTENT_LENGTH, IF_MATCH, IF_NONE_MATCH},
};
use http_body_util::BodyExt;
use s3s::{
    Body, S3Error, S3ErrorCode, S3Request, S3Result, TrailingHeaders,
    dto::{PutObjectInput, PutObjectOutput, StreamingBlob, UploadPartInput, UploadPartOutput},
};

use super::{
    convert::{date, described, summed, tag, with_sums},
    fields::{self, coding, text},
    operations::Operations,
    scope::Action,
    upload::{CheckedBody, Course, Expected},
};

/// A body on its way, with its length in bytes.
struct Streamed {
    body: ByteStream,
    length: i64,
    course: Arc<Course>,
}

// === impl Operations ===

impl Operations {
    pub(super) async fn put(&self, request: S3Request<PutObjectInput>) -> S3Result<PutObjectOutput> {
        let S3Request { input, headers, trailing_headers, .. } = request;
        fields::check(&headers)?;
        let target = self.scope.admit(&self.head, &input.bucket, &input.key, Action::Write).await?;
        let s3 = target.client().await?;
        let put = s3.put_object().bucket(target.bucket.as_str()).key(target.key.as_str());
        let Streamed { body, length, course } = stream(input.body, &headers, trailing_headers).await?;
        let put = with_sums!(described!(put, input), input)
            .set_if_match(text(&headers, &IF_MATCH))
            .set_if_none_match(text(&headers, &IF_NONE_MATCH))
            .set_content_md5(input.content_md5)
            .set_checksum_algorithm(
                input.checksum_algorithm.map(|name| ChecksumAlgorithm::from(name.as_str())),
            )
            .content_length(length)
            .body(body);
        let pending = target.pending();
        let sent = put.customize().config_override(patient()).send().await;
        let stored = target.written(pending, sent, Some(&course))?;
        Ok(summed!(PutObjectOutput from stored {
            e_tag: stored.e_tag().map(tag),
            version_id: stored.version_id().map(str::to_owned), ..PutObjectOutput::default() }))
    }

    pub(super) async fn put_part(&self, request: S3Request<UploadPartInput>) -> S3Result<UploadPartOutput> {
        let S3Request { input, headers, trailing_headers, .. } = request;
        fields::check(&headers)?;
        let target = self.scope.admit(&self.head, &input.bucket, &input.key, Action::Write).await?;
        let s3 = target.client().await?;
        let put = s3.upload_part().bucket(target.bucket.as_str()).key(target.key.as_str());
        let Streamed { body, length, course } = stream(input.body, &headers, trailing_headers).await?;
        let put = with_sums!(put, input)
            .upload_id(input.upload_id)
            .part_number(input.part_number)
            .set_content_md5(input.content_md5)
            .set_checksum_algorithm(
                input.checksum_algorithm.map(|name| ChecksumAlgorithm::from(name.as_str())),
            )
            .content_length(length)
            .body(body);
        let sent = put.customize().config_override(patient()).send().await;
        let stored = target.answered(sent, Some(&course))?;
        Ok(
            summed!(UploadPartOutput from stored { e_tag: stored.e_tag().map(tag), ..UploadPartOutput::default() }),
        )
    }
}

/// The body of a request, to be sent on as it comes.
async fn stream(
    blob: Option<StreamingBlob>,
    headers: &HeaderMap,
    trailers: Option<TrailingHeaders>,
) -> S3Result<Streamed> {
    let length = length_of(headers)?;
    let expected = Expected::new(headers, trailers);
    let body = blob.map_or_else(Body::empty, Body::from);
    let body = CheckedBody::new(body, length.unsigned_abs(), expected);
    let course = body.course();
    if length > 0 {
        return Ok(Streamed { body: ByteStream::new(SdkBody::from_body_1_x(body)), length, course });
    }
    // Nothing is read of a body without bytes, and so nothing checked.
    match body.collect().await {
        Ok(_) => Ok(Streamed { body: ByteStream::from_static(b""), length, course }),
        Err(_) => Err(course.fault().unwrap_or_else(|| S3Error::new(S3ErrorCode::IncompleteBody))),
    }
}

/// In bytes, as S3 must know it beforehand.
fn length_of(headers: &HeaderMap) -> S3Result<i64> {
    let field = headers.get(DECODED_LENGTH).or_else(|| headers.get(CONTENT_LENGTH));
    let message = "the request must have its length";
    let field = field.ok_or_else(|| S3Error::with_message(S3ErrorCode::MissingContentLength, message))?;
    let length = field.to_str().ok().and_then(|text| text.parse().ok()).filter(|length: &i64| *length >= 0);
    length.ok_or_else(|| S3Error::with_message(S3ErrorCode::InvalidArgument, "the length is malformed"))
}

const DECODED_LENGTH: HeaderName = HeaderName::from_static("x-amz-decoded-content-length");

/// The client may pause: the time-outs of the transport are for that.
fn patient() -> aws_sdk_s3::config::Builder {
    Config::builder().stalled_stream_protection(StalledStreamProtectionConfig::disabled())
}
