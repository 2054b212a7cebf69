use http::HeaderValue;

use super::*;
use crate::diagnosis::context::Server;

fn facts() -> Facts {
    Facts::sample("media", "films", Server::Aws)
}

fn said(status: u16, name: &str, message: &str) -> Answer {
    Answer::Said(Said {
        status: StatusCode::from_u16(status).unwrap(),
        code: S3ErrorCode::parse(name),
        name: name.to_owned(),
        message: message.to_owned(),
        request_id: None,
        region: None,
    })
}

fn two_lines(from: From, answer: &Answer) -> [Check; 2] {
    let canary = Canary { key: ObjectKey::new("films/a").unwrap(), from };
    lines(&facts(), Others::Granted, &canary, answer)
}

/// The outcome of reading and decrypting: `p`ass, `f`ail, or `u`nknown.
#[test]
fn a_refused_read_is_about_the_permission_the_key_or_the_object() {
    let denied_key = "User: a is not authorized to perform: kms:Decrypt on resource: arn:aws:kms:us-west-2:1:key/2 because no \
                      identity-based policy allows the kms:Decrypt action";
    let old_words = "The ciphertext refers to a customer master key that does not exist, does not exist in this region, or \
                     you are not allowed to access.";
    let sse_c = "The object was stored using a form of Server Side Encryption. The correct parameters must be provided.";
    for (from, status, name, message, expected) in [
        (From::Listing, 403, "AccessDenied", "Access Denied", "fu"),
        (From::Options, 403, "AccessDenied", "Access Denied", "fu"),
        (From::Listing, 403, "AccessDenied", denied_key, "pf"),
        (From::Listing, 403, "AccessDenied", old_words, "pf"),
        (From::Listing, 400, "KMS.DisabledException", "", "pf"),
        (From::Listing, 400, "InvalidRequest", sse_c, "pf"),
        (
            From::Listing,
            400,
            "InvalidRequest",
            "The encryption parameters are not applicable to this object.",
            "pf",
        ),
        (From::Listing, 400, "InvalidRequest", "other", "fu"),
        (From::Listing, 403, "InvalidObjectState", "", "uu"),
        (From::Listing, 404, "NoSuchKey", "", "uu"),
        (From::Options, 404, "NoSuchKey", "", "fu"),
        (From::Listing, 416, "InvalidRange", "", "pu"),
        (From::Listing, 400, "ExpiredToken", "", "fu"),
        (From::Listing, 503, "SlowDown", "", "fu"),
    ] {
        let lines = two_lines(from, &said(status, name, message));
        let letter = |check: &Check| check.outcome().as_str().chars().next().unwrap();
        let found: String = lines.iter().map(letter).collect();
        assert_eq!(found, expected, "{from:?} {status} {name} {message}");
    }
}

#[test]
fn the_statement_is_about_the_key_that_the_message_names() {
    let message = "not authorized to perform: kms:Decrypt on resource: arn:aws:kms:us-west-2:123456789012:key/2 because no";
    let [_, decrypt] = two_lines(From::Listing, &said(403, "AccessDenied", message));
    assert!(decrypt.statement().unwrap().contains("arn:aws:kms:us-west-2:123456789012:key/2"));
    let [read, _] = two_lines(From::Listing, &said(403, "AccessDenied", ""));
    let statement = read.statement().unwrap();
    assert!(
        statement.contains("s3:GetObject") && statement.contains("arn:aws:s3:::media/films/*"),
        "{statement}"
    );
}

#[test]
fn an_object_that_was_read_tells_its_encryption() {
    for (fields, seen) in [
        (&[][..], "no key is needed: the object is not encrypted by S3"),
        (
            &[("x-amz-server-side-encryption-customer-algorithm", "AES256")],
            "by the mount's customer key: SSE-C",
        ),
        (&[("x-amz-server-side-encryption", "AES256")], "no key is needed: SSE-S3"),
        (
            &[
                ("x-amz-server-side-encryption", "aws:kms"),
                ("x-amz-server-side-encryption-aws-kms-key-id", "arn:aws:kms:us-west-2:1:key/2"),
            ],
            "aws:kms by arn:aws:kms:us-west-2:1:key/2",
        ),
    ] {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let [read, decrypt] =
            two_lines(From::Listing, &Answer::Found { status: StatusCode::PARTIAL_CONTENT, headers });
        assert_eq!((read.outcome(), read.advice()), (Outcome::Pass, None));
        assert_eq!((decrypt.outcome(), decrypt.seen()), (Outcome::Pass, seen));
    }
    let whole = Answer::Found { status: StatusCode::OK, headers: HeaderMap::new() };
    assert!(two_lines(From::Listing, &whole)[0].advice().unwrap().contains("whole objects"));
}
