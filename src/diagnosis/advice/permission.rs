//! Which policy denies, or does not allow.

use crate::diagnosis::{
    context::{Facts, Server, Signer},
    denial::{Blame, Policy},
    error_reply::Said,
};

/// Of a permission that is missing. `action` is what was tried.
pub(in crate::diagnosis) fn denied(facts: &Facts, said: &Said, action: &str, others: Others) -> String {
    if facts.signer == Signer::Anonymous {
        return format!(
            "Requests are not signed, so the bucket's policy has to allow {action} to everybody, and Block Public Access \
             must not take it back. Else give credentials."
        );
    }
    match Blame::of(&said.message).policy {
        Some(policy) => by(policy, action),
        None => guess(facts, action, others),
    }
}

/// What is known of other permissions of the same credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::diagnosis) enum Others {
    /// Some were granted.
    Granted,
    /// None were, as far as was tried.
    Denied,
}

pub(super) fn by(policy: Policy, action: &str) -> String {
    match policy {
        Policy::NotByIdentity => format!("The policy of the role or user has to allow {action}:"),
        Policy::NotByResource => format!(
            "The bucket belongs to another account, whose bucket policy has to allow {action} to this role or user, as its \
             own policy does:"
        ),
        Policy::NotByEndpoint => {
            format!("The policy of the VPC endpoint for S3 has to allow {action} on this bucket:")
        }
        Policy::NotByBoundary => {
            format!("The permissions boundary of the role or user has to let {action} through:")
        }
        Policy::NotBySession => {
            format!(
                "The session policy, which was given when the role was assumed, has to let {action} through:"
            )
        }
        Policy::Organisation => format!(
            "A policy of the organisation (SCP or RCP) keeps {action} off. No policy of the account can change that: ask its \
             administrators."
        ),
        Policy::DeniedByIdentity => {
            format!("A Deny in the policy of the role or user covers {action}: it goes before every Allow.")
        }
        Policy::DeniedByResource => format!(
            "A Deny in the bucket policy covers {action}, and goes before every Allow. Often it lets in only one VPC \
             (aws:SourceVpc, aws:SourceVpce), one network (aws:SourceIp), one organisation, or TLS (aws:SecureTransport)."
        ),
        Policy::DeniedByEndpoint => {
            format!("A Deny in the policy of the VPC endpoint for S3 covers {action}.")
        }
        Policy::PublicAccessBlock => {
            "Block Public Access of the bucket or the account takes back what the bucket policy allows."
                .to_owned()
        }
    }
}

/// S3 does not say whose policy it is.
fn guess(facts: &Facts, action: &str, others: Others) -> String {
    let likely = facts.likely.map_or_else(String::new, |likely| format!(" Or {likely}."));
    match (facts.server, others) {
        (Server::Compatible, _) => {
            format!("The policy of the user on this server has to allow {action}.{likely}")
        }
        (Server::Aws, Others::Granted) => {
            format!("The policy of the role or user has to allow {action}.{likely}")
        }
        (Server::Aws, Others::Denied) => format!(
            "Everything is denied. The policy of the role or user has to allow {action}, and across accounts the bucket policy, \
             too. If both do: a Deny in the bucket policy (aws:SourceVpce, aws:SourceIp, aws:SecureTransport), the policy of \
             a VPC endpoint, or one of the organisation; or a bucket whose requesters pay (requester_pays).{likely}"
        ),
    }
}
