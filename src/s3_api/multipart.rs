//! Multipart uploads.

use aws_sdk_s3::types::{
    ChecksumAlgorithm, ChecksumType, CompletedMultipartUpload, CompletedPart, EncodingType, StorageClass,
};
use http::header::{IF_MATCH, IF_NONE_MATCH};
use s3s::{
    S3Request, S3Result,
    dto::{
        AbortMultipartUploadInput, AbortMultipartUploadOutput, CommonPrefix, CompleteMultipartUploadInput,
        CompleteMultipartUploadOutput, CopyPartResult, CreateMultipartUploadInput,
        CreateMultipartUploadOutput, ListMultipartUploadsInput, ListMultipartUploadsOutput, ListPartsInput,
        ListPartsOutput, MultipartUpload, Part, UploadPartCopyInput, UploadPartCopyOutput,
    },
};

use super::{
    convert::{date, described, summed, tag, timestamp, with_sums},
    fields::{self, coding, text},
    list::given,
    names::Names,
    operations::Operations,
    scope::Action,
    sdk_error,
    window::Window,
};

// === impl Operations ===

impl Operations {
    pub(super) async fn begin_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<CreateMultipartUploadOutput> {
        let S3Request { input, headers, .. } = request;
        fields::check(&headers)?;
        let target = self.scope.admit(&self.head, &input.bucket, &input.key, Action::Write).await?;
        let s3 = target.client().await?;
        let create = s3.create_multipart_upload();
        let create = create.bucket(target.bucket.as_str()).key(target.key.as_str());
        let create = described!(create, input)
            .set_checksum_algorithm(
                input.checksum_algorithm.map(|name| ChecksumAlgorithm::from(name.as_str())),
            )
            .set_checksum_type(input.checksum_type.map(|name| ChecksumType::from(name.as_str())));
        let created = target.answered(create.send().await, None)?;
        Ok(CreateMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: created.upload_id().map(str::to_owned),
            checksum_algorithm: created.checksum_algorithm().map(|name| name.as_str().to_owned().into()),
            checksum_type: created.checksum_type().map(|name| name.as_str().to_owned().into()),
            ..CreateMultipartUploadOutput::default()
        })
    }

    pub(super) async fn copy_part(
        &self,
        request: S3Request<UploadPartCopyInput>,
    ) -> S3Result<UploadPartCopyOutput> {
        let S3Request { input, headers, .. } = request;
        fields::check(&headers)?;
        let target = self.scope.admit(&self.head, &input.bucket, &input.key, Action::Write).await?;
        let source = self.source(&input.bucket, &input.copy_source).await?;
        let s3 = target.client().await?;
        let copy = s3.upload_part_copy();
        let copy = copy
            .bucket(target.bucket.as_str())
            .key(target.key.as_str())
            .upload_id(input.upload_id)
            .part_number(input.part_number)
            .copy_source(source)
            .set_copy_source_range(input.copy_source_range)
            .set_copy_source_if_match(text(&headers, &s3s::header::X_AMZ_COPY_SOURCE_IF_MATCH))
            .set_copy_source_if_none_match(text(&headers, &s3s::header::X_AMZ_COPY_SOURCE_IF_NONE_MATCH))
            .set_copy_source_if_modified_since(input.copy_source_if_modified_since.map(date))
            .set_copy_source_if_unmodified_since(input.copy_source_if_unmodified_since.map(date));
        let copied = target.answered(copy.send().await, None)?;
        let result = copied.copy_part_result().map(|result| {
            summed!(CopyPartResult from result {
                e_tag: result.e_tag().map(tag),
                last_modified: result.last_modified().copied().and_then(timestamp)
            })
        });
        Ok(UploadPartCopyOutput { copy_part_result: result, ..UploadPartCopyOutput::default() })
    }

    pub(super) async fn complete_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<CompleteMultipartUploadOutput> {
        let S3Request { input, headers, .. } = request;
        fields::check(&headers)?;
        let target = self.scope.admit(&self.head, &input.bucket, &input.key, Action::Write).await?;
        let parts = input.multipart_upload.and_then(|upload| upload.parts).unwrap_or_default();
        let part = |part: s3s::dto::CompletedPart| {
            with_sums!(CompletedPart::builder(), part)
                .set_part_number(part.part_number)
                .set_e_tag(part.e_tag.map(|tag| format!("\"{}\"", tag.value())))
                .build()
        };
        let parts =
            CompletedMultipartUpload::builder().set_parts(Some(parts.into_iter().map(part).collect()));
        let s3 = target.client().await?;
        let complete = s3.complete_multipart_upload();
        let complete = with_sums!(complete, input)
            .bucket(target.bucket.as_str())
            .key(target.key.as_str())
            .upload_id(input.upload_id)
            .multipart_upload(parts.build())
            .set_if_match(text(&headers, &IF_MATCH))
            .set_if_none_match(text(&headers, &IF_NONE_MATCH))
            .set_checksum_type(input.checksum_type.map(|name| ChecksumType::from(name.as_str())))
            .set_mpu_object_size(input.mpu_object_size);
        let pending = target.pending();
        let done = target.written(pending, complete.send().await, None)?;
        Ok(summed!(CompleteMultipartUploadOutput from done {
            bucket: Some(input.bucket),
            key: Some(input.key),
            e_tag: done.e_tag().map(tag),
            version_id: done.version_id().map(str::to_owned),
            checksum_type: done.checksum_type().map(|name| name.as_str().to_owned().into()), ..CompleteMultipartUploadOutput::default() }))
    }

    pub(super) async fn abort_upload(
        &self,
        input: AbortMultipartUploadInput,
    ) -> S3Result<AbortMultipartUploadOutput> {
        let target = self.scope.admit(&self.head, &input.bucket, &input.key, Action::Write).await?;
        let s3 = target.client().await?;
        let abort = s3.abort_multipart_upload();
        let abort = abort.bucket(target.bucket.as_str()).key(target.key.as_str()).upload_id(input.upload_id);
        target.answered(abort.send().await, None)?;
        Ok(AbortMultipartUploadOutput::default())
    }

    /// For who can write: parts are of uploads.
    pub(super) async fn parts(&self, input: ListPartsInput) -> S3Result<ListPartsOutput> {
        let target = self.scope.admit(&self.head, &input.bucket, &input.key, Action::Write).await?;
        let s3 = target.client().await?;
        let list = s3.list_parts();
        let list = list
            .bucket(target.bucket.as_str())
            .key(target.key.as_str())
            .upload_id(&input.upload_id)
            .set_max_parts(input.max_parts)
            .set_part_number_marker(input.part_number_marker.map(|marker| marker.to_string()));
        let listed = target.answered(list.send().await, None)?;
        let parts = listed.parts().iter().map(|part| {
            summed!(Part from part {
                part_number: part.part_number(),
                size: part.size(),
                e_tag: part.e_tag().map(tag),
                last_modified: part.last_modified().copied().and_then(timestamp)
            })
        });
        Ok(ListPartsOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(input.upload_id),
            parts: Some(parts.collect()),
            is_truncated: listed.is_truncated(),
            max_parts: listed.max_parts(),
            part_number_marker: input.part_number_marker,
            next_part_number_marker: listed.next_part_number_marker().and_then(|next| next.parse().ok()),
            checksum_algorithm: listed.checksum_algorithm().map(|name| name.as_str().to_owned().into()),
            checksum_type: listed.checksum_type().map(|name| name.as_str().to_owned().into()),
            ..ListPartsOutput::default()
        })
    }

    pub(super) async fn uploads(
        &self,
        input: ListMultipartUploadsInput,
    ) -> S3Result<ListMultipartUploadsOutput> {
        if !self.scope.key.can_write() {
            return Err(super::scope::denied("the key is for reading only"));
        }
        let bucket = self.scope.bucket(&input.bucket)?;
        let names = Names::new(bucket.mount.0.keys.prefix(), input.encoding_type);
        let (prefix, delimiter) = (input.prefix.unwrap_or_default(), given(input.delimiter));
        // A group of one name only is no shorter than the list of it.
        let (below, delimiter) = match Window::of(&self.scope.key, &prefix, delimiter.as_deref())? {
            Window::Below(below) => (below, delimiter),
            Window::Group { prefix, .. } => (prefix, None),
        };
        let (mount, client) = self.lister(bucket, &below).await?;
        let list = client
            .list_multipart_uploads()
            .bucket(bucket.bucket.as_str())
            .prefix(names.to_s3(&below))
            .set_delimiter(delimiter.clone())
            .set_key_marker(given(input.key_marker.clone()).map(|marker| names.to_s3(&marker)))
            .set_upload_id_marker(given(input.upload_id_marker.clone()))
            .set_max_uploads(input.max_uploads)
            .encoding_type(EncodingType::Url);
        let page = list.send().await.map_err(|why| sdk_error::retold(&mount, None, why))?;
        let is_encoded = page.encoding_type() == Some(&EncodingType::Url);
        let name = |text: &str| names.to_client(text, is_encoded);
        let uploads = page.uploads().iter().filter_map(|upload| {
            Some(MultipartUpload {
                key: Some(name(upload.key()?)?),
                upload_id: upload.upload_id().map(str::to_owned),
                initiated: upload.initiated().copied().and_then(timestamp),
                ..MultipartUpload::default()
            })
        });
        let groups = page.common_prefixes().iter();
        let groups = groups.filter_map(|group| Some(CommonPrefix { prefix: Some(name(group.prefix()?)?) }));
        Ok(ListMultipartUploadsOutput {
            bucket: Some(bucket.name.clone()),
            uploads: Some(uploads.collect()),
            common_prefixes: Some(groups.collect()),
            prefix: Some(names.told(&prefix)),
            delimiter: delimiter.as_deref().map(|delimiter| names.told(delimiter)),
            key_marker: input.key_marker.as_deref().map(|marker| names.told(marker)),
            upload_id_marker: input.upload_id_marker,
            is_truncated: page.is_truncated(),
            max_uploads: page.max_uploads(),
            next_key_marker: page.next_key_marker().and_then(name),
            next_upload_id_marker: page.next_upload_id_marker().map(str::to_owned),
            encoding_type: names.encoding(),
            ..ListMultipartUploadsOutput::default()
        })
    }
}
