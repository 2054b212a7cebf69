use http::StatusCode;

use super::*;
use crate::{
    diagnosis::context::{ExternalIdGiven, Role},
    object::BucketName,
    origin::TlsFault,
};

fn facts() -> Facts {
    Facts::sample("studio-media", "", Server::Aws)
}

fn said(status: u16, name: &str, message: &str) -> Said {
    Said {
        status: StatusCode::from_u16(status).unwrap(),
        code: S3ErrorCode::parse(name),
        name: name.to_owned(),
        message: message.to_owned(),
        request_id: None,
        region: None,
    }
}

#[test]
fn a_refused_signature_has_a_cause_for_each_code() {
    let session = Signer::Key { id: "ASIAIOSFODNN7EXAMPLE".to_owned(), has_token: false };
    let long_term = facts().signer;
    for (server, signer, code, words) in [
        (Server::Aws, &long_term, "InvalidAccessKeyId", "another partition"),
        (Server::Compatible, &long_term, "InvalidAccessKeyId", "AWS keys are not valid on it"),
        (Server::Aws, &session, "InvalidAccessKeyId", "session token is missing"),
        (Server::Compatible, &session, "InvalidAccessKeyId", "session token is missing"),
        (Server::Aws, &long_term, "SignatureDoesNotMatch", "must pass Host"),
        (Server::Aws, &long_term, "ExpiredToken", "session has ended"),
        (Server::Aws, &long_term, "InvalidToken", "unset AWS_SESSION_TOKEN"),
        (Server::Aws, &long_term, "RequestTimeTooSkewed", "NTP"),
        (Server::Aws, &long_term, "SlowDown", "try again later"),
        (Server::Aws, &long_term, "NotSignedUp", "the account"),
        (Server::Aws, &long_term, "AuthorizationHeaderMalformed", "a line break in the access key"),
        (Server::Aws, &long_term, "", "something else answered"),
        (Server::Aws, &long_term, "Unheard", ""),
    ] {
        let facts = Facts { server, signer: signer.clone(), ..facts() };
        let advice = refused_signature(&facts, &said(403, code, ""));
        assert!(advice.contains(words) && advice.is_empty() == words.is_empty(), "{code}: {advice}");
    }
}

#[test]
fn a_denial_is_blamed_on_the_policy_that_the_message_names() {
    let because =
        |why: &str| format!("User: x is not authorized to perform: s3:GetObject on resource: y {why}");
    for (message, others, words) in [
        (
            because("because no identity-based policy allows the s3:GetObject action"),
            Others::Denied,
            "role or user must",
        ),
        (because("because no resource-based policy allows it"), Others::Denied, "belongs to another account"),
        (because("with an explicit deny in a resource-based policy"), Others::Denied, "aws:SourceVpce"),
        (because("with an explicit deny in a service control policy"), Others::Denied, "SCP"),
        (because("because no VPC endpoint policy allows it"), Others::Denied, "VPC endpoint for S3 must"),
        (because("because no permissions boundary allows it"), Others::Denied, "boundary"),
        (because("because no session policy allows it"), Others::Denied, "session policy"),
        ("Access Denied".to_owned(), Others::Denied, "Everything is denied"),
        ("Access Denied".to_owned(), Others::Granted, "role or user must allow s3:GetObject."),
    ] {
        let advice = denied(&facts(), &said(403, "AccessDenied", &message), "s3:GetObject", others);
        assert!(advice.contains(words), "{message}: {advice}");
    }
    let plain = said(403, "AccessDenied", "Access Denied");
    let anonymous = Facts { signer: Signer::Anonymous, ..facts() };
    assert!(denied(&anonymous, &plain, "s3:GetObject", Others::Denied).contains("Block Public Access"));
    let likely = Facts { likely: Some("the bucket may be of another account"), ..facts() };
    assert!(
        denied(&likely, &plain, "s3:GetObject", Others::Granted)
            .contains("Or the bucket may be of another account.")
    );
}

#[test]
fn what_a_provider_says_is_traced_to_its_set_up() {
    for (source, why, words) in [
        (
            "x",
            "AccessDenied: User: a is not authorized to perform: sts:AssumeRole on resource: b",
            "sts:ExternalId",
        ),
        (
            "the role b, assumed by a web identity",
            "not authorized to perform: sts:AssumeRoleWithWebIdentity",
            "service account",
        ),
        ("x", "InvalidIdentityToken: no OpenIDConnect provider found", "identity provider"),
        ("x", "failed to read the web identity token: No such file or directory", "restart the pod"),
        (
            "x",
            "SignatureDoesNotMatch: The request signature we calculated does not match",
            "that should assume the role",
        ),
        // STS's messages about a wrong clock.
        ("x", "SignatureDoesNotMatch: Signature expired: 1 is now earlier than 2", "NTP"),
        ("x", "SignatureDoesNotMatch: Signature not yet current: 2 is still later than 1", "NTP"),
        ("x", "RequestExpired", "NTP"),
        ("x", "RegionDisabledException: STS is not activated", "off in this region"),
        ("x", "the profile \"media\" was not defined", "AWS_CONFIG_FILE"),
        ("x", "dispatch failure: IMDS timed out", "hop limit"),
        ("x", "no providers in chain provided credentials", "AWS_ACCESS_KEY_ID"),
        (
            "the default chain",
            "no providers in chain provided credentials",
            "Found nothing in: environment, profile",
        ),
        (
            "the default chain",
            "failed to load IMDS session token: request forbidden",
            "AWS_SECRET_ACCESS_KEY",
        ),
        ("the default chain", "failed to load IMDS session token: no connection", "--anonymous"),
        ("x", "failed to load IMDS session token: no connection: timed out", "hop limit"),
        ("x", "the role a could not be assumed: STS at sts.test: no connection", "interface endpoint"),
        ("x", "the provider did not answer within 5 s", "interface endpoint"),
        ("x", "something new", ""),
    ] {
        let facts = Facts { source: source.to_owned(), ..facts() };
        let advice = no_credentials(&facts, why);
        assert!(advice.contains(words) && advice.is_empty() == words.is_empty(), "{why}: {advice}");
    }
}

#[test]
fn a_role_that_is_denied_says_whether_an_external_id_was_given() {
    let why = "not authorized to perform: sts:AssumeRole";
    for (external_id, words) in
        [(ExternalIdGiven::Yes, "If the External ID is wrong"), (ExternalIdGiven::No, "gives no External ID")]
    {
        let role = Role { arn: "arn:aws:iam::123456789012:role/media".to_owned(), external_id };
        let advice = no_credentials(&Facts { role: Some(role), ..facts() }, why);
        assert!(advice.contains(words) && advice.contains("role/media"), "{advice}");
    }
}

#[test]
fn a_certificate_that_does_not_fit_depends_on_the_name() {
    let other = TlsFault::OtherName(Vec::new());
    let dotted = Facts { bucket: BucketName::parse("my.media").unwrap(), ..facts() };
    for (facts, host, fault, words) in [
        (&dotted, "my.media.s3.test", &other, "endpoint_url = \"https://s3.test\" with path_style = true"),
        (&facts(), "studio-media.s3.test", &other, "path_style"),
        (&facts(), "vpce-1.s3.us-west-2.vpce.amazonaws.com", &other, "connect_to"),
        (&facts(), "s3.test", &TlsFault::UnknownIssuer, "transport.ca_file="),
        (&facts(), "s3.test", &TlsFault::NotValidNow, "clock"),
        (&facts(), "s3.test", &TlsFault::NotTls, "http://"),
    ] {
        let advice = no_tls(facts, host, fault);
        assert!(advice.contains(words), "{host}: {advice}");
    }
}

#[test]
fn a_name_without_an_address_depends_on_what_is_in_front_of_it() {
    let compatible = Facts { server: Server::Compatible, ..facts() };
    assert!(no_address(&compatible, "studio-media.minio").contains("path_style"));
    assert!(no_address(&compatible, "minio").contains("container"));
    assert!(no_address(&facts(), "studio-media.s3.us-wset-2.amazonaws.com").contains("region's name"));
}

#[test]
fn a_bucket_that_is_elsewhere_says_where() {
    assert!(other_region(&facts(), Some("eu-west-1")).contains("set region = \"eu-west-1\""));
    assert!(other_region(&facts(), Some("us-west-2")).contains("new bucket"));
    assert!(other_region(&facts(), None).contains("look up"));
}

#[test]
fn a_key_that_can_not_be_used_says_why() {
    let denied = "User: a is not authorized to perform: kms:Decrypt on resource: b";
    for (name, message, words) in [
        ("KMS.DisabledException", "", "enable it"),
        ("KMS.NotFoundException", "", "not there any more"),
        ("KMS.KMSInvalidStateException", "", "cancel that"),
        ("KMS.ThrottlingException", "", "Bucket Key"),
        ("InvalidRequest", "Server Side Encryption", "SSE-C"),
        ("AccessDenied", &format!("{denied} because no resource-based policy allows it"), "aws/s3"),
        ("AccessDenied", &format!("{denied} with an explicit deny in a service control policy"), "SCP"),
        ("AccessDenied", "The ciphertext refers to a customer master key that does not exist", "kms:Decrypt"),
    ] {
        let advice = cannot_decrypt(&facts(), &said(400, name, message));
        assert!(advice.contains(words), "{name} {message}: {advice}");
    }
}
