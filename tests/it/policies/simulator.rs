//! The policies as AWS would evaluate them, by an independent evaluator. `scripts/iam-simulator` runs it; without its
//! installation the tests skip it.

mod judge;

use serde_json::{Value, json};
use tower_s3_proxy::{
    Mount, MountBuilder,
    bucket::{BucketResolver, Grant},
    credentials::ExternalId,
    encryption::{Encryption, KmsKeyArn},
    policies::{PolicyKind, PolicyRequest},
    response::DeniedAnswer,
};

use self::judge::{Asked, Simulator, asked};
use super::{policy, sids, without};
use crate::support::{bucket, keys};

const HOME: &str = "111122223333";
const ABROAD: &str = "999988887777";
const ROLE: &str = "arn:aws:iam::111122223333:role/media-proxy";
const KEY: &str = "arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
const KEY_ABROAD: &str = "arn:aws:kms:us-west-2:999988887777:key/1234abcd-12ab-34cd-56ef-1234567890ab";
const OBJECT: &str = "arn:aws:s3:::media/films/a.mp4";

const ALLOWED: &str = "Allowed";
const NOT_ALLOWED: &str = "ImplicitlyDenied";
const DENIED: &str = "ExplicitlyDenied";

fn mount(name: &str) -> MountBuilder {
    Mount::builder(bucket(name)).region("us-west-2").credentials(keys())
}

/// A mount that does all that a mount can do.
fn busy(key: &str) -> MountBuilder {
    mount("media")
        .prefix("films")
        .allow_versions(true)
        .denied(DeniedAnswer::Auto)
        .grant(Grant::ReadWrite)
        .encryption(Encryption::kms(KmsKeyArn::parse(key).unwrap()).context([("project", "films")]))
}

fn ask(mount: MountBuilder) -> PolicyRequest {
    PolicyRequest::for_mount(&mount.build().unwrap()).role(ROLE)
}

/// What a busy mount does, by the statement that allows it.
fn functions(key: &str) -> Vec<(&'static str, Asked)> {
    let via_s3 = json!({
        "kms:ViaService": "s3.us-west-2.amazonaws.com",
        "kms:EncryptionContext:aws:s3:arn": OBJECT,
        "kms:EncryptionContext:project": "films",
    });
    let with_bucket_key = json!({
        "kms:ViaService": "s3.us-west-2.amazonaws.com",
        "kms:EncryptionContext:aws:s3:arn": "arn:aws:s3:::media",
    });
    vec![
        ("ReadObjects", asked("s3:GetObject", OBJECT)),
        ("ReadVersions", asked("s3:GetObjectVersion", OBJECT)),
        ("ListKeys", asked("s3:ListBucket", "arn:aws:s3:::media").with(json!({ "s3:prefix": "films/" }))),
        // What S3 asks of itself before it says that a key does not exist.
        (
            "ListKeys",
            asked("s3:ListBucket", "arn:aws:s3:::media").with(json!({ "s3:prefix": "films/none.mp4" })),
        ),
        ("WriteObjects", asked("s3:PutObject", OBJECT)),
        ("DeleteObjects", asked("s3:DeleteObject", OBJECT)),
        ("EndUploads", asked("s3:AbortMultipartUpload", OBJECT)),
        ("EndUploads", asked("s3:ListMultipartUploadParts", OBJECT)),
        ("DecryptObjects", asked("kms:Decrypt", key).with(via_s3.clone())),
        ("DecryptObjects", asked("kms:Decrypt", key).with(with_bucket_key)),
        ("EncryptObjects", asked("kms:GenerateDataKey", key).with(via_s3)),
    ]
}

#[test]
fn a_role_does_all_that_its_mount_does_and_nothing_else() {
    let Some(mut simulator) = Simulator::from_env() else { return };
    let role = policy(&ask(busy(KEY)).build().unwrap(), PolicyKind::Role);
    // The function that each request is of, if the mount has it.
    for (sid, asked) in functions(KEY) {
        simulator.expect(ALLOWED, &format!("{sid}, whole"), asked.by(&role));
        for removed in sids(&role) {
            let expected = if removed == sid { NOT_ALLOWED } else { ALLOWED };
            simulator.expect(
                expected,
                &format!("{sid} without {removed}"),
                asked.by(&without(&role, &removed)),
            );
        }
    }
    let list = || asked("s3:ListBucket", "arn:aws:s3:::media");
    let kms = |action: &'static str, context: Value| asked(action, KEY).with(context);
    let via = "s3.us-west-2.amazonaws.com";
    for (what, asked) in [
        ("outside of the prefix", asked("s3:GetObject", "arn:aws:s3:::media/secret.txt")),
        ("beside the prefix", asked("s3:GetObject", "arn:aws:s3:::media/films2/a")),
        ("the prefix further in", asked("s3:GetObject", "arn:aws:s3:::media/x/films/a")),
        ("a write outside", asked("s3:PutObject", "arn:aws:s3:::media/secret.txt")),
        ("a delete outside", asked("s3:DeleteObject", "arn:aws:s3:::media/secret.txt")),
        ("another bucket", asked("s3:GetObject", "arn:aws:s3:::media2/films/a")),
        ("a list of everything", list()),
        ("a list of everything, said", list().with(json!({ "s3:prefix": "" }))),
        ("a list beside the prefix", list().with(json!({ "s3:prefix": "films2/" }))),
        ("permissions of an object", asked("s3:PutObjectAcl", OBJECT)),
        ("a version's end", asked("s3:DeleteObjectVersion", OBJECT)),
        ("the bucket's policy", asked("s3:PutBucketPolicy", "arn:aws:s3:::media")),
        ("uploads of others", asked("s3:ListBucketMultipartUploads", "arn:aws:s3:::media")),
        ("the key, without S3", kms("kms:Decrypt", json!({ "kms:EncryptionContext:aws:s3:arn": OBJECT }))),
        (
            "the key, for what is elsewhere",
            kms(
                "kms:Decrypt",
                json!({ "kms:ViaService": via, "kms:EncryptionContext:aws:s3:arn": "arn:aws:s3:::other/films/a" }),
            ),
        ),
        (
            "the key, by another service",
            kms(
                "kms:Decrypt",
                json!({ "kms:ViaService": "ebs.us-west-2.amazonaws.com", "kms:EncryptionContext:aws:s3:arn": OBJECT }),
            ),
        ),
        (
            "a new key, without the mount's context",
            kms(
                "kms:GenerateDataKey",
                json!({ "kms:ViaService": via, "kms:EncryptionContext:aws:s3:arn": OBJECT }),
            ),
        ),
    ] {
        simulator.expect(NOT_ALLOWED, what, asked.by(&role));
    }
    simulator.run();
}

#[test]
fn a_mount_that_reads_cannot_write() {
    let Some(mut simulator) = Simulator::from_env() else { return };
    let role = policy(&ask(mount("media")).build().unwrap(), PolicyKind::Role);
    simulator.expect(ALLOWED, "a read", asked("s3:GetObject", OBJECT).by(&role));
    for action in ["s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:GetObjectVersion"] {
        simulator.expect(NOT_ALLOWED, action, asked(action, OBJECT).by(&role));
    }
    simulator.expect(NOT_ALLOWED, "a list", asked("s3:ListBucket", "arn:aws:s3:::media").by(&role));
    simulator.run();
}

#[test]
fn a_prefix_with_wildcards_and_variables_in_it_allows_itself_alone() {
    let Some(mut simulator) = Simulator::from_env() else { return };
    for (prefix, others) in [
        ("we?b", &["weXb", "web"][..]),
        ("we*b", &["weXb", "we/b"]),
        ("a$b", &["ab", "a$$b"]),
        ("${aws:PrincipalAccount}", &[HOME]),
        ("${*}", &["*", "a"]),
        ("b{}$", &["b", "b{}"]),
    ] {
        let role = ask(mount("media").prefix(prefix).denied(DeniedAnswer::Auto)).build().unwrap();
        let role = policy(&role, PolicyKind::Role);
        let read = |prefix: &str| asked("s3:GetObject", &format!("arn:aws:s3:::media/{prefix}/a")).by(&role);
        let list = |prefix: &str| {
            asked("s3:ListBucket", "arn:aws:s3:::media")
                .with(json!({ "s3:prefix": format!("{prefix}/") }))
                .by(&role)
        };
        simulator.expect(ALLOWED, &format!("a read of {prefix}"), read(prefix));
        simulator.expect(ALLOWED, &format!("a list of {prefix}"), list(prefix));
        for other in others {
            simulator.expect(NOT_ALLOWED, &format!("a list of {other} for {prefix}"), list(other));
            // A star that is asked for means to this evaluator that anything is.
            if !other.contains('*') {
                simulator.expect(NOT_ALLOWED, &format!("a read of {other} for {prefix}"), read(other));
            }
        }
    }
    simulator.run();
}

#[test]
fn a_role_is_assumed_by_whom_it_trusts_with_the_external_id() {
    let Some(mut simulator) = Simulator::from_env() else { return };
    let service = "arn:aws:iam::444455556666:user/CreativeForceCloudS3";
    let trust = |principal: &str, id: Option<&str>| {
        let mut request = ask(mount("media")).trusted_principal(principal);
        if let Some(id) = id {
            request = request.external_id(ExternalId::parse(id).unwrap());
        }
        policy(&request.build().unwrap(), PolicyKind::Trust)
    };
    let assume = |principal: &str, context: Value, trust: &Value| {
        let may_ask = json!({ "Version": "2012-10-17", "Statement": [
            { "Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*" },
        ] });
        asked("sts:AssumeRole", ROLE).with(context).of(principal).at(trust).by(&may_ask)
    };
    let with_id = trust(service, Some("studio:2031"));
    for (what, principal, context, expected) in [
        ("the right one", service, json!({ "sts:ExternalId": "studio:2031" }), ALLOWED),
        ("another id", service, json!({ "sts:ExternalId": "studio:2032" }), NOT_ALLOWED),
        ("an id that begins so", service, json!({ "sts:ExternalId": "studio:20310" }), NOT_ALLOWED),
        ("no id", service, json!({}), NOT_ALLOWED),
        (
            "somebody else of that account",
            "arn:aws:iam::444455556666:user/other",
            json!({ "sts:ExternalId": "studio:2031" }),
            NOT_ALLOWED,
        ),
    ] {
        simulator.expect(expected, what, assume(principal, context, &with_id));
    }
    // What identity providers vouch for, this evaluator does not judge.
    let tasks = trust("ecs-tasks.amazonaws.com", None);
    for (name, expected) in [("ecs-tasks.amazonaws.com", ALLOWED), ("ec2.amazonaws.com", NOT_ALLOWED)] {
        simulator.expect(expected, name, assume(name, json!({}), &tasks));
    }
    let account = trust("444455556666", None);
    simulator.expect(ALLOWED, "the account", assume(service, json!({}), &account));
    let stranger = "arn:aws:iam::123456789012:user/stranger";
    simulator.expect(NOT_ALLOWED, "another account", assume(stranger, json!({}), &account));
    simulator.run();
}

#[test]
fn a_bucket_of_another_account_lets_the_role_in_from_its_network() {
    let Some(mut simulator) = Simulator::from_env() else { return };
    for (network, key, other) in
        [("vpc-0a1b", "aws:SourceVpc", "vpc-0a1c"), ("vpce-0a1b", "aws:SourceVpce", "vpce-0a1c")]
    {
        let request = ask(busy(KEY));
        let request = match key {
            "aws:SourceVpc" => request.vpc(network),
            _ => request.vpc_endpoint(network),
        };
        let policies = request.build().unwrap();
        let (role, at_bucket) = (policy(&policies, PolicyKind::Role), policy(&policies, PolicyKind::Bucket));
        for (sid, asked) in functions(KEY).into_iter().filter(|(_, asked)| asked.action.starts_with("s3:")) {
            let from = |network: &str| asked.clone().with(json!({ key: network })).in_account(ABROAD);
            simulator.expect(ALLOWED, &format!("{sid} by {network}"), from(network).at(&at_bucket).by(&role));
            simulator.expect(NOT_ALLOWED, &format!("{sid} by {other}"), from(other).at(&at_bucket).by(&role));
            let elsewhere = asked.clone().in_account(ABROAD);
            simulator.expect(
                NOT_ALLOWED,
                &format!("{sid} from the internet"),
                elsewhere.at(&at_bucket).by(&role),
            );
            let stranger = from(network).of("arn:aws:iam::111122223333:role/other").at(&at_bucket).by(&role);
            simulator.expect(NOT_ALLOWED, &format!("{sid} by another role"), stranger);
            for removed in sids(&at_bucket) {
                let rest = without(&at_bucket, &removed);
                let expected = if removed == sid { NOT_ALLOWED } else { ALLOWED };
                simulator.expect(
                    expected,
                    &format!("{sid} by {network} without {removed}"),
                    from(network).at(&rest).by(&role),
                );
            }
            // In the bucket's own account, the role policy alone decides, and it has the condition, too.
            simulator.expect(NOT_ALLOWED, &format!("{sid} at home from elsewhere"), asked.by(&role));
        }
    }
    simulator.run();
}

#[test]
fn what_is_denied_to_everyone_is_denied_to_administrators_and_can_be_undone() {
    let Some(mut simulator) = Simulator::from_env() else { return };
    let request = ask(mount("media").prefix("films")).vpc_endpoint("vpce-0a1b");
    let policies = request.deny_elsewhere(true).deny_plain_http(true).build().unwrap();
    let at_bucket = policy(&policies, PolicyKind::Bucket);
    let everything = json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Action": "*", "Resource": "*" },
    ] });
    let tls = json!({ "aws:SecureTransport": "true" });
    let admin = |action: &str, resource: &str, context: &Value| {
        let request =
            asked(action, resource).with(context.clone()).of("arn:aws:iam::111122223333:role/admin");
        request.at(&at_bucket).by(&everything)
    };
    let from_endpoint = json!({ "aws:SecureTransport": "true", "aws:SourceVpce": "vpce-0a1b" });
    let by_service = json!({ "aws:SecureTransport": "true", "aws:ViaAWSService": "true" });
    let plain = json!({ "aws:SecureTransport": "false", "aws:SourceVpce": "vpce-0a1b" });
    for (what, action, resource, context, expected) in [
        ("an administrator from elsewhere", "s3:GetObject", OBJECT, &tls, DENIED),
        ("an administrator by the endpoint", "s3:GetObject", OBJECT, &from_endpoint, ALLOWED),
        ("a service for somebody", "s3:GetObject", OBJECT, &by_service, ALLOWED),
        ("beside the prefix", "s3:GetObject", "arn:aws:s3:::media/other", &tls, ALLOWED),
        ("changing the policy", "s3:PutBucketPolicy", "arn:aws:s3:::media", &tls, ALLOWED),
        ("taking the policy away", "s3:DeleteBucketPolicy", "arn:aws:s3:::media", &tls, ALLOWED),
        ("without TLS", "s3:GetObject", OBJECT, &plain, DENIED),
        ("without TLS, beside the prefix", "s3:GetObject", "arn:aws:s3:::media/other", &plain, DENIED),
    ] {
        simulator.expect(expected, what, admin(action, resource, context));
    }
    simulator.run();
}

#[test]
fn a_key_of_another_account_lets_the_role_decrypt_through_s3() {
    let Some(mut simulator) = Simulator::from_env() else { return };
    let policies = ask(busy(KEY_ABROAD)).build().unwrap();
    let (role, mut at_key) = (policy(&policies, PolicyKind::Role), policy(&policies, PolicyKind::Key));
    // What the key's policy says already.
    let owner = json!({
        "Sid": "Owner", "Effect": "Allow", "Principal": { "AWS": format!("arn:aws:iam::{ABROAD}:root") },
        "Action": "kms:*", "Resource": "*",
    });
    at_key["Statement"].as_array_mut().unwrap().push(owner);
    for (sid, asked) in
        functions(KEY_ABROAD).into_iter().filter(|(_, asked)| asked.action.starts_with("kms:"))
    {
        let asked = asked.in_account(ABROAD);
        simulator.expect(ALLOWED, sid, asked.clone().at(&at_key).by(&role));
        let stranger = asked.clone().of("arn:aws:iam::111122223333:role/other").at(&at_key).by(&role);
        simulator.expect(NOT_ALLOWED, &format!("{sid} by another role"), stranger);
        for removed in ["DecryptObjects", "EncryptObjects"] {
            let expected = if removed == sid { NOT_ALLOWED } else { ALLOWED };
            let what = format!("{sid} without {removed}");
            simulator.expect(expected, &what, asked.clone().at(&without(&at_key, removed)).by(&role));
            simulator.expect(expected, &what, asked.clone().at(&at_key).by(&without(&role, removed)));
        }
    }
    simulator.run();
}

#[test]
fn a_key_by_its_alias_is_that_key_alone() {
    let Some(mut simulator) = Simulator::from_env() else { return };
    let alias = "arn:aws:kms:us-west-2:111122223333:alias/media";
    let request = ask(mount("media")).kms_key(KmsKeyArn::parse(alias).unwrap());
    let role = policy(&request.build().unwrap(), PolicyKind::Role);
    for (name, expected) in [("alias/media", ALLOWED), ("alias/other", NOT_ALLOWED)] {
        let context = json!({
            "kms:ViaService": "s3.us-west-2.amazonaws.com",
            "kms:EncryptionContext:aws:s3:arn": OBJECT,
            "kms:ResourceAliases": [name],
        });
        simulator.expect(expected, name, asked("kms:Decrypt", KEY).with(context).by(&role));
    }
    simulator.run();
}

#[test]
fn a_vpc_endpoint_lets_the_role_pass_and_nobody_else() {
    let Some(mut simulator) = Simulator::from_env() else { return };
    let policies = ask(busy(KEY)).vpc_endpoint("vpce-0a1b").build().unwrap();
    let (role, at_endpoint) =
        (policy(&policies, PolicyKind::Role), policy(&policies, PolicyKind::VpcEndpoint));
    let context = |arn: &str| json!({ "aws:SourceVpce": "vpce-0a1b", "aws:PrincipalArn": arn });
    for (sid, asked) in functions(KEY).into_iter().filter(|(_, asked)| asked.action.starts_with("s3:")) {
        let asked = asked.with(context(ROLE));
        simulator.expect(ALLOWED, sid, asked.clone().through(&at_endpoint).by(&role));
        for removed in sids(&at_endpoint) {
            let expected = if removed == sid { NOT_ALLOWED } else { ALLOWED };
            let through = asked.clone().through(&without(&at_endpoint, &removed));
            simulator.expect(expected, &format!("{sid} without {removed}"), through.by(&role));
        }
    }
    let everything = json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Action": "*", "Resource": "*" },
    ] });
    let other = "arn:aws:iam::111122223333:role/other";
    for (what, principal, resource) in
        [("another role", other, OBJECT), ("another bucket", ROLE, "arn:aws:s3:::elsewhere/films/a")]
    {
        let asked = asked("s3:GetObject", resource).of(principal).with(context(principal));
        simulator.expect(NOT_ALLOWED, what, asked.through(&at_endpoint).by(&everything));
    }
    simulator.run();
}

#[test]
fn an_access_point_and_the_bucket_behind_it_let_the_role_in() {
    let Some(mut simulator) = Simulator::from_env() else { return };
    let point = "arn:aws:s3:us-west-2:999988887777:accesspoint/films";
    let request = ask(mount(point).prefix("films").denied(DeniedAnswer::Auto)).bucket_behind(bucket("media"));
    let policies = request.build().unwrap();
    let (role, at_point) = (policy(&policies, PolicyKind::Role), policy(&policies, PolicyKind::AccessPoint));
    let object = format!("{point}/object/films/a.mp4");
    let outside = format!("{point}/object/other");
    for (sid, request) in [
        ("ReadObjects", asked("s3:GetObject", &object)),
        ("ListKeys", asked("s3:ListBucket", point).with(json!({ "s3:prefix": "films/" }))),
    ] {
        let request = request.in_account(ABROAD);
        simulator.expect(ALLOWED, sid, request.clone().at(&at_point).by(&role));
        for removed in sids(&at_point) {
            let expected = if removed == sid { NOT_ALLOWED } else { ALLOWED };
            let what = format!("{sid} without {removed}");
            simulator.expect(expected, &what, request.clone().at(&without(&at_point, &removed)).by(&role));
        }
    }
    let request = asked("s3:GetObject", &outside).in_account(ABROAD);
    simulator.expect(NOT_ALLOWED, "outside of the prefix", request.at(&at_point).by(&role));

    // What the bucket says of requests that came through the access point, and of others.
    let at_bucket = policy(&policies, PolicyKind::Bucket);
    let everything = json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Action": "s3:*", "Resource": "*" },
    ] });
    let other = "arn:aws:s3:us-west-2:999988887777:accesspoint/others";
    for (what, context, expected) in [
        ("through the access point", json!({ "s3:DataAccessPointArn": point }), ALLOWED),
        ("through another", json!({ "s3:DataAccessPointArn": other }), NOT_ALLOWED),
        ("directly", json!({}), NOT_ALLOWED),
    ] {
        let request = asked("s3:GetObject", OBJECT).with(context).in_account(ABROAD);
        simulator.expect(expected, what, request.at(&at_bucket).by(&everything));
    }
    simulator.run();
}

#[test]
fn a_directory_bucket_lets_in_sessions_of_the_kind_that_is_granted() {
    let Some(mut simulator) = Simulator::from_env() else { return };
    let name = "media--usw2-az1--x-s3";
    let arn = format!("arn:aws:s3express:us-west-2:{HOME}:bucket/{name}");
    for (grant, writes) in [(Grant::Read, NOT_ALLOWED), (Grant::ReadWrite, ALLOWED)] {
        let resolver = BucketResolver::new(|_| async { Ok(None) });
        let mount = Mount::bucket_from(resolver).region("us-west-2").credentials(keys()).grant(grant);
        let policies = ask(mount).bucket(bucket(name)).build().unwrap();
        let role = policy(&policies, PolicyKind::Role);
        let session = |mode: &str| {
            asked("s3express:CreateSession", &arn).with(json!({ "s3express:SessionMode": mode })).by(&role)
        };
        simulator.expect(ALLOWED, "a session that reads", session("ReadOnly"));
        simulator.expect(writes, "a session that writes", session("ReadWrite"));
    }
    simulator.run();
}

#[test]
fn a_mount_in_china_is_allowed_there() {
    let Some(mut simulator) = Simulator::from_env() else { return };
    let role = "arn:aws-cn:iam::111122223333:role/media-proxy";
    let media = Mount::builder(bucket("media")).region("cn-north-1").credentials(keys()).prefix("films");
    let policies = PolicyRequest::for_mount(&media.build().unwrap()).role(role).build().unwrap();
    let (role_policy, at_bucket) =
        (policy(&policies, PolicyKind::Role), policy(&policies, PolicyKind::Bucket));
    let read = |key: &str| asked("s3:GetObject", &format!("arn:aws-cn:s3:::media/{key}")).of(role);
    simulator.expect(ALLOWED, "at home", read("films/a").by(&role_policy));
    simulator.expect(ALLOWED, "abroad", read("films/a").in_account(ABROAD).at(&at_bucket).by(&role_policy));
    simulator.expect(NOT_ALLOWED, "outside of the prefix", read("other").by(&role_policy));
    simulator.run();
}

#[test]
fn many_buckets_are_those_of_the_owner_alone() {
    let Some(mut simulator) = Simulator::from_env() else { return };
    let many = Mount::bucket_from_path(["media-*", "{a,b}-films"]).region("us-west-2").credentials(keys());
    let owned = ask(many).owner(HOME.parse().unwrap()).build().unwrap();
    let role = policy(&owned, PolicyKind::Role);
    for (name, owner, expected) in [
        ("media-1", HOME, ALLOWED),
        ("a-films", HOME, ALLOWED),
        ("b-films", HOME, ALLOWED),
        ("c-films", HOME, NOT_ALLOWED),
        ("media-1", ABROAD, NOT_ALLOWED),
    ] {
        let object = format!("arn:aws:s3:::{name}/a");
        let request = asked("s3:GetObject", &object).with(json!({ "s3:ResourceAccount": owner }));
        simulator.expect(expected, &format!("{name} of {owner}"), request.by(&role));
    }
    simulator.run();
}
