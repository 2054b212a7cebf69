//! The statements that allow what a mount needs, independent of the policy that they go into.

use std::borrow::Cow;

use super::{
    Permission, PolicyDialect,
    facts::{Facts, Network},
    pattern,
    place::Place,
    statement::{Condition, PolicyStatement},
};
use crate::terms::{Grant, KmsKeyArn};

/// The statements about S3.
pub(super) fn by_s3(facts: &Facts) -> Vec<PolicyStatement> {
    facts.permissions().into_iter().map(|permission| of_s3(permission, facts)).collect()
}

fn of_s3(permission: Permission, facts: &Facts) -> PolicyStatement {
    let (actions, resources) = match permission {
        Permission::Read => (vec!["s3:GetObject"], facts.objects()),
        Permission::ReadVersion => (vec!["s3:GetObjectVersion"], facts.objects()),
        Permission::List => (vec!["s3:ListBucket"], facts.buckets()),
        Permission::Website => (vec!["s3:GetBucketWebsite"], facts.buckets()),
        Permission::Write => (vec!["s3:PutObject"], facts.written_objects()),
        Permission::Delete => (vec!["s3:DeleteObject"], facts.written_objects()),
        Permission::EndUpload => (ends_of_uploads(facts.dialect), facts.written_objects()),
        Permission::CreateSession => (vec!["s3express:CreateSession"], facts.buckets()),
        Permission::Decrypt | Permission::Encrypt => (Vec::new(), Vec::new()),
    };
    let mut statement =
        PolicyStatement::allow(permission, actions, resources).because(why(permission, facts));
    if permission == Permission::List && !facts.prefix.is_empty() {
        // S3 also compares it with the key when it decides whether to reveal that a key does not exist.
        statement =
            statement.only_if(Condition::new("StringLike", "s3:prefix", [format!("{}*", facts.prefix)]));
    }
    if permission == Permission::CreateSession && facts.grant == Grant::Read {
        statement = statement.only_if(Condition::new("StringEquals", "s3express:SessionMode", ["ReadOnly"]));
    }
    if let (Place::Buckets(patterns), Some(owner)) = (&facts.place, &facts.owner)
        && facts.dialect == PolicyDialect::Aws
        && !facts.place.is_one_bucket()
        && !patterns.is_empty()
    {
        statement = statement.only_if(Condition::new("StringEquals", "s3:ResourceAccount", [owner]));
    }
    if let Some(network) = facts.network() {
        statement = statement.only_if(network.condition());
    }
    statement
}

/// SeaweedFS refuses a policy with an unknown action, and has another name for this one.
fn ends_of_uploads(dialect: PolicyDialect) -> Vec<&'static str> {
    match dialect {
        PolicyDialect::Aws => vec!["s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"],
        PolicyDialect::Compatible => vec!["s3:AbortMultipartUpload"],
    }
}

fn why(permission: Permission, facts: &Facts) -> Cow<'static, str> {
    let mut why = String::from(match permission {
        Permission::Read => "For every GET and HEAD: without it nothing is served.",
        Permission::ReadVersion => {
            "For requests with versionId (allow_versions). It also opens objects that were overwritten or deleted."
        }
        Permission::List => {
            "For lists of keys (warming, a check of the mount), and for S3 to say that a key does not exist: without \
             it S3 says AccessDenied for a missing key, as for a denied one."
        }
        Permission::Website => "For the website configuration of the bucket, which the mount serves (from).",
        Permission::Write => {
            "For writing objects, in one piece or in parts: this action also covers beginning, filling and completing \
             an upload."
        }
        Permission::Delete => "For deleting objects. In a bucket with versions it only hides them.",
        Permission::EndUpload => {
            "For uploads in parts that broke off: the parts cost money until they are removed."
        }
        Permission::CreateSession => {
            "For the session that every request to a directory bucket needs. Its objects have no separate permissions, \
             so a prefix cannot be allowed alone."
        }
        Permission::Decrypt | Permission::Encrypt => "",
    });
    if permission == Permission::CreateSession && facts.grant == Grant::Read {
        why.push_str(" Sessions that write are left out.");
    }
    if permission == Permission::List && !facts.prefix.is_empty() {
        why.push_str(" Only keys under the prefix can be listed.");
    }
    if matches!(permission, Permission::Read | Permission::CreateSession) {
        why.push_str(&caveats(facts));
    }
    why.into()
}

/// Notes on resources that are wider than the mount.
fn caveats(facts: &Facts) -> String {
    let mut caveats = String::new();
    match &facts.place {
        Place::Buckets(patterns) if !facts.place.is_one_bucket() => {
            if !patterns.iter().all(|pattern| pattern.is_exact) {
                caveats.push_str(" IAM cannot express the classes of the mount's globs: this allows more buckets than the mount does.");
            }
            if !facts.prefix.is_empty() && patterns.iter().any(|pattern| pattern.pattern.contains('*')) {
                caveats.push_str(
                    " In IAM a star matches slashes: this also allows keys that have the prefix further in. Name the \
                     bucket if that is too much.",
                );
            }
            if facts.owner.is_none() && facts.dialect == PolicyDialect::Aws {
                caveats.push_str(
                    " Anyone may create a bucket with such a name: name the owner's account to exclude other buckets.",
                );
            }
        }
        Place::Directory { arn } if arn.contains(":*:") => {
            caveats.push_str(" The star stands for the bucket's account, which is not known.");
        }
        Place::Buckets(_) | Place::AccessPoint(_) | Place::Directory { .. } => {}
    }
    if let Some(network) = facts.network() {
        let place = match network {
            Network::Vpc(_) => "the VPC",
            Network::Endpoint(_) => "the VPC endpoint",
        };
        caveats.push_str(&format!(
            " Only for requests that reach S3 through {place}: a check of the mount must run there, too."
        ));
    }
    caveats
}

/// The statements about KMS.
pub(super) fn by_kms(facts: &Facts, written: WrittenIn) -> Vec<PolicyStatement> {
    let keys = facts.kms.keys.iter().filter(|key| !is_managed_by_aws(key));
    let (by_alias, by_id): (Vec<_>, Vec<_>) = keys.partition(|key| key.is_alias());
    let decrypt = [(by_id, Permission::Decrypt.sid()), (by_alias, "DecryptByAlias")];
    // S3 user guide, "Using server-side encryption with AWS KMS keys (SSE-KMS) in directory buckets": a read needs
    // both.
    let is_directory = matches!(facts.place, Place::Directory { .. });
    let (actions, why) = match is_directory {
        true => (
            &["kms:Decrypt", "kms:GenerateDataKey"][..],
            "For objects that are encrypted with SSE-KMS: sessions with a directory bucket need both, even to read.",
        ),
        false => (
            &["kms:Decrypt"][..],
            "For objects that are encrypted with SSE-KMS: S3 has KMS decrypt them in the name of the reader. Uploads \
             in parts also need it.",
        ),
    };
    let mut statements = Vec::new();
    for (keys, sid) in decrypt {
        // In a key's own policy, the name of the key does not matter.
        if keys.is_empty() || (written == WrittenIn::Key && !statements.is_empty()) {
            continue;
        }
        let statement = of_kms(Permission::Decrypt, actions, &keys, facts, written).named(sid);
        statements.push(statement.because(why));
    }
    let written_by = facts.kms.writes.as_ref().filter(|key| !is_managed_by_aws(key));
    if let Some(key) = written_by.filter(|_| facts.grant == Grant::ReadWrite && !is_directory) {
        let mut encrypt = of_kms(Permission::Encrypt, &["kms:GenerateDataKey"], &[key], facts, written).because(
            "For writing with SSE-KMS: S3 has KMS make the key of each object, or of the bucket, in the name of the \
             writer.",
        );
        for (name, value) in &facts.kms.context {
            let value = pattern::literal(value, PolicyDialect::Aws).unwrap_or_default();
            let key = format!("kms:EncryptionContext:{name}");
            encrypt = encrypt.only_if(Condition::new("StringEquals", key, [value]));
        }
        statements.push(encrypt);
    }
    statements
}

/// The policy that a statement about a key goes into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WrittenIn {
    Role,
    Key,
}

fn of_kms(
    permission: Permission,
    actions: &[&'static str],
    keys: &[&KmsKeyArn],
    facts: &Facts,
    written: WrittenIn,
) -> PolicyStatement {
    let mut statement = match written {
        // The key that the policy belongs to.
        WrittenIn::Key => PolicyStatement::allow(permission, actions.to_vec(), vec!["*".to_owned()]),
        WrittenIn::Role => {
            let statement = PolicyStatement::allow(
                permission,
                actions.to_vec(),
                keys.iter().map(|key| resource(key)).collect(),
            );
            let aliases: Vec<_> = keys.iter().filter_map(|key| alias(key)).collect();
            // An ARN of an alias allows nothing (KMS developer guide, "Use aliases to control access").
            match aliases.is_empty() {
                true => statement,
                false => statement.only_if(Condition::new(
                    "ForAnyValue:StringEquals",
                    "kms:ResourceAliases",
                    aliases,
                )),
            }
        }
    };
    if let Place::Directory { .. } = facts.place {
        return statement;
    }
    let service = format!("s3.{}.{}", facts.region, facts.partition.domain);
    statement = statement.only_if(Condition::new("StringEquals", "kms:ViaService", [service]));
    // The encryption context of an object: its ARN, or with a bucket key that of the bucket (S3 user guide, "Encryption
    // context"). For an access point's bucket it is not known.
    match facts.place {
        Place::Buckets(_) => {
            let arns = facts.buckets().into_iter().chain(facts.objects());
            statement.only_if(Condition::new("StringLike", "kms:EncryptionContext:aws:s3:arn", arns))
        }
        Place::AccessPoint(_) | Place::Directory { .. } => statement,
    }
}

fn resource(key: &KmsKeyArn) -> String {
    match key.as_str().split_once(":alias/") {
        Some((account, _)) => format!("{account}:key/*"),
        None => key.as_str().to_owned(),
    }
}

fn alias(key: &KmsKeyArn) -> Option<String> {
    key.as_str().split_once(":alias/").map(|(_, name)| format!("alias/{name}"))
}

/// Whether it is the key that AWS keeps for S3 in each account. It allows everyone who may use S3 there, and nobody
/// else.
pub(super) fn is_managed_by_aws(key: &KmsKeyArn) -> bool {
    key.as_str().ends_with(":alias/aws/s3")
}
