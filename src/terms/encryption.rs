use http::{HeaderName, HeaderValue};

use super::{KmsKeyArn, encryption_context::EncryptionContext};

/// How S3 encrypts the objects of a bucket, with keys that S3 or KMS keeps.
///
/// A read needs none of it: S3 decrypts if the credentials may use the key. Writes need it, and so do policies and
/// checks of the mount, which must know the key.
///
/// ```
/// use tower_s3_proxy::encryption::{Encryption, KmsKeyArn};
///
/// let key = KmsKeyArn::parse("arn:aws:kms:us-west-2:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab")?;
/// let encryption: Encryption = Encryption::kms(key).bucket_key(true).context([("project", "films")]).into();
/// assert!(encryption.kms_key().is_some_and(|key| key.region() == "us-west-2"));
/// # Ok::<(), tower_s3_proxy::encryption::InvalidKmsKeyArn>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encryption(Kind);

/// Encryption with a key of KMS (SSE-KMS). It converts into an [`Encryption`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KmsEncryption {
    key: KmsKeyArn,
    bucket_key: Option<bool>,
    context: EncryptionContext,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    S3Managed,
    Kms(KmsEncryption),
}

// === impl Encryption ===

impl Encryption {
    /// With keys that S3 keeps (SSE-S3).
    pub fn s3_managed() -> Self {
        Self(Kind::S3Managed)
    }

    /// With a key of KMS (SSE-KMS).
    #[must_use]
    pub fn kms(key: KmsKeyArn) -> KmsEncryption {
        KmsEncryption { key, bucket_key: None, context: EncryptionContext::default() }
    }

    /// The key, for SSE-KMS.
    pub fn kms_key(&self) -> Option<&KmsKeyArn> {
        match &self.0 {
            Kind::S3Managed => None,
            Kind::Kms(kms) => Some(&kms.key),
        }
    }

    /// The encryption context, sorted by name.
    pub fn context(&self) -> impl Iterator<Item = (&str, &str)> {
        let context = match &self.0 {
            Kind::S3Managed => None,
            Kind::Kms(kms) => Some(kms.context.pairs()),
        };
        context.into_iter().flatten()
    }

    /// The setting that directory buckets do not have, if there is one ([S3 user guide, "SSE-KMS in directory
    /// buckets"](https://docs.aws.amazon.com/AmazonS3/latest/userguide/s3-express-UsingKMSEncryption.html)).
    pub(crate) fn not_for_directory_buckets(&self) -> Option<&'static str> {
        let Kind::Kms(kms) = &self.0 else { return None };
        if kms.key.is_alias() {
            return Some("it does not take an alias of a key: give the key's own ARN");
        }
        if kms.context.encoded().is_some() {
            return Some("it takes no encryption context but its own");
        }
        match kms.bucket_key {
            Some(false) => Some("it always uses a bucket key"),
            Some(true) | None => None,
        }
    }

    /// The fields that request it, in a PutObject, CopyObject or CreateMultipartUpload. A read must not have them: S3
    /// would respond with 400 (S3 API, GetObject, "Encryption").
    ///
    /// ```
    /// use tower_s3_proxy::encryption::Encryption;
    ///
    /// let [(name, value)] = Encryption::s3_managed().request_fields().try_into().expect("it is one field");
    /// assert_eq!((name.as_str(), value.to_str()?), ("x-amz-server-side-encryption", "AES256"));
    /// # Ok::<(), http::header::ToStrError>(())
    /// ```
    pub fn request_fields(&self) -> Vec<(HeaderName, HeaderValue)> {
        let Kind::Kms(kms) = &self.0 else {
            return vec![(SSE, const { HeaderValue::from_static("AES256") })];
        };
        let text = |text: &str| HeaderValue::from_str(text).expect("ARNs and Base64 are visible ASCII");
        let mut fields = vec![
            (SSE, const { HeaderValue::from_static("aws:kms") }),
            (SSE_KMS_KEY_ID, text(kms.key.as_str())),
        ];
        if let Some(on) = kms.bucket_key {
            fields.push((SSE_BUCKET_KEY, HeaderValue::from_static(if on { "true" } else { "false" })));
        }
        if let Some(context) = kms.context.encoded() {
            fields.push((SSE_CONTEXT, text(&context)));
        }
        fields
    }
}

const SSE: HeaderName = HeaderName::from_static("x-amz-server-side-encryption");
const SSE_KMS_KEY_ID: HeaderName = HeaderName::from_static("x-amz-server-side-encryption-aws-kms-key-id");
const SSE_BUCKET_KEY: HeaderName = HeaderName::from_static("x-amz-server-side-encryption-bucket-key-enabled");
const SSE_CONTEXT: HeaderName = HeaderName::from_static("x-amz-server-side-encryption-context");

// === impl KmsEncryption ===

impl KmsEncryption {
    /// Whether S3 uses a bucket key, which saves most of the requests to KMS ([S3 user guide, "Bucket
    /// Keys"](https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-key.html)). Without this call, the bucket's
    /// own setting applies.
    #[must_use]
    pub fn bucket_key(mut self, on: bool) -> Self {
        self.bucket_key = Some(on);
        self
    }

    /// Adds to the encryption context, which KMS logs and policies can require. Of two values for a name, the later
    /// counts. The context is not a place for secrets.
    #[must_use]
    pub fn context<K: Into<String>, V: Into<String>>(
        mut self,
        pairs: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        self.context = pairs.into_iter().collect();
        self
    }
}

impl From<KmsEncryption> for Encryption {
    fn from(kms: KmsEncryption) -> Self {
        Self(Kind::Kms(kms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(encryption: impl Into<Encryption>) -> Vec<String> {
        let fields = encryption.into().request_fields();
        fields.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect()
    }

    #[test]
    fn s3_is_asked_for_what_was_said_and_no_more() {
        let key = || KmsKeyArn::parse("arn:aws:kms:us-west-2:123456789012:key/1").unwrap();
        assert_eq!(fields(Encryption::s3_managed()), ["x-amz-server-side-encryption: AES256"]);
        let kms = [
            "x-amz-server-side-encryption: aws:kms",
            "x-amz-server-side-encryption-aws-kms-key-id: arn:aws:kms:us-west-2:123456789012:key/1",
        ];
        assert_eq!(fields(Encryption::kms(key())), kms);
        let context = [("k", "old"), ("k", "v")];
        let all = fields(Encryption::kms(key()).bucket_key(false).context(context));
        assert_eq!(all[..2], kms);
        assert_eq!(all[2], "x-amz-server-side-encryption-bucket-key-enabled: false");
        // {"k":"v"}
        assert_eq!(all[3..], ["x-amz-server-side-encryption-context: eyJrIjoidiJ9"]);
    }
}
