use super::{assert_secret_is_nowhere_in, error, file, mount_with};
use crate::{
    BucketName, ConfigErrorKind, Mount, MountBuilder,
    bucket::{AccountId, Grant},
    encryption::{CustomerKey, Encryption, KmsKeyArn},
};

const KEY: &str = "arn:aws:kms:us-west-2:123456789012:key/1234abcd";

/// 32 sevens.
const CUSTOMER_KEY: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";

fn built() -> MountBuilder {
    Mount::builder(BucketName::parse("studio-media").unwrap()).region("us-west-2")
}

#[test]
fn encryption_and_grant_are_what_the_builder_makes_of_them() {
    let kms = || Encryption::kms(KmsKeyArn::parse(KEY).unwrap());
    for (lines, built) in [
        ("grant = \"read\"", built()),
        ("grant = \"read-write\"", built().grant(Grant::ReadWrite)),
        ("requester_pays = true", built().requester_pays(true)),
        (
            "expected_bucket_owner = \"123456789012\"",
            built().expected_bucket_owner(AccountId::parse("123456789012").unwrap()),
        ),
        (&format!("customer_key = \"{CUSTOMER_KEY}\""), built().customer_key(CustomerKey::from([7; 32]))),
        ("require_encryption = true", built().require_encryption(true)),
        ("[mount.encryption]\ntype = \"s3-managed\"", built().encryption(Encryption::s3_managed())),
        (&format!("[mount.encryption]\ntype = \"kms\"\nkey = \"{KEY}\""), built().encryption(kms())),
        (
            &format!(
                "encryption = {{ type = \"kms\", key = \"{KEY}\", bucket_key = true, context = {{ a = \"${{REGION}}\" }} }}"
            ),
            built().encryption(kms().bucket_key(true).context([("a", "us-west-2")])),
        ),
    ] {
        let read = file(&mount_with(lines)).mounts.remove(0).builder;
        assert_eq!(format!("{read:#?}"), format!("{built:#?}"), "{lines}");
    }
}

#[test]
fn an_encryption_that_makes_no_sense_is_refused_with_its_line() {
    use ConfigErrorKind::{Contradiction, File, InvalidValue, Missing};

    let kms = format!("[mount.encryption]\ntype = \"kms\"\nkey = \"{KEY}\"\n");
    for (lines, kind, place, hint) in [
        // Line 4 is the first of `lines`.
        ("grant = \"write\"", InvalidValue, "line 4: grant \"write\": ", "\"read-write\""),
        ("[mount.encryption]", Missing, "line 4: ", "\"s3-managed\" or \"kms\""),
        ("[mount.encryption]\ntype = \"none\"", InvalidValue, "line 5: type \"none\": ", "\"kms\""),
        ("[mount.encryption]\ntype = \"kms\"", Missing, "line 4: ", "needs the key's ARN"),
        (
            "encryption = { type = \"kms\", key = \"${REGION}\" }",
            InvalidValue,
            "line 4: key \"${REGION}\": ",
            "ARN",
        ),
        (
            "[mount.encryption]\ntype = \"s3-managed\"\nbucket_key = true",
            Contradiction,
            "line 6: bucket_key ",
            "type = \"kms\" only",
        ),
        ("encryption = { type = \"s3-managed\", key = \"a\" }", Contradiction, "line 4: key ", ""),
        ("encryption = { type = \"s3-managed\", context = {} }", Contradiction, "line 4: context ", ""),
        (
            &format!("{kms}context = {{ a = \"${{OTHER}}\" }}"),
            Missing,
            "line 7: context: ",
            "OTHER is not set",
        ),
        (&format!("{kms}bucket-key = true"), File, "line 7, column 1: ", "did you mean `bucket_key`?"),
        ("customer_key = \"s3cr3t\"", InvalidValue, "line 4: customer_key: not a key", "Base64 of 32 bytes"),
        ("customer_key = 987654321", File, "line 4, column 16: ", "text in quotes"),
        (
            &format!(
                "anonymous = true\ncustomer_key = \"{CUSTOMER_KEY}\"\nendpoint_url = \"http://store.test\""
            ),
            Contradiction,
            "line 1, mount 1 (at \"/\"): a customer key ",
            "without TLS",
        ),
        (
            "expected_bucket_owner = \"${REGION}\"",
            InvalidValue,
            "line 4: expected_bucket_owner \"${REGION}\": ",
            "12 digits",
        ),
        ("expected_bucket_owner = 123456789012", File, "line 4, column 25: ", "text in quotes"),
        (
            "anonymous = true\nrequester_pays = true",
            Contradiction,
            "line 1, mount 1 (at \"/\"): the requester pays",
            "give credentials",
        ),
        (
            "anonymous = true\ngrant = \"read-write\"\nrequire_encryption = true",
            Missing,
            "line 1, mount 1 (at \"/\"): encryption is required",
            "give an encryption",
        ),
    ] {
        let error = error(&mount_with(lines));
        let message = error.to_string();
        assert_eq!(error.kind(), kind, "{lines}: {message}");
        assert_secret_is_nowhere_in(&error);
        assert!(message.starts_with(place), "{lines}: {message:?} begins with {place:?}");
        assert!(message.contains(hint), "{lines}: {message:?} contains {hint:?}");
    }
}
