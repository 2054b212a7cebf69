//! Listing a bucket, through the SDK's own client.

#[cfg(feature = "listing")]
mod folder;

use aws_sdk_s3::{
    error::SdkError,
    operation::list_objects_v2::{ListObjectsV2Error, ListObjectsV2Output},
    types::{EncodingType, Object},
};
use aws_smithy_async::future::pagination_stream::PaginationStream;
use percent_encoding::percent_decode_str;

#[cfg(feature = "listing")]
pub(crate) use self::folder::{FolderPage, ListError, ListRequest, ListedObject};
use super::{S3Origin, sdk_error::call_refusal};
use crate::{
    error::BoxError,
    object::{BucketName, ObjectKey},
};

pub(crate) type Pages = PaginationStream<Result<ListObjectsV2Output, SdkError<ListObjectsV2Error>>>;

// === impl S3Origin ===

impl S3Origin {
    /// The objects of a bucket whose keys begin with a prefix, page by page.
    pub(crate) fn list(&self, bucket: &BucketName, prefix: &str) -> Result<Pages, BoxError> {
        self.may_spend()?;
        let request = self.typed_client(bucket)?.list_objects_v2().bucket(bucket.as_str()).prefix(prefix);
        // XML cannot express some characters that keys may have.
        Ok(request.encoding_type(EncodingType::Url).into_paginator().send())
    }
}

/// Why S3 did not list, in one line.
pub(crate) fn list_refusal(error: &SdkError<ListObjectsV2Error>) -> String {
    call_refusal(error, "s3:ListBucket")
}

/// `None` for a key that no request could name.
pub(crate) fn listed_key(object: &Object, is_encoded: bool) -> Option<ObjectKey> {
    ObjectKey::new(listed_name(object.key()?, is_encoded)?).ok()
}

/// A key or a prefix as S3 lists it; `None` if it is not UTF-8.
fn listed_name(name: &str, is_encoded: bool) -> Option<String> {
    if !is_encoded {
        return Some(name.to_owned());
    }
    // As in a form, a plus sign is a space.
    let name = name.replace('+', " ");
    Some(percent_decode_str(&name).decode_utf8().ok()?.into_owned())
}
