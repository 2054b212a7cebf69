//! The policy statement that grants what a step needs.

use serde_json::{Value, json};

use super::{
    context::{ExternalIdGiven, Facts},
    denial::{Blame, Policy},
};
use crate::{
    policies::{self, Partition, PolicyRequest},
    terms::KmsKeyArn,
};

/// What a step needs to be allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need<'n> {
    Read,
    ReadVersion,
    List,
    Write,
    Delete,
    /// By this key, if it is known.
    Decrypt(Option<&'n str>),
    Versioning,
    Cors,
    Ownership,
    /// Of a directory bucket.
    CreateSession,
}

impl Facts {
    /// A statement as JSON, of those that the [policies](crate::policies::PolicyRequest) of the mount are made of. `None` if it can't
    /// be said in a policy.
    pub(super) fn statement(&self, need: Need<'_>) -> Option<String> {
        let granted = |request: &PolicyRequest, need| {
            let policies = request.build().ok()?;
            Some(policies.granting(need)?.to_json())
        };
        let request = &self.policies;
        match need {
            Need::Read => granted(request, policies::Need::Read),
            Need::ReadVersion => granted(request, policies::Need::ReadVersion),
            Need::List => granted(request, policies::Need::List),
            Need::Write => granted(request, policies::Need::Write),
            Need::Delete => granted(request, policies::Need::Delete),
            Need::Decrypt(key) => {
                let arn = key.and_then(|key| KmsKeyArn::parse(key).ok());
                let known =
                    arn.and_then(|arn| granted(&request.clone().kms_key(arn), policies::Need::Decrypt));
                let any = || format!("arn:{}:kms:{}:ACCOUNT:key/KEY_ID", self.partition().name, self.region);
                known.or_else(|| {
                    let key = key.map_or_else(any, str::to_owned);
                    Some(text(&json!({ "Effect": "Allow", "Action": "kms:Decrypt", "Resource": key })))
                })
            }
            Need::CreateSession => granted(request, policies::Need::CreateSession),
            Need::Versioning => Some(self.of_bucket("s3:GetBucketVersioning")),
            Need::Cors => Some(self.of_bucket("s3:GetBucketCORS")),
            Need::Ownership => Some(self.of_bucket("s3:GetBucketOwnershipControls")),
        }
    }

    /// The statement that would mend a denial with this message; `None` where no statement that allows can.
    pub(super) fn missing(&self, message: &str, need: Need<'_>) -> Option<String> {
        let is_mendable = Blame::of(message).policy.is_none_or(Policy::is_mended_by_allowing);
        is_mendable.then(|| self.statement(need)).flatten()
    }

    /// A statement for the trust policy of the role that the mount assumes. The External ID is not told here: a report may be
    /// shown to people who have no need of it.
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

    /// A permission that nothing but a line of the report needs.
    fn of_bucket(&self, action: &str) -> String {
        let bucket = self.bucket.as_str();
        let resource = match bucket.starts_with("arn:") {
            true => bucket.to_owned(),
            false => format!("arn:{}:s3:::{bucket}", self.partition().name),
        };
        // On one line: it is no more than a note.
        json!({ "Effect": "Allow", "Action": action, "Resource": resource }).to_string()
    }
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
            let statement = facts.missing(&format!("{who} {why}"), Need::Read);
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
            assert_eq!(read(facts.statement(Need::Versioning))["Resource"], bucket);
            let decrypt = read(facts.statement(Need::Decrypt(None)));
            assert!(decrypt["Resource"].as_str().unwrap().starts_with(key), "{decrypt}");
        }
    }
}
