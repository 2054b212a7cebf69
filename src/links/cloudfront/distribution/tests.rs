use std::time::{Duration, UNIX_EPOCH};

use aws_smithy_types::base64;
use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};

use super::*;
use crate::links::cloudfront::SourceNetwork;

const RSA: &str = include_str!("keys/rsa-pkcs1.pem");
const RSA_PKCS8: &str = include_str!("keys/rsa-pkcs8.pem");
const P256: &str = include_str!("keys/p256-sec1.pem");
const P256_PKCS8: &str = include_str!("keys/p256-pkcs8.pem");

/// `openssl ec -in p256-sec1.pem -pubout -outform DER | tail -c 65 | xxd -p`
const P256_PUBLIC: &str = "046eaef1171ca275a10d873c1d592cd1896b4d012143125af852262c3eebb9be54b176f7529b92f1b83c9e5537a6a40fc61d7b62145f28231c643de942b98b6951";

/// Of the policy in `POLICY`: `openssl dgst -sha256 -sign rsa-pkcs1.pem | openssl base64 -A | tr -- '+=/' '-_~'`
const SIGNATURE: &str = concat!(
    "e8EvAM3xydiMln7X~4z1T7D9izj3wW2GLZcmClK6lkugOFovkofGlIhlMBgiZ6TEeti-17fjTZchTFQ4lGj-aCJUer",
    "jvuDPq-IfpKJeAjbHIj3fnzSzBeamGwouwy04FoAOpaPBdNn9DWVyMsaT29nkXPEb3MfnP9NgMyoqNQsrZztC7Uoyd",
    "G34KFmVsJU3hogOYC2NgwSzKL3iCv-wNbt8uOzNRn6TfNWNBphCMgmRUVUE59Evkq0PAuO6W--~icecZ9KJ-uPr0Fs",
    "WDqWQGRrS5IzExhIi19-p6EpJ2AkijaGIHXq55KYy0WkrdY5WS7vPkRrSMlU6y2w0VcqJQXg__",
);

const POLICY: &str = r#"{"Statement":[{"Resource":"https://d111111abcdef8.cloudfront.net/image.jpg","Condition":{"DateLessThan":{"AWS:EpochTime":1767290400}}}]}"#;

fn distribution(pem: &str) -> Distribution {
    cloudfront(pem).parse().unwrap()
}

fn cloudfront(pem: &str) -> CloudFront {
    CloudFront::new("d111111abcdef8.cloudfront.net", "K2JCJMDEHXQW5F", CloudFrontKey::from_pem(pem).unwrap())
}

fn ends() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_767_290_400)
}

fn parameter<'u>(url: &'u str, name: &str) -> &'u str {
    let (_, query) = url.split_once('?').unwrap();
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')).unwrap_or_default()
}

fn decoded(text: &str) -> Vec<u8> {
    base64::decode(text.replace('-', "+").replace('_', "=").replace('~', "/")).unwrap()
}

fn is_signed(policy: &str, signature: &str) -> bool {
    let point: Vec<u8> = (0..P256_PUBLIC.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&P256_PUBLIC[at..at + 2], 16).unwrap())
        .collect();
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point);
    key.verify(policy.as_bytes(), &decoded(signature)).is_ok()
}

#[test]
fn a_signature_by_rsa_is_that_of_openssl() {
    for pem in [RSA, RSA_PKCS8] {
        let url = distribution(pem).sign("image.jpg", &[], ends(), &Covered::default()).unwrap();
        assert_eq!(
            url,
            format!(
                "https://d111111abcdef8.cloudfront.net/image.jpg?Expires=1767290400&Signature={SIGNATURE}\
                 &Key-Pair-Id=K2JCJMDEHXQW5F&Hash-Algorithm=SHA256"
            )
        );
    }
}

#[test]
fn a_signature_by_ecdsa_is_verified_by_the_public_key() {
    for pem in [P256, P256_PKCS8] {
        let url = distribution(pem).sign("image.jpg", &[], ends(), &Covered::default()).unwrap();
        let signature = parameter(&url, "Signature");
        assert!(is_signed(POLICY, signature), "{url}");
        assert!(!is_signed(&POLICY.replace("image", "other"), signature), "{url}");
    }
}

#[test]
fn what_a_canned_policy_cannot_say_is_in_a_custom_one() {
    let network = SourceNetwork::parse("192.0.2.0/24");
    let keys = Some("films/*.ts".to_owned());
    for (covered, expected) in [
        (
            Covered { network, ..Covered::default() },
            r#"{"Statement":[{"Resource":"https://d111111abcdef8.cloudfront.net/films/a%20b.m3u8?response-expires=0","Condition":{"DateLessThan":{"AWS:EpochTime":1767290400},"IpAddress":{"AWS:SourceIp":"192.0.2.0/24"}}}]}"#,
        ),
        (
            Covered {
                keys,
                not_before: Some(UNIX_EPOCH + Duration::from_secs(1_767_200_001)),
                network: None,
            },
            r#"{"Statement":[{"Resource":"https://d111111abcdef8.cloudfront.net/films/*.ts","Condition":{"DateLessThan":{"AWS:EpochTime":1767290400},"DateGreaterThan":{"AWS:EpochTime":1767200000}}}]}"#,
        ),
    ] {
        let url = distribution(P256)
            .sign("films/a b.m3u8", &[("response-expires", "0")], ends(), &covered)
            .unwrap();
        let policy = String::from_utf8(decoded(parameter(&url, "Policy"))).unwrap();
        assert_eq!(policy, expected);
        assert!(is_signed(&policy, parameter(&url, "Signature")), "{url}");
        assert_eq!((parameter(&url, "Expires"), parameter(&url, "response-expires")), ("", "0"), "{url}");
    }
}

#[test]
fn a_literal_wildcard_of_a_key_is_none_of_its_policy() {
    let url = distribution(RSA).sign("a*b?", &[], ends(), &Covered::default()).unwrap();
    assert!(url.starts_with("https://d111111abcdef8.cloudfront.net/a%2Ab%3F?Expires="), "{url}");
}

#[test]
fn the_origin_path_is_not_in_the_url() {
    let website = cloudfront(RSA).origin_path("/website/").parse().unwrap();
    for (key, path) in
        [("website/a.jpg", Some("a.jpg")), ("website/", None), ("websitex/a", None), ("a", None)]
    {
        assert_eq!(website.path_of(key), path, "{key}");
    }
    assert_eq!(distribution(RSA).path_of("/a"), Some("/a"));
}

#[test]
fn what_is_no_distribution_is_refused() {
    let key = || CloudFrontKey::from_pem(RSA).unwrap();
    for (cloudfront, hint) in [
        (CloudFront::new("", "K2", key()), "must be a host"),
        (CloudFront::new("https://d1.cloudfront.net/x", "K2", key()), "without a path"),
        (CloudFront::new("d1.cloudfront.net", "", key()), "the id of a public key"),
        (CloudFront::new("d1.cloudfront.net", "K2&x", key()), "the id of a public key"),
        (CloudFront::new("d1.cloudfront.net", "K2", key()).origin_path("a/../b"), "the beginning of a key"),
    ] {
        let refusal = cloudfront.parse().unwrap_err().to_string();
        assert!(refusal.contains(hint), "{cloudfront:?}: {refusal}");
    }
}

#[test]
fn only_the_keys_that_cloudfront_takes_are_keys_and_none_is_shown() {
    for pem in [
        include_str!("keys/rsa-1024.pem"),
        include_str!("keys/rsa-3072.pem"),
        include_str!("keys/p384-sec1.pem"),
        "",
        "no key",
        &RSA.replace("MII", "MIJ"),
        &RSA.lines().take(5).collect::<Vec<_>>().join("\n"),
    ] {
        let refusal = CloudFrontKey::from_pem(pem).unwrap_err();
        assert!(!format!("{refusal} {refusal:?}").contains("MII"), "{refusal}");
    }
    assert_eq!(format!("{:?}", CloudFrontKey::from_pem(RSA).unwrap()), "CloudFrontKey");
}
