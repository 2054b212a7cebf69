//! All operations but the reads of objects.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::time::SystemTime;

use bytes::{Bytes, BytesMut};
use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, Bucket, BucketLocationConstraint,
    BucketVersioningStatus, CommonPrefix, CompleteMultipartUploadInput, CompleteMultipartUploadOutput,
    CompletedPart, CopyObjectInput, CopyObjectOutput, CopyObjectResult, CopyPartResult, CopySource,
    CreateBucketInput, CreateBucketOutput, CreateMultipartUploadInput, CreateMultipartUploadOutput,
    DeleteBucketInput, DeleteBucketOutput, DeleteBucketWebsiteInput, DeleteBucketWebsiteOutput,
    DeleteMarkerEntry, DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput, DeleteObjectsOutput,
    DeletedObject, ETag, ETagCondition, EncodingType, Error, GetBucketLocationInput, GetBucketLocationOutput,
    GetBucketVersioningInput, GetBucketVersioningOutput, GetBucketWebsiteInput, GetBucketWebsiteOutput,
    HeadBucketInput, HeadBucketOutput, ListBucketsInput, ListBucketsOutput, ListMultipartUploadsInput,
    ListMultipartUploadsOutput, ListObjectVersionsInput, ListObjectVersionsOutput, ListObjectsInput,
    ListObjectsOutput, ListObjectsV2Input, ListObjectsV2Output, ListPartsInput, ListPartsOutput,
    MetadataDirective, MultipartUpload, Object, ObjectStorageClass, ObjectVersion, ObjectVersionStorageClass,
    Part, PutBucketVersioningInput, PutBucketVersioningOutput, PutBucketWebsiteInput, PutBucketWebsiteOutput,
    PutObjectInput, PutObjectOutput, ServerSideEncryption, StreamingBlob, Timestamp, UploadPartCopyInput,
    UploadPartCopyOutput, UploadPartInput, UploadPartOutput,
};
use s3s::{Body, S3, S3Error, S3Request, S3Response, S3Result, s3_error};

use crate::checksums;
use crate::customer_key;
use crate::listing::{self, Item, Page, Query};
use crate::object::{Content, ObjectAttributes, Version, hex, length, md5, multipart_etag, whole_seconds};
use crate::store::{Part as StoredPart, Store, Upload, Versioning, WriteConditions};

/// Every part but the last is at least this long.
const LEAST_PART: usize = 5 * 1024 * 1024;
/// What one upload may hold in memory.
const MOST_BYTES: usize = 5 * 1024 * 1024 * 1024;
const MOST_KEYS: i32 = 1000;

/// The operations of `s3s` on a [`Store`].
#[derive(Debug)]
pub(crate) struct Operations {
    pub(crate) store: Store,
    pub(crate) region: Option<String>,
}

#[async_trait::async_trait]
impl S3 for Operations {
    // --- objects ---

    async fn put_object(&self, mut req: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let (bucket, key) = (&req.input.bucket, &req.input.key);
        self.store.admit(bucket, key).await?;
        self.store.read().bucket(bucket)?;
        customer_key::check_form(&req.headers)?;
        let bytes = collect(req.input.body.take()).await?;
        let trailers = req.trailing_headers.as_ref().and_then(|t| t.take());
        checksums::verify(&req.headers, trailers.as_ref(), req.input.content_md5.as_deref(), &bytes)?;
        let put = self.store.insert(
            bucket,
            key,
            Content::memory(bytes),
            ObjectAttributes::of_upload(&req.headers, trailers.as_ref()),
            Vec::new(),
            WriteConditions {
                if_match: req.input.if_match.take(),
                if_none_match: req.input.if_none_match.take(),
            },
        )?;
        Ok(S3Response::new(PutObjectOutput {
            e_tag: tag(&put.etag),
            version_id: put.version_id,
            server_side_encryption: encryption().filter(|_| req.input.sse_customer_key.is_none()),
            sse_customer_algorithm: req.input.sse_customer_algorithm,
            sse_customer_key_md5: req.input.sse_customer_key_md5,
            ..Default::default()
        }))
    }

    async fn copy_object(&self, req: S3Request<CopyObjectInput>) -> S3Result<S3Response<CopyObjectOutput>> {
        let input = &req.input;
        let (bucket, key, version_id) = source(&input.copy_source)?;
        self.store.admit(bucket, key).await?;
        let found = self.store.find(bucket, key, version_id)?;
        if input.sse_customer_key.is_some() || found.object.headers.contains_key(customer_key::KEY_MD5) {
            return Err(s3_error!(NotImplemented, "Copies with customer keys are not implemented."));
        }
        let facts = found.object.facts(found.modified).map_err(io_error)?;
        let known = |condition: &ETagCondition| match condition {
            ETagCondition::Any => true,
            ETagCondition::ETag(etag) => etag.value() == facts.etag,
        };
        let modified = Timestamp::from(facts.modified);
        let failed = input.copy_source_if_match.as_ref().is_some_and(|c| !known(c))
            || input.copy_source_if_none_match.as_ref().is_some_and(known)
            || input
                .copy_source_if_unmodified_since
                .as_ref()
                .is_some_and(|at| input.copy_source_if_match.is_none() && modified > *at)
            || input
                .copy_source_if_modified_since
                .as_ref()
                .is_some_and(|at| input.copy_source_if_none_match.is_none() && modified <= *at);
        if failed {
            return Err(crate::store::precondition_failed());
        }

        let replace = input
            .metadata_directive
            .as_ref()
            .is_some_and(|directive| directive.as_str() == MetadataDirective::REPLACE);
        let here = *bucket == *input.bucket && *key == *input.key && version_id.is_none();
        if here && !replace {
            return Err(s3_error!(
                InvalidRequest,
                "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes."
            ));
        }
        let attributes = match replace {
            true => ObjectAttributes::of_upload(&req.headers, None),
            false => ObjectAttributes { headers: found.object.headers.clone(), last_modified: None },
        };
        let content = Content::memory(found.object.read_all().map_err(io_error)?);
        let put = self.store.insert(
            &input.bucket,
            &input.key,
            content,
            attributes,
            Vec::new(),
            WriteConditions::default(),
        )?;
        Ok(S3Response::new(CopyObjectOutput {
            copy_object_result: Some(CopyObjectResult {
                e_tag: tag(&put.etag),
                last_modified: Some(whole_seconds(SystemTime::now()).into()),
                ..Default::default()
            }),
            copy_source_version_id: found.version_id,
            version_id: put.version_id,
            server_side_encryption: encryption(),
            ..Default::default()
        }))
    }

    async fn delete_object(
        &self,
        req: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        let input = req.input;
        self.store.admit(&input.bucket, &input.key).await?;
        let deleted = self.store.remove(&input.bucket, &input.key, input.version_id.as_deref())?;
        Ok(S3Response::new(DeleteObjectOutput {
            delete_marker: deleted.delete_marker.then_some(true),
            version_id: deleted.version_id,
            ..Default::default()
        }))
    }

    async fn delete_objects(
        &self,
        req: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let input = req.input;
        if input.delete.objects.len() > 1000 {
            return Err(s3_error!(MalformedXML));
        }
        self.store.read().bucket(&input.bucket)?;
        let mut gone = Vec::new();
        let mut errors = Vec::new();
        for object in input.delete.objects {
            let by_version = object.version_id.is_some();
            let removed = match self.store.admit(&input.bucket, &object.key).await {
                Ok(()) => self.store.remove(&input.bucket, &object.key, object.version_id.as_deref()),
                Err(error) => Err(error),
            };
            match removed {
                Ok(deleted) => gone.push(DeletedObject {
                    key: Some(object.key),
                    delete_marker: deleted.delete_marker.then_some(true),
                    delete_marker_version_id: deleted.version_id.filter(|_| deleted.delete_marker),
                    version_id: object.version_id.filter(|_| by_version),
                }),
                Err(error) => errors.push(Error {
                    code: Some(error.code().as_str().to_owned()),
                    key: Some(object.key),
                    message: error.message().map(str::to_owned),
                    version_id: object.version_id,
                }),
            }
        }
        let quiet = input.delete.quiet.unwrap_or_default();
        Ok(S3Response::new(DeleteObjectsOutput {
            deleted: (!quiet).then_some(gone),
            errors: (!errors.is_empty()).then_some(errors),
            ..Default::default()
        }))
    }

    // --- multipart uploads ---

    async fn create_multipart_upload(
        &self,
        req: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let input = req.input;
        if input.sse_customer_key.is_some() {
            return Err(s3_error!(
                NotImplemented,
                "Uploads in parts with customer keys are not implemented."
            ));
        }
        let id = self.store.unique();
        let mut state = self.store.write();
        state.bucket(&input.bucket)?;
        state.uploads.insert(
            id.clone(),
            Upload {
                bucket: input.bucket.clone(),
                key: input.key.clone(),
                attributes: ObjectAttributes::of_upload(&req.headers, None),
                initiated: whole_seconds(SystemTime::now()),
                parts: BTreeMap::new(),
            },
        );
        Ok(S3Response::new(CreateMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(id),
            server_side_encryption: encryption(),
            ..Default::default()
        }))
    }

    async fn upload_part(
        &self,
        mut req: S3Request<UploadPartInput>,
    ) -> S3Result<S3Response<UploadPartOutput>> {
        let input = &mut req.input;
        if !(1..=10_000).contains(&input.part_number) {
            return Err(s3_error!(
                InvalidArgument,
                "Part number must be an integer between 1 and 10000, inclusive"
            ));
        }
        self.store.admit(&input.bucket, &input.key).await?;
        let bytes = collect(input.body.take()).await?;
        let trailers = req.trailing_headers.as_ref().and_then(|t| t.take());
        checksums::verify(&req.headers, trailers.as_ref(), input.content_md5.as_deref(), &bytes)?;
        let part = StoredPart { md5: md5(&bytes), bytes, modified: whole_seconds(SystemTime::now()) };
        let e_tag = Some(ETag::Strong(hex(&part.md5)));
        self.with_upload(&input.bucket, &input.key, &input.upload_id, |upload| {
            upload.parts.insert(input.part_number, part);
        })?;
        Ok(S3Response::new(UploadPartOutput {
            e_tag,
            server_side_encryption: encryption(),
            ..Default::default()
        }))
    }

    async fn upload_part_copy(
        &self,
        req: S3Request<UploadPartCopyInput>,
    ) -> S3Result<S3Response<UploadPartCopyOutput>> {
        let input = req.input;
        let (bucket, key, version_id) = source(&input.copy_source)?;
        self.store.admit(bucket, key).await?;
        let whole = self.store.find(bucket, key, version_id)?.object.read_all().map_err(io_error)?;
        let bytes = match &input.copy_source_range {
            Some(range) => part_of(&whole, range)?,
            None => whole,
        };
        let modified = whole_seconds(SystemTime::now());
        let part = StoredPart { md5: md5(&bytes), bytes, modified };
        let e_tag = Some(ETag::Strong(hex(&part.md5)));
        self.with_upload(&input.bucket, &input.key, &input.upload_id, |upload| {
            upload.parts.insert(input.part_number, part);
        })?;
        let result = CopyPartResult { e_tag, last_modified: Some(modified.into()), ..Default::default() };
        Ok(S3Response::new(UploadPartCopyOutput { copy_part_result: Some(result), ..Default::default() }))
    }

    async fn complete_multipart_upload(
        &self,
        req: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let input = req.input;
        let upload =
            self.with_upload(&input.bucket, &input.key, &input.upload_id, |upload| upload.clone())?;
        let listed = input.multipart_upload.and_then(|m| m.parts).unwrap_or_default();
        let parts = chosen(&upload, &listed)?;
        let mut whole = BytesMut::with_capacity(parts.iter().map(|p| p.bytes.len()).sum());
        for part in &parts {
            whole.extend_from_slice(&part.bytes);
        }
        let content = Content::Memory {
            bytes: whole.freeze(),
            etag: multipart_etag(parts.iter().map(|part| &part.md5)),
        };
        let put = self.store.insert(
            &input.bucket,
            &input.key,
            content,
            upload.attributes.clone(),
            parts.iter().map(|part| length(&part.bytes)).collect(),
            WriteConditions { if_match: input.if_match, if_none_match: input.if_none_match },
        )?;
        self.store.write().uploads.remove(&input.upload_id);
        Ok(S3Response::new(CompleteMultipartUploadOutput {
            location: Some(format!("/{}/{}", input.bucket, input.key)),
            bucket: Some(input.bucket),
            key: Some(input.key),
            e_tag: tag(&put.etag),
            version_id: put.version_id,
            server_side_encryption: encryption(),
            ..Default::default()
        }))
    }

    async fn abort_multipart_upload(
        &self,
        req: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        let input = req.input;
        self.with_upload(&input.bucket, &input.key, &input.upload_id, |_| ())?;
        self.store.write().uploads.remove(&input.upload_id);
        Ok(S3Response::new(AbortMultipartUploadOutput::default()))
    }

    async fn list_parts(&self, req: S3Request<ListPartsInput>) -> S3Result<S3Response<ListPartsOutput>> {
        let input = req.input;
        let max = most(input.max_parts)?;
        let after = input.part_number_marker.unwrap_or_default();
        let (mut parts, more) = self.with_upload(&input.bucket, &input.key, &input.upload_id, |upload| {
            let mut rest = upload.parts.range((Bound::Excluded(after), Bound::Unbounded));
            let parts: Vec<Part> = rest
                .by_ref()
                .take(max)
                .map(|(number, part)| Part {
                    part_number: Some(*number),
                    e_tag: Some(ETag::Strong(hex(&part.md5))),
                    last_modified: Some(part.modified.into()),
                    size: i64::try_from(part.bytes.len()).ok(),
                    ..Default::default()
                })
                .collect();
            (parts, rest.next().is_some())
        })?;
        let last = parts.last_mut().and_then(|part| part.part_number);
        Ok(S3Response::new(ListPartsOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(input.upload_id),
            max_parts: i32::try_from(max).ok(),
            part_number_marker: Some(after),
            next_part_number_marker: last.filter(|_| more),
            is_truncated: Some(more),
            parts: Some(parts),
            ..Default::default()
        }))
    }

    async fn list_multipart_uploads(
        &self,
        req: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
        let input = req.input;
        let state = self.store.read();
        state.bucket(&input.bucket)?;
        let prefix = input.prefix.as_deref().unwrap_or_default();
        let mut uploads: Vec<MultipartUpload> = state
            .uploads
            .iter()
            .filter(|(_, upload)| upload.bucket == input.bucket && upload.key.starts_with(prefix))
            .map(|(id, upload)| MultipartUpload {
                key: Some(upload.key.clone()),
                upload_id: Some(id.clone()),
                initiated: Some(upload.initiated.into()),
                ..Default::default()
            })
            .collect();
        uploads.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(S3Response::new(ListMultipartUploadsOutput {
            bucket: Some(input.bucket),
            prefix: input.prefix,
            is_truncated: Some(false),
            uploads: Some(uploads),
            ..Default::default()
        }))
    }

    // --- listings ---

    async fn list_objects_v2(
        &self,
        req: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = req.input;
        let encode = Encode::of(input.encoding_type.as_ref());
        let token =
            match &input.continuation_token {
                Some(token) => Some(unhex(token).ok_or_else(|| {
                    s3_error!(InvalidArgument, "The continuation token provided is incorrect")
                })?),
                None => None,
            };
        let after = token.as_ref().or(input.start_after.as_ref());
        let prefix = input.prefix.unwrap_or_default();
        let max = most(input.max_keys)?;
        let page = self.objects(
            &input.bucket,
            after.map_or("", String::as_str),
            &prefix,
            input.delimiter.as_deref(),
            max,
        )?;
        let next = page.next().map(|item| hex(item.name().as_bytes()));
        let is_truncated = page.truncated;
        let key_count = i32::try_from(page.items.len()).ok();
        let (contents, common_prefixes) = split(page, encode);
        Ok(S3Response::new(ListObjectsV2Output {
            name: Some(input.bucket),
            prefix: Some(encode.text(&prefix)),
            delimiter: input.delimiter.map(|text| encode.text(&text)),
            start_after: input.start_after.map(|text| encode.text(&text)),
            encoding_type: input.encoding_type,
            max_keys: i32::try_from(max).ok(),
            key_count,
            is_truncated: Some(is_truncated),
            continuation_token: input.continuation_token,
            next_continuation_token: next,
            contents: Some(contents),
            common_prefixes: Some(common_prefixes),
            ..Default::default()
        }))
    }

    async fn list_objects(
        &self,
        req: S3Request<ListObjectsInput>,
    ) -> S3Result<S3Response<ListObjectsOutput>> {
        let input = req.input;
        let encode = Encode::of(input.encoding_type.as_ref());
        let prefix = input.prefix.unwrap_or_default();
        let marker = input.marker.unwrap_or_default();
        let max = most(input.max_keys)?;
        let page = self.objects(&input.bucket, &marker, &prefix, input.delimiter.as_deref(), max)?;
        // S3 names the next marker only when there is a delimiter.
        let next = page.next().filter(|_| input.delimiter.is_some()).map(|item| encode.text(item.name()));
        let is_truncated = page.truncated;
        let (contents, common_prefixes) = split(page, encode);
        Ok(S3Response::new(ListObjectsOutput {
            name: Some(input.bucket),
            prefix: Some(encode.text(&prefix)),
            marker: Some(encode.text(&marker)),
            delimiter: input.delimiter.map(|text| encode.text(&text)),
            encoding_type: input.encoding_type,
            max_keys: i32::try_from(max).ok(),
            is_truncated: Some(is_truncated),
            next_marker: next,
            contents: Some(contents),
            common_prefixes: Some(common_prefixes),
            ..Default::default()
        }))
    }

    async fn list_object_versions(
        &self,
        req: S3Request<ListObjectVersionsInput>,
    ) -> S3Result<S3Response<ListObjectVersionsOutput>> {
        let input = req.input;
        let encode = Encode::of(input.encoding_type.as_ref());
        let prefix = input.prefix.unwrap_or_default();
        let max = most(input.max_keys)?;
        let state = self.store.read();
        let bucket = state.bucket(&input.bucket)?;
        let all = bucket.keys.iter().flat_map(|(key, versions)| {
            let newest_first = versions.iter().rev().enumerate();
            newest_first.map(move |(age, version)| (key.as_str(), (version, age == 0)))
        });
        let mut marker = input.key_marker.as_deref();
        let mut version_marker = input.version_id_marker.as_deref();
        let entries = all.skip_while(|(key, (version, _))| match (marker, version_marker) {
            (None, _) => false,
            (Some(marker), None) => *key <= marker,
            (Some(at), Some(id)) if *key == at => {
                if version.id_or_null() == id {
                    // The next entry is the first of this page.
                    (marker, version_marker) = (None, None);
                }
                true
            }
            (Some(at), Some(_)) => *key < at,
        });
        let page = listing::page(
            entries,
            Query {
                prefix: &prefix,
                delimiter: input.delimiter.as_deref(),
                seen_prefix: input.key_marker.as_deref(),
                max,
            },
        );
        let next_key = page.next().map(|item| encode.text(item.name()));
        let next_version = page.next().and_then(|item| match item {
            Item::Entry(_, (version, _)) => Some(version.id_or_null()),
            Item::Prefix(_) => None,
        });
        let is_truncated = page.truncated;
        let (versions, delete_markers, common_prefixes) = split_versions(page, encode);
        Ok(S3Response::new(ListObjectVersionsOutput {
            prefix: Some(encode.text(&prefix)),
            delimiter: input.delimiter.as_deref().map(|text| encode.text(text)),
            key_marker: input.key_marker.as_deref().map(|text| encode.text(text)),
            version_id_marker: input.version_id_marker.clone(),
            name: Some(input.bucket),
            encoding_type: input.encoding_type,
            max_keys: i32::try_from(max).ok(),
            is_truncated: Some(is_truncated),
            next_key_marker: next_key,
            next_version_id_marker: next_version,
            versions: Some(versions),
            delete_markers: Some(delete_markers),
            common_prefixes: Some(common_prefixes),
            ..Default::default()
        }))
    }

    // --- buckets ---

    async fn list_buckets(
        &self,
        _req: S3Request<ListBucketsInput>,
    ) -> S3Result<S3Response<ListBucketsOutput>> {
        let state = self.store.read();
        let buckets = state.buckets.iter().map(|(name, bucket)| Bucket {
            name: Some(name.clone()),
            creation_date: Some(bucket.created.into()),
            ..Default::default()
        });
        Ok(S3Response::new(ListBucketsOutput { buckets: Some(buckets.collect()), ..Default::default() }))
    }

    async fn head_bucket(&self, req: S3Request<HeadBucketInput>) -> S3Result<S3Response<HeadBucketOutput>> {
        self.store.read().bucket(&req.input.bucket)?;
        let region = self.region.clone();
        Ok(S3Response::new(HeadBucketOutput {
            bucket_region: Some(region.unwrap_or_else(|| "us-east-1".to_owned())),
            ..Default::default()
        }))
    }

    async fn create_bucket(
        &self,
        req: S3Request<CreateBucketInput>,
    ) -> S3Result<S3Response<CreateBucketOutput>> {
        let mut state = self.store.write();
        if state.buckets.contains_key(&req.input.bucket) {
            return Err(s3_error!(
                BucketAlreadyOwnedByYou,
                "Your previous request to create the named bucket succeeded and you already own it."
            ));
        }
        state.bucket_or_new(&req.input.bucket);
        Ok(S3Response::new(CreateBucketOutput { location: Some(format!("/{}", req.input.bucket)) }))
    }

    async fn delete_bucket(
        &self,
        req: S3Request<DeleteBucketInput>,
    ) -> S3Result<S3Response<DeleteBucketOutput>> {
        let mut state = self.store.write();
        if !state.bucket(&req.input.bucket)?.keys.is_empty() {
            return Err(s3_error!(BucketNotEmpty, "The bucket you tried to delete is not empty"));
        }
        state.buckets.remove(&req.input.bucket);
        Ok(S3Response::new(DeleteBucketOutput::default()))
    }

    async fn get_bucket_location(
        &self,
        req: S3Request<GetBucketLocationInput>,
    ) -> S3Result<S3Response<GetBucketLocationOutput>> {
        self.store.read().bucket(&req.input.bucket)?;
        // The oldest region has no constraint.
        let region = self.region.clone().filter(|region| region != "us-east-1");
        Ok(S3Response::new(GetBucketLocationOutput {
            location_constraint: region.map(BucketLocationConstraint::from),
        }))
    }

    async fn get_bucket_versioning(
        &self,
        req: S3Request<GetBucketVersioningInput>,
    ) -> S3Result<S3Response<GetBucketVersioningOutput>> {
        let status = match self.store.read().bucket(&req.input.bucket)?.versioning {
            Versioning::Never => None,
            Versioning::Enabled => Some(BucketVersioningStatus::ENABLED),
            Versioning::Suspended => Some(BucketVersioningStatus::SUSPENDED),
        };
        Ok(S3Response::new(GetBucketVersioningOutput {
            status: status.map(BucketVersioningStatus::from_static),
            ..Default::default()
        }))
    }

    async fn put_bucket_versioning(
        &self,
        req: S3Request<PutBucketVersioningInput>,
    ) -> S3Result<S3Response<PutBucketVersioningOutput>> {
        let status = req.input.versioning_configuration.status;
        let versioning = match status.as_ref().map(BucketVersioningStatus::as_str) {
            Some(BucketVersioningStatus::ENABLED) => Versioning::Enabled,
            Some(BucketVersioningStatus::SUSPENDED) => Versioning::Suspended,
            _ => return Err(s3_error!(MalformedXML)),
        };
        let mut state = self.store.write();
        state.bucket_mut(&req.input.bucket)?.versioning = versioning;
        Ok(S3Response::new(PutBucketVersioningOutput::default()))
    }

    async fn get_bucket_website(
        &self,
        req: S3Request<GetBucketWebsiteInput>,
    ) -> S3Result<S3Response<GetBucketWebsiteOutput>> {
        let state = self.store.read();
        let website = state.bucket(&req.input.bucket)?.website.clone();
        let website = website.ok_or_else(|| s3_error!(NoSuchWebsiteConfiguration))?;
        Ok(S3Response::new(GetBucketWebsiteOutput {
            error_document: website.error_document,
            index_document: website.index_document,
            redirect_all_requests_to: website.redirect_all_requests_to,
            routing_rules: website.routing_rules,
        }))
    }

    async fn put_bucket_website(
        &self,
        req: S3Request<PutBucketWebsiteInput>,
    ) -> S3Result<S3Response<PutBucketWebsiteOutput>> {
        let mut state = self.store.write();
        state.bucket_mut(&req.input.bucket)?.website = Some(req.input.website_configuration);
        Ok(S3Response::new(PutBucketWebsiteOutput::default()))
    }

    async fn delete_bucket_website(
        &self,
        req: S3Request<DeleteBucketWebsiteInput>,
    ) -> S3Result<S3Response<DeleteBucketWebsiteOutput>> {
        self.store.write().bucket_mut(&req.input.bucket)?.website = None;
        Ok(S3Response::new(DeleteBucketWebsiteOutput::default()))
    }
}

// === impl Operations ===

impl Operations {
    fn objects(
        &self,
        bucket: &str,
        after: &str,
        prefix: &str,
        delimiter: Option<&str>,
        max: usize,
    ) -> S3Result<Page<Object>> {
        let state = self.store.read();
        let entries = state.bucket(bucket)?.current().filter(|(key, ..)| *key > after).filter_map(
            |(key, object, modified)| {
                let facts = object.facts(modified).ok()?;
                let entry = Object {
                    key: Some(key.to_owned()),
                    e_tag: Some(ETag::Strong(facts.etag)),
                    size: i64::try_from(facts.len).ok(),
                    last_modified: Some(facts.modified.into()),
                    storage_class: Some(ObjectStorageClass::from_static(ObjectStorageClass::STANDARD)),
                    ..Default::default()
                };
                Some((key, entry))
            },
        );
        let query = Query { prefix, delimiter, seen_prefix: Some(after), max };
        Ok(listing::page(entries, query))
    }

    fn with_upload<T>(
        &self,
        bucket: &str,
        key: &str,
        id: &str,
        f: impl FnOnce(&mut Upload) -> T,
    ) -> S3Result<T> {
        let mut state = self.store.write();
        match state.uploads.get_mut(id) {
            Some(upload) if upload.bucket == bucket && upload.key == key => Ok(f(upload)),
            _ => Err(s3_error!(
                NoSuchUpload,
                "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed."
            )),
        }
    }
}

/// The parts that the completion of an upload lists, if it may list them so.
fn chosen<'a>(upload: &'a Upload, listed: &[CompletedPart]) -> S3Result<Vec<&'a StoredPart>> {
    if listed.is_empty() {
        return Err(s3_error!(MalformedXML));
    }
    let mut before = 0;
    let mut parts = Vec::with_capacity(listed.len());
    for (index, entry) in listed.iter().enumerate() {
        let number = entry.part_number.unwrap_or_default();
        if number <= before {
            return Err(s3_error!(InvalidPartOrder, "The list of parts was not in ascending order."));
        }
        before = number;
        let part = upload.parts.get(&number).filter(|part| {
            let etag = entry.e_tag.as_ref();
            etag.is_none_or(|etag| etag.value() == hex(&part.md5))
        });
        let part = part.ok_or_else(|| {
            s3_error!(InvalidPart, "One or more of the specified parts could not be found.")
        })?;
        if part.bytes.len() < LEAST_PART && index + 1 < listed.len() {
            return Err(s3_error!(
                EntityTooSmall,
                "Your proposed upload is smaller than the minimum allowed size"
            ));
        }
        parts.push(part);
    }
    Ok(parts)
}

fn source(source: &CopySource) -> S3Result<(&str, &str, Option<&str>)> {
    match source {
        CopySource::Bucket { bucket, key, version_id } => Ok((bucket, key, version_id.as_deref())),
        CopySource::AccessPoint { .. } | CopySource::Outpost { .. } => {
            Err(s3_error!(NotImplemented, "Only buckets can be copied from"))
        }
    }
}

/// The bytes of `bytes=FIRST-LAST`, the one form that a copied part takes.
fn part_of(whole: &Bytes, range: &str) -> S3Result<Bytes> {
    let ends = range.strip_prefix("bytes=").and_then(|ends| ends.split_once('-'));
    let ends =
        ends.and_then(|(first, last)| Some((first.parse::<usize>().ok()?, last.parse::<usize>().ok()?)));
    match ends {
        Some((first, last)) if first <= last && last < whole.len() => Ok(whole.slice(first..=last)),
        _ => Err(s3_error!(InvalidArgument, "The range of the part is not one of the source.")),
    }
}

async fn collect(body: Option<StreamingBlob>) -> S3Result<Bytes> {
    let Some(body) = body else {
        return Ok(Bytes::new());
    };
    Body::from(body).store_all_limited(MOST_BYTES).await.map_err(|source| {
        let mut error = s3_error!(
            IncompleteBody,
            "The body does not have the length or the digest that its headers announced"
        );
        error.set_source(source);
        error
    })
}

fn most(max: Option<i32>) -> S3Result<usize> {
    let max = max.unwrap_or(MOST_KEYS).min(MOST_KEYS);
    usize::try_from(max).map_err(|_| s3_error!(InvalidArgument, "The maximum must not be negative"))
}

fn split(page: Page<Object>, encode: Encode) -> (Vec<Object>, Vec<CommonPrefix>) {
    let mut objects = Vec::new();
    let mut prefixes = Vec::new();
    for item in page.items {
        match item {
            Item::Entry(key, mut object) => {
                object.key = Some(encode.text(&key));
                objects.push(object);
            }
            Item::Prefix(prefix) => prefixes.push(common_prefix(&prefix, encode)),
        }
    }
    (objects, prefixes)
}

type Versions = (Vec<ObjectVersion>, Vec<DeleteMarkerEntry>, Vec<CommonPrefix>);

fn split_versions(page: Page<(&Version, bool)>, encode: Encode) -> Versions {
    let mut versions = Vec::new();
    let mut markers = Vec::new();
    let mut prefixes = Vec::new();
    for item in page.items {
        let (key, version, latest) = match item {
            Item::Entry(key, (version, latest)) => (encode.text(&key), version, latest),
            Item::Prefix(prefix) => {
                prefixes.push(common_prefix(&prefix, encode));
                continue;
            }
        };
        let Some(object) = &version.object else {
            markers.push(DeleteMarkerEntry {
                key: Some(key),
                is_latest: Some(latest),
                last_modified: Some(version.modified.into()),
                version_id: Some(version.id_or_null()),
                ..Default::default()
            });
            continue;
        };
        let Ok(facts) = object.facts(version.modified) else {
            continue;
        };
        versions.push(ObjectVersion {
            key: Some(key),
            is_latest: Some(latest),
            e_tag: Some(ETag::Strong(facts.etag)),
            size: i64::try_from(facts.len).ok(),
            last_modified: Some(facts.modified.into()),
            version_id: Some(version.id_or_null()),
            storage_class: Some(ObjectVersionStorageClass::from_static(ObjectVersionStorageClass::STANDARD)),
            ..Default::default()
        });
    }
    (versions, markers, prefixes)
}

fn common_prefix(prefix: &str, encode: Encode) -> CommonPrefix {
    CommonPrefix { prefix: Some(encode.text(prefix)) }
}

/// How a listing writes keys: XML cannot hold every character, so clients may ask for URL encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encode {
    Plain,
    Url,
}

// === impl Encode ===

impl Encode {
    fn of(encoding: Option<&EncodingType>) -> Self {
        match encoding.map(EncodingType::as_str) {
            Some(EncodingType::URL) => Self::Url,
            _ => Self::Plain,
        }
    }

    fn text(self, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Url => {
                let segments = text
                    .split('/')
                    .map(|part| form_urlencoded::byte_serialize(part.as_bytes()).collect::<String>());
                segments.collect::<Vec<_>>().join("/")
            }
        }
    }
}

fn unhex(token: &str) -> Option<String> {
    let bytes: Option<Vec<u8>> =
        (0..token.len()).step_by(2).map(|at| u8::from_str_radix(token.get(at..at + 2)?, 16).ok()).collect();
    String::from_utf8(bytes?).ok()
}

fn tag(quoted: &str) -> Option<ETag> {
    Some(ETag::Strong(quoted.trim_matches('"').to_owned()))
}

fn encryption() -> Option<ServerSideEncryption> {
    Some(ServerSideEncryption::from_static(ServerSideEncryption::AES256))
}

fn io_error(error: std::io::Error) -> S3Error {
    S3Error::internal_error(error)
}
