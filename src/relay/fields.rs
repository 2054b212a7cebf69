use http::{
    HeaderMap, HeaderName, Method, StatusCode,
    header::{
        AUTHORIZATION, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE,
        CONTENT_LENGTH, CONTENT_TYPE, COOKIE, EXPECT, EXPIRES, HOST, IF_MATCH, IF_MODIFIED_SINCE,
        IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE, SET_COOKIE,
    },
};

use crate::{
    origin::{is_nominated, is_of_connection},
    request::{ReadMethod, Signature},
};

/// The fields of a client's request that go to S3: those that its signature covers, and those that describe the message. Of
/// version 2 the signature covers all `x-amz-` fields.
///
/// S3 refuses `x-amz-` fields that are not signed, and nothing else of a visitor is its business: cookies, say.
pub(super) fn to_s3(method: &Method, client: &HeaderMap, signature: &Signature) -> HeaderMap {
    let is_read = ReadMethod::try_from(method).is_ok();
    let mut fields = HeaderMap::with_capacity(8);
    for (name, value) in client {
        let is_signed = match signature {
            Signature::V4 { signed_fields, .. } => signed_fields.contains(name),
            Signature::V2 => name.as_str().starts_with("x-amz-"),
        };
        let describes =
            if is_read { OF_READS.contains(name) } else { OF_WRITES.contains(name) || name == CONTENT_MD5 };
        // A read goes on without a body.
        let announces_body = is_read && name == CONTENT_LENGTH && value != "0";
        if (is_signed || describes) && !announces_body && !is_kept_back(name, client) {
            fields.append(name, value.clone());
        }
    }
    fields
}

/// Whether the request would copy an object, of whichever bucket, by a field of its own.
pub(super) fn copies(client: &HeaderMap) -> bool {
    client.keys().any(|name| name.as_str().starts_with("x-amz-copy-source"))
}

fn is_kept_back(name: &HeaderName, client: &HeaderMap) -> bool {
    // The server has answered `Expect` itself.
    [HOST, EXPECT, AUTHORIZATION, COOKIE].contains(name)
        || is_of_connection(name)
        || is_nominated(name, client)
}

/// The fields of S3's response that the client gets: all that are for it. S3's own CORS fields give way to the mount's.
pub(super) fn to_client(s3: &HeaderMap, has_cors: bool) -> HeaderMap {
    let is_for_client = |name: &HeaderName| {
        let is_of_cors = has_cors && name.as_str().starts_with("access-control-");
        // The cookies of this host are not S3's to set.
        !(is_of_connection(name) || is_nominated(name, s3) || is_of_cors || name == SET_COOKIE)
    };
    let fields = s3.iter().filter(|(name, _)| is_for_client(name));
    fields.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// Whether a response would lead the client to S3's own host, or past the proxy.
pub(super) fn leads_away(status: StatusCode) -> bool {
    status.is_redirection() && status != StatusCode::NOT_MODIFIED
}

const OF_READS: [HeaderName; 6] =
    [RANGE, IF_MATCH, IF_NONE_MATCH, IF_MODIFIED_SINCE, IF_UNMODIFIED_SINCE, IF_RANGE];

/// Those of an object, beside `Content-MD5` and the conditions of S3's [conditional
/// writes](https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html).
const OF_WRITES: [HeaderName; 9] = [
    CONTENT_LENGTH,
    CONTENT_TYPE,
    CONTENT_ENCODING,
    CONTENT_LANGUAGE,
    CONTENT_DISPOSITION,
    CACHE_CONTROL,
    EXPIRES,
    IF_MATCH,
    IF_NONE_MATCH,
];

const CONTENT_MD5: HeaderName = HeaderName::from_static("content-md5");

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn fields(names: &[&'static str]) -> HeaderMap {
        names.iter().map(|name| (HeaderName::from_static(name), HeaderValue::from_static("1"))).collect()
    }

    fn names(fields: &HeaderMap) -> Vec<&str> {
        let mut names: Vec<_> = fields.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn signed_fields_and_those_of_the_message_go_to_s3() {
        let client = fields(&[
            "host",
            "range",
            "cookie",
            "authorization",
            "expect",
            "x-amz-meta-a",
            "x-amz-acl",
            "content-type",
            "content-length",
            "content-md5",
            "cache-control",
            "user-agent",
            "origin",
            "te",
        ]);
        let signed = |names: &[&'static str]| Signature::V4 {
            region: "us-west-2".to_owned(),
            service: "s3".to_owned(),
            signed_fields: names.iter().map(|name| HeaderName::from_static(name)).collect(),
        };
        let of_a_write = ["cache-control", "content-length", "content-md5", "content-type"];
        for (method, signature, expected) in [
            (Method::GET, signed(&["host"]), vec!["range"]),
            (Method::GET, signed(&["host", "x-amz-meta-a"]), vec!["range", "x-amz-meta-a"]),
            (Method::GET, signed(&["host", "cookie", "authorization", "te"]), vec!["range"]),
            (Method::PUT, signed(&["host"]), of_a_write.to_vec()),
            (Method::PUT, signed(&["host", "x-amz-acl"]), [&of_a_write[..], &["x-amz-acl"]].concat()),
            (Method::PUT, Signature::V2, [&of_a_write[..], &["x-amz-acl", "x-amz-meta-a"]].concat()),
        ] {
            assert_eq!(names(&to_s3(&method, &client, &signature)), expected, "{method} {signature:?}");
        }
    }

    #[test]
    fn what_s3_says_goes_to_the_client_but_what_is_for_the_connection() {
        let s3 = fields(&[
            "etag",
            "set-cookie",
            "x-amz-request-id",
            "connection",
            "transfer-encoding",
            "access-control-allow-origin",
        ]);
        assert_eq!(names(&to_client(&s3, true)), ["etag", "x-amz-request-id"]);
        assert_eq!(
            names(&to_client(&s3, false)),
            ["access-control-allow-origin", "etag", "x-amz-request-id"]
        );
    }
}
