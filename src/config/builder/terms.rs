//! The terms on which the bucket is used.

use std::net::IpAddr;

use super::MountBuilder;
use crate::{
    credentials::{CredentialsSource, Signing},
    error::{ConfigError, ConfigErrorKind},
    origin::{ConnectTo, EndpointUrl},
    terms::{AccountId, BucketTerms, CustomerKey, Encryption, Grant, Payer},
};

/// The terms as configured; `build` checks them.
#[derive(Debug, Default)]
pub(super) struct Terms {
    require_encryption: bool,
    pub(super) of_bucket: BucketTerms,
}

/// # The terms of the bucket
impl MountBuilder {
    /// The permissions that the credentials should have; only to read, by default, or with [`writes`](Self::writes) to
    /// read and write.
    pub fn grant(mut self, grant: Grant) -> Self {
        self.terms.of_bucket.grant = grant;
        self
    }

    /// How the objects of the bucket are encrypted. Reads do not need it. On a mount that only reads, it names the key
    /// of KMS for which the credentials need `kms:Decrypt`.
    pub fn encryption(mut self, encryption: impl Into<Encryption>) -> Self {
        self.terms.of_bucket.encryption = Some(encryption.into());
        self
    }

    /// Refuses to build a mount that may [write](Grant::ReadWrite) and names no encryption.
    pub fn require_encryption(mut self, on: bool) -> Self {
        self.terms.require_encryption = on;
        self
    }

    /// Pays for requests and traffic of a bucket whose owner does not (Requester Pays). Without it, such a bucket
    /// denies everything; for other buckets it makes no difference. Anonymous requests cannot pay.
    pub fn requester_pays(mut self, on: bool) -> Self {
        self.terms.of_bucket.payer = if on { Payer::Requester } else { Payer::AsTheBucketSays };
        self
    }

    /// The account that must own the bucket. If another account owns it, S3 denies everything, so a bucket that was
    /// deleted, and created again by a stranger, is not served ([S3 user guide, "Verifying bucket
    /// ownership"](https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html)).
    pub fn expected_bucket_owner(mut self, account: AccountId) -> Self {
        self.terms.of_bucket.expected_owner = Some(account);
        self
    }

    /// The key of the objects, where S3 keeps none (SSE-C). The proxy sends it with every read, so clients need not
    /// know it; the cache treats the objects like any others. It needs TLS to S3: an `http://` endpoint is refused,
    /// except on this host.
    ///
    /// A key that a *client* sends is never used: the response to such a request is 400
    /// ([`ProxyErrorKind::CustomerKey`](crate::ProxyErrorKind::CustomerKey)).
    pub fn customer_key(mut self, key: CustomerKey) -> Self {
        self.terms.of_bucket.customer_key = Some(key);
        self
    }

    pub(super) fn check_customer_key(&self, endpoint: Option<&EndpointUrl>) -> Result<(), ConfigError> {
        let contradiction = |message: &str| Err(ConfigError::new(ConfigErrorKind::Contradiction, message));
        if self.terms.of_bucket.customer_key.is_none() {
            return Ok(());
        }
        if self.terms.of_bucket.encryption.is_some() {
            return contradiction(
                "an encryption and a customer key contradict each other: only one of them can encrypt an object",
            );
        }
        // S3 user guide, "SSE-C": "S3 rejects any requests made over HTTP when using SSE-C".
        let plain = endpoint.filter(|url| !url.is_tls());
        if plain.is_some_and(|url| !self.connects_to_loopback(url)) {
            return contradiction(
                "a customer key must not be sent without TLS: give an endpoint URL that begins with \"https://\"",
            );
        }
        Ok(())
    }

    fn connects_to_loopback(&self, endpoint: &EndpointUrl) -> bool {
        // The program's own HTTP client connects wherever it chooses.
        if self.transport.has_own_client() {
            return false;
        }
        match &self.connect_to {
            Some(address) => address.parse::<ConnectTo>().is_ok_and(|to| is_loopback(to.host())),
            None => is_loopback(endpoint.host()),
        }
    }

    pub(super) fn check_payer(&self, own: &CredentialsSource) -> Result<(), ConfigError> {
        let mut sources = self.credential_sets.iter().map(|set| &set.source).chain([own]);
        let is_anonymous = |source: &CredentialsSource| matches!(source.signing(), Signing::Anonymous);
        if self.terms.of_bucket.payer == Payer::Requester && sources.any(is_anonymous) {
            let message = "the requester pays, but requests are anonymous and cannot pay: give credentials";
            return Err(ConfigError::new(ConfigErrorKind::Contradiction, message));
        }
        Ok(())
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

// === impl Terms ===

impl Terms {
    fn is_encrypted(&self) -> bool {
        self.of_bucket.encryption.is_some() || self.of_bucket.customer_key.is_some()
    }

    pub(super) fn check(&self, region: &str) -> Result<(), ConfigError> {
        if self.require_encryption && self.of_bucket.grant == Grant::ReadWrite && !self.is_encrypted() {
            let message = "encryption is required, but this mount can write and names none: give an encryption, with \
                           keys of S3 or with a key of KMS";
            return Err(ConfigError::new(ConfigErrorKind::Missing, message));
        }
        // S3 API, PutObject: "S3 does not support keys of other regions than the bucket's".
        if let Some(key) = self.of_bucket.encryption.as_ref().and_then(Encryption::kms_key)
            && key.region() != region
        {
            let message = format!(
                "the encryption key is in {}, and the bucket in {region}: S3 encrypts only with keys of the bucket's \
                 region",
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

    use crate::{
        BucketName, Mount,
        access::{Access, CredentialSelector, CredentialSet, CredentialSetName},
        encryption::KmsKeyArn,
    };

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
        assert_eq!(refusal(writes().customer_key(CustomerKey::from([7; 32]))), None);
        assert_eq!(refusal(mount().grant(Grant::ReadWrite)), None);
        assert_eq!(refusal(mount().require_encryption(true)), None, "nothing is written");
    }

    #[test]
    fn a_customer_key_is_sent_over_tls_or_to_this_host() {
        type Row = (fn(MountBuilder) -> MountBuilder, bool);
        let rows: [Row; 12] = [
            (|m| m, true),
            (|m| m.endpoint_url("https://store.test"), true),
            (|m| m.endpoint_url("HTTPS://store.test"), true),
            (|m| m.endpoint_url("http://store.test"), false),
            (|m| m.endpoint_url("HTTP://store.test"), false),
            (|m| m.endpoint_url("http://10.0.0.1:9000"), false),
            (|m| m.endpoint_url("http://127.0.0.1.store.test"), false),
            (|m| m.endpoint_url("http://127.8.0.1:9000"), true),
            (|m| m.endpoint_url("http://[::1]:9000"), true),
            (|m| m.endpoint_url("http://localhost:9000"), true),
            (|m| m.endpoint_url("http://store.test").connect_to("127.0.0.1:9000"), true),
            (|m| m.endpoint_url("http://127.0.0.1:9000").connect_to("store.test:80"), false),
        ];
        for (n, (change, is_good)) in rows.into_iter().enumerate() {
            let key = CustomerKey::from([7; 32]);
            match refusal(change(mount()).customer_key(key)) {
                None => assert!(is_good, "row {n}"),
                Some((kind, message)) => {
                    assert!(!is_good, "row {n}: {message}");
                    assert_eq!(kind, ConfigErrorKind::Contradiction);
                    assert!(message.contains("without TLS"), "{message}");
                }
            }
        }
    }

    #[test]
    fn a_customer_key_and_another_encryption_contradict_each_other() {
        let both = mount().customer_key(CustomerKey::from([7; 32])).encryption(Encryption::s3_managed());
        assert_eq!(refusal(both).unwrap().0, ConfigErrorKind::Contradiction);
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
