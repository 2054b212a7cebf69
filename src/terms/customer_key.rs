use std::{fmt, str::FromStr};

use aws_smithy_types::base64;
use http::{HeaderName, HeaderValue};
use md5::{Digest, Md5};

/// A key of 256 bits by which S3 encrypts objects and that S3 does not keep (SSE-C): every read must send it ([S3 user
/// guide, "SSE-C"](https://docs.aws.amazon.com/AmazonS3/latest/userguide/ServerSideEncryptionCustomerKeys.html)).
///
/// `Debug` output does not show it.
///
/// ```
/// use tower_s3_proxy::encryption::CustomerKey;
///
/// let key: CustomerKey = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=".parse()?;
/// assert_eq!(format!("{key:?}"), "CustomerKey");
/// # Ok::<(), tower_s3_proxy::encryption::InvalidCustomerKey>(())
/// ```
#[derive(Clone)]
pub struct CustomerKey {
    /// The key in Base64, sensitive.
    key: HeaderValue,
    /// Its MD5 in Base64.
    md5: HeaderValue,
}

/// A text that can't be a [`CustomerKey`].
#[derive(Clone, PartialEq, Eq)]
pub struct InvalidCustomerKey(());

/// The field in which a request carries a key.
pub(crate) const CUSTOMER_KEY: HeaderName =
    HeaderName::from_static("x-amz-server-side-encryption-customer-key");
const CUSTOMER_ALGORITHM: HeaderName =
    HeaderName::from_static("x-amz-server-side-encryption-customer-algorithm");
const CUSTOMER_KEY_MD5: HeaderName = HeaderName::from_static("x-amz-server-side-encryption-customer-key-md5");

// === impl CustomerKey ===

impl CustomerKey {
    /// Takes the Base64 of the key's 32 bytes, as S3's own field has it.
    ///
    /// # Errors
    ///
    /// [`InvalidCustomerKey`] for anything else.
    pub fn parse(text: &str) -> Result<Self, InvalidCustomerKey> {
        let bytes = base64::decode(text).map_err(|_| InvalidCustomerKey(()))?;
        let bytes: [u8; 32] = bytes.try_into().map_err(|_| InvalidCustomerKey(()))?;
        Ok(Self::from(bytes))
    }

    /// The fields of a read, sorted by name.
    pub(super) fn fields(&self) -> [(HeaderName, HeaderValue); 3] {
        [
            (CUSTOMER_ALGORITHM, const { HeaderValue::from_static("AES256") }),
            (CUSTOMER_KEY, self.key.clone()),
            // Not a secret, but useful to anyone who guesses at the key.
            (CUSTOMER_KEY_MD5, self.md5.clone()),
        ]
    }
}

impl From<[u8; 32]> for CustomerKey {
    fn from(bytes: [u8; 32]) -> Self {
        let sensitive = |bytes: &[u8]| {
            let mut value = HeaderValue::try_from(base64::encode(bytes)).expect("Base64 is visible ASCII");
            value.set_sensitive(true);
            value
        };
        Self { key: sensitive(&bytes), md5: sensitive(&Md5::digest(bytes)) }
    }
}

impl FromStr for CustomerKey {
    type Err = InvalidCustomerKey;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl fmt::Debug for CustomerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CustomerKey")
    }
}

// === impl InvalidCustomerKey ===

impl fmt::Display for InvalidCustomerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a key for SSE-C: the Base64 of 32 bytes, as `openssl rand -base64 32` makes it")
    }
}

/// With the rule, since a `main` that returns the error prints this.
impl fmt::Debug for InvalidCustomerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InvalidCustomerKey({self})")
    }
}

impl std::error::Error for InvalidCustomerKey {}

#[cfg(test)]
mod tests {
    use super::*;

    /// Key and digest as `openssl` has them: `printf 0123456789abcdef0123456789abcdef | openssl md5 -binary | base64`.
    const KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
    const MD5: &str = "hRasmdxgYDKV3nvbahU1MA==";

    #[test]
    fn its_fields_are_those_of_s3_and_sensitive() {
        for key in [CustomerKey::parse(KEY).unwrap(), CustomerKey::from(*b"0123456789abcdef0123456789abcdef")]
        {
            let fields = key.fields();
            let texts = fields.each_ref().map(|(name, value)| (name.as_str(), value.to_str().unwrap()));
            assert_eq!(
                texts,
                [
                    ("x-amz-server-side-encryption-customer-algorithm", "AES256"),
                    ("x-amz-server-side-encryption-customer-key", KEY),
                    ("x-amz-server-side-encryption-customer-key-md5", MD5),
                ]
            );
            assert_eq!(fields.map(|(_, value)| value.is_sensitive()), [false, true, true]);
            assert!(!format!("{key:?}").contains("MDEy"));
        }
    }

    #[test]
    fn anything_but_32_bytes_in_base64_is_refused() {
        for text in [
            "",
            "MDEy",
            "0123456789abcdef0123456789abcdef",
            "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY",
            "*",
        ] {
            assert_eq!(CustomerKey::parse(text).err(), Some(InvalidCustomerKey(())), "{text:?}");
        }
    }
}
