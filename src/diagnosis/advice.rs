//! The likely cause of a refusal in real set-ups, and what to do about it. Pure.

mod connection;
mod credentials;
mod permission;

use self::permission::by;
pub(super) use self::{
    connection::{no_address, no_connection, no_proxy, no_tls},
    credentials::{is_denied_role, no_credentials},
    permission::{Others, denied},
};
use super::{
    context::{Facts, Server, Signer},
    denial::{Blame, Policy},
    error_reply::Said,
};
use crate::origin::S3ErrorCode;

/// For a signature that S3 refuses.
pub(super) fn refused_signature(facts: &Facts, said: &Said) -> String {
    let advice = match said.name.as_str() {
        "InvalidAccessKeyId" => match (&facts.signer, facts.server) {
            (Signer::Key { id, has_token: false }, _) if id.starts_with("ASIA") => {
                "These are keys of a session (ASIA…), but their session token is missing: set AWS_SESSION_TOKEN, or \
                 session_token beside them."
            }
            (_, Server::Aws) => {
                "AWS does not know the access key: it was deleted, never existed, or is from another partition (China, \
                 GovCloud), whose keys are valid only there. Is it an AWS key at all?"
            }
            (_, Server::Compatible) => {
                "This server does not know the access key. AWS keys are not valid on it: create one there (MinIO: mc \
                 admin user add), and make sure that the environment has no other one (AWS_ACCESS_KEY_ID precedes \
                 profiles)."
            }
        },
        "SignatureDoesNotMatch" => {
            "The secret access key does not belong to the access key: a character was lost, or a line break or quotes \
             were copied. Or something between here and S3 changes requests: a proxy or load balancer must pass Host \
             and the path unchanged."
        }
        "ExpiredToken" | "TokenRefreshRequired" | "RequestExpired" => {
            "The session has ended, and copied keys end with it: let the proxy take them from a source that renews \
             them (a role, a profile, the metadata service)."
        }
        "InvalidToken" => {
            "The session token does not belong to the access key, or is incomplete. Long-term keys (AKIA…) have none: \
             unset AWS_SESSION_TOKEN. In a region that is off by default, a role needs a token from a regional STS \
             endpoint."
        }
        "NotSignedUp" | "AccountProblem" | "AllAccessDisabled" => {
            "The cause is the account, not the policies: it has no S3, or was suspended. Ask AWS, or its owner."
        }
        "InvalidClientTokenId" | "UnrecognizedClientException" => {
            "AWS does not know the access key: it was deleted or deactivated, or lacks its session token."
        }
        "AuthorizationHeaderMalformed" => {
            "The credentials are malformed: a blank or a line break in the access key, or an invalid region."
        }
        "AuthorizationQueryParametersError" | "InvalidArgument" => {
            "The server expects another kind of signature than SigV4."
        }
        "" => {
            "S3's refusals have a code, and this one has none: something else answered. A proxy, a firewall, or \
             another kind of server may be at the endpoint."
        }
        _ => "",
    };
    match said.code {
        S3ErrorCode::ClockSkewed => {
            "The clock of this machine is off by more than 15 minutes: let NTP set it.".to_owned()
        }
        S3ErrorCode::Busy => "S3 has a fault, or asks for fewer requests: try again later.".to_owned(),
        _ => advice.to_owned(),
    }
}

/// For a bucket that does not exist.
pub(super) fn no_bucket(facts: &Facts, url: &str) -> String {
    match facts.server {
        Server::Aws => {
            "No account has a bucket of that name in this partition: it is misspelt or deleted, or the name \
                        includes a path (the prefix is a separate option)."
                .to_owned()
        }
        Server::Compatible => format!(
            "The server has no such bucket at {url}. If the bucket exists, the server may expect it in the other \
             place, the host or the path (path_style)."
        ),
    }
}

/// For a bucket in another region.
pub(super) fn other_region(facts: &Facts, told: Option<&str>) -> String {
    match told {
        Some(region) if region == facts.region => {
            "S3 redirects requests although the region is the bucket's, as it does in the first hours of a new bucket. \
             Give the region's own endpoint, or wait."
                .to_owned()
        }
        Some(region) => format!(
            "The bucket is in {region}, and the mount says {}: set region = {region:?} (--region {region}). Reads \
             still work, since the proxy follows the redirect, but each start costs one more request, and keys of KMS, \
             VPC endpoints and policies depend on the region.",
            facts.region
        ),
        None => "S3 redirects requests, but does not say where: look up the bucket's region in the console.".to_owned(),
    }
}

/// For an object that S3 can't decrypt for us.
pub(super) fn cannot_decrypt(facts: &Facts, said: &Said) -> String {
    let blame = Blame::of(&said.message);
    match said.name.as_str() {
        "KMS.DisabledException" => return "The key is disabled: enable it in KMS.".to_owned(),
        "KMS.NotFoundException" => {
            return "The key is not there any more, or is in another region: the object can't be read."
                .to_owned();
        }
        "KMS.InvalidStateException" | "KMS.KMSInvalidStateException" => {
            return "The key is scheduled for deletion, or has no material: cancel that in KMS.".to_owned();
        }
        "KMS.ThrottlingException" => {
            return "KMS asks for fewer requests: turn on the Bucket Key, which saves most of them."
                .to_owned();
        }
        // An object of SSE-C (S3 API, GetObject).
        "InvalidRequest" => {
            return "The object is encrypted with a key that S3 does not keep (SSE-C), and the mount has none \
                    (customer_key); or the mount has one, and the object is not encrypted so."
                .to_owned();
        }
        _ => {}
    }
    let key_policy = "and the key's own policy must let the role or user, or its account, use it. A key that AWS \
                      manages (aws/s3) can't be used from another account: such objects must be encrypted again with a \
                      key of your own.";
    match blame.policy {
        Some(Policy::NotByResource) => {
            format!("The policy of the role or user must allow kms:Decrypt, {key_policy}")
        }
        Some(
            policy @ (Policy::Organisation
            | Policy::DeniedByIdentity
            | Policy::NotByBoundary
            | Policy::NotBySession),
        ) => by(policy, "kms:Decrypt"),
        _ => format!(
            "S3 allows the read, but KMS does not allow decryption. In the region {} the policy of the role or user \
             must allow kms:Decrypt on the object's key, {key_policy}",
            facts.region
        ),
    }
}

#[cfg(test)]
mod tests;
