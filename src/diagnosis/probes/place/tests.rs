use super::*;

fn facts(server: Server) -> Facts {
    Facts::sample("media", "", server)
}

fn said(status: u16, name: &str, region: Option<&str>) -> Answer {
    Answer::Said(Said {
        status: StatusCode::from_u16(status).unwrap(),
        code: S3ErrorCode::parse(name),
        name: name.to_owned(),
        message: String::new(),
        request_id: None,
        region: region.map(str::to_owned),
    })
}

/// The outcome of bucket, region and signature: `p`ass, `f`ail, or `u`nknown.
#[test]
fn an_answer_is_about_the_bucket_the_region_or_the_signature() {
    let (aws, compatible) = (Server::Aws, Server::Compatible);
    let here = Some("us-west-2");
    let there = Some("eu-west-1");
    for (server, told, status, name, region, lines) in [
        (aws, here, 404, "NoSuchKey", None, "ppp"),
        (aws, here, 403, "AccessDenied", None, "ppp"),
        (aws, None, 403, "AccessDenied", None, "ppp"),
        (aws, here, 404, "NoSuchBucket", None, "fuu"),
        (aws, there, 301, "PermanentRedirect", there, "pfu"),
        (aws, None, 301, "PermanentRedirect", None, "pfu"),
        (aws, here, 307, "TemporaryRedirect", here, "pfu"),
        (aws, None, 400, "AuthorizationHeaderMalformed", there, "pfu"),
        (aws, there, 403, "AccessDenied", None, "pfu"),
        (aws, here, 403, "SignatureDoesNotMatch", None, "ppf"),
        (aws, None, 403, "InvalidAccessKeyId", None, "uuf"),
        (aws, here, 403, "RequestTimeTooSkewed", None, "ppf"),
        (aws, here, 503, "SlowDown", None, "ppf"),
        (aws, None, 403, "", None, "uuf"),
        (aws, None, 404, "", None, "uuf"),
        (compatible, None, 404, "NoSuchKey", None, "ppp"),
        (compatible, there, 404, "NoSuchKey", None, "ppp"),
        (compatible, None, 400, "AuthorizationHeaderMalformed", there, "pfu"),
    ] {
        let checks = checks(&facts(server), "url", "us-west-2", told, &said(status, name, region));
        let letter = |check: &Check| check.outcome().as_str().chars().next().unwrap();
        let found: String = checks.iter().map(letter).collect();
        assert_eq!(found, lines, "{server:?} {told:?} {status} {name} {region:?}");
        let names = checks.each_ref().map(Check::name);
        assert_eq!(names, [CheckName::Bucket, CheckName::Region, CheckName::Signature]);
    }
}

#[test]
fn a_bucket_that_the_proxy_has_followed_is_still_configured_wrongly() {
    let [_, region, _] = checks(&facts(Server::Aws), "url", "eu-west-1", None, &said(404, "NoSuchKey", None));
    assert_eq!(region.outcome(), Outcome::Fail);
    assert!(region.advice().unwrap().contains("eu-west-1"));
}

#[test]
fn silence_is_no_word_about_the_bucket() {
    let answer = Answer::Silence("no credentials".to_owned());
    let [bucket, region, signature] = checks(&facts(Server::Aws), "url", "us-west-2", None, &answer);
    assert_eq!([bucket.outcome(), region.outcome()], [Outcome::Unknown; 2]);
    assert_eq!((signature.outcome(), signature.seen()), (Outcome::Fail, "no credentials"));
}
