//! `GetObject` and `HeadObject`, behind the signature check of `s3s` and in place of its own operations, which
//! parse conditions and ranges more narrowly than S3 does.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH,
    CONTENT_RANGE, CONTENT_TYPE, ETAG, EXPIRES, HOST, LAST_MODIFIED, RANGE,
};
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use percent_encoding::percent_decode_str;
use s3s::path::{S3Path, parse_virtual_hosted_style};
use s3s::route::S3Route;
use s3s::{Body, S3Error, S3ErrorCode, S3Request, S3Response, S3Result, s3_error};
use tokio::fs::File;
use tokio::io::AsyncSeekExt;

use crate::access::{Access, error_headers};
use crate::body::ObjectBody;
use crate::conditions::{Verdict, evaluate, range_stands};
use crate::customer_key;
use crate::host::Domains;
use crate::object::{CHECKSUMS, Content, Facts};
use crate::range::{Selection, select};
use crate::store::{Found, Store, precondition_failed, quoted};

/// Object reads.
#[derive(Debug)]
pub(crate) struct Reads {
    pub(crate) store: Store,
    pub(crate) access: Arc<Access>,
    pub(crate) domains: Domains,
}

/// The object that a request reads.
#[derive(Clone, Debug)]
struct Target {
    bucket: String,
    key: String,
}

/// Queries that turn a request for an object into another operation than a read.
const OTHER_OPERATIONS: [&str; 7] =
    ["acl", "attributes", "legal-hold", "retention", "tagging", "torrent", "uploadId"];

/// Queries with which a signed request overrides a header of the response.
const OVERRIDES: [(&str, HeaderName); 6] = [
    ("response-cache-control", CACHE_CONTROL),
    ("response-content-disposition", CONTENT_DISPOSITION),
    ("response-content-encoding", CONTENT_ENCODING),
    ("response-content-language", CONTENT_LANGUAGE),
    ("response-content-type", CONTENT_TYPE),
    ("response-expires", EXPIRES),
];

const CHECKSUM_MODE: HeaderName = HeaderName::from_static("x-amz-checksum-mode");
const ENCRYPTION: HeaderName = HeaderName::from_static("x-amz-server-side-encryption");
const PARTS_COUNT: HeaderName = HeaderName::from_static("x-amz-mp-parts-count");
const VERSION_ID: HeaderName = HeaderName::from_static("x-amz-version-id");

// === impl Reads ===

#[async_trait::async_trait]
impl S3Route for Reads {
    fn is_match(&self, method: &Method, uri: &Uri, headers: &HeaderMap, extensions: &mut Extensions) -> bool {
        if !matches!(*method, Method::GET | Method::HEAD) {
            return false;
        }
        let query = uri.query().unwrap_or_default();
        let other = form_urlencoded::parse(query.as_bytes())
            .any(|(name, _)| OTHER_OPERATIONS.contains(&name.as_ref()));
        if other {
            return false;
        }
        let Some(target) = self.target(uri, headers) else {
            return false;
        };
        extensions.insert(target);
        true
    }

    async fn check_access(&self, request: &mut S3Request<Body>) -> S3Result<()> {
        let target = request.extensions.get::<Target>();
        if let Some(target) = target {
            self.access.admit_on_terms(&target.bucket, &request.headers)?;
        }
        if let Some(keys) = &request.credentials {
            self.access.admit(&keys.access_key, &request.uri, &request.headers)?;
            return target.map_or(Ok(()), |target| self.access.admit_to(&keys.access_key, &target.key));
        }
        match target {
            Some(target) if self.access.public_buckets.contains(&target.bucket) => Ok(()),
            _ => Err(access_denied()),
        }
    }

    async fn call(&self, request: S3Request<Body>) -> S3Result<S3Response<Body>> {
        let target = request.extensions.get::<Target>().cloned().ok_or_else(|| s3_error!(InternalError))?;
        self.store.admit(&target.bucket, &target.key).await?;
        let may_list =
            request.credentials.as_ref().is_some_and(|keys| self.access.may_list(&keys.access_key));
        match self.read(&target, &request).await {
            // A client that may not list a bucket must not learn which keys are missing.
            Err(error) if !may_list && *error.code() == S3ErrorCode::NoSuchKey => Err(access_denied()),
            other => other,
        }
    }
}

impl Reads {
    fn target(&self, uri: &Uri, headers: &HeaderMap) -> Option<Target> {
        let host = headers.get(HOST).and_then(|host| host.to_str().ok());
        let bucket = host.and_then(|host| self.domains.bucket(host));
        let path = percent_decode_str(uri.path()).decode_utf8().ok()?;
        match parse_virtual_hosted_style(bucket.as_deref(), &path).ok()? {
            S3Path::Object { bucket, key } => Some(Target { bucket: bucket.into(), key: key.into() }),
            S3Path::Root | S3Path::Bucket { .. } => None,
        }
    }

    async fn read(&self, target: &Target, request: &S3Request<Body>) -> S3Result<S3Response<Body>> {
        let query: HashMap<_, _> =
            form_urlencoded::parse(request.uri.query().unwrap_or_default().as_bytes()).collect();
        let version_id = query.get("versionId").map(AsRef::as_ref);
        let found = self.store.find(&target.bucket, &target.key, version_id)?;
        customer_key::check_read(&request.headers, &found.object.headers)?;
        let opened = Opened::open(&found).await.map_err(missing_file)?;

        let mut headers = HeaderMap::new();
        identify(&mut headers, &found, &opened.facts);
        match evaluate(&request.headers, &opened.facts) {
            Verdict::Proceed => {}
            Verdict::Failed => return Err(precondition_failed()),
            Verdict::NotModified => {
                // RFC 9110 §15.4.5: the fields that a cache may need to update its stored response.
                for name in [CACHE_CONTROL, EXPIRES] {
                    if let Some(value) = found.object.headers.get(&name) {
                        headers.insert(name, value.clone());
                    }
                }
                return Ok(response(StatusCode::NOT_MODIFIED, headers, Body::empty()));
            }
        }

        let part = query.get("partNumber").map(AsRef::as_ref);
        let selection = selection(&found, &opened.facts, &request.headers, part)?;
        let (status, first, len) = match selection {
            Selection::Whole => (StatusCode::OK, 0, opened.facts.len),
            Selection::Part { first, last } => {
                let range = format!("bytes {first}-{last}/{}", opened.facts.len);
                insert(&mut headers, CONTENT_RANGE, range);
                (StatusCode::PARTIAL_CONTENT, first, last - first + 1)
            }
            Selection::Unsatisfiable => return Err(unsatisfiable(opened.facts.len)),
        };

        describe(&mut headers, &found, &request.headers, selection);
        for (name, header) in &OVERRIDES {
            let Some(value) = query.get(*name) else {
                continue;
            };
            if request.credentials.is_none() {
                return Err(s3_error!(
                    InvalidRequest,
                    "Request specific response headers cannot be used for anonymous GET requests."
                ));
            }
            insert(&mut headers, header.clone(), value.as_ref());
        }
        headers.insert(CONTENT_LENGTH, HeaderValue::from(len));
        if part.is_some() && !found.object.parts.is_empty() {
            headers.insert(PARTS_COUNT, HeaderValue::from(found.object.parts.len()));
        }

        if request.method == Method::HEAD {
            return Ok(response(status, headers, Body::empty()));
        }
        let body = opened
            .body(first, len)
            .await
            .map_err(S3Error::internal_error)?
            .break_off_after(self.store.take_break_off(&target.bucket, &target.key));
        Ok(response(status, headers, Body::http_body(body)))
    }
}

/// An object ready to be read, with facts that fit what will be read.
#[derive(Debug)]
struct Opened {
    facts: Facts,
    source: Source,
}

#[derive(Debug)]
enum Source {
    Memory(Bytes),
    File(File),
}

// === impl Opened ===

impl Opened {
    async fn open(found: &Found) -> io::Result<Self> {
        match &found.object.content {
            Content::Memory { bytes, .. } => {
                Ok(Self { facts: found.object.facts(found.modified)?, source: Source::Memory(bytes.clone()) })
            }
            Content::File(path) => {
                let file = File::open(path).await?;
                Ok(Self { facts: Facts::of_file(&file.metadata().await?)?, source: Source::File(file) })
            }
        }
    }

    async fn body(self, first: u64, len: u64) -> io::Result<ObjectBody> {
        match self.source {
            Source::Memory(bytes) => {
                let first = usize::try_from(first).map_err(io::Error::other)?;
                let len = usize::try_from(len).map_err(io::Error::other)?;
                Ok(ObjectBody::memory(bytes.slice(first..first + len)))
            }
            Source::File(mut file) => {
                file.seek(io::SeekFrom::Start(first)).await?;
                Ok(ObjectBody::file(file, len))
            }
        }
    }
}

fn selection(found: &Found, facts: &Facts, headers: &HeaderMap, part: Option<&str>) -> S3Result<Selection> {
    let Some(part) = part else {
        return Ok(match range_stands(headers, facts) {
            true => select(headers, facts.len),
            false => Selection::Whole,
        });
    };
    if headers.contains_key(RANGE) {
        return Err(s3_error!(
            InvalidRequest,
            "Cannot specify both Range header and partNumber query parameter"
        ));
    }
    let number: usize =
        part.parse().ok().filter(|number| (1..=10_000).contains(number)).ok_or_else(|| {
            s3_error!(InvalidArgument, "Part number must be an integer between 1 and 10000, inclusive")
        })?;
    let whole = [facts.len];
    let parts = match found.object.parts.as_slice() {
        [] => &whole[..],
        parts => parts,
    };
    let Some(len) = parts.get(number - 1) else {
        let mut error = S3Error::new(S3ErrorCode::Custom("InvalidPartNumber".into()));
        error.set_status_code(StatusCode::RANGE_NOT_SATISFIABLE);
        return Err(error);
    };
    let first: u64 = parts.iter().take(number - 1).sum();
    Ok(match (first + len).checked_sub(1) {
        Some(last) => Selection::Part { first, last },
        None => Selection::Whole,
    })
}

/// The headers of every response about an object, including 304.
fn identify(headers: &mut HeaderMap, found: &Found, facts: &Facts) {
    insert(headers, ETAG, quoted(&facts.etag));
    insert(headers, LAST_MODIFIED, httpdate::fmt_http_date(facts.modified));
    if let Some(id) = &found.version_id {
        insert(headers, VERSION_ID, id.as_str());
    }
}

/// The headers of a response with a body.
fn describe(headers: &mut HeaderMap, found: &Found, request: &HeaderMap, selection: Selection) {
    let with_checksums = selection == Selection::Whole
        && request.get(CHECKSUM_MODE).is_some_and(|mode| mode.as_bytes().eq_ignore_ascii_case(b"ENABLED"));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if !found.object.headers.contains_key(customer_key::KEY_MD5) {
        headers.insert(ENCRYPTION, HeaderValue::from_static("AES256"));
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("binary/octet-stream"));
    for name in found.object.headers.keys() {
        if CHECKSUMS.contains(name) && !with_checksums {
            continue;
        }
        headers.remove(name);
        for value in found.object.headers.get_all(name) {
            headers.append(name, value.clone());
        }
    }
}

fn insert<V>(headers: &mut HeaderMap, name: HeaderName, value: V)
where
    HeaderValue: TryFrom<V>,
{
    if let Ok(value) = HeaderValue::try_from(value) {
        headers.insert(name, value);
    }
}

fn response(status: StatusCode, headers: HeaderMap, body: Body) -> S3Response<Body> {
    let mut response = S3Response::with_status(body, status);
    response.headers = headers;
    response
}

fn access_denied() -> S3Error {
    s3_error!(AccessDenied, "Access Denied")
}

fn unsatisfiable(len: u64) -> S3Error {
    let mut headers = error_headers();
    insert(&mut headers, CONTENT_RANGE, format!("bytes */{len}"));
    let mut error = s3_error!(InvalidRange, "The requested range is not satisfiable");
    error.set_headers(headers);
    error
}

fn missing_file(error: io::Error) -> S3Error {
    match error.kind() {
        io::ErrorKind::NotFound => s3_error!(NoSuchKey, "The specified key does not exist."),
        _ => S3Error::internal_error(error),
    }
}
