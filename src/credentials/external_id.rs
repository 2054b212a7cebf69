use std::{fmt, str::FromStr};

/// An identifier that a role's owner requires of those who assume the role, so that nobody can be tricked into using it
/// on another's behalf (IAM User Guide, "Access to AWS accounts owned by third parties").
///
/// 2 to 1224 characters: letters, digits and `_+=,.@:/-` (STS API, AssumeRole). Two parties agree on it. AWS does not
/// treat it as a secret, but neither `Debug` nor any message of this crate shows it.
///
/// ```
/// use tower_s3_proxy::credentials::ExternalId;
///
/// let id = ExternalId::parse("studio:2031")?;
/// assert_eq!(id.as_str(), "studio:2031");
/// assert!(ExternalId::parse("two words").is_err());
/// # Ok::<(), tower_s3_proxy::credentials::InvalidExternalId>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct ExternalId(Box<str>);

/// A text that can't be an [`ExternalId`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct InvalidExternalId(Fault);

/// What is wrong with it, without the rest of it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    Length(usize),
    /// A character that it must not have, and which of all it is, from one.
    Character(char, usize),
}

// === impl ExternalId ===

impl ExternalId {
    /// Takes an External ID.
    ///
    /// # Errors
    ///
    /// [`InvalidExternalId`] if it is shorter than 2 or longer than 1224 characters, or has characters other than `A-Z
    /// a-z 0-9 _ + = , . @ : / -`.
    pub fn parse(id: impl Into<String>) -> Result<Self, InvalidExternalId> {
        let id = id.into();
        if let Some((other, place)) = id.chars().zip(1..).find(|(character, _)| !is_allowed(*character)) {
            return Err(InvalidExternalId(Fault::Character(other, place)));
        }
        match id.len() {
            2..=1224 => Ok(Self(id.into())),
            length => Err(InvalidExternalId(Fault::Length(length))),
        }
    }

    /// The External ID as given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// `[\w+=,.@:\/-]`; IAM's `\w` is ASCII.
fn is_allowed(character: char) -> bool {
    character.is_ascii_alphanumeric() || "_+=,.@:/-".contains(character)
}

impl FromStr for ExternalId {
    type Err = InvalidExternalId;

    fn from_str(id: &str) -> Result<Self, Self::Err> {
        Self::parse(id)
    }
}

impl fmt::Debug for ExternalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ExternalId(..)")
    }
}

// === impl InvalidExternalId ===

impl fmt::Display for InvalidExternalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "an External ID must be 2 to 1224 letters (a to z), digits and characters of _+=,.@:/-; ",
        )?;
        match self.0 {
            Fault::Length(length) => write!(f, "this one has {length}"),
            Fault::Character(other, place) => write!(f, "character {place} of this one is {other:?}"),
        }
    }
}

/// With the rule, since a `main` that returns the error prints this.
impl fmt::Debug for InvalidExternalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InvalidExternalId({self})")
    }
}

impl std::error::Error for InvalidExternalId {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lengths_end_at_2_and_1224() {
        for (length, is_id) in [(0, false), (1, false), (2, true), (1224, true), (1225, false)] {
            assert_eq!(ExternalId::parse("x".repeat(length)).is_ok(), is_id, "{length}");
        }
    }

    #[test]
    fn it_is_not_shown() {
        let id = ExternalId::parse("our-agreement").unwrap();
        assert!(!format!("{id:?}").contains("agreement"));
        let error = ExternalId::parse("our agreement").unwrap_err();
        assert!(!format!("{error} {error:?}").contains("agreement"), "{error}");
        assert!(error.to_string().ends_with("; character 4 of this one is ' '"), "{error}");
        let error = ExternalId::parse("x").unwrap_err();
        assert!(format!("{error:?}").ends_with("; this one has 1)"), "{error:?}");
    }

    proptest! {
        #[test]
        fn what_sts_takes_is_taken_as_it_is(id in r"[A-Za-z0-9_+=,.@:/-]{2,1224}") {
            let parsed = ExternalId::parse(id.as_str());
            prop_assert_eq!(parsed.as_ref().map(ExternalId::as_str), Ok(id.as_str()));
        }

        #[test]
        fn one_other_character_spoils_it(
            before in r"[A-Za-z0-9_+=,.@:/-]{0,20}",
            other in r"[^A-Za-z0-9_+=,.@:/-]",
            after in r"[A-Za-z0-9_+=,.@:/-]{1,20}",
        ) {
            let id = format!("{before}{other}{after}");
            prop_assert!(ExternalId::parse(id).is_err());
        }
    }
}
