//! Links that are signed by version 2, which boto3 makes for most endpoints unless it is told otherwise.
//!
//! Follows ["Signing and authenticating REST
//! requests"](https://docs.aws.amazon.com/AmazonS3/latest/API/RESTAuthentication.html). `s3s` checks them as well, and when they
//! expire; it does not compare their signatures in constant time.

use aws_smithy_types::base64;
use http::{
    HeaderMap, HeaderName, HeaderValue, Uri,
    header::{CONTENT_ENCODING, CONTENT_TYPE},
    request::Parts,
    uri::PathAndQuery,
};
use ring::hmac;
use s3s::{S3ErrorCode, S3Result};

use super::strict::{PREFIX, parameters, refused};

/// Refuses a link whose signature is not one by this secret. The path of a bucket gets the slash that it is signed with.
pub(super) fn verify(head: &mut Parts, secret: &str) -> S3Result<()> {
    let query = Query::of(head.uri.query().unwrap_or_default())?;
    refuse_chunks(&head.headers)?;
    end_bucket(&mut head.uri);
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret.as_bytes());
    let signature = base64::decode(&query.signature).unwrap_or_default();
    hmac::verify(&key, string_to_sign(head, &query).as_bytes(), &signature).map_err(|_| {
        refused(S3ErrorCode::SignatureDoesNotMatch, "the signature is not one of this request by this key")
    })
}

/// The parameters of a link.
struct Query {
    expires: String,
    signature: String,
    /// Those that are signed, in the order in which they are, with their values decoded.
    resources: Vec<(String, String)>,
}

// === impl Query ===

impl Query {
    fn of(query: &str) -> S3Result<Self> {
        let mut resources: Vec<_> =
            parameters(query).filter(|(name, _)| RESOURCES.contains(&name.as_str())).collect();
        resources.sort();
        Ok(Self { expires: once(query, "Expires")?, signature: once(query, "Signature")?, resources })
    }
}

/// The one value of a parameter.
fn once(query: &str, name: &str) -> S3Result<String> {
    let mut values = parameters(query).filter(|(known, _)| known == name).map(|(_, value)| value);
    match (values.next(), values.next()) {
        (Some(value), None) => Ok(value),
        _ => Err(refused(
            S3ErrorCode::AccessDenied,
            "a link of version 2 needs AWSAccessKeyId, Expires and Signature, once each",
        )),
    }
}

/// The framing of bodies, and their signed digests, came with version 4: with version 2, the frames would become part of the
/// object.
fn refuse_chunks(headers: &HeaderMap) -> S3Result<()> {
    let is_chunked = |value: &HeaderValue| {
        let codings = value.as_bytes().split(|byte| *byte == b',');
        codings.into_iter().any(|coding| coding.trim_ascii().eq_ignore_ascii_case(b"aws-chunked"))
    };
    let is_of_4 = OF_VERSION_4.iter().any(|name| headers.contains_key(*name));
    if is_of_4 || headers.get_all(CONTENT_ENCODING).iter().any(is_chunked) {
        return Err(refused(
            S3ErrorCode::InvalidRequest,
            "the body is in the form of version 4, the signature is of version 2",
        ));
    }
    Ok(())
}

/// boto3 signs `/bucket/` and sends `/bucket`.
fn end_bucket(uri: &mut Uri) {
    let is_bucket = uri.path().len() > 1 && !uri.path().trim_start_matches('/').contains('/');
    let query = uri.query().unwrap_or_default();
    let ended = is_bucket.then(|| format!("{}/?{query}", uri.path()));
    if let Some(ended) = ended.and_then(|ended| PathAndQuery::try_from(ended).ok()) {
        let mut parts = std::mem::take(uri).into_parts();
        parts.path_and_query = Some(ended);
        *uri = Uri::from_parts(parts).unwrap_or_default();
    }
}

fn string_to_sign(head: &Parts, query: &Query) -> String {
    let text = |name: HeaderName| field(&head.headers, &name);
    let method = head.method.as_str();
    let (digest, content_type) = (text(CONTENT_MD5), text(CONTENT_TYPE));
    let mut signed = format!("{method}\n{digest}\n{content_type}\n{}\n", query.expires);
    let mut names: Vec<_> = head.headers.keys().filter(|name| name.as_str().starts_with(PREFIX)).collect();
    names.sort_by_key(|name| name.as_str());
    for name in names {
        signed.extend([name.as_str(), ":", &field(&head.headers, name), "\n"]);
    }
    signed.push_str(head.uri.path());
    for (place, (name, value)) in query.resources.iter().enumerate() {
        signed.push(if place == 0 { '?' } else { '&' });
        signed.push_str(name);
        if !value.is_empty() {
            signed.extend(["=", value]);
        }
    }
    signed
}

/// The lines of a field, joined by commas.
fn field(headers: &HeaderMap, name: &HeaderName) -> String {
    let lines = headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
    lines.map(|line| line.trim().to_owned()).collect::<Vec<_>>().join(",")
}

const CONTENT_MD5: HeaderName = HeaderName::from_static("content-md5");

const OF_VERSION_4: [&str; 3] = ["x-amz-content-sha256", "x-amz-decoded-content-length", "x-amz-trailer"];

/// Parameters that are part of the resource. Of most, the operation is not served, but with a signature that is wrong, the client
/// should not read that.
const RESOURCES: [&str; 35] = [
    "accelerate",
    "acl",
    "analytics",
    "cors",
    "defaultObjectAcl",
    "delete",
    "inventory",
    "lifecycle",
    "location",
    "logging",
    "metrics",
    "notification",
    "object-lock",
    "partNumber",
    "policy",
    "replication",
    "requestPayment",
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
    "restore",
    "select",
    "select-type",
    "storageClass",
    "tagging",
    "torrent",
    "uploadId",
    "uploads",
    "versionId",
    "versioning",
    "versions",
    "website",
];

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    /// Of the documentation's examples.
    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    /// Its "Object GET", with the date in the place of the time of expiry, where the string to sign has it.
    const LINK: &str = "/awsexamplebucket1/photos/puppy.jpg?AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Expires=Tue%2C%2027%20Mar%202007%2019%3A36%3A42%20%2B0000&Signature=qgk2%2B6Sv9/oM7G3qLEjTH1a1l1g%3D";

    fn head(method: &str, uri: &str, fields: &[(&str, &str)]) -> Parts {
        let request = Request::builder().method(method).uri(uri);
        let request = fields.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn a_signature_is_of_the_method_the_fields_and_the_resource() {
        let others = [
            LINK.replace("puppy", "pupil"),
            LINK.replace("2007", "2008"),
            LINK.replace("qgk", "Qgk"),
            format!("{LINK}&uploads"),
            format!("{LINK}&response-content-type=a"),
        ];
        let malformed = [format!("{LINK}&Expires=1"), LINK.replace("&Signature", "&Sig")];
        let rows =
            [("GET", LINK.to_owned(), None, "ok"), ("HEAD", LINK.to_owned(), None, "SignatureDoesNotMatch")];
        let rows = rows.into_iter().chain([
            ("GET", format!("{LINK}&x-id=GetObject"), None, "ok"),
            ("GET", LINK.to_owned(), Some(("range", "bytes=0-1")), "ok"),
            ("GET", LINK.to_owned(), Some(("content-type", "a/b")), "SignatureDoesNotMatch"),
            ("GET", LINK.to_owned(), Some(("x-amz-acl", "private")), "SignatureDoesNotMatch"),
            ("GET", LINK.to_owned(), Some(("content-encoding", "gzip, AWS-Chunked")), "InvalidRequest"),
            ("GET", LINK.to_owned(), Some(("x-amz-content-sha256", "UNSIGNED-PAYLOAD")), "InvalidRequest"),
        ]);
        let rows = rows.chain(others.map(|uri| ("GET", uri, None, "SignatureDoesNotMatch")));
        for (method, uri, field, expected) in
            rows.chain(malformed.map(|uri| ("GET", uri, None, "AccessDenied")))
        {
            let told = verify(&mut head(method, &uri, field.as_slice()), SECRET);
            let told = told.map_or_else(|why| why.code().as_str().to_owned(), |()| "ok".to_owned());
            assert_eq!(told, expected, "{method} {uri} {field:?}");
        }
        assert!(verify(&mut head("GET", LINK, &[]), "another").is_err());
    }

    #[test]
    fn the_path_of_a_bucket_ends_with_a_slash() {
        for (uri, ended) in [
            ("/media?prefix=a", "/media/?prefix=a"),
            ("http://h/media?a", "http://h/media/?a"),
            ("/media/?a", "/media/?a"),
            ("/media/key?a", "/media/key?a"),
            ("/?a", "/?a"),
        ] {
            let mut uri: Uri = uri.parse().unwrap();
            end_bucket(&mut uri);
            assert_eq!(uri, ended);
        }
    }

    #[test]
    fn what_is_signed_is_in_its_order() {
        let uri = "/b/k?versionId=v&Expires=9&uploadId=a%2Bb&uploads&Signature=x&other=1";
        let fields =
            [("x-amz-meta-b", " 2 "), ("x-amz-meta-a", "1"), ("x-amz-meta-a", "3"), ("content-md5", "d")];
        let head = head("PUT", uri, &fields);
        let query = Query::of(head.uri.query().unwrap()).unwrap();
        let expected = "PUT\nd\n\n9\nx-amz-meta-a:1,3\nx-amz-meta-b:2\n/b/k?uploadId=a+b&uploads&versionId=v";
        assert_eq!(string_to_sign(&head, &query), expected);
    }
}
