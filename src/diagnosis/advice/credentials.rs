//! Why a source has no credentials, by what it says.

use crate::diagnosis::context::{ExternalIdGiven, Facts};

/// Why there are no credentials, by what the provider says.
pub(in crate::diagnosis) fn no_credentials(facts: &Facts, why: &str) -> String {
    if is_denied_role(facts, why) {
        return no_role(facts, why);
    }
    let says = |text: &str| says(why, text);
    let advice = match () {
        () if says("InvalidIdentityToken")
            || says("ExpiredTokenException")
            || says("IDPCommunicationError") =>
        {
            "STS does not take the web identity token: expired, for another audience, or of an identity provider that the \
             account does not know (IAM, Identity providers)."
        }
        () if says("no such file") || says("failed to read") || says("token_file") || says("token file") => {
            "A file is missing. In EKS the token file is mounted only into pods whose service account has the annotation \
             eks.amazonaws.com/role-arn when they start: restart the pod."
        }
        // With the code SignatureDoesNotMatch.
        () if says("RequestExpired") || says("Signature expired") || says("Signature not yet current") => {
            "STS refuses the clock of this machine: see that it is set by NTP."
        }
        () if says("InvalidClientTokenId") || says("SignatureDoesNotMatch") || says("UnrecognizedClient") => {
            "STS does not take the keys with which the role is to be assumed."
        }
        () if says("RegionDisabled") => {
            "STS is off in this region (IAM, Account settings): turn it on, or use another."
        }
        () if says("PackedPolicyTooLarge") || says("MalformedPolicyDocument") => {
            "The session policy is not one, or too long."
        }
        () if says("was not defined")
            || says("could not find profile")
            || says("profile") && says("not found") =>
        {
            "The profile does not exist in ~/.aws/config and ~/.aws/credentials of the user that the proxy runs as \
             (AWS_CONFIG_FILE, AWS_SHARED_CREDENTIALS_FILE)."
        }
        () if says("imds") && (says("timeout") || says("timed out") || says("did not answer")) => IMDS,
        () if says("no providers in chain")
            || says("not loaded")
            || says("not enabled")
            || says("not provide") =>
        {
            NOTHING_FOUND
        }
        () if says("timeout") || says("timed out") || says("did not answer") || says("dispatch failure") => {
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

/// S3's owner and ours may be different people: each sees one half of it (IAM user guide, "Access to AWS accounts owned by
/// third parties").
fn no_role(facts: &Facts, why: &str) -> String {
    if says(why, "AssumeRoleWithWebIdentity") || facts.is_web_identity() {
        return "STS does not let the role be assumed by this token: the role's trust policy has to name the identity provider, \
                and its conditions (aud, sub) this very service account."
            .to_owned();
    }
    let external_id = match facts.role.as_ref().map(|role| role.external_id) {
        Some(ExternalIdGiven::Yes) => {
            "If the External ID is wrong, STS says no more than this: the one that the mount gives has to be, byte for byte, \
             the one in the trust policy's condition on sts:ExternalId."
        }
        Some(ExternalIdGiven::No) => {
            "The mount gives no External ID: if the trust policy has a condition on sts:ExternalId, it has to."
        }
        None => {
            "If the trust policy has a condition on sts:ExternalId, the External ID has to be that one, byte for byte."
        }
    };
    let role = facts.role.as_ref().map_or_else(String::new, |role| format!(" {}", role.arn));
    format!(
        "STS does not let the role{role} be assumed. {external_id} The role's trust policy has to name the one who asks as its \
         Principal; and across accounts, the policy of the one who asks has to allow sts:AssumeRole on the role."
    )
}

fn says(why: &str, text: &str) -> bool {
    why.to_ascii_lowercase().contains(&text.to_ascii_lowercase())
}

const IMDS: &str = "The metadata service does not answer. In a container on EC2 its hop limit has to be 2 or more \
    (HttpPutResponseHopLimit); and where there is no such service, AWS_EC2_METADATA_DISABLED=true saves the wait.";

const NOTHING_FOUND: &str = "No source has credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or give \
    the pod, task or instance a role. In a container on EC2 the metadata service answers only if its hop limit is 2 or more \
    (HttpPutResponseHopLimit). A public bucket needs none: anonymous = true (--anonymous).";
