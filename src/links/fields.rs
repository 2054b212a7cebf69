use aws_smithy_types::base64;
use http::{HeaderName, HeaderValue};

use super::{PresignError, PresignErrorKind};

/// A field of S3's response that a link can set ([S3 API,
/// GetObject](https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ResponseField {
    /// `Cache-Control`.
    CacheControl,
    /// `Content-Disposition`.
    ContentDisposition,
    /// `Content-Encoding`.
    ContentEncoding,
    /// `Content-Language`.
    ContentLanguage,
    /// `Content-Type`. A type like `text/html` makes a page of an upload.
    ContentType,
    /// `Expires`.
    Expires,
}

/// The algorithm of a checksum that S3 verifies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Checksum {
    /// `x-amz-checksum-crc32`, 4 bytes.
    Crc32,
    /// `x-amz-checksum-crc32c`, 4 bytes.
    Crc32c,
    /// `x-amz-checksum-crc64nvme`, 8 bytes.
    Crc64Nvme,
    /// `x-amz-checksum-sha1`, 20 bytes.
    Sha1,
    /// `x-amz-checksum-sha256`, 32 bytes.
    Sha256,
    /// `Content-MD5`, 16 bytes.
    Md5,
}
// === impl ResponseField ===

impl ResponseField {
    pub(super) fn parameter(self) -> &'static str {
        match self {
            Self::CacheControl => "response-cache-control",
            Self::ContentDisposition => "response-content-disposition",
            Self::ContentEncoding => "response-content-encoding",
            Self::ContentLanguage => "response-content-language",
            Self::ContentType => "response-content-type",
            Self::Expires => "response-expires",
        }
    }
}

// === impl Checksum ===

impl Checksum {
    /// The one that a field of this name gives.
    pub(crate) fn of_field(name: &HeaderName) -> Option<Self> {
        let all = [Self::Crc32, Self::Crc32c, Self::Crc64Nvme, Self::Sha1, Self::Sha256, Self::Md5];
        all.into_iter().find(|checksum| checksum.field() == name)
    }

    pub(crate) fn field(self) -> HeaderName {
        HeaderName::from_static(match self {
            Self::Crc32 => "x-amz-checksum-crc32",
            Self::Crc32c => "x-amz-checksum-crc32c",
            Self::Crc64Nvme => "x-amz-checksum-crc64nvme",
            Self::Sha1 => "x-amz-checksum-sha1",
            Self::Sha256 => "x-amz-checksum-sha256",
            Self::Md5 => "content-md5",
        })
    }

    fn bytes(self) -> usize {
        match self {
            Self::Crc32 | Self::Crc32c => 4,
            Self::Crc64Nvme => 8,
            Self::Md5 => 16,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }

    /// Whether the text is the Base64 of as many bytes.
    pub(crate) fn is_well_formed(self, text: &str) -> bool {
        base64::decode(text).is_ok_and(|bytes| bytes.len() == self.bytes())
    }

    pub(super) fn parse(self, text: &str) -> Result<HeaderValue, PresignError> {
        let value = HeaderValue::from_str(text).ok().filter(|_| self.is_well_formed(text));
        value.ok_or_else(|| {
            let (name, bytes) = (self.field(), self.bytes());
            PresignError::new(
                PresignErrorKind::Field,
                format!("{name}: {text:?} is not the Base64 of {bytes} bytes"),
            )
        })
    }
}
