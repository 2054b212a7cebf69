//! The policies of the role: its permissions, and its trust relationship.

use super::{
    PolicyDialect, PolicyDocument, PolicyKind,
    allowed::{WrittenIn, by_kms, by_s3},
    facts::{Deletes, Facts, Signs, Trust},
    principal::Principal,
    statement::{Condition, PolicyStatement},
};
use crate::terms::Grant;

/// The permissions of the role or the user.
pub(super) fn permissions(facts: &Facts) -> PolicyDocument {
    let mut statements = by_s3(facts);
    if facts.dialect == PolicyDialect::Aws {
        statements.extend(by_kms(facts, WrittenIn::Role));
    }
    let signed = match facts.signs {
        Signs::Requests => "the proxy's requests",
        Signs::Links => "the links that the proxy passes on",
    };
    let mut about = match facts.dialect {
        PolicyDialect::Aws => format!(
            "For the role or the user that signs {signed}, as an inline or a managed policy. It allows everything that \
             the mount does, and nothing else."
        ),
        PolicyDialect::Compatible => format!(
            "For the user that signs {signed}. It allows everything that the mount does, and nothing else, in the \
             language that MinIO, Ceph and SeaweedFS have in common."
        ),
    };
    if facts.grant == Grant::ReadWrite {
        let may = match facts.written.deletes {
            Deletes::Needed => "write and delete",
            Deletes::NotNeeded => "write",
        };
        about.push_str(&format!(
            " The mount's grant includes writing: its credentials may {may}, but not change permissions. Leave abandoned \
             uploads to a lifecycle rule of the bucket: listing them is not allowed."
        ));
    }
    PolicyDocument::policy(PolicyKind::Role, about, statements)
}

/// The principal that may assume the role.
pub(super) fn trust(trust: &Trust) -> PolicyDocument {
    let mut about = String::from(
        "For the role, in place of its trust relationship: it names who may assume the role. The role policy says what \
         the role may do.",
    );
    let statement = match &trust.principal {
        Principal::Service(name) => of_service(name),
        Principal::Federated(provider) => of_provider(provider, trust),
        Principal::Aws(arn) => {
            if arn.ends_with(":root") {
                about.push_str(
                    " The root of an account stands for the whole account: its administrators decide who may assume \
                     the role.",
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
            "Only with the External ID, so that a service that assumes roles of many customers cannot be tricked into \
             using this one for another customer.",
        ),
        None => statement.because(
            "Without an External ID. If a service assumes roles of many customers by this principal, agree on one with \
             it, so that it cannot be tricked into using this role for another customer.",
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
        "A service of AWS gives the role to the programs that it runs for this account. This needs no External ID.",
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
        "Only for the subject that the mount's token names, and only with a token made for STS: the provider vouches \
         for many, like all pods of a cluster. This needs no External ID.",
    )
}

const PODS: &str = "pods.eks.amazonaws.com";

/// The default audience of EKS's tokens (EKS user guide, "IAM roles for service accounts").
const AUDIENCE: &str = "sts.amazonaws.com";
