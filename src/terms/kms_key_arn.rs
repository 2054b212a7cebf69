use std::{fmt, str::FromStr};

use super::{
    AccountId,
    arn::{Arn, is_name},
};

/// A key of AWS KMS, by its own ARN or the ARN of an alias.
///
/// ```
/// use tower_s3_proxy::encryption::KmsKeyArn;
///
/// let arn = "arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab";
/// let key: KmsKeyArn = arn.parse()?;
/// assert_eq!(key.region(), "eu-central-1");
/// assert!(!key.is_alias());
/// # Ok::<(), tower_s3_proxy::encryption::InvalidKmsKeyArn>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct KmsKeyArn {
    /// Invariant: needs no escaping in a header field or in JSON.
    text: String,
    region: String,
    account: AccountId,
    is_alias: bool,
}

/// A text that can't be a [`KmsKeyArn`].
#[derive(Clone, PartialEq, Eq)]
pub struct InvalidKmsKeyArn(Box<str>);

// === impl KmsKeyArn ===

impl KmsKeyArn {
    /// Takes `arn:PARTITION:kms:REGION:ACCOUNT:key/ID` or `…:alias/NAME`
    /// ([KMS developer guide, "Key identifiers"](https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html#key-id)).
    ///
    /// # Errors
    ///
    /// [`InvalidKmsKeyArn`] if it is none of these. A mere key id or alias is also refused: S3 would look for it in the
    /// requester's account, not in the bucket's.
    pub fn parse(text: impl Into<String>) -> Result<Self, InvalidKmsKeyArn> {
        let text = text.into();
        match read(&text) {
            Some((region, account, is_alias)) => Ok(Self { text, region, account, is_alias }),
            None => Err(InvalidKmsKeyArn(text.into())),
        }
    }

    /// The ARN as given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The region of the key, and of the bucket: S3 does not use keys of other regions.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// The account that has the key. An AWS managed key is always in the bucket's account.
    pub fn account(&self) -> &AccountId {
        &self.account
    }

    /// Whether it names an alias. A policy cannot grant a key by the ARN of its alias.
    pub fn is_alias(&self) -> bool {
        self.is_alias
    }
}

fn read(text: &str) -> Option<(String, AccountId, bool)> {
    let arn = Arn::parse(text).filter(|arn| arn.service == "kms" && is_name(arn.region))?;
    let account = AccountId::parse(arn.account).ok()?;
    let is_id = |id: &str| !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let is_path = |name: &str| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'/'))
    };
    let is_alias = match arn.resource.split_once('/')? {
        ("key", id) if is_id(id) => false,
        ("alias", name) if is_path(name) => true,
        _ => return None,
    };
    Some((arn.region.to_owned(), account, is_alias))
}

impl FromStr for KmsKeyArn {
    type Err = InvalidKmsKeyArn;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl fmt::Display for KmsKeyArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for KmsKeyArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KmsKeyArn").field(&self.text).finish()
    }
}

// === impl InvalidKmsKeyArn ===

impl fmt::Display for InvalidKmsKeyArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "not the ARN of a KMS key: arn:aws:kms:REGION:ACCOUNT:key/ID, or alias/NAME in place of key/ID; \
             a mere id or alias does not say whose key it is",
        )
    }
}

/// With the rule, since a `main` that returns the error prints this.
impl fmt::Debug for InvalidKmsKeyArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InvalidKmsKeyArn({:?}: {self})", self.0)
    }
}

impl std::error::Error for InvalidKmsKeyArn {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_aliases_of_every_partition_are_taken() {
        for (text, region, is_alias) in [
            (
                "arn:aws:kms:us-west-2:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
                "us-west-2",
                false,
            ),
            (
                "arn:aws:kms:us-west-2:123456789012:key/mrk-1234abcd12ab34cd56ef1234567890ab",
                "us-west-2",
                false,
            ),
            ("arn:aws-cn:kms:cn-north-1:123456789012:alias/media/films_1", "cn-north-1", true),
            ("arn:aws-us-gov:kms:us-gov-west-1:123456789012:alias/aws/s3", "us-gov-west-1", true),
        ] {
            let arn = KmsKeyArn::parse(text).unwrap();
            assert_eq!((arn.as_str(), arn.region(), arn.is_alias()), (text, region, is_alias));
            assert_eq!(arn.account().as_str(), "123456789012");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "1234abcd-12ab-34cd-56ef-1234567890ab",
            "alias/media",
            "arn:aws:kms:us-west-2:123456789012:key/",
            "arn:aws:kms:us-west-2:123456789012:alias/",
            "arn:aws:kms:us-west-2:123456789012:key/a/b",
            "arn:aws:kms:us-west-2:123456789012:key/a:b",
            "arn:aws:kms:us-west-2:123456789012:grant/a",
            "arn:aws:kms:us-west-2:12345:key/1234",
            "arn:aws:kms::123456789012:key/1234",
            "arn:aws:s3:us-west-2:123456789012:key/1234",
            "arn::kms:us-west-2:123456789012:key/1234",
            "arn:aws:kms:us-west-2:123456789012:key/12\r\n34",
            "arn:aws:kms:us-west-2:123456789012:key/\"",
            "arn:aws:kms:us west:123456789012:key/1234",
            "urn:aws:kms:us-west-2:123456789012:key/1234",
        ] {
            assert_eq!(KmsKeyArn::parse(text), Err(InvalidKmsKeyArn(text.into())), "{text:?}");
        }
    }
}
