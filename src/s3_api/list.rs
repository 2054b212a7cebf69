//! Lists of objects: one list of S3 for each page.

use aws_sdk_s3::types;
use s3s::{
    S3Error, S3ErrorCode, S3Result,
    dto::{
        CommonPrefix, ListObjectsInput, ListObjectsOutput, ListObjectsV2Input, ListObjectsV2Output, Object,
        ObjectStorageClass,
    },
};

use super::{
    convert::{tag, timestamp},
    names::Names,
    operations::Operations,
    scope::ClientBucket,
    sdk_error,
    window::Window,
};
use crate::{config::Mount, origin::CountedClient};

/// The entries of a page.
#[derive(Default)]
struct Entries {
    objects: Vec<Object>,
    prefixes: Vec<CommonPrefix>,
}

/// A page is of this many names at most, at S3 as here.
const LARGEST_PAGE: i32 = 1000;

// === impl Operations ===

impl Operations {
    pub(super) async fn page_v2(&self, input: ListObjectsV2Input) -> S3Result<ListObjectsV2Output> {
        let bucket = self.scope.bucket(&input.bucket)?;
        let names = Names::new(bucket.mount.0.keys.prefix(), input.encoding_type);
        let max_keys = page_size(input.max_keys)?;
        let (prefix, delimiter) = (input.prefix.unwrap_or_default(), given(input.delimiter));
        let window = Window::of(&self.scope.key, &prefix, delimiter.as_deref())?;
        let mut output = ListObjectsV2Output {
            name: Some(bucket.name.clone()),
            prefix: Some(names.told(&prefix)),
            delimiter: delimiter.as_deref().map(|delimiter| names.told(delimiter)),
            max_keys: Some(max_keys),
            encoding_type: names.encoding(),
            start_after: input.start_after.as_deref().map(|after| names.told(after)),
            continuation_token: input.continuation_token.clone(),
            is_truncated: Some(false),
            ..ListObjectsV2Output::default()
        };
        let (below, size, delimiter, group) = window.into_question(max_keys, delimiter);
        let (mount, client) = self.lister(bucket, &below).await?;
        let page = client
            .list_objects_v2()
            .bucket(bucket.bucket.as_str())
            .prefix(names.to_s3(&below))
            .set_delimiter(delimiter)
            .set_start_after(given(input.start_after).map(|after| names.to_s3(&after)))
            .set_continuation_token(input.continuation_token)
            .max_keys(size)
            // XML cannot express some characters that keys may have.
            .encoding_type(types::EncodingType::Url)
            .send()
            .await
            .map_err(|why| sdk_error::retold(&mount, None, why))?;
        let is_encoded = page.encoding_type() == Some(&types::EncodingType::Url);
        let entries = match group {
            Some(group) => Entries::group(page.contents().is_empty() || max_keys == 0, &group, &names),
            None => {
                output.is_truncated = page.is_truncated();
                output.next_continuation_token = page.next_continuation_token().map(str::to_owned);
                Entries::of(page.contents(), page.common_prefixes(), &names, is_encoded)
            }
        };
        output.key_count = i32::try_from(entries.objects.len() + entries.prefixes.len()).ok();
        output.contents = Some(entries.objects);
        output.common_prefixes = Some(entries.prefixes);
        Ok(output)
    }

    pub(super) async fn page_v1(&self, input: ListObjectsInput) -> S3Result<ListObjectsOutput> {
        let bucket = self.scope.bucket(&input.bucket)?;
        let names = Names::new(bucket.mount.0.keys.prefix(), input.encoding_type);
        let max_keys = page_size(input.max_keys)?;
        let (prefix, delimiter) = (input.prefix.unwrap_or_default(), given(input.delimiter));
        let marker = input.marker.unwrap_or_default();
        let window = Window::of(&self.scope.key, &prefix, delimiter.as_deref())?;
        let mut output = ListObjectsOutput {
            name: Some(bucket.name.clone()),
            prefix: Some(names.told(&prefix)),
            delimiter: delimiter.as_deref().map(|delimiter| names.told(delimiter)),
            marker: Some(names.told(&marker)),
            max_keys: Some(max_keys),
            encoding_type: names.encoding(),
            is_truncated: Some(false),
            ..ListObjectsOutput::default()
        };
        let (below, size, delimiter, group) = window.into_question(max_keys, delimiter);
        let (mount, client) = self.lister(bucket, &below).await?;
        let page = client
            .list_objects()
            .bucket(bucket.bucket.as_str())
            .prefix(names.to_s3(&below))
            .set_delimiter(delimiter)
            .set_marker((!marker.is_empty()).then(|| names.to_s3(&marker)))
            .max_keys(size)
            .encoding_type(types::EncodingType::Url)
            .send()
            .await
            .map_err(|why| sdk_error::retold(&mount, None, why))?;
        let is_encoded = page.encoding_type() == Some(&types::EncodingType::Url);
        let entries = match group {
            // The marker can be the common prefix itself, which then was on the page before.
            Some(group) => {
                let is_over = page.contents().is_empty() || max_keys == 0 || marker.starts_with(&group);
                Entries::group(is_over, &group, &names)
            }
            None => {
                output.is_truncated = page.is_truncated();
                output.next_marker = page.next_marker().and_then(|next| names.to_client(next, is_encoded));
                Entries::of(page.contents(), page.common_prefixes(), &names, is_encoded)
            }
        };
        output.contents = Some(entries.objects);
        output.common_prefixes = Some(entries.prefixes);
        Ok(output)
    }

    /// The client that lists what is below a prefix, and the mount whose credentials it has.
    pub(super) async fn lister(
        &self,
        bucket: &ClientBucket,
        prefix: &str,
    ) -> S3Result<(Mount, CountedClient)> {
        let mount = bucket.admit_list(&self.head, prefix).await?;
        let client = super::scope::client(&mount, &bucket.bucket).await?;
        Ok((mount, client))
    }
}

// === impl Window ===

impl Window {
    /// Prefix, size and delimiter for S3, and the group that stands for whatever it finds.
    fn into_question(
        self,
        max_keys: i32,
        delimiter: Option<String>,
    ) -> (String, i32, Option<String>, Option<String>) {
        match self {
            Self::Below(prefix) => (prefix, max_keys, delimiter, None),
            Self::Group { group, prefix } => (prefix, 1, None, Some(group)),
        }
    }
}

// === impl Entries ===

impl Entries {
    fn of(
        objects: &[types::Object],
        prefixes: &[types::CommonPrefix],
        names: &Names<'_>,
        is_encoded: bool,
    ) -> Self {
        let object = |object: &types::Object| {
            Some(Object {
                key: Some(names.to_client(object.key()?, is_encoded)?),
                size: object.size(),
                e_tag: object.e_tag().map(tag),
                last_modified: object.last_modified().copied().and_then(timestamp),
                storage_class: object
                    .storage_class()
                    .map(|class| ObjectStorageClass::from(class.as_str().to_owned())),
                ..Object::default()
            })
        };
        let prefix = |prefix: &types::CommonPrefix| {
            Some(CommonPrefix { prefix: Some(names.to_client(prefix.prefix()?, is_encoded)?) })
        };
        Self {
            objects: objects.iter().filter_map(object).collect(),
            prefixes: prefixes.iter().filter_map(prefix).collect(),
        }
    }

    fn group(is_empty: bool, group: &str, names: &Names<'_>) -> Self {
        let group = (!is_empty).then(|| CommonPrefix { prefix: Some(names.told(group)) });
        Self { prefixes: group.into_iter().collect(), ..Self::default() }
    }
}

fn page_size(asked: Option<i32>) -> S3Result<i32> {
    match asked.unwrap_or(LARGEST_PAGE) {
        size @ 0.. => Ok(size.min(LARGEST_PAGE)),
        _ => Err(S3Error::with_message(S3ErrorCode::InvalidArgument, "max-keys must not be negative")),
    }
}

/// An empty value is none.
pub(super) fn given(value: Option<String>) -> Option<String> {
    value.filter(|value| !value.is_empty())
}
