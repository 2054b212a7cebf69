//! What a signature must cover, and what `s3s` does not look at.

use http::{
    HeaderMap, HeaderName, HeaderValue, Method,
    header::{AUTHORIZATION, CONTENT_TYPE, HOST},
    request::Parts,
};
use percent_encoding::percent_decode_str;
use s3s::{S3Error, S3ErrorCode, S3Result};

use crate::clients::Mechanism;

/// Refuses what S3 refuses before it computes a signature, and moves the fields that a link has in its query to where they
/// would be otherwise.
pub(super) fn check(head: &mut Parts, mechanism: Mechanism) -> S3Result<()> {
    match mechanism {
        Mechanism::Field => check_scope(&head.headers, &of_field(&head.headers)?, mechanism)?,
        Mechanism::Query => {
            let signed = of_query(query(head))?;
            check_scope(&head.headers, &signed, mechanism)?;
        }
        // It covers the host by the path, and every field x-amz-* that there is.
        Mechanism::QueryV2 => {}
        Mechanism::Both => {
            return Err(refused(
                S3ErrorCode::InvalidArgument,
                "only one mechanism of authentication is allowed",
            ));
        }
        Mechanism::FieldV2 => {
            let message = "the mechanism of authentication is not supported: use AWS4-HMAC-SHA256";
            return Err(refused(S3ErrorCode::InvalidRequest, message));
        }
    }
    let has_token = parameters(query(head)).any(|(name, _)| name.eq_ignore_ascii_case(TOKEN));
    if has_token || head.headers.contains_key(TOKEN) {
        return Err(refused(S3ErrorCode::InvalidToken, "the keys of this server have no session token"));
    }
    if let Some(name) = foreign_parameter(head, mechanism) {
        tracing::debug!(name, "an operation that is not served, by a parameter of its query");
        return Err(refused(S3ErrorCode::NotImplemented, "a parameter of the query is not served here"));
    }
    if is_form(head) {
        return Err(refused(S3ErrorCode::NotImplemented, "uploads by HTML forms are not served here"));
    }
    if matches!(mechanism, Mechanism::Query | Mechanism::QueryV2) {
        let query = query(head).to_owned();
        move_fields(&query, &mut head.headers, mechanism)?;
    }
    Ok(())
}

/// What version 4 must cover.
fn check_scope(headers: &HeaderMap, signed: &SignedParts, mechanism: Mechanism) -> S3Result<()> {
    if signed.service != "s3" {
        return Err(refused(
            S3ErrorCode::SignatureDoesNotMatch,
            "the scope of the credential is of another service",
        ));
    }
    if !signed.fields.iter().any(|name| name == HOST.as_str()) {
        return Err(refused(S3ErrorCode::AccessDenied, "the signature must cover the field Host"));
    }
    // Whoever has a link, or sees a request, could make another one of it: an upload becomes a copy by `x-amz-copy-source`
    // ("Create a signed AWS API request" of the IAM user guide: all fields x-amz-*).
    let is_uncovered = |name: &HeaderName| {
        name.as_str().starts_with(PREFIX)
            && !signed.fields.iter().any(|covered| covered == name.as_str())
            // Of a link, it only restricts the body further.
            && !(mechanism == Mechanism::Query && name.as_str() == CONTENT_SHA256)
    };
    if headers.keys().any(is_uncovered) {
        return Err(refused(
            S3ErrorCode::AccessDenied,
            "there are fields x-amz-* that the signature does not cover",
        ));
    }
    Ok(())
}

fn query(head: &Parts) -> &str {
    head.uri.query().unwrap_or_default()
}

/// What a request says about its signature.
struct SignedParts {
    /// In lower case.
    fields: Vec<String>,
    service: String,
}

fn of_field(headers: &HeaderMap) -> S3Result<SignedParts> {
    let malformed =
        || refused(S3ErrorCode::AuthorizationHeaderMalformed, "the field Authorization is malformed");
    let mut lines = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (lines.next(), lines.next()) else { return Err(malformed()) };
    let value = value.to_str().map_err(|_| malformed())?;
    let part = |name| value.split([' ', ',']).find_map(|part| part.strip_prefix(name)).ok_or_else(malformed);
    let (credential, fields) = (part("Credential=")?, part("SignedHeaders=")?);
    Ok(SignedParts { fields: names(fields), service: service(credential).to_owned() })
}

fn of_query(query: &str) -> S3Result<SignedParts> {
    let malformed = |message| refused(S3ErrorCode::AuthorizationQueryParametersError, message);
    let (mut fields, mut credential, mut expires) = (None, None, None);
    for (name, value) in parameters(query) {
        match name.as_str() {
            "X-Amz-SignedHeaders" => fields = Some(value),
            "X-Amz-Credential" => credential = Some(value),
            "X-Amz-Expires" => expires = Some(value),
            // Of version 2: `s3s` would check that one.
            "Signature" => {
                return Err(malformed("the query has the parameters of two versions of signatures"));
            }
            _ => {}
        }
    }
    let missing = "the query of a link needs X-Amz-Credential, X-Amz-SignedHeaders and X-Amz-Expires";
    let (Some(fields), Some(credential), Some(expires)) = (fields, credential, expires) else {
        return Err(malformed(missing));
    };
    if !expires.parse().is_ok_and(|seconds: u32| (1..=LONGEST).contains(&seconds)) {
        return Err(malformed("X-Amz-Expires must be 1 to 604800 seconds"));
    }
    Ok(SignedParts { fields: names(&fields), service: service(&credential).to_owned() })
}

/// In seconds: a week ("Authenticating Requests: Using Query Parameters" of the S3 API).
const LONGEST: u32 = 7 * 24 * 60 * 60;

pub(super) const PREFIX: &str = "x-amz-";
const CONTENT_SHA256: &str = "x-amz-content-sha256";
const TOKEN: &str = "x-amz-security-token";

fn names(fields: &str) -> Vec<String> {
    fields.split(';').map(str::to_ascii_lowercase).collect()
}

/// `KEY/DATE/REGION/SERVICE/aws4_request`.
fn service(credential: &str) -> &str {
    credential.rsplit('/').nth(1).unwrap_or_default()
}

/// A parameter that makes another operation of a write than those which are served. `s3s` takes what it does not know for the
/// write of a whole object.
fn foreign_parameter(head: &Parts, mechanism: Mechanism) -> Option<String> {
    let of_method: &[&str] = match head.method {
        Method::PUT => &["uploadId", "partNumber"],
        Method::DELETE => &["uploadId", "versionId"],
        Method::POST => &["uploads", "uploadId", "delete"],
        _ => return None,
    };
    let names = parameters(query(head)).map(|(name, _)| name);
    let names: Vec<_> = names.filter(|name| !name.is_empty()).collect();
    let is_half_a_part = head.method == Method::PUT
        && names.iter().any(|name| name == "uploadId") != names.iter().any(|name| name == "partNumber");
    let is_served = |name: &String| {
        // Of a signature, hoisted fields included, and what SDKs write for logs.
        let is_of_all = name == "x-id" || name.to_ascii_lowercase().starts_with(PREFIX);
        let is_of_link = mechanism == Mechanism::QueryV2 && OF_VERSION_2.contains(&name.as_str());
        is_of_all || is_of_link || of_method.contains(&name.as_str())
    };
    let half = is_half_a_part.then(|| "uploadId".to_owned());
    names.into_iter().find(|name| !is_served(name)).or(half)
}

fn is_form(head: &Parts) -> bool {
    let is_form = |value: &HeaderValue| {
        let value = value.as_bytes().trim_ascii_start();
        value.get(..FORM.len()).is_some_and(|start| start.eq_ignore_ascii_case(FORM))
    };
    head.method == Method::POST && head.headers.get_all(CONTENT_TYPE).iter().any(is_form)
}

const FORM: &[u8] = b"multipart/";

/// Some SDKs put the fields `x-amz-*` of a link into its query (hoisting), where S3 takes them as if they were fields; with
/// version 2, the type and the digest of the body, too.
fn move_fields(query: &str, headers: &mut HeaderMap, mechanism: Mechanism) -> S3Result<()> {
    for (name, value) in parameters(query) {
        let name = name.to_ascii_lowercase();
        let is_of_body = mechanism == Mechanism::QueryV2 && OF_THE_BODY.contains(&name.as_str());
        if is_of_body && headers.contains_key(&name) {
            continue;
        }
        if !is_of_body && (!name.starts_with(PREFIX) || OF_THE_LINK.contains(&name.as_str())) {
            continue;
        }
        let field = HeaderName::try_from(&name).ok().zip(HeaderValue::try_from(&value).ok());
        let Some((name, value)) = field else {
            return Err(refused(
                S3ErrorCode::InvalidArgument,
                "a parameter x-amz-* of the query is malformed",
            ));
        };
        if headers.insert(name, value.clone()).is_some_and(|other| other != value) {
            return Err(refused(
                S3ErrorCode::InvalidArgument,
                "a field x-amz-* is in the query, with another value",
            ));
        }
    }
    Ok(())
}

const OF_THE_LINK: [&str; 7] = [
    "x-amz-algorithm",
    "x-amz-content-sha256",
    "x-amz-credential",
    "x-amz-date",
    "x-amz-expires",
    "x-amz-signature",
    "x-amz-signedheaders",
];

/// Parameters of a link of version 2.
const OF_VERSION_2: [&str; 5] = ["AWSAccessKeyId", "Expires", "Signature", "content-md5", "content-type"];
const OF_THE_BODY: [&str; 2] = ["content-md5", "content-type"];

/// The parameters of a query, decoded.
pub(super) fn parameters(query: &str) -> impl Iterator<Item = (String, String)> {
    let decoded = |text| percent_decode_str(text).decode_utf8_lossy().into_owned();
    query.split('&').map(move |pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(name), decoded(value))
    })
}

pub(super) fn refused(code: S3ErrorCode, message: &'static str) -> S3Error {
    S3Error::with_message(code, message)
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn head(method: &str, uri: &str, fields: &[(&str, &str)]) -> Parts {
        let request = Request::builder().method(method).uri(uri);
        let request = fields.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        request.body(()).unwrap().into_parts().0
    }

    /// `ok`, or the code of the refusal.
    fn told(mut head: Parts, mechanism: Mechanism) -> String {
        check(&mut head, mechanism).map_or_else(|why| why.code().as_str().to_owned(), |()| "ok".to_owned())
    }

    fn authorization(service: &str, fields: &str) -> String {
        format!(
            "AWS4-HMAC-SHA256 Credential=K/20260101/r/{service}/aws4_request, SignedHeaders={fields}, Signature=0"
        )
    }

    #[test]
    fn a_signature_in_a_field_covers_host_and_every_field_of_amazon() {
        const COPY: (&str, &str) = ("x-amz-copy-source", "media/a");
        for (service, fields, more, expected) in [
            ("s3", "host;x-amz-date", vec![], "ok"),
            ("s3", "Host;X-Amz-Date", vec![], "ok"),
            ("s3", "host;x-amz-date", vec![("range", "bytes=0-1")], "ok"),
            ("s3", "x-amz-date", vec![], "AccessDenied"),
            ("s3", "host", vec![], "AccessDenied"),
            ("s3", "host;x-amz-date", vec![COPY], "AccessDenied"),
            ("s3", "host;x-amz-copy-source;x-amz-date", vec![COPY], "ok"),
            ("s3", "host;x-amz-date", vec![("x-amz-content-sha256", "UNSIGNED-PAYLOAD")], "AccessDenied"),
            (
                "s3",
                "host;x-amz-date;x-amz-security-token",
                vec![("x-amz-security-token", "t")],
                "InvalidToken",
            ),
            ("sts", "host;x-amz-date", vec![], "SignatureDoesNotMatch"),
            (
                "s3",
                "host;x-amz-date",
                vec![("authorization", "AWS4-HMAC-SHA256")],
                "AuthorizationHeaderMalformed",
            ),
            (
                "s3",
                "host;x-amz-date",
                vec![("content-type", " Multipart/Form-Data; boundary=a")],
                "NotImplemented",
            ),
        ] {
            let field = authorization(service, fields);
            let mut all = vec![("host", "h"), ("x-amz-date", "d"), ("authorization", field.as_str())];
            all.extend(more);
            assert_eq!(told(head("POST", "/media/a", &all), Mechanism::Field), expected, "{all:?}");
        }
    }

    #[test]
    fn a_link_covers_host_and_lasts_a_week_at_most() {
        const SCOPE: &str = "X-Amz-Credential=K%2F20260101%2Fr%2Fs3%2Faws4_request";
        for (query, field, expected) in [
            ("X-Amz-Expires=604800&X-Amz-SignedHeaders=host", None, "ok"),
            ("X-Amz-Expires=604801&X-Amz-SignedHeaders=host", None, "AuthorizationQueryParametersError"),
            ("X-Amz-Expires=0&X-Amz-SignedHeaders=host", None, "AuthorizationQueryParametersError"),
            ("X-Amz-Expires=-1&X-Amz-SignedHeaders=host", None, "AuthorizationQueryParametersError"),
            ("X-Amz-SignedHeaders=host", None, "AuthorizationQueryParametersError"),
            ("X-Amz-Expires=9&X-Amz-SignedHeaders=range", None, "AccessDenied"),
            ("X-Amz-Expires=9&X-Amz-SignedHeaders=host", Some("x-amz-acl"), "AccessDenied"),
            ("X-Amz-Expires=9&X-Amz-SignedHeaders=host", Some("x-amz-content-sha256"), "ok"),
            ("X-Amz-Expires=9&X-Amz-SignedHeaders=host%3Bx-amz-acl", Some("x-amz-acl"), "ok"),
            ("X-Amz-Expires=9&X-Amz-SignedHeaders=host&x-amz-acl=a&X-Amz-Acl=b", None, "InvalidArgument"),
            (
                "X-Amz-Expires=9&X-Amz-SignedHeaders=host&Signature=0",
                None,
                "AuthorizationQueryParametersError",
            ),
            ("X-Amz-Expires=9&X-Amz-SignedHeaders=host&X-Amz-Security-Token=t", None, "InvalidToken"),
        ] {
            let uri = format!("/media/a?{SCOPE}&{query}");
            let fields: Vec<_> = field.map(|name| (name, "x")).into_iter().collect();
            assert_eq!(told(head("PUT", &uri, &fields), Mechanism::Query), expected, "{query} {field:?}");
        }
        assert_eq!(told(head("GET", "/media/a", &[]), Mechanism::Both), "InvalidArgument");
        assert_eq!(told(head("GET", "/media/a", &[]), Mechanism::FieldV2), "InvalidRequest");
    }

    #[test]
    fn fields_in_the_query_of_a_link_become_fields() {
        let uri = "/media/a?X-Amz-Credential=K%2F1%2Fr%2Fs3%2Faws4_request&X-Amz-Expires=9&X-Amz-SignedHeaders=host&X-Amz-Date=d&x-amz-checksum-crc32=AAAA%3D%3D&X-Amz-Meta-A=1";
        let mut head = head("PUT", uri, &[("host", "h")]);
        check(&mut head, Mechanism::Query).unwrap();
        assert_eq!(head.headers["x-amz-checksum-crc32"], "AAAA==");
        assert_eq!(head.headers["x-amz-meta-a"], "1");
        assert!(!head.headers.contains_key("x-amz-date"));
    }
}
