//! Why a source has no credentials, by its message.

use crate::diagnosis::context::{ExternalIdGiven, Facts};

/// Why there are no credentials, by the provider's message.
pub(in crate::diagnosis) fn no_credentials(facts: &Facts, why: &str) -> String {
    if is_denied_role(facts, why) {
        return no_role(facts, why);
    }
    let says = |text: &str| says(why, text);
    let is_silence = ["timeout", "timed out", "did not answer", "no response in time"].into_iter().any(says);
    let advice = match () {
        () if says("InvalidIdentityToken")
            || says("ExpiredTokenException")
            || says("IDPCommunicationError") =>
        {
            "STS refuses the web identity token: it has expired, is for another audience, or is from an identity \
             provider that the account does not know (IAM, Identity providers)."
        }
        () if says("no such file") || says("failed to read") || says("token_file") || says("token file") => {
            "A file is missing. In EKS the token file is mounted only into pods whose service account has the annotation \
             eks.amazonaws.com/role-arn when they start: restart the pod."
        }
        // With the code SignatureDoesNotMatch.
        () if says("RequestExpired") || says("Signature expired") || says("Signature not yet current") => {
            "STS refuses the clock of this machine: let NTP set it."
        }
        () if says("InvalidClientTokenId") || says("SignatureDoesNotMatch") || says("UnrecognizedClient") => {
            "STS refuses the keys that should assume the role."
        }
        () if says("RegionDisabled") => {
            "STS is off in this region (IAM, Account settings): turn it on, or use another."
        }
        () if says("PackedPolicyTooLarge") || says("MalformedPolicyDocument") => {
            "The session policy is malformed or too long."
        }
        () if says("was not defined")
            || says("could not find profile")
            || says("profile") && says("not found") =>
        {
            "The profile does not exist in ~/.aws/config and ~/.aws/credentials of the user that the proxy runs as \
             (AWS_CONFIG_FILE, AWS_SHARED_CREDENTIALS_FILE)."
        }
        // The chain ends with it: nothing before it was found.
        () if facts.is_default_chain() && (says("imds") || says("no providers in chain")) => NOTHING_IN_CHAIN,
        () if says("imds") && (is_silence || says("no connection")) => IMDS,
        () if says("no providers in chain")
            || says("not loaded")
            || says("not enabled")
            || says("not provide") =>
        {
            NOTHING_FOUND
        }
        () if is_silence || says("no connection") || says("broke off") || says("dispatch failure") => {
            "The source can't be reached. In a VPC without Internet, STS needs an interface endpoint; a container on EC2 \
             reaches the metadata service only if its hop limit is 2 or more (HttpPutResponseHopLimit)."
        }
        () => "",
    };
    advice.to_owned()
}

/// Whether STS does not let a role be assumed.
pub(in crate::diagnosis) fn is_denied_role(facts: &Facts, why: &str) -> bool {
    says(why, "sts:AssumeRole") || (says(why, "AccessDenied") && facts.role.is_some())
}

/// The bucket's owner and the operator of the proxy may be different people: each sees one half of it (IAM user guide,
/// "Access to AWS accounts owned by third parties").
fn no_role(facts: &Facts, why: &str) -> String {
    if says(why, "AssumeRoleWithWebIdentity") || facts.is_web_identity() {
        return "STS does not let this token assume the role: the role's trust policy must name the identity provider, \
                and its conditions (aud, sub) exactly this service account."
            .to_owned();
    }
    let external_id = match facts.role.as_ref().map(|role| role.external_id) {
        Some(ExternalIdGiven::Yes) => {
            "If the External ID is wrong, STS says no more than this: the mount's must be, byte for byte, the one in \
             the trust policy's condition on sts:ExternalId."
        }
        Some(ExternalIdGiven::No) => {
            "The mount gives no External ID: if the trust policy has a condition on sts:ExternalId, it must."
        }
        None => {
            "If the trust policy has a condition on sts:ExternalId, the External ID must be that one, byte for byte."
        }
    };
    let role = facts.role.as_ref().map_or_else(String::new, |role| format!(" {}", role.arn));
    format!(
        "STS does not allow the role{role} to be assumed. {external_id} The role's trust policy must name the caller \
         as its Principal; and across accounts, the caller's policy must allow sts:AssumeRole on the role."
    )
}

fn says(why: &str, text: &str) -> bool {
    why.to_ascii_lowercase().contains(&text.to_ascii_lowercase())
}

const IMDS: &str = "The metadata service does not respond. In a container on EC2 its hop limit must be 2 or more \
                    (HttpPutResponseHopLimit); where there is no such service, AWS_EC2_METADATA_DISABLED=true saves \
                    the wait.";

const NOTHING_IN_CHAIN: &str = "Found nothing in: environment, profile, web identity, container, instance metadata. \
                                Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give --profile, or --anonymous for \
                                a public bucket (in a file: credentials = \"NAME\", or anonymous = true). In a \
                                container on EC2 the metadata service responds only if its hop limit is 2 or more \
                                (HttpPutResponseHopLimit).";

const NOTHING_FOUND: &str = "No source has credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, \
                             or give the pod, task or instance a role. In a container on EC2 the metadata service \
                             responds only if its hop limit is 2 or more (HttpPutResponseHopLimit). A public bucket \
                             needs none: anonymous = true (--anonymous).";
