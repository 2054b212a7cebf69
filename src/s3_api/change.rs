//! Copies and deletions.

use std::sync::Arc;

use aws_sdk_s3::types::{Delete, MetadataDirective, ObjectIdentifier, StorageClass, TaggingDirective};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::{
    S3Error, S3ErrorCode, S3Request, S3Result,
    dto::{
        CopyObjectInput, CopyObjectOutput, CopyObjectResult, CopySource, DeleteObjectInput,
        DeleteObjectOutput, DeleteObjectsInput, DeleteObjectsOutput, DeletedObject, Error as Refused,
    },
    s3_error,
};

use super::{
    convert::{date, described, summed, tag, timestamp},
    fields::{self, coding, text},
    names::Names,
    operations::Operations,
    scope::{Action, Target, denied, settle},
};
use crate::request::VersionPolicy;

/// As many as S3 takes in one request.
const MOST_DELETIONS: usize = 1000;

// === impl Operations ===

impl Operations {
    pub(super) async fn copy(&self, request: S3Request<CopyObjectInput>) -> S3Result<CopyObjectOutput> {
        let S3Request { input, headers, .. } = request;
        fields::check(&headers)?;
        let target = self.scope.admit(&self.head, &input.bucket, &input.key, Action::Write).await?;
        let source = self.source(&input.bucket, &input.copy_source).await?;
        let s3 = target.client().await?;
        let copy = s3.copy_object().bucket(target.bucket.as_str()).key(target.key.as_str());
        let copy = described!(copy, input)
            .copy_source(source)
            .set_copy_source_if_match(text(&headers, &s3s::header::X_AMZ_COPY_SOURCE_IF_MATCH))
            .set_copy_source_if_none_match(text(&headers, &s3s::header::X_AMZ_COPY_SOURCE_IF_NONE_MATCH))
            .set_copy_source_if_modified_since(input.copy_source_if_modified_since.map(date))
            .set_copy_source_if_unmodified_since(input.copy_source_if_unmodified_since.map(date))
            .set_metadata_directive(input.metadata_directive.map(|d| MetadataDirective::from(d.as_str())))
            .set_tagging_directive(input.tagging_directive.map(|d| TaggingDirective::from(d.as_str())))
            .set_checksum_algorithm(input.checksum_algorithm.map(|name| name.as_str().into()));
        let pending = target.pending();
        let copied = target.written(pending, copy.send().await, None)?;
        let result = copied.copy_object_result().map(|result| {
            summed!(CopyObjectResult from result {
                e_tag: result.e_tag().map(tag),
                last_modified: result.last_modified().copied().and_then(timestamp), ..CopyObjectResult::default() })
        });
        Ok(CopyObjectOutput {
            copy_object_result: result,
            version_id: copied.version_id().map(str::to_owned),
            copy_source_version_id: copied.copy_source_version_id().map(str::to_owned),
            ..CopyObjectOutput::default()
        })
    }

    /// The source of a copy, as S3 takes it: an object of the same bucket that the key can read.
    pub(super) async fn source(&self, bucket: &str, source: &CopySource) -> S3Result<String> {
        let CopySource::Bucket { bucket: of, key, version_id } = source else {
            return Err(denied("copies are within one bucket"));
        };
        if **of != *bucket {
            return Err(denied("copies are within one bucket"));
        }
        let source = self.scope.admit(&self.head, bucket, key, Action::Read).await?;
        let encoded = |text: &str| utf8_percent_encode(text, IN_PATHS).to_string();
        let mut path = format!("{}/{}", encoded(source.bucket.as_str()), encoded(source.key.as_str()));
        if let Some(version) = source.version(version_id.as_deref().map(str::to_owned))? {
            path.push_str(&format!("?versionId={}", encoded(&version)));
        }
        Ok(path)
    }

    pub(super) async fn delete(&self, request: S3Request<DeleteObjectInput>) -> S3Result<DeleteObjectOutput> {
        let S3Request { input, headers, .. } = request;
        fields::check(&headers)?;
        let target = self.scope.admit(&self.head, &input.bucket, &input.key, Action::Write).await?;
        let s3 = target.client().await?;
        let delete = s3.delete_object().bucket(target.bucket.as_str()).key(target.key.as_str());
        let delete = delete
            .set_version_id(target.version(input.version_id)?)
            .set_if_match(text(&headers, &http::header::IF_MATCH));
        let pending = target.pending();
        let deleted = target.written(pending, delete.send().await, None)?;
        Ok(DeleteObjectOutput {
            delete_marker: deleted.delete_marker(),
            version_id: deleted.version_id().map(str::to_owned),
            ..DeleteObjectOutput::default()
        })
    }

    /// Those that the key does not cover are refused one by one, and the others go to S3 in one request.
    pub(super) async fn delete_all(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> S3Result<DeleteObjectsOutput> {
        let S3Request { input, headers, .. } = request;
        fields::check(&headers)?;
        if !self.scope.key.can_write() {
            return Err(denied("the key is for reading only"));
        }
        if !(1..=MOST_DELETIONS).contains(&input.delete.objects.len()) {
            return Err(s3_error!(MalformedXML, "1 to 1000 objects can be deleted at once"));
        }
        let quiet = input.delete.quiet.unwrap_or_default();
        let (mut targets, mut asked, mut errors) = (Vec::new(), Vec::new(), Vec::new());
        for object in input.delete.objects {
            let admitted = match self.scope.admit(&self.head, &input.bucket, &object.key, Action::Write).await
            {
                Ok(target) => identifier(&target, object.version_id.clone()).map(|asked| (target, asked)),
                Err(why) => Err(why),
            };
            match admitted {
                Ok((target, identifier)) => {
                    targets.push(target);
                    asked.push(identifier);
                }
                Err(why) if *why.code() == S3ErrorCode::NoSuchBucket => return Err(why),
                Err(why) => errors.push(Refused {
                    code: Some(why.code().as_str().to_owned()),
                    message: why.message().map(str::to_owned),
                    key: Some(object.key),
                    version_id: object.version_id,
                }),
            }
        }
        let mut deleted = Vec::new();
        if let Some(first) = targets.first() {
            if targets.iter().any(|target| !Arc::ptr_eq(&target.mount.0, &first.mount.0)) {
                let message = "these objects are deleted by different credentials: delete them one by one";
                return Err(S3Error::with_message(S3ErrorCode::NotImplemented, message));
            }
            let names = Names::new(first.mount.0.keys.prefix(), None);
            let delete = Delete::builder().set_objects(Some(asked)).quiet(quiet).build();
            let delete = delete.map_err(|_| s3_error!(MalformedXML, "there is nothing to delete"))?;
            let s3 = first.client().await?;
            let pending: Vec<_> = targets.iter().map(Target::pending).collect();
            let sent = s3.delete_objects().bucket(first.bucket.as_str()).delete(delete).send().await;
            pending.into_iter().for_each(|pending| settle(pending, &sent));
            let told = first.answered(sent, None)?;
            deleted.extend(told.deleted().iter().map(|gone| DeletedObject {
                key: gone.key().and_then(|key| names.to_client(key, false)),
                version_id: gone.version_id().map(str::to_owned),
                delete_marker: gone.delete_marker(),
                delete_marker_version_id: gone.delete_marker_version_id().map(str::to_owned),
            }));
            // Without S3's message, which names accounts and roles.
            errors.extend(told.errors().iter().map(|error| Refused {
                code: error.code().map(str::to_owned),
                key: error.key().and_then(|key| names.to_client(key, false)),
                version_id: error.version_id().map(str::to_owned),
                message: None,
            }));
        }
        Ok(DeleteObjectsOutput {
            deleted: (!quiet).then_some(deleted),
            errors: Some(errors),
            ..DeleteObjectsOutput::default()
        })
    }
}

fn identifier(target: &Target, version: Option<String>) -> S3Result<ObjectIdentifier> {
    let version = target.version(version)?;
    let built = ObjectIdentifier::builder().key(target.key.as_str()).set_version_id(version).build();
    built.map_err(|_| S3Error::new(S3ErrorCode::MalformedXML))
}

/// What stays as it is in the path of `x-amz-copy-source`.
const IN_PATHS: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');

// === impl Target ===

impl Target {
    /// A version, where the mount has them.
    fn version(&self, version: Option<String>) -> S3Result<Option<String>> {
        match (version, self.mount.0.query.versions) {
            (Some(_), VersionPolicy::Ignored) => {
                Err(s3_error!(NotImplemented, "versions of an object are not served here"))
            }
            (version, _) => Ok(version),
        }
    }
}
