use std::time::{Duration, SystemTime};

use http::{
    HeaderName, HeaderValue,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
};

use super::{Checksum, Covered, PresignError, PresignErrorKind, ResponseField, SourceNetwork};
use crate::{
    object::{BucketName, ObjectKey, VersionId},
    request::Disposition,
    response::disposition_field,
};

/// A request for a link to one object.
///
/// ```
/// use std::time::Duration;
///
/// use tower_s3_proxy::{bucket::ObjectKey, links::{PresignRequest, ResponseField}};
///
/// let film = PresignRequest::get(ObjectKey::new("films/2031/a.mp4")?)
///     .expires_in(Duration::from_secs(15 * 60))
///     .download("A film.mp4")
///     .respond_with(ResponseField::CacheControl, "private, max-age=900");
/// let upload = PresignRequest::put(ObjectKey::new("uploads/7.png")?).content_type("image/png").content_length(48_213);
/// # let _ = (film, upload);
/// # Ok::<(), tower_s3_proxy::bucket::InvalidKey>(())
/// ```
#[must_use = "it makes nothing before `Mount::presign`"]
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PresignRequest {
    pub(crate) method: LinkMethod,
    pub(crate) key: ObjectKey,
    pub(crate) bucket: Option<BucketName>,
    pub(crate) version: Option<String>,
    pub(crate) expires_in: Option<Duration>,
    responses: Vec<(ResponseField, String)>,
    fields: Vec<(HeaderName, String)>,
    checksum: Option<(Checksum, String)>,
    signer: Signer,
    network: Option<String>,
    not_before: Option<SystemTime>,
    covering: Option<String>,
}

/// Whose link it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Signer {
    /// CloudFront's, if the mount has a distribution and the link reads.
    Preferred,
    S3,
}

/// The method that a link is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LinkMethod {
    /// Reads the object. A link for GET does not serve HEAD.
    Get,
    /// Reads the object's fields.
    Head,
    /// Writes the object.
    Put,
    /// Deletes the object.
    Delete,
}

// === impl PresignRequest ===

impl PresignRequest {
    /// A link to read this object: the key as S3 has it, with the mount's prefix.
    pub fn get(key: ObjectKey) -> Self {
        Self::new(LinkMethod::Get, key)
    }

    /// A link to read this object's fields.
    pub fn head(key: ObjectKey) -> Self {
        Self::new(LinkMethod::Head, key)
    }

    /// A link to write this object, if the [policy](super::LinkPolicy::grant) grants it. S3 overwrites an object that is
    /// there.
    pub fn put(key: ObjectKey) -> Self {
        Self::new(LinkMethod::Put, key)
    }

    /// A link to delete this object, if the [policy](super::LinkPolicy::grant) grants it.
    pub fn delete(key: ObjectKey) -> Self {
        Self::new(LinkMethod::Delete, key)
    }

    /// A link for this method.
    pub fn new(method: LinkMethod, key: ObjectKey) -> Self {
        Self {
            method,
            key,
            bucket: None,
            version: None,
            expires_in: None,
            responses: Vec::new(),
            fields: Vec::new(),
            checksum: None,
            signer: Signer::Preferred,
            network: None,
            not_before: None,
            covering: None,
        }
    }

    /// The bucket, of the many that the mount has. Required if the path or a resolver names them.
    pub fn bucket(mut self, bucket: BucketName) -> Self {
        self.bucket = Some(bucket);
        self
    }

    /// This version of the object, for GET, HEAD and DELETE.
    pub fn version(mut self, id: impl Into<String>) -> Self {
        self.version = Some(id.into());
        self
    }

    /// How long the link is valid, in whole seconds; as long as the [policy](super::LinkPolicy::longest) allows by default.
    pub fn expires_in(mut self, life: Duration) -> Self {
        self.expires_in = Some(life);
        self
    }

    /// Makes the response a download under this name, or under the last segment of the key if it is empty. Of the name, what
    /// no file can be called is replaced.
    pub fn download(self, name: impl Into<String>) -> Self {
        let disposition = Disposition::download(name.into());
        let field = disposition_field(&disposition, &self.key);
        // Printable ASCII by construction.
        let value = field.to_str().unwrap_or("attachment").to_owned();
        self.respond_with(ResponseField::ContentDisposition, value)
    }

    /// Sets a field of S3's response, for GET and HEAD, whatever the object has. Of two values the later counts.
    pub fn respond_with(mut self, field: ResponseField, value: impl Into<String>) -> Self {
        self.responses.retain(|(held, _)| *held != field);
        self.responses.push((field, value.into()));
        self
    }

    /// Requires the upload to have this `Content-Type`, for PUT.
    pub fn content_type(self, value: impl Into<String>) -> Self {
        self.field(CONTENT_TYPE, value.into())
    }

    /// Requires the upload to have exactly this length, in bytes, for PUT.
    pub fn content_length(self, bytes: u64) -> Self {
        self.field(CONTENT_LENGTH, bytes.to_string())
    }

    /// Requires the upload to have this checksum, in Base64, for PUT. S3 refuses other bytes.
    pub fn checksum(mut self, algorithm: Checksum, base64: impl Into<String>) -> Self {
        self.checksum = Some((algorithm, base64.into()));
        self
    }

    /// S3's own link, where a distribution of [CloudFront](super::LinkPolicy::cloudfront) would stand in for it.
    pub fn from_s3(mut self) -> Self {
        self.signer = Signer::S3;
        self
    }

    /// Only for clients with this IPv4 address, or in this network (`192.0.2.0/24`). Only CloudFront's links can have one.
    pub fn source_network(mut self, network: impl Into<String>) -> Self {
        self.network = Some(network.into());
        self
    }

    /// Not before this time, in whole seconds. Only CloudFront's links can begin later than now.
    pub fn not_before(mut self, begins: SystemTime) -> Self {
        self.not_before = Some(begins);
        self
    }

    /// Covers all keys that this glob matches, with the mount's prefix, besides the one in the URL: `films/2031/*`, for the
    /// segments of a film, to which a player adds the query of the link. `*` is any run of characters, slashes too, and `?` one.
    /// Only CloudFront's links can cover several keys.
    pub fn covering(mut self, glob: impl Into<String>) -> Self {
        self.covering = Some(glob.into());
        self
    }

    /// Whether a distribution of CloudFront may make the link.
    pub(crate) fn is_for_cloudfront(&self) -> bool {
        self.method.reads() && self.signer == Signer::Preferred
    }

    /// What only CloudFront's links can say, except for the glob.
    pub(crate) fn covered(&self) -> Result<Covered, PresignError> {
        let network = self.network.as_deref().map(|network| {
            SourceNetwork::parse(network).ok_or_else(|| {
                let message = format!("the network {network:?}: must be of IPv4, like 192.0.2.0/24");
                PresignError::new(PresignErrorKind::Field, message)
            })
        });
        Ok(Covered { keys: None, network: network.transpose()?, not_before: self.not_before })
    }

    pub(crate) fn glob(&self) -> Option<&str> {
        self.covering.as_deref()
    }

    /// Refuses what only CloudFront's links can say.
    pub(crate) fn check_for_s3(&self) -> Result<(), PresignError> {
        if self.network.is_none() && self.not_before.is_none() && self.covering.is_none() {
            return Ok(());
        }
        let message =
            "only links of CloudFront that read can be for a network, begin later, or cover several keys";
        Err(PresignError::new(PresignErrorKind::Field, message))
    }

    fn field(mut self, name: HeaderName, value: String) -> Self {
        self.fields.retain(|(held, _)| *held != name);
        self.fields.push((name, value));
        self
    }

    /// The parameters of S3's response.
    pub(crate) fn parameters(&self) -> Result<Vec<(&str, &str)>, PresignError> {
        if !self.responses.is_empty() && !self.method.reads() {
            return Err(self.meaningless("fields of the response are for links that read"));
        }
        let checked = self.responses.iter().map(|(field, value)| {
            let is_value = HeaderValue::from_str(value).is_ok() && !value.trim().is_empty();
            match is_value {
                true => Ok((field.parameter(), value.as_str())),
                false => Err(PresignError::new(
                    PresignErrorKind::Field,
                    format!("{}: {value:?} is not the value of a field", field.parameter()),
                )),
            }
        });
        checked.collect()
    }

    /// The fields that the upload must have.
    pub(crate) fn upload_fields(&self) -> Result<Vec<(HeaderName, HeaderValue)>, PresignError> {
        if self.method != LinkMethod::Put && !(self.fields.is_empty() && self.checksum.is_none()) {
            return Err(self.meaningless("type, length and checksum of an upload are for links that put"));
        }
        let mut fields = Vec::new();
        for (name, value) in &self.fields {
            let parsed = HeaderValue::from_str(value).ok().filter(|_| !value.trim().is_empty());
            let parsed = parsed.ok_or_else(|| {
                PresignError::new(PresignErrorKind::Field, format!("{name}: {value:?} is not its value"))
            })?;
            fields.push((name.clone(), parsed));
        }
        if let Some((algorithm, text)) = &self.checksum {
            fields.push((algorithm.field(), algorithm.parse(text)?));
        }
        Ok(fields)
    }

    pub(crate) fn version_id(&self) -> Result<Option<VersionId>, PresignError> {
        let Some(id) = &self.version else { return Ok(None) };
        if self.method == LinkMethod::Put {
            return Err(self.meaningless("S3 itself names the version that is written"));
        }
        VersionId::parse(id).map(Some).map_err(|_| {
            PresignError::new(PresignErrorKind::Field, format!("the version {id:?}: must be visible ASCII"))
        })
    }

    fn meaningless(&self, why: &str) -> PresignError {
        PresignError::new(
            PresignErrorKind::Field,
            format!("{why}, and this one is for {}", self.method.as_str()),
        )
    }
}

// === impl LinkMethod ===

impl LinkMethod {
    /// As HTTP has it: `GET`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }

    pub(crate) fn reads(self) -> bool {
        match self {
            Self::Get | Self::Head => true,
            Self::Put | Self::Delete => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> ObjectKey {
        ObjectKey::new("films/a b.mp4").unwrap()
    }

    #[test]
    fn what_has_no_meaning_for_the_method_is_refused() {
        let sha256 = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
        for (request, hint) in [
            (PresignRequest::put(key()).download("a"), Some("this one is for PUT")),
            (PresignRequest::delete(key()).respond_with(ResponseField::Expires, "0"), Some("for DELETE")),
            (PresignRequest::get(key()).content_type("a/b"), Some("for links that put")),
            (PresignRequest::head(key()).checksum(Checksum::Sha256, sha256), Some("for links that put")),
            (PresignRequest::put(key()).version("1"), Some("S3 itself names the version")),
            (PresignRequest::get(key()).version("a b"), Some("visible ASCII")),
            (
                PresignRequest::get(key()).respond_with(ResponseField::ContentType, "a\nb"),
                Some("not the value"),
            ),
            (PresignRequest::get(key()).respond_with(ResponseField::ContentType, ""), Some("not the value")),
            (PresignRequest::put(key()).content_type("a\r\nx: y"), Some("not its value")),
            (PresignRequest::put(key()).checksum(Checksum::Crc32, sha256), Some("Base64 of 4 bytes")),
            (PresignRequest::put(key()).checksum(Checksum::Sha256, "*"), Some("Base64 of 32 bytes")),
            (PresignRequest::put(key()).checksum(Checksum::Sha256, sha256).content_length(0), None),
            (PresignRequest::get(key()).version("3/L4kqt+JlcpXroDTDmJ").download(""), None),
        ] {
            let outcome = request.parameters().map(drop);
            let outcome = outcome.and_then(|()| request.upload_fields().map(drop));
            let outcome = outcome.and_then(|()| request.version_id().map(drop));
            match (outcome, hint) {
                (Ok(()), None) => {}
                (Err(why), Some(hint)) => {
                    assert_eq!(why.kind(), PresignErrorKind::Field);
                    assert!(why.to_string().contains(hint), "{request:?}: {why}");
                }
                (outcome, _) => panic!("{request:?}: {outcome:?}, not {hint:?}"),
            }
        }
    }

    #[test]
    fn a_download_has_the_name_that_it_is_given_or_that_of_its_key() {
        for (name, value) in [
            ("", "attachment; filename=\"a b.mp4\""),
            ("ü/x.mp4", "attachment; filename=\"__x.mp4\"; filename*=UTF-8''%C3%BC_x.mp4"),
        ] {
            let request =
                PresignRequest::get(key()).respond_with(ResponseField::ContentDisposition, "inline");
            let request = request.download(name);
            assert_eq!(request.parameters().unwrap(), [("response-content-disposition", value)]);
        }
    }
}
