//! The policy that denies, or does not allow.

use crate::diagnosis::{
    context::{Facts, Server, Signer},
    denial::{Blame, Policy},
    error_reply::Said,
};

/// For a missing permission. `action` is the action that was tried.
pub(in crate::diagnosis) fn denied(facts: &Facts, said: &Said, action: &str, others: Others) -> String {
    if facts.signer == Signer::Anonymous {
        return format!(
            "Requests are not signed, so the bucket's policy must allow {action} to everybody, and Block Public Access \
             must not override it. Otherwise give credentials."
        );
    }
    match Blame::of(&said.message).policy {
        Some(policy) => by(policy, action),
        None => guess(facts, action, others),
    }
}

/// What is known about other permissions of the same credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::diagnosis) enum Others {
    /// Some were granted.
    Granted,
    /// None were, as far as was tried.
    Denied,
}

pub(super) fn by(policy: Policy, action: &str) -> String {
    match policy {
        Policy::NotByIdentity => format!("The policy of the role or user must allow {action}:"),
        Policy::NotByResource => format!(
            "The bucket belongs to another account, whose bucket policy must allow {action} to this role or user, as \
             its own policy does:"
        ),
        Policy::NotByEndpoint => {
            format!("The policy of the VPC endpoint for S3 must allow {action} on this bucket:")
        }
        Policy::NotByBoundary => {
            format!("The permissions boundary of the role or user must let {action} through:")
        }
        Policy::NotBySession => {
            format!("The session policy, given when the role was assumed, must let {action} through:")
        }
        Policy::Organisation => format!(
            "A policy of the organisation (SCP or RCP) blocks {action}. No policy of the account can change that: ask \
             the organisation's administrators."
        ),
        Policy::DeniedByIdentity => {
            format!("A Deny in the policy of the role or user covers {action}, and precedes every Allow.")
        }
        Policy::DeniedByResource => format!(
            "A Deny in the bucket policy covers {action}, and precedes every Allow. Often it admits only one VPC \
             (aws:SourceVpc, aws:SourceVpce), one network (aws:SourceIp), one organisation, or TLS \
             (aws:SecureTransport)."
        ),
        Policy::DeniedByEndpoint => {
            format!("A Deny in the policy of the VPC endpoint for S3 covers {action}.")
        }
        Policy::PublicAccessBlock => {
            "Block Public Access of the bucket or the account overrides what the bucket policy allows."
                .to_owned()
        }
    }
}

/// S3 does not say whose policy it is.
fn guess(facts: &Facts, action: &str, others: Others) -> String {
    let likely = facts.likely.map_or_else(String::new, |likely| format!(" Or {likely}."));
    match (facts.server, others) {
        (Server::Compatible, _) => {
            format!("The policy of the user on this server must allow {action}.{likely}")
        }
        (Server::Aws, Others::Granted) => {
            format!("The policy of the role or user must allow {action}.{likely}")
        }
        (Server::Aws, Others::Denied) => format!(
            "Everything is denied. The policy of the role or user must allow {action}, and across accounts the bucket \
             policy must, too. If both do, the cause may be a Deny in the bucket policy (aws:SourceVpce, aws:SourceIp, \
             aws:SecureTransport), the policy of a VPC endpoint, a policy of the organisation, or a bucket whose \
             requesters pay (requester_pays).{likely}"
        ),
    }
}
