use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::Disposition;
use crate::{
    error::ProxyErrorKind,
    object::{VersionId, decode_once},
};

/// The query parameters that a mount understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct QueryPolicy {
    pub(crate) versions: VersionPolicy,
    pub(crate) downloads: DownloadPolicy,
}

/// Whether requests can use `versionId`.
///
/// Off by default: reading versions needs `s3:GetObjectVersion`, and an old version may contain something that was
/// removed on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum VersionPolicy {
    #[default]
    Ignored,
    Honoured,
}

/// Whether requests can use `download` and `response-content-disposition`.
///
/// Off by default: the author of a link would choose the name under which the site's visitors store a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum DownloadPolicy {
    #[default]
    Refused,
    Honoured,
}

/// The contents of a request's query. Only the version reaches S3.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Query {
    pub(crate) version: Option<VersionId>,
    pub(crate) disposition: Option<Disposition>,
}

/// Why a request is not served because of its query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum QueryRefusal {
    /// It has a parameter that would change S3's response.
    NotAllowed,
    /// It asks for a malformed disposition.
    MalformedDisposition,
    /// It names a version that no object has.
    NoSuchVersion,
}

// === impl Query ===

impl Query {
    /// Reads a query. Of a repeated parameter the first counts, and of `download` and `response-content-disposition`
    /// the one that comes first; an empty `versionId` counts as absent.
    ///
    /// Unknown parameters are ignored, except those that S3 would understand: a client that asks for another content
    /// type must not get the stored one unawares.
    pub(crate) fn parse(query: Option<&str>, policy: QueryPolicy) -> Result<Self, QueryRefusal> {
        let mut asked = Self::default();
        let Some(query) = query else { return Ok(asked) };
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let Some(parameter) = Parameter::named(name) else { continue };
            match parameter {
                Parameter::VersionId => match policy.versions {
                    VersionPolicy::Honoured if asked.version.is_none() && !value.is_empty() => {
                        let version = VersionId::decode(value).map_err(|_| QueryRefusal::NoSuchVersion)?;
                        asked.version = Some(version);
                    }
                    VersionPolicy::Honoured | VersionPolicy::Ignored => {}
                },
                Parameter::Download => match policy.downloads {
                    DownloadPolicy::Honoured if asked.disposition.is_none() => {
                        asked.disposition = Some(Disposition::download(decode_form(value)?));
                    }
                    // Many sites have a parameter of this name for their own scripts.
                    DownloadPolicy::Honoured | DownloadPolicy::Refused => {}
                },
                Parameter::Disposition => match policy.downloads {
                    DownloadPolicy::Honoured if asked.disposition.is_none() => {
                        let disposition = Disposition::parse(&decode_form(value)?);
                        asked.disposition =
                            Some(disposition.map_err(|_| QueryRefusal::MalformedDisposition)?);
                    }
                    DownloadPolicy::Honoured => {}
                    DownloadPolicy::Refused => return Err(QueryRefusal::NotAllowed),
                },
                Parameter::OfS3 => return Err(QueryRefusal::NotAllowed),
            }
        }
        Ok(asked)
    }
}

/// Decodes the value of a disposition's parameter. A `+` is a space, as browsers' forms and `URLSearchParams` write it
/// and as S3 reads it; a plus sign is `%2B`.
fn decode_form(value: &str) -> Result<String, QueryRefusal> {
    let value = value.replace('+', " ");
    let decoded = decode_once(&value).map_err(|_| QueryRefusal::MalformedDisposition)?;
    Ok(decoded.into_owned())
}

/// A parameter with a meaning, here or to S3.
enum Parameter {
    VersionId,
    Download,
    Disposition,
    /// Always refused.
    OfS3,
}

// === impl Parameter ===

impl Parameter {
    /// Finds a parameter by its name in the query, which may be encoded. S3's names match in any case: S3 itself
    /// accepts only one, but another server may be less strict.
    fn named(name: &str) -> Option<Self> {
        let name: Cow<'_, [u8]> = percent_decode_str(name).into();
        match name.as_ref() {
            b"versionId" => Some(Self::VersionId),
            b"download" => Some(Self::Download),
            b"response-content-disposition" => Some(Self::Disposition),
            name if OF_S3.iter().any(|other| name.eq_ignore_ascii_case(other.as_bytes())) => Some(Self::OfS3),
            _ => None,
        }
    }
}

/// The parameters of `GetObject` and `HeadObject` that change the response: a `response-content-type` of `text/html`
/// turns any upload into a page of the site; a part's length is not the object's ([S3 API,
/// `GetObject`](https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html)).
const OF_S3: [&str; 7] = [
    "partNumber",
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
];

// === impl QueryRefusal ===

impl From<QueryRefusal> for ProxyErrorKind {
    fn from(refusal: QueryRefusal) -> Self {
        match refusal {
            QueryRefusal::NotAllowed | QueryRefusal::MalformedDisposition => Self::BadQuery,
            QueryRefusal::NoSuchVersion => Self::NotFound,
        }
    }
}

#[cfg(test)]
mod tests;
