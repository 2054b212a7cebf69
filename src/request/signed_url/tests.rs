use super::*;

/// The example of S3's "Authenticating requests: using query parameters".
const OF_DOCS: &str = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";

/// The example of "Signing and authenticating REST requests (version 2)".
const OF_V2: &str =
    "AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=vjbyPxybdZaNmGa%2ByT272YEAiv4%3D&Expires=1141889120";

fn parse(method: &Method, query: &str) -> Result<Option<SignedUrl>, InvalidSignedUrl> {
    SignedUrl::parse(method, Some(query))
}

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

#[test]
fn the_documented_links_are_read() {
    let v4 = parse(&Method::GET, OF_DOCS).unwrap().unwrap();
    assert_eq!(v4.expires_at, at(1_369_440_000), "2013-05-25T00:00:00Z");
    let signed_fields = vec![http::header::HOST];
    assert_eq!(
        v4.signature,
        Signature::V4 { region: "us-east-1".to_owned(), service: "s3".to_owned(), signed_fields }
    );
    let v2 = parse(&Method::GET, OF_V2).unwrap().unwrap();
    assert_eq!((v2.expires_at, v2.signature), (at(1_141_889_120), Signature::V2));
}

#[test]
fn a_query_without_a_signature_is_no_link() {
    for query in ["", "versionId=1", "Expires=1&Signature=a&Key-Pair-Id=b", "x-id=GetObject", "download"] {
        assert_eq!(parse(&Method::GET, query), Ok(None), "{query}");
    }
    assert_eq!(SignedUrl::parse(&Method::GET, None), Ok(None));
}

#[test]
fn what_is_missing_malformed_repeated_or_of_both_versions_is_refused() {
    use InvalidSignedUrl::{Malformed, Missing, Repeated, TwoSignatures};
    let without = |name: &str| {
        let kept = OF_DOCS.split('&').filter(|pair| !pair.starts_with(&format!("{name}=")));
        kept.collect::<Vec<_>>().join("&")
    };
    let with = |name: &str, value: &str| format!("{}&{name}={value}", without(name));
    for name in &NAMES[ALGORITHM..=SIGNATURE_V4] {
        assert_eq!(parse(&Method::GET, &without(name)), Err(Missing(name)), "{name}");
        assert_eq!(parse(&Method::GET, &with(name, "")), Err(Missing(name)), "{name}");
        assert_eq!(parse(&Method::GET, &format!("{OF_DOCS}&{name}=1")), Err(Repeated(name)), "{name}");
        let other_case = format!("{OF_DOCS}&{}=1", name.to_ascii_lowercase());
        assert_eq!(parse(&Method::GET, &other_case), Err(Malformed(name)), "{name}");
        let encoded = format!("{OF_DOCS}&%{:X}{}=1", name.as_bytes()[0], &name[1..]);
        assert_eq!(parse(&Method::GET, &encoded), Err(Repeated(name)), "{encoded}");
    }
    for (name, value) in [
        ("X-Amz-Algorithm", "AWS4-ECDSA-P256-SHA256"),
        ("X-Amz-Credential", "AKID/20130524/us-east-1/s3"),
        ("X-Amz-Credential", "AKID/20130524/us-east-1/s3/aws4"),
        ("X-Amz-Date", "20130524T000000"),
        ("X-Amz-Date", "20131324T000000Z"),
        ("X-Amz-Date", "20130525T000000Z"),
        ("X-Amz-Expires", "0"),
        ("X-Amz-Expires", "604801"),
        ("X-Amz-Expires", "+60"),
        ("X-Amz-Expires", "99999999999999999999"),
        ("X-Amz-SignedHeaders", "range"),
        ("X-Amz-SignedHeaders", "host;a b"),
        ("X-Amz-Signature", "abc"),
    ] {
        let expected = NAMES.iter().find(|known| **known == name).unwrap();
        assert_eq!(parse(&Method::GET, &with(name, value)), Err(Malformed(expected)), "{name}={value}");
    }
    for query in
        [format!("{OF_DOCS}&{OF_V2}"), format!("{OF_DOCS}&Expires=1"), format!("{OF_DOCS}&Signature=a")]
    {
        assert_eq!(parse(&Method::GET, &query), Err(TwoSignatures), "{query}");
    }
    for query in ["AWSAccessKeyId=A&Expires=1", "AWSAccessKeyId=A&Signature=vjbyPxybdZaNmGa%2ByT272YEAiv4%3D"]
    {
        assert!(matches!(parse(&Method::GET, query), Err(Missing(_))), "{query}");
    }
}

#[test]
fn only_an_object_can_be_asked_for() {
    use SignedRequest::{Read, Write};
    let asks = |method: Method, more: &str| {
        parse(&method, &format!("{OF_DOCS}{more}")).map(|url| url.unwrap().asks).map_err(|_| ())
    };
    for (method, more, expected) in [
        (Method::GET, "", Ok(Read)),
        (Method::HEAD, "&x-id=HeadObject", Ok(Read)),
        (Method::GET, "&versionId=1&partNumber=2", Ok(Read)),
        (Method::GET, "&response-content-type=a%2Fb&x-user=7", Ok(Read)),
        (Method::GET, "&x-amz-checksum-mode=ENABLED", Ok(Read)),
        (Method::GET, "&uploadId=1&max-parts=1", Err(())),
        (Method::GET, "&uploadId=1", Ok(Write)),
        (Method::PUT, "&x-amz-acl=private&x-amz-meta-a=b", Ok(Write)),
        (Method::PUT, "&partNumber=1&uploadId=2", Ok(Write)),
        (Method::PUT, "&partNumber=1", Err(())),
        (Method::PUT, "&uploadId=1", Err(())),
        (Method::PUT, "&x-amz-copy-source=%2Fother%2Fkey", Err(())),
        (Method::PUT, "&X-Amz-Copy-Source=%2Fother%2Fkey", Err(())),
        (Method::PUT, "&response-content-type=a", Err(())),
        (Method::DELETE, "", Ok(Write)),
        (Method::DELETE, "&uploadId=1", Ok(Write)),
        (Method::DELETE, "&versionId=1", Ok(Write)),
        (Method::POST, "&uploads", Ok(Write)),
        (Method::POST, "&uploads=", Ok(Write)),
        (Method::POST, "&uploadId=1", Ok(Write)),
        (Method::POST, "&uploadId=1&uploadId=2", Err(())),
        (Method::POST, "&uploadId=1&uploads", Err(())),
        (Method::POST, "", Err(())),
        (Method::POST, "&delete", Err(())),
        (Method::POST, "&restore", Err(())),
        (Method::POST, "&select&select-type=2", Err(())),
        (Method::PATCH, "", Err(())),
        (Method::OPTIONS, "", Err(())),
    ] {
        assert_eq!(asks(method.clone(), more), expected, "{method} {more}");
    }
    for sub_resource in [
        "acl",
        "policy",
        "tagging",
        "torrent",
        "attributes",
        "retention",
        "legal-hold",
        "%61cl",
        "ACL",
        "list-type=2",
    ] {
        for method in [Method::GET, Method::PUT, Method::DELETE, Method::POST] {
            assert_eq!(asks(method.clone(), &format!("&{sub_resource}")), Err(()), "{method} {sub_resource}");
        }
    }
}
