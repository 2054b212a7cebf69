//! One page of what is directly below a prefix.

use std::time::SystemTime;

use aws_sdk_s3::{
    error::{ProvideErrorMetadata, SdkError},
    operation::list_objects_v2::{ListObjectsV2Error, ListObjectsV2Output},
    types::EncodingType,
};
use http::StatusCode;

use super::{list_refusal, listed_name};
use crate::{
    error::ProxyErrorKind,
    object::BucketName,
    origin::{OriginError, S3ErrorCode, S3Origin, sdk_error::kind_without_answer},
};

/// A question for what is directly below a prefix.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ListRequest<'a> {
    pub(crate) bucket: &'a BucketName,
    /// Empty, or ending with a slash.
    pub(crate) prefix: &'a str,
    /// Only what comes behind this key.
    pub(crate) start_after: Option<&'a str>,
    pub(crate) max_keys: u16,
}

/// S3's answer, in the order of keys. Each name is whole, with the prefix.
#[derive(Debug, Default)]
pub(crate) struct FolderPage {
    pub(crate) objects: Vec<ListedObject>,
    /// What keys have in common up to the next slash, with the slash.
    pub(crate) groups: Vec<String>,
    pub(crate) is_truncated: bool,
}

#[derive(Debug)]
pub(crate) struct ListedObject {
    pub(crate) key: String,
    pub(crate) size: u64,
    pub(crate) modified: Option<SystemTime>,
}

/// Why there is no list.
#[derive(Debug)]
pub(crate) enum ListError {
    Origin(OriginError),
    /// S3 said no.
    Refused {
        status: StatusCode,
        code: S3ErrorCode,
        /// As S3 wrote it.
        name: String,
        /// For the log.
        line: String,
    },
    /// There was no answer.
    Failed(ProxyErrorKind, String),
}

// === impl S3Origin ===

impl S3Origin {
    /// Lists one page, by one request that counts among those in flight.
    pub(crate) async fn list_folder(&self, request: ListRequest<'_>) -> Result<FolderPage, ListError> {
        let ListRequest { bucket, prefix, start_after, max_keys } = request;
        let client = self.counted_client(bucket).await.map_err(ListError::Origin)?;
        let listed = client
            .list_objects_v2()
            .bucket(bucket.as_str())
            .prefix(prefix)
            .delimiter("/")
            .set_start_after(start_after.map(str::to_owned))
            .max_keys(max_keys.into())
            // XML cannot express some characters that keys may have.
            .encoding_type(EncodingType::Url)
            .send()
            .await;
        listed.map(|listed| FolderPage::of(&listed)).map_err(|why| ListError::of(&why))
    }
}

// === impl FolderPage ===

impl FolderPage {
    fn of(listed: &ListObjectsV2Output) -> Self {
        let is_encoded = listed.encoding_type() == Some(&EncodingType::Url);
        let objects = listed.contents().iter().filter_map(|object| {
            Some(ListedObject {
                key: listed_name(object.key()?, is_encoded)?,
                size: object.size().and_then(|size| u64::try_from(size).ok()).unwrap_or_default(),
                modified: object.last_modified().and_then(|at| SystemTime::try_from(*at).ok()),
            })
        });
        let groups = listed.common_prefixes().iter().filter_map(|group| {
            let group = listed_name(group.prefix()?, is_encoded)?;
            Some(group)
        });
        Self {
            objects: objects.collect(),
            groups: groups.collect(),
            is_truncated: listed.is_truncated() == Some(true),
        }
    }

    /// The last name on the page, whichever kind it is of.
    pub(crate) fn last(&self) -> Option<&str> {
        let object = self.objects.last().map(|object| object.key.as_str());
        object.max(self.groups.last().map(String::as_str))
    }
}

// === impl ListError ===

impl ListError {
    fn of(error: &SdkError<ListObjectsV2Error>) -> Self {
        let status = error.raw_response().and_then(|raw| StatusCode::from_u16(raw.status().as_u16()).ok());
        let is_answered = matches!(error, SdkError::ServiceError(_));
        match status.filter(|_| is_answered) {
            Some(status) => {
                let name = error.code().unwrap_or_default().to_owned();
                Self::Refused { status, code: S3ErrorCode::parse(&name), name, line: list_refusal(error) }
            }
            None => Self::Failed(kind_without_answer(error), list_refusal(error)),
        }
    }

    /// Whether a read would learn what is wrong: the region, S3's clock, or that the credentials are no longer valid.
    pub(crate) fn is_to_be_learnt(&self) -> bool {
        match self {
            Self::Refused { code, .. } => {
                matches!(code, S3ErrorCode::WrongRegion | S3ErrorCode::ClockSkewed | S3ErrorCode::Credentials)
            }
            Self::Origin(_) | Self::Failed(..) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_name_is_that_of_an_object_or_of_a_group() {
        let object = |key: &str| ListedObject { key: key.to_owned(), size: 1, modified: None };
        for (objects, groups, last) in [
            (&[][..], &[][..], None),
            (&["a", "b"], &[], Some("b")),
            (&[], &["c/"], Some("c/")),
            (&["a", "d"], &["c/"], Some("d")),
            (&["a", "b"], &["c/"], Some("c/")),
        ] {
            let page = FolderPage {
                objects: objects.iter().map(|key| object(key)).collect(),
                groups: groups.iter().map(|group: &&str| (*group).to_owned()).collect(),
                is_truncated: true,
            };
            assert_eq!(page.last(), last, "{objects:?} {groups:?}");
        }
    }
}
