//! The query of a presigned URL. Pure.

use std::{
    borrow::Cow,
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use http::{HeaderName, Method};
use percent_encoding::percent_decode_str;
use time::{Date, Month, PrimitiveDateTime, Time};

/// What a presigned URL of S3 says of itself: until when it is valid, for which region, and which fields it covers.
///
/// [Version 4](https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html) is what all SDKs write today;
/// [version 2](https://docs.aws.amazon.com/AmazonS3/latest/API/RESTAuthentication.html#RESTAuthenticationQueryStringAuth) is
/// still made by old ones and by other servers' tools.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SignedUrl {
    pub(crate) expires_at: SystemTime,
    pub(crate) asks: SignedRequest,
    pub(crate) answer: SignedAnswer,
    pub(crate) signature: Signature,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Signature {
    V2,
    V4 { region: String, service: String, signed_fields: Vec<HeaderName> },
}

/// What S3 is asked to do with the object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SignedRequest {
    /// `GetObject` and `HeadObject`.
    Read,
    /// `PutObject`, `UploadPart`, `DeleteObject`, and the steps of a multipart upload.
    Write,
}

/// What S3's answer to a link depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SignedAnswer {
    /// The object, and the client's range and conditions.
    Object,
    /// More: a version, fields that the link gives, or that it covers.
    Link,
}

/// Why a query with a signature is not that of a link which is passed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum InvalidSignedUrl {
    Missing(&'static str),
    Malformed(&'static str),
    Repeated(&'static str),
    /// It has parameters of both versions.
    TwoSignatures,
    /// A parameter that asks for something else than an object.
    Parameter(String),
    /// The method does not go with the parameters.
    Method,
}

/// The parameters of both versions, of which each can be there once.
#[derive(Default)]
struct Parameters<'q> {
    found: [Option<Cow<'q, str>>; NAMES.len()],
    upload_id: bool,
    uploads: bool,
    part_number: bool,
    /// Those that only reads have.
    of_reads: bool,
    /// Any by which S3 may answer something else than the object as it is.
    of_answer: bool,
}

const ALGORITHM: usize = 0;
const CREDENTIAL: usize = 1;
const DATE: usize = 2;
const LIFETIME: usize = 3;
const SIGNED_HEADERS: usize = 4;
const SIGNATURE_V4: usize = 5;
const TOKEN: usize = 6;
const ACCESS_KEY: usize = 7;
const EXPIRES: usize = 8;
const SIGNATURE_V2: usize = 9;

const NAMES: [&str; 10] = [
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-SignedHeaders",
    "X-Amz-Signature",
    "X-Amz-Security-Token",
    "AWSAccessKeyId",
    "Expires",
    "Signature",
];

/// The longest life of a link: S3 refuses more.
const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

// === impl SignedUrl ===

impl SignedUrl {
    /// `None` for a query without a signature. Of version 2, `Expires` and `Signature` alone are nobody's: other servers'
    /// links have such parameters.
    pub(crate) fn parse(method: &Method, query: Option<&str>) -> Result<Option<Self>, InvalidSignedUrl> {
        let Some(query) = query.filter(|query| is_signed(query)) else { return Ok(None) };
        let parameters = Parameters::read(query)?;
        let asks = parameters.asks(method)?;
        let has =
            |indices: std::ops::RangeInclusive<usize>| indices.into_iter().any(|index| parameters.has(index));
        let (has_v4, has_v2) = (has(ALGORITHM..=SIGNATURE_V4), parameters.has(ACCESS_KEY));
        match (has_v4, has_v2) {
            (true, true) => Err(InvalidSignedUrl::TwoSignatures),
            (true, false) if has(EXPIRES..=SIGNATURE_V2) => Err(InvalidSignedUrl::TwoSignatures),
            (true, false) => parameters.v4(asks).map(Some),
            (false, _) => parameters.v2(asks).map(Some),
        }
    }
}

/// Whether any parameter is one that only a signed query has.
fn is_signed(query: &str) -> bool {
    query.split('&').any(|pair| {
        let name = pair.split_once('=').map_or(pair, |(name, _)| name);
        let name: Cow<'_, [u8]> = percent_decode_str(name).into();
        let is =
            |index: usize| NAMES.get(index).is_some_and(|of_s3| name.eq_ignore_ascii_case(of_s3.as_bytes()));
        (ALGORITHM..=ACCESS_KEY).any(is)
    })
}

// === impl Parameters ===

impl<'q> Parameters<'q> {
    fn read(query: &'q str) -> Result<Self, InvalidSignedUrl> {
        let mut read = Self::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let other = || InvalidSignedUrl::Parameter(name.chars().take(64).collect());
            let decoded = percent_decode_str(name).decode_utf8().map_err(|_| other())?;
            if let Some(index) = NAMES.iter().position(|of_s3| of_s3.eq_ignore_ascii_case(&decoded)) {
                read.keep(index, &decoded, value)?;
                continue;
            }
            let flag = match &*decoded {
                "uploadId" => &mut read.upload_id,
                "uploads" => &mut read.uploads,
                "partNumber" => &mut read.part_number,
                "versionId" => {
                    read.of_answer = true;
                    continue;
                }
                name if OF_READS.contains(&name) => {
                    (read.of_reads, read.of_answer) = (true, true);
                    continue;
                }
                // Names of the signer's own, which S3 ignores and its access log shows, and fields that a signer moved to the
                // query. A copy would read what is outside of the mount.
                name if is_own(name) => {
                    read.of_answer |= name.to_ascii_lowercase().starts_with("x-amz-");
                    continue;
                }
                _ => return Err(other()),
            };
            if std::mem::replace(flag, true) {
                return Err(other());
            }
        }
        Ok(read)
    }

    fn keep(&mut self, index: usize, name: &str, value: &'q str) -> Result<(), InvalidSignedUrl> {
        let (Some(slot), Some(expected)) = (self.found.get_mut(index), NAMES.get(index)) else {
            return Ok(());
        };
        // S3 knows it by its exact name; another server could take either.
        let value =
            percent_decode_str(value).decode_utf8().ok().filter(|_| *expected == name || index == TOKEN);
        let value = value.ok_or(InvalidSignedUrl::Malformed(expected))?;
        match slot.replace(value) {
            None => Ok(()),
            Some(_) => Err(InvalidSignedUrl::Repeated(expected)),
        }
    }

    fn has(&self, index: usize) -> bool {
        self.found.get(index).is_some_and(Option::is_some)
    }

    fn get(&self, index: usize) -> Result<(&'static str, &str), InvalidSignedUrl> {
        let name = NAMES.get(index).copied().unwrap_or_default();
        let value = self.found.get(index).and_then(Option::as_deref).filter(|value| !value.is_empty());
        value.map(|value| (name, value)).ok_or(InvalidSignedUrl::Missing(name))
    }

    /// What the method and the other parameters ask for.
    fn asks(&self, method: &Method) -> Result<SignedRequest, InvalidSignedUrl> {
        let Self { upload_id, uploads, part_number, of_reads, .. } = *self;
        let asks = match (method, upload_id, uploads) {
            (&Method::GET | &Method::HEAD, false, false) => SignedRequest::Read,
            // ListParts shows nothing but what its writer has written.
            (&Method::GET, true, false) if !part_number => SignedRequest::Write,
            (&Method::PUT, upload_id, false) if upload_id == part_number => SignedRequest::Write,
            (&Method::DELETE, _, false) if !part_number => SignedRequest::Write,
            (&Method::POST, upload_id, uploads) if upload_id != uploads && !part_number => {
                SignedRequest::Write
            }
            _ => return Err(InvalidSignedUrl::Method),
        };
        match asks {
            SignedRequest::Write if of_reads => Err(InvalidSignedUrl::Method),
            asks => Ok(asks),
        }
    }

    /// Of a link that covers so many fields, one of which is `Host`.
    fn answer(&self, signed_fields: usize) -> SignedAnswer {
        let is_of_object = !self.of_answer && !self.part_number && signed_fields == 1;
        if is_of_object { SignedAnswer::Object } else { SignedAnswer::Link }
    }

    fn v4(&self, asks: SignedRequest) -> Result<SignedUrl, InvalidSignedUrl> {
        let malformed = InvalidSignedUrl::Malformed;
        let (name, algorithm) = self.get(ALGORITHM)?;
        if algorithm != "AWS4-HMAC-SHA256" {
            return Err(malformed(name));
        }
        let (name, credential) = self.get(CREDENTIAL)?;
        let scope: Vec<_> = credential.rsplitn(5, '/').collect();
        let [end, service, region, day, key] = scope.as_slice() else { return Err(malformed(name)) };
        if *end != "aws4_request" || region.is_empty() || key.is_empty() {
            return Err(malformed(name));
        }
        let (name, date) = self.get(DATE)?;
        let begin = parse_date(date).filter(|_| date.starts_with(day)).ok_or(malformed(name))?;
        let (name, lifetime) = self.get(LIFETIME)?;
        let lifetime = Duration::from_secs(digits(lifetime).ok_or(malformed(name))?);
        let (name, signed) = self.get(SIGNED_HEADERS)?;
        let signed_fields = signed.split(';').map(|field| HeaderName::try_from(field).ok());
        let signed_fields = signed_fields.collect::<Option<Vec<_>>>().ok_or(malformed(name))?;
        if !signed_fields.contains(&http::header::HOST) {
            return Err(malformed(name));
        }
        let (name, signature) = self.get(SIGNATURE_V4)?;
        if signature.len() != 64 || !signature.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(malformed(name));
        }
        if lifetime.is_zero() || lifetime > WEEK {
            return Err(malformed(NAMES[LIFETIME]));
        }
        let (region, service) = ((*region).to_owned(), (*service).to_owned());
        let answer = self.answer(signed_fields.len());
        let signature = Signature::V4 { region, service, signed_fields };
        Ok(SignedUrl { expires_at: begin + lifetime, asks, answer, signature })
    }

    fn v2(&self, asks: SignedRequest) -> Result<SignedUrl, InvalidSignedUrl> {
        self.get(ACCESS_KEY)?;
        let (name, expires) = self.get(EXPIRES)?;
        let expires = digits(expires).ok_or(InvalidSignedUrl::Malformed(name))?;
        let expires_at = UNIX_EPOCH.checked_add(Duration::from_secs(expires));
        let expires_at = expires_at.ok_or(InvalidSignedUrl::Malformed(name))?;
        let (name, signature) = self.get(SIGNATURE_V2)?;
        // A SHA-1 in base 64. In a form, a plus sign is a space: which of both was meant, only S3 can tell.
        if signature.len() != 28 || !signature.ends_with('=') {
            return Err(InvalidSignedUrl::Malformed(name));
        }
        Ok(SignedUrl { expires_at, asks, answer: self.answer(1), signature: Signature::V2 })
    }
}

/// A number without sign and spaces, which S3 would not take either.
fn digits(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// A time like `20130524T000000Z`.
fn parse_date(text: &str) -> Option<SystemTime> {
    let (day, time) = text.strip_suffix('Z')?.split_once('T')?;
    if day.len() != 8 || time.len() != 6 {
        return None;
    }
    let part = |text: &str, from: usize, to: usize| digits(text.get(from..to)?);
    let small = |number: u64| u8::try_from(number).ok();
    let month = Month::try_from(small(part(day, 4, 6)?)?).ok()?;
    let date =
        Date::from_calendar_date(i32::try_from(part(day, 0, 4)?).ok()?, month, small(part(day, 6, 8)?)?)
            .ok()?;
    let (hour, minute, second) = (part(time, 0, 2)?, part(time, 2, 4)?, part(time, 4, 6)?);
    let time = Time::from_hms(small(hour)?, small(minute)?, small(second)?).ok()?;
    Some(PrimitiveDateTime::new(date, time).assume_utc().into())
}

/// The parameters of `GetObject` and `HeadObject` alone.
const OF_READS: [&str; 6] = [
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
];

/// Whether a parameter is a field that was signed as one, or one that S3 does not know.
fn is_own(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.starts_with("x-") && !name.starts_with("x-amz-copy-source")
}

impl fmt::Display for InvalidSignedUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(name) => write!(f, "the parameter {name} is missing"),
            Self::Malformed(name) => write!(f, "the parameter {name} is malformed"),
            Self::Repeated(name) => write!(f, "the parameter {name} is there twice"),
            Self::TwoSignatures => f.write_str("parameters of two versions of signatures"),
            Self::Parameter(name) => {
                write!(f, "the parameter {name:?} asks for more than an object, or is there twice")
            }
            Self::Method => f.write_str("the method does not go with the parameters"),
        }
    }
}

impl std::error::Error for InvalidSignedUrl {}

#[cfg(test)]
mod tests;
