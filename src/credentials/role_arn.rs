use std::{fmt, str::FromStr};

/// The name of a role: `arn:PARTITION:iam::ACCOUNT:role/PATH/NAME`.
///
/// The account is 12 digits; S3-compatible servers have other forms, or none.
///
/// ```
/// use tower_s3_proxy::credentials::RoleArn;
///
/// let role = RoleArn::parse("arn:aws:iam::123456789012:role/media/reader")?;
/// assert_eq!((role.account(), role.name()), ("123456789012", "reader"));
/// assert!(RoleArn::parse("reader").is_err());
/// # Ok::<(), tower_s3_proxy::credentials::InvalidRoleArn>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RoleArn(Box<str>);

/// A text that can't be a [`RoleArn`].
#[derive(Clone, PartialEq, Eq)]
pub struct InvalidRoleArn(Box<str>);

struct Parts<'a> {
    partition: &'a str,
    account: &'a str,
    path: &'a str,
    name: &'a str,
}

// === impl RoleArn ===

impl RoleArn {
    /// Takes an ARN.
    ///
    /// # Errors
    ///
    /// [`InvalidRoleArn`] if it does not have the form above, or is longer than 2048 bytes.
    pub fn parse(arn: impl Into<String>) -> Result<Self, InvalidRoleArn> {
        let arn = arn.into();
        let is_role = arn.len() <= LONGEST
            && split(&arn).is_some_and(|Parts { partition, account, path, name }| {
                is_partition(partition) && is_account(account) && is_path(path) && is_name(name)
            });
        if is_role { Ok(Self(arn.into())) } else { Err(InvalidRoleArn(arn.into())) }
    }

    /// The ARN as given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `aws`, `aws-cn`, `aws-us-gov`, or a server's own.
    pub fn partition(&self) -> &str {
        split(&self.0).map_or("", |parts| parts.partition)
    }

    /// The account that the role is in; empty on some S3-compatible servers.
    pub fn account(&self) -> &str {
        split(&self.0).map_or("", |parts| parts.account)
    }

    /// The last segment, by which people know the role.
    pub fn name(&self) -> &str {
        split(&self.0).map_or("", |parts| parts.name)
    }
}

/// STS API, AssumeRole, `RoleArn`.
const LONGEST: usize = 2048;

fn split(arn: &str) -> Option<Parts<'_>> {
    let (partition, rest) = arn.strip_prefix("arn:")?.split_once(":iam::")?;
    let (account, path) = rest.split_once(":role/")?;
    let (path, name) = path.rsplit_once('/').unwrap_or(("", path));
    Some(Parts { partition, account, path, name })
}

fn is_partition(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// Ceph has none, or `RGW` and digits.
fn is_account(text: &str) -> bool {
    let is_aws = text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit());
    let is_other = text.is_empty() || text.starts_with(|c: char| c.is_ascii_alphabetic());
    is_aws || (is_other && text.bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// IAM API, CreateRole, `Path`: visible ASCII.
fn is_path(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_graphic())
}

/// IAM API, CreateRole, `RoleName`: `[\w+=,.@-]+`, at most 64.
fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b))
}

impl FromStr for RoleArn {
    type Err = InvalidRoleArn;

    fn from_str(arn: &str) -> Result<Self, Self::Err> {
        Self::parse(arn)
    }
}

impl fmt::Display for RoleArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RoleArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

// === impl InvalidRoleArn ===

impl fmt::Display for InvalidRoleArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the ARN of a role must be like \"arn:aws:iam::123456789012:role/media-reader\"")
    }
}

/// With the rule, since a `main` that returns the error prints this.
impl fmt::Debug for InvalidRoleArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InvalidRoleArn({:?}: {self})", self.0)
    }
}

impl std::error::Error for InvalidRoleArn {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_roles_are_roles() {
        let long = format!("arn:aws:iam::123456789012:role/{}", "x".repeat(65));
        let deep = format!("arn:aws:iam::123456789012:role/{}r", "x/".repeat(1100));
        for (arn, is_role) in [
            ("arn:aws:iam::123456789012:role/reader", true),
            ("arn:aws-us-gov:iam::123456789012:role/a/b/reader", true),
            ("arn:aws:iam:::role/reader", true),
            ("arn:aws:iam::RGW12345678901234567:role/reader", true),
            ("arn:aws:iam::12345678901:role/reader", false),
            ("arn:aws:iam::1234567890123:role/reader", false),
            ("arn:aws:iam::123456789012:user/reader", false),
            ("arn:aws:iam:us-east-1:123456789012:role/reader", false),
            ("arn:aws:sts::123456789012:assumed-role/reader/session", false),
            ("arn::iam::123456789012:role/reader", false),
            ("arn:aws:iam::123456789012:role/", false),
            ("arn:aws:iam::123456789012:role/path/", false),
            ("arn:aws:iam::123456789012:role/two words", false),
            ("arn:aws:iam::123456789012:role/reader\n", false),
            ("reader", false),
            ("", false),
            (&long, false),
            (&deep, false),
        ] {
            assert_eq!(RoleArn::parse(arn).is_ok(), is_role, "{arn}");
        }
    }

    proptest! {
        #[test]
        fn an_arn_has_the_parts_it_was_made_of(
            partition in "aws(-[a-z]{1,4}){0,2}",
            account in "[0-9]{12}",
            path in "([!-~&&[^/]]{1,9}/){0,3}",
            name in "[A-Za-z0-9_+=,.@-]{1,64}",
        ) {
            let text = format!("arn:{partition}:iam::{account}:role/{path}{name}");
            let role = RoleArn::parse(text.as_str()).unwrap();
            prop_assert_eq!(role.as_str(), text.as_str());
            prop_assert_eq!(role.partition(), partition.as_str());
            prop_assert_eq!(role.account(), account.as_str());
            prop_assert_eq!(role.name(), name.as_str());
        }

        #[test]
        fn any_text_is_taken_as_it_is_or_refused(text in ".{0,80}") {
            if let Ok(role) = RoleArn::parse(text.as_str()) {
                prop_assert_eq!(role.as_str(), text.as_str());
            }
        }
    }
}
