use std::time::Duration;

use super::*;
use crate::error::ConfigErrorKind;

const ROLE: &str = "arn:aws:iam::123456789012:role/media-reader";

fn role(arn: &str) -> AssumeRole {
    AssumeRole::new(RoleArn::parse(arn).expect("it is a role")).endpoint_url("http://127.0.0.1:9")
}

fn keys() -> CredentialsSource {
    fixed("AKIDEXAMPLE", "not-a-secret", Some("not-a-token".to_owned()))
}

#[tokio::test]
async fn sources_say_what_they_are_and_no_secret() {
    let external_id = ExternalId::parse("our-agreement").unwrap();
    let first = role("arn:aws:iam::123456789012:role/first").source(keys()).build().await.unwrap();
    let chained = role(ROLE).external_id(external_id).source(first.clone()).build().await.unwrap();
    let irsa = WebIdentity::new(RoleArn::parse(ROLE).unwrap(), "/token").region("us-east-1");
    for (source, display) in [
        (CredentialsSource::anonymous(), "none: requests are not signed"),
        (keys(), "fixed keys"),
        (from_fn(|| async { Err(CredentialsError::not_loaded("none")) }), "a provider of the program"),
        (from_environment(), "environment variables"),
        (from_process("vault --token not-a-secret"), "a process"),
        (from_container().unwrap(), "the container's credentials"),
        (from_instance(None).unwrap(), "the instance's metadata"),
        (irsa.build().await.unwrap(), &format!("the role {ROLE}, assumed by a web identity")),
        (first, "the role arn:aws:iam::123456789012:role/first, assumed by fixed keys"),
        (
            chained,
            &format!(
                "the role {ROLE} (External ID given), assumed by the role arn:aws:iam::123456789012:role/first, assumed \
                 by fixed keys"
            ),
        ),
    ] {
        assert_eq!(source.to_string(), display);
        let debug = format!("{source:?}");
        assert!(!debug.contains("not-a-") && !debug.contains("agreement"), "{debug}");
    }
}

#[tokio::test]
async fn a_role_is_known_with_its_external_id() {
    let id = ExternalId::parse("our-agreement").unwrap();
    let source = role(ROLE).external_id(id.clone()).source(keys()).build().await.unwrap();
    assert_eq!(source.role_arn().map(RoleArn::as_str), Some(ROLE));
    assert_eq!(source.external_id(), Some(&id));
    assert_eq!((keys().role_arn(), keys().external_id()), (None, None));
}

#[tokio::test]
async fn what_sts_would_refuse_is_refused_at_once() {
    use ConfigErrorKind::{Contradiction, InvalidValue};

    let chained = || async { role(ROLE).source(keys()).build().await.unwrap() };
    let hours = |count: u64| Duration::from_secs(count * 3600);
    for (role, kind, message) in [
        (role(ROLE).source(keys()).session_name("two words"), InvalidValue, "the session name"),
        (role(ROLE).source(keys()).duration(hours(13)), InvalidValue, "12 hours"),
        (role(ROLE).source(chained().await).duration(hours(2)), Contradiction, "one hour"),
        (role(ROLE).source(from_instance(None).unwrap()).duration(hours(2)), Contradiction, "one hour"),
        (role(ROLE).source(keys()).session_policy("no JSON"), InvalidValue, "the session policy"),
        (role(ROLE).source(keys()).policy_arn("ReadOnly"), InvalidValue, "the policy ARN"),
        (role(ROLE).source(keys()).endpoint_url("sts.example.com"), InvalidValue, "the STS endpoint URL"),
        (role(ROLE).source(CredentialsSource::anonymous()), Contradiction, "not anonymous"),
    ] {
        let error = role.build().await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(message), "{error}");
    }
    assert!(role(ROLE).source(chained().await).duration(hours(1)).build().await.is_ok());
    assert!(role(ROLE).source(keys()).duration(hours(12)).build().await.is_ok());
    assert_eq!(from_instance(Some("169.254.169.254")).unwrap_err().kind(), InvalidValue);
}
