//! Documents of whole mounts, compared as JSON. `scripts/with-iam-simulate` and the tests over SeaweedFS show that they
//! are right.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{
    BucketName, ConfigErrorKind, Cors, Mount, MountBuilder,
    bucket::{BucketResolver, Grant},
    credentials::{Credentials, ExternalId},
    encryption::{Encryption, KmsKeyArn},
    presigned::{PresignedRequests, UnsignedRequests},
    response::DeniedAnswer,
};

const ROLE: &str = "arn:aws:iam::111122223333:role/media-proxy";
const KEY: &str = "arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

fn bucket(name: &str) -> BucketName {
    BucketName::parse(name).unwrap()
}

fn mount(name: &str) -> MountBuilder {
    signed(Mount::builder(bucket(name)))
}

fn signed(mount: MountBuilder) -> MountBuilder {
    mount.region("us-west-2").credentials(Credentials::new("AKIDEXAMPLE", "not-a-secret", None, None, "test"))
}

fn ask(mount: MountBuilder) -> PolicyRequest {
    PolicyRequest::for_mount(&mount.build().unwrap())
}

fn statements(policies: &Policies, kind: PolicyKind) -> Value {
    let document = policies.document(kind).unwrap_or_else(|| panic!("{kind}: {:?}", policies.left_out()));
    let json: Value = serde_json::from_str(&document.to_json()).unwrap();
    assert_eq!(json["Version"], "2012-10-17");
    Value::Array(json["Statement"].as_array().unwrap().iter().map(with_lists).collect())
}

/// The statement with one-element lists in place of single texts.
fn with_lists(statement: &Value) -> Value {
    let list = |value: &mut Value| {
        if value.is_string() {
            *value = json!([value]);
        }
    };
    let mut statement = statement.clone();
    for (name, value) in statement.as_object_mut().unwrap() {
        match name.as_str() {
            "Action" | "Resource" => list(value),
            "Condition" => {
                value
                    .as_object_mut()
                    .unwrap()
                    .values_mut()
                    .flat_map(|keys| keys.as_object_mut().unwrap().values_mut())
                    .for_each(list);
            }
            _ => {}
        }
    }
    statement
}

/// A user of one tenant reads the bucket of another.
#[test]
fn a_bucket_of_a_tenant_of_ceph_has_the_tenant_in_the_place_of_the_account() {
    let user = "arn:aws:iam::films:user/proxy";
    let at_ceph = |bucket: &str| mount(bucket).endpoint_url("https://ceph.test").prefix("web");
    let policies = ask(at_ceph("studio:media")).role(user).listing(true).build().unwrap();
    let read = json!({
        "Sid": "ReadObjects", "Effect": "Allow",
        "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3::studio:media/web/*"],
    });
    let statements = |kind| statements(&policies, kind);
    assert_eq!(statements(PolicyKind::Role)[0], read);
    assert_eq!(statements(PolicyKind::Role)[1]["Resource"], json!(["arn:aws:s3::studio:media"]));
    assert_eq!(statements(PolicyKind::Bucket)[0]["Principal"], json!({ "AWS": user }));
    assert_eq!(statements(PolicyKind::Bucket)[0]["Resource"], read["Resource"]);

    let many = Mount::bucket_from_path(["studio:media-*", "{films,music}:*"]);
    let policies = ask(signed(many).endpoint_url("https://ceph.test")).build().unwrap();
    let role: Value = serde_json::from_str(&policies.document(PolicyKind::Role).unwrap().to_json()).unwrap();
    assert_eq!(
        role["Statement"][0]["Resource"],
        json!(["arn:aws:s3::studio:media-*/*", "arn:aws:s3::films:*/*", "arn:aws:s3::music:*/*"])
    );
}

fn kinds(policies: &Policies) -> Vec<PolicyKind> {
    policies.documents().iter().map(PolicyDocument::kind).collect()
}

#[test]
fn a_mount_that_reads_may_read_under_its_prefix_and_nothing_else() {
    let policies = ask(mount("media").prefix("web")).build().unwrap();
    assert_eq!(kinds(&policies), [PolicyKind::Role]);
    assert_eq!(
        statements(&policies, PolicyKind::Role),
        json!([{
            "Sid": "ReadObjects", "Effect": "Allow",
            "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::media/web/*"],
        }])
    );
    let left_out = policies.left_out().join("\n");
    assert!(left_out.contains("The trust policy") && left_out.contains("The bucket policy"), "{left_out}");
}

/// The statements for reading and listing what is below the prefix `web`.
#[cfg(any(feature = "listing", feature = "s3-clients"))]
fn reading_and_listing() -> Value {
    json!([
        {
            "Sid": "ReadObjects", "Effect": "Allow",
            "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::media/web/*"],
        },
        {
            "Sid": "ListKeys", "Effect": "Allow",
            "Action": ["s3:ListBucket"], "Resource": ["arn:aws:s3:::media"],
            "Condition": { "StringLike": { "s3:prefix": ["web/*"] } },
        },
    ])
}

#[cfg(feature = "listing")]
#[test]
fn a_mount_with_listings_lists_below_its_prefix() {
    use crate::listing::Listing;

    let policies = ask(mount("media").prefix("web").listing(Listing::new())).build().unwrap();
    assert_eq!(statements(&policies, PolicyKind::Role), reading_and_listing());
}

#[cfg(feature = "s3-clients")]
#[test]
fn a_mount_with_client_keys_lists() {
    use crate::clients::{ClientKey, ClientKeys};

    let keys = ClientKeys::new([ClientKey::new("reader", "not-a-secret")]).unwrap();
    let policies = ask(mount("media").prefix("web").client_keys(&keys)).build().unwrap();
    assert_eq!(statements(&policies, PolicyKind::Role), reading_and_listing());
}

#[test]
fn each_thing_that_a_mount_does_has_a_statement_of_its_own() {
    let key = KmsKeyArn::parse(KEY).unwrap();
    let all = mount("media")
        .prefix("web")
        .allow_versions(true)
        .denied(DeniedAnswer::Auto)
        .grant(Grant::ReadWrite)
        .encryption(Encryption::kms(key).context([("project", "f*lms")]));
    let policies = ask(all).build().unwrap();
    let via_s3 = json!({ "kms:ViaService": ["s3.us-west-2.amazonaws.com"] });
    let arns =
        json!({ "kms:EncryptionContext:aws:s3:arn": ["arn:aws:s3:::media", "arn:aws:s3:::media/web/*"] });
    assert_eq!(
        statements(&policies, PolicyKind::Role),
        json!([
            {
                "Sid": "ReadObjects", "Effect": "Allow",
                "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::media/web/*"],
            },
            {
                "Sid": "ReadVersions", "Effect": "Allow",
                "Action": ["s3:GetObjectVersion"], "Resource": ["arn:aws:s3:::media/web/*"],
            },
            {
                "Sid": "ListKeys", "Effect": "Allow",
                "Action": ["s3:ListBucket"], "Resource": ["arn:aws:s3:::media"],
                "Condition": { "StringLike": { "s3:prefix": ["web/*"] } },
            },
            {
                "Sid": "WriteObjects", "Effect": "Allow",
                "Action": ["s3:PutObject"], "Resource": ["arn:aws:s3:::media/web/*"],
            },
            {
                "Sid": "DeleteObjects", "Effect": "Allow",
                "Action": ["s3:DeleteObject"], "Resource": ["arn:aws:s3:::media/web/*"],
            },
            {
                "Sid": "EndUploads", "Effect": "Allow",
                "Action": ["s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"],
                "Resource": ["arn:aws:s3:::media/web/*"],
            },
            {
                "Sid": "DecryptObjects", "Effect": "Allow", "Action": ["kms:Decrypt"], "Resource": [KEY],
                "Condition": { "StringEquals": via_s3, "StringLike": arns },
            },
            {
                "Sid": "EncryptObjects", "Effect": "Allow", "Action": ["kms:GenerateDataKey"], "Resource": [KEY],
                "Condition": {
                    "StringEquals": {
                        "kms:ViaService": ["s3.us-west-2.amazonaws.com"],
                        "kms:EncryptionContext:project": ["f${*}lms"],
                    },
                    "StringLike": arns,
                },
            },
        ])
    );
    for (permission, sid) in [
        (Permission::Read, "ReadObjects"),
        (Permission::ReadVersion, "ReadVersions"),
        (Permission::List, "ListKeys"),
        (Permission::Write, "WriteObjects"),
        (Permission::Delete, "DeleteObjects"),
        (Permission::EndUpload, "EndUploads"),
        (Permission::Decrypt, "DecryptObjects"),
        (Permission::Encrypt, "EncryptObjects"),
    ] {
        assert_eq!(policies.granting(permission).map(PolicyStatement::sid), Some(sid));
    }
    assert_eq!(policies.granting(Permission::CreateSession), None);
}

#[test]
fn a_grant_to_read_never_writes() {
    let key = KmsKeyArn::parse(KEY).unwrap();
    let policies = ask(mount("media").encryption(Encryption::kms(key))).build().unwrap();
    let sids: Vec<_> = policies.documents()[0].statements().iter().map(PolicyStatement::sid).collect();
    assert_eq!(sids, ["ReadObjects", "DecryptObjects"]);
}

#[test]
fn a_role_is_trusted_by_whom_the_user_names_and_with_the_external_id() {
    for (principal, id, expected) in [
        (
            "444455556666",
            Some("studio-7:a/b"),
            json!({ "Principal": { "AWS": "arn:aws:iam::444455556666:root" },
                    "Action": ["sts:AssumeRole"],
                    "Condition": { "StringEquals": { "sts:ExternalId": ["studio-7:a/b"] } } }),
        ),
        (
            "arn:aws:iam::444455556666:user/CreativeForceCloudS3",
            None,
            json!({ "Principal": { "AWS": "arn:aws:iam::444455556666:user/CreativeForceCloudS3" },
                    "Action": ["sts:AssumeRole"] }),
        ),
        (
            "ecs-tasks.amazonaws.com",
            Some("none-for-services"),
            json!({ "Principal": { "Service": "ecs-tasks.amazonaws.com" }, "Action": ["sts:AssumeRole"] }),
        ),
        (
            "pods.eks.amazonaws.com",
            None,
            json!({ "Principal": { "Service": "pods.eks.amazonaws.com" },
                    "Action": ["sts:AssumeRole", "sts:TagSession"] }),
        ),
    ] {
        let mut asked = ask(mount("media")).trusted_principal(principal);
        if let Some(id) = id {
            asked = asked.external_id(ExternalId::parse(id).unwrap());
        }
        let mut expected = expected;
        expected["Sid"] = json!("AssumeRole");
        expected["Effect"] = json!("Allow");
        assert_eq!(statements(&asked.build().unwrap(), PolicyKind::Trust), json!([expected]), "{principal}");
    }
}

#[cfg(feature = "aws-config")]
#[tokio::test]
async fn the_role_that_the_credentials_assume_is_that_of_the_policies() {
    use crate::credentials::{AssumeRole, RoleArn};

    let keys = Credentials::new("AKIDEXAMPLE", "not-a-secret", None, None, "test");
    let source = AssumeRole::new(RoleArn::parse(ROLE).unwrap())
        .external_id(ExternalId::parse("studio:2031").unwrap())
        .region("us-west-2")
        .source(keys)
        .build()
        .await
        .unwrap();
    let asked = ask(mount("media").credentials(source)).trusted_principal("444455556666");
    let policies = asked.build().unwrap();
    assert_eq!(statements(&policies, PolicyKind::Bucket)[0]["Principal"], json!({ "AWS": ROLE }));
    let condition = json!({ "StringEquals": { "sts:ExternalId": ["studio:2031"] } });
    assert_eq!(statements(&policies, PolicyKind::Trust)[0]["Condition"], condition);
    // It belongs in the policy, and in no log.
    for debug in [format!("{asked:?}"), format!("{policies:?}")] {
        assert!(!debug.contains("studio:2031"), "{debug}");
    }
}

#[test]
fn an_identity_provider_is_trusted_for_one_subject() {
    let provider = "arn:aws:iam::111122223333:oidc-provider/oidc.eks.us-west-2.amazonaws.com/id/A1";
    let asked = || ask(mount("media")).trusted_principal(provider);
    let policies = asked().trusted_subject("system:serviceaccount:media:proxy").build().unwrap();
    assert_eq!(
        statements(&policies, PolicyKind::Trust),
        json!([{
            "Sid": "AssumeRole", "Effect": "Allow", "Principal": { "Federated": provider },
            "Action": ["sts:AssumeRoleWithWebIdentity"],
            "Condition": { "StringEquals": {
                "oidc.eks.us-west-2.amazonaws.com/id/A1:aud": ["sts.amazonaws.com"],
                "oidc.eks.us-west-2.amazonaws.com/id/A1:sub": ["system:serviceaccount:media:proxy"],
            } },
        }])
    );
    for (asked, kind) in [
        (asked(), ConfigErrorKind::Missing),
        (asked().trusted_subject("system:*"), ConfigErrorKind::InvalidValue),
        (
            ask(mount("media")).trusted_principal("111122223333").trusted_subject("a"),
            ConfigErrorKind::Contradiction,
        ),
    ] {
        assert_eq!(asked.build().unwrap_err().kind(), kind);
    }
}

#[test]
fn a_bucket_allows_the_role_from_its_network_and_denies_only_what_was_asked() {
    let reads = |condition: Value| {
        json!({
            "Sid": "ReadObjects", "Effect": "Allow", "Principal": { "AWS": ROLE },
            "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::media/web/*"], "Condition": condition,
        })
    };
    let asked = || ask(mount("media").prefix("web")).role(ROLE);
    let vpc = asked().vpc("vpc-0a1b").build().unwrap();
    assert_eq!(
        statements(&vpc, PolicyKind::Bucket),
        json!([reads(json!({ "StringEquals": { "aws:SourceVpc": ["vpc-0a1b"] } }))])
    );
    let endpoint =
        asked().vpc_endpoint("vpce-0a1b").deny_elsewhere(true).deny_plain_http(true).build().unwrap();
    assert_eq!(
        statements(&endpoint, PolicyKind::Bucket),
        json!([
            reads(json!({ "StringEquals": { "aws:SourceVpce": ["vpce-0a1b"] } })),
            {
                "Sid": "DenyPlainHttp", "Effect": "Deny", "Principal": "*", "Action": ["s3:*"],
                "Resource": ["arn:aws:s3:::media", "arn:aws:s3:::media/*"],
                "Condition": { "Bool": { "aws:SecureTransport": ["false"] } },
            },
            {
                "Sid": "DenyElsewhere", "Effect": "Deny", "Principal": "*",
                "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::media/web/*"],
                "Condition": {
                    "StringNotEquals": { "aws:SourceVpce": ["vpce-0a1b"] },
                    "BoolIfExists": { "aws:ViaAWSService": ["false"], "aws:PrincipalIsAWSService": ["false"] },
                },
            },
        ])
    );
    assert_eq!(
        statements(&endpoint, PolicyKind::VpcEndpoint),
        json!([{
            "Sid": "ReadObjects", "Effect": "Allow", "Principal": "*",
            "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::media/web/*"],
            "Condition": { "ArnEquals": { "aws:PrincipalArn": [ROLE] } },
        }])
    );
    // The same condition is in the role policy: within one account that alone would allow.
    assert_eq!(
        statements(&endpoint, PolicyKind::Role)[0]["Condition"],
        json!({ "StringEquals": { "aws:SourceVpce": ["vpce-0a1b"] } })
    );
}

#[test]
fn a_key_allows_the_role_through_s3_and_says_what_cannot_be_shared() {
    let other = "arn:aws:kms:us-west-2:999988887777:key/1234abcd-12ab-34cd-56ef-1234567890ab";
    for (key, hint) in [(KEY, "in one account"), (other, "cannot be shared with another account")] {
        let encryption = Encryption::kms(KmsKeyArn::parse(key).unwrap());
        let policies = ask(mount("media").encryption(encryption)).role(ROLE).build().unwrap();
        assert_eq!(
            statements(&policies, PolicyKind::Key),
            json!([{
                "Sid": "DecryptObjects", "Effect": "Allow", "Principal": { "AWS": ROLE },
                "Action": ["kms:Decrypt"], "Resource": ["*"],
                "Condition": {
                    "StringEquals": { "kms:ViaService": ["s3.us-west-2.amazonaws.com"] },
                    "StringLike": { "kms:EncryptionContext:aws:s3:arn": ["arn:aws:s3:::media", "arn:aws:s3:::media/*"] },
                },
            }])
        );
        let about = policies.document(PolicyKind::Key).unwrap().about();
        assert!(about.contains(hint), "{about}");
    }

    let managed = KmsKeyArn::parse("arn:aws:kms:us-west-2:999988887777:alias/aws/s3").unwrap();
    let policies = ask(mount("media")).role(ROLE).kms_key(managed).build().unwrap();
    assert_eq!(policies.granting(Permission::Decrypt), None);
    assert!(policies.left_out().iter().any(|what| what.contains("AWS manages that key")));
}

#[test]
fn keys_by_alias_are_allowed_by_what_iam_knows_of_them() {
    let alias = KmsKeyArn::parse("arn:aws:kms:us-west-2:111122223333:alias/media").unwrap();
    let both = ask(mount("media")).kms_key(KmsKeyArn::parse(KEY).unwrap()).kms_key(alias).role(ROLE);
    let policies = both.build().unwrap();
    let statements = statements(&policies, PolicyKind::Role);
    assert_eq!(statements[1]["Resource"], json!([KEY]));
    assert_eq!(statements[2]["Sid"], "DecryptByAlias");
    assert_eq!(statements[2]["Resource"], json!(["arn:aws:kms:us-west-2:111122223333:key/*"]));
    assert_eq!(
        statements[2]["Condition"]["ForAnyValue:StringEquals"],
        json!({ "kms:ResourceAliases": ["alias/media"] })
    );
    assert_eq!(policies.document(PolicyKind::Key).unwrap().statements().len(), 1);
}

#[test]
fn an_access_point_is_allowed_at_its_own_arn_and_its_bucket_leaves_it_to_it() {
    let point = "arn:aws:s3:us-west-2:111122223333:accesspoint:films";
    let asked = ask(mount(point).prefix("web")).role(ROLE);
    let without = asked.build().unwrap();
    assert_eq!(kinds(&without), [PolicyKind::Role, PolicyKind::AccessPoint]);
    assert!(without.left_out().iter().any(|what| what.contains("does not name its bucket")));
    let objects = "arn:aws:s3:us-west-2:111122223333:accesspoint/films/object/web/*";
    assert_eq!(statements(&without, PolicyKind::Role)[0]["Resource"], json!([objects]));
    assert_eq!(statements(&without, PolicyKind::AccessPoint)[0]["Principal"], json!({ "AWS": ROLE }));

    let with = asked.bucket_behind(bucket("studio-media")).build().unwrap();
    assert_eq!(
        statements(&with, PolicyKind::Bucket),
        json!([{
            "Sid": "LeaveToAccessPoint", "Effect": "Allow", "Principal": "*", "Action": ["s3:GetObject"],
            "Resource": ["arn:aws:s3:::studio-media", "arn:aws:s3:::studio-media/*"],
            "Condition": { "StringEquals": {
                "s3:DataAccessPointArn": ["arn:aws:s3:us-west-2:111122223333:accesspoint/films"],
            } },
        }])
    );
}

/// S3 user guide, "Creating access points restricted to a virtual private cloud".
#[test]
fn a_vpc_endpoint_lets_requests_through_to_the_access_point_and_to_its_bucket() {
    let point = "arn:aws:s3:us-west-2:111122223333:accesspoint/films";
    let asked = ask(mount(point).prefix("web")).role(ROLE).listing(true).vpc_endpoint("vpce-0a1b");
    let without = asked.build().unwrap();
    assert!(without.document(PolicyKind::VpcEndpoint).is_none());
    assert!(without.left_out().iter().any(|what| what.starts_with("The VPC endpoint policy:")));

    let with = asked.bucket_behind(bucket("studio-media")).build().unwrap();
    let statements = statements(&with, PolicyKind::VpcEndpoint);
    let resources = |n: usize| statements[n]["Resource"].clone();
    assert_eq!(resources(0), json!([format!("{point}/object/web/*"), "arn:aws:s3:::studio-media/web/*"]));
    assert_eq!(resources(1), json!([point, "arn:aws:s3:::studio-media"]));
    assert_eq!(statements[1]["Condition"]["StringLike"], json!({ "s3:prefix": ["web/*"] }));
}

/// S3 user guide, "Using server-side encryption with AWS KMS keys (SSE-KMS) in directory buckets".
#[test]
fn reads_of_a_directory_bucket_need_data_keys_of_kms_too() {
    let name = "media--usw2-az1--x-s3";
    let reads =
        |bucket: &str| ask(mount(bucket).prefix("web")).kms_key(KmsKeyArn::parse(KEY).unwrap()).role(ROLE);
    for kind in [PolicyKind::Role, PolicyKind::Key] {
        let actions = |bucket| {
            let policies = reads(bucket).build().unwrap();
            statements(&policies, kind).as_array().unwrap().last().unwrap()["Action"].clone()
        };
        assert_eq!(actions(name), json!(["kms:Decrypt", "kms:GenerateDataKey"]));
        assert_eq!(actions("media"), json!(["kms:Decrypt"]));
    }
    let encryption = Encryption::kms(KmsKeyArn::parse(KEY).unwrap());
    let writes = ask(mount(name).grant(Grant::ReadWrite).encryption(encryption)).role(ROLE).build().unwrap();
    assert_eq!(statements(&writes, PolicyKind::Key).as_array().unwrap().len(), 1);
}

#[test]
fn a_directory_bucket_is_entered_by_sessions_and_never_under_a_prefix_alone() {
    let name = "media--usw2-az1--x-s3";
    let resolved = |grant| {
        let resolver = BucketResolver::new(|_| async { Ok(None) });
        signed(Mount::bucket_from(resolver).prefix("web").allow_versions(true).grant(grant))
    };
    let reads = ask(resolved(Grant::Read)).bucket(bucket(name)).role(ROLE).build().unwrap();
    let mut expected = json!({
        "Sid": "CreateSession", "Effect": "Allow", "Action": ["s3express:CreateSession"],
        "Resource": [format!("arn:aws:s3express:us-west-2:*:bucket/{name}")],
        "Condition": { "StringEquals": { "s3express:SessionMode": ["ReadOnly"] } },
    });
    assert_eq!(statements(&reads, PolicyKind::Role), json!([expected]));
    let why = reads.granting(Permission::CreateSession).unwrap().why();
    assert!(why.contains("a prefix cannot be allowed alone") && why.contains("The star stands for"), "{why}");

    let owner = crate::bucket::AccountId::parse("111122223333").unwrap();
    let writes = ask(resolved(Grant::ReadWrite)).bucket(bucket(name)).owner(owner).deny_plain_http(true);
    let arn = format!("arn:aws:s3express:us-west-2:111122223333:bucket/{name}");
    expected["Resource"] = json!([arn]);
    expected.as_object_mut().unwrap().remove("Condition");
    let writes = writes.build().unwrap();
    assert_eq!(statements(&writes, PolicyKind::Role), json!([expected]));
    assert_eq!(statements(&writes, PolicyKind::Bucket)[0]["Action"], json!(["s3express:*"]));
}

#[test]
fn many_buckets_are_patterns_that_say_where_they_are_wider() {
    let many = || signed(Mount::bucket_from_path(["media-*", "{a,b}-x", "m[0-9]"]).prefix("web"));
    let owner = crate::bucket::AccountId::parse("111122223333").unwrap();
    let policies = ask(many()).role(ROLE).owner(owner).build().unwrap();
    assert_eq!(
        statements(&policies, PolicyKind::Role),
        json!([{
            "Sid": "ReadObjects", "Effect": "Allow", "Action": ["s3:GetObject"],
            "Resource": [
                "arn:aws:s3:::media-*/web/*", "arn:aws:s3:::a-x/web/*", "arn:aws:s3:::b-x/web/*",
                "arn:aws:s3:::m?/web/*",
            ],
            "Condition": { "StringEquals": { "s3:ResourceAccount": ["111122223333"] } },
        }])
    );
    let why = policies.granting(Permission::Read).unwrap().why();
    assert!(why.contains("cannot express the classes") && why.contains("a star matches slashes"), "{why}");
    assert!(policies.left_out().iter().any(|what| what.contains("Name the bucket")));

    let one = ask(many()).bucket(bucket("media-7")).role(ROLE).build().unwrap();
    assert_eq!(statements(&one, PolicyKind::Bucket)[0]["Resource"], json!(["arn:aws:s3:::media-7/web/*"]));
    let error = ask(many()).bucket(bucket("other")).build().unwrap_err();
    assert_eq!(error.kind(), ConfigErrorKind::Contradiction, "{error}");

    let resolved = || signed(Mount::bucket_from(BucketResolver::new(|_| async { Ok(None) })));
    let error = ask(resolved()).build().unwrap_err();
    assert_eq!(error.kind(), ConfigErrorKind::Missing, "{error}");
    assert!(ask(resolved()).bucket(bucket("media")).build().is_ok());
}

#[test]
fn a_compatible_server_gets_what_it_understands_and_the_rest_is_named() {
    let key = KmsKeyArn::parse(KEY).unwrap();
    let at_home = mount("media")
        .endpoint_url("http://127.0.0.1:9000")
        .prefix("web")
        .grant(Grant::ReadWrite)
        .encryption(Encryption::kms(key));
    let policies = ask(at_home)
        .role("arn:aws:iam:::user/media")
        .trusted_principal("111122223333")
        .vpc("vpc-1")
        .listing(true)
        .build()
        .unwrap();
    assert_eq!(kinds(&policies), [PolicyKind::Role, PolicyKind::Bucket]);
    let text = policies.documents().iter().map(PolicyDocument::to_json).collect::<String>();
    for foreign in ["kms:", "aws:Source", "sts:", "ListMultipartUploadParts"] {
        assert!(!text.contains(foreign), "{foreign} in {text}");
    }
    let left_out = policies.left_out().join("\n");
    for named in ["trust policy", "VPC", "KMS", "MinIO"] {
        assert!(left_out.contains(named), "{named} in {left_out}");
    }

    // The language cannot express it, and the nearest pattern would allow more.
    for prefix in ["a*b", "a?b", "${aws:username}"] {
        let at_home = mount("media").endpoint_url("http://127.0.0.1:9000").prefix(prefix);
        let error = ask(at_home).build().unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::InvalidValue, "{error}");
    }
    // A VPC endpoint's URL belongs to AWS.
    let url = "https://bucket.vpce-1a2b-3c4d.s3.us-west-2.vpce.amazonaws.com";
    let through = ask(mount("media").endpoint_url(url)).vpc_endpoint("vpce-1a2b").build().unwrap();
    assert_eq!(kinds(&through), [PolicyKind::Role, PolicyKind::VpcEndpoint]);
}

#[test]
fn a_public_bucket_has_to_allow_everyone() {
    let public = Mount::builder(bucket("media")).region("us-west-2").anonymous();
    let policies = ask(public).build().unwrap();
    assert_eq!(kinds(&policies), [PolicyKind::Bucket]);
    assert_eq!(statements(&policies, PolicyKind::Bucket)[0]["Principal"], json!("*"));
    assert!(policies.document(PolicyKind::Bucket).unwrap().about().contains("the whole internet"));
}

#[test]
fn cors_is_told_to_s3_as_far_as_it_understands_it() {
    let cors =
        Cors::origins(["https://app.example.com", "https://*.example.{com,net}", "https://a?.example.com"])
            .methods(["GET", "HEAD", "OPTIONS"]);
    let policies = ask(mount("media").cors(cors)).build().unwrap();
    let document = policies.document(PolicyKind::Cors).unwrap();
    let json: Value = serde_json::from_str(&document.to_json()).unwrap();
    assert_eq!(
        json,
        json!({ "CORSRules": [{
            "AllowedOrigins": ["https://app.example.com", "https://*.example.com", "https://*.example.net"],
            "AllowedMethods": ["GET", "HEAD"],
            "AllowedHeaders": [
                "range", "if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range",
            ],
            "ExposeHeaders": ["etag", "content-range", "accept-ranges", "content-length"],
            "MaxAgeSeconds": 3600,
        }] })
    );
    assert!(document.about().contains("https://a?.example.com"), "{}", document.about());
    let only_options = ask(mount("media").cors(Cors::any_origin().methods(["OPTIONS"]))).build().unwrap();
    assert!(only_options.document(PolicyKind::Cors).is_none());
}

#[test]
fn what_makes_no_sense_is_refused_with_what_would() {
    use ConfigErrorKind::{Contradiction, InvalidValue};

    let asked = || ask(mount("media"));
    let plain = ask(mount("media").endpoint_url("http://127.0.0.1:9000"));
    for (asked, kind, hint) in [
        (asked().role("media-proxy"), InvalidValue, "the ARN of a role or a user"),
        (asked().trusted_principal("*"), InvalidValue, "an account (12 digits)"),
        (asked().vpc("vpce-0a"), InvalidValue, "vpc-0123456789abcdef0"),
        (asked().vpc_endpoint("vpce-*"), InvalidValue, "vpce-0123456789abcdef0"),
        (asked().vpc("vpc-0a").vpc_endpoint("vpce-0a"), Contradiction, "name the endpoint alone"),
        (asked().deny_elsewhere(true), Contradiction, "name one"),
        (plain.deny_plain_http(true), Contradiction, "would shut out this mount"),
        (asked().bucket_behind(bucket("other")), Contradiction, "leave it out"),
    ] {
        let error = asked.build().unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(hint), "{error}: {hint}");
    }
}

#[test]
fn people_get_reasons_above_each_document_and_programs_get_json() {
    let policies = ask(mount("media")).role(ROLE).build().unwrap();
    let text = policies.to_string();
    assert!(text.starts_with("## media at /\n\n# Role policy\n# For the role"), "{text}");
    assert!(text.contains("# ReadObjects: For every GET and HEAD"), "{text}");
    assert!(text.contains("\n# Left out: The trust policy"), "{text}");
    assert!(text.lines().all(|line| line.len() <= 100), "{text}");
    // Everything except comments is JSON, one document after the other.
    let json: String =
        text.lines().filter(|line| !line.starts_with('#')).map(|line| format!("{line}\n")).collect();
    let documents: Vec<Value> =
        serde_json::Deserializer::from_str(&json).into_iter().collect::<Result<_, _>>().unwrap();
    assert_eq!(documents.len(), 2);
    assert_eq!(documents[0]["Statement"][0]["Action"], "s3:GetObject");
    // In the order in which policies are written.
    let order = ["\"Sid\"", "\"Effect\"", "\"Principal\"", "\"Action\"", "\"Resource\""];
    let bucket = policies.document(PolicyKind::Bucket).unwrap().to_json();
    assert!(order.map(|member| bucket.find(member).unwrap()).is_sorted(), "{bucket}");

    let all: Value = serde_json::from_str(&policies.to_json()).unwrap();
    assert_eq!(all["mount"], "media at /");
    assert_eq!(all["documents"][0]["kind"], "role-policy");
    assert_eq!(all["documents"][0]["document"]["Statement"][0]["Sid"], "ReadObjects");
    assert_eq!(all["documents"][0]["statements"][0]["sid"], "ReadObjects");
    assert!(all["left_out"].as_array().unwrap().iter().all(Value::is_string));
}

/// Prefixes of the pieces that patterns are made of.
fn nasty_prefix() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec!["a", "b", "/", "*", "?", "$", "{", "}", "${a}", "${*}", "ü"]);
    prop::collection::vec(piece, 1..6).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn no_resource_matches_a_key_outside_of_the_prefix(prefix in nasty_prefix(), key in "[ab/*?${}ü]{0,10}") {
        let Ok(mount) = mount("media").prefix(&prefix).denied(DeniedAnswer::Auto).build() else { return Ok(()) };
        let slash = if prefix.ends_with('/') { "" } else { "/" };
        let begin = format!("{prefix}{slash}");
        let inside = format!("{begin}{key}");
        let policies = PolicyRequest::for_mount(&mount).build().unwrap();
        let statement = |permission| {
            let json = policies.granting(permission).unwrap().to_json();
            with_lists(&serde_json::from_str(&json).unwrap())
        };
        let (read, list) = (statement(Permission::Read), statement(Permission::List));
        let patterns = [
            read["Resource"][0].as_str().unwrap().strip_prefix("arn:aws:s3:::media/").unwrap(),
            list["Condition"]["StringLike"]["s3:prefix"][0].as_str().unwrap(),
        ];
        for pattern in patterns {
            prop_assert!(pattern::matches(pattern, &inside), "{pattern} {inside}");
            prop_assert_eq!(pattern::matches(pattern, &key), key.starts_with(&begin), "{} {}", pattern, key);
        }
    }
}

/// Such a mount must not be mistaken for one of a public bucket.
#[test]
fn a_mount_that_passes_on_links_alone_needs_the_policy_of_their_maker() {
    for (writes, actions) in [
        (false, &["s3:GetObject"][..]),
        (
            true,
            &[
                "s3:GetObject",
                "s3:PutObject",
                "s3:DeleteObject",
                "s3:AbortMultipartUpload",
                "s3:ListMultipartUploadParts",
            ],
        ),
    ] {
        let links = PresignedRequests::new().allow_writes(writes).unsigned(UnsignedRequests::Refused);
        let mount = || Mount::builder(bucket("studio-media")).region("us-west-2").presigned(links.clone());
        let policies = ask(mount()).build().unwrap();
        let role = statements(&policies, PolicyKind::Role);
        let allowed: Vec<_> =
            role.as_array().unwrap().iter().flat_map(|s| s["Action"].as_array().unwrap()).collect();
        assert_eq!(allowed, actions);
        assert!(policies.document(PolicyKind::Role).unwrap().about().contains("signs the links"));
        assert!(policies.document(PolicyKind::Bucket).is_none(), "{policies}");
        let known = ask(mount()).role(ROLE).build().unwrap();
        assert_eq!(statements(&known, PolicyKind::Bucket)[0]["Principal"], json!({ "AWS": ROLE }));
    }
}
