mod read;

use super::{
    Policies, PolicyDialect,
    facts::{Elsewhere, PlainHttp},
};
use crate::{
    config::Mount,
    credentials::ExternalId,
    error::ConfigError,
    object::BucketName,
    route::BucketSource,
    terms::{AccountId, KmsKeyArn},
};

/// A request for the policies of a mount: the permissions that its role needs, and no more.
///
/// Most of it follows from the mount. The methods add what the mount cannot know, for example who assumes the role, or
/// that requests come from a VPC.
///
/// ```
/// use tower_s3_proxy::{BucketName, Mount, policies::{PolicyKind, PolicyRequest}};
///
/// let mount = Mount::builder(BucketName::parse("studio-media")?)
///     .prefix("website")
///     .region("us-west-2")
///     .anonymous() // There need be no credentials yet.
///     .build()?;
/// let policies = PolicyRequest::for_mount(&mount)
///     .role("arn:aws:iam::111122223333:role/media-proxy")
///     .trusted_principal("ecs-tasks.amazonaws.com")
///     .build()?;
///
/// let role = policies.document(PolicyKind::Role).expect("there is a role");
/// assert!(role.to_json().contains("arn:aws:s3:::studio-media/website/*"));
/// for statement in role.statements() {
///     println!("{}: {}", statement.sid(), statement.why());
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "it makes nothing before `build`"]
#[derive(Debug, Clone)]
pub struct PolicyRequest {
    mount: Mount,
    bucket: Option<BucketName>,
    bucket_behind: Option<BucketName>,
    owner: Option<AccountId>,
    dialect: Option<PolicyDialect>,
    listing: Option<bool>,
    kms_keys: Vec<KmsKeyArn>,
    role: Option<String>,
    trusted: Option<String>,
    subject: Option<String>,
    external_id: Option<ExternalId>,
    vpc: Option<String>,
    vpc_endpoint: Option<String>,
    elsewhere: Elsewhere,
    plain_http: PlainHttp,
}

// === impl PolicyRequest ===

impl PolicyRequest {
    /// The policies of this mount, for its own credentials. For one of its credential sets, use
    /// [`Mount::with_credentials`].
    pub fn for_mount(mount: &Mount) -> Self {
        Self {
            mount: mount.clone(),
            bucket: None,
            bucket_behind: None,
            owner: None,
            dialect: None,
            listing: None,
            kms_keys: Vec::new(),
            role: None,
            trusted: None,
            subject: None,
            external_id: None,
            vpc: None,
            vpc_endpoint: None,
            elsewhere: Elsewhere::Undecided,
            plain_http: PlainHttp::Undecided,
        }
    }

    /// The policies for this bucket, of the many that the mount has. Required if a resolver names them.
    pub fn bucket(mut self, bucket: BucketName) -> Self {
        self.bucket = Some(bucket);
        self
    }

    /// The bucket behind the mount's access point, for the statement that delegates permissions to the access point,
    /// and for the policy of a VPC endpoint, which must allow both.
    pub fn bucket_behind(mut self, bucket: BucketName) -> Self {
        self.bucket_behind = Some(bucket);
        self
    }

    /// The account that has the bucket, for policies that name it: those of directory buckets and of many buckets. By
    /// default the one that the mount [expects](crate::MountBuilder::expected_bucket_owner).
    pub fn owner(mut self, account: AccountId) -> Self {
        self.owner = Some(account);
        self
    }

    /// The language that the server understands: by default all of IAM's, if the mount's endpoint belongs to AWS.
    pub fn dialect(mut self, dialect: PolicyDialect) -> Self {
        self.dialect = Some(dialect);
        self
    }

    /// Whether to allow the listing of keys. By default it is allowed if the mount finds out whether keys are missing
    /// or denied ([`DeniedAnswer::Auto`](crate::response::DeniedAnswer::Auto)). Warming by prefix needs it, and so does
    /// caching that a key does not exist.
    pub fn listing(mut self, on: bool) -> Self {
        self.listing = Some(on);
        self
    }

    /// One more key of KMS that encrypts objects to read, besides that of the mount's
    /// [encryption](crate::MountBuilder::encryption).
    pub fn kms_key(mut self, key: KmsKeyArn) -> Self {
        self.kms_keys.push(key);
        self
    }

    /// The ARN of the role, or of the user, that signs the mount's requests. By default the role that its credentials
    /// [assume](crate::credentials::CredentialsSource::role_arn).
    pub fn role(mut self, arn: impl Into<String>) -> Self {
        self.role = Some(arn.into());
        self
    }

    /// The principal that assumes the role: an account (12 digits), the ARN of a role, a user or an identity provider,
    /// or a service like `ecs-tasks.amazonaws.com`.
    pub fn trusted_principal(mut self, principal: impl Into<String>) -> Self {
        self.trusted = Some(principal.into());
        self
    }

    /// The subject of the tokens, if the [trusted principal](Self::trusted_principal) is an identity provider: in EKS
    /// `system:serviceaccount:NAMESPACE:NAME`.
    pub fn trusted_subject(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    /// The External ID required to assume the role. By default that of the mount's
    /// [credentials](crate::credentials::CredentialsSource::external_id).
    pub fn external_id(mut self, id: ExternalId) -> Self {
        self.external_id = Some(id);
        self
    }

    /// Requests come from this VPC (`vpc-…`), through any endpoint of S3 in it: the policies allow nothing from
    /// elsewhere.
    pub fn vpc(mut self, id: impl Into<String>) -> Self {
        self.vpc = Some(id.into());
        self
    }

    /// Requests come through this VPC endpoint (`vpce-…`): the policies allow nothing from elsewhere.
    pub fn vpc_endpoint(mut self, id: impl Into<String>) -> Self {
        self.vpc_endpoint = Some(id.into());
        self
    }

    /// Makes the bucket deny everyone requests from outside the [VPC](Self::vpc) or its [endpoint](Self::vpc_endpoint),
    /// including administrators.
    pub fn deny_elsewhere(mut self, on: bool) -> Self {
        self.elsewhere = if on { Elsewhere::Denied } else { Elsewhere::Undecided };
        self
    }

    /// Makes the bucket deny everyone requests without TLS.
    pub fn deny_plain_http(mut self, on: bool) -> Self {
        self.plain_http = if on { PlainHttp::Denied } else { PlainHttp::Undecided };
        self
    }

    /// Generates the policies.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if something is malformed or contradictory, or if the bucket cannot be named in a policy; it
    /// says what is allowed.
    pub fn build(&self) -> Result<Policies, ConfigError> {
        let facts = self.facts()?;
        let parts = &*self.mount.0;
        let mount = match (&self.bucket, &parts.bucket) {
            (Some(bucket), _) | (None, BucketSource::Fixed(bucket)) => format!("{bucket} at {}", parts.path),
            (None, BucketSource::FromPath(globs)) => {
                format!("{} at {}", globs.texts().join(", "), parts.path)
            }
            (None, BucketSource::Resolver(_)) => parts.path.to_string(),
        };
        Ok(Policies::of(mount, &facts))
    }
}
