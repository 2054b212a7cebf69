//! The policies of the role: what it may do, and who may assume it.

use super::{
    PolicyDialect, PolicyDocument, PolicyKind,
    allowed::{WrittenIn, by_kms, by_s3},
    facts::{Facts, Trust},
    principal::Principal,
    statement::{Condition, PolicyStatement},
};
use crate::terms::Grant;

/// What the role or the user may do.
pub(super) fn permissions(facts: &Facts) -> PolicyDocument {
    let mut statements = by_s3(facts);
    if facts.dialect == PolicyDialect::Aws {
        statements.extend(by_kms(facts, WrittenIn::Role));
    }
    let mut about = String::from(match facts.dialect {
        PolicyDialect::Aws => {
            "For the role or the user that the proxy's requests are signed by, as an inline or a managed policy. Everything \
             that the mount does is in it, and nothing else."
        }
        PolicyDialect::Compatible => {
            "For the user that the proxy's requests are signed by. Everything that the mount does is in it, and nothing \
             else, in words that MinIO, Ceph and SeaweedFS have in common."
        }
    });
    if facts.grant == Grant::ReadWrite {
        about.push_str(
            " The mount is granted writing: what writes by its credentials may write and delete, and not change \
             permissions. Uploads that nobody ends are best left to a lifecycle rule of the bucket, so listing them is not allowed.",
        );
    }
    PolicyDocument::policy(PolicyKind::Role, about, statements)
}

/// Who may assume the role.
pub(super) fn trust(trust: &Trust) -> PolicyDocument {
    let mut about = String::from(
        "For the role, in place of its trust relationship: who may act in it. What it may do then is in the role policy.",
    );
    let statement = match &trust.principal {
        Principal::Service(name) => of_service(name),
        Principal::Federated(provider) => of_provider(provider, trust),
        Principal::Aws(arn) => {
            if arn.ends_with(":root") {
                about.push_str(
                    " The root of an account stands for all of the account: its administrators decide who it is.",
                );
            }
            of_aws(trust)
        }
        Principal::Anyone => PolicyStatement::trust(vec!["sts:AssumeRole"]),
    };
    PolicyDocument::policy(PolicyKind::Trust, about, vec![statement.of(trust.principal.clone())])
}

fn of_aws(trust: &Trust) -> PolicyStatement {
    let statement = PolicyStatement::trust(vec!["sts:AssumeRole"]);
    match &trust.external_id {
        Some(id) => statement.only_if(Condition::new("StringEquals", "sts:ExternalId", [id.as_str()])).because(
            "Only with the External ID: so a service that assumes roles of many customers cannot be \
             talked into using this one for another customer.",
        ),
        None => statement.because(
            "Without an External ID. If a service assumes roles of many customers by this principal, agree on one with \
             it, so that it cannot be talked into using this role for another customer.",
        ),
    }
}

fn of_service(name: &str) -> PolicyStatement {
    let mut actions = vec!["sts:AssumeRole"];
    if name == PODS {
        // EKS user guide, "Pod identities": sessions carry the names of cluster and pod.
        actions.push("sts:TagSession");
    }
    PolicyStatement::trust(actions).because(
        "A service of AWS gives the role to what it runs for this account. There is no External ID to that.",
    )
}

fn of_provider(provider: &str, trust: &Trust) -> PolicyStatement {
    let issuer = provider.split_once(":oidc-provider/").map_or("", |(_, issuer)| issuer);
    let mut statement = PolicyStatement::trust(vec!["sts:AssumeRoleWithWebIdentity"])
        .only_if(Condition::new("StringEquals", format!("{issuer}:aud"), [AUDIENCE]));
    if let Some(subject) = &trust.subject {
        statement = statement.only_if(Condition::new("StringEquals", format!("{issuer}:sub"), [subject]));
    }
    statement.because(
        "Only for the subject that the mount's token names, and only with a token made for STS: the provider vouches for \
         many, like all pods of a cluster. There is no External ID to that.",
    )
}

const PODS: &str = "pods.eks.amazonaws.com";

/// Whom tokens of EKS are for, if nothing else is said (EKS user guide, "IAM roles for service accounts").
const AUDIENCE: &str = "sts.amazonaws.com";
