//! What stands behind a refusal in real set-ups, and what to do about it. Pure.

mod connection;
mod credentials;
mod permission;

use self::permission::by;
pub(super) use self::{
    connection::{no_address, no_connection, no_tls},
    credentials::{is_denied_role, no_credentials},
    permission::{Others, denied},
};
use super::{
    context::{Facts, Server, Signer},
    denial::{Blame, Policy},
    error_reply::Said,
};
use crate::origin::S3ErrorCode;

/// Of a signature that S3 does not take.
pub(super) fn refused_signature(facts: &Facts, said: &Said) -> String {
    let advice = match said.name.as_str() {
        "InvalidAccessKeyId" => match (&facts.signer, facts.server) {
            (Signer::Key { id, has_token: false }, _) if id.starts_with("ASIA") => {
                "These are keys of a session (ASIA…), and their session token is missing: set AWS_SESSION_TOKEN, or \
                 session_token beside them."
            }
            (_, Server::Aws) => {
                "AWS does not know the access key: deleted, never there, or of another partition (China, GovCloud), whose \
                 keys hold only there. Is it AWS that it belongs to?"
            }
            (_, Server::Compatible) => {
                "This server does not know the access key. Keys of AWS do not hold on it: create one there (MinIO: mc admin \
                 user add), and see that the environment has no other one (AWS_ACCESS_KEY_ID goes before profiles)."
            }
        },
        "SignatureDoesNotMatch" => {
            "The secret access key does not belong to the access key: a character lost, a line break or quotes taken along. \
             Or something between here and S3 changes requests: a proxy or load balancer has to pass Host and the path on \
             as they are."
        }
        "ExpiredToken" | "TokenRefreshRequired" | "RequestExpired" => {
            "The session has ended. Keys that were copied end with it: let the proxy take them from where they are renewed \
             (a role, a profile, the metadata service)."
        }
        "InvalidToken" => {
            "The session token does not belong to the access key, or is not whole. Long-term keys (AKIA…) have none: unset \
             AWS_SESSION_TOKEN. A role of a region that is off by default needs a token of a regional STS endpoint."
        }
        "NotSignedUp" | "AccountProblem" | "AllAccessDisabled" => {
            "It is the account, not the policies: it has no S3, or was suspended. Ask AWS, or its owner."
        }
        "InvalidClientTokenId" | "UnrecognizedClientException" => {
            "AWS does not know the access key: deleted, deactivated, or without its session token."
        }
        "AuthorizationHeaderMalformed" => {
            "The credentials do not look like ones: a blank or a line break in the access key, or a region that is none."
        }
        "AuthorizationQueryParametersError" | "InvalidArgument" => {
            "The server knows another kind of signature than SigV4."
        }
        "" => {
            "S3 names a code for what it refuses: something else answered. A proxy, a firewall, or a server of another kind \
             may be at the endpoint."
        }
        _ => "",
    };
    match said.code {
        S3ErrorCode::ClockSkewed => {
            "The clock of this machine is off by more than 15 minutes: see that it is set by NTP.".to_owned()
        }
        S3ErrorCode::Busy => "S3 has trouble, or asks for fewer requests: try again later.".to_owned(),
        _ => advice.to_owned(),
    }
}

/// Of a bucket that is not there.
pub(super) fn no_bucket(facts: &Facts, url: &str) -> String {
    match facts.server {
        Server::Aws => "No account has a bucket of that name in this partition: misspelt, deleted, or a file's path given for \
                        a name (the prefix is an option of its own)."
            .to_owned(),
        Server::Compatible => format!(
            "The server has no such bucket at {url}. If it has: it may take the bucket from the other place, the host or the \
             path (path_style)."
        ),
    }
}

/// Of a bucket that is in another region.
pub(super) fn other_region(facts: &Facts, told: Option<&str>) -> String {
    match told {
        Some(region) if region == facts.region => {
            "S3 sends requests elsewhere though the region is the bucket's: so it does in the first hours of a new bucket. Give \
             the region's own endpoint, or wait."
                .to_owned()
        }
        Some(region) => format!(
            "The bucket is in {region}, and the mount says {}: set region = {region:?} (--region {region}). Reads work all \
             the same, since the proxy follows; each start pays for it with a request, and keys of KMS, VPC endpoints and \
             policies go by the region.",
            facts.region
        ),
        None => "S3 sends requests elsewhere, and does not say where: look up the bucket's region in the console.".to_owned(),
    }
}

/// Of an object that S3 can't decrypt for us.
pub(super) fn cannot_decrypt(facts: &Facts, said: &Said) -> String {
    let blame = Blame::of(&said.message);
    match said.name.as_str() {
        "KMS.DisabledException" => return "The key is disabled: enable it in KMS.".to_owned(),
        "KMS.NotFoundException" => {
            return "The key is not there any more, or in another region: the object can't be read."
                .to_owned();
        }
        "KMS.InvalidStateException" | "KMS.KMSInvalidStateException" => {
            return "The key is about to be deleted, or has no material: cancel that in KMS.".to_owned();
        }
        "KMS.ThrottlingException" => {
            return "KMS asks for fewer requests: turn on the bucket's key (Bucket Key), which saves most of them.".to_owned();
        }
        // An object of SSE-C (S3 API, GetObject).
        "InvalidRequest" => {
            return "The object is encrypted by a key that S3 does not keep (SSE-C), and the mount gives none (customer_key); or \
                    it gives one, and the object is not."
                .to_owned();
        }
        _ => {}
    }
    let key_policy = "and the key's own policy has to let the role or user, or its account, use it. A key that AWS manages \
        (aws/s3) can't be used from another account: such objects have to be encrypted anew with a key of one's own.";
    match blame.policy {
        Some(Policy::NotByResource) => {
            format!("The policy of the role or user has to allow kms:Decrypt, {key_policy}")
        }
        Some(
            policy @ (Policy::Organisation
            | Policy::DeniedByIdentity
            | Policy::NotByBoundary
            | Policy::NotBySession),
        ) => by(policy, "kms:Decrypt"),
        _ => format!(
            "S3 grants the read, and KMS does not let the object be decrypted. In the region {} the policy of the role or \
             user has to allow kms:Decrypt on the object's key, {key_policy}",
            facts.region
        ),
    }
}

#[cfg(test)]
mod tests;
