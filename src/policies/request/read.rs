//! Reads a request into facts.

use http::Method;

use super::PolicyRequest;
use crate::{
    config::{MountParts, UnsignedRequests},
    credentials::{RoleArn, Signing},
    error::{ConfigError, ConfigErrorKind},
    policies::{
        PolicyDialect,
        facts::{
            Deletes, Elsewhere, Facts, Kms, Listing, Network, PlainHttp, Signer, Signs, Trust, Versions,
            Written,
        },
        partition::Partition,
        pattern,
        place::{Nameless, Place},
        principal::{Caller, Principal},
    },
    request::VersionPolicy,
    response::DeniedAnswer,
    route::BucketSource,
    terms::{Encryption, Grant},
};

impl PolicyRequest {
    pub(super) fn facts(&self) -> Result<Facts, ConfigError> {
        let parts = &*self.mount.0;
        let addressing = parts.origin.addressing();
        let dialect = self.dialect.unwrap_or(match &addressing.endpoint_url {
            None => PolicyDialect::Aws,
            Some(url) if url.is_of_aws() => PolicyDialect::Aws,
            Some(_) => PolicyDialect::Compatible,
        });
        let partition = Partition::of_region(&addressing.region);
        let owner = self.owner.as_ref().or(parts.origin.terms.expected_owner.as_ref());
        let owner = owner.map(|owner| owner.as_str().to_owned());
        let place = self.place(&partition, &addressing.region, owner.as_deref())?;
        if dialect == PolicyDialect::Compatible && !matches!(place, Place::Buckets(_)) {
            return contradiction(
                "access points and directory buckets are AWS's: compatible servers have none",
            );
        }
        let prefix = literal(parts.keys.prefix(), dialect)?;
        let written = self.written(dialect)?;
        let network = self.network()?;
        if network.is_none() && self.elsewhere == Elsewhere::Denied {
            return contradiction(
                "requests from elsewhere cannot be denied without a VPC or a VPC endpoint: name one",
            );
        }
        if self.plain_http == PlainHttp::Denied
            && addressing.endpoint_url.as_ref().is_some_and(|url| !url.is_tls())
        {
            return contradiction(
                "denying plain HTTP would shut out this mount, whose endpoint is plain HTTP",
            );
        }
        Ok(Facts {
            dialect,
            region: addressing.region.clone(),
            place,
            prefix,
            grant: match self.mount.methods().write() {
                false => parts.grant,
                true => Grant::ReadWrite,
            },
            written,
            versions: match parts.query.versions {
                VersionPolicy::Honoured => Versions::Read,
                VersionPolicy::Ignored => Versions::Ignored,
            },
            listing: match self.listing.unwrap_or(needs_listing(parts)) {
                true => Listing::Needed,
                false => Listing::NotNeeded,
            },
            website: parts.site_source(),
            kms: self.kms(),
            signer: self.signer(dialect)?,
            signs: self.signs(),
            trust: self.trust(&partition)?,
            network,
            elsewhere: self.elsewhere,
            plain_http: self.plain_http,
            owner,
            cors: parts.cors.as_ref().map(|cors| cors.told().clone()),
            partition,
        })
    }

    fn place(&self, partition: &Partition, region: &str, owner: Option<&str>) -> Result<Place, ConfigError> {
        let bucket = match (&self.bucket, &self.mount.0.bucket) {
            (Some(bucket), source) if source.may_be(bucket) => bucket,
            (Some(bucket), _) => {
                return contradiction(&format!("the mount never uses the bucket {bucket}"));
            }
            (None, BucketSource::Fixed(bucket)) => bucket,
            (None, BucketSource::FromPath(globs)) => {
                return Ok(Place::Buckets(
                    globs.texts().iter().flat_map(|glob| pattern::of_glob(glob)).collect(),
                ));
            }
            (None, BucketSource::Resolver(_)) => {
                let message =
                    "a function names the bucket of this mount for each request: give one that it may name";
                return Err(ConfigError::new(ConfigErrorKind::Missing, message));
            }
        };
        let mut place = Place::of(bucket, partition, region, owner).map_err(|Nameless(why)| {
            ConfigError::new(ConfigErrorKind::InvalidValue, format!("the bucket {bucket}: {why}"))
        })?;
        match (&mut place, &self.bucket_behind) {
            (_, None) => {}
            (Place::AccessPoint(point), Some(behind)) => point.bucket = Some(behind.clone()),
            (Place::Buckets(_) | Place::Directory { .. }, Some(_)) => {
                return contradiction(
                    "only an access point has a bucket behind it, and the mount names none: leave it out",
                );
            }
        }
        Ok(place)
    }

    /// Links can write anywhere on the mount, and its clients where they may.
    fn written(&self, dialect: PolicyDialect) -> Result<Written, ConfigError> {
        let parts = &self.mount.0;
        let links_write = parts.links.grant == Grant::ReadWrite
            || parts.presigned.as_ref().is_some_and(|presigned| presigned.methods.write());
        let (prefix, deletes) = match &parts.writes {
            Some(writes) if !links_write => {
                let deletes = writes.methods.contain(&Method::DELETE);
                (writes.prefix.as_str(), if deletes { Deletes::Needed } else { Deletes::NotNeeded })
            }
            Some(_) | None => (parts.keys.prefix(), Deletes::Needed),
        };
        Ok(Written { prefix: literal(prefix, dialect)?, deletes })
    }

    fn kms(&self) -> Kms {
        let encryption = self.mount.encryption();
        let writes = encryption.and_then(Encryption::kms_key).cloned();
        let mut keys = Vec::new();
        for key in writes.iter().chain(&self.kms_keys) {
            if !keys.contains(key) {
                keys.push(key.clone());
            }
        }
        let context = encryption.into_iter().flat_map(Encryption::context);
        Kms {
            keys,
            writes,
            context: context.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        }
    }

    fn signer(&self, dialect: PolicyDialect) -> Result<Signer, ConfigError> {
        let credentials = &self.mount.0.credentials;
        let Some(arn) = self.role.as_deref().or(credentials.role_arn().map(RoleArn::as_str)) else {
            return Ok(match credentials.signing() {
                Signing::Anonymous if self.signs() == Signs::Requests => Signer::Nobody,
                Signing::Anonymous | Signing::By(_) => Signer::Somebody,
            });
        };
        Caller::parse(arn, dialect).map(Signer::Known).ok_or_else(|| {
            invalid("the role", arn, "must be the ARN of a role or a user, like arn:aws:iam::111122223333:role/media; not of a session")
        })
    }

    fn signs(&self) -> Signs {
        let unsigned = self.mount.0.presigned.as_ref().map(|presigned| presigned.unsigned);
        if unsigned == Some(UnsignedRequests::Refused) { Signs::Links } else { Signs::Requests }
    }

    fn trust(&self, partition: &Partition) -> Result<Option<Trust>, ConfigError> {
        let Some(text) = self.trusted.as_deref() else { return Ok(None) };
        let principal = Principal::parse_trusted(text, partition).ok_or_else(|| {
            let why = "must be an account (12 digits), the ARN of a role, a user or an identity provider, or a service \
                       like ecs-tasks.amazonaws.com";
            invalid("the trusted principal", text, why)
        })?;
        let is_federated = matches!(principal, Principal::Federated(_));
        if is_federated && self.subject.is_none() {
            let message = "an identity provider vouches for many subjects: name the subject of the tokens that may \
                           assume the role, like system:serviceaccount:NAMESPACE:NAME";
            return Err(ConfigError::new(ConfigErrorKind::Missing, message));
        }
        if let Some(subject) = self.subject.as_deref() {
            if !is_federated {
                return contradiction(
                    "a trusted subject needs an identity provider: name the provider's ARN as the trusted principal",
                );
            }
            if subject.is_empty() || subject.contains(['*', '?', '$']) {
                return Err(invalid(
                    "the trusted subject",
                    subject,
                    "must be one subject, without wildcards",
                ));
            }
        }
        let external_id = self.external_id.as_ref().or(self.mount.0.credentials.external_id()).cloned();
        Ok(Some(Trust { principal, external_id, subject: self.subject.clone() }))
    }

    fn network(&self) -> Result<Option<Network>, ConfigError> {
        let is_id = |id: &str, kind: &str| {
            let hex = id.strip_prefix(kind).unwrap_or_default();
            !hex.is_empty() && hex.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'a'..=b'f'))
        };
        match (self.vpc.as_deref(), self.vpc_endpoint.as_deref()) {
            (None, None) => Ok(None),
            (Some(id), None) if is_id(id, "vpc-") => Ok(Some(Network::Vpc(id.to_owned()))),
            (Some(id), None) => Err(invalid("the VPC", id, "must be an id like vpc-0123456789abcdef0")),
            (None, Some(id)) if is_id(id, "vpce-") => Ok(Some(Network::Endpoint(id.to_owned()))),
            (None, Some(id)) => {
                Err(invalid("the VPC endpoint", id, "must be an id like vpce-0123456789abcdef0"))
            }
            (Some(_), Some(_)) => {
                contradiction("a VPC and a VPC endpoint: name the endpoint alone, which implies its VPC")
            }
        }
    }
}

fn invalid(what: &str, text: &str, why: &str) -> ConfigError {
    ConfigError::new(ConfigErrorKind::InvalidValue, format!("{what} {text:?}: {why}"))
}

fn contradiction<T>(message: &str) -> Result<T, ConfigError> {
    Err(ConfigError::new(ConfigErrorKind::Contradiction, message))
}

fn literal(prefix: &str, dialect: PolicyDialect) -> Result<String, ConfigError> {
    pattern::literal(prefix, dialect).ok_or_else(|| {
        let message = format!(
            "a compatible server cannot allow the prefix {prefix:?} alone: it takes \"*\", \"?\" and \"${{\" for \
             wildcards and variables, and cannot escape them"
        );
        ConfigError::new(ConfigErrorKind::InvalidValue, message)
    })
}

/// Whether the mount lists keys, or tells what is missing from what is denied.
fn needs_listing(parts: &MountParts) -> bool {
    parts.answers.denied == DeniedAnswer::Auto || parts.website.is_some() || parts.lists()
}
