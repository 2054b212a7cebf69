use super::{
    Permission, PolicyDialect,
    partition::Partition,
    place::Place,
    principal::{Caller, Principal},
    statement::Condition,
};
use crate::{
    config::SiteSource,
    credentials::ExternalId,
    response::Cors,
    terms::{Grant, KmsKeyArn},
};

/// The facts from which the policies of a mount follow. Plain values.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    pub(super) dialect: PolicyDialect,
    pub(super) partition: Partition,
    pub(super) region: String,
    pub(super) place: Place,
    /// The prefix of every key, as a pattern.
    pub(super) prefix: String,
    pub(super) grant: Grant,
    pub(super) written: Written,
    pub(super) versions: Versions,
    pub(super) listing: Listing,
    pub(super) website: SiteSource,
    pub(super) kms: Kms,
    pub(super) signer: Signer,
    pub(super) signs: Signs,
    pub(super) trust: Option<Trust>,
    pub(super) network: Option<Network>,
    pub(super) elsewhere: Elsewhere,
    pub(super) plain_http: PlainHttp,
    /// The account that has the bucket.
    pub(super) owner: Option<String>,
    pub(super) cors: Option<Cors>,
}

/// What is written, if the grant is to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Written {
    /// The prefix of every key that is written, as a pattern.
    pub(super) prefix: String,
    pub(super) deletes: Deletes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deletes {
    Needed,
    NotNeeded,
}

/// Whether older versions of objects are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Versions {
    Read,
    Ignored,
}

/// Whether keys are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Listing {
    Needed,
    NotNeeded,
}

/// The keys of KMS that encrypt objects.
#[derive(Debug, Clone, Default)]
pub(super) struct Kms {
    /// The keys of objects that are read.
    pub(super) keys: Vec<KmsKeyArn>,
    /// The key for new objects, which is one of `keys`.
    pub(super) writes: Option<KmsKeyArn>,
    /// The encryption context of new objects.
    pub(super) context: Vec<(String, String)>,
}

/// The signer of requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Signer {
    /// Nobody's: the bucket is public.
    Nobody,
    /// A role or a user that is not known here.
    Somebody,
    Known(Caller),
}

/// What the signer signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signs {
    /// The mount's own requests.
    Requests,
    /// Links, which the mount passes on and signs nothing besides.
    Links,
}

/// Who may assume the role.
#[derive(Debug, Clone)]
pub(super) struct Trust {
    pub(super) principal: Principal,
    pub(super) external_id: Option<ExternalId>,
    /// The subject of the identity provider's tokens.
    pub(super) subject: Option<String>,
}

/// Where requests come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Network {
    Vpc(String),
    Endpoint(String),
}

/// The treatment of anyone's requests from outside the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Elsewhere {
    /// Left to other policies.
    Undecided,
    Denied,
}

/// The treatment of anyone's requests without TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PlainHttp {
    Undecided,
    Denied,
}

// === impl Facts ===

impl Facts {
    /// The permissions that the mount needs for the bucket, in the order of the statements.
    pub(super) fn permissions(&self) -> Vec<Permission> {
        if matches!(self.place, Place::Directory { .. }) {
            return vec![Permission::CreateSession];
        }
        let mut permissions = vec![Permission::Read];
        permissions.extend((self.versions == Versions::Read).then_some(Permission::ReadVersion));
        permissions.extend((self.listing == Listing::Needed).then_some(Permission::List));
        permissions.extend((self.website == SiteSource::Bucket).then_some(Permission::Website));
        match self.grant {
            Grant::Read => {}
            Grant::ReadWrite => {
                permissions.push(Permission::Write);
                permissions.extend((self.written.deletes == Deletes::Needed).then_some(Permission::Delete));
                permissions.push(Permission::EndUpload);
            }
        }
        permissions
    }

    pub(super) fn objects(&self) -> Vec<String> {
        self.place.objects(&self.partition, &self.prefix)
    }

    pub(super) fn written_objects(&self) -> Vec<String> {
        self.place.objects(&self.partition, &self.written.prefix)
    }

    pub(super) fn buckets(&self) -> Vec<String> {
        self.place.buckets(&self.partition)
    }

    /// Where requests come from, if the server understands that.
    pub(super) fn network(&self) -> Option<&Network> {
        self.network.as_ref().filter(|_| self.dialect == PolicyDialect::Aws)
    }

    pub(super) fn caller(&self) -> Option<&Caller> {
        match &self.signer {
            Signer::Known(caller) => Some(caller),
            Signer::Nobody | Signer::Somebody => None,
        }
    }

    /// The principal of the policies of resources, as far as it is known.
    pub(super) fn principal(&self) -> Option<Principal> {
        match &self.signer {
            Signer::Nobody => Some(Principal::Anyone),
            Signer::Somebody => None,
            Signer::Known(caller) => Some(Principal::Aws(caller.arn.clone())),
        }
    }
}

// === impl Network ===

impl Network {
    /// Holds for requests that come from there.
    pub(super) fn condition(&self) -> Condition {
        let (key, id) = self.key_and_id();
        Condition::new("StringEquals", key, [id])
    }

    /// Holds for requests that come from elsewhere.
    pub(super) fn elsewhere(&self) -> Condition {
        let (key, id) = self.key_and_id();
        Condition::new("StringNotEquals", key, [id])
    }

    pub(super) fn key_and_id(&self) -> (&'static str, &str) {
        match self {
            Self::Vpc(id) => ("aws:SourceVpc", id),
            Self::Endpoint(id) => ("aws:SourceVpce", id),
        }
    }
}
