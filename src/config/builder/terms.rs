//! On what terms the bucket is used.

use super::MountBuilder;
use crate::{
    config::{ConfigError, ConfigErrorKind},
    credentials::{CredentialsSource, Signing},
    terms::{AccountId, Encryption, Grant, Payer, ReadTerms},
};

/// What is said of the terms; checked by `build`.
#[derive(Debug, Default)]
pub(super) struct Terms {
    pub(super) grant: Grant,
    pub(super) encryption: Option<Encryption>,
    require_encryption: bool,
    pub(super) read: ReadTerms,
}

impl MountBuilder {
    /// What the credentials are meant to be allowed to do; to read, by default. The proxy writes nothing itself.
    pub fn grant(mut self, grant: Grant) -> Self {
        self.terms.grant = grant;
        self
    }

    /// How the objects of the bucket are encrypted. Reads need nothing of it, so it is as good for a mount that only
    /// reads: there it says for which key of KMS the credentials need `kms:Decrypt`.
    pub fn encryption(mut self, encryption: impl Into<Encryption>) -> Self {
        self.terms.encryption = Some(encryption.into());
        self
    }

    /// Refuses to build a mount that may [write](Grant::ReadWrite) and does not say how what it writes is encrypted.
    pub fn require_encryption(mut self, on: bool) -> Self {
        self.terms.require_encryption = on;
        self
    }

    /// Pays for requests and traffic of a bucket whose owner does not (Requester Pays). Without it, such a bucket denies
    /// everything; other buckets make no difference. Not for anonymous requests, which nobody can pay for.
    pub fn requester_pays(mut self, on: bool) -> Self {
        self.terms.read.payer = if on { Payer::Requester } else { Payer::AsTheBucketSays };
        self
    }

    /// The account that the bucket has to be of. S3 denies everything if it is of another: a bucket that was deleted, and
    /// then created by somebody else, is not served
    /// ([S3 user guide, "Verifying bucket ownership"](https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html)).
    pub fn expected_bucket_owner(mut self, account: AccountId) -> Self {
        self.terms.read.expected_owner = Some(account);
        self
    }

    pub(super) fn check_payer(&self, own: &CredentialsSource) -> Result<(), ConfigError> {
        let mut sources = self.credential_sets.iter().map(|set| &set.source).chain([own]);
        let is_anonymous = |source: &CredentialsSource| matches!(source.signing(), Signing::Anonymous);
        if self.terms.read.payer == Payer::Requester && sources.any(is_anonymous) {
            let message = "the requester pays, and requests are anonymous: nobody can pay for these, so give credentials";
            return Err(ConfigError::new(ConfigErrorKind::Contradiction, message));
        }
        Ok(())
    }
}

// === impl Terms ===

impl Terms {
    pub(super) fn check(&self, region: &str) -> Result<(), ConfigError> {
        if self.require_encryption && self.grant == Grant::ReadWrite && self.encryption.is_none() {
            let message = "encryption is required, and what this mount writes has none: give an encryption, \
                           by keys of S3 or by a key of KMS";
            return Err(ConfigError::new(ConfigErrorKind::Missing, message));
        }
        // S3 API, PutObject: "S3 does not support keys of other regions than the bucket's".
        if let Some(key) = self.encryption.as_ref().and_then(Encryption::kms_key)
            && key.region() != region
        {
            let message = format!(
                "the encryption key is in {}, and the bucket in {region}: S3 encrypts only by keys of the bucket's region",
                key.region()
            );
            return Err(ConfigError::new(ConfigErrorKind::Contradiction, message));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_credential_types::Credentials;

    use crate::{Access, BucketName, CredentialSelector, CredentialSet, CredentialSetName, KmsKeyArn, Mount};

    fn mount() -> MountBuilder {
        Mount::builder(BucketName::parse("studio-media").unwrap()).region("us-west-2").anonymous()
    }

    fn kms(region: &str) -> Encryption {
        let arn = format!("arn:aws:kms:{region}:123456789012:key/1234abcd");
        Encryption::kms(KmsKeyArn::parse(arn).unwrap()).into()
    }

    #[test]
    fn nobody_pays_for_anonymous_requests() {
        let (kind, message) = refusal(mount().requester_pays(true)).unwrap();
        assert_eq!(kind, ConfigErrorKind::Contradiction);
        assert!(message.contains("give credentials"), "{message}");
        let keys = || Credentials::new("AKIDEXAMPLE", "not-a-secret", None, None, "test");
        assert_eq!(refusal(mount().credentials(keys()).requester_pays(true)), None);
        let set =
            CredentialSet::new(CredentialSetName::parse("public").unwrap(), CredentialsSource::anonymous());
        let selector = CredentialSelector::new(|_| Access::Allow);
        let with_set = mount().credentials(keys()).credential_set(set).select_credentials(selector);
        assert_eq!(refusal(with_set.requester_pays(true)).unwrap().0, ConfigErrorKind::Contradiction);
    }

    fn refusal(builder: MountBuilder) -> Option<(ConfigErrorKind, String)> {
        builder.build().err().map(|error| (error.kind(), error.to_string()))
    }

    #[test]
    fn who_may_write_needs_an_encryption_if_that_is_required() {
        let writes = || mount().grant(Grant::ReadWrite).require_encryption(true);
        let (kind, message) = refusal(writes()).unwrap();
        assert_eq!(kind, ConfigErrorKind::Missing);
        assert!(message.contains("give an encryption"), "{message}");
        assert_eq!(refusal(writes().encryption(Encryption::s3_managed())), None);
        assert_eq!(refusal(writes().encryption(kms("us-west-2"))), None);
        assert_eq!(refusal(mount().grant(Grant::ReadWrite)), None);
        assert_eq!(refusal(mount().require_encryption(true)), None, "nothing is written");
    }

    #[test]
    fn a_key_of_another_region_is_refused() {
        let (kind, message) = refusal(mount().encryption(kms("eu-west-1"))).unwrap();
        assert_eq!(kind, ConfigErrorKind::Contradiction);
        assert!(message.contains("is in eu-west-1, and the bucket in us-west-2"), "{message}");
    }

    #[test]
    fn a_mount_tells_what_was_said() {
        let built = mount().grant(Grant::ReadWrite).encryption(kms("us-west-2")).build().unwrap();
        assert_eq!((built.grant(), built.encryption()), (Grant::ReadWrite, Some(&kms("us-west-2"))));
        let built = mount().build().unwrap();
        assert_eq!((built.grant(), built.encryption()), (Grant::Read, None));
    }
}
