//! The policy statement that grants what a step needs.

use serde_json::{Value, json};

use super::{
    context::{ExternalIdGiven, Facts},
    denial::{Blame, Policy},
};
use crate::{
    policies::{Partition, Permission, PolicyRequest},
    terms::KmsKeyArn,
};

impl Facts {
    /// The statement that grants a permission, as JSON: one from the [policies](PolicyRequest) of the mount. `None` if
    /// no policy can express it.
    pub(super) fn statement(&self, permission: Permission) -> Option<String> {
        granting(&self.policies, permission)
    }

    /// The statement that lets S3 decrypt with this key, if it is known.
    fn decryption(&self, key: Option<&str>) -> String {
        let arn = key.and_then(|key| KmsKeyArn::parse(key).ok());
        let known = arn.and_then(|arn| granting(&self.policies.clone().kms_key(arn), Permission::Decrypt));
        known.unwrap_or_else(|| {
            let any = || format!("arn:{}:kms:{}:ACCOUNT:key/KEY_ID", self.partition().name, self.region);
            let key = key.map_or_else(any, str::to_owned);
            text(&json!({ "Effect": "Allow", "Action": "kms:Decrypt", "Resource": key }))
        })
    }

    /// The statement that would fix a denial with this message; `None` if no Allow statement can.
    pub(super) fn missing(&self, message: &str, permission: Permission) -> Option<String> {
        is_mendable(message).then(|| self.statement(permission)).flatten()
    }

    /// Like [`missing`](Self::missing), for a denial about a key.
    pub(super) fn missing_key(&self, message: &str, key: Option<&str>) -> Option<String> {
        is_mendable(message).then(|| self.decryption(key))
    }

    /// A statement for the trust policy of the role that the mount assumes. It omits the External ID: a report may be
    /// shown to people who do not need it.
    pub(super) fn trust(&self, why: &str) -> Option<String> {
        let role = self.role.as_ref()?;
        if self.is_web_identity() {
            return Some(text(&json!({
                "Effect": "Allow",
                "Principal": { "Federated": "ARN_OF_THE_IDENTITY_PROVIDER" },
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Condition": {
                    "StringEquals": { "ISSUER:aud": "AUDIENCE_OF_THE_TOKEN", "ISSUER:sub": "SUBJECT_OF_THE_TOKEN" },
                },
            })));
        }
        let who = Blame::of(why).who.unwrap_or("ARN_OF_WHO_ASSUMES_IT");
        let condition = match role.external_id {
            ExternalIdGiven::Yes => {
                json!({ "StringEquals": { "sts:ExternalId": "THE_MOUNT'S_EXTERNAL_ID" } })
            }
            ExternalIdGiven::No => json!({}),
        };
        Some(text(&json!({
            "Effect": "Allow",
            "Principal": { "AWS": who },
            "Action": "sts:AssumeRole",
            "Condition": condition,
        })))
    }

    fn partition(&self) -> Partition {
        Partition::of_region(&self.region)
    }

    /// A statement for an action that only a line of the report needs.
    pub(super) fn of_bucket(&self, action: &str) -> String {
        let bucket = self.bucket.as_str();
        let resource = match bucket.starts_with("arn:") {
            true => bucket.to_owned(),
            false => format!("arn:{}:s3:::{bucket}", self.partition().name),
        };
        // On one line, since it is only a note.
        json!({ "Effect": "Allow", "Action": action, "Resource": resource }).to_string()
    }
}

fn granting(policies: &PolicyRequest, permission: Permission) -> Option<String> {
    Some(policies.build().ok()?.granting(permission)?.to_json())
}

fn is_mendable(message: &str) -> bool {
    Blame::of(message).policy.is_none_or(Policy::is_mended_by_allowing)
}

fn text(statement: &Value) -> String {
    format!("{statement:#}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::context::{Role, Server};

    fn read(statement: Option<String>) -> Value {
        serde_json::from_str(&statement.unwrap()).unwrap()
    }

    #[test]
    fn a_web_identity_is_trusted_by_its_provider_and_others_by_their_arn() {
        let role =
            Role { arn: "arn:aws:iam::123456789012:role/b".to_owned(), external_id: ExternalIdGiven::No };
        let facts = |source: &str| Facts {
            source: source.to_owned(),
            role: Some(role.clone()),
            ..Facts::sample("media", "", Server::Aws)
        };
        let denied = "AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity";
        let statement = read(facts("the role b, assumed by a web identity").trust(denied));
        assert_eq!(statement["Action"], "sts:AssumeRoleWithWebIdentity");
        assert!(statement["Principal"]["Federated"].is_string(), "{statement}");
        let denied =
            "User: arn:aws:iam::1:user/a is not authorized to perform: sts:AssumeRole on resource: b";
        let statement = read(facts("the role b").trust(denied));
        assert_eq!(statement["Action"], "sts:AssumeRole");
        assert_eq!(statement["Principal"], json!({ "AWS": "arn:aws:iam::1:user/a" }));
    }

    #[test]
    fn what_is_denied_outright_is_not_mended_by_a_statement_that_allows() {
        let facts = Facts::sample("media", "", Server::Aws);
        let who = "User: a is not authorized to perform: s3:GetObject on resource: b";
        for (why, is_mended) in [
            ("because no identity-based policy allows the s3:GetObject action", true),
            ("because no VPC endpoint policy allows the s3:GetObject action", true),
            ("with an explicit deny in an identity-based policy", false),
            ("with an explicit deny in a resource-based policy", false),
            ("with an explicit deny in a VPC endpoint policy", false),
            ("with an explicit deny in a service control policy", false),
            ("because public access is blocked by BlockPublicAccess", false),
            ("", true),
        ] {
            let statement = facts.missing(&format!("{who} {why}"), Permission::Read);
            assert_eq!(statement.is_some(), is_mended, "{why}");
        }
    }

    #[test]
    fn each_partition_has_its_own_arns() {
        for (region, bucket, key) in [
            ("us-west-2", "arn:aws:s3:::media", "arn:aws:kms:us-west-2:"),
            ("cn-north-1", "arn:aws-cn:s3:::media", "arn:aws-cn:kms:cn-north-1:"),
            ("us-gov-west-1", "arn:aws-us-gov:s3:::media", "arn:aws-us-gov:kms:us-gov-west-1:"),
        ] {
            let facts = Facts { region: region.to_owned(), ..Facts::sample("media", "", Server::Aws) };
            assert_eq!(read(Some(facts.of_bucket("s3:GetBucketVersioning")))["Resource"], bucket);
            let decrypt = read(facts.missing_key("", None));
            assert!(decrypt["Resource"].as_str().unwrap().starts_with(key), "{decrypt}");
        }
    }
}
