use http::{HeaderMap, HeaderName};

use crate::{config::Mount, object::BucketName, origin::Addressing, policies::PolicyRequest};

/// The facts on which advice depends, besides the response.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    pub(super) bucket: BucketName,
    /// The prefix of every key: empty, or ending with a slash.
    pub(super) prefix: String,
    pub(super) region: String,
    pub(super) server: Server,
    pub(super) signer: Signer,
    /// The source of the credentials, in words.
    pub(super) source: String,
    /// The role that the source assumes.
    pub(super) role: Option<Role>,
    /// A likely reason for a denial under the mount's terms.
    pub(super) likely: Option<&'static str>,
    /// The permissions that the mount needs.
    pub(super) policies: PolicyRequest,
}

/// A role that the mount's source assumes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Role {
    pub(super) arn: String,
    pub(super) external_id: ExternalIdGiven,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ExternalIdGiven {
    Yes,
    No,
}

/// The kind of server at the endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Server {
    Aws,
    /// A server that the configuration names.
    Compatible,
}

/// The signer of the requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Signer {
    Anonymous,
    /// The id of the access key, which is not a secret, and whether it has a session token.
    Key {
        id: String,
        has_token: bool,
    },
    /// There are no credentials.
    Nobody,
}

// === impl Facts ===

impl Facts {
    pub(super) fn of(mount: &Mount, bucket: BucketName) -> Self {
        let origin = &mount.0.origin;
        let addressing = origin.addressing();
        let source = &mount.0.credentials;
        let role = source.role_arn().map(|arn| Role {
            arn: arn.to_string(),
            external_id: match source.external_id() {
                Some(_) => ExternalIdGiven::Yes,
                None => ExternalIdGiven::No,
            },
        });
        Self {
            policies: PolicyRequest::for_mount(mount).bucket(bucket.clone()).listing(true),
            bucket,
            prefix: mount.0.keys.prefix().to_owned(),
            region: addressing.region.clone(),
            server: server(addressing),
            signer: Signer::Nobody,
            source: source.to_string(),
            role,
            likely: origin.terms.why_denied(),
        }
    }

    /// Whether a token of an identity provider assumes the role.
    pub(super) fn is_web_identity(&self) -> bool {
        self.source.contains("web identity")
    }

    /// Whether the usual sources are asked one after the other.
    pub(super) fn is_default_chain(&self) -> bool {
        self.source == "the default chain"
    }

    /// Whether the bucket's name has dots, so that a host name with it in front needs its own certificate.
    pub(super) fn has_dots(&self) -> bool {
        self.bucket.as_str().contains('.') && !self.bucket.as_str().starts_with("arn:")
    }
}

fn server(addressing: &Addressing) -> Server {
    match &addressing.endpoint_url {
        None => Server::Aws,
        // AWS's own names, which may be given for a VPC endpoint.
        Some(url) if url.is_of_aws() => Server::Aws,
        Some(_) => Server::Compatible,
    }
}

// === impl Signer ===

impl Signer {
    /// Enough of the id to tell keys apart.
    pub(super) fn masked(&self) -> String {
        let Self::Key { id, .. } = self else { return String::new() };
        let count = id.chars().count();
        if count < 12 {
            return "…".to_owned();
        }
        let first: String = id.chars().take(4).collect();
        let last: String = id.chars().skip(count - 4).collect();
        format!("{first}…{last}")
    }
}

/// A field as text; empty if it is absent.
pub(super) fn field<'h>(headers: &'h HeaderMap, name: &HeaderName) -> &'h str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

pub(super) const BUCKET_REGION: HeaderName = HeaderName::from_static("x-amz-bucket-region");

#[cfg(test)]
impl Facts {
    /// Facts of a mount of a bucket, with long-term keys.
    pub(super) fn sample(bucket: &str, prefix: &str, server: Server) -> Self {
        let bucket = BucketName::parse(bucket).unwrap();
        let keys = crate::credentials::fixed("AKIAIOSFODNN7EXAMPLE", "secret", None);
        let mount = Mount::builder(bucket.clone()).prefix(prefix).region("us-west-2").credentials(keys);
        let mount =
            mount.endpoint_url("http://127.0.0.1:9").grant(crate::terms::Grant::ReadWrite).build().unwrap();
        let mut facts = Self::of(&mount, bucket);
        facts.signer = Signer::Key { id: "AKIAIOSFODNN7EXAMPLE".to_owned(), has_token: false };
        facts.policies = facts.policies.dialect(match server {
            Server::Aws => crate::policies::PolicyDialect::Aws,
            Server::Compatible => crate::policies::PolicyDialect::Compatible,
        });
        Self { server, ..facts }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_shown_in_part() {
        let masked = |id: &str| Signer::Key { id: id.to_owned(), has_token: false }.masked();
        assert_eq!(masked("AKIAIOSFODNN7EXAMPLE"), "AKIA…MPLE");
        assert_eq!(masked("minioadmin"), "…");
        assert_eq!(masked("ü"), "…");
    }
}
