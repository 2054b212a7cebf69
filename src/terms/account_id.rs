use std::{fmt, str::FromStr};

use http::HeaderValue;

/// The number of an AWS account: 12 digits.
///
/// ```
/// use tower_s3_proxy::bucket::AccountId;
///
/// let owner: AccountId = "123456789012".parse()?;
/// assert_eq!(owner.as_str(), "123456789012");
/// assert!("1234-5678-9012".parse::<AccountId>().is_err());
/// # Ok::<(), tower_s3_proxy::bucket::InvalidAccountId>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountId([u8; 12]);

/// A text that can't be an [`AccountId`].
#[derive(Clone, PartialEq, Eq)]
pub struct InvalidAccountId(Box<str>);

// === impl AccountId ===

impl AccountId {
    /// Takes the 12 digits.
    ///
    /// # Errors
    ///
    /// [`InvalidAccountId`] for anything else, including hyphens between the digits.
    pub fn parse(digits: &str) -> Result<Self, InvalidAccountId> {
        let id = <[u8; 12]>::try_from(digits.as_bytes()).ok().filter(|id| id.iter().all(u8::is_ascii_digit));
        id.map(Self).ok_or_else(|| InvalidAccountId(digits.into()))
    }

    /// The 12 digits.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("digits are ASCII")
    }

    pub(super) fn header_value(&self) -> HeaderValue {
        HeaderValue::from_bytes(&self.0).expect("digits can stand in a field")
    }
}

impl FromStr for AccountId {
    type Err = InvalidAccountId;

    fn from_str(digits: &str) -> Result<Self, Self::Err> {
        Self::parse(digits)
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AccountId").field(&self.as_str()).finish()
    }
}

// === impl InvalidAccountId ===

impl fmt::Display for InvalidAccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an AWS account: 12 digits, without hyphens")
    }
}

/// With the rule, since a `main` that returns the error prints this.
impl fmt::Debug for InvalidAccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InvalidAccountId({:?}: {self})", self.0)
    }
}

impl std::error::Error for InvalidAccountId {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twelve_digits_are_an_account() {
        assert_eq!(AccountId::parse("012345678901").unwrap().as_str(), "012345678901");
        for text in
            ["", "1234", "1234-5678-9012", "12345678901x", "1234567890123", "١23456789012", " 23456789012"]
        {
            assert_eq!(AccountId::parse(text), Err(InvalidAccountId(text.into())), "{text:?}");
        }
    }
}
